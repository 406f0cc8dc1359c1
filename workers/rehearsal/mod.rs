//! Workers play on a real database without a broker: facts as their producers say them, and short ways to a contact that
//! is queued, offered, active or in wrap-up, by the workers themselves. All ids follow from the numbers of the facts.

mod cast;
mod limits;
mod random;
mod simulated;
mod wishes;
mod world;

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde_json::{Value, json};
use texthub::facts::envelope::Message;
use texthub::facts::ids::{ContactId, FactId, OfferId, RoomId, SessionId, Slug};
use texthub::runtime::single::Each;
use texthub::runtime::worker::Outcome;
use uuid::Uuid;

use crate::receive_sms::{Inbound, ReceiveSms};
use crate::route_contact::{Matchable, RouteContact};
use crate::settle_offer::SettleOffer;
use crate::support::den::den;
use crate::support::trial::{handle, heard, said, told};
use crate::track_agent::TrackAgent;
use crate::wrap_up::WrapUp;

/// The fact of a number.
pub fn fact(nr: u128) -> FactId {
    FactId(Uuid::from_u128(nr))
}

/// The room that a text opened.
pub fn room(nr: u128) -> RoomId {
    RoomId(fact(nr).row("room", 0))
}

/// The contact that a text queued.
pub fn contact(nr: u128) -> ContactId {
    ContactId(fact(nr).row("contact", 0))
}

/// The offer that followed from a text alone.
pub fn offer(nr: u128, skill: &str) -> OfferId {
    OfferId(fact(nr).derive("contact.queued", 0).row(&format!("offer {skill}"), 0))
}

/// The number of the fact by which [`active`] accepts.
pub fn accepting(nr: u128) -> u128 {
    nr + 1_000_000
}

/// The session of a contact that [`active`] made.
pub fn session(nr: u128) -> SessionId {
    SessionId(fact(accepting(nr)).row("session", 0))
}

/// A customer's number.
pub fn customer(nr: u128) -> String {
    format!("+1555{:07}", 7_000_000 + nr)
}

/// A customer's text of the same number as the customer's.
pub fn text(nr: u128, from: &str, to: &str, words: &str, received_at: Timestamp) -> Message<Inbound> {
    let body = json!({"carrier": "simulator", "from": from, "to": to, "text": words, "received_at": received_at});
    told(nr, "sms.received", body)
}

/// A visitor's text in the bears' chat.
pub fn chat(nr: u128, visitor: &str, words: &str, received_at: Timestamp) -> Message<Inbound> {
    let body = json!({"tenant": "bears", "point_of_contact": "web", "visitor": visitor, "text": words,
                      "received_at": received_at});
    told(nr, "chat.received", body)
}

/// That a contact waits, as an ask of its own number.
pub fn waits(nr: u128, of: u128, skill: &str, now: Timestamp) -> Message<Matchable> {
    let body = json!({"cause_id": fact(of), "at": now, "tenant": "bears", "contact_id": contact(of),
                      "room_id": room(of), "skill": skill, "priority": 0, "queued_at": now});
    told(nr, "contact.queued", body)
}

/// The den with these agents available, in the order in which they came: a second apart, from second 1 on.
pub async fn den_with(pool: &Pool, agents: &[&str]) {
    den(pool).await;
    for (second, agent) in (1..).zip(agents) {
        moved(pool, crate::support::fixtures::at(second), agent, "available").await;
    }
}

/// An agent of the bears moves.
pub async fn moved(pool: &Pool, now: Timestamp, agent: &str, state: &str) {
    let body = json!({"tenant": "bears", "agent": agent, "state": state, "moved_at": now});
    let nr = Uuid::new_v5(&Uuid::NAMESPACE_OID, body.to_string().as_bytes()).as_u128();
    handle(&Each(TrackAgent), pool, now, &[told(nr, "agent.moved", body)]).await;
}

/// The customer of this number writes to one of our numbers.
pub async fn queued(pool: &Pool, now: Timestamp, nr: u128, to: &str) -> Outcome {
    let hello = [text(nr, &customer(nr), to, "hello", now)];
    // a large future, and many tests begin with it
    Box::pin(handle(&ReceiveSms, pool, now, &hello)).await.remove(0)
}

/// … and the contact is offered to whoever is free: says to whom.
pub async fn offered(pool: &Pool, now: Timestamp, nr: u128, to: &str) -> Slug {
    let outcome = queued(pool, now, nr, to).await;
    let asks: Vec<Message<Matchable>> =
        said(&outcome).iter().filter(|p| p.fact == "contact.queued").map(heard).collect();
    handle(&RouteContact, pool, now, &asks).await;
    let client = pool.get().await.unwrap();
    let query = "select agent from contacts where id = $1 and state = 'offered'";
    client.query_one(query, &[&contact(nr)]).await.expect("somebody is free").get(0)
}

/// … who accepts.
pub async fn active(pool: &Pool, now: Timestamp, nr: u128, to: &str) -> Slug {
    let agent = offered(pool, now, nr, to).await;
    let client = pool.get().await.unwrap();
    let query = "select id from offers where contact_id = $1 and state = 'pending'";
    let offer: OfferId = client.query_one(query, &[&contact(nr)]).await.unwrap().get(0);
    let body = json!({"tenant": "bears", "agent": agent, "offer_id": offer, "answer": "accept"});
    handle(&Each(SettleOffer), pool, now, &[told(accepting(nr), "offer.answered", body)]).await;
    agent
}

/// … and ends it: the wrap-up begins, where the skill has one.
pub async fn ended(pool: &Pool, now: Timestamp, nr: u128, to: &str) -> Slug {
    let agent = active(pool, now, nr, to).await;
    let by = json!({"kind": "agent", "name": agent});
    let body = json!({"tenant": "bears", "contact_id": contact(nr), "by": by, "reason": "done"});
    handle(&Each(WrapUp), pool, now, &[told(nr + 2_000_000, "contact.ended", body)]).await;
    agent
}

/// One column of a query, as text.
pub async fn column(pool: &Pool, query: &str) -> Vec<String> {
    let query = format!("select coalesce(x.v::text, '-') from ({query}) x (v)");
    let client = pool.get().await.unwrap();
    let query = client.prepare_cached(&query).await.unwrap();
    client.query(&query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The same as one JSON value, for what has several columns.
pub async fn lines(pool: &Pool, query: &str) -> Value {
    let client = pool.get().await.unwrap();
    let query = client.prepare_cached(&format!("select to_jsonb(x) from ({query}) x")).await.unwrap();
    let rows = client.query(&query, &[]).await.unwrap();
    Value::Array(rows.iter().map(|row| row.get(0)).collect())
}
