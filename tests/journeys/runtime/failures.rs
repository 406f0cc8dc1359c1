//! What Postgres answers, as the runner takes it.

use texthub::failure::Failure;

use crate::support::database::Database;

#[tokio::test]
async fn what_follows_a_failed_statement_of_the_same_round_trip_is_tried_again() {
    let database = Database::new().await;
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("select 1 / 0").await.unwrap_err();
    let next = Failure::from(tx.batch_execute("select 1").await.unwrap_err());
    assert!(matches!(next, Failure::Retry(_)), "{next}: the first answer tells what it was");
}
