//! On a migrated database, every way through the harness: who may move what, where slots and sessions go, what is refused.

use deadpool_postgres::Pool;
use serde_json::{Value, json};

use super::*;
use crate::rehearsal::{active, column, contact, den_with, fact, moved, offered, queued, session};
use crate::settle_offer::SettleOffer;
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{Ran, attempt, handle, names, refusal, the, told, trial};
use texthub::facts::ids::OfferId;
use texthub::runtime::single::Each;

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Move>]) -> Ran {
    trial(&Each(MoveContact), at(now), &[], set_up, batch).await
}

fn asks(nr: u128, fact: &str, of: u128, kind: &str, name: &str, more: Value) -> Message<Move> {
    let by = json!({"kind": kind, "name": name});
    let mut body = json!({"tenant": "bears", "by": by, "contact_id": contact(of)});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    told(nr, fact, body)
}

fn by_agent(nr: u128, fact: &str, of: u128, name: &str, more: Value) -> Message<Move> {
    asks(nr, fact, of, "agent", name, more)
}

fn by_supervisor(nr: u128, fact: &str, of: u128, more: Value) -> Message<Move> {
    asks(nr, fact, of, "supervisor", "ranger", more)
}

/// The offer that a transfer made.
fn handing(nr: u128) -> OfferId {
    OfferId(fact(nr).row("offer", 0))
}

async fn slots(pool: &Pool) -> String {
    let query = "select string_agg(id || ' ' || slots_used, ', ' order by id) from agents where slots_used > 0";
    column(pool, query).await.remove(0)
}

async fn contacts(pool: &Pool) -> Vec<String> {
    column(pool, "select state || coalesce(' ' || agent, '') from contacts order by caused_by").await
}

/// Since second 10: 1 active with papa (limit 1), 2 active with baby (limit 2).
async fn two_active(pool: &Pool) {
    den_with(pool, &["papa", "baby"]).await;
    recount::install(pool).await;
    active(pool, at(10), 1, MAIN).await;
    assert_eq!(active(pool, at(10), 2, RUSH).await.as_str(), "baby");
}

/// … and mama (limit 2) and goldilocks (limit 1) are available.
async fn with_others(pool: &Pool) {
    two_active(pool).await;
    moved(pool, at(11), "mama", "available").await;
    moved(pool, at(11), "goldilocks", "available").await;
}

#[tokio::test]
async fn a_transfer_to_a_skill_keeps_time_and_priority_and_frees_the_slot() {
    let batch = [by_agent(100, "transfer.asked", 1, "papa", json!({"skill": "urgent", "note": "too hot"}))];
    let ran = run(20, two_active, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["entry.appended", "contact.moved", "contact.queued", "agent.freed"]);
    let note = the(&ran.outcomes[0], "entry.appended");
    assert_eq!((&note["kind"], &note["state"], &note["seq"]), (&json!("note"), &json!("posted"), &json!(2)));
    let queued = the(&ran.outcomes[0], "contact.queued");
    assert_eq!((&queued["skill"], &queued["queued_at"]), (&json!("urgent"), &json!(at(10))));
    let moved = the(&ran.outcomes[0], "contact.moved");
    assert_eq!((&moved["how"], &moved["from_agent"]), (&json!("transferred"), &json!("papa")));
    let pool = &ran.database.pool;
    assert_eq!(contacts(pool).await, ["queued", "active baby"]);
    assert_eq!(column(pool, "select priority from contacts where state = 'queued'").await, ["0"], "as before");
    assert_eq!(slots(pool).await, "baby 1");
    assert_eq!(column(pool, "select count(*) from sms").await, ["0"], "a note is never sent");
    let ended = format!("select end_reason from sessions where id = '{}'", session(1));
    assert_eq!(column(pool, &ended).await, ["transferred"], "nothing can expire while it waits");
}

