//! What an operator asks of the hub's rows: transcripts, ends, dead letters, the audit.

mod audit;
mod dead;
mod ending;
mod transcripts;

use serde_json::{Value, json};

use crate::support::desk::Desk;
use crate::support::stack::{Process, Stack};

/// The example's number for orders.
const ORDERS: &str = "+15550100001";
/// The example's other number for orders.
const NORTH: &str = "+15550100002";
/// The example's number for complaints.
const COMPLAINTS: &str = "+18005550199";
/// The example's tenant.
const BEARS: &str = "three-bears";

/// The example's tenant on a stack whose roles all run in one process.
async fn bears() -> (Stack, Process) {
    let stack = Stack::new().await;
    stack.command(&["apply", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")]).success();
    let process = stack.start(&["all"]).await;
    (stack, process)
}

/// One value of a statement.
async fn one<T: for<'a> tokio_postgres::types::FromSql<'a>>(stack: &Stack, sql: &str) -> T {
    stack.database.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

/// What a command printed as JSON.
fn parsed(out: &str) -> Value {
    serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// A customer writes and an agent accepts: contact and room.
async fn accepted(desk: &Desk, agent: &str, from: &str, to: &str, text: &str) -> (String, String) {
    desk.text(from, to, text).await;
    let offer = desk.offer(agent).await;
    let room = desk.accept(&offer).await;
    (offer["contact_id"].as_str().unwrap().to_owned(), room)
}

/// An agent ends a contact, and its room is closed.
async fn ended(desk: &Desk, agent: &str, (contact, room): &(String, String)) {
    let by = json!({"kind": "agent", "name": agent});
    let body = json!({"tenant": BEARS, "contact_id": contact, "by": by, "reason": "done"});
    desk.say("contact.ended", BEARS, body).await;
    desk.heard("room.closed", |fact| fact["room_id"] == room.as_str()).await;
}
