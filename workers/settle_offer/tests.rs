//! On a migrated database, every way through the harness: who wins an offer, who is refused, and what lapses.

use deadpool_postgres::Pool;
use serde_json::json;

use super::*;
use crate::rehearsal::{accepting, column, contact, den_with, lines, offer, offered, queued, session};
use crate::support::den::MAIN;
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{Ran, attempt, names, refusal, said, the, told, trial};
use texthub::runtime::single::Each;

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Settling>]) -> Ran {
    trial(&Each(SettleOffer), at(now), &[], set_up, batch).await
}

/// Text 1 is offered to papa at second 10, until 40.
async fn one_offer(pool: &Pool) {
    den_with(pool, &["papa"]).await;
    recount::install(pool).await;
    offered(pool, at(10), 1, MAIN).await;
}

/// Texts 1 and 2 are offered to mama at seconds 10 and 11.
async fn two_offers(pool: &Pool) {
    den_with(pool, &["mama"]).await;
    recount::install(pool).await;
    offered(pool, at(10), 1, MAIN).await;
    offered(pool, at(11), 2, MAIN).await;
}

fn answers(nr: u128, agent: &str, of: u128, answer: &str) -> Message<Settling> {
    let body = json!({"tenant": "bears", "agent": agent, "offer_id": offer(of, "sms"), "answer": answer});
    told(nr, "offer.answered", body)
}

fn due(nr: u128, of: u128, second: i64) -> Message<Settling> {
    let body = json!({"cause_id": offer(of, "sms"), "at": at(10), "tenant": "bears", "offer_id": offer(of, "sms"),
                      "due_at": at(second)});
    told(nr, "offer.due", body)
}

#[tokio::test]
async fn the_first_accept_starts_the_session_and_nobody_disturbs_it() {
    let foreign = json!({"tenant": "foxes", "agent": "papa", "offer_id": offer(1, "sms"), "answer": "accept"});
    let batch = [
        answers(100, "mama", 1, "accept"),
        told(101, "offer.answered", foreign),
        answers(102, "papa", 9, "accept"),
        answers(accepting(1), "papa", 1, "accept"),
        answers(104, "papa", 1, "accept"),
        answers(105, "papa", 1, "refuse"),
        due(106, 1, 40),
    ];
    let ran = run(20, one_offer, &batch).await;
    let refused: Vec<String> = [0, 1, 2, 4, 5].iter().map(|nth| refusal(&ran.outcomes[*nth])).collect();
    assert_eq!(refused, ["not_your_offer", "not_found", "not_found", "offer_gone", "offer_gone"]);
    assert_eq!(names(&ran.outcomes[3]), ["offer.settled", "session.started", "session.due"]);
    assert_eq!(names(&ran.outcomes[6]), [""; 0], "a settled offer cannot lapse");
    let started = the(&ran.outcomes[3], "session.started");
    assert_eq!((&started["session_id"], &started["deadline_at"]), (&json!(session(1)), &json!(at(7220))));
    let timer = the(&ran.outcomes[3], "session.due");
    assert_eq!((&timer["generation"], said(&ran.outcomes[3])[2].due), (&json!(1), Some(at(7220))));
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select state || ' ' || agent from contacts").await, ["active papa"]);
    assert_eq!(column(pool, "select agent || agents::text from rooms").await, ["papa{papa}"]);
    assert_eq!(column(pool, "select slots_used from agents where id = 'papa'").await, ["1"], "held from the offer on");
}

#[tokio::test]
async fn a_refused_contact_goes_back_to_its_place_in_the_queue() {
    let batch = [answers(100, "papa", 1, "refuse")];
    let ran = run(20, one_offer, &batch).await;
    let settled = the(&ran.outcomes[0], "offer.settled");
    assert_eq!((&settled["outcome"], &settled["reason"]), (&json!("refused"), &json!("refused")));
    let pool = &ran.database.pool;
    let time = at(10).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let contacts = lines(pool, "select state, priority, queued_at, agent from contacts").await;
    assert_eq!(contacts, json!([{"state": "queued", "priority": 0, "queued_at": time, "agent": null}]));
    assert_eq!(column(pool, "select slots_used from agents where id = 'papa'").await, ["0"]);
    assert_eq!(column(pool, "select agent from ready_agents where skill = 'sms'").await, ["papa"]);
}

