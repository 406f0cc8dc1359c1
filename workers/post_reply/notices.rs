//! Notices on a migrated database: rooms of their own that close at once, lines in open rooms, every refusal.

use deadpool_postgres::Pool;
use serde_json::{Value, json};

use super::*;
use crate::receive_sms::ReceiveSms;
use crate::rehearsal::{active, column, customer, den_with, room, text};
use crate::support::database::Database;
use crate::support::den::{ENDED, FOXES, MAIN, OFF, RUSH};
use crate::support::fixtures::at;
use crate::support::trial::{Apart, Ran, handle, names, refusal, said, told, trial};

const APART: &[Apart] = &[("application_calls", "nr", "a sequence, which a try that wrote nothing moves, too")];

/// An application of the Bears that may use MAIN and the number that has ended, and one of the foxes.
async fn shop(pool: &Pool) {
    den_with(pool, &["papa"]).await;
    let rows = "insert into applications (tenant, id, account, token_file, numbers, status_url) values
         ('bears', 'shop', 'AC1', '/nowhere', '[\"main\", \"gone\"]', 'https://shop.example/status'),
         ('foxes', 'fence', 'AC2', '/nowhere', null, null)";
    pool.get().await.unwrap().execute(rows, &[]).await.unwrap();
}

fn notice(nr: u128, to: &str, more: Value) -> Message<Written> {
    let mut body = json!({"tenant": "bears", "application": "shop", "from": MAIN, "to": to, "text": "ready"});
    let Value::Object(more) = more else { panic!("no object: {more}") };
    body.as_object_mut().unwrap().extend(more);
    told(nr, "notice.written", body)
}

fn ids(outcome: &Outcome) -> Vec<FactId> {
    said(outcome).iter().map(|publication| publication.id).collect()
}

async fn run(batch: &[Message<Written>], set_up: impl AsyncFn(&Pool)) -> Ran {
    trial(&PostReply, at(20), APART, set_up, batch).await
}

#[tokio::test]
async fn a_notice_has_a_room_of_its_own_that_is_closed_at_once() {
    let ran = run(&[notice(100, &customer(1), json!({})), notice(101, &customer(1), json!({}))], shop).await;
    for outcome in &ran.outcomes {
        assert_eq!(names(outcome), ["room.opened", "entry.appended", "sms.requested", "room.closed"]);
    }
    let pool = &ran.database.pool;
    let rooms = "select concat_ws(' ', close_reason, coalesce(outcome, '-'), agents) from rooms";
    assert_eq!(column(pool, rooms).await, ["notice - {}", "notice - {}"]);
    assert_eq!(column(pool, "select count(*) from contacts").await, ["0"]);
    assert_eq!(column(pool, "select author || coalesce(agent, '-') from entries").await, ["program-", "program-"]);
    let kept = "select concat_ws(' ', direction, our_number, status_url, (sms_id is not null)) from application_texts";
    assert_eq!(column(pool, kept).await, vec![format!("outbound-api {MAIN} https://shop.example/status t"); 2]);
}

#[tokio::test]
async fn in_an_open_room_it_is_a_line_and_moves_the_deadline() {
    let pool = Database::new().await;
    let pool = &pool.pool;
    shop(pool).await;
    active(pool, at(10), 1, MAIN).await;
    let asked = [notice(100, &customer(1), json!({"status_url": "https://other.example"}))];
    let posted = handle(&PostReply, pool, at(20), &asked).await;
    assert_eq!(names(&posted[0]), ["entry.appended", "sms.requested"]);
    let again = handle(&PostReply, pool, at(30), &asked).await;
    assert_eq!((ids(&again[0]), ids(&posted[0]).len()), (ids(&posted[0]), 2), "a repeat says the same");
    assert_eq!(column(pool, "select room_id from entries where author = 'program'").await, [room(1).to_string()]);
    assert_eq!(column(pool, "select contact_id is not null from entries where author = 'program'").await, ["true"]);
    let moved = "select deadline_at = timestamptz 'epoch' + interval '1800007220 s' from sessions";
    assert_eq!(column(pool, moved).await, ["true"]);
    assert_eq!(column(pool, "select status_url from application_texts").await, ["https://other.example"]);
    assert_eq!(column(pool, "select slots_used from agents where id = 'papa'").await, ["1"]);
}

#[tokio::test]
async fn past_the_deadline_the_session_expires_and_the_notice_stands_alone() {
    let pool = Database::new().await;
    let pool = &pool.pool;
    shop(pool).await;
    active(pool, at(10), 1, MAIN).await;
    let posted = handle(&PostReply, pool, at(8_000), &[notice(100, &customer(1), json!({}))]).await;
    let said = names(&posted[0]);
    assert!(said.contains(&"session.expired".into()), "{said:?}");
    assert_eq!(said[said.len() - 4..], ["room.opened", "entry.appended", "sms.requested", "room.closed"]);
}

