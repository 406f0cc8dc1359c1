//! Replies and notes, set-based: rooms, sessions and contacts locked once for the batch, consent read, then one
//! statement each for entries, rooms, texts to send and deadlines. A reply past the deadline expires the session.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Line, media};
use crate::facts::envelope::Publication;
use crate::facts::ids::{FactId, RoomId, Slug};
use crate::facts::said::ContactOutcome;
use crate::failure::Failure;
use crate::hub::contact::{self, Contact};
use crate::hub::entry::{self, Entry};
use crate::hub::inbound::expiry;
use crate::hub::outbound::{self, Outbound};
use crate::hub::refusal::Refusal;
use crate::hub::room::{self, Room};
use crate::hub::session::{self, Session};
use crate::hub::{consent, sql};
use crate::sms::quiet::rows::Asking;
use crate::sms::quiet::{self, Decision};
use crate::tenant::point_of_contact::{self, PointOfContact};

/// A line for a room.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    /// Whose.
    pub tenant: &'a Slug,
    /// Where.
    pub room_id: RoomId,
    /// What.
    pub line: Line<'a>,
}

/// What became of a line.
#[derive(Debug)]
pub enum Posted {
    /// It stands in the transcript.
    Done(Vec<Publication>),
    /// It does not; what else is to be said (an expiry).
    Refused(Refusal, Vec<Publication>),
}

struct Rooms {
    rooms: HashMap<RoomId, Room>,
    sessions: HashMap<RoomId, Session>,
    contacts: HashMap<RoomId, Contact>,
    points: HashMap<(Slug, Slug), PointOfContact>,
    opted_out: HashSet<RoomId>,
    /// Carriers that send no media.
    without_media: HashSet<Slug>,
    /// Quiet hours of a text in a room, where its purpose is not exempt.
    quiet: HashMap<RoomId, Decision>,
}

/// Posts lines in their order; the answers stand in the same order.
pub async fn post(tx: &Transaction<'_>, now: Timestamp, replies: &[Reply<'_>]) -> Result<Vec<Posted>, Failure> {
    let mut rooms = load(tx, now, replies).await?;
    let known = known_agents(tx, replies).await?;
    let mut posted: Vec<Posted> = Vec::with_capacity(replies.len());
    let (mut entries, mut texts): (Vec<Entry>, Vec<Outbound>) = (Vec::new(), Vec::new());
    let mut expired: HashMap<RoomId, FactId> = HashMap::new();
    for reply in replies {
        if let Some(why) = why_not(now, reply, &rooms, &known, &expired) {
            if why == Refusal::SessionExpired && !expired.contains_key(&reply.room_id) {
                expired.insert(reply.room_id, reply.line.id);
            }
            posted.push(Posted::Refused(why, Vec::new()));
            continue;
        }
        let Rooms { rooms, sessions, contacts, points, quiet, .. } = &mut rooms;
        let (Some(room), Some(contact)) = (rooms.get_mut(&reply.room_id), contacts.get(&reply.room_id)) else {
            continue;
        };
        let point = points.get(&(room.ends.tenant.clone(), room.point_of_contact.clone()));
        let (entry, text) = reply.line.entry(now, room, Some(contact.id), sessions.get(&reply.room_id), point);
        let mut said = vec![entry::say(&entry, &room.ends)];
        let decision = quiet.get(&reply.room_id);
        said.extend(text.iter().map(|text| super::say(now, text, decision)));
        posted.push(Posted::Done(said));
        entries.push(entry);
        texts.extend(text);
    }
    write(tx, now, &entries, &texts).await?;
    let decided = texts.iter().filter_map(|text| Some((text.id, rooms.quiet.get(&text.room_id)?)));
    quiet::rows::keep(tx, &decided.collect::<Vec<_>>()).await?;
    expire(tx, now, replies, &rooms, &expired, &mut posted).await?;
    Ok(posted)
}

