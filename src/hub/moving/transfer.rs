//! Transfer: to a skill the contact is queued again in its old place. To an agent it is offered, with that agent's slot
//! reserved, while the first one keeps it: an accept moves room, session and slot at once, anything else moves nothing.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Asked, Moved, Place, find, is_too_long, may_not, note, rescind, why_no_slot};
use crate::facts::envelope::Publication;
use crate::facts::ids::{FactId, OfferId, Slug};
use crate::facts::said::{Handing, OfferOutcome};
use crate::failure::Failure;
use crate::hub::contact::{self, Handed};
use crate::hub::inbound::expiry;
use crate::hub::offer::{self, Offer, Pending};
use crate::hub::refusal::Refusal;
use crate::hub::slot::{self, Asks, Hold};
use crate::hub::{presence, room, session, sql};

/// To whom.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// To this agent alone.
    Agent(&'a Slug),
    /// To whoever has the skill.
    Skill(&'a Slug),
}

/// Transfers a contact.
pub async fn transfer(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &Asked<'_>,
    target: Target<'_>,
) -> Result<Moved, Failure> {
    let place = match find(tx, now, asked).await? {
        Ok(place) => place,
        Err(moved) => return Ok(moved),
    };
    let why_not = may_not(asked, &place).or(is_too_long(asked).then_some(Refusal::TextLength));
    if let Some(why) = why_not {
        return Ok(why.into());
    }
    match target {
        Target::Skill(skill) => to_skill(tx, now, asked, &place, skill).await,
        Target::Agent(agent) => to_agent(tx, now, asked, &place, agent).await,
    }
}

async fn to_skill(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &Asked<'_>,
    place: &Place,
    skill: &Slug,
) -> Result<Moved, Failure> {
    let channel = "select channel from skills where tenant = $1 and id = $2 and ended_at is null";
    match sql::row(tx, channel, &[asked.tenant, skill]).await?.map(|row| row.get::<_, String>(0)) {
        None => return Ok(Refusal::NotFound.into()),
        Some(channel) if channel != place.contact.channel => return Ok(Refusal::WrongChannel.into()),
        Some(_) => {}
    }
    let mut said = note(tx, now, asked, place).await?;
    let moved = Handed {
        contact: &place.contact,
        how: Handing::Transferred,
        agent: None,
        from_agent: place.holder(),
        skill: Some(skill),
        reason: TRANSFERRED,
    };
    said.extend(contact::hand_back(tx, now, asked.id, &moved, None).await?);
    Ok(Moved::Done(said))
}

async fn to_agent(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &Asked<'_>,
    place: &Place,
    agent: &Slug,
) -> Result<Moved, Failure> {
    let has_it = place.holder() == Some(agent) || place.pending.as_ref().is_some_and(|o| o.agent == *agent);
    if has_it {
        return Ok(Refusal::AlreadyHeld.into());
    }
    if place.is(&["prequeue"]) {
        return Ok(Refusal::NotActive.into());
    }
    let row = sql::row(
        tx,
        "select exists (select 1 from agent_skills s join skills k on k.tenant = s.tenant and k.id = s.skill
                        where s.tenant = a.tenant and s.agent = a.id and k.channel = $3),
                (select offer_timeout_s from skills where tenant = $1 and id = $4)
         from agents a where a.tenant = $1 and a.id = $2 and a.ended_at is null",
        &[asked.tenant, agent, &place.contact.channel, &place.contact.skill],
    )
    .await?;
    let timeout_s = match row.map(|row| (row.get::<_, bool>(0), row.get::<_, Option<i32>>(1))) {
        None => return Ok(Refusal::UnknownAgent.into()),
        Some((false, _)) => return Ok(Refusal::WrongChannel.into()),
        Some((true, timeout_s)) => timeout_s.unwrap_or(30),
    };
    let all: Vec<&Slug> = std::iter::once(agent).chain(place.pending.iter().map(|o| &o.agent)).collect();
    slot::hold(tx, asked.tenant, &all).await?;
    let channel = &place.contact.channel;
    let slots = match slot::reserve_one(tx, now, Asks::Available, (asked.tenant, agent), channel).await? {
        Ok(slots) => slots,
        Err(no) => return Ok(why_no_slot(no, Refusal::AgentUnavailable).into()),
    };
    let mut said = rescind(tx, now, asked.id, TRANSFERRED, place).await?;
    said.extend(note(tx, now, asked, place).await?);
    let offer = Offer {
        id: OfferId(asked.id.row("offer", 0)),
        contact_id: place.contact.id,
        room_id: place.room.id,
        agent: agent.clone(),
        skill: place.contact.skill.clone(),
        ends: place.room.ends.clone(),
        queued_at: place.contact.queued_at,
        made_at: now,
        lapses_at: session::after(now, timeout_s),
        caused_by: asked.id,
        ordinal: 0,
        from_agent: place.holder().cloned(),
        why: Some("transferred".to_owned()),
        accepts_by_itself: false,
        chosen: None,
        slots,
    };
    if offer.from_agent.is_some() {
        offer::hand(tx, &offer).await?;
    } else {
        offer::make(tx, std::slice::from_ref(&offer)).await?;
    }
    said.extend(offer::say_made(&offer));
    Ok(Moved::Done(said))
}

/// The offer of a transfer is accepted in time, under the locks of its room and contact: contact, room, session and slot
/// move at once. Past the session's deadline the contact ends instead, and the offer with it.
pub async fn accepted(tx: &Transaction<'_>, now: Timestamp, cause: FactId, offer: &Pending) -> Result<Moved, Failure> {
    let Some(contact) = contact::lock_with_rooms(tx, &[offer.contact_id]).await?.pop() else {
        return Ok(Refusal::OfferGone.into());
    };
    let session = session::lock_of_rooms(tx, &[offer.room_id]).await?.pop();
    let Some(session) = session.filter(|s| s.deadline_at > now) else {
        let ended = contact::end(tx, now, &[expiry(cause, offer.contact_id)]).await?;
        return Ok(Moved::Refused(Refusal::SessionExpired, ended.into_iter().flatten().flatten().collect()));
    };
    let all: Vec<&Slug> = std::iter::once(&offer.agent).chain(&contact.agent).collect();
    slot::hold(tx, &offer.tenant, &all).await?;
    offer::settle(tx, now, OfferOutcome::Accepted, &[(offer.id, cause, "accepted")]).await?;
    let freed: Vec<Hold> = contact.agent.iter().map(|agent| contact.hold(agent)).collect();
    let standings = slot::release(tx, &freed).await?;
    let timers = contact::activate(tx, now, cause, contact.id, &offer.agent, offer.slots).await?;
    room::assign(tx, &[(offer.room_id, &offer.agent)]).await?;
    presence::answered(tx, &offer.tenant, &offer.agent).await?;
    let moved = Handed {
        contact: &contact,
        how: Handing::Transferred,
        agent: Some(&offer.agent),
        from_agent: offer.from_agent.as_ref(),
        skill: None,
        reason: TRANSFERRED,
    };
    let mut said: Vec<Publication> = vec![
        offer::say_settled(now, cause, &offer.over(), OfferOutcome::Accepted, "accepted"),
        contact::say_moved(now, cause, &moved),
        session::hand_over(tx, now, cause, &session, &offer.agent).await?,
    ];
    said.extend(timers);
    said.extend(standings.iter().flat_map(|standing| contact::say_freed(now, cause, standing)));
    Ok(Moved::Done(said))
}

/// Why a session ended, or an offer, for a transfer.
const TRANSFERRED: &str = "transferred";
