//! Why an agent does not get a contact, pure: one rule for each pair that the choice and `texthub why` share, and one for
//! who is ready. The reasons are a closed list of words.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::choose::{Candidate, Waiting};
use super::skill::Skill;
use super::waiting::COOL_DOWN_S;
use crate::facts::ids::Slug;

/// What stands between a contact and a ready agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// The agent refused, missed or lost it lately.
    CoolDown,
    /// It is kept for another one.
    Held,
    /// The proficiency is outside its range.
    Proficiency,
}

/// What bars a ready agent from a contact now; none: nothing.
#[must_use]
pub fn bar(contact: &Waiting, agent: &Slug, proficiency: i32, is_cooling: bool) -> Option<Bar> {
    if is_cooling {
        Some(Bar::CoolDown)
    } else if contact.is_held && contact.preferred_agent.as_ref() != Some(agent) {
        Some(Bar::Held)
    } else if !(contact.best..=contact.worst).contains(&proficiency) {
        Some(Bar::Proficiency)
    } else {
        None
    }
}

/// An agent with the skill, as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// Who.
    pub agent: Slug,
    /// `logged_out`, `unavailable`, `available`.
    pub state: String,
    /// Why unavailable.
    pub code: Option<Slug>,
    /// What follows when the last slot is freed.
    pub next_state: Option<String>,
    /// Slots in use.
    pub slots_used: i32,
    /// Most of them.
    pub limit: i32,
    /// Contacts of the skill's channel.
    pub channel_used: i32,
    /// Most of them.
    pub channel_limit: i32,
    /// 1 best … 20.
    pub proficiency: i32,
    /// Since when without a new contact.
    pub idle_since: Timestamp,
}

impl Agent {
    /// As the choice sees an agent who is ready: available, not about to leave, room for a contact by both limits.
    pub fn ready(&self, skill: &Skill) -> Result<Candidate, WhyNot> {
        match self.state.as_str() {
            "available" => {}
            "unavailable" => return Err(WhyNot::Unavailable { code: self.code.clone() }),
            _ => return Err(WhyNot::LoggedOut),
        }
        if let Some(next_state) = &self.next_state {
            return Err(WhyNot::Leaving { next_state: next_state.clone() });
        }
        let (used, limit, takes) = (self.slots_used, self.limit, skill.slots);
        if used + takes > limit {
            return Err(WhyNot::NoFreeSlot { used, limit, takes });
        }
        let (used, limit) = (self.channel_used, self.channel_limit);
        if used >= limit {
            return Err(WhyNot::ChannelFull { channel: skill.channel.clone(), used, limit });
        }
        Ok(Candidate {
            agent: self.agent.clone(),
            proficiency: self.proficiency,
            rank: skill.choice.rank(self.proficiency, self.slots_used),
            idle_since: self.idle_since,
            free: ((self.limit - self.slots_used) / takes).min(limit - used),
            slots: takes,
        })
    }
}

/// Why an agent of the skill does not get the contact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "why_not", rename_all = "snake_case")]
pub enum WhyNot {
    /// Not there.
    LoggedOut,
    /// There, and not for contacts.
    Unavailable {
        /// The agent's code.
        code: Option<Slug>,
    },
    /// Finishes what is at hand and leaves.
    Leaving {
        /// To which state.
        next_state: String,
    },
    /// The shared limit leaves no room.
    NoFreeSlot {
        /// In use.
        used: i32,
        /// Most.
        limit: i32,
        /// What the contact takes.
        takes: i32,
    },
    /// The channel's limit leaves none.
    ChannelFull {
        /// Which.
        channel: String,
        /// Contacts.
        used: i32,
        /// Most.
        limit: i32,
    },
    /// Refused, missed, gave away or did not answer it lately.
    CoolDown {
        /// How that came about.
        what: String,
        /// When.
        since: Timestamp,
        /// From when on it may be offered again.
        until: Timestamp,
    },
    /// It is kept for its preferred agent.
    Held {
        /// Whom it prefers.
        agent: Option<Slug>,
        /// How long.
        until: Option<Timestamp>,
    },
    /// Outside the range of proficiency that may have it now.
    OutOfRange {
        /// The agent's.
        proficiency: i32,
        /// Of the range.
        best: i32,
        /// Of the range.
        worst: i32,
        /// When it widens as far; none: never.
        widens_at: Option<Timestamp>,
    },
}

