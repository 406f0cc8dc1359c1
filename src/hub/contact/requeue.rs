//! Back to the queue, whoever had it: the original time and priority are kept, the history stays in the room, every slot
//! is freed, and the session ends until somebody accepts again (so nothing can expire while nobody has it).

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Contact, holder, say_freed};
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{ContactId, FactId, RoomId, SessionId, Slug};
use crate::facts::said::{ContactMoved, ContactQueued, Handing, OfferOutcome};
use crate::failure::Failure;
use crate::hub::session::{self, Session};
use crate::hub::slot::{self, Hold};
use crate::hub::{offer, room, sql};

/// A contact to queue again; it and its room are locked by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Requeue<'a> {
    /// Short of wrap-up.
    pub contact: &'a Contact,
    /// Under another skill.
    pub skill: Option<&'a Slug>,
    /// Who should have it, if free.
    pub preferred: Option<&'a Slug>,
}

/// Queues contacts of one tenant again; `reason` is a word, noted with their sessions. Says the offers that are over,
/// what waits, and the freed slots; of one cause they may have been one agent's at most.
pub async fn requeue(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    reason: &str,
    asked: &[Requeue<'_>],
) -> Result<Vec<Publication>, Failure> {
    let Some(tenant) = asked.first().map(|a| &a.contact.tenant) else { return Ok(Vec::new()) };
    let ids: Vec<ContactId> = asked.iter().map(|a| a.contact.id).collect();
    let rooms: Vec<RoomId> = asked.iter().map(|a| a.contact.room_id).collect();
    let sessions: Vec<Session> = session::lock_of_rooms(tx, &rooms).await?;
    let pending = offer::pending_of_contacts(tx, &ids).await?;
    let held = asked.iter().filter_map(|a| holder(a.contact, None));
    let all: Vec<&Slug> = held.chain(pending.iter().map(|o| &o.agent)).collect();
    slot::hold(tx, tenant, &all).await?;
    let mut said = offer::give_back(tx, now, cause, OfferOutcome::Rescinded, reason, &pending).await?;
    let ended: Vec<(SessionId, &str)> = sessions.iter().map(|s| (s.id, reason)).collect();
    session::end(tx, now, &ended).await?;
    room::unassign(tx, &rooms).await?;
    let skills: Vec<Option<&Slug>> = asked.iter().map(|a| a.skill).collect();
    let preferred: Vec<Option<&Slug>> = asked.iter().map(|a| a.preferred).collect();
    sql::touch(
        tx,
        // somebody moved it: its flow, and what that asked of agents for its own skill, are over
        "with flow as (
           update flow_runs set ended_at = $4, due_at = null, phase = 'over'
           where contact_id = any($1) and ended_at is null)
         update contacts c set state = 'queued', agent = null, waiting_since = $4, skill = coalesce(q.skill, c.skill),
           first_skill = coalesce(c.first_skill, c.skill), flow_hold_until = null,
           flow_best = case when q.skill is null then c.flow_best end,
           flow_worst = case when q.skill is null then c.flow_worst end,
           preferred_agent = q.preferred, held_since = null, answer_due_at = null, reminded_at = null
         from unnest($1::uuid[], $2::text[], $3::text[]) as q (id, skill, preferred) where c.id = q.id",
        &[&ids, &skills, &preferred, &now],
    )
    .await?;
    let freed: Vec<Hold> =
        asked.iter().filter_map(|a| holder(a.contact, None).map(|agent| a.contact.hold(agent))).collect();
    let standings = slot::release(tx, &freed).await?;
    said.extend(asked.iter().map(|a| say_queued_again(now, cause, a)));
    said.extend(standings.iter().flat_map(|standing| say_freed(now, cause, standing)));
    Ok(said)
}

/// Queues a contact again as it is handed on, and says both; the reason is noted with its session, too.
pub async fn hand_back(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    handed: &Handed<'_>,
    preferred: Option<&Slug>,
) -> Result<Vec<Publication>, Failure> {
    let mut said = vec![say_moved(now, cause, handed)];
    let again = Requeue { contact: handed.contact, skill: handed.skill, preferred };
    said.extend(requeue(tx, now, cause, handed.reason, &[again]).await?);
    Ok(said)
}

fn say_queued_again(now: Timestamp, cause: FactId, asked: &Requeue<'_>) -> Publication {
    let contact = asked.contact;
    let said = ContactQueued {
        id: cause.derive_of(ContactQueued::NAME, contact.id.0),
        cause_id: cause,
        at: now,
        tenant: contact.tenant.clone(),
        contact_id: contact.id,
        room_id: contact.room_id,
        skill: asked.skill.unwrap_or(&contact.skill).clone(),
        priority: contact.priority,
        queued_at: contact.queued_at,
    };
    Publication::of(&said, contact.tenant.as_str())
}

/// How a contact changed hands.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// Which.
    pub contact: &'a Contact,
    /// How.
    pub how: Handing,
    /// Who has it now; of a parked one: who parked it.
    pub agent: Option<&'a Slug>,
    /// Who had it.
    pub from_agent: Option<&'a Slug>,
    /// What is needed now, where that changed.
    pub skill: Option<&'a Slug>,
    /// Why, in a word.
    pub reason: &'a str,
}

/// The fact that tells of it.
#[must_use]
pub fn say_moved(now: Timestamp, cause: FactId, handed: &Handed<'_>) -> Publication {
    let contact = handed.contact;
    let said = ContactMoved {
        id: cause.derive_of(ContactMoved::NAME, contact.id.0),
        cause_id: cause,
        at: now,
        tenant: contact.tenant.clone(),
        contact_id: contact.id,
        room_id: contact.room_id,
        how: handed.how,
        agent: handed.agent.cloned(),
        from_agent: handed.from_agent.cloned(),
        skill: handed.skill.unwrap_or(&contact.skill).clone(),
        reason: handed.reason.to_owned(),
    };
    Publication::of(&said, contact.tenant.as_str())
}
