//! On a migrated database, every way through the harness: moves, leases, and what becomes of a vanished agent's work.

use deadpool_postgres::Pool;
use serde_json::{Value, json};

use super::*;
use crate::rehearsal::{active, column, contact, den_with, lines, offered, session};
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{Ran, handle, names, refusal, said, the, told, trial};
use texthub::runtime::single::Each;

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Tracked>]) -> Ran {
    trial(&Each(TrackAgent), at(now), &[], set_up, batch).await
}

fn moves(nr: u128, agent: &str, state: &str, second: i64, more: Value) -> Message<Tracked> {
    let mut body = json!({"tenant": "bears", "agent": agent, "state": state, "moved_at": at(second)});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    told(nr, "agent.moved", body)
}

fn seen(nr: u128, agents: &[&str], until: i64) -> Message<Tracked> {
    told(nr, "agent.seen", json!({"tenant": "bears", "agents": agents, "until": at(until)}))
}

fn due(nr: u128, agent: &str, second: i64) -> Message<Tracked> {
    let body = json!({"cause_id": contact(1), "at": at(1), "tenant": "bears", "agent": agent, "due_at": at(second)});
    told(nr, "agent.due", body)
}

async fn states(pool: &Pool, agents: &str) -> Vec<String> {
    let query = format!("select state || coalesce(' ' || code, '') from agents where id in ({agents}) order by id");
    column(pool, &query).await
}

#[tokio::test]
async fn the_newest_move_decides_whatever_the_order() {
    let batch = [
        moves(100, "papa", "unavailable", 15, json!({"code": "lunch"})),
        moves(101, "papa", "available", 14, json!({})),
        moves(102, "mama", "available", 900, json!({})),
        moves(103, "nobody", "available", 15, json!({})),
    ];
    let set_up = async |pool: &Pool| den_with(pool, &["papa"]).await;
    let ran = run(20, set_up, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["agent.changed"]);
    assert_eq!(names(&ran.outcomes[1]), [""; 0], "older, so it loses");
    assert_eq!(refusal(&ran.outcomes[3]), "unknown_agent");
    let pool = &ran.database.pool;
    assert_eq!(states(pool, "'papa', 'mama'").await, ["available", "unavailable lunch"]);
    let ready = "select agent || ' ' || skill from ready_agents order by 1";
    assert_eq!(column(pool, ready).await, ["mama chat", "mama sms"]);
    let next = handle(&Each(TrackAgent), pool, at(30), &[moves(200, "mama", "unavailable", 30, json!({}))]).await;
    assert_eq!(names(&next[0]), ["agent.changed"], "a clock that was ahead does not block the next move");
}

/// papa is offered text 1 and mama text 2; baby is active with text 3.
async fn at_work(pool: &Pool) {
    den_with(pool, &["papa", "mama", "baby"]).await;
    recount::install(pool).await;
    active(pool, at(10), 3, RUSH).await;
    assert_eq!(offered(pool, at(11), 1, MAIN).await.as_str(), "papa");
    assert_eq!(offered(pool, at(12), 2, MAIN).await.as_str(), "mama");
}

#[tokio::test]
async fn becoming_unavailable_returns_offers_and_keeps_live_contacts() {
    let batch = [
        moves(100, "papa", "unavailable", 20, json!({})),
        moves(101, "baby", "unavailable", 20, json!({})),
        moves(102, "mama", "available", 20, json!({})),
    ];
    let ran = run(20, at_work, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["offer.settled", "agent.changed"]);
    assert_eq!(the(&ran.outcomes[0], "offer.settled")["outcome"], "rescinded");
    assert_eq!(the(&ran.outcomes[0], "agent.changed")["slots_used"], 0);
    assert_eq!(names(&ran.outcomes[1]), ["agent.changed"]);
    let pool = &ran.database.pool;
    let contacts = column(pool, "select state from contacts order by caused_by").await;
    assert_eq!(contacts, ["queued", "offered", "active"], "an offer to who stays available is left alone");
    let time = at(11).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let queued = lines(pool, "select queued_at from contacts where state = 'queued'").await;
    assert_eq!(queued, json!([{"queued_at": time}]), "in its old place");
}

