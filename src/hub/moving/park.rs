//! Park: the slot is released, room and timer are kept, and whoever parked it still answers for it. Taken back with a slot
//! of its own; when the customer writes first, a slot is reserved at once, else the contact is queued again.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Asked, Moved, find, is_too_long, may_not, note, rescind, why_no_slot};
use crate::facts::envelope::Publication;
use crate::facts::ids::{FactId, Slug};
use crate::facts::said::Handing;
use crate::failure::Failure;
use crate::hub::contact::{self, Contact, Handed, Requeue};
use crate::hub::refusal::Refusal;
use crate::hub::slot::{self, Asks};

/// Parks an active contact.
pub async fn park(tx: &Transaction<'_>, now: Timestamp, asked: &Asked<'_>) -> Result<Moved, Failure> {
    let place = match find(tx, now, asked).await? {
        Ok(place) => place,
        Err(moved) => return Ok(moved),
    };
    let why_not = may_not(asked, &place)
        .or((!place.is(&["active"])).then_some(Refusal::NotActive))
        .or(is_too_long(asked).then_some(Refusal::TextLength));
    let agent = match (why_not, &place.contact.agent) {
        (Some(why), _) => return Ok(why.into()),
        (None, None) => return Ok(Refusal::NotActive.into()),
        (None, Some(agent)) => agent,
    };
    let all: Vec<&Slug> = std::iter::once(agent).chain(place.pending.iter().map(|o| &o.agent)).collect();
    slot::hold(tx, asked.tenant, &all).await?;
    let mut said = rescind(tx, now, asked.id, "parked", &place).await?;
    said.extend(note(tx, now, asked, &place).await?);
    contact::park(tx, place.contact.id).await?;
    let standings = slot::release(tx, &[place.contact.hold(agent)]).await?;
    said.push(say(now, asked.id, &place.contact, Handing::Parked, agent));
    said.extend(standings.iter().flat_map(|standing| contact::say_freed(now, asked.id, standing)));
    Ok(Moved::Done(said))
}

/// Takes a parked contact back, for whoever parked it.
pub async fn unpark(tx: &Transaction<'_>, now: Timestamp, asked: &Asked<'_>) -> Result<Moved, Failure> {
    let place = match find(tx, now, asked).await? {
        Ok(place) => place,
        Err(moved) => return Ok(moved),
    };
    let why_not = may_not(asked, &place).or((!place.is(&["parked"])).then_some(Refusal::NotParked));
    let agent = match (why_not, place.holder()) {
        (Some(why), _) => return Ok(why.into()),
        (None, None) => return Ok(Refusal::NotParked.into()),
        (None, Some(agent)) => agent,
    };
    let channel = &place.contact.channel;
    let slots = match slot::reserve_one(tx, now, Asks::LoggedIn, (asked.tenant, agent), channel).await? {
        Ok(slots) => slots,
        Err(no) => return Ok(why_no_slot(no, Refusal::LoggedOut).into()),
    };
    let mut said = vec![say_unparked(now, asked.id, &place.contact, agent)];
    said.extend(contact::activate(tx, now, asked.id, place.contact.id, agent, slots).await?);
    Ok(Moved::Done(said))
}

/// The customer writes to a parked contact, under the locks of its room and itself: whoever parked it has it again if
/// available with a free slot, else it waits in its old place and prefers that agent. The contact as it stands then.
pub async fn wake(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    contact: &Contact,
    parked_by: &Slug,
) -> Result<(Contact, Vec<Publication>), Failure> {
    let whom = (&contact.tenant, parked_by);
    if let Ok(slots) = slot::reserve_one(tx, now, Asks::Available, whom, &contact.channel).await? {
        let mut said = vec![say_unparked(now, cause, contact, parked_by)];
        said.extend(contact::activate(tx, now, cause, contact.id, parked_by, slots).await?);
        let active = Contact { state: "active".into(), agent: Some(parked_by.clone()), slots, ..contact.clone() };
        return Ok((active, said));
    }
    let moved = Handed {
        contact,
        how: Handing::Requeued,
        agent: None,
        from_agent: Some(parked_by),
        skill: None,
        reason: "customer_wrote",
    };
    let mut said = vec![contact::say_moved(now, cause, &moved)];
    let again = Requeue { contact, skill: None, preferred: Some(parked_by) };
    said.extend(contact::requeue(tx, now, cause, "requeued", &[again]).await?);
    Ok((Contact { state: "queued".into(), preferred_agent: Some(parked_by.clone()), ..contact.clone() }, said))
}

/// The fact that tells of a parked contact taken back.
#[must_use]
pub fn say_unparked(now: Timestamp, cause: FactId, contact: &Contact, agent: &Slug) -> Publication {
    say(now, cause, contact, Handing::Unparked, agent)
}

fn say(now: Timestamp, cause: FactId, contact: &Contact, how: Handing, agent: &Slug) -> Publication {
    let reason = how.as_str();
    let handed = Handed { contact, how, agent: Some(agent), from_agent: Some(agent), skill: None, reason };
    contact::say_moved(now, cause, &handed)
}
