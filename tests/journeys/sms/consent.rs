//! The ledger on a migrated database: what changes, what is a repeat, and who is out.

use jiff::Timestamp;
use texthub::facts::ids::FactId;
use texthub::hub::consent::{ConsentKind, Noted, note, opted_out};
use uuid::Uuid;

use crate::support::database::Database;
use crate::support::fixtures::at;

const OURS: &str = "+15550100001";
const CUSTOMER: &str = "+15550100100";

fn word(kind: ConsentKind, customer: &'static str, cause: u128) -> Noted<'static> {
    let caused_by = FactId(Uuid::from_u128(cause));
    Noted::by_keyword(("bears", OURS, customer), kind, "STOP", caused_by)
}

async fn noted(database: &Database, now: Timestamp, words: &[Noted<'_>]) -> Vec<bool> {
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let changed = note(&tx, now, words).await.unwrap();
    tx.commit().await.unwrap();
    changed
}

async fn out(database: &Database, parties: &[(&str, &str, &str)]) -> Vec<bool> {
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    opted_out(&tx, parties).await.unwrap()
}

async fn entries(database: &Database) -> i64 {
    let client = database.pool.get().await.unwrap();
    client.query_one("select count(*) from consent_entries", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn one_confirmation_is_due_however_often_the_word_comes() {
    use ConsentKind::{OptIn, OptOut};
    let database = Database::new().await;
    assert_eq!(noted(&database, at(0), &[word(OptIn, CUSTOMER, 1)]).await, [false], "was not out");
    assert_eq!(noted(&database, at(1), &[word(OptOut, CUSTOMER, 2)]).await, [true]);
    assert_eq!(noted(&database, at(2), &[word(OptOut, CUSTOMER, 2)]).await, [true], "a repeat gets the first answer");
    assert_eq!(noted(&database, at(3), &[word(OptOut, CUSTOMER, 3)]).await, [false], "already out");
    assert_eq!(entries(&database).await, 3);
    assert_eq!(noted(&database, at(4), &[word(OptIn, CUSTOMER, 4)]).await, [true]);
    assert_eq!(noted(&database, at(5), &[word(OptOut, CUSTOMER, 2)]).await, [true]);
    assert_eq!(out(&database, &[("bears", OURS, CUSTOMER)]).await, [false], "a late repeat does not opt out again");
}

#[tokio::test]
async fn consent_is_per_tenant_number_and_customer() {
    let database = Database::new().await;
    noted(&database, at(0), &[word(ConsentKind::OptOut, CUSTOMER, 1)]).await;
    let parties = [
        ("bears", OURS, CUSTOMER),
        ("wolves", OURS, CUSTOMER),
        ("bears", "+15550100002", CUSTOMER),
        ("bears", OURS, "+15550100101"),
        ("bears", OURS, CUSTOMER),
    ];
    assert_eq!(out(&database, &parties).await, [true, false, false, false, true]);
}

#[tokio::test]
async fn a_batch_folds_in_order() {
    use ConsentKind::{OptIn, OptOut};
    let database = Database::new().await;
    let words = [
        word(OptOut, CUSTOMER, 1),
        word(OptOut, "+15550100101", 2),
        word(OptIn, CUSTOMER, 3),
        word(OptOut, CUSTOMER, 4),
        word(OptIn, "+15550100101", 5),
    ];
    assert_eq!(noted(&database, at(0), &words).await, [true; 5]);
    assert_eq!(out(&database, &[("bears", OURS, CUSTOMER), ("bears", OURS, "+15550100101")]).await, [true, false]);
    assert_eq!(noted(&database, at(1), &words).await, [true; 5]);
    assert_eq!(entries(&database).await, 5);
}

#[tokio::test]
async fn of_two_racing_words_one_changes_the_state() {
    for round in 0..20u128 {
        let database = Database::new().await;
        let (one, other) = tokio::join!(
            async { noted(&database, at(0), &[word(ConsentKind::OptOut, CUSTOMER, 2 * round + 1)]).await[0] },
            async { noted(&database, at(0), &[word(ConsentKind::OptOut, CUSTOMER, 2 * round + 2)]).await[0] },
        );
        assert!(one ^ other, "round {round}: {one} {other}");
    }
}