#[tokio::test]
async fn a_transfer_to_an_agent_holds_both_slots_until_it_is_answered() {
    let batch = [by_agent(100, "transfer.asked", 1, "papa", json!({"agent": "mama", "note": "yours"}))];
    let ran = run(20, with_others, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["entry.appended", "offer.made", "offer.due"]);
    let made = the(&ran.outcomes[0], "offer.made");
    assert_eq!((&made["agent"], &made["from_agent"]), (&json!("mama"), &json!("papa")));
    assert_eq!(made["lapses_at"], json!(at(50)));
    let pool = &ran.database.pool;
    assert_eq!(contacts(pool).await, ["active papa", "active baby"], "the customer is served meanwhile");
    assert_eq!(slots(pool).await, "baby 1, mama 1, papa 1");
    let body = json!({"tenant": "bears", "agent": "mama", "offer_id": handing(100), "answer": "accept"});
    let accepted = handle(&Each(SettleOffer), pool, at(30), &[told(200, "offer.answered", body)]).await;
    let said = ["offer.settled", "contact.moved", "session.extended", "agent.freed"];
    assert_eq!(names(&accepted[0]), said);
    assert_eq!(the(&accepted[0], "session.extended")["deadline_at"], json!(at(7230)), "as at every accept");
    assert_eq!(the(&accepted[0], "agent.freed")["agent"], "papa");
    assert_eq!(contacts(pool).await, ["active mama", "active baby"]);
    assert_eq!(slots(pool).await, "baby 1, mama 1");
    let rooms = "select agent || ' ' || agents::text from rooms order by caused_by limit 1";
    assert_eq!(column(pool, rooms).await, ["mama {papa,mama}"]);
    let sessions = "select agent from sessions where ended_at is null order by agent";
    assert_eq!(column(pool, sessions).await, ["baby", "mama"], "the session went along");
}

#[tokio::test]
async fn a_refused_or_lapsed_transfer_leaves_everything_with_the_first_agent() {
    for (answer, outcome, second) in [("refuse", "refused", 30), ("", "lapsed", 50)] {
        let ran = run(20, with_others, &[by_agent(100, "transfer.asked", 1, "papa", json!({"agent": "mama"}))]).await;
        let pool = &ran.database.pool;
        let settling = if answer.is_empty() {
            told(
                200,
                "offer.due",
                json!({"cause_id": contact(1), "at": at(20), "tenant": "bears",
                                         "offer_id": handing(100), "due_at": at(50)}),
            )
        } else {
            let body = json!({"tenant": "bears", "agent": "mama", "offer_id": handing(100), "answer": answer});
            told(200, "offer.answered", body)
        };
        let settled = handle(&Each(SettleOffer), pool, at(second), &[settling]).await;
        assert_eq!(names(&settled[0]), ["offer.settled"]);
        let told = the(&settled[0], "offer.settled");
        assert_eq!((&told["outcome"], &told["from_agent"]), (&json!(outcome), &json!("papa")), "who is told so");
        assert_eq!(contacts(pool).await, ["active papa", "active baby"]);
        assert_eq!(slots(pool).await, "baby 1, papa 1");
    }
}

#[tokio::test]
async fn a_transfer_is_refused_with_its_reason() {
    let to = |agent: &str| json!({"agent": agent});
    let batch = [
        by_agent(100, "transfer.asked", 1, "baby", to("mama")),
        by_agent(101, "transfer.asked", 1, "papa", json!({"skill": "nothing"})),
        by_agent(102, "transfer.asked", 1, "papa", json!({"skill": "chat"})),
        by_agent(103, "transfer.asked", 1, "papa", json!({})),
        by_agent(104, "transfer.asked", 1, "papa", to("papa")),
        by_agent(105, "transfer.asked", 1, "papa", to("fox")),
        by_agent(106, "transfer.asked", 1, "papa", to("goldilocks")),
        by_agent(107, "transfer.asked", 9, "papa", to("mama")),
        by_agent(108, "transfer.asked", 2, "baby", to("papa")),
        by_agent(109, "transfer.asked", 1, "papa", json!({"agent": "mama", "note": "x".repeat(10_001)})),
        asks(110, "transfer.asked", 1, "customer", "+15550100100", to("mama")),
    ];
    let ran = run(20, two_active, &batch).await;
    let refused: Vec<String> = ran.outcomes.iter().map(refusal).collect();
    let expected = [
        "not_a_member",
        "not_found",
        "wrong_channel",
        "no_target",
        "already_held",
        "unknown_agent",
        "agent_unavailable",
        "not_found",
        "no_free_slot",
        "text_length",
        "not_allowed",
    ];
    assert_eq!(refused, expected);
    assert_eq!(contacts(&ran.database.pool).await, ["active papa", "active baby"]);
}

