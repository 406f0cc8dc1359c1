//! What agents write: replies and notes in their rooms, and outreach to customers; what programs do: notices. Each is
//! done or refused; the text, its row to be sent and the moved deadline stand in one transaction.

mod media;
pub mod notice;
pub mod outreach;
pub mod reply;

use crate::facts::envelope::Publication;
use crate::facts::ids::{ContactId, EntryId, FactId, SmsId};
use crate::facts::said::{Author, Direction};
use crate::sms::quiet::Decision;
use crate::tenant::point_of_contact::PointOfContact;

use super::entry::{self, Entry};
use super::outbound::{self, Outbound};
use super::room::Room;
use super::session::{self, Session};
use jiff::Timestamp;
use serde_json::Value;

/// Most characters of an outbound text.
pub const MAX_TEXT: usize = 1_600;
/// Most characters of a note.
pub const MAX_NOTE: usize = 10_000;

/// A text on its way into a room.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// By which fact.
    pub id: FactId,
    /// Who; of a program, whose tenant.
    pub agent: &'a crate::facts::ids::Slug,
    /// What.
    pub text: &'a str,
    /// Links.
    pub media: Option<Value>,
    /// When, says whoever wrote it.
    pub written_at: Timestamp,
    /// Never sent.
    pub is_note: bool,
}

/// What is said of a text: that it is to leave, or until when it is held.
fn say(now: Timestamp, text: &Outbound, decision: Option<&Decision>) -> Publication {
    match decision.and_then(|decision| decision.until) {
        Some(until) => outbound::say_held(now, text, until),
        None => outbound::say(now, text),
    }
}

impl Line<'_> {
    fn has_fine_length(&self) -> bool {
        let most = if self.is_note { MAX_NOTE } else { MAX_TEXT };
        // a character has at most four bytes: no need to count those of a monster
        (!self.text.is_empty() || self.has_media()) && self.text.len() <= most * 4 && self.text.chars().count() <= most
    }

    /// The next entry of a room, and for a text by SMS its row to be sent.
    fn entry(
        &self,
        now: Timestamp,
        room: &mut Room,
        contact_id: Option<ContactId>,
        session: Option<&Session>,
        point: Option<&PointOfContact>,
    ) -> (Entry, Option<Outbound>) {
        let (text, flags) = entry::storable(self.text);
        let seq = room.next_seq;
        room.next_seq += 1;
        let carrier = point.and_then(|p| p.carrier.clone()).filter(|_| room.ends.channel == "sms" && !self.is_note);
        let sms_id = carrier.as_ref().map(|_| SmsId(self.id.row("sms", 0)));
        let entry = Entry {
            room_id: room.id,
            seq,
            id: EntryId(self.id.row("entry", 0)),
            contact_id,
            direction: Direction::Outbound,
            author: Author::Agent,
            agent: Some(self.agent.clone()),
            kind: if self.is_note { "note" } else { "text" },
            parts: if sms_id.is_some() { entry::parts_of(&text) } else { 1 },
            text: text.clone(),
            flags,
            media: self.media.clone(),
            at: now,
            written_at: self.written_at,
            sms_id,
            deadline_at: session.filter(|_| !self.is_note).map(|s| session::after(now, s.timeout_s)),
            caused_by: self.id,
            ordinal: 0,
        };
        let outbound = carrier.zip(sms_id).map(|(carrier, id)| Outbound {
            id,
            room_id: room.id,
            entry_id: entry.id,
            seq,
            ends: room.ends.clone(),
            carrier,
            text,
            media: self.media.clone(),
            is_confirmation: false,
            caused_by: self.id,
        });
        (entry, outbound)
    }
}
