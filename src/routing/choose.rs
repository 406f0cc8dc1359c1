//! The choice itself, pure: waiting contacts in their order meet ready agents as their skill chooses (by proficiency, idle
//! time or load). A preferred agent with room comes first; an agent in a contact's cool-down, or of a proficiency
//! that the contact has not waited long enough for, does not get it. Never more contacts to an agent than there is room for.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::verdict::bar;
use crate::facts::ids::{ContactId, Slug};

/// How far to look for who was next in order.
const RUNNERS_UP: usize = 8;

/// A waiting contact, in the order of the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its id.
    pub id: ContactId,
    /// Who should have it, if free.
    pub preferred_agent: Option<Slug>,
    /// The best proficiency that may have it: 1, but where its flow keeps experts out.
    pub best: i32,
    /// The worst proficiency that may have it now.
    pub worst: i32,
    /// Nobody but the preferred agent may have it yet.
    pub is_held: bool,
}

/// How a skill chooses among its ready agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Best proficiency, then longest idle.
    #[default]
    BestProficiency,
    /// Longest idle.
    LongestIdle,
    /// Fewest slots in use, then longest idle.
    LeastBusy,
}

impl Choice {
    /// From the word of the tenant file.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "longest_idle" => Self::LongestIdle,
            "least_busy" => Self::LeastBusy,
            _ => Self::BestProficiency,
        }
    }

    /// An agent's place before idle time counts.
    #[must_use]
    pub fn rank(self, proficiency: i32, slots_used: i32) -> i32 {
        match self {
            Self::BestProficiency => proficiency,
            Self::LongestIdle => 0,
            Self::LeastBusy => slots_used,
        }
    }
}

/// An agent who is ready for the skill.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Who.
    pub agent: Slug,
    /// 1 best … 20.
    pub proficiency: i32,
    /// The place before idle time counts: see [`Choice::rank`].
    pub rank: i32,
    /// Since when without a new contact.
    pub idle_since: Timestamp,
    /// Contacts of the skill that there is room for.
    pub free: i32,
    /// Slots that each of them takes.
    pub slots: i32,
}

/// Why an agent got a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The one whom the contact prefers.
    Preferred,
    /// Best proficiency, then longest idle.
    BestThenLongestIdle,
    /// Longest idle.
    LongestIdle,
    /// Fewest slots in use, then longest idle.
    LeastBusy,
}

impl Why {
    /// As it is recorded and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::BestThenLongestIdle => "best_proficiency",
            Self::LongestIdle => "longest_idle",
            Self::LeastBusy => "least_busy",
        }
    }
}

/// A contact and its agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Which contact.
    pub contact: ContactId,
    /// Which agent.
    pub agent: Slug,
    /// Why that one.
    pub why: Why,
    /// By what, as it stood.
    pub chosen: Chosen,
}

/// What an agent was chosen by.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The agent's.
    pub proficiency: i32,
    /// Since when the agent had no new contact.
    pub idle_since: Timestamp,
    /// Who was next in order among those looked at.
    pub runner_up: Option<Slug>,
}

/// A ready agent's place: rank, rounds already given here, idle since, name.
type Place<'a> = (i32, i32, Timestamp, &'a Slug);

