//! The conversation that a customer would have: the engine with a clock of its own, without a database. Replies come
//! five seconds after what they answer; where none is left, time passes until the next timer.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde_json::{Value, json};

use super::calendar::{DAYS, day_name};
use super::document::{Node, Outcome};
use super::step::{Effect, Event, Flows, Looks, Phase, Run, step};
use super::values::Queue;

/// Seconds until a customer replies, or a program answers.
const REPLY_S: i64 = 5;
/// Events after which a simulation ends by itself.
const MAX_EVENTS: usize = 500;

/// What the world is like.
#[derive(Clone, Debug)]
pub struct World {
    /// When the contact begins.
    pub at: Timestamp,
    /// The tenant's.
    pub zone: TimeZone,
    /// What the customer writes, the first text first.
    pub says: Vec<String>,
    /// The customer's number.
    pub customer: String,
    /// Who had the customer last.
    pub last_agent: Option<String>,
    /// How every queue stands.
    pub queue: Queue,
    /// Seconds in the queue after which an agent accepts; none: nobody does.
    pub answered_after_s: Option<u32>,
    /// What programs answer, in order; none left: they fail.
    pub answers: Vec<Value>,
}

/// One line of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When.
    pub at: Zoned,
    /// `customer`, `hub`, `queue`, `program`, `agent` or `end`.
    pub who: &'static str,
    /// What was written, or happened.
    pub what: String,
}

/// Runs a flow to its end, or until nothing would happen any more.
#[must_use]
pub fn simulate(flows: &Flows, id: &str, world: &World) -> (Vec<Line>, Vec<String>) {
    let Some((version, flow)) = flows.get(id) else { return (Vec::new(), vec!["no_such_flow".into()]) };
    let mut playing = Playing {
        flows,
        world,
        run: Run::new(id, *version, flow),
        now: world.at,
        queued_at: None,
        says: world.says.iter().cloned().collect(),
        answers: world.answers.iter().cloned().collect(),
        lines: Vec::new(),
    };
    let first = playing.says.pop_front().unwrap_or_default();
    playing.tell("customer", first.clone());
    let mut event = Some(Event::Began(first));
    let mut events = 0;
    while let Some(happened) = event.take() {
        events += 1;
        playing.happen(happened);
        if events < MAX_EVENTS {
            event = playing.next();
        }
    }
    (playing.lines, playing.run.notes)
}

struct Playing<'w> {
    flows: &'w Flows,
    world: &'w World,
    run: Run,
    now: Timestamp,
    queued_at: Option<Timestamp>,
    says: VecDeque<String>,
    answers: VecDeque<Value>,
    lines: Vec<Line>,
}

