//! What users of other contact centers miss (`docs/complaints.md`), where no worker alone can show it.

use std::collections::BTreeSet;

use deadpool_postgres::Pool;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use texthub::facts::envelope::{Decode, Message, Publication};
use texthub::failure::Failure;
use texthub::runtime::single::Each;
use texthub::runtime::worker::{Context, Outcome, Pass, Worker};

use super::{active, column, contact, customer, den_with, ended, fact, moved, queued, text};
use crate::move_contact::MoveContact;
use crate::post_reply::PostReply;
use crate::receive_sms::ReceiveSms;
use crate::reconcile::Sweep;
use crate::route_contact::{Matchable, RouteContact};
use crate::support::database::Database;
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{attempt, body, breaches, handle, heard, said, told};
use crate::track_agent::TrackAgent;
use crate::wrap_up::WrapUp;

/// As the runner: what met others is tried again.
async fn play<W: Worker>(worker: &W, pool: &Pool, now: Timestamp, message: Message<W::Fact>) -> Vec<Publication> {
    for _ in 0..20 {
        match attempt(worker, pool, now, std::slice::from_ref(&message)).await {
            Ok(outcomes) => return outcomes.iter().flat_map(said).collect(),
            Err(Failure::Retry(_)) => {}
            Err(failure) => panic!("{}: {failure}", W::NAME),
        }
    }
    panic!("{} met others twenty times", W::NAME);
}

/// The matchers hear what was said; whom they offer to whom: (contact, agent).
async fn matched(pool: &Pool, now: Timestamp, said_before: &[Publication]) -> Vec<(Value, Value)> {
    let asks = said_before.iter().filter(|p| <Matchable as Decode>::FACTS.contains(&p.fact.as_ref()));
    let asks: Vec<Message<Matchable>> = asks.map(heard).collect();
    let outcomes = handle(&RouteContact, pool, now, &asks).await;
    let made = outcomes.iter().flat_map(said).filter(|p| p.fact == "offer.made").map(|p| body(&p));
    made.map(|offer| (offer["contact_id"].clone(), offer["agent"].clone())).collect()
}

fn of_outcomes(outcomes: &[Outcome]) -> Vec<Publication> {
    outcomes.iter().flat_map(said).collect()
}

fn asked(by: &str, name: &str, of: u128, more: Value) -> Value {
    let mut body = json!({"tenant": "bears", "by": {"kind": by, "name": name}, "contact_id": contact(of)});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    body
}

/// One of goldilocks' (limit 1) is parked, papa and baby work one each, and one waits.
async fn all_want_goldilocks() -> Database {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &["goldilocks"]).await;
    recount::install(pool).await;
    assert_eq!(active(pool, at(10), 1, MAIN).await.as_str(), "goldilocks");
    let park = told(90, "park.asked", asked("agent", "goldilocks", 1, json!({})));
    handle(&Each(MoveContact), pool, at(11), &[park]).await;
    moved(pool, at(12), "papa", "available").await;
    assert_eq!(active(pool, at(13), 2, MAIN).await.as_str(), "papa");
    moved(pool, at(14), "baby", "available").await;
    assert_eq!(active(pool, at(15), 4, RUSH).await.as_str(), "baby");
    moved(pool, at(16), "baby", "unavailable").await;
    queued(pool, at(17), 3, MAIN).await;
    database
}

#[tokio::test]
async fn every_way_to_a_contact_shares_the_one_limit_whatever_is_racing() {
    for round in 0..5 {
        let database = all_want_goldilocks().await;
        let (pool, now) = (&database.pool, at(20));
        let moves = |nr, fact: &'static str, body| play(&Each(MoveContact), pool, now, told(nr, fact, body));
        let outreach = json!({"tenant": "bears", "agent": "goldilocks", "to": customer(9), "text": "hi",
                              "our_number": MAIN, "written_at": now});
        let offer = super::waits(100 + round, 3, "sms", now);
        tokio::join!(
            play(&RouteContact, pool, now, offer),
            moves(201, "unpark.asked", asked("agent", "goldilocks", 1, json!({}))),
            moves(202, "transfer.asked", asked("agent", "papa", 2, json!({"agent": "goldilocks"}))),
            moves(203, "takeover.asked", asked("supervisor", "ranger", 4, json!({"agent": "goldilocks"}))),
            play(&PostReply, pool, now, told(204, "outreach.written", outreach)),
        );
        let slots = "select slots_used from agents where id = 'goldilocks'";
        assert_eq!(column(pool, slots).await, ["1"], "one of five has the slot");
        let held = "select (select count(*) from offers where agent = 'goldilocks' and state = 'pending')
            + (select count(*) from contacts where agent = 'goldilocks' and state = 'active')";
        assert_eq!(column(pool, held).await, ["1"]);
        // a takeover frees baby, and the matcher has not heard of that
        let broken = breaches(pool, now).await;
        assert!(broken.iter().all(|b| b.starts_with("nobody_waits_beside")), "{broken:?}");
    }
}

