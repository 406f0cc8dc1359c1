//! Plain texts of a wave, set-based: rooms, contacts, entries, numbers and deadlines in one statement each.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};

use super::{Arrival, Conversation, Fate, Kind, Recorded, disabled};
use crate::facts::envelope::Publication;
use crate::facts::ids::{ContactId, FactId, RoomId};
use crate::failure::Failure;
use crate::flow::said;
use crate::hub::contact::{self, Contact};
use crate::hub::entry::{self, Entry};
use crate::hub::room::{self, Ends, Room};
use crate::hub::sender::{self, Withheld};
use crate::hub::session;
use crate::media;

pub(super) async fn record(
    tx: &Transaction<'_>,
    now: Timestamp,
    wave: &[Arrival],
    conversations: &mut HashMap<Ends, Conversation>,
) -> Result<Vec<(usize, Fate)>, Failure> {
    let mut results: Vec<(usize, Fate)> = Vec::with_capacity(wave.len());
    let mut entries: Vec<(&Arrival, Entry)> = Vec::with_capacity(wave.len());
    let mut queued: Vec<Contact> = Vec::new();
    let mut withheld: Vec<&Arrival> = Vec::new();
    for (nth, arrival) in wave.iter().enumerate().filter(|(_, a)| a.kind == Kind::Text) {
        let Some(conversation) = conversations.get_mut(&arrival.ends) else { continue };
        let is_flood = conversation.floods(arrival);
        conversation.heard += 1;
        if is_flood && conversation.would_begin() {
            withheld.push(arrival);
            let beside = conversation.beside.as_ref().filter(|(cause, _)| *cause == arrival.id);
            let said: Vec<Publication> = beside.iter().flat_map(|(_, said)| said.clone()).collect();
            let is_kept = !said.is_empty();
            results.push((arrival.index, Ok(Recorded { said, is_kept })));
            continue;
        }
        if conversation.room.is_none() {
            if !arrival.point.is_live {
                results.push((arrival.index, Err(disabled())));
                continue;
            }
            conversation.open(now, arrival);
        }
        if conversation.contact.is_none() {
            let contact = new_contact(now, nth, arrival, conversation);
            queued.extend(contact.clone());
            conversation.contact = contact;
        }
        entries.extend(conversation.entry(now, arrival).map(|entry| (arrival, entry)));
    }
    sender::withhold(tx, now, Withheld::Flood, &withheld).await?;
    let timers = write(tx, now, &entries, &queued, conversations).await?;
    for (arrival, entry) in &entries {
        let Some(conversation) = conversations.get(&arrival.ends) else { continue };
        let timer = timers.iter().find(|(cause, _)| *cause == arrival.id).map(|(_, timer)| timer);
        results.push((arrival.index, Ok(say(now, arrival, entry, &queued, conversation, timer))));
    }
    Ok(results)
}

fn new_contact(now: Timestamp, nth: usize, arrival: &Arrival, conversation: &Conversation) -> Option<Contact> {
    // neighbours of a batch keep their order in the queue: a microsecond apart
    let place = SignedDuration::from_micros(i64::try_from(nth).unwrap_or(0));
    Some(Contact {
        id: ContactId(arrival.id.row("contact", 0)),
        tenant: arrival.ends.tenant.clone(),
        room_id: conversation.room.as_ref()?.id,
        channel: arrival.ends.channel.clone(),
        skill: arrival.point.skill.clone(),
        state: if arrival.point.flow.is_some() { "prequeue" } else { "queued" }.into(),
        priority: arrival.point.priority,
        queued_at: now.checked_add(place).unwrap_or(now),
        agent: None,
        preferred_agent: conversation.wrapping_agent.clone(),
        caused_by: arrival.id,
        slots: 1,
    })
}