impl WhyNot {
    /// In words, as people read them.
    #[must_use]
    pub fn sentence(&self, now: Timestamp) -> String {
        let ago = |since: &Timestamp| now.duration_since(*since).as_secs().max(0);
        match self {
            Self::LoggedOut => "logged_out".into(),
            Self::Unavailable { code: Some(code) } => format!("unavailable ({code})"),
            Self::Unavailable { code: None } => "unavailable".into(),
            Self::Leaving { next_state } => format!("leaving: {next_state} when the last contact is over"),
            Self::NoFreeSlot { used, limit, takes: 1 } => format!("no_free_slot: slots {used}/{limit}"),
            Self::NoFreeSlot { used, limit, takes } => {
                format!("no_free_slot: slots {used}/{limit}, and the contact takes {takes}")
            }
            Self::ChannelFull { channel, used, limit } => format!("channel_full: {channel} {used}/{limit}"),
            Self::CoolDown { what, since, until } => format!("cool_down: {what} {} s ago, until {until}", ago(since)),
            Self::Held { agent, until } => {
                let whom = agent.as_ref().map_or("its preferred agent", Slug::as_str);
                format!("held for {whom}{}", until.map(|until| format!(" until {until}")).unwrap_or_default())
            }
            Self::OutOfRange { proficiency, best, worst, widens_at } => {
                let widens = widens_at.map(|at| format!(" until it widens at {at}")).unwrap_or_default();
                format!("out_of_range: proficiency {proficiency} outside {best}..{worst}{widens}")
            }
        }
    }
}

/// A waiting contact, and what is known of why it may not go to everybody.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// As the choice sees it: its range is the one of now.
    pub waiting: &'a Waiting,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// The worst proficiency that its flow ever lets have it.
    pub flow_worst: i32,
    /// Until when it is kept for its preferred agent.
    pub hold_until: Option<Timestamp>,
    /// Agents in their cool-down: who, how it came about, when.
    pub cooling: &'a [(Slug, String, Timestamp)],
}

