//! Contacts and agents as the virtual clock finds them.

use jiff::{SignedDuration, Timestamp};

use crate::facts::ids::Slug;
use crate::routing::verdict::Agent;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    ToCome,
    Waiting,
    Offered,
    Active,
    WrapUp,
    Over,
}

pub(super) struct Job {
    pub(super) skill: usize,
    pub(super) priority: i32,
    pub(super) queued_at: Timestamp,
    pub(super) state: State,
    pub(super) agent: usize,
    pub(super) offers: u32,
    /// Who refused or missed it, and until when.
    pub(super) cooling: Vec<(usize, Timestamp)>,
    pub(super) accepted_at: Option<Timestamp>,
    pub(super) abandoned_at: Option<Timestamp>,
}

pub(super) struct Person {
    pub(super) seen: Agent,
    pub(super) skills: Vec<usize>,
    pub(super) misses: i32,
    pub(super) answered: usize,
    pub(super) since: Timestamp,
    pub(super) used: SignedDuration,
    pub(super) there: SignedDuration,
}

impl Job {
    pub(super) fn new(skill: usize, priority: i32, queued_at: Timestamp) -> Self {
        Self {
            skill,
            priority,
            queued_at,
            state: State::ToCome,
            agent: 0,
            offers: 0,
            cooling: Vec::new(),
            accepted_at: None,
            abandoned_at: None,
        }
    }
}

impl Person {
    pub(super) fn new(name: &Slug, limit: i32, skills: Vec<(usize, i32)>, begin: Timestamp) -> Self {
        let seen = Agent {
            agent: name.clone(),
            state: "logged_out".into(),
            code: None,
            next_state: None,
            slots_used: 0,
            limit,
            proficiency: 1,
            idle_since: begin,
        };
        let skills = skills.into_iter().map(|(skill, _)| skill).collect();
        let (used, there) = (SignedDuration::ZERO, SignedDuration::ZERO);
        Self { seen, skills, misses: 0, answered: 0, since: begin, used, there }
    }

    pub(super) fn is(&self, state: &str) -> bool {
        self.seen.state == state
    }

    /// Time passes as the agent stands.
    pub(super) fn pass(&mut self, now: Timestamp) {
        let passed = now.duration_since(self.since);
        self.used += passed * self.seen.slots_used;
        if !self.is("logged_out") {
            self.there += passed * self.seen.limit;
        }
        self.since = now;
    }

    pub(super) fn release(&mut self, now: Timestamp) {
        self.pass(now);
        self.seen.slots_used -= 1;
    }

    /// Who is about to leave does so with the last slot.
    pub(super) fn turn(&mut self) {
        if self.seen.slots_used == 0 {
            self.seen.state = self.seen.next_state.take().unwrap_or_else(|| std::mem::take(&mut self.seen.state));
        }
    }
}
