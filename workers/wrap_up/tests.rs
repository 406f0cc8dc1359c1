//! On a migrated database, every way through the harness: how contacts end, who may end them, and how wrap-up does.

use deadpool_postgres::Pool;
use serde_json::{Value, json};

use super::*;
use crate::rehearsal::{active, column, contact, den_with, ended, moved, offered, queued};
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{Apart, Ran, handle, names, refusal, said, the, told, trial};
use texthub::runtime::single::Each;

const APART: &[Apart] = &[];

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Over>]) -> Ran {
    trial(&Each(WrapUp), at(now), APART, set_up, batch).await
}

fn ends(nr: u128, of: u128, kind: &str, name: &str, disposition: Option<&str>) -> Message<Over> {
    let body = json!({"tenant": "bears", "contact_id": contact(of), "by": {"kind": kind, "name": name}, "reason": "done",
                      "disposition": disposition});
    told(nr, "contact.ended", body)
}

fn finishes(nr: u128, of: u128, agent: &str, more: Value) -> Message<Over> {
    let mut body = json!({"tenant": "bears", "agent": agent, "contact_id": contact(of)});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    told(nr, "wrap_up.finished", body)
}

fn due(nr: u128, fact: &str, of: u128, second: i64) -> Message<Over> {
    let body = json!({"cause_id": contact(of), "at": at(10), "tenant": "bears", "contact_id": contact(of),
                      "due_at": at(second)});
    told(nr, fact, body)
}

/// Since second 10: 1 active with papa (wrap-up 30 s), 2 active with baby (a skill without); 3 offered to goldilocks,
/// 4 waits.
async fn in_each_state(pool: &Pool) {
    den_with(pool, &["papa", "baby"]).await;
    recount::install(pool).await;
    active(pool, at(10), 1, MAIN).await;
    active(pool, at(10), 2, RUSH).await;
    moved(pool, at(11), "baby", "unavailable").await;
    moved(pool, at(11), "goldilocks", "available").await;
    offered(pool, at(11), 3, MAIN).await;
    queued(pool, at(12), 4, MAIN).await;
}

