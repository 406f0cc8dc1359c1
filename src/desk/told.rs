//! What connected desks were told, and what they are to be told next: the difference between rows as they were read last
//! and as they are read now. Pure. Rows are read one after the other, so what is told never goes back; told twice, a row
//! that did not change says nothing.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use jiff::Timestamp;
use uuid::Uuid;

use super::event::{Event, Topic};
use super::hint::Refusal;
use super::read::{After, Found, Settled, State};
use super::shape::{Agent, Entry};
use crate::facts::ids::{ContactId, FactId, OfferId, RoomId, Slug};

/// Who is connected.
#[derive(Clone, Debug, Default)]
pub struct Follows {
    /// Agents who hear.
    pub agents: HashSet<Slug>,
    /// Agents who begin to hear: they get all of it as a snapshot, so nothing is told to them of this reading.
    pub beginning: HashSet<Slug>,
    /// Somebody watches the tenant.
    pub watch: bool,
}

impl Follows {
    fn hears(&self, agent: &Slug) -> bool {
        self.agents.contains(agent) || self.beginning.contains(agent)
    }
}

/// Rows as they were read now.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Contacts that were touched.
    pub contacts: Vec<Found>,
    /// Entries of their rooms: those that [`Told::wanted`] asked for.
    pub entries: HashMap<RoomId, Vec<Entry>>,
    /// Agents that were touched.
    pub agents: Vec<Agent>,
    /// Offers that [`Told::over`] asked for.
    pub settled: Vec<Settled>,
    /// Outbound texts that moved: room, entry, state, reason.
    pub texts: Vec<(RoomId, Uuid, String, Option<String>)>,
    /// Commands that were refused, and who asked.
    pub refused: Vec<(FactId, Slug)>,
}

/// What is known of a contact that somebody was told of.
#[derive(Clone, Debug)]
struct Known {
    room_id: RoomId,
    /// Who has it and hears.
    holder: Option<Slug>,
    /// The newest entry that the holder was told.
    seq: i32,
    /// Of all but entries and times that move with them.
    mark: u64,
    deadline_at: Option<Timestamp>,
    /// Of the summary that those who watch were told.
    watched: Option<u64>,
    offer: Option<(OfferId, Slug)>,
}

/// What connected desks of a tenant were told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    contacts: HashMap<ContactId, Known>,
    rooms: HashMap<RoomId, ContactId>,
    agents: HashMap<Slug, Agent>,
}

/// Something for somebody.
pub type Telling = (Topic, Event);

