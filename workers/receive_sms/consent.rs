//! What words about consent do beyond STOP and START: a YES that was asked for, near-misses, scopes, languages, carriers
//! that answer themselves; and senders whose texts do nothing. Every way through the harness.

use deadpool_postgres::Pool;
use serde_json::json;
use texthub::hub::consent::{self, ConsentKind, Noted};
use texthub::hub::sender;

use super::*;
use crate::rehearsal::{column, customer, lines, queued, text};
use crate::support::den::{MAIN, RUSH, den};
use crate::support::fixtures::{at, slug};
use crate::support::trial::{Apart, Ran, handle, names, redelivered, said, the, trial};

const APART: &[Apart] = &[
    ("contacts", "queued_at", "neighbours of a batch queue a microsecond apart"),
    ("heard", "said", "contact.queued tells of it"),
    ("contacts", "waiting_since", "the same"),
    ("consent_entries", "nr", "a sequence, and gaps in it mean nothing"),
];
const OPENED: [&str; 3] = ["room.opened", "entry.appended", "contact.queued"];
const ANSWERED: [&str; 5] = ["room.opened", "entry.appended", "entry.appended", "sms.requested", "room.closed"];
const SILENT: [&str; 3] = ["room.opened", "entry.appended", "room.closed"];

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Inbound>]) -> Ran {
    trial(&ReceiveSms, at(now), APART, set_up, batch).await
}

async fn stopped(pool: &Pool, nr: u128, to: &str) {
    handle(&ReceiveSms, pool, at(5), &[text(900 + nr, &customer(nr), to, "STOP", at(5))]).await;
}

async fn execute(pool: &Pool, sql: &str) {
    pool.get().await.unwrap().batch_execute(sql).await.unwrap();
}

fn all_names(ran: &Ran) -> Vec<Vec<String>> {
    ran.outcomes.iter().map(names).collect()
}

async fn asked(pool: &Pool, nr: u128) {
    let (mut client, who) = (pool.get().await.unwrap(), customer(nr));
    let tx = client.transaction().await.unwrap();
    let noted =
        Noted::by_keyword(("bears", MAIN, &who), ConsentKind::Asked, "", FactId(uuid::Uuid::from_u128(800 + nr)));
    assert_eq!(consent::note(&tx, at(6), &[noted]).await.unwrap(), [true]);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn yes_counts_where_it_was_asked_for_and_else_it_is_a_text() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        stopped(pool, 1, MAIN).await;
        asked(pool, 2).await;
    };
    let batch = [
        text(1, &customer(1), MAIN, "YES", at(20)),
        text(2, &customer(2), MAIN, "yes!", at(20)),
        text(3, &customer(3), MAIN, "Yes", at(20)),
        text(4, &customer(2), MAIN, "yes", at(20)),
        text(5, &customer(2), RUSH, "yes", at(20)),
        text(6, &customer(4), MAIN, "stop", at(20)),
        text(7, &customer(4), MAIN, "yes", at(20)),
    ];
    let ran = run(20, set_up, &batch).await;
    let (opened, answered) = (OPENED.to_vec(), ANSWERED.to_vec());
    assert_eq!(
        all_names(&ran),
        [&answered, &answered, &opened, &opened, &opened, &answered, &answered].map(Clone::clone)
    );
    let pool = &ran.database.pool;
    let kinds = "select kind || ' ' || coalesce(keyword, '') from consent_entries where effective_at >= to_timestamp(1800000006) order by customer_number, nr";
    let ledger = ["opt_in YES", "opt_in_asked ", "opt_in YES", "opt_out STOP", "opt_in YES"];
    assert_eq!(column(pool, kinds).await, ledger);
    assert_eq!(column(pool, "select count(*) from opt_outs").await, ["0"]);
    assert_eq!(column(pool, "select count(*) from opt_in_asks").await, ["0"]);
}

#[tokio::test]
async fn what_looks_like_a_withdrawal_is_flagged_for_the_agent_and_acts_on_nothing() {
    let batch = [
        text(1, &customer(1), MAIN, "pls stop texting me", at(20)),
        text(2, &customer(2), MAIN, "the bus stop is here", at(20)),
        text(3, &customer(3), MAIN, "stpo\0", at(20)),
    ];
    let ran = run(20, den, &batch).await;
    assert_eq!(all_names(&ran), vec![OPENED.to_vec(); 3]);
    assert_eq!(the(&ran.outcomes[0], "entry.appended")["flags"], json!(["maybe_opt_out"]));
    assert!(the(&ran.outcomes[1], "entry.appended").get("flags").is_none());
    let pool = &ran.database.pool;
    let flags = lines(pool, "select flags from entries where flags is not null order by caused_by").await;
    assert_eq!(flags, json!([{"flags": ["maybe_opt_out"]}, {"flags": ["nul_replaced", "maybe_opt_out"]}]));
    assert_eq!(column(pool, "select count(*) from consent_entries").await, ["0"]);
}

