//! Simulated agents: they come, accept most offers (refuse some, miss a few), answer what customers write, and end.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use serde_json::{Value, json};
use texthub::amqp::topology;

use super::{Stage, now};
use crate::commands::bench::listen;

const ANSWERS: &[&str] = &[
    "Hello, this is Three Bears Porridge. Let me look that up for you.",
    "The shop on Elm Street has it, and so does the market by the station.",
    "I am sorry about that. Could you tell me the number printed under the lid?",
    "Thank you. A new box is on its way and should be with you on Thursday.",
    "Yes: let it stand for three minutes and it will be just right.",
    "Our oat porridge has no milk in it. The creamy one does.",
    "You're welcome! Is there anything else?",
];
const CODES: &[&str] = &["retailer_found", "replacement_sent", "question_answered"];

/// Lets all agents log in, and starts their work.
pub async fn enter(stage: &Arc<Stage>, names: &[String]) -> anyhow::Result<()> {
    let tenant = &stage.tenant;
    let keys = [
        format!("offer.made.{tenant}"),
        format!("session.started.{tenant}"),
        format!("agent.changed.{tenant}"),
        "entry.appended.#".to_owned(),
    ];
    let mut heard = listen(&stage.link, topology::FRONT, &keys).await?;
    for name in names {
        moved(stage, name, "available").await?;
    }
    let (stage, played) = (Arc::clone(stage), names.to_vec());
    tokio::spawn(async move {
        let held: Arc<Mutex<HashMap<String, Held>>> = Arc::default();
        while let Some(Ok(delivery)) = heard.next().await {
            let Ok(body) = serde_json::from_slice::<Value>(&delivery.data) else { continue };
            let is_another_s = body["agent"].as_str().is_some_and(|agent| !played.iter().any(|name| name == agent));
            if body["tenant"] != stage.tenant.as_str() || is_another_s {
                continue;
            }
            let fact = delivery.routing_key.as_str().splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
            tokio::spawn(hear(Arc::clone(&stage), Arc::clone(&held), fact, body));
        }
        // without the broker there is nothing to play
        stage.stop.cancel();
    });
    Ok(())
}

/// A room that a simulated agent works in.
struct Held {
    agent: String,
    contact: String,
    answers: u32,
    /// Entries answered already: a fact may come twice.
    seen: HashSet<String>,
}

/// The rooms of all simulated agents, by id.
type Rooms = Mutex<HashMap<String, Held>>;

async fn hear(stage: Arc<Stage>, held: Arc<Rooms>, fact: String, body: Value) {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let _ = match fact.as_str() {
        "offer.made" => answer_offer(&stage, &text("agent"), &text("offer_id")).await,
        "session.started" => {
            let held_now = Held { agent: text("agent"), contact: text("contact_id"), answers: 0, seen: HashSet::new() };
            if let Ok(mut held) = held.lock() {
                held.insert(text("room_id"), held_now);
            }
            reply(&stage, &held, &text("room_id"), "first").await
        }
        "entry.appended" if body["author"] == "customer" => {
            reply(&stage, &held, &text("room_id"), &text("entry_id")).await
        }
        // whoever missed too many offers comes back after a while
        "agent.changed" if body["state"] == "unavailable" => {
            stage.pause(5.0, 15.0).await;
            moved(&stage, &text("agent"), "available").await
        }
        _ => Ok(()),
    };
}

async fn answer_offer(stage: &Stage, agent: &str, offer: &str) -> anyhow::Result<()> {
    let luck = fastrand::u32(0..100);
    if luck < 2 {
        return Ok(());
    }
    stage.pause(0.5, 3.0).await;
    let answer = if luck < 6 { "refuse" } else { "accept" };
    let body = json!({"tenant": stage.tenant, "agent": agent, "offer_id": offer, "answer": answer});
    Ok(stage.say("offer.answered", &stage.tenant, body).await?)
}

async fn reply(stage: &Stage, held: &Rooms, room: &str, entry: &str) -> anyhow::Result<()> {
    stage.pause(1.0, 4.0).await;
    let Some((agent, contact, answers)) = held.lock().ok().and_then(|mut held| {
        let room = held.get_mut(room)?;
        if !room.seen.insert(entry.to_owned()) {
            return None;
        }
        room.answers += 1;
        Some((room.agent.clone(), room.contact.clone(), room.answers))
    }) else {
        return Ok(());
    };
    let tenant = &stage.tenant;
    if answers > fastrand::u32(3..7) {
        return end(stage, held, room, &agent, &contact).await;
    }
    let text = fastrand::choice(ANSWERS).copied().unwrap_or("Hello!");
    let written = json!({"tenant": tenant, "agent": agent, "room_id": room, "text": text, "written_at": now()});
    stage.say("reply.written", tenant, written).await?;
    stage.pause(12.0, 25.0).await;
    let is_silent = held.lock().is_ok_and(|held| held.get(room).is_some_and(|room| room.answers == answers));
    if is_silent && !stage.stop.is_cancelled() { end(stage, held, room, &agent, &contact).await } else { Ok(()) }
}

/// The agent ends a contact, and writes down how it went.
async fn end(stage: &Stage, held: &Rooms, room: &str, agent: &str, contact: &str) -> anyhow::Result<()> {
    if let Ok(mut held) = held.lock() {
        held.remove(room);
    }
    let tenant = &stage.tenant;
    let by = json!({"kind": "agent", "name": agent});
    let ended = json!({"tenant": tenant, "contact_id": contact, "by": by, "reason": "done"});
    stage.say("contact.ended", tenant, ended).await?;
    stage.pause(2.0, 8.0).await;
    let code = fastrand::choice(CODES).copied().unwrap_or("question_answered");
    let finished = json!({"tenant": tenant, "agent": agent, "contact_id": contact, "disposition": code});
    Ok(stage.say("wrap_up.finished", tenant, finished).await?)
}

async fn moved(stage: &Stage, agent: &str, state: &str) -> anyhow::Result<()> {
    let body = json!({"tenant": stage.tenant, "agent": agent, "state": state, "moved_at": now()});
    Ok(stage.say("agent.moved", &stage.tenant, body).await?)
}

/// Lets all agents log out.
pub async fn leave(stage: &Stage, names: &[String]) {
    for name in names {
        let _ = moved(stage, name, "logged_out").await;
    }
}
