//! What Postgres answers, as the runner takes it; and a broker that is gone.

use texthub::failure::Failure;

use crate::support::database::Database;
use crate::support::servers::Servers;
use crate::support::stack::{Stack, until};

#[tokio::test]
async fn what_follows_a_failed_statement_of_the_same_round_trip_is_tried_again() {
    let database = Database::new().await;
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("select 1 / 0").await.unwrap_err();
    let next = Failure::from(tx.batch_execute("select 1").await.unwrap_err());
    assert!(matches!(next, Failure::Retry(_)), "{next}: the first answer tells what it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_only_publishes_notices_that_the_broker_is_gone() {
    let servers = tokio::task::spawn_blocking(Servers::start).await.unwrap();
    let stack = Stack::on(&servers).await;
    let gateway = stack.start(&["gateway"]).await;
    servers.kill_broker();
    until("it has noticed", async || !stack.is_ready(&gateway).await).await;
    let again = tokio::task::spawn_blocking(move || {
        servers.start_again();
        servers
    });
    let _servers = again.await.unwrap();
    until("it is ready again", async || stack.is_ready(&gateway).await).await;
}