#[tokio::test]
async fn a_contact_of_another_tenant_is_not_there() {
    let foreign = |nr, fact: &str| {
        let by = json!({"kind": "supervisor", "name": "fox"});
        told(nr, fact, json!({"tenant": "foxes", "by": by, "contact_id": contact(1), "agent": "fox", "skill": null}))
    };
    let batch: Vec<Message<Move>> =
        [(100, "transfer.asked"), (101, "park.asked"), (102, "unpark.asked"), (103, "takeover.asked")]
            .into_iter()
            .map(|(nr, fact)| foreign(nr, fact))
            .collect();
    let ran = run(20, two_active, &batch).await;
    assert!(ran.outcomes.iter().all(|outcome| refusal(outcome) == "not_found"));
}

#[tokio::test]
async fn parking_frees_the_slot_and_keeps_room_and_timer() {
    let batch = [
        by_agent(100, "park.asked", 1, "baby", json!({})),
        by_agent(101, "park.asked", 1, "papa", json!({"note": "waits for the carpenter"})),
        by_agent(102, "park.asked", 1, "papa", json!({})),
        by_agent(103, "unpark.asked", 2, "baby", json!({})),
    ];
    let ran = run(20, two_active, &batch).await;
    assert_eq!(refusal(&ran.outcomes[0]), "not_a_member");
    assert_eq!(names(&ran.outcomes[1]), ["entry.appended", "contact.moved", "agent.freed"]);
    assert_eq!((refusal(&ran.outcomes[2]).as_str(), refusal(&ran.outcomes[3]).as_str()), ("not_active", "not_parked"));
    let pool = &ran.database.pool;
    assert_eq!(contacts(pool).await, ["parked", "active baby"]);
    assert_eq!(slots(pool).await, "baby 1");
    let room =
        "select r.agent || ' ' || (s.deadline_at - s.started_at) from rooms r join sessions s on s.room_id = r.id
        where s.ended_at is null order by r.caused_by limit 1";
    assert_eq!(column(pool, room).await, ["papa 02:00:00"], "timer and room are kept");
}

/// 1 is parked by papa since second 15.
async fn one_parked(pool: &Pool) {
    two_active(pool).await;
    handle(&Each(MoveContact), pool, at(15), &[by_agent(90, "park.asked", 1, "papa", json!({}))]).await;
    assert_eq!(contacts(pool).await, ["parked", "active baby"]);
}

#[tokio::test]
async fn a_parked_contact_is_taken_back_by_who_parked_it_with_a_slot() {
    let batch =
        [by_agent(100, "unpark.asked", 1, "baby", json!({})), by_agent(101, "unpark.asked", 1, "papa", json!({}))];
    let ran = run(20, one_parked, &batch).await;
    assert_eq!(refusal(&ran.outcomes[0]), "not_a_member");
    assert_eq!(the(&ran.outcomes[1], "contact.moved")["how"], "unparked");
    let pool = &ran.database.pool;
    assert_eq!(contacts(pool).await, ["active papa", "active baby"]);
    assert_eq!(slots(pool).await, "baby 1, papa 1");
    let full = async |pool: &Pool| {
        one_parked(pool).await;
        active(pool, at(16), 3, MAIN).await;
    };
    let ran = run(20, full, &[by_agent(100, "unpark.asked", 1, "papa", json!({}))]).await;
    assert_eq!(refusal(&ran.outcomes[0]), "no_free_slot");
    let out = async |pool: &Pool| {
        one_parked(pool).await;
        moved(pool, at(16), "papa", "logged_out").await;
    };
    let ran = run(20, out, &[by_agent(100, "unpark.asked", 1, "papa", json!({}))]).await;
    assert_eq!(refusal(&ran.outcomes[0]), "logged_out");
}