#[tokio::test]
async fn a_lease_begins_when_an_agent_is_seen_and_is_renewed_without_a_new_timer() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa", "mama"]).await;
        handle(&Each(TrackAgent), pool, at(5), &[seen(90, &["papa"], 65)]).await;
    };
    let ran = run(20, set_up, &[seen(100, &["baby", "mama", "nobody", "papa"], 80), seen(101, &["papa"], 70)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["agent.due"], "the logged out and the unknown have none, papa has one");
    let timer = the(&ran.outcomes[0], "agent.due");
    assert_eq!((&timer["agent"], said(&ran.outcomes[0])[0].due), (&json!("mama"), Some(at(80))));
    assert_eq!(names(&ran.outcomes[1]), [""; 0]);
    let pool = &ran.database.pool;
    let leases =
        lines(pool, "select id, lease_until, timer_due_at from agents where lease_until is not null order by id");
    let time = |second| at(second).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let expected = json!([{"id": "mama", "lease_until": time(80), "timer_due_at": time(80)},
                          {"id": "papa", "lease_until": time(80), "timer_due_at": time(65)}]);
    assert_eq!(leases.await, expected, "never shortened");
    let early = handle(&Each(TrackAgent), pool, at(65), &[due(200, "papa", 65)]).await;
    assert_eq!((names(&early[0]), said(&early[0])[0].due), (vec!["agent.due".to_owned()], Some(at(80))));
    let stale = handle(&Each(TrackAgent), pool, at(81), &[due(201, "papa", 65)]).await;
    assert_eq!(names(&stale[0]), [""; 0], "another timer counts");
}

#[tokio::test]
async fn a_move_without_a_lease_of_its_own_does_not_end_the_one_there_is() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa", "mama"]).await;
        handle(&Each(TrackAgent), pool, at(5), &[seen(90, &["papa", "mama"], 65)]).await;
    };
    let batch = [moves(100, "papa", "unavailable", 20, json!({})), moves(101, "mama", "logged_out", 20, json!({}))];
    let ran = run(20, set_up, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["agent.changed", "agent.due"]);
    assert_eq!(said(&ran.outcomes[0])[1].due, Some(at(65)), "papa may still vanish");
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select lease_until from agents where id = 'mama'").await, ["-"]);
    let late = handle(&Each(TrackAgent), pool, at(65), &[due(200, "papa", 65)]).await;
    assert_eq!(names(&late[0]), ["agent.changed", "agent.due"]);
    assert_eq!(states(pool, "'papa'").await, ["logged_out vanished"]);
    let after = handle(&Each(TrackAgent), pool, at(70), &[moves(201, "papa", "available", 70, json!({}))]).await;
    assert_eq!(names(&after[0]), ["agent.changed"], "one that is over does not begin again");
}

/// As [`at_work`], everybody with a lease until second 60.
async fn leased(pool: &Pool) {
    at_work(pool).await;
    handle(&Each(TrackAgent), pool, at(13), &[seen(90, &["papa", "mama", "baby"], 60)]).await;
}