#[tokio::test]
async fn an_end_begins_wrap_up_where_the_skill_has_one_and_else_closes() {
    let ran = run(20, in_each_state, &[ends(100, 1, "agent", "papa", None), ends(101, 2, "agent", "baby", None)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["room.closed", "wrap_up.due"]);
    assert_eq!(said(&ran.outcomes[0])[1].due, Some(at(50)));
    assert_eq!(names(&ran.outcomes[1]), ["room.closed", "contact.closed", "agent.freed"]);
    let durations = the(&ran.outcomes[1], "contact.closed")["durations"].clone();
    assert_eq!(durations, json!({"waited_s": 0.0, "handled_s": 10.0, "wrap_up_s": 0.0}));
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select state from contacts order by caused_by limit 2").await, ["wrap_up", "closed"]);
    let slots = "select slots_used from agents where id in ('baby', 'papa') order by id";
    assert_eq!(column(pool, slots).await, ["0", "1"], "wrap-up holds the slot");
    assert_eq!(column(pool, "select end_reason from sessions").await, ["answered", "answered"]);
}

#[tokio::test]
async fn an_end_with_a_disposition_closes_at_once_and_a_supervisors_is_forced() {
    let batch = [
        ends(100, 1, "agent", "papa", Some("solved")),
        ends(101, 2, "supervisor", "ranger", None),
        ends(102, 3, "program", "cron", None),
        ends(103, 4, "program", "cron", None),
    ];
    let ran = run(20, in_each_state, &batch).await;
    let closed = ["room.closed", "contact.closed", "agent.freed"];
    assert_eq!(names(&ran.outcomes[0]), closed);
    assert_eq!(the(&ran.outcomes[0], "contact.closed")["disposition"], "solved");
    assert_eq!(names(&ran.outcomes[2]), [&["offer.settled"][..], &closed[..]].concat());
    assert_eq!(names(&ran.outcomes[3]), &closed[..2]);
    let pool = &ran.database.pool;
    assert_eq!(
        column(pool, "select outcome from contacts order by caused_by").await,
        ["answered", "forced", "forced", "forced"]
    );
    assert_eq!(column(pool, "select sum(slots_used) from agents").await, ["0"]);
    assert_eq!(column(pool, "select count(*) from rooms where closed_at is null").await, ["0"]);
}

#[tokio::test]
async fn an_end_is_refused_to_who_may_not_and_of_what_is_over() {
    let set_up = async |pool: &Pool| {
        in_each_state(pool).await;
        handle(&Each(WrapUp), pool, at(15), &[ends(90, 2, "agent", "baby", None)]).await;
        moved(pool, at(15), "mama", "available").await;
        ended(pool, at(16), 5, MAIN).await;
    };
    let foreign =
        json!({"tenant": "foxes", "contact_id": contact(1), "by": {"kind": "program", "name": "x"}, "reason": "x"});
    let batch = [
        ends(100, 9, "program", "cron", None),
        told(101, "contact.ended", foreign),
        ends(102, 2, "supervisor", "ranger", None),
        ends(103, 1, "agent", "mama", None),
        ends(104, 4, "agent", "papa", None),
        ends(105, 5, "agent", "mama", None),
    ];
    let ran = run(20, set_up, &batch).await;
    let reasons: Vec<String> = ran.outcomes.iter().map(refusal).collect();
    assert_eq!(reasons, ["not_found", "not_found", "already_ended", "not_a_member", "not_a_member", "already_ended"]);
    let disposed =
        handle(&Each(WrapUp), &ran.database.pool, at(21), &[ends(200, 5, "agent", "mama", Some("sold"))]).await;
    assert_eq!(names(&disposed[0]), ["contact.closed", "agent.freed"], "a disposition ends wrap-up");
}

/// Contact 1 is in wrap-up with papa from second 10 to 40; contact 2 is active with baby.
async fn wrapping(pool: &Pool) {
    den_with(pool, &["papa", "baby"]).await;
    recount::install(pool).await;
    ended(pool, at(10), 1, MAIN).await;
    active(pool, at(10), 2, RUSH).await;
}

#[tokio::test]
async fn wrap_up_is_finished_once_by_its_agent() {
    let batch = [
        finishes(100, 1, "baby", json!({})),
        finishes(101, 2, "baby", json!({})),
        finishes(102, 9, "papa", json!({})),
        finishes(103, 1, "papa", json!({"disposition": "solved", "note": "nice people"})),
        finishes(104, 1, "papa", json!({"disposition": "other"})),
    ];
    let ran = run(20, wrapping, &batch).await;
    let refused: Vec<String> = [0, 1, 2, 4].iter().map(|nth| refusal(&ran.outcomes[*nth])).collect();
    assert_eq!(refused, ["not_a_member", "not_found", "not_found", "already_ended"]);
    assert_eq!(names(&ran.outcomes[3]), ["contact.closed", "agent.freed"]);
    let closed = the(&ran.outcomes[3], "contact.closed");
    assert_eq!((&closed["outcome"], &closed["durations"]["wrap_up_s"]), (&json!("answered"), &json!(10.0)));
    let contacts =
        column(&ran.database.pool, "select disposition || note || reason from contacts where state = 'closed'");
    assert_eq!(contacts.await, ["solvednice peopledone"]);
}

#[tokio::test]
async fn the_end_of_wrap_up_is_the_rows_and_not_the_messages() {
    let early = run(39, wrapping, &[due(100, "wrap_up.due", 1, 39), due(101, "wrap_up.due", 2, 39)]).await;
    assert_eq!(names(&early.outcomes[0]), ["wrap_up.due"]);
    assert_eq!(said(&early.outcomes[0])[0].due, Some(at(40)));
    assert_eq!(names(&early.outcomes[1]), [""; 0], "no wrap-up, no end");
    let late = run(40, wrapping, &[due(100, "wrap_up.due", 1, 40), due(101, "wrap_up.due", 1, 40)]).await;
    assert_eq!(names(&late.outcomes[0]), ["contact.closed", "agent.freed"]);
    assert_eq!(names(&late.outcomes[1]), [""; 0]);
    assert_eq!(column(&late.database.pool, "select slots_used from agents where id = 'papa'").await, ["0"]);
}

#[tokio::test]
async fn whoever_waits_longer_than_the_skill_allows_is_abandoned() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &[]).await;
        queued(pool, at(10), 1, RUSH).await;
        moved(pool, at(600), "papa", "available").await;
        offered(pool, at(600), 2, MAIN).await;
    };
    let batch = [due(100, "contact.due", 1, 610), due(101, "contact.due", 2, 610), due(102, "contact.due", 9, 610)];
    let early = run(609, set_up, &batch).await;
    assert_eq!(early.outcomes, [Outcome::silent(), Outcome::silent(), Outcome::silent()]);
    let late = run(610, set_up, &batch).await;
    assert_eq!(names(&late.outcomes[0]), ["room.closed", "contact.closed"]);
    assert_eq!(the(&late.outcomes[0], "contact.closed")["outcome"], "abandoned");
    assert_eq!(late.outcomes[1..], [Outcome::silent(), Outcome::silent()], "an offered one has its own timer");
}

