//! The engine: state, event and look-ups in, new state and effects out. Pure, without a clock and without a database, so
//! that the worker and the simulation go the same way. It ends after a bounded number of nodes whatever the document
//! says; what goes wrong leads to an agent, never into nothing.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::check::Flow;
use super::condition::{weight, with_room};
use super::document::{Ask, Method, Node, Outcome, Range, RequestAgent, Webhook};
use super::values::{self, Queue};

mod nodes;

/// Most nodes that one event leads through.
pub const MAX_STEPS: u32 = 100;
/// What the conditions of one event may cost together, in tokens.
pub const FUEL: u32 = 20_000;
/// Automatic texts in a row, without a reply that was understood and without an agent: then the hub is silent. Two
/// machines that answer each other stop here.
pub const MAX_IN_A_ROW: u32 = 5;
/// Most bytes of all variables together.
pub const MAX_VARIABLES: usize = 16 * 1024;
/// Seconds after a call's own time-out in which its answer must have come.
pub const CALL_GRACE_S: i64 = 60;

/// The state of a contact in a flow: a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Which flow.
    pub flow: String,
    /// Which version of it; a contact keeps the version that it began with.
    pub version: i32,
    /// Where it stands.
    pub node: String,
    /// What it waits for there.
    pub phase: Phase,
    /// Of the flow.
    pub variables: Map<String, Value>,
    /// Replies to this question that fitted no branch.
    pub tries: u32,
    /// The customer's last text.
    pub text: String,
    /// Rules whose text has gone out in this session.
    pub sent: BTreeSet<String>,
    /// See [`MAX_IN_A_ROW`].
    pub in_a_row: u32,
    /// The next timer.
    pub due_at: Option<Timestamp>,
    /// The `request_agent` that queued it last, as flow/node.
    pub requested: String,
    /// Since when it waits by that node.
    pub since: Option<Timestamp>,
    /// Exits by time that were taken there; coming back to the same node the waiting goes on.
    pub waited: usize,
    /// The call that it waits for: its number, from 1.
    pub call: u32,
    /// What happened, a word each with its place; never texts. The newest 50.
    pub notes: Vec<String>,
}

/// What a run waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing: it is on its way.
    #[default]
    Going,
    /// A reply, or the end of its time.
    Asking,
    /// The end of a wait.
    Waiting,
    /// An answer of a program.
    Calling,
    /// An agent.
    Queued,
    /// It is over.
    Over,
}

/// What happened to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The contact began, with this text.
    Began(String),
    /// The customer wrote.
    Texted(String),
    /// The timer came.
    Due,
    /// A program answered the call of this number: JSON, or a word why not.
    Answered(u32, Result<Value, String>),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a text.
    Say(String),
    /// Queue the contact, or move it within the queue.
    Queue(Request),
    /// Call a program.
    Call(Call),
    /// End the contact.
    End(Outcome),
}

/// See [`Effect::Queue`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// Slug; none: the point of contact's.
    pub skill: Option<String>,
    /// None: the skill's.
    pub priority: Option<i32>,
    /// Which proficiencies will do.
    pub proficiency: Option<Range>,
    /// Slug of an agent.
    pub prefer: Option<String>,
    /// Until when it is kept for that agent.
    pub hold_until: Option<Timestamp>,
}

/// See [`Effect::Call`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its number in the run, from 1.
    pub number: u32,
    /// Where.
    pub url: String,
    /// How.
    pub method: Method,
    /// With what.
    pub body: Map<String, Value>,
    /// Milliseconds until it is given up.
    pub timeout_ms: u32,
}

/// What is looked up before a step.
#[derive(Clone, Debug)]
pub struct Looks {
    /// The moment.
    pub now: Timestamp,
    /// The tenant's.
    pub zone: TimeZone,
    /// See `values::ROOTS`.
    pub contact: Value,
    /// See `values::ROOTS`.
    pub customer: Value,
    /// By skill.
    pub queues: BTreeMap<String, Queue>,
    /// The contact is queued.
    pub is_queued: bool,
}

/// Flows that a step may need: the run's own version, and the newest of those it may hand over to.
pub type Flows = BTreeMap<String, (i32, Arc<Flow>)>;

impl Run {
    /// At the start of a flow.
    #[must_use]
    pub fn new(id: &str, version: i32, flow: &Flow) -> Self {
        Self {
            flow: id.to_owned(),
            version,
            node: flow.document.start.clone(),
            phase: Phase::Going,
            variables: flow.document.variables.clone().into_iter().collect(),
            tries: 0,
            text: String::new(),
            sent: BTreeSet::new(),
            in_a_row: 0,
            due_at: None,
            requested: String::new(),
            since: None,
            waited: 0,
            call: 0,
            notes: Vec::new(),
        }
    }

    fn note(&mut self, what: &str) {
        if self.notes.len() >= 50 {
            self.notes.remove(0);
        }
        self.notes.push(format!("{}/{}: {what}", self.flow, self.node));
    }

    fn go(&mut self, next: &str) {
        next.clone_into(&mut self.node);
        self.phase = Phase::Going;
        self.due_at = None;
        self.tries = 0;
    }
}

/// One event, as far as it leads.
pub fn step(flows: &Flows, run: &mut Run, event: Event, looks: &Looks) -> Vec<Effect> {
    if run.phase == Phase::Over {
        return Vec::new();
    }
    with_room(|| go(flows, run, event, looks))
}