#[tokio::test]
async fn a_timer_that_comes_early_is_armed_again_and_one_in_time_lapses_the_offer() {
    let early = run(39, one_offer, &[due(100, 1, 39)]).await;
    assert_eq!(names(&early.outcomes[0]), ["offer.due"]);
    assert_eq!(said(&early.outcomes[0])[0].due, Some(at(40)), "for the deadline of the row");
    let lapsed = run(40, one_offer, &[due(100, 1, 40), due(101, 1, 40)]).await;
    assert_eq!(the(&lapsed.outcomes[0], "offer.settled")["outcome"], "lapsed");
    assert_eq!(names(&lapsed.outcomes[1]), [""; 0]);
    let pool = &lapsed.database.pool;
    assert_eq!(column(pool, "select misses from agents where id = 'papa'").await, ["1"]);
    assert_eq!(column(pool, "select state from contacts").await, ["queued"]);
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_refused_even_before_the_timer_came() {
    let ran = run(40, one_offer, &[answers(100, "papa", 1, "accept"), due(101, 1, 40)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["offer.settled", "command.refused"]);
    assert_eq!((refusal(&ran.outcomes[0]).as_str(), names(&ran.outcomes[1]).len()), ("offer_gone", 0));
    assert_eq!(column(&ran.database.pool, "select state from offers").await, ["lapsed"]);
}

#[tokio::test]
async fn the_third_miss_in_a_row_makes_unavailable_and_returns_the_other_offers() {
    let set_up = async |pool: &Pool| {
        two_offers(pool).await;
        pool.get().await.unwrap().batch_execute("update agents set misses = 2 where id = 'mama'").await.unwrap();
    };
    let ran = run(41, set_up, &[due(100, 1, 40), due(101, 2, 41)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["offer.settled", "offer.settled", "agent.changed"]);
    assert_eq!(names(&ran.outcomes[1]), [""; 0], "rescinded before it could lapse");
    let ids: std::collections::HashSet<_> = said(&ran.outcomes[0]).iter().map(|p| p.id).collect();
    assert_eq!(ids.len(), 3, "facts of one cause have ids of their own");
    let changed = the(&ran.outcomes[0], "agent.changed");
    assert_eq!((&changed["state"], &changed["code"]), (&json!("unavailable"), &json!("missed_offers")));
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select state from offers order by made_at").await, ["lapsed", "rescinded"]);
    assert_eq!(column(pool, "select slots_used from agents where id = 'mama'").await, ["0"]);
    assert_eq!(column(pool, "select count(*) from ready_agents").await, ["0"]);
}

/// As [`two_offers`], of a skill whose maximum wait of both is over at second 31. A contact of it goes on to `urgent`.
async fn offered_past_the_maximum(pool: &Pool) {
    two_offers(pool).await;
    let longest = "update agents set misses = 2 where id = 'mama';
        update skills set max_wait_s = 20, max_wait_text = 'Sorry', overflow_skill = 'urgent'
        where tenant = 'bears' and id = 'sms'";
    pool.get().await.unwrap().batch_execute(longest).await.unwrap();
}

#[tokio::test]
async fn past_its_maximum_a_wait_ends_with_the_offer_that_comes_to_nothing() {
    let early = run(29, offered_past_the_maximum, &[answers(100, "mama", 1, "refuse")]).await;
    assert_eq!(names(&early.outcomes[0]), ["offer.settled"]);
    let over = ["offer.settled", "entry.appended", "sms.requested", "contact.moved", "contact.queued"];
    let batch = [answers(100, "mama", 1, "refuse"), answers(accepting(2), "mama", 2, "accept")];
    let ran = run(31, offered_past_the_maximum, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), over, "before it can be offered again");
    assert_eq!(the(&ran.outcomes[0], "contact.moved")["reason"], "waited_too_long");
    assert_eq!(the(&ran.outcomes[0], "contact.queued")["skill"], "urgent");
    assert_eq!(names(&ran.outcomes[1])[0], "offer.settled", "an accept is never too late for it");
    let ran = run(41, offered_past_the_maximum, &[due(100, 1, 40), due(101, 2, 41)]).await;
    assert_eq!(names(&ran.outcomes[0]), [&over[..], &over[..], &["agent.changed"]].concat(), "lapsed, and rescinded");
    let ids: std::collections::HashSet<_> = said(&ran.outcomes[0]).iter().map(|p| p.id).collect();
    assert_eq!(ids.len(), 11, "facts of one cause have ids of their own");
    assert_eq!(column(&ran.database.pool, "select count(*) from entries where author = 'hub'").await, ["2"]);
    let nowhere_to_go = async |pool: &Pool| {
        offered_past_the_maximum(pool).await;
        let ended = "update skills set overflow_skill = null, max_wait_text = null where id = 'sms';
            update agents set misses = 0 where id = 'mama'";
        pool.get().await.unwrap().batch_execute(ended).await.unwrap();
    };
    let ran = run(40, nowhere_to_go, &[answers(100, "mama", 1, "accept"), due(101, 1, 40)]).await;
    let said = names(&ran.outcomes[0]);
    assert_eq!(said[..3], ["offer.settled", "room.closed", "contact.closed"], "an answer that came too late");
    assert_eq!(said.last().unwrap(), "command.refused");
    let closed = the(&ran.outcomes[0], "contact.closed");
    assert_eq!((&closed["outcome"], &closed["reason"]), (&json!("abandoned"), &json!("waited_too_long")));
}

#[tokio::test]
async fn an_accept_between_misses_begins_them_anew() {
    let set_up = async |pool: &Pool| {
        two_offers(pool).await;
        pool.get().await.unwrap().batch_execute("update agents set misses = 2 where id = 'mama'").await.unwrap();
    };
    let ran = run(20, set_up, &[answers(accepting(1), "mama", 1, "accept")]).await;
    assert_eq!(column(&ran.database.pool, "select misses from agents where id = 'mama'").await, ["0"]);
}

#[tokio::test]
async fn of_answers_that_race_exactly_one_wins() {
    for round in 0..10 {
        let database = crate::support::database::Database::new().await;
        let pool = &database.pool;
        one_offer(pool).await;
        queued(pool, at(11), 2, MAIN).await;
        let say = |nr, word| {
            let batch = [answers(nr, "papa", 1, word)];
            async move { attempt(&Each(SettleOffer), pool, at(20), &batch).await.unwrap().remove(0) }
        };
        let came = tokio::join!(say(100, "accept"), say(101, "refuse"), say(102, "accept"));
        let refused = [&came.0, &came.1, &came.2].iter().filter(|o| names(o) == ["command.refused"]).count();
        assert_eq!(refused, 2, "round {round}");
        assert_eq!(crate::support::trial::breaches(pool, at(20)).await, [""; 0]);
        let _ = contact(1);
    }
}
