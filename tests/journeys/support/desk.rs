//! Everybody outside the hub, on the public contract alone: agents' desks, customers' phones and browsers. It hears all
//! that is said on the exchange `texthub`, and can publish everything twice, as brokers and carriers do.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use serde_json::{Value, json};
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::topology;
use texthub::amqp::wire::{Wire, header_text};
use texthub::facts::envelope::conversation;
use texthub::runtime::clock;
use tokio::sync::Notify;

use super::stack::PATIENCE;

/// A fact that was heard: its name and body.
pub type Heard = (String, Value);

/// The outside.
pub struct Desk {
    tenant: String,
    link: Link,
    publisher: Publisher,
    heard: Arc<Mutex<Vec<Heard>>>,
    traces: Arc<Mutex<Vec<(String, String)>>>,
    news: Arc<Notify>,
    taken: Mutex<Vec<String>>,
    said: Mutex<Vec<String>>,
    /// Everything is published twice.
    pub doubles: bool,
}

impl Desk {
    /// Listens from now on.
    pub async fn open(amqp_url: &str, tenant: &str) -> Self {
        let link = Link::connect(amqp_url, "texthub test desk").await.unwrap();
        let publisher = Publisher::open(&link).await.unwrap();
        let channel = link.consuming().await.unwrap();
        let queue =
            channel.queue_declare("".into(), QueueDeclareOptions::exclusive(), FieldTable::default()).await.unwrap();
        let name = queue.name().clone();
        let bind = QueueBindOptions::default();
        channel
            .queue_bind(name.clone(), topology::FRONT.into(), "#".into(), bind, FieldTable::default())
            .await
            .unwrap();
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let mut consumer = channel.basic_consume(name, "".into(), options, FieldTable::default()).await.unwrap();
        let (heard, news): (Arc<Mutex<Vec<Heard>>>, Arc<Notify>) = Default::default();
        let traces: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let (list, told, noted) = (Arc::clone(&heard), Arc::clone(&news), Arc::clone(&traces));
        tokio::spawn(async move {
            let _channel = channel;
            while let Some(Ok(delivery)) = consumer.next().await {
                let Ok(body) = serde_json::from_slice::<Value>(&delivery.data) else { continue };
                let fact = delivery.routing_key.as_str().splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
                let trace = header_text(&delivery.properties, "traceparent").unwrap_or_default();
                noted.lock().unwrap().push((fact.clone(), trace));
                list.lock().unwrap().push((fact, body));
                told.notify_waiters();
            }
        });
        let (taken, said) = (Mutex::default(), Mutex::default());
        let tenant = tenant.to_owned();
        Self { tenant, link, publisher, heard, traces, news, taken, said, doubles: false }
    }

    /// Publishes a fact with a new id, and says which.
    pub async fn say(&self, fact: &str, scope: &str, mut body: Value) -> String {
        let id = clock::new_id().to_string();
        if body.get("id").is_none() {
            body["id"] = json!(id);
        }
        let id = body["id"].as_str().unwrap().to_owned();
        self.said.lock().unwrap().push(id.clone());
        self.publish(fact, scope, &id, body.to_string().into_bytes()).await;
        if self.doubles {
            self.publish(fact, scope, &id, body.to_string().into_bytes()).await;
        }
        id
    }

    /// Publishes any bytes under any key and type, without an id.
    pub async fn publish_as(&self, key: &str, kind: &str, body: Vec<u8>) {
        let properties = lapin::BasicProperties::default().with_delivery_mode(2).with_type(kind.into());
        let wire = Wire { exchange: topology::FRONT, key: key.to_owned(), body, properties };
        self.publisher.send(vec![wire]).await.unwrap();
    }

    /// Publishes a fact within a trace.
    pub async fn say_traced(&self, fact: &str, body: Value, traceparent: &str) {
        let mut headers = FieldTable::default();
        headers.insert("traceparent".into(), lapin::types::AMQPValue::LongString(traceparent.into()));
        let properties = lapin::BasicProperties::default()
            .with_delivery_mode(2)
            .with_type(format!("{fact}.v1").into())
            .with_headers(headers);
        let wire =
            Wire { exchange: topology::FRONT, key: fact.to_owned(), body: body.to_string().into_bytes(), properties };
        self.publisher.send(vec![wire]).await.unwrap();
    }

    /// The traces of every fact of this name that was heard so far.
    pub fn traces(&self, fact: &str) -> Vec<String> {
        self.traces.lock().unwrap().iter().filter(|heard| heard.0 == fact).map(|heard| heard.1.clone()).collect()
    }

    /// Publishes any bytes.
    pub async fn publish(&self, fact: &str, scope: &str, id: &str, body: Vec<u8>) {
        let properties = lapin::BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(id.into())
            .with_type(format!("{fact}.v1").into());
        let key = if scope.is_empty() { fact.to_owned() } else { format!("{fact}.{scope}") };
        self.publisher.send(vec![Wire { exchange: topology::FRONT, key, body, properties }]).await.unwrap();
    }

