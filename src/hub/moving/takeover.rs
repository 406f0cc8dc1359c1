//! Takeover: a supervisor gives a contact to an agent (mostly to themselves) at once, whatever its state and whoever has
//! it. The slot comes through the one reserve function, the former agent's is freed in the same transaction.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Asked, Moved, Place, find, is_too_long, note, rescind, session_with, why_no_slot};
use crate::facts::envelope::Publication;
use crate::facts::heard::ByKind;
use crate::facts::ids::Slug;
use crate::facts::said::{Handing, OfferOutcome};
use crate::failure::Failure;
use crate::hub::contact::{self, Handed};
use crate::hub::refusal::Refusal;
use crate::hub::slot::{self, Asks, Hold};
use crate::hub::{offer, room};

/// Takes a contact over.
pub async fn takeover(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &Asked<'_>,
    agent: Option<&Slug>,
) -> Result<Moved, Failure> {
    if asked.by.kind != ByKind::Supervisor {
        return Ok(Refusal::NotAllowed.into());
    }
    let Some(agent) = agent.cloned().or_else(|| Slug::new(&asked.by.name).ok()) else {
        return Ok(Refusal::UnknownAgent.into());
    };
    let place = match find(tx, now, asked).await? {
        Ok(place) => place,
        Err(moved) => return Ok(moved),
    };
    if is_too_long(asked) {
        return Ok(Refusal::TextLength.into());
    }
    if place.is(&["active"]) && place.holder() == Some(&agent) {
        return Ok(Refusal::AlreadyHeld.into());
    }
    give(tx, now, asked, &place, &agent).await
}

async fn give(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &Asked<'_>,
    place: &Place,
    agent: &Slug,
) -> Result<Moved, Failure> {
    let holds_slot = place.contact.agent.iter().filter(|_| place.is(&["active"]));
    let offered_to = place.pending.iter().map(|o| &o.agent);
    let all: Vec<&Slug> = std::iter::once(agent).chain(holds_slot.clone()).chain(offered_to).collect();
    slot::hold(tx, asked.tenant, &all).await?;
    let own = place.pending.as_ref().filter(|offer| offer.agent == *agent);
    let mut said: Vec<Publication> = Vec::new();
    let slots = if let Some(own) = own {
        // the offer holds the slot already
        offer::settle(tx, now, OfferOutcome::Accepted, &[(own.id, asked.id, TAKEN_OVER)]).await?;
        said.push(offer::say_settled(now, asked.id, &own.over(), OfferOutcome::Accepted, TAKEN_OVER));
        own.slots
    } else {
        let channel = &place.contact.channel;
        let slots = match slot::reserve_one(tx, now, Asks::LoggedIn, (asked.tenant, agent), channel).await? {
            Ok(slots) => slots,
            Err(no) => return Ok(why_no_slot(no, Refusal::LoggedOut).into()),
        };
        said.extend(rescind(tx, now, asked.id, TAKEN_OVER, place).await?);
        slots
    };
    said.extend(note(tx, now, asked, place).await?);
    let freed: Vec<Hold> = holds_slot.map(|former| place.contact.hold(former)).collect();
    let standings = slot::release(tx, &freed).await?;
    let timers = contact::activate(tx, now, asked.id, place.contact.id, agent, slots).await?;
    room::assign(tx, &[(place.room.id, agent)]).await?;
    let moved = Handed {
        contact: &place.contact,
        how: Handing::TakenOver,
        agent: Some(agent),
        from_agent: place.holder(),
        skill: None,
        reason: TAKEN_OVER,
    };
    said.push(contact::say_moved(now, asked.id, &moved));
    said.extend(session_with(tx, now, asked, place, agent).await?);
    said.extend(timers);
    said.extend(standings.iter().flat_map(|standing| contact::say_freed(now, asked.id, standing)));
    Ok(Moved::Done(said))
}

/// Why an offer was rescinded.
const TAKEN_OVER: &str = "taken_over";