impl Playing<'_> {
    fn tell(&mut self, who: &'static str, what: impl Into<String>) {
        self.lines.push(Line { at: self.now.to_zoned(self.world.zone.clone()), who, what: what.into() });
    }

    fn looks(&self) -> Looks {
        let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
        for (_, flow) in self.flows.values() {
            for node in flow.document.nodes.values() {
                if let Node::RequestAgent(node) = node {
                    queues.insert(node.skill.clone(), self.world.queue);
                }
            }
        }
        let waited = self.queued_at.map_or(0, |at| self.now.duration_since(at).as_secs());
        Looks {
            now: self.now,
            zone: self.world.zone.clone(),
            contact: json!({"channel": "sms", "customer": self.world.customer, "our_number": "+15550100001",
                            "point_of_contact": "simulated", "skill": "simulated", "waited_s": waited}),
            customer: json!({"sessions": i32::from(self.world.last_agent.is_some()), "last_agent": self.world.last_agent,
                             "days_since": self.world.last_agent.as_ref().map(|_| 1)}),
            queues,
            is_queued: self.queued_at.is_some(),
        }
    }

    fn happen(&mut self, event: Event) {
        let looks = self.looks();
        for effect in step(self.flows, &mut self.run, event, &looks) {
            match effect {
                Effect::Say(text) => self.tell("hub", text),
                Effect::Queue(request) => {
                    let mut what = request.skill.unwrap_or_else(|| "the point of contact's skill".into());
                    if let Some(priority) = request.priority {
                        let _ = write!(what, ", priority {priority}");
                    }
                    if let Some(range) = request.proficiency {
                        let _ = write!(what, ", proficiency {} to {}", range.best, range.worst);
                    }
                    if let Some(agent) = request.prefer {
                        let _ = write!(what, ", for {agent} first");
                    }
                    self.queued_at.get_or_insert(self.now);
                    // the same again keeps its place
                    if self.lines.iter().rev().find(|line| line.who == "queue").is_none_or(|line| line.what != what) {
                        self.tell("queue", what);
                    }
                }
                Effect::Call(call) => {
                    let host = call.url.split('/').nth(2).unwrap_or_default().to_owned();
                    self.tell("program", format!("{host} is called"));
                }
                Effect::End(outcome) => {
                    let outcome = if outcome == Outcome::Answered { "answered" } else { "abandoned" };
                    self.tell("end", outcome);
                }
            }
        }
    }

    fn later(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(self.now);
    }

    /// What happens next; nothing: the conversation is over, or with an agent.
    fn next(&mut self) -> Option<Event> {
        let accepts = self
            .queued_at
            .zip(self.world.answered_after_s)
            .map(|(at, after)| at.checked_add(SignedDuration::from_secs(after.into())).unwrap_or(Timestamp::MAX));
        let due = self.run.due_at;
        if let Some(accepts) = accepts.filter(|accepts| due.is_none_or(|due| *accepts <= due)) {
            let is_over = self.lines.last().is_some_and(|line| line.who == "end");
            if !is_over {
                self.now = accepts.max(self.now);
                self.tell("agent", "accepts");
            }
            return None;
        }
        match self.run.phase {
            Phase::Over | Phase::Going => None,
            Phase::Asking if !self.says.is_empty() => {
                self.later(REPLY_S);
                let text = self.says.pop_front().unwrap_or_default();
                self.tell("customer", text.clone());
                Some(Event::Texted(text))
            }
            Phase::Calling => {
                self.later(REPLY_S);
                let answer = self.answers.pop_front().ok_or_else(|| "no_answer".to_owned());
                self.tell("program", if answer.is_ok() { "answers" } else { "fails" });
                Some(Event::Answered(self.run.call, answer))
            }
            Phase::Asking | Phase::Waiting | Phase::Queued => {
                self.now = due?.max(self.now);
                Some(Event::Due)
            }
        }
    }
}

/// The lines as people read them: day, time, who, what.
#[must_use]
pub fn print(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let (day, time) = (day_name(line.at.weekday()), line.at.time());
        let clock = format!("{day} {:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
        for (nth, part) in line.what.lines().enumerate() {
            let head = if nth == 0 { format!("{clock}  {:<8}", line.who) } else { " ".repeat(clock.len() + 10) };
            let _ = writeln!(text, "{head}  {part}");
        }
    }
    text
}

/// A moment as people write it: `Sunday 03:00` (the next one from `today` on), or `2026-12-24 17:30`.
#[must_use]
pub fn moment(text: &str, today: &Zoned) -> Option<Zoned> {
    let (day, time) = text.trim().split_once(' ')?;
    let time: Time = time.trim().parse().ok()?;
    let date = if let Ok(date) = day.parse::<jiff::civil::Date>() {
        date
    } else {
        let short: String = day.chars().take(3).flat_map(char::to_lowercase).collect();
        let wanted = DAYS.iter().position(|name| *name == short)?;
        let from = usize::try_from(today.weekday().to_monday_zero_offset()).ok()?;
        let days = i64::try_from((wanted + 7 - from) % 7).ok()?;
        today.date().checked_add(jiff::Span::new().days(days)).ok()?
    };
    date.to_datetime(time).to_zoned(today.time_zone().clone()).ok()
}
