//! Asking for a double opt-in: noted as `opt_in_asked`, with one text that a YES completes. The text goes into the
//! customer's open room, or into one of its own that is closed at once, as automatic answers do.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{ConsentKind, Noted, note};
use crate::facts::envelope::Publication;
use crate::facts::ids::{EntryId, FactId, RoomId, Slug, SmsId};
use crate::facts::said::{Author, Direction};
use crate::failure::Failure;
use crate::hub::entry::{self, Entry};
use crate::hub::outbound::{self, Outbound};
use crate::hub::room::{self, Closing, Ends, Room};
use crate::tenant::point_of_contact::PointOfContact;

/// Asks: what is to be said where it was noted and the text requested; none where the customer is out, or was asked before
/// and has not answered.
///
/// # Errors
/// Contention or a database that is away.
pub async fn ask(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    point: &PointOfContact,
    asked: Noted<'_>,
) -> Result<Option<Vec<Publication>>, Failure> {
    let Some(carrier) = point.carrier.clone() else { return Ok(None) };
    let text = asked.proof.disclosure.clone().unwrap_or_default();
    let ends = Ends {
        tenant: point.tenant.clone(),
        channel: "sms".into(),
        our_number: point.number.clone(),
        our_country: point.number_country.clone(),
        customer_number: asked.customer_number.to_owned(),
    };
    // rooms before consent, as everywhere
    let found = room::lock_open(tx, &[&ends]).await?.pop();
    let asked = Noted { kind: ConsentKind::Asked, caused_by: cause, ..asked };
    if !note(tx, now, &[asked]).await?.contains(&true) {
        return Ok(None);
    }
    let is_new = found.is_none();
    let room = found.unwrap_or_else(|| Room {
        id: RoomId(cause.row("room", 0)),
        ends,
        point_of_contact: point.id.clone(),
        opened_at: now,
        closed_at: None,
        outcome: None,
        next_seq: 1,
        agent: None,
        caused_by: cause,
    });
    let (line, outbound) = line(now, cause, &room, carrier, text);
    let mut said = Vec::new();
    if is_new {
        room::open(tx, &[&room], &[None]).await?;
        said.push(room::say_opened(&room, "opt_in_asked"));
    }
    entry::append(tx, &[&line]).await?;
    outbound::request(tx, now, &[&outbound]).await?;
    said.push(entry::say(&line, &room.ends));
    said.push(outbound::say(now, &outbound));
    if is_new {
        room::close(tx, now, &[Closing { id: room.id, cause, reason: "opt_in_asked".into(), outcome: None }]).await?;
        said.push(room::say_closed(now, cause, room.id, &room.ends, "opt_in_asked"));
    }
    Ok(Some(said))
}

/// The question as an entry, and as a text to be sent.
fn line(now: Timestamp, cause: FactId, room: &Room, carrier: Slug, text: String) -> (Entry, Outbound) {
    let sms_id = SmsId(cause.row("sms", 0));
    let line = Entry {
        room_id: room.id,
        seq: room.next_seq,
        id: EntryId(cause.row("entry", 0)),
        contact_id: None,
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
        sms_id: Some(sms_id),
        deadline_at: None,
        caused_by: cause,
        ordinal: 0,
    };
    let outbound = Outbound {
        id: sms_id,
        room_id: room.id,
        entry_id: line.id,
        seq: line.seq,
        ends: room.ends.clone(),
        carrier,
        text,
        media: None,
        is_confirmation: false,
        caused_by: cause,
    };
    (line, outbound)
}