/// Whether an agent of the skill may have the contact, or why not.
pub fn verdict(skill: &Skill, case: &Case<'_>, agent: &Agent) -> Result<Candidate, WhyNot> {
    let candidate = agent.ready(skill)?;
    let cooling = case.cooling.iter().find(|(who, ..)| *who == agent.agent);
    match (bar(case.waiting, &agent.agent, agent.proficiency, cooling.is_some()), cooling) {
        (None, _) => Ok(candidate),
        (Some(Bar::CoolDown), Some((_, what, since))) => Err(WhyNot::CoolDown {
            what: what.clone(),
            since: *since,
            until: since.checked_add(SignedDuration::from_secs(COOL_DOWN_S)).unwrap_or(*since),
        }),
        (Some(Bar::Held), _) => {
            Err(WhyNot::Held { agent: case.waiting.preferred_agent.clone(), until: case.hold_until })
        }
        (Some(_), _) => Err(WhyNot::OutOfRange {
            proficiency: agent.proficiency,
            best: case.waiting.best,
            worst: case.waiting.worst,
            widens_at: (case.waiting.best..=case.flow_worst)
                .contains(&agent.proficiency)
                .then(|| skill.widens_at(case.queued_at, agent.proficiency))
                .flatten(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::choose::{Choice, choose};
    use super::super::skill::Step;
    use super::*;
    use crate::facts::ids::ContactId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn slug(n: usize) -> Slug {
        Slug::new(&format!("agent-{n}")).unwrap()
    }

    fn skill(choice: Choice) -> Skill {
        let widening = vec![Step { after_s: 0, worst: 3 }, Step { after_s: 60, worst: 9 }];
        Skill { offer_timeout_s: 30, choice, widening, accepts_by_itself: false, channel: "chat".into(), slots: 2 }
    }

    fn agent(proficiency: i32) -> Agent {
        Agent {
            agent: slug(1),
            state: "available".into(),
            code: None,
            next_state: None,
            slots_used: 0,
            limit: 5,
            channel_used: 0,
            channel_limit: 2,
            proficiency,
            idle_since: at(0),
        }
    }

    #[test]
    fn every_reason_has_its_words() {
        let waiting =
            Waiting { id: ContactId(Uuid::nil()), preferred_agent: Some(slug(2)), best: 1, worst: 3, is_held: false };
        let cooling = [(slug(1), "refused".to_owned(), at(28))];
        let free = Case { waiting: &waiting, queued_at: at(0), flow_worst: 20, hold_until: Some(at(90)), cooling: &[] };
        let cool = Case { cooling: &cooling, ..free.clone() };
        let kept = Waiting { is_held: true, ..waiting.clone() };
        let held = Case { waiting: &kept, ..free.clone() };
        let words = |case: &Case<'_>, agent: &Agent| {
            let why = verdict(&skill(Choice::BestProficiency), case, agent).unwrap_err();
            why.sentence(at(40))
        };
        let lunch = Slug::new("lunch").unwrap();
        let with = |change: fn(&mut Agent)| {
            let mut agent = agent(1);
            change(&mut agent);
            agent
        };
        assert_eq!(words(&free, &with(|a| a.state = "logged_out".into())), "logged_out");
        let away = Agent { state: "unavailable".into(), code: Some(lunch), ..agent(1) };
        assert_eq!(words(&free, &away), "unavailable (lunch)");
        let leaving = words(&free, &with(|a| a.next_state = Some("logged_out".into())));
        assert_eq!(leaving, "leaving: logged_out when the last contact is over");
        let full = "no_free_slot: slots 4/5, and the contact takes 2";
        assert_eq!(words(&free, &with(|a| (a.slots_used, a.channel_used) = (4, 2))), full);
        assert_eq!(words(&free, &with(|a| (a.slots_used, a.channel_used) = (3, 2))), "channel_full: chat 2/2");
        let single = WhyNot::NoFreeSlot { used: 5, limit: 5, takes: 1 };
        assert_eq!(single.sentence(at(40)), "no_free_slot: slots 5/5");
        assert_eq!(words(&cool, &agent(1)), format!("cool_down: refused 12 s ago, until {}", at(58)));
        assert_eq!(words(&held, &agent(1)), format!("held for agent-2 until {}", at(90)));
        let range = format!("out_of_range: proficiency 9 outside 1..3 until it widens at {}", at(60));
        assert_eq!(words(&free, &agent(9)), range);
        assert_eq!(words(&free, &agent(10)), "out_of_range: proficiency 10 outside 1..3");
        assert!(verdict(&skill(Choice::BestProficiency), &free, &agent(3)).is_ok());
    }

    proptest! {
        #[test]
        fn who_is_eligible_is_whom_the_choice_would_take(
            agents in prop::collection::vec((0..3_usize, any::<bool>(), 0..=3i32, 1..=12i32, 0..1000i64, any::<bool>()), 1..12),
            prefers in prop::option::of(0..12_usize), is_held in any::<bool>(), best in 1..4i32, worst in 1..13i32,
            choice in 0..3_usize,
        ) {
            let choice = [Choice::BestProficiency, Choice::LongestIdle, Choice::LeastBusy][choice];
            let skill = skill(choice);
            let preferred_agent = prefers.map(slug);
            let waiting = Waiting { id: ContactId(Uuid::nil()), preferred_agent, best, worst, is_held };
            let mut cooling: Vec<(Slug, String, Timestamp)> = Vec::new();
            let mut all: Vec<Agent> = Vec::new();
            for (n, (state, leaves, used, proficiency, idle, cools)) in agents.into_iter().enumerate() {
                let state = ["available", "unavailable", "logged_out"][state].to_owned();
                let next_state = (leaves && n % 3 == 0).then(|| "logged_out".to_owned());
                all.push(Agent { agent: slug(n), state, code: None, next_state, slots_used: used, limit: 3, channel_used: used / 2,
                                 channel_limit: 1, proficiency,
                                 idle_since: at(idle) });
                if cools {
                    cooling.push((slug(n), "refused".into(), at(0)));
                }
            }
            let case = Case { waiting: &waiting, queued_at: at(0), flow_worst: 20, hold_until: None, cooling: &cooling };
            let pairs: HashSet<_> = cooling.iter().map(|(who, ..)| (waiting.id, who.clone())).collect();
            let taken = |agents: &[Agent]| {
                let ready: Vec<Candidate> = agents.iter().filter_map(|a| a.ready(&skill).ok()).collect();
                choose(choice, std::slice::from_ref(&waiting), &ready, &pairs).pop().map(|pair| pair.agent)
            };
            let mut eligible: Vec<Slug> = Vec::new();
            for agent in &all {
                let is_eligible = verdict(&skill, &case, agent).is_ok();
                let alone = taken(std::slice::from_ref(agent));
                prop_assert_eq!(alone, is_eligible.then(|| agent.agent.clone()), "{:?}", agent);
                eligible.extend(is_eligible.then(|| agent.agent.clone()));
            }
            let among = taken(&all);
            prop_assert_eq!(among.is_some(), !eligible.is_empty());
            prop_assert!(among.is_none_or(|agent| eligible.contains(&agent)));
        }
    }
}