#[tokio::test]
async fn where_the_tenant_wants_it_stop_reaches_all_its_numbers_and_start_lifts_it() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        execute(pool, "update tenants set consent_scope = 'tenant' where id = 'bears'").await;
    };
    let batch = [
        text(1, &customer(1), MAIN, "STOP", at(20)),
        text(2, &customer(1), RUSH, "help", at(20)),
        text(3, &customer(2), MAIN, "STOP", at(20)),
        text(4, &customer(2), RUSH, "START", at(20)),
    ];
    let ran = run(20, set_up, &batch).await;
    let (silent, answered) = (SILENT.to_vec(), ANSWERED.to_vec());
    assert_eq!(all_names(&ran), [&answered, &silent, &answered, &answered].map(Clone::clone));
    let pool = &ran.database.pool;
    let blocks = "select customer_number || ' ' || scope || ' ' || our_number from opt_outs";
    assert_eq!(column(pool, blocks).await, [format!("{} brand ", customer(1))]);
    assert_eq!(column(pool, "select distinct our_number from consent_entries order by 1").await, [MAIN, RUSH]);
}

#[tokio::test]
async fn a_carrier_that_answers_itself_is_not_answered_twice_and_the_word_counts() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        execute(pool, "update carriers set opt_outs = 'provider' where id = 'simulator'").await;
    };
    let words = [(1, "STOP"), (2, "HELP"), (1, "START"), (3, "STOP")];
    let batch: Vec<Message<Inbound>> =
        (11..).zip(words).map(|(nr, (who, word))| text(nr, &customer(who), MAIN, word, at(20))).collect();
    let ran = run(20, set_up, &batch).await;
    assert_eq!(all_names(&ran), vec![SILENT.to_vec(); 4]);
    let pool = &ran.database.pool;
    assert_eq!(
        column(pool, "select kind from consent_entries order by customer_number, nr").await,
        ["opt_out", "opt_in", "opt_out"]
    );
    assert_eq!(column(pool, "select customer_number from opt_outs").await, [customer(3)]);
    assert_eq!(column(pool, "select count(*) from sms").await, ["0"]);
}

#[tokio::test]
async fn the_answer_is_in_the_words_language_where_the_tenant_has_it() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        execute(pool, r#"update tenants set consent_texts = '{"fr": {"stop": "fini"}}' where id = 'bears'"#).await;
    };
    let batch = [text(1, &customer(1), MAIN, "arrêt", at(20)), text(2, &customer(2), MAIN, "ALTO", at(20))];
    let ran = run(20, set_up, &batch).await;
    assert_eq!(the(&ran.outcomes[0], "sms.requested")["text"], "fini");
    assert_eq!(the(&ran.outcomes[1], "sms.requested")["text"], "stopped");
}

#[tokio::test]
async fn a_blocked_senders_texts_are_recorded_and_do_nothing_but_stop_counts() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        queued(pool, at(10), 2, MAIN).await;
        let mut client = pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        for nr in [1, 2] {
            let who = (&slug("bears"), customer(nr));
            assert!(sender::block(&tx, at(11), (who.0, &who.1), "operator:goldilocks", None).await.unwrap());
        }
        tx.commit().await.unwrap();
    };
    let batch = [
        text(11, &customer(1), MAIN, "hello", at(20)),
        text(12, &customer(1), RUSH, "STOP", at(20)),
        text(13, &customer(2), MAIN, "HELP", at(20)),
        text(14, &customer(2), MAIN, "are you there?", at(20)),
        text(15, &customer(3), MAIN, "hello", at(20)),
    ];
    let ran = run(20, set_up, &batch).await;
    assert!(ran.outcomes[..4].iter().all(|outcome| said(outcome).is_empty()), "{:?}", all_names(&ran));
    assert_eq!(names(&ran.outcomes[4]), OPENED);
    let pool = &ran.database.pool;
    let withheld = column(pool, "select reason || ' ' || text from withheld_texts order by id").await;
    assert_eq!(withheld, ["blocked hello", "blocked STOP", "blocked HELP", "blocked are you there?"]);
    assert_eq!(column(pool, "select our_number from opt_outs").await, [RUSH]);
    assert_eq!(column(pool, "select count(*) from entries").await, ["2"], "customer 2's first, customer 3's");
    let again = handle(&ReceiveSms, pool, at(30), &redelivered(&batch[..1])).await;
    assert!(said(&again[0]).is_empty());
    assert_eq!(column(pool, "select count(*) from withheld_texts").await, ["4"]);
}

