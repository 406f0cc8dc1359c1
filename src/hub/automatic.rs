//! Texts that the hub itself sends into a room: of a flow, of a rule. Consent is read here, in the transaction that
//! requests, and again when the text is claimed to be sent.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::entry::{self, Entry};
use super::outbound::{self, Outbound};
use super::room::Room;
use super::{consent, sql};
use crate::facts::envelope::Publication;
use crate::facts::ids::{ContactId, EntryId, FactId, Slug, SmsId};
use crate::facts::said::{Author, Direction};
use crate::failure::Failure;

/// A text and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its own: all ids follow from it, so that one fact may lead to several.
    pub cause: FactId,
    /// Locked.
    pub contact_id: ContactId,
    /// Of the room's point of contact.
    pub carrier: Option<&'a Slug>,
    /// What.
    pub text: &'a str,
}

/// Writes the text into a locked room and, by SMS, requests that it is sent. Nothing of it where nothing may leave: for a
/// customer who opted out, from a number without a carrier.
pub async fn say(
    tx: &Transaction<'_>,
    now: Timestamp,
    room: &mut Room,
    line: &Line<'_>,
) -> Result<Vec<Publication>, Failure> {
    let ends = room.ends.clone();
    let is_sms = ends.channel == "sms";
    let carrier = line.carrier.filter(|_| is_sms);
    if is_sms {
        let party = (ends.tenant.as_str(), ends.our_number.as_str(), ends.customer_number.as_str());
        if carrier.is_none() || consent::opted_out(tx, &[party]).await?.contains(&true) {
            return Ok(Vec::new());
        }
    }
    let (text, cause) = (entry::words(line.text), line.cause);
    let sms_id = carrier.map(|_| SmsId(cause.row("sms", 0)));
    let written = Entry {
        room_id: room.id,
        seq: room.next_seq,
        id: EntryId(cause.row("entry", 0)),
        contact_id: Some(line.contact_id),
        direction: Direction::Outbound,
        author: Author::Hub,
        agent: None,
        kind: "text",
        parts: entry::parts_of(&text),
        text: text.clone(),
        flags: None,
        media: None,
        at: now,
        written_at: now,
        sms_id,
        deadline_at: None,
        caused_by: cause,
        ordinal: 0,
    };
    room.next_seq += 1;
    entry::append(tx, &[&written]).await?;
    let mut said = vec![entry::say(&written, &ends)];
    if let (Some(id), Some(carrier)) = (sms_id, carrier.cloned()) {
        let (room_id, entry_id, seq) = (written.room_id, written.id, written.seq);
        let outbound = Outbound {
            id,
            room_id,
            entry_id,
            seq,
            ends,
            carrier,
            text,
            media: None,
            is_confirmation: false,
            caused_by: cause,
        };
        outbound::request(tx, now, &[&outbound]).await?;
        said.push(outbound::say(now, &outbound));
    }
    Ok(said)
}

/// The carrier of a room's point of contact.
pub async fn carrier_of(tx: &Transaction<'_>, room: &Room) -> Result<Option<Slug>, Failure> {
    let row = sql::row(
        tx,
        "select carrier from points_of_contact where tenant = $1 and id = $2",
        &[&room.ends.tenant, &room.point_of_contact],
    )
    .await?;
    Ok(row.and_then(|row| row.get(0)))
}
