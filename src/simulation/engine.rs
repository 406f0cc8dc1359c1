//! The virtual clock and what happens on it: contacts come, offers are answered or lapse, conversations and wrap-ups end,
//! agents come and go. Each event does to the state what its worker does to rows, then the same skills are matched.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::company::{Company, Work};
use super::day::{Day, Reply, plus, span};
use super::meet::{cool_until, id_of, on_grid};
use super::outcome::{Fate, Made, Run, Worked};
use super::people::{Job, Person, State};
use crate::facts::ids::Slug;
use crate::hub::presence::MISSES;
use crate::routing::queue::Queue;

/// Milliseconds between two sweeps, which find who waited too long.
pub const SWEEP_MS: i64 = 5_000;

/// What happens; numbers are places in the lists of contacts, agents and skills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Arrive(usize),
    /// (contact, how-manieth offer, accepted).
    Answer(usize, u32, bool),
    Lapse(usize, u32),
    End(usize),
    WrapUpOver(usize),
    CustomerLeaves(usize),
    TooLong(usize),
    Come(usize),
    Go(usize),
    Back(usize),
    Pass(usize),
}

impl Event {
    /// At one moment the passes come last: the matcher's, by skill, then the sweep.
    fn turn(self) -> usize {
        match self {
            Self::Pass(skill) => 1 + skill,
            Self::TooLong(_) => usize::MAX,
            _ => 0,
        }
    }
}

pub(super) struct Desk<'a> {
    pub(super) work: &'a Work,
    pub(super) queue: Queue,
    pub(super) members: Vec<(usize, i32)>,
    pub(super) wakes_at: Option<Timestamp>,
}

pub(super) struct Hub<'a> {
    day: &'a Day,
    pub(super) now: Timestamp,
    pub(super) skills: Vec<Desk<'a>>,
    pub(super) agents: Vec<Person>,
    pub(super) jobs: Vec<Job>,
    pub(super) names: HashMap<Slug, usize>,
    events: BinaryHeap<Reverse<(Timestamp, usize, u64, Event)>>,
    planned: u64,
    run: Run,
}

/// Plays the day; `progress` hears how many contacts have come.
#[must_use]
pub fn run(company: &Company, day: &Day, progress: &mut dyn FnMut(usize)) -> Run {
    let mut hub = Hub::new(company, day);
    let (mut came, end) = (0, end_of(company, day));
    while let Some(Reverse((at, .., event))) = hub.events.pop() {
        if at > end {
            break;
        }
        hub.now = at;
        if matches!(event, Event::Arrive(_)) {
            came += 1;
            progress(came);
        }
        hub.happen(event);
    }
    hub.close()
}

/// When the last contact has had its time.
fn end_of(company: &Company, day: &Day) -> Timestamp {
    let last = day.contacts.last().map_or(Timestamp::UNIX_EPOCH, |contact| contact.at);
    let longest = company.skills.values().map(|work| work.max_wait_s).max().unwrap_or(0);
    plus(last, SignedDuration::from_secs(i64::from(longest)) + SignedDuration::from_hours(1))
}

impl<'a> Hub<'a> {
    fn new(company: &'a Company, day: &'a Day) -> Self {
        let begin = day.contacts.first().map_or(Timestamp::UNIX_EPOCH, |contact| contact.at);
        let places: HashMap<&Slug, usize> = company.skills.keys().zip(0..).collect();
        let desk = |work| Desk { work, queue: Queue::default(), members: Vec::new(), wakes_at: None };
        let mut hub = Self {
            day,
            now: begin,
            skills: company.skills.values().map(desk).collect(),
            agents: Vec::new(),
            jobs: Vec::new(),
            names: company.agents.keys().cloned().zip(0..).collect(),
            events: BinaryHeap::new(),
            planned: 0,
            run: Run::default(),
        };
        for (nr, (name, worker)) in company.agents.iter().enumerate() {
            let skills = worker.skills.iter().filter_map(|(skill, n)| Some((*places.get(skill)?, *n)));
            let skills: Vec<(usize, i32)> = skills.collect();
            for (skill, proficiency) in &skills {
                hub.skills[*skill].members.push((nr, *proficiency));
            }
            hub.agents.push(Person::new(name, worker, skills, begin));
            let shifts = &day.behaviour(name).shifts;
            for shift in shifts {
                hub.plan(shift.from, Event::Come(nr));
                hub.plan(shift.to, Event::Go(nr));
            }
            if shifts.is_empty() {
                hub.plan(begin, Event::Come(nr));
            }
        }
        for (nr, contact) in day.contacts.iter().enumerate() {
            let Some(skill) = places.get(&contact.skill).copied() else {
                hub.run.unknown_skill += 1;
                hub.jobs.push(Job::new(0, 0, contact.at));
                continue;
            };
            let priority = contact.priority.unwrap_or(hub.skills[skill].work.priority);
            hub.jobs.push(Job::new(skill, priority, contact.at));
            hub.plan(contact.at, Event::Arrive(nr));
        }
        hub
    }

