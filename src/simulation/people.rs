//! Contacts and agents as the virtual clock finds them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::company::Worker;
use crate::facts::ids::Slug;
use crate::routing::skill::Skill;
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
    /// Contacts that hold slots, by channel.
    held: BTreeMap<String, i32>,
    /// Most of them, where the channel has a limit of its own.
    channels: BTreeMap<&'static str, i32>,
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
    pub(super) fn new(name: &Slug, worker: &Worker, skills: Vec<(usize, i32)>, begin: Timestamp) -> Self {
        let seen = Agent {
            agent: name.clone(),
            state: "logged_out".into(),
            code: None,
            next_state: None,
            slots_used: 0,
            limit: worker.limit,
            channel_used: 0,
            channel_limit: worker.limit,
            proficiency: 1,
            idle_since: begin,
        };
        let skills = skills.into_iter().map(|(skill, _)| skill).collect();
        let (used, there) = (SignedDuration::ZERO, SignedDuration::ZERO);
        let (held, channels) = (BTreeMap::new(), worker.channels.clone());
        Self { seen, held, channels, skills, misses: 0, answered: 0, since: begin, used, there }
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

    /// As one of a skill that the agent has, of this proficiency.
    pub(super) fn as_of(&mut self, skill: &Skill, proficiency: i32) -> &Agent {
        self.seen.proficiency = proficiency;
        self.seen.channel_used = self.held.get(&skill.channel).copied().unwrap_or(0);
        self.seen.channel_limit = self.channels.get(skill.channel.as_str()).copied().unwrap_or(self.seen.limit);
        &self.seen
    }

    pub(super) fn reserve(&mut self, now: Timestamp, skill: &Skill) {
        self.pass(now);
        self.seen.idle_since = now;
        self.hold(skill, 1);
    }

    pub(super) fn release(&mut self, now: Timestamp, skill: &Skill) {
        self.pass(now);
        self.hold(skill, -1);
    }

    fn hold(&mut self, skill: &Skill, contacts: i32) {
        self.seen.slots_used += contacts * skill.slots;
        *self.held.entry(skill.channel.clone()).or_default() += contacts;
    }

    /// Who is about to leave does so with the last slot.
    pub(super) fn turn(&mut self) {
        if self.seen.slots_used == 0 {
            self.seen.state = self.seen.next_state.take().unwrap_or_else(|| std::mem::take(&mut self.seen.state));
        }
    }
}
