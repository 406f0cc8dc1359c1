//! The ledger on a migrated database: what changes, what is a repeat, and who is out.

use jiff::Timestamp;
use texthub::facts::ids::FactId;
use texthub::hub::consent::{ConsentKind, Noted, Scope, awaits_yes, key, note, note_of_carrier, opted_out};
use uuid::Uuid;

use crate::support::database::Database;
use crate::support::fixtures::{at, bears, slug};
use crate::support::stack::CONSENT_KEY;

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

#[tokio::test]
async fn the_ledger_is_append_only() {
    let database = Database::new().await;
    noted(&database, at(0), &[word(ConsentKind::OptOut, CUSTOMER, 1)]).await;
    let client = database.pool.get().await.unwrap();
    for statement in [
        "update consent_entries set kind = 'opt_in'",
        "update consent_entries set customer_number = '#' || repeat('0', 64)",
        "set texthub.forgetting = 'on'; update consent_entries set kind = 'opt_in', customer_number = '#0'",
        "set texthub.forgetting = 'on'; delete from consent_entries",
        "truncate consent_entries",
    ] {
        let refused = client.batch_execute(statement).await.unwrap_err();
        let message = refused.as_db_error().unwrap().message().to_owned();
        assert_eq!(message, "the consent ledger is append-only", "{statement}");
    }
    assert_eq!(entries(&database).await, 1);
}

#[tokio::test]
async fn a_wider_opt_out_holds_for_every_number_of_the_tenant_and_for_no_other_tenant() {
    let database = Database::new().await;
    let wide = Noted { scope: Scope::Brand, ..word(ConsentKind::OptOut, CUSTOMER, 1) };
    assert_eq!(noted(&database, at(0), &[wide]).await, [true]);
    let parties = [("bears", OURS, CUSTOMER), ("bears", "+15550100002", CUSTOMER), ("wolves", OURS, CUSTOMER)];
    assert_eq!(out(&database, &parties).await, [true, true, false]);
    assert_eq!(noted(&database, at(1), &[word(ConsentKind::OptIn, CUSTOMER, 2)]).await, [true]);
    assert_eq!(out(&database, &parties).await, [false; 3]);
}

#[tokio::test]
async fn what_a_carrier_tells_is_noted_with_its_name() {
    let database = Database::new().await;
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let told = [(("bears", OURS, CUSTOMER), ConsentKind::OptOut, FactId(Uuid::from_u128(1)))];
    assert_eq!(note_of_carrier(&tx, at(0), &slug("wind"), &told).await.unwrap(), [true]);
    assert_eq!(note_of_carrier(&tx, at(1), &slug("wind"), &told).await.unwrap(), [true], "a repeat");
    let row =
        tx.query_one("select method, actor, keyword, source ->> 'fact_id' from consent_entries", &[]).await.unwrap();
    let keyword: Option<&str> = row.get(2);
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1), keyword), ("carrier", "carrier:wind", None));
    assert_eq!(row.get::<_, String>(3), Uuid::from_u128(1).to_string());
    assert_eq!(
        awaits_yes(&tx, &[("bears", OURS, CUSTOMER), ("bears", OURS, "+15550100101")]).await.unwrap(),
        [true, false]
    );
}

#[tokio::test]
async fn the_block_of_a_forgotten_customer_holds_until_the_customer_comes_back() {
    key::install(CONSENT_KEY.into());
    let database = Database::new().await;
    bears(&database.pool, "http://127.0.0.1:9").await;
    let (who, other) = (("bears", OURS, CUSTOMER), ("bears", OURS, "+15550100101"));
    noted(&database, at(0), &[word(ConsentKind::OptOut, CUSTOMER, 1), word(ConsentKind::OptIn, "+15550100101", 2)])
        .await;
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert_eq!(key::forget(&tx, &slug("bears"), CUSTOMER).await.unwrap(), Ok(1));
    tx.commit().await.unwrap();
    let left = "select count(*) from (select customer_number from consent_entries union all
                  select customer_number from opt_outs) x where customer_number = $1";
    assert_eq!(client.query_one(left, &[&CUSTOMER]).await.unwrap().get::<_, i64>(0), 0, "the number is nowhere");
    assert_eq!(out(&database, &[who, other]).await, [true, false]);
    assert_eq!(noted(&database, at(10), &[word(ConsentKind::OptOut, CUSTOMER, 3)]).await, [false], "out already");
    assert_eq!(noted(&database, at(11), &[word(ConsentKind::OptIn, CUSTOMER, 4)]).await, [true]);
    assert_eq!(out(&database, &[who]).await, [false]);
    let found = crate::support::trial::breaches(&database.pool, at(12)).await;
    assert!(found.iter().all(|line| !line.starts_with("opt_outs_follow_the_ledger")), "{found:?}");
    // another key would find nobody: it is told
    let forged = "update settings set value = 'x' where name = 'consent_key'";
    client.batch_execute(forged).await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert!(key::mistake(&tx).await.unwrap().unwrap().contains("another key"));
    assert!(key::forget(&tx, &slug("bears"), CUSTOMER).await.unwrap().is_err());
}