/// Everything at once: an open room with two notices, one past its deadline, closed ones, a refusal between them.
#[tokio::test]
async fn many_notices_of_a_batch_go_together_and_each_conversation_keeps_its_order() {
    let set_up = async |pool: &Pool| {
        shop(pool).await;
        let limit = "update agents set session_limit = 2, slot_limit = 2 where id = 'papa'";
        pool.get().await.unwrap().execute(limit, &[]).await.unwrap();
        active(pool, at(10), 1, MAIN).await;
        active(pool, at(10), 2, MAIN).await;
        let past = "update sessions set deadline_at = $1, timer_due_at = $1 where room_id = $2";
        pool.get().await.unwrap().execute(past, &[&at(19), &room(2)]).await.unwrap();
    };
    let text = |nr: u128, who: u128, words: &str| notice(nr, &customer(who), json!({ "text": words }));
    let batch = [
        text(100, 1, "first"),
        text(101, 2, "too late"),
        text(102, 3, "alone"),
        notice(103, "911", json!({})),
        text(104, 1, "second"),
        text(105, 3, "alone again"),
        text(106, 4, "another"),
    ];
    let ran = run(&batch, set_up).await;
    let pool = &ran.database.pool;
    let alone = ["room.opened", "entry.appended", "sms.requested", "room.closed"];
    assert_eq!(names(&ran.outcomes[0]), ["entry.appended", "sms.requested"]);
    assert!(names(&ran.outcomes[1]).contains(&"session.expired".into()));
    for nth in [2, 5, 6] {
        assert_eq!(names(&ran.outcomes[nth]), alone);
    }
    assert_eq!(refusal(&ran.outcomes[3]), "emergency_number");
    assert_eq!(names(&ran.outcomes[4]), ["entry.appended", "sms.requested"]);
    let lines = "select string_agg(e.text, ', ' order by e.seq) from entries e join rooms r on r.id = e.room_id
                 where e.author = 'program' group by r.id order by 1";
    assert_eq!(column(pool, lines).await, ["alone", "alone again", "another", "first, second", "too late"]);
    assert_eq!(column(pool, "select count(*) from rooms where closed_at is null").await, ["1"]);
    assert_eq!(column(pool, "select count(*) from application_texts").await, ["7"]);
}

#[tokio::test]
async fn a_notice_is_refused_with_its_reason() {
    let set_up = async |pool: &Pool| {
        shop(pool).await;
        handle(&ReceiveSms, pool, at(14), &[text(50, &customer(2), MAIN, "STOP", at(14))]).await;
    };
    let to = customer(1);
    let batch = [
        notice(100, &to, json!({"tenant": "mice"})),
        notice(101, &to, json!({"application": "shed"})),
        notice(102, &to, json!({"application": "fence"})),
        notice(103, &to, json!({"from": RUSH})),
        notice(104, &to, json!({"from": ENDED})),
        notice(105, &to, json!({"from": FOXES})),
        notice(106, &to, json!({"text": ""})),
        notice(107, &to, json!({"text": "é".repeat(1_601)})),
        notice(108, "911", json!({})),
        notice(109, "+1555", json!({})),
        notice(110, &customer(2), json!({})),
        notice(113, &to, json!({"media": [{"url": "https://a.example/1", "type": "image/png"}]})),
        told(111, "notice.written", json!({"tenant": "wolves", "from": OFF, "to": to, "text": "x"})),
        told(112, "notice.written", json!({"tenant": "bears", "from": RUSH, "to": to, "text": "x"})),
    ];
    let ran = run(&batch, set_up).await;
    let reasons: Vec<String> = ran.outcomes[..13].iter().map(refusal).collect();
    assert_eq!(
        reasons,
        [
            "unknown_application",
            "unknown_application",
            "unknown_application",
            "no_number",
            "no_number",
            "no_number",
            "text_length",
            "text_length",
            "emergency_number",
            "bad_number",
            "opted_out",
            "no_media",
            "disabled_tenant",
        ]
    );
    assert!(names(&ran.outcomes[13]).contains(&"sms.requested".into()), "a program of the operator's uses any number");
    let kept = "select refusal || ' ' || (room_id is null) from application_texts order by sid";
    let found = column(&ran.database.pool, kept).await;
    assert_eq!((found.len(), found[7].as_str()), (9, "opted_out true"));
}

#[tokio::test]
async fn at_night_a_promotion_waits_and_an_answer_does_not() {
    let to = "+12125552368";
    let ran = run(
        &[
            notice(100, to, json!({"purpose": "promotional"})),
            notice(101, to, json!({})),
            notice(102, to, json!({"answers": "00000000-0000-0000-0000-000000000001"})),
        ],
        shop,
    )
    .await;
    let purposes = "select purpose || ' ' || state from sms order by caused_by";
    assert_eq!(
        column(&ran.database.pool, purposes).await,
        ["promotional held", "informational requested", "conversational requested"]
    );
    let kinds = "select direction from application_texts order by sid";
    assert_eq!(column(&ran.database.pool, kinds).await, ["outbound-api", "outbound-api", "outbound-reply"]);
}