async fn write(
    tx: &Transaction<'_>,
    now: Timestamp,
    entries: &[(&Arrival, Entry)],
    queued: &[Contact],
    conversations: &HashMap<Ends, Conversation>,
) -> Result<Vec<(FactId, Publication)>, Failure> {
    let mut opened: Vec<&Room> = Vec::new();
    let mut traces: Vec<Option<&str>> = Vec::new();
    let mut deadlines: HashMap<RoomId, Timestamp> = HashMap::new();
    let mut answers: Vec<(ContactId, FactId)> = Vec::new();
    for (arrival, entry) in entries {
        let Some(conversation) = conversations.get(&arrival.ends) else { continue };
        let Some(room) = &conversation.room else { continue };
        if conversation.is_new && room.caused_by == arrival.id {
            opened.push(room);
            traces.push(arrival.traceparent.as_deref());
        }
        if let Some(deadline) = entry.deadline_at {
            deadlines.insert(room.id, deadline);
        }
        let active = conversation.contact.as_ref().filter(|c| c.state == "active");
        if let Some(contact) = active.filter(|c| answers.iter().all(|(id, _)| *id != c.id)) {
            answers.push((contact.id, arrival.id));
        }
    }
    let (queued, entries): (Vec<&Contact>, Vec<&Entry>) =
        (queued.iter().collect(), entries.iter().map(|(_, entry)| entry).collect());
    let deadlines: Vec<_> = deadlines.into_iter().collect();
    // sent together, run in this order: one round trip instead of many
    let (.., timers) = tokio::try_join!(
        biased;
        room::open(tx, &opened, &traces),
        contact::add(tx, now, &queued),
        entry::append(tx, &entries),
        session::extend(tx, &deadlines),
        contact::arm_answers(tx, now, &answers),
    )?;
    Ok(timers)
}

fn say(
    now: Timestamp,
    arrival: &Arrival,
    entry: &Entry,
    queued: &[Contact],
    conversation: &Conversation,
    timer: Option<&Publication>,
) -> Recorded {
    let mut said = Vec::new();
    let beside = conversation.beside.as_ref().filter(|(cause, _)| *cause == arrival.id);
    said.extend(beside.iter().flat_map(|(_, said)| said.clone()));
    said.extend(
        conversation.room.as_ref().filter(|r| r.caused_by == arrival.id).map(|r| room::say_opened(r, "inbound")),
    );
    said.push(entry::say(entry, &arrival.ends));
    said.extend(media::asks(entry, &arrival.ends));
    let is_new = |c: &&Contact| c.caused_by == arrival.id && c.state == "queued";
    said.extend(queued.iter().filter(is_new).map(|c| contact::say_queued(now, c)));
    let in_flow = conversation.contact.as_ref().filter(|c| c.state == "prequeue");
    said.extend(in_flow.map(|c| said::say_texted(now, arrival.id, c, entry.seq)));
    said.extend(timer.cloned());
    let said: Vec<Publication> = said.into_iter().map(|p| p.traced(arrival.traceparent.as_deref())).collect();
    Recorded { said, is_kept: beside.is_some() || timer.is_some() || in_flow.is_some() }
}

/// What plain texts said when they were recorded, from their rows: for repeats.
pub(crate) async fn say_again(
    tx: &Transaction<'_>,
    ids: &[FactId],
) -> Result<HashMap<FactId, Vec<Publication>>, Failure> {
    let entries = entry::of_causes(tx, ids).await?;
    let rooms: Vec<RoomId> = entries.iter().map(|(e, _)| e.room_id).collect();
    let rooms = room::of_ids(tx, &rooms).await?;
    let contacts = contact::of_causes(tx, ids).await?;
    let mut said: HashMap<FactId, Vec<Publication>> = HashMap::new();
    for (entry, ends) in &entries {
        let list = said.entry(entry.caused_by).or_default();
        list.extend(rooms.iter().filter(|r| r.caused_by == entry.caused_by).map(|r| room::say_opened(r, "inbound")));
        list.push(entry::say(entry, ends));
        list.extend(media::asks(entry, ends));
        list.extend(
            contacts.iter().filter(|c| c.caused_by == entry.caused_by).map(|c| contact::say_queued(entry.at, c)),
        );
    }
    Ok(said)
}