    pub(super) fn plan(&mut self, at: Timestamp, event: Event) {
        self.planned += 1;
        self.events.push(Reverse((at, event.turn(), self.planned, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(job) => self.arrive(job),
            Event::Answer(job, nth, accepts) => self.answer(job, nth, accepts),
            Event::Lapse(job, nth) => self.lapse(job, nth),
            Event::End(job) => self.end(job),
            Event::WrapUpOver(job) => {
                self.jobs[job].state = State::Over;
                self.free(job);
            }
            Event::CustomerLeaves(job) => self.give_up(job),
            // should it be offered now, the end of the offer looks at the wait
            Event::TooLong(job) if self.jobs[job].state == State::Waiting => self.give_up(job),
            Event::Come(agent) => self.come(agent),
            Event::Go(agent) => self.go(agent),
            Event::Back(agent) if self.agents[agent].is("unavailable") => self.come(agent),
            Event::Pass(skill) if !self.skills[skill].queue.is_empty() => self.meet(skill),
            Event::TooLong(_) | Event::Back(_) | Event::Pass(_) => {}
        }
    }

    fn arrive(&mut self, job: usize) {
        self.queue(job);
        let (skill, contact) = (self.jobs[job].skill, &self.day.contacts[job]);
        let longest = SignedDuration::from_secs(i64::from(self.skills[skill].work.max_wait_s));
        // a sweep finds who waits for longer than that
        let too_long = plus(plus(self.now, longest), SignedDuration::from_micros(1));
        self.plan(on_grid(too_long, SWEEP_MS), Event::TooLong(job));
        if let Some(patience) = contact.patience_s {
            self.plan(plus(self.now, span(patience)), Event::CustomerLeaves(job));
        }
        self.meet(skill);
    }

    fn queue(&mut self, nr: usize) {
        let job = &mut self.jobs[nr];
        job.state = State::Waiting;
        self.skills[job.skill].queue.insert(job.priority, job.queued_at, id_of(nr));
    }

    fn unqueue(&mut self, nr: usize) {
        let job = &self.jobs[nr];
        self.skills[job.skill].queue.remove(job.priority, job.queued_at, id_of(nr));
    }

    pub(super) fn offer(&mut self, nr: usize, agent: usize) {
        self.unqueue(nr);
        let now = self.now;
        let rules = &self.skills[self.jobs[nr].skill].work.rules;
        let person = &mut self.agents[agent];
        person.reserve(now, rules);
        let job = &mut self.jobs[nr];
        (job.state, job.agent) = (State::Offered, agent);
        let nth = job.offers;
        job.offers += 1;
        let (by_itself, lapses_at) = (rules.accepts_by_itself, rules.lapses_at(now));
        let name = person.seen.agent.clone();
        let reply = if by_itself { Reply::Accept(SignedDuration::ZERO) } else { self.day.reply(nr, &name, nth) };
        self.run.offers.push(Made { contact: nr, agent: name, at: now });
        self.plan(lapses_at, Event::Lapse(nr, nth));
        let (after, accepts) = match reply {
            Reply::Accept(after) => (after, true),
            Reply::Refuse(after) => (after, false),
            Reply::Miss => return,
        };
        if plus(now, after) < lapses_at {
            self.plan(plus(now, after), Event::Answer(nr, nth, accepts));
        }
    }

    fn is_pending(&self, job: usize, nth: u32) -> bool {
        self.jobs[job].state == State::Offered && self.jobs[job].offers == nth + 1
    }

    fn answer(&mut self, job: usize, nth: u32, accepts: bool) {
        if !self.is_pending(job, nth) {
            return;
        }
        if !accepts {
            self.run.refused += 1;
            let agent = self.jobs[job].agent;
            self.cool(job);
            self.give_back(job);
            self.meet_all(agent, Some(job));
            return;
        }
        let agent = &mut self.agents[self.jobs[job].agent];
        agent.misses = 0;
        agent.answered += 1;
        (self.jobs[job].state, self.jobs[job].accepted_at) = (State::Active, Some(self.now));
        self.plan(plus(self.now, span(self.day.contacts[job].handling_s)), Event::End(job));
    }

    fn lapse(&mut self, job: usize, nth: u32) {
        if !self.is_pending(job, nth) {
            return;
        }
        self.run.lapsed += 1;
        let agent = self.jobs[job].agent;
        self.cool(job);
        self.give_back(job);
        self.agents[agent].misses += 1;
        let mut back = vec![job];
        if self.agents[agent].misses >= MISSES && self.agents[agent].is("available") {
            self.agents[agent].seen.state = "unavailable".into();
            self.agents[agent].seen.next_state = None;
            back.extend(self.rescind(agent));
            let after = span(self.day.behaviour(&self.agents[agent].seen.agent).back_s);
            self.plan(plus(self.now, after), Event::Back(agent));
        }
        for job in back {
            self.meet_all(agent, Some(job));
        }
    }

    fn cool(&mut self, job: usize) {
        let (agent, until) = (self.jobs[job].agent, cool_until(self.now));
        self.jobs[job].cooling.retain(|(who, _)| *who != agent);
        self.jobs[job].cooling.push((agent, until));
    }

    /// An offer ended without an accept: back to its place in the queue, or, past the longest wait, given up; the slot is free.
    fn give_back(&mut self, nr: usize) {
        let job = &mut self.jobs[nr];
        let longest = SignedDuration::from_secs(i64::from(self.skills[job.skill].work.max_wait_s));
        if plus(job.queued_at, longest) <= self.now {
            (job.state, job.abandoned_at) = (State::Over, Some(self.now));
        } else {
            self.queue(nr);
        }
        self.release(nr);
    }

    fn release(&mut self, job: usize) {
        let rules = &self.skills[self.jobs[job].skill].work.rules;
        self.agents[self.jobs[job].agent].release(self.now, rules);
    }

    /// The pending offers of an agent who leaves or is no longer there.
    fn rescind(&mut self, agent: usize) -> Vec<usize> {
        let is_of = |job: &Job| job.state == State::Offered && job.agent == agent;
        let pending: Vec<usize> = (0..self.jobs.len()).filter(|nr| is_of(&self.jobs[*nr])).collect();
        for job in &pending {
            self.give_back(*job);
        }
        pending
    }

    fn end(&mut self, job: usize) {
        if let Some(seconds) = self.skills[self.jobs[job].skill].work.wrap_up_s {
            self.jobs[job].state = State::WrapUp;
            self.plan(plus(self.now, SignedDuration::from_secs(i64::from(seconds))), Event::WrapUpOver(job));
        } else {
            self.jobs[job].state = State::Over;
            self.free(job);
        }
    }

    fn give_up(&mut self, job: usize) {
        let was = self.jobs[job].state;
        match was {
            State::Waiting => self.unqueue(job),
            State::Offered => {}
            _ => return,
        }
        (self.jobs[job].state, self.jobs[job].abandoned_at) = (State::Over, Some(self.now));
        if was == State::Offered {
            self.free(job);
        }
    }

    fn free(&mut self, job: usize) {
        self.release(job);
        let agent = self.jobs[job].agent;
        self.agents[agent].turn();
        self.meet_all(agent, None);
    }

    fn come(&mut self, agent: usize) {
        let (now, person) = (self.now, &mut self.agents[agent]);
        person.pass(now);
        if !person.is("available") {
            person.seen.idle_since = now;
        }
        (person.misses, person.seen.next_state) = (0, None);
        person.seen.state = "available".into();
        self.meet_all(agent, None);
    }

    fn go(&mut self, agent: usize) {
        let back = self.rescind(agent);
        self.agents[agent].pass(self.now);
        self.agents[agent].seen.next_state = Some("logged_out".into());
        self.agents[agent].turn();
        for job in back {
            self.meet_all(agent, Some(job));
        }
    }

    /// What an event of an agent and a contact lets meet: the agent's skills and the contact's, in the order of names.
    fn meet_all(&mut self, agent: usize, job: Option<usize>) {
        let waits = job.filter(|job| self.jobs[*job].state == State::Waiting).map(|job| self.jobs[job].skill);
        let asked: BTreeSet<usize> = self.agents[agent].skills.iter().copied().chain(waits).collect();
        for skill in asked {
            if !self.skills[skill].queue.is_empty() {
                self.meet(skill);
            }
        }
    }

    fn close(mut self) -> Run {
        let end = self.agents.iter().map(|person| person.since).max().unwrap_or(self.now);
        for person in &mut self.agents {
            person.pass(end);
        }
        let worked = |person: &Person| Worked {
            agent: person.seen.agent.clone(),
            answered: person.answered,
            used: person.used,
            there: person.there,
        };
        self.run.agents = self.agents.iter().map(worked).collect();
        let came = self.jobs.iter().filter(|job| job.state != State::ToCome);
        self.run.fates = came
            .map(|job| Fate { queued_at: job.queued_at, accepted_at: job.accepted_at, abandoned_at: job.abandoned_at })
            .collect();
        self.run
    }
}