#[tokio::test]
async fn whoever_is_silent_past_the_lease_has_vanished_and_offers_return_at_once() {
    let ran = run(60, leased, &[due(100, "papa", 60), due(101, "baby", 60), due(102, "papa", 60)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["offer.settled", "agent.changed", "agent.due"]);
    assert_eq!(said(&ran.outcomes[0])[2].due, Some(at(180)), "the grace of 120 seconds");
    assert_eq!(names(&ran.outcomes[1]), ["agent.changed", "agent.due"]);
    assert_eq!(names(&ran.outcomes[2]), [""; 0]);
    let pool = &ran.database.pool;
    assert_eq!(states(pool, "'papa', 'baby'").await, ["logged_out vanished", "logged_out vanished"]);
    assert_eq!(column(pool, "select state from contacts order by caused_by").await, ["queued", "offered", "active"]);
}

#[tokio::test]
async fn after_the_grace_rooms_queue_again_with_their_history() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        recount::install(pool).await;
        active(pool, at(10), 1, MAIN).await;
        handle(&Each(TrackAgent), pool, at(13), &[seen(90, &["papa"], 60)]).await;
        handle(&Each(TrackAgent), pool, at(60), &[due(91, "papa", 60)]).await;
    };
    let early = run(179, set_up, &[due(100, "papa", 180)]).await;
    assert_eq!(names(&early.outcomes[0]), ["agent.due"]);
    let ran = run(180, set_up, &[due(100, "papa", 180)]).await;
    let queued = the(&ran.outcomes[0], "contact.queued");
    assert_eq!((&queued["contact_id"], &queued["queued_at"]), (&json!(contact(1)), &json!(at(10))));
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select state || coalesce(agent, ' nobody') from contacts").await, ["queued nobody"]);
    assert_eq!(column(pool, "select agent || agents::text from rooms where closed_at is null").await, ["-"]);
    assert_eq!(column(pool, "select agents from rooms").await, ["{papa}"], "who worked it is kept");
    let ended = format!("select end_reason from sessions where id = '{}'", session(1));
    assert_eq!(column(pool, &ended).await, ["requeued"]);
    assert_eq!(column(pool, "select slots_used from agents where id = 'papa'").await, ["0"]);
}

#[tokio::test]
async fn who_comes_back_within_the_grace_keeps_the_rooms() {
    let set_up = async |pool: &Pool| {
        leased(pool).await;
        handle(&Each(TrackAgent), pool, at(60), &[due(91, "baby", 60)]).await;
        handle(&Each(TrackAgent), pool, at(100), &[moves(92, "baby", "available", 100, json!({"until": at(160)}))])
            .await;
    };
    let ran = run(180, set_up, &[due(100, "baby", 180)]).await;
    assert_eq!(names(&ran.outcomes[0]), [""; 0], "the timer of the grace is stale");
    assert_eq!(column(&ran.database.pool, "select agent from contacts where state = 'active'").await, ["baby"]);
    let next = handle(&Each(TrackAgent), &ran.database.pool, at(181), &[due(101, "baby", 160)]).await;
    assert_eq!(names(&next[0])[0], "agent.changed", "that of the new lease is not");
}

#[tokio::test]
async fn logging_out_returns_offers_at_once_and_rooms_after_the_grace() {
    let ran = run(
        20,
        at_work,
        &[moves(100, "mama", "logged_out", 20, json!({})), moves(101, "baby", "logged_out", 20, json!({}))],
    )
    .await;
    assert_eq!(names(&ran.outcomes[0]), ["offer.settled", "agent.changed", "agent.due"]);
    assert_eq!(said(&ran.outcomes[1])[1].due, Some(at(140)));
    assert_eq!(column(&ran.database.pool, "select state from contacts where agent = 'baby'").await, ["active"]);
}

/// Baby ends text 3.
async fn ended(pool: &Pool, nr: u128, second: i64) -> Vec<texthub::runtime::worker::Outcome> {
    let body =
        json!({"tenant": "bears", "contact_id": contact(3), "by": {"kind": "agent", "name": "baby"}, "reason": "done"});
    handle(&Each(crate::wrap_up::WrapUp), pool, at(second), &[told(nr, "contact.ended", body)]).await
}