fn go(flows: &Flows, run: &mut Run, event: Event, looks: &Looks) -> Vec<Effect> {
    let mut stepping = Stepping { flows, run, looks, effects: Vec::new(), fuel: Cell::new(FUEL) };
    stepping.take(event);
    let mut steps = 0;
    while stepping.run.phase == Phase::Going {
        steps += 1;
        let is_empty = stepping.fuel.get() == 0;
        if steps > MAX_STEPS || is_empty {
            stepping.run.note(if is_empty { "out_of_fuel" } else { "too_many_steps" });
            stepping.give_up();
            break;
        }
        stepping.enter();
    }
    stepping.effects
}

struct Stepping<'s> {
    flows: &'s Flows,
    run: &'s mut Run,
    looks: &'s Looks,
    effects: Vec<Effect>,
    fuel: Cell<u32>,
}

impl<'s> Stepping<'s> {
    fn flow(&self) -> Option<&'s Flow> {
        self.flows.get(&self.run.flow).map(|(_, flow)| flow.as_ref())
    }

    fn node(&self) -> Option<&'s Node> {
        self.flow().and_then(|flow| flow.document.nodes.get(&self.run.node))
    }

    fn place(&self, below: &str) -> String {
        format!("/nodes/{}{below}", self.run.node)
    }

    /// What conditions and texts see.
    fn values(&self) -> Map<String, Value> {
        let hours: Map<String, Value> = self.flow().map_or_else(Map::new, |flow| {
            let open = |hours: &super::calendar::Hours| hours.is_open(self.looks.now, &self.looks.zone);
            flow.hours.iter().map(|(name, hours)| (name.clone(), json!(open(hours)))).collect()
        });
        let queues: Map<String, Value> =
            self.looks.queues.iter().map(|(skill, queue)| (skill.clone(), queue.value())).collect();
        values::object(json!({
            "contact": self.looks.contact, "customer": self.looks.customer, "queue": queues,
            "now": values::now(self.looks.now, &self.looks.zone), "hours": hours, "vars": self.run.variables,
            "text": self.run.text, "word": values::word(&self.run.text),
        }))
    }

    /// The first of these conditions that holds.
    fn first(&self, places: impl Iterator<Item = String>) -> Option<usize> {
        let values = self.values();
        places.enumerate().find(|(_, place)| self.evaluate(place, &values) == Ok(Value::Bool(true))).map(|(nth, _)| nth)
    }

    /// A value in CEL, as long as there is fuel.
    fn evaluate(&self, place: &str, values: &Map<String, Value>) -> Result<Value, &'static str> {
        let condition = self.flow().and_then(|flow| flow.conditions.get(place)).ok_or("no_value")?;
        let left = self.fuel.get().checked_sub(condition.cost);
        self.fuel.set(left.unwrap_or(0));
        left.ok_or("out_of_fuel")?;
        condition.evaluate(values)
    }

    /// Keeps a value, unless the variables outgrow what a row should hold.
    fn keep(&mut self, name: &str, value: Value) -> bool {
        let before = self.run.variables.insert(name.to_owned(), value);
        if weight(&Value::Object(self.run.variables.clone())) <= MAX_VARIABLES {
            return true;
        }
        self.run.variables.insert(name.to_owned(), before.unwrap_or(Value::Null));
        self.run.note("variables_too_large");
        false
    }

    /// Says the text at a place: at most once in a session and rule, and never more than five in a row.
    fn say(&mut self, below: &str, rule: &str) {
        let rule = format!("{}/{}{rule}", self.run.flow, self.run.node);
        if self.run.sent.contains(&rule) {
            return self.run.note("said_before");
        }
        if self.run.in_a_row >= MAX_IN_A_ROW {
            return self.run.note("braked");
        }
        let text = self.flow().and_then(|flow| flow.texts.render(&self.place(below), &self.values()));
        let Some(text) = text else { return self.run.note("empty_text") };
        self.run.sent.insert(rule);
        self.run.in_a_row += 1;
        self.effects.push(Effect::Say(text));
    }

    fn has_queued(&self) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Queue(_)))
    }

    /// Something is wrong with the flow: an agent of the point of contact shall see the customer.
    fn give_up(&mut self) {
        if !self.looks.is_queued && !self.has_queued() {
            let nothing = Request { skill: None, priority: None, proficiency: None, prefer: None, hold_until: None };
            self.effects.push(Effect::Queue(nothing));
        }
        self.run.phase = Phase::Over;
        self.run.due_at = None;
    }

    fn after(&self, seconds: i64) -> Timestamp {
        self.looks.now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
    }

    /// The event, at the node where the run waits.
    fn take(&mut self, event: Event) {
        match event {
            Event::Began(text) => self.run.text = cut(&text),
            Event::Texted(text) => {
                self.run.text = cut(&text);
                if let (Phase::Asking, Some(Node::Ask(ask))) = (self.run.phase, self.node()) {
                    self.reply(ask);
                }
            }
            Event::Due => {
                if self.run.due_at.is_none_or(|due| due > self.looks.now) {
                    return;
                }
                match (self.run.phase, self.node()) {
                    (Phase::Asking, Some(Node::Ask(ask))) => self.run.go(&ask.timed_out),
                    (Phase::Waiting, Some(Node::Wait(wait))) => self.run.go(&wait.next),
                    (Phase::Queued, Some(Node::RequestAgent(request))) => self.waited(request),
                    (Phase::Calling, Some(Node::Webhook(webhook))) => {
                        self.run.note("unanswered");
                        self.run.go(&webhook.failed);
                    }
                    _ => self.give_up(),
                }
            }
            Event::Answered(number, answer) => {
                if let (Phase::Calling, Some(Node::Webhook(webhook))) = (self.run.phase, self.node())
                    && number == self.run.call
                {
                    self.answered(webhook, answer);
                }
            }
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(super::condition::MAX_TEXT).collect()
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
