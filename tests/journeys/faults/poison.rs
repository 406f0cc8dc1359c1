//! A message that ends its process every time is set aside at its eighth delivery; its neighbours, who were given to each
//! of those processes beside it, are all handled and in their order.

use super::{BEARS, EXAMPLE, WORKERS};
use crate::support::stack::{Stack, until};

const OURS: &str = "+15550100001";
const CUSTOMER: &str = "+15557000001";
const NEIGHBOURS: usize = 30;
/// Of a process that ended itself.
const SIGABRT: i32 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_ends_its_process_is_set_aside_at_its_eighth_delivery() {
    let stack = Stack::new().await;
    stack.command(&["apply", &stack.file("tenant.toml", EXAMPLE)]).success();
    let rest: Vec<&str> = WORKERS.into_iter().filter(|name| *name != "receive_sms").collect();
    let _rest = stack.start(&rest).await;
    let desk = stack.desk(BEARS).await;
    let poison = desk.text(CUSTOMER, OURS, "poison").await;
    let mut neighbours = Vec::new();
    for nth in 0..NEIGHBOURS {
        neighbours.push(desk.text(CUSTOMER, OURS, &format!("neighbour {nth}")).await);
    }
    // first in its queue, it is in the first transaction of each of these lives: twice with neighbours, then alone
    for delivery in 1..=7 {
        let mut doomed = stack.spawn_armed(&["receive_sms"], "receive_sms:before_commit");
        until(&format!("delivery {delivery} has ended its process"), async || doomed.signal() == Some(SIGABRT)).await;
    }
    let _eighth = stack.start(&["receive_sms"]).await;
    assert_eq!(stack.dead(1).await, [(poison, "delivered_too_often".to_owned())]);
    let client = stack.database.pool.get().await.unwrap();
    let sql = "select coalesce(array_agg(caused_by::text order by seq), '{}') from entries";
    let mut recorded: Vec<String> = Vec::new();
    until("every neighbour is recorded", async || {
        recorded = client.query_one(sql, &[]).await.unwrap().get(0);
        recorded.len() >= NEIGHBOURS
    })
    .await;
    assert_eq!(recorded, neighbours);
    until("no suspect is left but the one set aside", async || {
        client.query_one("select count(*) from suspects", &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    stack.command(&["audit", "--ids", &stack.file("ids", &desk.said())]).success();
    assert_eq!(stack.dead(1).await.len(), 1, "and nobody else was set aside");
}