#[tokio::test]
async fn a_busy_agents_next_state_waits_for_the_last_slot_and_admits_nobody() {
    let batch = [
        moves(100, "baby", "logged_out", 20, json!({"when": "free"})),
        moves(101, "papa", "unavailable", 20, json!({"when": "free", "code": "lunch"})),
    ];
    let ran = run(20, at_work, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["agent.changed"]);
    let changed = the(&ran.outcomes[0], "agent.changed");
    assert_eq!((&changed["state"], &changed["next_state"]), (&json!("available"), &json!("logged_out")));
    assert_eq!(
        names(&ran.outcomes[1]),
        ["offer.settled", "agent.changed"],
        "with a pending offer alone nobody is busy"
    );
    let pool = &ran.database.pool;
    assert_eq!(states(pool, "'baby', 'papa'").await, ["available", "unavailable lunch"]);
    assert_eq!(column(pool, "select agent from ready_agents where agent = 'baby'").await, [""; 0]);
    let early = handle(&Each(TrackAgent), pool, at(21), &[due(200, "baby", 21)]).await;
    assert_eq!(names(&early[0]), [""; 0], "still busy");
    let over = ended(pool, 201, 30).await;
    assert_eq!(names(&over[0]), ["room.closed", "contact.closed", "agent.freed", "agent.due"]);
    let asked = crate::support::trial::heard(&said(&over[0])[3]);
    let turned = handle(&Each(TrackAgent), pool, at(30), &[asked]).await;
    assert_eq!(the(&turned[0], "agent.changed")["state"], "logged_out");
    assert_eq!(states(pool, "'baby'").await, ["logged_out"]);
}

#[tokio::test]
async fn who_becomes_available_again_has_no_next_state() {
    let set_up = async |pool: &Pool| {
        at_work(pool).await;
        handle(&Each(TrackAgent), pool, at(15), &[moves(90, "baby", "logged_out", 15, json!({"when": "free"}))]).await;
    };
    let ran = run(20, set_up, &[moves(100, "baby", "available", 20, json!({}))]).await;
    let pool = &ran.database.pool;
    assert_eq!(names(&ended(pool, 201, 30).await[0]), ["room.closed", "contact.closed", "agent.freed"]);
    assert_eq!(states(pool, "'baby'").await, ["available"]);
}

#[tokio::test]
async fn codes_are_the_tenants_and_who_is_unavailable_too_long_is_logged_out() {
    let set_up = async |pool: &Pool| {
        at_work(pool).await;
        let codes = "insert into codes (tenant, id, name, max_s) values ('bears', 'lunch', 'Lunch', 1800)";
        pool.get().await.unwrap().batch_execute(codes).await.unwrap();
    };
    let batch = [
        moves(100, "baby", "unavailable", 20, json!({"code": "napping"})),
        moves(101, "mama", "unavailable", 20, json!({"code": "lunch", "until": at(80)})),
        moves(102, "papa", "unavailable", 20, json!({"code": "lunch"})),
    ];
    let ran = run(20, set_up, &batch).await;
    assert_eq!(refusal(&ran.outcomes[0]), "unknown_code");
    let timers: Vec<_> = ran.outcomes[1..].iter().map(|outcome| said(outcome).pop().unwrap().due).collect();
    assert_eq!(timers, [Some(at(80)), Some(at(1820))], "the lease is the earlier one");
    let pool = &ran.database.pool;
    let begins = handle(&Each(TrackAgent), pool, at(30), &[seen(200, &["papa"], 90)]).await;
    assert_eq!(names(&begins[0]), ["agent.due"], "a lease that begins is watched before the end of lunch");
    let early = handle(&Each(TrackAgent), pool, at(60), &[seen(201, &["papa"], 4000), due(202, "papa", 90)]).await;
    assert_eq!(names(&early[1]), ["agent.due"]);
    assert_eq!(said(&early[1])[0].due, Some(at(1820)));
    let late = handle(&Each(TrackAgent), pool, at(1820), &[due(203, "papa", 1820)]).await;
    assert_eq!(names(&late[0]), ["agent.changed", "agent.due"]);
    assert_eq!(states(pool, "'papa'").await, ["logged_out unavailable_too_long"]);
}
