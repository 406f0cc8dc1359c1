//! On a migrated database: what a pass finds and says, that it decides nothing, and that it does not ask twice.

use deadpool_postgres::Pool;
use serde_json::{Value, json};
use texthub::flow::store;
use texthub::runtime::single::Each;

use super::*;
use crate::post_reply::PostReply;
use crate::rehearsal::{active, column, contact, den_with, ended, moved, offer, offered, queued, room, session};
use crate::route_contact::RouteContact;
use crate::settle_offer::SettleOffer;
use crate::support::database::Database;
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::trial::{body, handle, heard, told};
use crate::track_agent::TrackAgent;

async fn round<P: Pass>(pass: &P, pool: &Pool, second: i64) -> Vec<Publication> {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let said = pass.round(&tx, &Context { now: at(second) }).await.unwrap();
    tx.commit().await.unwrap();
    said
}

fn facts(said: &[Publication]) -> Vec<&str> {
    said.iter().map(|p| p.fact.as_ref()).collect()
}

async fn staged(agents: &[&str]) -> Database {
    let database = Database::new().await;
    den_with(&database.pool, agents).await;
    database
}

#[tokio::test]
async fn the_matcher_asks_for_skills_with_waiting_contacts_and_ready_agents_and_awaits_the_answer() {
    let database = staged(&["mama"]).await;
    let pool = &database.pool;
    for nr in 1..=3 {
        queued(pool, at(10), nr, MAIN).await;
    }
    queued(pool, at(10), 4, RUSH).await;
    let asked = round(&Match, pool, 20).await;
    assert_eq!(facts(&asked), ["skill.due"], "for urgent nobody is ready, for chat nobody waits");
    assert_eq!(body(&asked[0])["skill"], "sms");
    assert_eq!(facts(&round(&Match, pool, 21).await), [""; 0], "not while the ask is unhandled");
    handle(&RouteContact, pool, at(22), &[heard(&asked[0])]).await;
    assert_eq!(facts(&round(&Match, pool, 23).await), [""; 0], "mama has all she can take");
    let made = column(pool, "select id from offers order by ordinal limit 1").await;
    let refuse = json!({"tenant": "bears", "agent": "mama", "offer_id": made[0], "answer": "refuse"});
    handle(&Each(SettleOffer), pool, at(24), &[told(100, "offer.answered", refuse)]).await;
    let again = round(&Match, pool, 25).await;
    assert_eq!(facts(&again), ["skill.due"]);
    assert_ne!(again[0].id, asked[0].id, "an ask of its own");
}

#[tokio::test]
async fn an_ask_that_was_lost_is_made_again() {
    let database = staged(&["mama"]).await;
    queued(&database.pool, at(10), 1, MAIN).await;
    assert_eq!(facts(&round(&Match, &database.pool, 20).await).len(), 1);
    assert_eq!(facts(&round(&Match, &database.pool, 25).await).len(), 0);
    assert_eq!(facts(&round(&Match, &database.pool, 26).await).len(), 1);
}

#[tokio::test]
async fn an_overdue_session_is_said_with_its_generation_and_put_off() {
    let sweep = Sweep::default();
    let database = staged(&["papa"]).await;
    let pool = &database.pool;
    active(pool, at(10), 1, RUSH).await;
    assert_eq!(facts(&round(&sweep, pool, 85).await), [""; 0], "due at 70, and 15 seconds for the timer to come");
    let said = round(&sweep, pool, 86).await;
    assert_eq!(facts(&said), ["session.due"]);
    assert_eq!((&body(&said[0])["generation"], said[0].due), (&json!(1), None), "to be heard at once");
    assert_eq!(body(&said[0])["session_id"], json!(session(1)));
    assert_ne!(
        said[0].id,
        FactId(session(1).0).derive("session.due", 1),
        "which may still come, with its own due time"
    );
    assert_eq!(facts(&round(&sweep, pool, 91).await), [""; 0]);
    handle(&crate::expire_session::ExpireSession, pool, at(95), &[heard(&said[0])]).await;
    assert_eq!(column(pool, "select end_reason from sessions").await, ["expired"]);
}