impl Told {
    /// Entries of these rooms changed that were told already: who has the contact is told it whole.
    pub fn anew<'a>(&mut self, rooms: impl IntoIterator<Item = &'a RoomId>) {
        for room in rooms {
            if let Some(known) = self.rooms.get(room).and_then(|contact| self.contacts.get_mut(contact)) {
                known.mark = 0;
            }
        }
    }

    /// The entries that must be read with these contacts.
    #[must_use]
    pub fn wanted(&self, follows: &Follows, contacts: &[Found]) -> Vec<After> {
        let after = |found: &Found| {
            let holder = found.holder().filter(|holder| follows.hears(holder))?;
            let known = self.contacts.get(&found.contact_id);
            let goes_on = known.is_some_and(|k| k.holder.as_ref() == Some(holder) && k.mark == mark(found));
            let seq = known.filter(|_| goes_on && !follows.beginning.contains(holder)).map_or(0, |known| known.seq);
            (found.last_seq > seq).then_some(After { room_id: found.room_id, seq })
        };
        contacts.iter().filter_map(after).collect()
    }

    /// The offers that somebody was told of and that are not pending any more: how they ended is to be read.
    #[must_use]
    pub fn over(&self, contacts: &[Found]) -> Vec<OfferId> {
        let gone = |found: &Found| {
            let (told, _) = self.contacts.get(&found.contact_id)?.offer.as_ref()?;
            found.offered().is_none_or(|(_, offer)| offer.offer_id != told.0).then_some(*told)
        };
        contacts.iter().filter_map(gone).collect()
    }

    /// What is to be told of what was read; it counts as told.
    pub fn tell(&mut self, follows: &Follows, read: &mut Read, refusals: &[Refusal]) -> Vec<Telling> {
        let mut telling = Vec::new();
        for found in std::mem::take(&mut read.contacts) {
            let entries = read.entries.remove(&found.room_id).unwrap_or_default();
            self.contact(follows, &found, entries, &read.settled, &mut telling);
        }
        for (room, entry_id, state, reason) in std::mem::take(&mut read.texts) {
            let known = self.rooms.get(&room).and_then(|contact| self.contacts.get(contact));
            if let Some(holder) = known.and_then(|known| known.holder.clone()) {
                telling.push((Topic::Agent(holder), Event::EntryState { room_id: room.0, entry_id, state, reason }));
            }
        }
        for agent in std::mem::take(&mut read.agents) {
            if self.agents.get(&agent.id) != Some(&agent) && follows.hears(&agent.id) {
                telling.push((Topic::Agent(agent.id.clone()), Event::Agent { agent: agent.clone() }));
                self.agents.insert(agent.id.clone(), agent);
            }
        }
        for refusal in refusals {
            let by = read.refused.iter().find(|(id, _)| *id == refusal.id).map(|(_, by)| by.clone());
            let refused = Event::Refused {
                refused_id: refusal.id.0,
                refused: refusal.fact.clone(),
                reason: refusal.reason.clone(),
                sentence: refusal.sentence.clone(),
            };
            telling.extend(by.map(|by| (Topic::Agent(by), refused)));
        }
        let is_new = |topic: &Topic| matches!(topic, Topic::Agent(agent) if !follows.agents.contains(agent));
        telling.retain(|(topic, _)| !is_new(topic));
        telling
    }

    fn contact(
        &mut self,
        follows: &Follows,
        found: &Found,
        entries: Vec<Entry>,
        settled: &[Settled],
        telling: &mut Vec<Telling>,
    ) {
        let before = self.contacts.remove(&found.contact_id);
        let holder = found.holder().filter(|holder| follows.hears(holder)).cloned();
        let offer = offers(follows, found, before.as_ref(), settled, telling);
        let left = before.as_ref().and_then(|known| known.holder.as_ref()).filter(|was| Some(*was) != holder.as_ref());
        if let Some(left) = left {
            telling.push((Topic::Agent(left.clone()), gone(found, false)));
        }
        let mut seq = 0;
        if let Some(holder) = &holder {
            let stayed = before.as_ref().filter(|known| known.holder.as_ref() == Some(holder));
            seq = held(holder, found, entries, stayed, telling);
        }
        let watched = watched(follows, found, before.as_ref(), telling);
        if holder.is_none() && watched.is_none() && offer.is_none() {
            self.rooms.remove(&found.room_id);
            return;
        }
        let deadline_at = found.session.as_ref().map(|session| session.deadline_at);
        let known = Known { room_id: found.room_id, holder, seq, mark: mark(found), deadline_at, watched, offer };
        self.rooms.insert(found.room_id, found.contact_id);
        self.contacts.insert(found.contact_id, known);
    }

    /// Some agent was told of a reason that may pass without a fact.
    #[must_use]
    pub fn is_any_barred(&self) -> bool {
        let passes = |why: &str| matches!(why, "cooling_down" | "held" | "out_of_range");
        self.agents.values().any(|agent| agent.why.as_deref().is_some_and(passes))
    }

    /// Forgets what only these agents, or those who watch, were told.
    pub fn forget(&mut self, agents: &[Slug], watch: bool) {
        for known in self.contacts.values_mut() {
            known.holder = known.holder.take().filter(|holder| !agents.contains(holder));
            known.offer = known.offer.take().filter(|(_, agent)| !agents.contains(agent));
            known.watched = known.watched.take().filter(|_| !watch);
        }
        let rooms = &mut self.rooms;
        self.contacts.retain(|_, known| {
            let stays = known.holder.is_some() || known.offer.is_some() || known.watched.is_some();
            if !stays {
                rooms.remove(&known.room_id);
            }
            stays
        });
        self.agents.retain(|agent, _| !agents.contains(agent));
    }
}

