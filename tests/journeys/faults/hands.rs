//! Agents by chance, on the public contract: they accept most offers, refuse some and let some lapse; they reply, and
//! end. What they missed they read from the state, as a desk does that comes back.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use deadpool_postgres::Pool;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{BEARS, EXAMPLE};
use crate::support::desk::Desk;

/// An agent that has heard nothing for so long reads the state.
const SILENCE_S: f64 = 3.0;

/// The example's tenant with so many more agents for orders, short offers and a wrap-up.
pub fn crew(agents: usize) -> String {
    let mut tenant = EXAMPLE.replacen("offer_timeout_s = 30", "offer_timeout_s = 5\nwrap_up_s = 1", 1);
    assert!(tenant.contains("offer_timeout_s = 5"));
    for nth in 0..agents {
        let skills = format!("{{ porridge-orders = {} }}", 1 + nth % 20);
        write!(tenant, "\n[[agents]]\nid = \"{}\"\nteam = \"the-bears\"\nskills = {skills}\n", name(nth)).unwrap();
    }
    tenant
}

fn name(nth: usize) -> String {
    format!("hand-{nth}")
}

/// All of them, in a task of their own.
pub struct Hands {
    stop: CancellationToken,
    task: JoinHandle<Desk>,
}

impl Hands {
    /// Logs them in, and lets them work.
    pub async fn at_work(desk: Desk, pool: Pool, agents: usize) -> Self {
        for nth in 0..agents {
            desk.log_in(&name(nth)).await;
        }
        let stop = CancellationToken::new();
        let told = stop.clone();
        let task = tokio::spawn(async move {
            let mut work = Work { desk, pool, done: HashSet::new(), heard: 0 };
            let (mut ticks, mut looks) = (
                tokio::time::interval(Duration::from_millis(50)),
                tokio::time::interval(Duration::from_secs_f64(SILENCE_S)),
            );
            while !told.is_cancelled() {
                tokio::select! {
                    _ = ticks.tick() => work.listen().await,
                    _ = looks.tick() => work.look().await,
                }
            }
            work.desk
        });
        Self { stop, task }
    }

    /// Sends them home; says the ids of all that they said.
    pub async fn rest(self) -> String {
        self.stop.cancel();
        self.task.await.unwrap().said()
    }
}

struct Work {
    desk: Desk,
    pool: Pool,
    /// What was acted on: an offer, a session, an entry, a move.
    done: HashSet<String>,
    heard: usize,
}

impl Work {
    async fn listen(&mut self) {
        let news = self.desk.since(self.heard);
        self.heard += news.len();
        for (fact, body) in news {
            if fact.starts_with("sms.") || !self.done.insert(format!("{fact} {}", body["id"])) {
                continue;
            }
            match fact.as_str() {
                "offer.made" => self.answer(body["offer_id"].as_str().unwrap(), body["agent"].as_str().unwrap()).await,
                "session.started" => self.reply(&body).await,
                "entry.appended" if body["author"] == "agent" => self.end_of_room(&body["room_id"]).await,
                "agent.changed" if body["state"] == "unavailable" => self.back(&body["agent"]).await,
                _ => {}
            }
        }
    }

    /// Seven of ten accept, two refuse, one looks away.
    async fn answer(&self, offer: &str, agent: &str) {
        let answer = match fastrand::u8(0..10) {
            0 => return,
            1 | 2 => "refuse",
            _ => "accept",
        };
        let body = json!({"tenant": BEARS, "agent": agent, "offer_id": offer, "answer": answer});
        self.desk.say("offer.answered", BEARS, body).await;
    }

    /// One in ten ends without a word.
    async fn reply(&self, session: &Value) {
        let (agent, room) = (session["agent"].as_str().unwrap(), session["room_id"].as_str().unwrap());
        if fastrand::u8(0..10) == 0 {
            self.end(session["contact_id"].as_str().unwrap(), agent).await;
        } else {
            self.desk.reply(agent, room, "There is porridge for everybody.").await;
        }
    }

    async fn end_of_room(&self, room: &Value) {
        let sql = "select id::text, agent from contacts where room_id = $1::text::uuid and state = 'active'";
        let client = self.pool.get().await.unwrap();
        if let Some(row) = client.query_opt(sql, &[&room.as_str().unwrap()]).await.unwrap() {
            self.end(row.get(0), row.get(1)).await;
        }
    }

    async fn end(&self, contact: &str, agent: &str) {
        let by = json!({"kind": "agent", "name": agent});
        let body = json!({"tenant": BEARS, "contact_id": contact, "by": by, "reason": "done"});
        self.desk.say("contact.ended", BEARS, body).await;
    }

    /// Who missed three offers was made unavailable, and comes back.
    async fn back(&self, agent: &Value) {
        let now = texthub::runtime::clock::wall().to_string();
        let body = json!({"tenant": BEARS, "agent": agent, "state": "available", "moved_at": now});
        self.desk.say("agent.moved", BEARS, body).await;
    }

    /// Acts on what has waited in silence: contacts of theirs, and agents who should be there.
    async fn look(&mut self) {
        let client = self.pool.get().await.unwrap();
        let sql = "select id::text, agent from contacts
                   where state = 'active' and accepted_at < now() - make_interval(secs => $1)";
        for row in client.query(sql, &[&SILENCE_S]).await.unwrap() {
            self.end(row.get(0), row.get(1)).await;
        }
        let sql = "select id from agents where id like 'hand-%' and state = 'unavailable'";
        for row in client.query(sql, &[]).await.unwrap() {
            self.back(&json!(row.get::<_, String>(0))).await;
        }
    }
}