#[tokio::test]
async fn offers_wrap_ups_and_leases_whose_timers_were_lost_are_said_again() {
    let sweep = Sweep::default();
    let database = staged(&["papa", "goldilocks", "mama"]).await;
    let pool = &database.pool;
    assert_eq!(ended(pool, at(10), 1, MAIN).await.as_str(), "papa");
    assert_eq!(offered(pool, at(11), 2, MAIN).await.as_str(), "goldilocks");
    let seen = json!({"tenant": "bears", "agents": ["mama"], "until": at(42)});
    handle(&Each(TrackAgent), pool, at(12), &[told(100, "agent.seen", seen)]).await;
    assert_eq!(facts(&round(&sweep, pool, 340).await), [""; 0]);
    let said = round(&sweep, pool, 343).await;
    assert_eq!(facts(&said), ["offer.due", "wrap_up.due", "agent.due"]);
    let about: Vec<Value> =
        ["offer_id", "contact_id", "agent"].iter().zip(&said).map(|(field, p)| body(p)[field].clone()).collect();
    assert_eq!(about, [json!(offer(2, "sms")), json!(contact(1)), json!("mama")]);
    assert_eq!(facts(&round(&sweep, pool, 344).await), [""; 0], "not over and over");
    let anew = Sweep::default();
    assert_eq!(facts(&round(&anew, pool, 344).await), facts(&said), "it decides nothing");
    handle(&Each(SettleOffer), pool, at(345), &[heard(&said[0])]).await;
    handle(&Each(crate::wrap_up::WrapUp), pool, at(345), &[heard(&said[1])]).await;
    handle(&Each(TrackAgent), pool, at(345), &[heard(&said[2])]).await;
    assert_eq!(facts(&round(&Sweep::default(), pool, 346).await), [""; 0], "but the workers do");
    assert_eq!(column(pool, "select state from contacts order by caused_by").await, ["closed", "queued"]);
    assert_eq!(column(pool, "select state from agents where id = 'mama'").await, ["logged_out"]);
}

#[tokio::test]
async fn whoever_waits_past_the_maximum_is_said_to_be_due() {
    let sweep = Sweep::default();
    let database = staged(&[]).await;
    queued(&database.pool, at(10), 1, RUSH).await;
    assert_eq!(facts(&round(&sweep, &database.pool, 610).await), [""; 0]);
    let said = round(&sweep, &database.pool, 611).await;
    assert_eq!((facts(&said), &body(&said[0])["contact_id"]), (vec!["contact.due"], &json!(contact(1))));
    assert_eq!(facts(&round(&sweep, &database.pool, 640).await), [""; 0]);
    let again = round(&sweep, &database.pool, 641).await;
    assert_eq!(facts(&again), ["contact.due"], "the first one may have met an offer that lapsed since");
}

#[tokio::test]
async fn who_waits_beside_a_free_agent_is_counted_and_asked_for_whatever_became_of_the_matcher() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _counted = metrics::set_default_local_recorder(&recorder);
    let gauge = |skill: &str| {
        let name = format!("texthub_waiting_beside_free{{tenant=\"bears\",skill=\"{skill}\"}} ");
        let all = recorder.handle().render();
        all.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned)).expect("it is there")
    };
    let (sweep, database) = (Sweep::default(), staged(&["papa"]).await);
    let pool = &database.pool;
    queued(pool, at(10), 1, MAIN).await;
    queued(pool, at(10), 2, RUSH).await;
    // only mama may have it yet; its ask was lost, and no matcher runs
    let held =
        format!("update contacts set preferred_agent = 'mama', flow_hold_until = '{}' where skill = 'urgent'", at(60));
    pool.get().await.unwrap().batch_execute(&held).await.unwrap();
    assert_eq!((facts(&round(&sweep, pool, 21).await), gauge("sms").as_str()), (vec![], "0"), "it may be under way");
    let said = round(&sweep, pool, 26).await;
    assert_eq!((facts(&said), &body(&said[0])["skill"]), (vec!["skill.due"], &json!("sms")));
    assert_eq!((gauge("sms").as_str(), gauge("urgent").as_str(), gauge("chat").as_str()), ("1", "0", "0"));
    assert_eq!(facts(&round(&sweep, pool, 31).await), [""; 0], "it does not ask each time");
    handle(&RouteContact, pool, at(32), &[heard(&said[0])]).await;
    round(&sweep, pool, 36).await;
    assert_eq!(gauge("sms"), "0");
    // refused: the cool-down stands between them, and then nothing does
    let offer = column(pool, "select id from offers").await.remove(0);
    let refuse = json!({"tenant": "bears", "agent": "papa", "offer_id": offer, "answer": "refuse"});
    handle(&Each(SettleOffer), pool, at(40), &[told(100, "offer.answered", refuse)]).await;
    for (second, beside) in [(60, "0"), (65, "0"), (82, "0"), (87, "2")] {
        round(&sweep, pool, second).await;
        let both: u32 = [gauge("sms"), gauge("urgent")].iter().map(|n| n.parse::<u32>().unwrap()).sum();
        assert_eq!(both.to_string(), beside, "at second {second}");
    }
}

