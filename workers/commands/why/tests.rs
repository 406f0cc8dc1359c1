//! On a migrated database: the order is the matcher's, every reason is told, and who has a contact in each state.

use deadpool_postgres::Pool;
use serde_json::{Value, json};
use texthub::routing::waiting;

use super::*;
use crate::rehearsal::{active, contact, den_with, ended, moved, offer, offered, queued};
use crate::settle_offer::SettleOffer;
use crate::support::database::Database;
use crate::support::den::MAIN;
use crate::support::fixtures::{at, slug};
use crate::support::trial::{handle, told as fact};
use texthub::runtime::single::Each;

async fn why_of(pool: &Pool, second: i64, nr: u128) -> Answer {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    why::of_contact(&tx, at(second), contact(nr)).await.unwrap().unwrap()
}

async fn set(pool: &Pool, sql: &str) {
    pool.get().await.unwrap().batch_execute(sql).await.unwrap();
}

fn reasons(answer: &Answer) -> Vec<(String, String)> {
    let agents = &answer.queue.as_ref().unwrap().agents;
    let word = |judged: &Judged| judged.why_not.as_ref().map_or("eligible".into(), |why| why.sentence(answer.at));
    agents.iter().map(|judged| (judged.agent.to_string(), word(judged))).collect()
}

#[tokio::test]
async fn a_waiting_contact_has_its_place_and_every_agent_a_reason() {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &["papa", "mama", "baby"]).await;
    assert_eq!(offered(pool, at(10), 1, MAIN).await, slug("papa"));
    let refuse = json!({"tenant": "bears", "agent": "papa", "offer_id": offer(1, "sms"), "answer": "refuse"});
    handle(&Each(SettleOffer), pool, at(20), &[fact(501, "offer.answered", refuse)]).await;
    moved(pool, at(21), "mama", "unavailable").await;
    set(
        pool,
        "update skills set widening = '[{\"after_s\": 0, \"worst\": 2}, {\"after_s\": 60, \"worst\": 20}]' where id = 'sms'",
    )
    .await;
    queued(pool, at(22), 2, MAIN).await;
    let first = why_of(pool, 32, 1).await;
    let queue = first.queue.as_ref().unwrap();
    assert_eq!((queue.place, queue.waiting, first.state.as_str()), (1, 2, "queued"));
    let expected = [
        ("papa", format!("cool_down: refused 12 s ago, until {}", at(50))),
        ("goldilocks", "logged_out".to_owned()),
        ("mama", "unavailable".to_owned()),
        ("baby", format!("out_of_range: proficiency 3 outside 1..2 until it widens at {}", at(70))),
    ];
    assert_eq!(reasons(&first), expected.map(|(agent, why)| (agent.to_owned(), why)));
    let second = why_of(pool, 32, 2).await;
    assert_eq!(second.queue.as_ref().unwrap().place, 2);
    assert_eq!(reasons(&second)[0], ("papa".to_owned(), "eligible".to_owned()));
    let past = &first.offers[0];
    assert_eq!((past.agent.as_str(), past.state.as_str(), past.proficiency), ("papa", "refused", Some(1)));
    assert_eq!((past.why.as_deref(), past.idle_since), (Some("best_proficiency"), Some(at(1))));
    let words = told(&first);
    assert!(words.contains("place 1 of 2") && words.contains("best_proficiency: proficiency 1, idle 9 s"), "{words}");
    let data: Value = serde_json::to_value(&first).unwrap();
    assert_eq!(data["queue"]["agents"][0]["why_not"], "cool_down");
    assert_eq!(
        data["queue"]["agents"][1],
        json!({"agent": "goldilocks", "proficiency": 2, "eligible": false, "why_not": "logged_out"})
    );
}

#[tokio::test]
async fn a_full_a_leaving_and_a_preferred_agent_are_told() {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &["papa", "mama", "baby"]).await;
    assert_eq!(active(pool, at(10), 1, MAIN).await, slug("papa"));
    assert_eq!(active(pool, at(11), 2, MAIN).await, slug("mama"));
    set(pool, "update agents set next_state = 'logged_out' where id = 'mama'").await;
    queued(pool, at(12), 3, MAIN).await;
    let hold = format!(
        "update contacts set preferred_agent = 'papa', flow_hold_until = '{}' where id = '{}'",
        at(40),
        contact(3)
    );
    set(pool, &hold).await;
    let held = why_of(pool, 20, 3).await;
    let of = |answer: &Answer, agent: &str| reasons(answer).into_iter().find(|(who, _)| who == agent).unwrap().1;
    assert_eq!(of(&held, "papa"), "no_free_slot: slots 1/1");
    assert_eq!(of(&held, "mama"), "leaving: logged_out when the last contact is over");
    assert_eq!(of(&held, "baby"), format!("held for papa until {}", at(40)));
    assert_eq!(of(&why_of(pool, 40, 3).await, "baby"), "eligible");
}

#[tokio::test]
async fn every_state_tells_in_whose_hands_it_is() {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &["papa", "mama", "baby"]).await;
    ended(pool, at(10), 1, MAIN).await;
    active(pool, at(11), 2, MAIN).await;
    offered(pool, at(12), 3, MAIN).await;
    let stands = async |nr| {
        let answer = why_of(pool, 20, nr).await;
        assert!(answer.queue.is_none());
        (answer.state.clone(), answer.agent.map(|a| a.to_string()), answer.since, answer.until)
    };
    assert_eq!(stands(1).await, ("wrap_up".into(), Some("papa".into()), Some(at(10)), Some(at(40))));
    assert_eq!(stands(2).await, ("active".into(), Some("mama".into()), Some(at(11)), None));
    assert_eq!(stands(3).await, ("offered".into(), Some("mama".into()), Some(at(12)), Some(at(42))));
    let nobody = async {
        let mut client = pool.get().await.unwrap();
        why::of_contact(&client.transaction().await.unwrap(), at(20), contact(99)).await.unwrap()
    };
    assert!(nobody.await.is_none());
}

#[tokio::test]
async fn the_place_is_the_matcher_s_order() {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &[]).await;
    let mut chance = fastrand::Rng::with_seed(crate::support::trial::seed().unwrap_or(7));
    for nr in 1..=40 {
        queued(pool, at(i64::try_from(nr).unwrap()), nr, MAIN).await;
        set(pool, &format!("update contacts set priority = {} where id = '{}'", chance.i32(0..4), contact(nr))).await;
    }
    for (per_min, most) in [(0, 1000), (3, 1000), (60, 5)] {
        set(pool, &format!("update skills set priority_per_min = {per_min}, priority_max = {most}")).await;
        let mut client = pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let (tenant, skill) = (slug("bears"), slug("sms"));
        let order = waiting::next(&tx, at(100), (&tenant, &skill), 1000).await.unwrap();
        assert_eq!(order.len(), 40);
        for (place, next) in (1..).zip(&order) {
            let found = waiting::place(&tx, at(100), (&tenant, &skill), next.waiting.id).await.unwrap().unwrap();
            assert_eq!((found.place, found.waiting), (place, 40), "{per_min} a minute");
        }
    }
}