/// 1 is active with papa since second 10, by a skill that reminds after 20 seconds and queues again after 60.
async fn answers_asked(pool: &Pool) {
    den_with(pool, &["papa"]).await;
    recount::install(pool).await;
    let answers = "update skills set response_s = 60, response_reminder_s = 20 where tenant = 'bears' and id = 'sms'";
    pool.get().await.unwrap().batch_execute(answers).await.unwrap();
    active(pool, at(10), 1, MAIN).await;
}

async fn armed(pool: &Pool) -> String {
    let query = format!("select extract(epoch from answer_due_at - '{}'::timestamptz)::int from contacts", at(0));
    column(pool, &query).await.remove(0)
}

async fn replied(pool: &Pool, second: i64) {
    let body = json!({"tenant": "bears", "agent": "papa", "room_id": crate::rehearsal::room(1), "text": "hello",
                      "written_at": at(second)});
    handle(&crate::post_reply::PostReply, pool, at(second), &[told(500, "reply.written", body)]).await;
}

#[tokio::test]
async fn an_agent_who_does_not_answer_is_reminded_and_then_the_contact_is_at_the_front_again() {
    let batch = [due(100, "contact.due", 1, 29), due(101, "contact.due", 1, 30), due(102, "contact.due", 1, 30)];
    let ran = run(30, answers_asked, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), [""; 0], "another timer counts");
    assert_eq!(names(&ran.outcomes[1]), ["contact.due", "contact.unanswered"]);
    assert_eq!(said(&ran.outcomes[1])[0].due, Some(at(70)));
    let reminder = the(&ran.outcomes[1], "contact.unanswered");
    assert_eq!((&reminder["agent"], &reminder["since"]), (&json!("papa"), &json!(at(10))), "since the agent has it");
    assert_eq!(names(&ran.outcomes[2]), [""; 0], "nobody is reminded twice");
    let reminded = async |pool: &Pool| {
        answers_asked(pool).await;
        handle(&Each(WrapUp), pool, at(30), &[due(90, "contact.due", 1, 30)]).await;
    };
    let ran = run(70, reminded, &[due(100, "contact.due", 1, 70), due(101, "contact.due", 1, 70)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["contact.moved", "contact.queued", "agent.freed"]);
    assert_eq!(names(&ran.outcomes[1]), [""; 0]);
    assert_eq!(the(&ran.outcomes[0], "contact.queued")["queued_at"], json!(at(10)));
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select state from contacts").await, ["queued"]);
    assert_eq!(column(pool, "select slots_used from agents where id = 'papa'").await, ["0"]);
    let queued = the(&ran.outcomes[0], "contact.queued");
    let asks = told(200, "contact.queued", queued);
    handle(&crate::route_contact::RouteContact, pool, at(70), &[asks]).await;
    assert_eq!(column(pool, "select state from contacts").await, ["queued"], "not at once to the one who was silent");
}

#[tokio::test]
async fn an_answer_stops_the_clock_and_the_next_text_starts_it() {
    let answered = async |pool: &Pool| {
        answers_asked(pool).await;
        replied(pool, 20).await;
    };
    let ran = run(30, answered, &[due(100, "contact.due", 1, 30)]).await;
    assert_eq!(names(&ran.outcomes[0]), [""; 0]);
    let pool = &ran.database.pool;
    assert_eq!(armed(pool).await, "-", "nothing waits for an answer");
    let next = crate::rehearsal::text(50, &crate::rehearsal::customer(1), MAIN, "and now?", at(40));
    let came = handle(&crate::receive_sms::ReceiveSms, pool, at(40), std::slice::from_ref(&next)).await;
    assert_eq!(names(&came[0]), ["entry.appended", "contact.due"]);
    let again = handle(&crate::receive_sms::ReceiveSms, pool, at(41), &[next]).await;
    assert_eq!(said(&again[0])[1].id, said(&came[0])[1].id, "a repeat arms the same timer");
    assert_eq!(armed(pool).await, "60");
}