fn why_not(
    now: Timestamp,
    reply: &Reply<'_>,
    rooms: &Rooms,
    known: &HashSet<(Slug, Slug)>,
    expired: &HashMap<RoomId, FactId>,
) -> Option<Refusal> {
    if !known.contains(&(reply.tenant.clone(), reply.line.agent.clone())) {
        return Some(Refusal::UnknownAgent);
    }
    let Some(room) = rooms.rooms.get(&reply.room_id).filter(|r| r.ends.tenant == *reply.tenant) else {
        return Some(Refusal::UnknownRoom);
    };
    if !reply.line.has_fine_length() {
        return Some(Refusal::TextLength);
    }
    if room.agent.as_ref() != Some(reply.line.agent) {
        return Some(Refusal::NotAMember);
    }
    if room.closed_at.is_some() {
        let is_expired = room.outcome.as_deref() == Some(ContactOutcome::Expired.as_str());
        return Some(if is_expired { Refusal::SessionExpired } else { Refusal::RoomClosed });
    }
    let session = rooms.sessions.get(&reply.room_id);
    if expired.contains_key(&reply.room_id) || session.is_some_and(|s| s.deadline_at <= now) {
        return Some(Refusal::SessionExpired);
    }
    if rooms.contacts.get(&reply.room_id).is_some_and(|c| c.state == "parked") {
        return Some(Refusal::Parked);
    }
    let is_mine = rooms
        .contacts
        .get(&reply.room_id)
        .is_some_and(|c| c.state == "active" && c.agent.as_ref() == Some(reply.line.agent));
    if !is_mine {
        return Some(Refusal::NotAMember);
    }
    if reply.line.is_note {
        return None;
    }
    if let Some(why) = reply.line.refuses_media(rooms.carrier_of(room), &rooms.without_media) {
        return Some(why);
    }
    let is_never = rooms.quiet.get(&reply.room_id).is_some_and(|decision| decision.never().is_some());
    let is_out = rooms.opted_out.contains(&reply.room_id);
    if is_out { Some(Refusal::OptedOut) } else { is_never.then_some(Refusal::NoHours) }
}

impl Rooms {
    fn carrier_of(&self, room: &Room) -> Option<&Slug> {
        let point = self.points.get(&(room.ends.tenant.clone(), room.point_of_contact.clone()))?;
        point.carrier.as_ref().filter(|_| room.ends.channel == "sms")
    }
}

fn asking(room: &Room) -> Asking<'_> {
    Asking { tenant: &room.ends.tenant, room_id: Some(room.id), to: &room.ends.customer_number, named: None }
}

async fn load(tx: &Transaction<'_>, now: Timestamp, replies: &[Reply<'_>]) -> Result<Rooms, Failure> {
    let ids: HashSet<RoomId> = replies.iter().map(|r| r.room_id).collect();
    let ids: Vec<RoomId> = ids.into_iter().collect();
    let rooms: HashMap<RoomId, Room> = room::lock(tx, &ids).await?.into_iter().map(|r| (r.id, r)).collect();
    let sessions = session::lock_of_rooms(tx, &ids).await?.into_iter().map(|s| (s.room_id, s)).collect();
    let contacts = contact::lock_of_rooms(tx, &ids).await?.into_iter().map(|c| (c.room_id, c)).collect();
    let slugs: HashSet<(&Slug, &Slug)> = rooms.values().map(|r| (&r.ends.tenant, &r.point_of_contact)).collect();
    let slugs: Vec<(&Slug, &Slug)> = slugs.into_iter().collect();
    let found = point_of_contact::of_rooms(tx, &slugs).await?;
    let points: HashMap<_, PointOfContact> =
        found.into_iter().flatten().map(|p| ((p.tenant.clone(), p.id.clone()), p)).collect();
    let without_media = if replies.iter().any(|reply| reply.line.has_media()) {
        media::without(tx, &points.values().filter_map(|point| point.carrier.as_ref()).collect::<Vec<_>>()).await?
    } else {
        HashSet::new()
    };
    let by_sms: Vec<&Room> = rooms.values().filter(|r| r.ends.channel == "sms").collect();
    let parties: Vec<consent::Party<'_>> = by_sms
        .iter()
        .map(|r| (r.ends.tenant.as_str(), r.ends.our_number.as_str(), r.ends.customer_number.as_str()))
        .collect();
    let is_out = consent::opted_out(tx, &parties).await?;
    let opted_out = by_sms.iter().zip(is_out).filter(|(_, is_out)| *is_out).map(|(r, _)| r.id).collect();
    let asked: Vec<Asking<'_>> = by_sms.iter().map(|room| asking(room)).collect();
    let decided = quiet::rows::at_request(tx, now, &asked).await?;
    let quiet = by_sms.iter().zip(decided).filter_map(|(room, decision)| Some((room.id, decision?))).collect();
    Ok(Rooms { rooms, sessions, contacts, points, opted_out, without_media, quiet })
}

