//! The choice itself, pure: waiting contacts in their order meet ready agents by proficiency, then longest idle. A
//! preferred agent with a free slot comes first; an agent in a contact's cool-down does not get it. Never more contacts
//! to an agent than free slots.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::facts::ids::{ContactId, Slug};

/// A waiting contact, in the order of the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its id.
    pub id: ContactId,
    /// Who should have it, if free.
    pub preferred_agent: Option<Slug>,
}

/// An agent who is ready for the skill.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Who.
    pub agent: Slug,
    /// 1 best … 20.
    pub proficiency: i32,
    /// Since when without a new contact.
    pub idle_since: Timestamp,
    /// Free slots.
    pub free: i32,
}

/// Why an agent got a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The one whom the contact prefers.
    Preferred,
    /// Best proficiency, then longest idle.
    BestThenLongestIdle,
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
}

/// Pairs contacts with agents. `cooling` holds (contact, agent) pairs that must wait.
#[must_use]
pub fn choose(waiting: &[Waiting], candidates: &[Candidate], cooling: &HashSet<(ContactId, Slug)>) -> Vec<Pair> {
    // rank: proficiency, rounds already given here, idle since, name
    let mut order: BTreeSet<(i32, i32, Timestamp, &Slug)> = BTreeSet::new();
    let mut state: HashMap<&Slug, (&Candidate, i32)> = HashMap::new();
    for candidate in candidates.iter().filter(|c| c.free > 0) {
        order.insert((candidate.proficiency, 0, candidate.idle_since, &candidate.agent));
        state.insert(&candidate.agent, (candidate, 0));
    }
    let mut pairs = Vec::new();
    for contact in waiting {
        let is_cooling = |agent: &Slug| !cooling.is_empty() && cooling.contains(&(contact.id, agent.clone()));
        let preferred = contact
            .preferred_agent
            .as_ref()
            .and_then(|agent| state.get(agent))
            .filter(|(candidate, given)| *given < candidate.free && !is_cooling(&candidate.agent))
            .map(|(candidate, given)| (candidate.proficiency, *given, candidate.idle_since, &candidate.agent));
        let best = order.iter().find(|rank| !is_cooling(rank.3)).copied();
        let (Some(rank), why) =
            (preferred.or(best), if preferred.is_some() { Why::Preferred } else { Why::BestThenLongestIdle })
        else {
            continue;
        };
        let agent = rank.3;
        order.remove(&rank);
        if let Some((candidate, given)) = state.get_mut(agent) {
            *given += 1;
            if *given < candidate.free {
                order.insert((candidate.proficiency, *given, candidate.idle_since, agent));
            }
        }
        pairs.push(Pair { contact: contact.id, agent: agent.clone(), why });
        if order.is_empty() {
            break;
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
        Waiting { id: contact(n), preferred_agent: None }
    }

    fn candidate(n: usize, proficiency: i32, idle_s: i64, free: i32) -> Candidate {
        Candidate { agent: slug(n), proficiency, idle_since: Timestamp::from_second(1_000_000 - idle_s).unwrap(), free }
    }

    #[test]
    fn best_proficiency_wins_then_longest_idle() {
        let candidates = [candidate(1, 2, 900, 5), candidate(2, 1, 10, 1), candidate(3, 1, 20, 1)];
        let pairs = choose(&[waiting(1), waiting(2), waiting(3)], &candidates, &HashSet::new());
        assert_eq!(pairs.iter().map(|p| p.agent.clone()).collect::<Vec<_>>(), [slug(3), slug(2), slug(1)]);
    }

    #[test]
    fn agents_of_one_proficiency_take_turns() {
        let candidates = [candidate(1, 1, 900, 3), candidate(2, 1, 10, 3)];
        let pairs = choose(&[waiting(1), waiting(2), waiting(3), waiting(4)], &candidates, &HashSet::new());
        assert_eq!(pairs.iter().map(|p| p.agent.clone()).collect::<Vec<_>>(), [slug(1), slug(2), slug(1), slug(2)]);
    }

    #[test]
    fn a_preferred_agent_with_a_free_slot_comes_first_and_a_cooling_one_is_passed_over() {
        let candidates = [candidate(1, 1, 900, 1), candidate(2, 9, 10, 1)];
        let preferring = Waiting { id: contact(1), preferred_agent: Some(slug(2)) };
        let pairs = choose(std::slice::from_ref(&preferring), &candidates, &HashSet::new());
        assert_eq!((&pairs[0].agent, pairs[0].why), (&slug(2), Why::Preferred));
        let cooling = HashSet::from([(contact(1), slug(2))]);
        assert_eq!(choose(&[preferring], &candidates, &cooling)[0].agent, slug(1));
    }

    #[test]
    fn a_contact_that_only_cooling_agents_could_take_does_not_block_the_next() {
        let cooling = HashSet::from([(contact(1), slug(1))]);
        let pairs = choose(&[waiting(1), waiting(2)], &[candidate(1, 1, 1, 1)], &cooling);
        assert_eq!(pairs.iter().map(|p| p.contact).collect::<Vec<_>>(), [contact(2)]);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_the_free_slots_and_nobody_waits_beside_one(
            free in prop::collection::vec((1..=20i32, 0..1000i64, 0..=12i32), 0..20), contacts in 0..60u128,
        ) {
            let candidates: Vec<_> = free.iter().enumerate().map(|(n, (p, idle, free))| candidate(n, *p, *idle, *free)).collect();
            let waiting: Vec<_> = (0..contacts).map(waiting).collect();
            let pairs = choose(&waiting, &candidates, &HashSet::new());
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