#[tokio::test]
async fn a_timer_armed_for_an_answered_text_is_armed_for_the_rest_of_the_next() {
    let wrote_again = async |pool: &Pool| {
        answers_asked(pool).await;
        replied(pool, 15).await;
        let next = crate::rehearsal::text(50, &crate::rehearsal::customer(1), MAIN, "and now?", at(25));
        let came = handle(&crate::receive_sms::ReceiveSms, pool, at(25), &[next]).await;
        assert_eq!(names(&came[0]), ["entry.appended"], "one timer at a time");
    };
    let ran = run(30, wrote_again, &[due(100, "contact.due", 1, 30)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["contact.due"]);
    assert_eq!(said(&ran.outcomes[0])[0].due, Some(at(45)));
}

#[tokio::test]
async fn who_opted_out_waits_for_no_answer() {
    let stopped = async |pool: &Pool| {
        answers_asked(pool).await;
        let stop = crate::rehearsal::text(50, &crate::rehearsal::customer(1), MAIN, "STOP", at(15));
        handle(&crate::receive_sms::ReceiveSms, pool, at(15), &[stop]).await;
    };
    let ran = run(30, stopped, &[due(100, "contact.due", 1, 30)]).await;
    assert_eq!(names(&ran.outcomes[0]), [""; 0], "nobody may answer");
    assert_eq!(armed(&ran.database.pool).await, "-");
}

#[tokio::test]
async fn a_parked_contact_is_ended_by_who_parked_it_and_holds_nothing() {
    let parked = async |pool: &Pool| {
        in_each_state(pool).await;
        let body = json!({"tenant": "bears", "by": {"kind": "agent", "name": "papa"}, "contact_id": contact(1)});
        handle(&Each(crate::move_contact::MoveContact), pool, at(15), &[told(90, "park.asked", body)]).await;
    };
    let ran = run(20, parked, &[ends(100, 1, "agent", "baby", None), ends(101, 1, "agent", "papa", None)]).await;
    assert_eq!(refusal(&ran.outcomes[0]), "not_a_member");
    assert_eq!(names(&ran.outcomes[1]), ["room.closed", "contact.closed"]);
}

#[tokio::test]
async fn dispositions_are_the_skills_and_a_required_one_that_nobody_chose_is_the_default() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa", "baby"]).await;
        let codes = "update skills set dispositions = '{solved,other}', disposition_required = true,
            default_disposition = 'other' where tenant = 'bears'";
        pool.get().await.unwrap().batch_execute(codes).await.unwrap();
        ended(pool, at(10), 1, MAIN).await;
        active(pool, at(10), 2, RUSH).await;
        queued(pool, at(10), 3, MAIN).await;
    };
    let batch = [
        ends(100, 2, "agent", "baby", Some("nonsense")),
        finishes(101, 1, "papa", json!({"disposition": "nonsense"})),
        finishes(102, 1, "papa", json!({})),
        ends(103, 2, "agent", "baby", None),
        ends(104, 3, "supervisor", "ranger", None),
    ];
    let ran = run(20, set_up, &batch).await;
    let refused: Vec<String> = ran.outcomes[..3].iter().map(refusal).collect();
    assert_eq!(refused, ["unknown_disposition", "unknown_disposition", "disposition_missing"]);
    assert_eq!(the(&ran.outcomes[3], "contact.closed")["disposition"], "other", "no wrap-up to choose one in");
    assert_eq!(the(&ran.outcomes[4], "contact.closed")["disposition"], Value::Null, "nobody worked it");
    let pool = &ran.database.pool;
    let late = handle(&Each(WrapUp), pool, at(40), &[due(200, "wrap_up.due", 1, 40)]).await;
    assert_eq!(the(&late[0], "contact.closed")["disposition"], "other");
    let chosen = run(20, set_up, &[finishes(100, 1, "papa", json!({"disposition": "solved"}))]).await;
    assert_eq!(the(&chosen.outcomes[0], "contact.closed")["disposition"], "solved");
}