async fn known_agents(tx: &Transaction<'_>, replies: &[Reply<'_>]) -> Result<HashSet<(Slug, Slug)>, Failure> {
    let tenants: Vec<&Slug> = replies.iter().map(|r| r.tenant).collect();
    let agents: Vec<&Slug> = replies.iter().map(|r| r.line.agent).collect();
    let rows = sql::rows(
        tx,
        "select a.tenant, a.id from agents a
         where (a.tenant, a.id) in (select * from unnest($1::text[], $2::text[]))",
        &[&tenants, &agents],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn write(tx: &Transaction<'_>, now: Timestamp, entries: &[Entry], texts: &[Outbound]) -> Result<(), Failure> {
    if entries.is_empty() {
        return Ok(());
    }
    entry::append(tx, &entries.iter().collect::<Vec<_>>()).await?;
    outbound::request(tx, now, &texts.iter().collect::<Vec<_>>()).await?;
    let moved: HashMap<RoomId, Timestamp> =
        entries.iter().filter_map(|e| e.deadline_at.map(|deadline| (e.room_id, deadline))).collect();
    session::extend(tx, &moved.into_iter().collect::<Vec<_>>()).await
}

/// Expires what a line found past its deadline; said with the refusal of that line.
async fn expire(
    tx: &Transaction<'_>,
    now: Timestamp,
    replies: &[Reply<'_>],
    rooms: &Rooms,
    expired: &HashMap<RoomId, FactId>,
    posted: &mut [Posted],
) -> Result<(), Failure> {
    let due: Vec<(FactId, &Contact)> = expired
        .iter()
        .filter(|(id, _)| rooms.sessions.contains_key(id))
        .filter_map(|(id, cause)| rooms.contacts.get(id).map(|contact| (*cause, contact)))
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    let endings: Vec<_> = due.iter().map(|(cause, contact)| expiry(*cause, contact.id)).collect();
    for ((cause, _), ended) in due.iter().zip(contact::end(tx, now, &endings).await?) {
        let at = replies.iter().position(|r| r.line.id == *cause);
        if let (Some(Posted::Refused(_, said)), Some(ended)) = (at.and_then(|at| posted.get_mut(at)), ended) {
            said.extend(ended);
        }
    }
    Ok(())
}

/// What done lines said, from their rows: for repeats.
pub async fn say_again(tx: &Transaction<'_>, ids: &[FactId]) -> Result<HashMap<FactId, Vec<Publication>>, Failure> {
    let mut said: HashMap<FactId, Vec<Publication>> = HashMap::new();
    for (entry, ends) in entry::of_causes(tx, ids).await? {
        said.entry(entry.caused_by).or_default().push(entry::say(&entry, &ends));
    }
    let held = quiet::rows::held_at_request(tx, ids).await?;
    for (text, requested_at) in outbound::of_causes(tx, ids).await? {
        let again = match held.get(&text.id) {
            Some(until) => outbound::say_held(requested_at, &text, *until),
            None => outbound::say(requested_at, &text),
        };
        said.entry(text.caused_by).or_default().push(again);
    }
    Ok(said)
}
