//! On a migrated database, every way through the harness: who gets whom, that no limit is passed, and what wakes a skill.

use deadpool_postgres::Pool;
use serde_json::{Value, json};

use super::*;
use crate::rehearsal::{active, column, contact, den_with, fact, lines, moved, offer, offered, queued, waits};
use crate::settle_offer::SettleOffer;
use crate::support::den::MAIN;
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{Ran, attempt, handle, names, redelivered, said, the, told, trial};
use texthub::runtime::single::Each;

pub(super) async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Matchable>]) -> Ran {
    trial(&RouteContact, at(now), &[], set_up, batch).await
}

/// The texts 1 … n wait for the skill `sms`, a second apart from second 10 on.
pub(super) async fn waiting(pool: &Pool, n: i64) {
    for nr in 1..=n {
        queued(pool, at(10 + nr), u128::try_from(nr).unwrap(), MAIN).await;
    }
}

/// (contact's number, agent) of pending offers, in the order of the contacts.
pub(super) async fn pairs(pool: &Pool, numbers: &[u128]) -> Vec<(u128, String)> {
    let rows = lines(pool, "select contact_id, agent from offers where state = 'pending'").await;
    let of = |nr: &u128| rows.as_array().unwrap().iter().find(|row| row["contact_id"] == json!(contact(*nr)));
    numbers.iter().filter_map(|nr| of(nr).map(|row| (*nr, row["agent"].as_str().unwrap().to_owned()))).collect()
}

pub(super) fn met(pairs: &[(u128, &str)]) -> Vec<(u128, String)> {
    pairs.iter().map(|(nr, agent)| (*nr, (*agent).to_owned())).collect()
}

#[tokio::test]
async fn the_first_in_priority_then_time_meets_the_best_then_longest_idle() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["goldilocks", "mama", "papa"]).await;
        waiting(pool, 4).await;
        let first = format!("update contacts set priority = 9 where id = '{}'", contact(3));
        pool.get().await.unwrap().batch_execute(&first).await.unwrap();
    };
    let ran = run(100, set_up, &[waits(101, 1, "sms", at(100)), waits(102, 2, "sms", at(100))]).await;
    let expected = [(3, "papa"), (1, "goldilocks"), (2, "mama"), (4, "mama")];
    assert_eq!(pairs(&ran.database.pool, &[3, 1, 2, 4]).await, met(&expected));
    let facts = names(&ran.outcomes[0]);
    assert_eq!((facts.len(), &facts[..2]), (8, &["offer.made".to_owned(), "offer.due".to_owned()][..]));
    assert_eq!(names(&ran.outcomes[1]), [""; 0], "the first ask of a skill in a batch asks for all of it");
    let made = lines(&ran.database.pool, "select made_at, lapses_at from offers limit 1").await;
    let time = |second| at(second).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    assert_eq!(made, json!([{"made_at": time(100), "lapses_at": time(130)}]));
    let due: Vec<_> = said(&ran.outcomes[0]).into_iter().filter(|p| p.fact == "offer.due").map(|p| p.due).collect();
    assert_eq!(due, [Some(at(130)); 4]);
}

#[tokio::test]
async fn nobody_gets_more_than_the_limit_and_who_waits_stays_silent() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa", "mama"]).await;
        recount::install(pool).await;
        waiting(pool, 6).await;
    };
    let batch: Vec<Message<Matchable>> = (1..=6).map(|nr| waits(100 + nr, nr, "sms", at(100))).collect();
    let ran = run(100, set_up, &batch).await;
    let pool = &ran.database.pool;
    assert_eq!(pairs(pool, &[1, 2, 3, 4, 5, 6]).await, met(&[(1, "papa"), (2, "mama"), (3, "mama")]));
    assert_eq!(column(pool, "select slots_used from agents where slots_used > 0 order by id").await, ["2", "1"]);
    assert_eq!(column(pool, "select agent from ready_agents").await, [""; 0]);
    let more = handle(&RouteContact, pool, at(101), &[waits(200, 4, "sms", at(101))]).await;
    assert_eq!(more, [Outcome::silent()]);
}

/// Answers the offer of a text.
async fn answer(pool: &Pool, second: i64, nr: u128, agent: &str, answer: &str) {
    let body = json!({"tenant": "bears", "agent": agent, "offer_id": offer(nr, "sms"), "answer": answer});
    handle(&Each(SettleOffer), pool, at(second), &[told(nr + 500, "offer.answered", body)]).await;
}