/// Tells who has a contact; the newest entry that is told then.
fn held(holder: &Slug, found: &Found, entries: Vec<Entry>, stayed: Option<&Known>, telling: &mut Vec<Telling>) -> i32 {
    let topic = || Topic::Agent(holder.clone());
    let newest = entries.last().map_or(found.last_seq, |entry| entry.seq);
    let same = stayed.filter(|known| known.mark == mark(found));
    let Some(known) = same.filter(|known| goes_on(known.seq, &entries)) else {
        telling.push((topic(), Event::Contact { summary: false, contact: Box::new(found.whole(entries)) }));
        return newest;
    };
    let deadline_at = found.session.as_ref().map(|session| session.deadline_at);
    let mut seq = known.seq;
    // of an agent with a second tab all entries were read: those that the first one has are not told again
    for entry in entries.into_iter().filter(|entry| entry.seq > known.seq) {
        seq = entry.seq;
        let (room_id, contact_id, waiting_since) = (found.room_id.0, found.contact_id.0, found.waiting_since);
        let entry = Box::new(entry);
        telling.push((topic(), Event::Entry { room_id, contact_id, entry, deadline_at, waiting_since }));
    }
    if seq == known.seq && deadline_at != known.deadline_at {
        let (room_id, contact_id) = (found.room_id.0, found.contact_id.0);
        telling.push((topic(), Event::Session { room_id, contact_id, deadline_at }));
    }
    seq
}

/// Nothing is missing between what was told and what was read.
fn goes_on(seq: i32, entries: &[Entry]) -> bool {
    entries.first().is_none_or(|first| first.seq <= seq + 1)
}

/// Tells what is offered of a contact, and what is no more.
fn offers(
    follows: &Follows,
    found: &Found,
    before: Option<&Known>,
    settled: &[Settled],
    telling: &mut Vec<Telling>,
) -> Option<(OfferId, Slug)> {
    let told = before.and_then(|known| known.offer.as_ref());
    let pending = found.offered().filter(|(agent, _)| follows.hears(agent));
    let is_same = |told: &&(OfferId, Slug)| pending.as_ref().is_some_and(|(_, offer)| offer.offer_id == told.0.0);
    if let Some((id, agent)) = told.filter(|told| !is_same(told)) {
        let end = settled.iter().find(|settled| settled.offer_id == id.0);
        let gone = Event::OfferGone {
            offer_id: id.0,
            contact_id: found.contact_id.0,
            outcome: end.map_or("rescinded", |end| end.outcome.as_str()).to_owned(),
            reason: end.and_then(|end| end.reason.clone()),
        };
        telling.push((Topic::Agent(agent.clone()), gone));
    }
    let (agent, offer) = pending?;
    let (id, agent) = (OfferId(offer.offer_id), agent.clone());
    if told.is_none_or(|told| told.0 != id) {
        telling.push((Topic::Agent(agent.clone()), Event::Offer { offer }));
    }
    Some((id, agent))
}

/// Tells those who watch the tenant.
fn watched(follows: &Follows, found: &Found, before: Option<&Known>, telling: &mut Vec<Telling>) -> Option<u64> {
    let told = before.and_then(|known| known.watched);
    if !follows.watch {
        return None;
    }
    if found.state == State::Closed {
        // one that nobody heard of is over before it began
        telling.extend(told.map(|_| (Topic::Watch, gone(found, true))));
        return None;
    }
    let summary = found.summary();
    let now = hash(&summary);
    if told != Some(now) {
        telling.push((Topic::Watch, Event::Contact { summary: true, contact: Box::new(summary) }));
    }
    Some(now)
}

fn gone(found: &Found, summary: bool) -> Event {
    let is_over = found.state == State::Closed;
    Event::ContactGone {
        contact_id: found.contact_id.0,
        summary,
        outcome: found.outcome.clone().filter(|_| is_over),
        reason: if is_over { found.reason.clone() } else { Some("moved".to_owned()) },
    }
}

/// Of all that an upsert tells and entries do not.
fn mark(found: &Found) -> u64 {
    let mut rest = found.summary();
    (rest.waiting_since, rest.last_seq) = (None, 0);
    if let Some(session) = &mut rest.session {
        session.deadline_at = Timestamp::UNIX_EPOCH;
    }
    hash(&rest)
}

fn hash(value: &impl serde::Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(value).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
