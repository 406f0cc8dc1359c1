//! Contacts that change hands at somebody's wish: transfer, park, un-park, takeover. What is asked is done or refused in
//! one transaction, in which slots move, too; nothing is written before the last reason to refuse has been looked for.

mod park;
mod takeover;
mod transfer;

pub use park::{park, say_unparked, unpark, wake};
pub use takeover::takeover;
pub use transfer::{Target, accepted, transfer};

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::contact::{self, Contact};
use super::entry::{self, Entry};
use super::inbound::expiry;
use super::offer::{self, Pending};
use super::refusal::Refusal;
use super::room::{self, Room};
use super::session::{self, Session};
use super::slot::NoSlot;
use super::written::MAX_NOTE;
use crate::facts::envelope::Publication;
use crate::facts::heard::{By, ByKind};
use crate::facts::ids::{ContactId, EntryId, FactId, SessionId, Slug};
use crate::facts::said::{Author, Direction, OfferOutcome};
use crate::failure::Failure;
use crate::tenant::point_of_contact;

/// What is asked of a contact.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// By which fact.
    pub id: FactId,
    /// Whose.
    pub tenant: &'a Slug,
    /// By whom.
    pub by: &'a By,
    /// Of which.
    pub contact_id: ContactId,
    /// For whoever has it next.
    pub note: Option<&'a str>,
    /// The trace it belongs to.
    pub traceparent: Option<&'a str>,
}

/// What became of it.
#[derive(Debug)]
pub enum Moved {
    /// It is done.
    Done(Vec<Publication>),
    /// It is not; what else is to be said (an expiry).
    Refused(Refusal, Vec<Publication>),
}

impl From<Refusal> for Moved {
    fn from(why: Refusal) -> Self {
        Self::Refused(why, Vec::new())
    }
}

/// A contact as it stands, under the locks of its room and itself.
struct Place {
    contact: Contact,
    room: Room,
    session: Option<Session>,
    pending: Option<Pending>,
}

impl Place {
    /// Whose it is, or who parked it.
    fn holder(&self) -> Option<&Slug> {
        contact::holder(&self.contact, self.room.agent.as_ref())
    }

    fn is(&self, states: &[&str]) -> bool {
        states.contains(&self.contact.state.as_str())
    }
}

/// Locks the contact, if it is there to be moved. A session past its deadline ends first: the row decides.
async fn find(tx: &Transaction<'_>, now: Timestamp, asked: &Asked<'_>) -> Result<Result<Place, Moved>, Failure> {
    let found = contact::lock_with_rooms(tx, &[asked.contact_id]).await?.pop();
    let Some(contact) = found.filter(|c| c.tenant == *asked.tenant) else { return Ok(Err(Refusal::NotFound.into())) };
    if matches!(contact.state.as_str(), "wrap_up" | "closed") {
        return Ok(Err(Refusal::AlreadyEnded.into()));
    }
    let Some(room) = room::of_ids(tx, &[contact.room_id]).await?.pop() else {
        return Ok(Err(Refusal::NotFound.into()));
    };
    let session = session::lock_of_rooms(tx, &[room.id]).await?.pop();
    if session.as_ref().is_some_and(|s| s.deadline_at <= now) {
        let ended = contact::end(tx, now, &[expiry(asked.id, contact.id)]).await?;
        return Ok(Err(Moved::Refused(Refusal::SessionExpired, ended.into_iter().flatten().flatten().collect())));
    }
    let pending = offer::pending_of_contacts(tx, &[contact.id]).await?.pop();
    Ok(Ok(Place { contact, room, session, pending }))
}

/// Agents move what is theirs; supervisors and programs what they like.
fn may_not(asked: &Asked<'_>, place: &Place) -> Option<Refusal> {
    match asked.by.kind {
        ByKind::Supervisor | ByKind::Program => None,
        ByKind::Customer => Some(Refusal::NotAllowed),
        ByKind::Agent => {
            let is_theirs = place.holder().is_some_and(|agent| agent.as_str() == asked.by.name);
            (!is_theirs).then_some(Refusal::NotAMember)
        }
    }
}

/// A note that is there at all is 1 to 10,000 characters.
fn is_too_long(asked: &Asked<'_>) -> bool {
    asked.note.is_some_and(|note| note.len() > MAX_NOTE * 4 || note.chars().count() > MAX_NOTE)
}

/// Writes the note into the room: an entry that is never sent.
async fn note(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &Asked<'_>,
    place: &Place,
) -> Result<Vec<Publication>, Failure> {
    let Some(note) = asked.note.filter(|note| !note.is_empty()) else { return Ok(Vec::new()) };
    let (text, flags) = entry::storable(note);
    let is_person = matches!(asked.by.kind, ByKind::Agent | ByKind::Supervisor);
    let entry = Entry {
        room_id: place.room.id,
        seq: place.room.next_seq,
        id: EntryId(asked.id.row("entry", 0)),
        contact_id: Some(place.contact.id),
        direction: Direction::Outbound,
        author: if is_person { Author::Agent } else { Author::Hub },
        agent: Slug::new(&asked.by.name).ok().filter(|_| is_person),
        kind: "note",
        text,
        flags,
        media: None,
        parts: 1,
        at: now,
        written_at: now,
        sms_id: None,
        deadline_at: None,
        caused_by: asked.id,
        ordinal: 0,
    };
    entry::append(tx, &[&entry]).await?;
    Ok(vec![entry::say(&entry, &place.room.ends)])
}

/// Takes back what is offered of a contact, for another move of it.
async fn rescind(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    reason: &str,
    place: &Place,
) -> Result<Vec<Publication>, Failure> {
    offer::give_back(tx, now, cause, OfferOutcome::Rescinded, reason, place.pending.as_slice()).await
}

/// The session goes on with another agent, or begins where the contact waited.
async fn session_with(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &Asked<'_>,
    place: &Place,
    agent: &Slug,
) -> Result<Vec<Publication>, Failure> {
    if let Some(session) = &place.session {
        return Ok(vec![session::hand_over(tx, now, asked.id, session, agent).await?]);
    }
    let timeout_s = point_of_contact::timeout_of_room(tx, place.room.id).await?;
    let deadline_at = session::after(now, timeout_s);
    let session = Session {
        id: SessionId(asked.id.row("session", 0)),
        tenant: place.contact.tenant.clone(),
        room_id: place.room.id,
        contact_id: place.contact.id,
        agent: agent.clone(),
        timeout_s,
        deadline_at,
        timer_gen: 1,
        timer_due_at: deadline_at,
    };
    session::start(tx, now, asked.id, &session, asked.traceparent).await
}

/// Why a slot could not be had; `absent` where the agent's state does not allow it.
#[must_use]
pub fn why_no_slot(no: NoSlot, absent: Refusal) -> Refusal {
    match no {
        NoSlot::NoFreeSlot => Refusal::NoFreeSlot,
        NoSlot::ChannelFull => Refusal::ChannelFull,
        NoSlot::NotThere => absent,
        NoSlot::UnknownAgent => Refusal::UnknownAgent,
    }
}