#[tokio::test]
async fn what_is_past_its_deadline_expires_instead_of_moving() {
    let expired = ["session.expired", "room.closed", "contact.closed", "command.refused"];
    let alone = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        recount::install(pool).await;
        active(pool, at(10), 1, MAIN).await;
        handle(&Each(MoveContact), pool, at(15), &[by_agent(90, "park.asked", 1, "papa", json!({}))]).await;
    };
    let ran = run(7210, alone, &[by_agent(100, "unpark.asked", 1, "papa", json!({}))]).await;
    assert_eq!(names(&ran.outcomes[0]), expired);
    assert_eq!(refusal(&ran.outcomes[0]), "session_expired");
    let handed = async |pool: &Pool| {
        with_others(pool).await;
        let ask = by_agent(90, "transfer.asked", 2, "baby", json!({"agent": "mama"}));
        handle(&Each(MoveContact), pool, at(65), &[ask]).await;
    };
    let ran = run(70, handed, &[by_agent(100, "park.asked", 2, "baby", json!({}))]).await;
    assert_eq!(names(&ran.outcomes[0])[..2], ["offer.settled", "session.expired"], "the offer goes with it");
    assert_eq!(slots(&ran.database.pool).await, "papa 1");
}

#[tokio::test]
async fn a_supervisor_takes_over_in_any_state_and_only_a_supervisor() {
    let set_up = async |pool: &Pool| {
        with_others(pool).await;
        handle(&Each(MoveContact), pool, at(15), &[by_agent(90, "park.asked", 2, "baby", json!({}))]).await;
        assert_eq!(offered(pool, at(16), 3, MAIN).await.as_str(), "goldilocks");
        moved(pool, at(17), "mama", "unavailable").await;
        queued(pool, at(18), 4, MAIN).await;
    };
    for (of, to, former) in [(1, "mama", "papa"), (2, "mama", "baby"), (3, "baby", ""), (4, "mama", "")] {
        let batch = [
            by_agent(100, "takeover.asked", of, "papa", json!({"agent": to})),
            by_supervisor(101, "takeover.asked", of, json!({"agent": to, "note": "mine"})),
            by_supervisor(102, "takeover.asked", of, json!({"agent": to})),
        ];
        let ran = run(20, set_up, &batch).await;
        assert_eq!(refusal(&ran.outcomes[0]), "not_allowed");
        let moved = the(&ran.outcomes[1], "contact.moved");
        assert_eq!((&moved["how"], &moved["agent"]), (&json!("taken_over"), &json!(to)));
        assert_eq!(moved["from_agent"].as_str().unwrap_or_default(), former);
        assert_eq!(refusal(&ran.outcomes[2]), "already_held");
        let pool = &ran.database.pool;
        let one = format!(
            "select c.state || ' ' || c.agent || ' ' || r.agent || ' ' || s.agent from contacts c
             join rooms r on r.id = c.room_id join sessions s on s.room_id = r.id and s.ended_at is null
             where c.id = '{}'",
            contact(of)
        );
        assert_eq!(column(pool, &one).await, [format!("active {to} {to} {to}")]);
    }
}

#[tokio::test]
async fn a_takeover_frees_the_former_agent_and_rescinds_what_was_offered() {
    let set_up = async |pool: &Pool| {
        with_others(pool).await;
        let ask = by_agent(90, "transfer.asked", 1, "papa", json!({"agent": "mama"}));
        handle(&Each(MoveContact), pool, at(15), &[ask]).await;
    };
    let ran = run(20, set_up, &[by_supervisor(100, "takeover.asked", 1, json!({"agent": "goldilocks"}))]).await;
    let said = ["offer.settled", "contact.moved", "session.extended", "agent.freed"];
    assert_eq!(names(&ran.outcomes[0]), said);
    assert_eq!(the(&ran.outcomes[0], "offer.settled")["outcome"], "rescinded");
    assert_eq!(slots(&ran.database.pool).await, "baby 1, goldilocks 1");
    // to whom it is offered already: the offer's slot is the contact's
    let ran = run(20, set_up, &[by_supervisor(100, "takeover.asked", 1, json!({"agent": "mama"}))]).await;
    assert_eq!(the(&ran.outcomes[0], "offer.settled")["outcome"], "accepted");
    assert_eq!(slots(&ran.database.pool).await, "baby 1, mama 1");
    let ran = run(
        20,
        set_up,
        &[
            by_supervisor(100, "takeover.asked", 1, json!({"agent": "baby"})),
            by_supervisor(101, "takeover.asked", 2, json!({"agent": "papa"})),
            by_supervisor(102, "takeover.asked", 1, json!({})),
        ],
    )
    .await;
    assert_eq!(the(&ran.outcomes[1], "contact.moved")["from_agent"], "baby", "papa has a slot again");
    assert_eq!(refusal(&ran.outcomes[2]), "unknown_agent", "the supervisor's own name is none");
}