#[tokio::test]
async fn a_freed_slot_goes_at_once_to_who_waits_longest_however_it_was_freed() {
    for way in ["end", "forced end", "end of wrap-up", "park", "transfer"] {
        let database = Database::new().await;
        let pool = &database.pool;
        den_with(pool, &["papa"]).await;
        recount::install(pool).await;
        active(pool, at(10), 1, MAIN).await;
        // ids and times in opposite orders
        queued(pool, at(11), 3, MAIN).await;
        queued(pool, at(12), 2, MAIN).await;
        let end = |by: &str, name: &str, disposition: Option<&str>| {
            let body = asked(by, name, 1, json!({"reason": "done", "disposition": disposition}));
            told(100, "contact.ended", body)
        };
        let (over, moves) = (Each(WrapUp), Each(MoveContact));
        let said_then = match way {
            "end" => handle(&over, pool, at(50), &[end("agent", "papa", Some("solved"))]).await,
            "forced end" => handle(&over, pool, at(50), &[end("supervisor", "ranger", Some("solved"))]).await,
            "end of wrap-up" => {
                handle(&over, pool, at(20), &[end("agent", "papa", None)]).await;
                let due = json!({"cause_id": fact(100), "at": at(20), "tenant": "bears", "contact_id": contact(1),
                                 "due_at": at(50)});
                handle(&over, pool, at(50), &[told(101, "wrap_up.due", due)]).await
            }
            "park" => {
                handle(&moves, pool, at(50), &[told(100, "park.asked", asked("agent", "papa", 1, json!({})))]).await
            }
            _ => {
                let body = asked("agent", "papa", 1, json!({"skill": "urgent"}));
                handle(&moves, pool, at(50), &[told(100, "transfer.asked", body)]).await
            }
        };
        let offers = matched(pool, at(50), &of_outcomes(&said_then)).await;
        assert_eq!(offers, [(json!(contact(3)), json!("papa"))], "{way}");
        assert_eq!(breaches(pool, at(50)).await, [""; 0], "{way}");
    }
}

#[tokio::test]
async fn who_writes_after_the_end_is_served_by_who_is_there_and_not_kept_for_who_is_off_duty() {
    for second in [20, 60] {
        let database = Database::new().await;
        let pool = &database.pool;
        den_with(pool, &["papa"]).await;
        ended(pool, at(10), 1, MAIN).await;
        moved(pool, at(12), "papa", "logged_out").await;
        moved(pool, at(12), "goldilocks", "available").await;
        if second == 60 {
            let due = json!({"cause_id": fact(1), "at": at(20), "tenant": "bears", "contact_id": contact(1),
                             "due_at": at(40)});
            handle(&Each(WrapUp), pool, at(40), &[told(101, "wrap_up.due", due)]).await;
        }
        let more = text(11, &customer(1), MAIN, "one more thing", at(second));
        let came = handle(&ReceiveSms, pool, at(second), &[more]).await;
        let offers = matched(pool, at(second), &of_outcomes(&came)).await;
        assert_eq!(offers, [(json!(contact(11)), json!("goldilocks"))], "at second {second}");
    }
}

#[tokio::test]
async fn who_writes_while_nobody_is_there_waits_and_meets_the_first_who_comes() {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &[]).await;
    for nr in [2, 1] {
        let came = queued(pool, at(12 - i64::try_from(nr).unwrap()), nr, MAIN).await;
        assert_eq!(matched(pool, at(13), &said(&came)).await, []);
    }
    let comes = json!({"tenant": "bears", "agent": "papa", "state": "available", "moved_at": at(3_000)});
    let came = handle(&Each(TrackAgent), pool, at(3_000), &[told(100, "agent.moved", comes)]).await;
    let offers = matched(pool, at(3_000), &of_outcomes(&came)).await;
    assert_eq!(offers, [(json!(contact(2)), json!("papa"))], "2 wrote first");
    assert_eq!(column(pool, "select count(*) from entries").await, ["2"]);
}

#[tokio::test]
async fn a_burst_of_first_texts_is_one_room_with_one_contact() {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &[]).await;
    let texts = (1..=24).map(|nr| play(&ReceiveSms, pool, at(10), text(nr, &customer(1), MAIN, "hi", at(10))));
    join_all(texts).await;
    let counts =
        "select (select count(*) from rooms) || ' ' || (select count(*) from contacts) || ' ' || count(*) || ' '
        || max(seq) from entries";
    assert_eq!(column(pool, counts).await, ["1 1 24 24"]);
}

#[tokio::test]
async fn a_thousand_sessions_that_end_at_once_are_said_a_page_at_a_time_and_each_once() {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &[]).await;
    let many = format!(
        "create function nth(n bigint) returns uuid language sql as
           $$ select ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
         insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, caused_by)
         select nth(n), 'bears', 'sms', '{MAIN}', '+1555' || (7000000 + n), 'main', '{begin}', nth(n)
         from generate_series(1, 1200) n;
         insert into sessions (id, tenant, room_id, contact_id, agent, started_at, timeout_s, deadline_at, timer_due_at)
         select nth(n), 'bears', nth(n), nth(n), 'papa', '{begin}', 60, '{end}', '{end}' from generate_series(1, 1200) n",
        begin = at(0),
        end = at(60),
    );
    pool.get().await.unwrap().batch_execute(&many).await.unwrap();
    let (sweep, mut sizes, mut sessions) = (Sweep::default(), Vec::new(), BTreeSet::new());
    for second in [100, 105, 110, 115] {
        let mut client = pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let round = sweep.round(&tx, &Context { now: at(second) }).await.unwrap();
        tx.commit().await.unwrap();
        let due: Vec<String> = round
            .iter()
            .filter(|p| p.fact == "session.due")
            .map(|p| body(p)["session_id"].as_str().unwrap().to_owned())
            .collect();
        sizes.push(due.len());
        sessions.extend(due);
    }
    assert_eq!(sizes, [500, 500, 200, 0]);
    assert_eq!(sessions.len(), 1_200);
}
