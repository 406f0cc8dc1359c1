//! Contacts from the first text to the end of the session, through the real queues.

mod agents;
mod conversation;
mod deadline;
mod force_end;
mod moves;
mod outreach;
mod outsider;
mod worked_example;

use crate::support::stack::Stack;

/// The example's tenant on a stack whose roles all run in one process.
pub async fn bears() -> (Stack, crate::support::stack::Process) {
    let stack = Stack::new().await;
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml");
    stack.command(&["apply", example]).success();
    crate::support::recount::install(&stack.database.pool).await;
    let process = stack.start(&["all"]).await;
    (stack, process)
}

/// Nothing is broken, nothing was set aside.
pub async fn clean(stack: &Stack) {
    stack.command(&["audit"]).success();
    assert_eq!(stack.command(&["dead", "list", "--json"]).success().trim(), "[]");
}

/// One number of a statement.
pub async fn number(stack: &Stack, sql: &str) -> i64 {
    let client = stack.database.pool.get().await.unwrap();
    client.query_one(sql, &[]).await.unwrap().get(0)
}