#[tokio::test]
async fn who_refused_a_contact_does_not_get_it_again_at_once() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        offered(pool, at(10), 1, MAIN).await;
        answer(pool, 20, 1, "papa", "refuse").await;
    };
    let alone = run(49, set_up, &[waits(101, 1, "sms", at(49))]).await;
    assert_eq!(names(&alone.outcomes[0]), [""; 0], "a cool-down of 30 seconds");
    let later = run(50, set_up, &[waits(101, 1, "sms", at(50))]).await;
    let made = the(&later.outcomes[0], "offer.made");
    assert_eq!((&made["agent"], &made["queued_at"]), (&json!("papa"), &json!(at(10))), "with its original time");
    let set_up = async |pool: &Pool| {
        set_up(pool).await;
        moved(pool, at(21), "baby", "available").await;
        queued(pool, at(22), 2, MAIN).await;
    };
    let beside = run(49, set_up, &[waits(101, 1, "sms", at(49))]).await;
    assert_eq!(pairs(&beside.database.pool, &[1, 2]).await, met(&[(1, "baby"), (2, "papa")]));
}

#[tokio::test]
async fn a_preferred_agent_comes_first_while_free() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa", "baby"]).await;
        waiting(pool, 3).await;
        let prefers = "update contacts set preferred_agent = 'baby'";
        pool.get().await.unwrap().batch_execute(prefers).await.unwrap();
    };
    let ran = run(100, set_up, &[waits(101, 1, "sms", at(100))]).await;
    assert_eq!(pairs(&ran.database.pool, &[1, 2, 3]).await, met(&[(1, "baby"), (2, "baby"), (3, "papa")]));
}

#[tokio::test]
async fn each_event_lets_its_skill_be_matched() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["mama"]).await;
        waiting(pool, 1).await;
        let asked = format!("update skills set asked_id = '{}', asked_at = '{}' where id = 'sms'", fact(101), at(90));
        pool.get().await.unwrap().batch_execute(&asked).await.unwrap();
    };
    let cause = |mut body: Value| {
        body["cause_id"] = json!(fact(1));
        body["at"] = json!(at(99));
        body["tenant"] = json!("bears");
        body
    };
    let agent = |state| cause(json!({"agent": "mama", "state": state, "slots_used": 0, "limit": 2}));
    let settled = |agent: &str, of| {
        cause(json!({"offer_id": offer(9, "sms"), "contact_id": contact(of), "agent": agent, "outcome": "lapsed",
                     "reason": "x"}))
    };
    for (fact, body, finds) in [
        ("skill.due", cause(json!({"skill": "sms"})), true),
        ("skill.due", cause(json!({"skill": "chat"})), false),
        ("agent.freed", agent("available"), true),
        ("agent.changed", agent("available"), true),
        ("agent.changed", agent("unavailable"), false),
        ("offer.settled", settled("papa", 1), true),
        ("offer.settled", settled("mama", 9), true),
    ] {
        let ran = run(100, set_up, &[told(101, fact, body.clone())]).await;
        let expected: &[&str] = if finds { &["offer.made", "offer.due"] } else { &[] };
        assert_eq!(names(&ran.outcomes[0]), expected, "{fact} {body}");
        let asked =
            column(&ran.database.pool, "select asked_id is null from skills where id = 'sms' and tenant = 'bears'");
        assert_eq!(asked.await, [(fact == "skill.due" && finds).to_string()], "an ask is answered: {fact}");
    }
}

#[tokio::test]
async fn a_repeat_says_the_offers_it_made_even_when_they_are_settled() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa", "goldilocks"]).await;
        waiting(pool, 3).await;
    };
    let batch = [waits(101, 1, "sms", at(100))];
    let ran = run(100, set_up, &batch).await;
    let pool = &ran.database.pool;
    let accepting = said(&ran.outcomes[0])[0].clone();
    let made: Value = serde_json::from_slice(&accepting.body).unwrap();
    let body = json!({"tenant": "bears", "agent": made["agent"], "offer_id": made["offer_id"], "answer": "refuse"});
    handle(&Each(SettleOffer), pool, at(110), &[told(500, "offer.answered", body)]).await;
    let again = handle(&RouteContact, pool, at(111), &redelivered(&batch)).await;
    assert_eq!(again, ran.outcomes, "and makes no others");
}

#[tokio::test]
async fn matchers_side_by_side_share_without_passing_a_limit() {
    let database = crate::support::database::Database::new().await;
    let pool = &database.pool;
    den_with(pool, &["papa", "mama", "baby"]).await;
    recount::install(pool).await;
    active(pool, at(9), 77, MAIN).await;
    waiting(pool, 8).await;
    let ask =
        |nr: u128| async move { attempt(&RouteContact, pool, at(100), &[waits(100 + nr, nr, "sms", at(100))]).await };
    let came = tokio::join!(ask(1), ask(2), ask(3), ask(4));
    for came in [came.0, came.1, came.2, came.3] {
        came.expect("what somebody else holds is passed over");
    }
    handle(&RouteContact, pool, at(101), &[waits(105, 5, "sms", at(101))]).await;
    assert_eq!(column(pool, "select count(*) from offers where state = 'pending'").await, ["4"]);
    assert_eq!(crate::support::trial::breaches(pool, at(101)).await, [""; 0]);
}
