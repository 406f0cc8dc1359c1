//! On a migrated database, every way through the harness: parts become one text, whatever order they come in, and nothing
//! of a text whose parts do not all come is lost.

use deadpool_postgres::Pool;
use serde_json::{Value, json};
use texthub::runtime::single::Each;

use super::*;
use crate::rehearsal::{column, den_with};
use crate::support::fixtures::at;
use crate::support::trial::{Apart, Ran, handle, names, said, the, told, trial};

const APART: &[Apart] = &[("inbound_parts", "nr", "the order in which they were written")];
const NUMBER: &str = "+15550100001";

fn hex(text: &str) -> String {
    texthub::sms::carrier::heard::hex(text.as_bytes())
}

/// Part `nr` of two under the number 7, of a text in plain letters.
fn part(nr: u128, part: u8, total: u8, text: &str) -> Message<Parts> {
    raw(nr, json!({"part": part, "total": total, "octets": hex(text)}))
}

fn raw(nr: u128, more: Value) -> Message<Parts> {
    let mut body = json!({
        "carrier": "wire", "carrier_sms_id": format!("MO{nr}"), "from": "+15550100100", "to": NUMBER, "reference": 7,
        "alphabet": "gsm7", "received_at": at(5),
    });
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    told(nr, "part.received", body)
}

fn due(nr: u128, total: u8, second: i64) -> Message<Parts> {
    let body = json!({"cause_id": FactId(uuid::Uuid::from_u128(1)), "at": at(10), "tenant": "bears", "carrier": "wire",
                      "from": "+15550100100", "to": NUMBER, "reference": 7, "total": total, "due_at": at(second)});
    told(nr, "part.due", body)
}

async fn den(pool: &Pool) {
    den_with(pool, &[]).await;
}

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Parts>]) -> Ran {
    trial(&Each(JoinParts), at(now), APART, set_up, batch).await
}

async fn before(pool: &Pool, now: i64, batch: &[Message<Parts>]) {
    handle(&Each(JoinParts), pool, at(now), batch).await;
}

#[tokio::test]
async fn parts_in_any_order_are_one_text_under_the_first_ones_id() {
    let batch = [part(1, 3, 3, "three"), part(2, 1, 3, "one "), part(3, 2, 3, "two ")];
    let ran = run(10, den, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["part.due"], "the first that comes sets the timer");
    assert_eq!(said(&ran.outcomes[0])[0].due, Some(at(610)));
    assert!(names(&ran.outcomes[1]).is_empty());
    let text = the(&ran.outcomes[2], "sms.received");
    assert_eq!((&text["text"], &text["carrier_sms_id"]), (&json!("one two three"), &json!("MO2")));
    assert_eq!(text["joined"], json!({"parts": 3, "missing": [], "given": "whole"}));
    let waiting = "select count(*) from inbound_parts where given_at is null";
    assert_eq!(column(&ran.database.pool, waiting).await, ["0"]);
}

#[tokio::test]
async fn what_was_cut_within_a_character_is_whole_again() {
    let cut = |nr, part, octets: &str| raw(nr, json!({"part": part, "total": 2, "octets": octets, "alphabet": "ucs2"}));
    let ran = run(10, den, &[cut(1, 1, "0041d83d"), cut(2, 2, "de000042")]).await;
    assert_eq!(the(&ran.outcomes[1], "sms.received")["text"], "A😀B");
}

#[tokio::test]
async fn past_the_time_limit_what_is_there_goes_on_once() {
    let one = async |pool: &Pool| {
        den(pool).await;
        before(pool, 10, &[part(1, 2, 3, "two")]).await;
    };
    let ran = run(610, one, &[due(2, 3, 610), due(3, 3, 610)]).await;
    let text = the(&ran.outcomes[0], "sms.received");
    assert_eq!((&text["text"], &text["joined"]["given"]), (&json!("[…]two[…]"), &json!("late")));
    assert_eq!(text["joined"]["missing"], json!([1, 3]));
    assert!(names(&ran.outcomes[1]).is_empty(), "nothing twice");
    let early = run(600, one, &[due(2, 3, 610)]).await;
    assert!(names(&early.outcomes[0]).is_empty(), "not before its time");
}

#[tokio::test]
async fn a_timer_that_never_came_is_made_up_for_by_the_next_part() {
    let one = async |pool: &Pool| {
        den(pool).await;
        before(pool, 10, &[part(1, 1, 2, "one")]).await;
    };
    let ran = run(700, one, &[part(2, 2, 2, "two")]).await;
    assert_eq!(names(&ran.outcomes[0]), ["sms.received", "part.due"]);
    assert_eq!(the(&ran.outcomes[0], "sms.received")["text"], "one[…]");
}

#[tokio::test]
async fn a_carriers_repeat_is_known_before_and_after() {
    // the same part under another id of the carrier's
    let ran =
        run(10, den, &[part(1, 1, 2, "one "), part(2, 1, 2, "one "), part(3, 2, 2, "two"), part(4, 2, 2, "two")]).await;
    assert_eq!(the(&ran.outcomes[2], "sms.received")["text"], "one two");
    assert!(names(&ran.outcomes[1]).is_empty() && names(&ran.outcomes[3]).is_empty());
    assert_eq!(column(&ran.database.pool, "select count(*) from inbound_parts").await, ["2"]);
}

#[tokio::test]
async fn a_number_used_again_interrupts_and_loses_nothing() {
    let ran = run(10, den, &[part(1, 1, 2, "first "), part(2, 1, 2, "second "), part(3, 2, 2, "text")]).await;
    assert_eq!(names(&ran.outcomes[1]), ["sms.received", "part.due"]);
    assert_eq!(the(&ran.outcomes[1], "sms.received")["text"], "first […]");
    assert_eq!(the(&ran.outcomes[2], "sms.received")["text"], "second text");
}

#[tokio::test]
async fn what_cannot_be_joined_is_set_aside_with_its_reason() {
    let wrong = [
        (raw(1, json!({"part": 1, "total": 2, "octets": "41", "to": "+15550199000"})), "unknown_number"),
        (raw(2, json!({"part": 1, "total": 2, "octets": "4"})), "bad_part"),
        (raw(3, json!({"part": 1, "total": 2, "octets": "zz"})), "bad_part"),
        (raw(4, json!({"part": 0, "total": 2, "octets": "41"})), "bad_part"),
        (raw(5, json!({"part": 1, "total": 2, "octets": "41".repeat(1025)})), "bad_part"),
        (raw(6, json!({"part": 1, "total": 2, "octets": "41", "from": "nobody"})), "bad_number"),
    ];
    let (batch, words): (Vec<Message<Parts>>, Vec<&str>) = wrong.into_iter().unzip();
    let ran = run(10, den, &batch).await;
    for (outcome, word) in ran.outcomes.iter().zip(words) {
        assert!(matches!(outcome, Outcome::Reject(reason) if reason.word == word), "{word}: {outcome:?}");
    }
    assert_eq!(column(&ran.database.pool, "select count(*) from inbound_parts").await, ["0"]);
}