#[tokio::test]
async fn a_text_that_waits_to_be_sent_is_requested_anew_once_a_minute() {
    let sweep = Sweep::default();
    let database = staged(&["papa"]).await;
    let pool = &database.pool;
    active(pool, at(10), 1, MAIN).await;
    let reply = json!({"tenant": "bears", "agent": "papa", "room_id": room(1), "text": "hello", "written_at": at(20)});
    handle(&PostReply, pool, at(20), &[told(100, "reply.written", reply)]).await;
    assert_eq!(facts(&round(&sweep, pool, 80).await), [""; 0]);
    let said = round(&sweep, pool, 81).await;
    let about = body(&said[0]);
    assert_eq!(
        (facts(&said), &about["text"], &about["carrier"]),
        (vec!["sms.requested"], &json!("hello"), &json!("simulator"))
    );
    assert_eq!(facts(&round(&sweep, pool, 82).await), [""; 0]);
    assert_eq!(facts(&round(&sweep, pool, 142).await), ["sms.requested"]);
    moved(pool, at(143), "papa", "unavailable").await;
}

#[tokio::test]
async fn flows_that_nothing_leads_on_are_led_on() {
    let database = staged(&[]).await;
    let pool = &database.pool;
    let document = json!({"name": "x", "start": "ask", "nodes": {
        "ask": {"type": "ask", "text": "?", "timeout_s": 60, "otherwise": "end", "timed_out": "end"}, "end": {"type": "end"}}});
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let slug = |text| Slug::new(text).unwrap();
    store::publish(&tx, at(0), &slug("bears"), &slug("x"), &document, None).await.unwrap();
    tx.batch_execute("update points_of_contact set flow = 'x' where id = 'main'").await.unwrap();
    tx.commit().await.unwrap();
    queued(pool, at(10), 1, MAIN).await;
    let sweep = Sweep::default();
    assert_eq!(facts(&round(&sweep, pool, 20).await), [""; 0]);
    let never_began = round(&sweep, pool, 30).await;
    assert_eq!(facts(&never_began), ["flow.texted"]);
    assert_eq!(facts(&round(&sweep, pool, 31).await), [""; 0], "asked for already");
    let flows = Each(crate::run_flow::RunFlow::default());
    let begun = handle(&flows, pool, at(32), &[heard(&never_began[0])]).await;
    assert_eq!(crate::support::trial::names(&begun[0]), ["entry.appended", "sms.requested", "flow.due"]);
    let texts = "update sms set state = 'delivered'";
    pool.get().await.unwrap().batch_execute(texts).await.unwrap();
    assert_eq!(facts(&round(&sweep, pool, 100).await), [""; 0], "its timer may still come");
    let late = round(&sweep, pool, 110).await;
    assert_eq!(facts(&late), ["flow.due"]);
    assert_eq!((&body(&late[0])["generation"], &body(&late[0])["contact_id"]), (&json!(1), &json!(contact(1))));
    let ended = handle(&flows, pool, at(111), &[heard(&late[0])]).await;
    assert!(crate::support::trial::names(&ended[0]).contains(&"contact.closed".to_owned()));
}