/// Pairs contacts with agents. `cooling` holds (contact, agent) pairs that must wait.
#[must_use]
pub fn choose(
    choice: Choice,
    waiting: &[Waiting],
    candidates: &[Candidate],
    cooling: &HashSet<(ContactId, Slug)>,
) -> Vec<Pair> {
    let place = |candidate: &'_ Candidate, given: i32| match choice {
        Choice::LeastBusy => (candidate.rank + given * candidate.slots, 0, candidate.idle_since),
        Choice::BestProficiency | Choice::LongestIdle => (candidate.rank, given, candidate.idle_since),
    };
    let mut order: BTreeSet<Place<'_>> = BTreeSet::new();
    let mut state: HashMap<&Slug, (&Candidate, i32)> = HashMap::new();
    for candidate in candidates.iter().filter(|c| c.free > 0) {
        let (rank, given, idle_since) = place(candidate, 0);
        order.insert((rank, given, idle_since, &candidate.agent));
        state.insert(&candidate.agent, (candidate, 0));
    }
    let by_choice = match choice {
        Choice::BestProficiency => Why::BestThenLongestIdle,
        Choice::LongestIdle => Why::LongestIdle,
        Choice::LeastBusy => Why::LeastBusy,
    };
    let mut pairs = Vec::new();
    for contact in waiting {
        if order.is_empty() {
            break;
        }
        let may_have = |agent: &Slug| {
            let is_cooling = !cooling.is_empty() && cooling.contains(&(contact.id, agent.clone()));
            let proficiency = state.get(agent).map(|(candidate, _)| candidate.proficiency);
            proficiency.is_some_and(|proficiency| bar(contact, agent, proficiency, is_cooling).is_none())
        };
        let preferred = contact
            .preferred_agent
            .as_ref()
            .and_then(|agent| state.get(agent))
            .filter(|(candidate, given)| *given < candidate.free && may_have(&candidate.agent))
            .map(|(candidate, given)| {
                let (rank, given, idle_since) = place(candidate, *given);
                (rank, given, idle_since, &candidate.agent)
            });
        let best = order.iter().find(|place| may_have(place.3)).copied();
        let (Some(found), why) = (preferred.or(best), if preferred.is_some() { Why::Preferred } else { by_choice })
        else {
            continue;
        };
        order.remove(&found);
        let runner_up = order.iter().take(RUNNERS_UP).find(|place| may_have(place.3)).map(|place| place.3.clone());
        if let Some((candidate, given)) = state.get_mut(found.3) {
            let Candidate { proficiency, idle_since, .. } = **candidate;
            let chosen = Chosen { proficiency, idle_since, runner_up };
            pairs.push(Pair { contact: contact.id, agent: found.3.clone(), why, chosen });
            *given += 1;
            if *given < candidate.free {
                let (rank, given, idle_since) = place(candidate, *given);
                order.insert((rank, given, idle_since, found.3));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn slug(n: usize) -> Slug {
        Slug::new(&format!("agent-{n}")).unwrap()
    }

    fn contact(n: u128) -> ContactId {
        ContactId(Uuid::from_u128(n))
    }

    fn waiting(n: u128) -> Waiting {
        Waiting { id: contact(n), preferred_agent: None, best: 1, worst: 20, is_held: false }
    }

    fn candidate(n: usize, proficiency: i32, idle_s: i64, free: i32) -> Candidate {
        let idle_since = Timestamp::from_second(1_000_000 - idle_s).unwrap();
        Candidate { agent: slug(n), proficiency, rank: proficiency, idle_since, free, slots: 1 }
    }

    #[test]
    fn best_proficiency_wins_then_longest_idle() {
        let candidates = [candidate(1, 2, 900, 5), candidate(2, 1, 10, 1), candidate(3, 1, 20, 1)];
        let pairs =
            choose(Choice::BestProficiency, &[waiting(1), waiting(2), waiting(3)], &candidates, &HashSet::new());
        assert_eq!(pairs.iter().map(|p| p.agent.clone()).collect::<Vec<_>>(), [slug(3), slug(2), slug(1)]);
        let next: Vec<_> = pairs.iter().map(|p| (p.chosen.proficiency, p.chosen.runner_up.clone())).collect();
        assert_eq!(next, [(1, Some(slug(2))), (1, Some(slug(1))), (2, None)], "before whom");
    }

    #[test]
    fn agents_of_one_proficiency_take_turns() {
        let candidates = [candidate(1, 1, 900, 3), candidate(2, 1, 10, 3)];
        let pairs = choose(
            Choice::BestProficiency,
            &[waiting(1), waiting(2), waiting(3), waiting(4)],
            &candidates,
            &HashSet::new(),
        );
        assert_eq!(pairs.iter().map(|p| p.agent.clone()).collect::<Vec<_>>(), [slug(1), slug(2), slug(1), slug(2)]);
    }

    #[test]
    fn a_preferred_agent_with_a_free_slot_comes_first_and_a_cooling_one_is_passed_over() {
        let candidates = [candidate(1, 1, 900, 1), candidate(2, 9, 10, 1)];
        let preferring = Waiting { preferred_agent: Some(slug(2)), ..waiting(1) };
        let pairs = choose(Choice::BestProficiency, std::slice::from_ref(&preferring), &candidates, &HashSet::new());
        assert_eq!((&pairs[0].agent, pairs[0].why), (&slug(2), Why::Preferred));
        let cooling = HashSet::from([(contact(1), slug(2))]);
        assert_eq!(choose(Choice::BestProficiency, &[preferring], &candidates, &cooling)[0].agent, slug(1));
    }

    #[test]
    fn a_contact_that_only_cooling_agents_could_take_does_not_block_the_next() {
        let cooling = HashSet::from([(contact(1), slug(1))]);
        let pairs = choose(Choice::BestProficiency, &[waiting(1), waiting(2)], &[candidate(1, 1, 1, 1)], &cooling);
        assert_eq!(pairs.iter().map(|p| p.contact).collect::<Vec<_>>(), [contact(2)]);
    }

    #[test]
    fn the_longest_idle_wins_whatever_the_proficiency() {
        let idle = |n, proficiency, idle_s| Candidate { rank: 0, ..candidate(n, proficiency, idle_s, 2) };
        let candidates = [idle(1, 1, 10), idle(2, 9, 900)];
        let pairs = choose(Choice::LongestIdle, &[waiting(1), waiting(2), waiting(3)], &candidates, &HashSet::new());
        assert_eq!(pairs.iter().map(|p| p.agent.clone()).collect::<Vec<_>>(), [slug(2), slug(1), slug(2)]);
        assert_eq!(pairs[0].why, Why::LongestIdle);
    }

    #[test]
    fn the_least_busy_wins_and_is_busier_with_each_contact() {
        let busy = |n, used, idle_s| Candidate { rank: used, ..candidate(n, 1, idle_s, 5) };
        let candidates = [busy(1, 2, 900), busy(2, 0, 10)];
        let four = [waiting(1), waiting(2), waiting(3), waiting(4)];
        let pairs = choose(Choice::LeastBusy, &four, &candidates, &HashSet::new());
        assert_eq!(pairs.iter().map(|p| p.agent.clone()).collect::<Vec<_>>(), [slug(2), slug(2), slug(1), slug(2)]);
        let heavy = candidates.map(|candidate| Candidate { slots: 3, ..candidate });
        let pairs = choose(Choice::LeastBusy, &four, &heavy, &HashSet::new());
        let agents = pairs.iter().map(|p| p.agent.clone()).collect::<Vec<_>>();
        assert_eq!(agents, [slug(2), slug(1), slug(2), slug(1)], "by slots, of which each takes three");
    }

    #[test]
    fn a_contact_waits_for_the_proficiency_that_it_may_have_and_holds_nobody_up() {
        let candidates = [candidate(1, 9, 900, 2)];
        let strict = Waiting { worst: 3, ..waiting(1) };
        let pairs = choose(Choice::BestProficiency, &[strict, waiting(2)], &candidates, &HashSet::new());
        assert_eq!(pairs.iter().map(|p| p.contact).collect::<Vec<_>>(), [contact(2)]);
    }

    #[test]
    fn what_is_held_for_an_agent_goes_to_nobody_else() {
        let held = Waiting { preferred_agent: Some(slug(2)), is_held: true, ..waiting(1) };
        let other = candidate(1, 1, 900, 1);
        let choose = |candidates: &[Candidate]| {
            choose(Choice::BestProficiency, std::slice::from_ref(&held), candidates, &HashSet::new())
        };
        assert!(choose(std::slice::from_ref(&other)).is_empty());
        assert_eq!(choose(&[other, candidate(2, 9, 1, 1)])[0].agent, slug(2));
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_the_free_slots_and_nobody_waits_beside_one(
            free in prop::collection::vec((1..=20i32, 0..1000i64, 0..=12i32), 0..20), contacts in 0..60u128,
        ) {
            let candidates: Vec<_> = free.iter().enumerate().map(|(n, (p, idle, free))| candidate(n, *p, *idle, *free)).collect();
            let waiting: Vec<_> = (0..contacts).map(waiting).collect();
            let pairs = choose(Choice::BestProficiency, &waiting, &candidates, &HashSet::new());
            for candidate in &candidates {
                let given = pairs.iter().filter(|p| p.agent == candidate.agent).count();
                prop_assert!(given <= usize::try_from(candidate.free).unwrap());
            }
            let slots: i32 = candidates.iter().map(|c| c.free).sum();
            prop_assert_eq!(pairs.len(), usize::try_from(slots).unwrap().min(waiting.len()));
            let order: Vec<_> = pairs.iter().map(|p| p.contact).collect();
            prop_assert_eq!(order, waiting.iter().take(pairs.len()).map(|w| w.id).collect::<Vec<_>>());
        }
    }
}