/// Three texts in five minutes.
async fn strict(pool: &Pool) {
    den(pool).await;
    execute(pool, "update tenants set flood_texts = 3 where id = 'bears'").await;
}

#[tokio::test]
async fn beyond_the_flood_limit_nothing_is_opened_or_answered_and_nothing_is_lost() {
    let set_up = async |pool: &Pool| {
        strict(pool).await;
        for nr in 31..=33 {
            handle(&ReceiveSms, pool, at(10), &[text(nr, &customer(3), MAIN, "HELP", at(10))]).await;
        }
    };
    let mut batch: Vec<Message<Inbound>> = (1..=5).map(|nr| text(nr, &customer(1), MAIN, "HELP", at(20))).collect();
    batch.extend((11..=15).map(|nr| text(nr, &customer(2), MAIN, "hello", at(20))));
    batch.push(text(21, &customer(3), MAIN, "hello", at(20)));
    batch.push(text(22, &customer(3), MAIN, "STOP", at(20)));
    batch.push(text(23, &customer(3), RUSH, "hello", at(20)));
    let ran = run(20, set_up, &batch).await;
    let (answered, opened, joined) = (ANSWERED.to_vec(), OPENED.to_vec(), vec!["entry.appended"]);
    let helped = [&answered[..], &answered, &answered, &[], &[]];
    let waiting = [&opened[..], &joined, &joined, &joined, &joined];
    let flooding = [&[][..], &[], &opened];
    assert_eq!(all_names(&ran), [&helped[..], &waiting, &flooding].concat());
    let pool = &ran.database.pool;
    let withheld = column(pool, "select reason || ' ' || text from withheld_texts order by id").await;
    assert_eq!(withheld, ["flood HELP", "flood HELP", "flood hello", "flood STOP"]);
    assert_eq!(column(pool, "select customer_number from opt_outs").await, [customer(3)], "STOP counts");
    let later = [text(41, &customer(3), MAIN, "hello", at(400))];
    assert_eq!(names(&handle(&ReceiveSms, pool, at(400), &later).await[0]), OPENED, "the span is over");
}

#[tokio::test]
async fn one_look_at_indexes_tells_of_all_senders_of_a_batch() {
    let database = crate::support::database::Database::new().await;
    den(&database.pool).await;
    let client = database.pool.get().await.unwrap();
    client
        .batch_execute(
            "insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, closed_at, caused_by)
             select gen_random_uuid(), 'bears', 'sms', '+15550100001', '+1555' || (7000000 + n % 5000), 'main',
                    now() - n * interval '1 s', case when n > 5000 then now() end, gen_random_uuid()
             from generate_series(1, 20000) n;
             insert into opt_outs (tenant, our_number, customer_number, since)
             select 'bears', '+15550100001', '+1666' || n, now() from generate_series(1, 20000) n;
             insert into blocked_senders (tenant, customer_number, since, actor)
             select 'bears', '+1777' || n, now(), 'x' from generate_series(1, 20000) n;
             insert into withheld_texts (id, tenant, our_number, customer_number, text, received_at, reason, at)
             select gen_random_uuid(), 'bears', '+15550100001', '+1777' || n, 'x', now(), 'blocked', now()
             from generate_series(1, 20000) n;
             analyze",
        )
        .await
        .unwrap();
    let of = |sql: &str| format!("explain (analyze, buffers, costs off) {sql}");
    let (tenants, ours): (Vec<&str>, Vec<&str>) = (vec!["bears"; 64], vec![MAIN; 64]);
    let countries = vec![""; 64];
    let customers: Vec<String> = (0..64).map(|nr| customer(nr * 7)).collect();
    let (counts, yes) = (vec![1_i64; 64], vec![true; 64]);
    let now = texthub::runtime::clock::wall();
    let plan = client
        .query(&of(sender::STANDINGS), &[&tenants, &ours, &countries, &customers, &counts, &yes, &now])
        .await
        .unwrap();
    let checked = client.query(&of(consent::OPTED_OUT), &[&tenants, &ours, &customers]).await.unwrap();
    for plan in [plan, checked] {
        let plan: Vec<&str> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        for table in ["rooms", "opt_outs", "blocked_senders", "withheld_texts", "opt_in_asks", "entries"] {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
        }
    }
}