    /// The first fact of this name that fits, heard already or later.
    pub async fn heard(&self, fact: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let news = self.news.notified();
            if let Some(found) = self.all(fact).into_iter().find(&fits) {
                return found;
            }
            let left = PATIENCE.checked_sub(began.elapsed()).unwrap_or_default();
            if tokio::time::timeout(left.min(std::time::Duration::from_millis(500)), news).await.is_err() {
                assert!(began.elapsed() < PATIENCE, "{fact} was not heard; heard: {:?}", self.names());
            }
        }
    }

    /// Everything of this name that was heard so far.
    pub fn all(&self, fact: &str) -> Vec<Value> {
        self.heard.lock().unwrap().iter().filter(|heard| heard.0 == fact).map(|heard| heard.1.clone()).collect()
    }

    /// What was heard after the first `count` facts, in order.
    pub fn since(&self, count: usize) -> Vec<Heard> {
        self.heard.lock().unwrap()[count..].to_vec()
    }

    /// How many different facts of this name were heard so far: a fact said again has the same id.
    pub fn distinct(&self, fact: &str) -> usize {
        let ids: HashSet<String> = self.all(fact).iter().map(|fact| fact["id"].to_string()).collect();
        ids.len()
    }

    /// The ids of all that was said here, one a line.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    fn names(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|heard| heard.0.clone()).collect()
    }

    /// A customer's text; says its id.
    pub async fn text(&self, from: &str, to: &str, text: &str) -> String {
        let body = json!({
            "carrier": "sim", "carrier_sms_id": clock::new_id(), "from": from, "to": to, "text": text,
            "received_at": clock::wall().to_string(),
        });
        self.say("sms.received", &conversation(to, "", from), body).await
    }

    /// A visitor's words; says their id.
    pub async fn chat(&self, point: &str, visitor: &str, text: &str) -> String {
        let body = json!({
            "tenant": self.tenant, "point_of_contact": point, "visitor": visitor, "text": text,
            "received_at": clock::wall().to_string(),
        });
        self.say("chat.received", &format!("{point}-{visitor}"), body).await
    }

    /// An agent's state changes, and the hub has noted it.
    pub async fn moved(&self, agent: &str, state: &str) {
        let body =
            json!({"tenant": self.tenant, "agent": agent, "state": state, "moved_at": clock::wall().to_string()});
        let known = self.all("agent.changed").len();
        self.say("agent.moved", &self.tenant, body).await;
        let is_it = |fact: &Value| fact["agent"] == agent && fact["state"] == state;
        let began = Instant::now();
        while !self.all("agent.changed")[known..].iter().any(is_it) {
            assert!(began.elapsed() < PATIENCE, "{agent} is not {state}");
            let _ = tokio::time::timeout(std::time::Duration::from_millis(100), self.news.notified()).await;
        }
    }

    /// An agent becomes available.
    pub async fn log_in(&self, agent: &str) {
        self.moved(agent, "available").await;
    }

    /// The next offer to an agent that no test has taken yet.
    pub async fn offer(&self, agent: &str) -> Value {
        let taken = || self.taken.lock().unwrap();
        let is_new = |fact: &Value| fact["agent"] == agent && !taken().iter().any(|id| fact["offer_id"] == id.as_str());
        let offer = self.heard("offer.made", is_new).await;
        taken().push(offer["offer_id"].as_str().unwrap().to_owned());
        offer
    }

    /// Answers an offer; says the id of the answer.
    pub async fn answer(&self, offer: &Value, answer: &str) -> String {
        let body = json!({
            "tenant": self.tenant, "agent": offer["agent"], "offer_id": offer["offer_id"], "answer": answer,
        });
        self.say("offer.answered", &self.tenant, body).await
    }

    /// Accepts, and awaits the session; says the room.
    pub async fn accept(&self, offer: &Value) -> String {
        self.answer(offer, "accept").await;
        let started = self.heard("session.started", |fact| fact["contact_id"] == offer["contact_id"]).await;
        started["room_id"].as_str().unwrap().to_owned()
    }

    /// Accepts a contact that had a session before, and awaits the settling; says the room.
    pub async fn accept_again(&self, offer: &Value) -> String {
        self.answer(offer, "accept").await;
        let settled = |fact: &Value| fact["offer_id"] == offer["offer_id"] && fact["outcome"] == "accepted";
        self.heard("offer.settled", settled).await;
        offer["room_id"].as_str().unwrap().to_owned()
    }

    /// An agent's reply; says its id.
    pub async fn reply(&self, agent: &str, room: &str, text: &str) -> String {
        let body = json!({
            "tenant": self.tenant, "agent": agent, "room_id": room, "text": text, "written_at": clock::wall().to_string(),
        });
        self.say("reply.written", &self.tenant, body).await
    }

    /// An agent's text to a customer, on the agent's own initiative; says its id.
    pub async fn outreach(&self, agent: &str, ours: &str, to: &str, text: &str) -> String {
        let body = json!({
            "tenant": self.tenant, "agent": agent, "our_number": ours, "to": to, "text": text,
            "written_at": clock::wall().to_string(),
        });
        self.say("outreach.written", &self.tenant, body).await
    }

    /// An agent ends a contact, and the hub has closed it.
    pub async fn end(&self, agent: &str, contact: &str) {
        let by = json!({"kind": "agent", "name": agent});
        let body = json!({"tenant": self.tenant, "contact_id": contact, "by": by, "reason": "done"});
        self.say("contact.ended", &self.tenant, body).await;
        self.heard("contact.closed", |fact| fact["contact_id"] == contact).await;
    }

    /// The text of this id stands in a transcript; says its entry.
    pub async fn appended(&self, text: &str) -> Value {
        self.heard("entry.appended", |fact| fact["text"] == text).await
    }

    /// The refusal of a command.
    pub async fn refused(&self, id: &str) -> String {
        let refused = self.heard("command.refused", |fact| fact["refused_id"] == id).await;
        refused["reason"].as_str().unwrap().to_owned()
    }

    /// Leaves.
    pub async fn close(self) {
        self.link.close().await;
    }
}
