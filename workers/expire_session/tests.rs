//! On a migrated database, every way through the harness: what a timer does early, in time and too often.

use deadpool_postgres::Pool;
use serde_json::json;

use super::*;
use crate::receive_sms::ReceiveSms;
use crate::rehearsal::{active, column, customer, den_with, lines, room, session, text};
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{Apart, Ran, handle, names, redelivered, said, the, told, trial};

const APART: &[Apart] = &[("heard", "said", "agent.freed tells of the agent's slots as of the end of the batch")];

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Due>]) -> Ran {
    trial(&ExpireSession, at(now), APART, set_up, batch).await
}

/// The timer of the session that text `of` led to; its id is the one it was armed with.
fn due(of: u128, generation: i32, second: i64) -> Message<Due> {
    let root = FactId(session(of).0);
    let nr = root.derive("session.due", generation.unsigned_abs()).0.as_u128();
    let body = json!({"cause_id": root, "at": at(10), "tenant": "bears", "session_id": session(of), "room_id": room(of),
                      "generation": generation, "due_at": at(second)});
    told(nr, "session.due", body)
}

/// Active since second 10: 1 with papa (two hours, wrap-up), 2 and 3 with baby (a minute, none).
async fn three_sessions(pool: &Pool) {
    den_with(pool, &["papa", "baby"]).await;
    recount::install(pool).await;
    for (nr, to) in [(1, MAIN), (2, RUSH), (3, RUSH)] {
        active(pool, at(10), nr, to).await;
    }
}

#[tokio::test]
async fn a_timer_past_the_deadline_expires_its_session() {
    let batch = [due(2, 1, 70), due(3, 1, 70)];
    let ran = run(70, three_sessions, &batch).await;
    for outcome in &ran.outcomes {
        assert_eq!(names(outcome), ["session.expired", "room.closed", "contact.closed", "agent.freed"]);
        assert_eq!(the(outcome, "contact.closed")["outcome"], "expired");
    }
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select slots_used from agents where id = 'baby'").await, ["0"]);
    assert_eq!(column(pool, "select count(*) from rooms where closed_at is null").await, ["1"]);
    let again = handle(&ExpireSession, pool, at(99), &batch).await;
    assert_eq!(again.iter().map(names).collect::<Vec<_>>(), ran.outcomes.iter().map(names).collect::<Vec<_>>());
}

#[tokio::test]
async fn with_wrap_up_the_agent_keeps_the_slot_and_the_room_is_closed() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        active(pool, at(10), 1, MAIN).await;
    };
    let ran = run(7210, set_up, &[due(1, 1, 7210)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["session.expired", "room.closed", "wrap_up.due"]);
    assert_eq!(said(&ran.outcomes[0])[2].due, Some(at(7240)));
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select state || outcome from contacts where agent = 'papa'").await, ["wrap_upexpired"]);
    assert_eq!(column(pool, "select slots_used from agents where id = 'papa'").await, ["1"]);
}

#[tokio::test]
async fn after_a_text_the_timer_is_early_and_armed_for_the_remainder() {
    let set_up = async |pool: &Pool| {
        three_sessions(pool).await;
        handle(&ReceiveSms, pool, at(50), &[text(50, &customer(2), RUSH, "wait", at(50))]).await;
    };
    let ran = run(70, set_up, &[due(2, 1, 70)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["session.due"]);
    let armed = the(&ran.outcomes[0], "session.due");
    assert_eq!((&armed["generation"], said(&ran.outcomes[0])[0].due), (&json!(2), Some(at(110))));
    let row = lines(&ran.database.pool, &format!("select timer_gen from sessions where id = '{}'", session(2))).await;
    assert_eq!(row, json!([{"timer_gen": 2}]));
}

#[tokio::test]
async fn a_repeat_of_the_last_timer_says_the_rows_generation_again_and_any_older_one_nothing() {
    let set_up = async |pool: &Pool| {
        three_sessions(pool).await;
        for (generation, second) in [(1, 20), (2, 30)] {
            handle(&ExpireSession, pool, at(second), &[due(2, generation, second)]).await;
        }
    };
    let late = [due(2, 2, 30), due(2, 1, 20)];
    let fresh = run(40, set_up, &late[1..]).await;
    assert_eq!(names(&fresh.outcomes[0]), [""; 0], "two behind");
    let unflagged = handle(&ExpireSession, &fresh.database.pool, at(40), &late[..1]).await;
    assert_eq!(names(&unflagged[0]), [""; 0], "one behind, but never delivered before: a double");
    handle(&ReceiveSms, &fresh.database.pool, at(40), &[text(50, &customer(2), RUSH, "wait", at(40))]).await;
    let again = handle(&ExpireSession, &fresh.database.pool, at(41), &redelivered(&late)).await;
    let armed = the(&again[0], "session.due");
    assert_eq!((&armed["generation"], &armed["due_at"]), (&json!(3), &json!(at(70))), "as it was armed");
    assert_eq!(names(&again[1]), [""; 0]);
    let early = handle(&ExpireSession, &fresh.database.pool, at(70), &[due(2, 3, 70)]).await;
    assert_eq!(names(&early[0]), ["session.due"]);
    let in_time = handle(&ExpireSession, &fresh.database.pool, at(100), &[due(2, 4, 100)]).await;
    assert_eq!(names(&in_time[0])[0], "session.expired", "the armed one still counts");
}

#[tokio::test]
async fn a_stale_timer_cannot_expire_what_is_past_its_deadline() {
    let set_up = async |pool: &Pool| {
        three_sessions(pool).await;
        for generation in 1..=2 {
            handle(&ExpireSession, pool, at(20), &[due(2, generation, 20)]).await;
        }
    };
    let ran = run(80, set_up, &[due(2, 1, 20)]).await;
    assert_eq!(names(&ran.outcomes[0]), [""; 0], "the timer of generation 3 is under way");
    assert_eq!(column(&ran.database.pool, "select count(*) from sessions where ended_at is null").await, ["3"]);
}

#[tokio::test]
async fn a_timer_of_a_session_that_is_over_says_nothing() {
    let set_up = async |pool: &Pool| {
        three_sessions(pool).await;
        let past = handle(&ReceiveSms, pool, at(75), &[text(50, &customer(2), RUSH, "late", at(75))]).await;
        assert_eq!(names(&past[0])[0], "session.expired", "a text was faster");
    };
    let ran = run(80, set_up, &[due(2, 1, 70), due(9, 1, 70)]).await;
    assert_eq!(ran.outcomes, [Outcome::silent(), Outcome::silent()]);
}
