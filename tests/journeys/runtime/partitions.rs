//! Another number of partitions, more and fewer, with texts waiting in the queues: none is lost, and a process that was
//! told the old number refuses to run.

use crate::support::stack::{Stack, until};

const CUSTOMERS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_that_wait_survive_a_change_of_partitions() {
    let mut stack = Stack::new().await;
    stack.command(&["apply", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")]).success();
    stack.start(&["all"]).await.kill();
    let desk = stack.desk("three-bears").await;
    let mut published = 0;
    for count in ["2", "1", "3"] {
        for customer in 0..CUSTOMERS {
            desk.text(&format!("+1555030{customer:04}"), "+15550100001", &format!("text {published}")).await;
            published += 1;
        }
        let said = stack.command(&["partitions", count]).success();
        assert!(said.contains(&format!("partitions became {count}")), "{said}");
    }
    let wrong = stack.command_with_partitions(&["run", "all"], 4).failure(1);
    assert!(wrong.contains("this installation has 3 partitions"), "{wrong}");
    stack.partitions = 3;
    let _process = stack.start(&["all"]).await;
    let client = stack.database.pool.get().await.unwrap();
    until("every text is recorded", async || {
        let row = client.query_one("select count(distinct text) from entries", &[]).await.unwrap();
        row.get::<_, i64>(0) == published
    })
    .await;
    crate::hub::clean(&stack).await;
    let running = stack.command(&["partitions", "2"]).failure(1);
    assert!(running.contains("is being consumed"), "{running}");
    desk.close().await;
}