#[tokio::test]
async fn a_supervisor_moves_what_waits_or_is_offered() {
    let set_up = async |pool: &Pool| {
        two_active(pool).await;
        moved(pool, at(11), "mama", "available").await;
        assert_eq!(offered(pool, at(12), 3, MAIN).await.as_str(), "mama");
        assert_eq!(offered(pool, at(13), 4, MAIN).await.as_str(), "mama");
    };
    let batch = [
        by_supervisor(100, "transfer.asked", 3, json!({"agent": "baby"})),
        by_supervisor(101, "transfer.asked", 4, json!({"skill": "urgent"})),
    ];
    let ran = run(20, set_up, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["offer.settled", "offer.made", "offer.due"]);
    assert_eq!(names(&ran.outcomes[1]), ["contact.moved", "offer.settled", "contact.queued"]);
    let pool = &ran.database.pool;
    assert_eq!(contacts(pool).await[2..], ["offered baby", "queued"]);
    assert_eq!(slots(pool).await, "baby 2, papa 1");
}

#[tokio::test]
async fn transfers_that_race_for_the_last_slot_never_pass_the_limit() {
    let ran = run(
        20,
        with_others,
        &[
            by_agent(100, "transfer.asked", 1, "papa", json!({"agent": "goldilocks"})),
            by_agent(101, "transfer.asked", 2, "baby", json!({"agent": "goldilocks"})),
        ],
    )
    .await;
    assert_eq!(names(&ran.outcomes[0]), ["offer.made", "offer.due"]);
    assert_eq!(refusal(&ran.outcomes[1]), "no_free_slot");
}

#[tokio::test]
async fn what_was_said_before_a_transfer_is_said_the_same_again_after_it() {
    let ran = run(20, two_active, &[by_agent(100, "transfer.asked", 1, "papa", json!({"skill": "urgent"}))]).await;
    let pool = &ran.database.pool;
    let repeat = crate::rehearsal::text(1, &crate::rehearsal::customer(1), MAIN, "hello", at(10));
    let again = handle(&crate::receive_sms::ReceiveSms, pool, at(30), &[repeat]).await;
    assert_eq!(the(&again[0], "contact.queued")["skill"], "sms");
    let asked = crate::support::trial::said(&again[0]).into_iter().find(|p| p.fact == "contact.queued").unwrap();
    let offered =
        handle(&crate::route_contact::RouteContact, pool, at(30), &[crate::support::trial::heard(&asked)]).await;
    let made = the(&offered[0], "offer.made");
    assert_eq!((&made["skill"], &made["agent"]), (&json!("sms"), &json!("papa")));
}

#[tokio::test]
async fn an_accept_and_a_takeover_that_race_leave_one_holder() {
    let ran = run(20, with_others, &[by_agent(100, "transfer.asked", 1, "papa", json!({"agent": "mama"}))]).await;
    let pool = &ran.database.pool;
    let body = json!({"tenant": "bears", "agent": "mama", "offer_id": handing(100), "answer": "accept"});
    let accept = [told(200, "offer.answered", body)];
    let take = [by_supervisor(201, "takeover.asked", 1, json!({"agent": "goldilocks"}))];
    let (settle, moves) = (Each(SettleOffer), Each(MoveContact));
    let raced = tokio::join!(attempt(&settle, pool, at(30), &accept), attempt(&moves, pool, at(30), &take));
    if raced.0.is_err() {
        handle(&settle, pool, at(31), &accept).await;
    }
    if raced.1.is_err() {
        handle(&moves, pool, at(31), &take).await;
    }
    assert_eq!(contacts(pool).await[0], "active goldilocks", "the supervisor's word is the last");
    assert_eq!(slots(pool).await, "baby 1, goldilocks 1");
}
