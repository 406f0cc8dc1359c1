//! Offers: a contact shown to one agent. pending → accepted | refused | lapsed | rescinded, by compare-and-set: exactly
//! one wins. A contact whose offer fails goes back to its place in the queue: original time and priority. The offer of a
//! transfer to one agent stands beside the contact, which its first agent keeps until it is accepted.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::room::Ends;
use super::slot::{self, Hold};
use super::sql;
use crate::facts::due::OfferDue;
use crate::facts::envelope::{Fact, Publication, To};
use crate::facts::heard::{self, Answer, OfferAnswered};
use crate::facts::ids::{ContactId, FactId, OfferId, RoomId, Slug};
use crate::facts::said::{OfferMade, OfferOutcome, OfferSettled};
use crate::failure::Failure;
use crate::routing::choose::Chosen;

/// A pending offer, with what its fact tells.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// Of what.
    pub contact_id: ContactId,
    /// Where.
    pub room_id: RoomId,
    /// To whom.
    pub agent: Slug,
    /// For which skill.
    pub skill: Slug,
    /// Both ends of the room.
    pub ends: Ends,
    /// Since when the contact waits.
    pub queued_at: Timestamp,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it lapses.
    pub lapses_at: Timestamp,
    /// By which fact, and the how-manieth of it.
    pub caused_by: FactId,
    /// See `caused_by`.
    pub ordinal: i32,
    /// Why this agent.
    pub why: Option<String>,
    /// It is accepted as it is made.
    pub accepts_by_itself: bool,
    /// Of a transfer: who keeps the contact until it is accepted.
    pub from_agent: Option<Slug>,
    /// What the agent was chosen by; not read back.
    pub chosen: Option<Chosen>,
    /// Slots that were reserved for it.
    pub slots: i32,
}

/// Makes offers for queued, locked contacts whose agents' slots are reserved.
pub async fn make(tx: &Transaction<'_>, offers: &[Offer]) -> Result<(), Failure> {
    if offers.is_empty() {
        return Ok(());
    }
    let ids: Vec<OfferId> = offers.iter().map(|o| o.id).collect();
    let tenants: Vec<&Slug> = offers.iter().map(|o| &o.ends.tenant).collect();
    let contacts: Vec<ContactId> = offers.iter().map(|o| o.contact_id).collect();
    let rooms: Vec<RoomId> = offers.iter().map(|o| o.room_id).collect();
    let agents: Vec<&Slug> = offers.iter().map(|o| &o.agent).collect();
    let made: Vec<Timestamp> = offers.iter().map(|o| o.made_at).collect();
    let lapses: Vec<Timestamp> = offers.iter().map(|o| o.lapses_at).collect();
    let causes: Vec<FactId> = offers.iter().map(|o| o.caused_by).collect();
    let ordinals: Vec<i32> = offers.iter().map(|o| o.ordinal).collect();
    let whys: Vec<Option<&str>> = offers.iter().map(|o| o.why.as_deref()).collect();
    let accepted: Vec<bool> = offers.iter().map(|o| o.accepts_by_itself).collect();
    let skills: Vec<&Slug> = offers.iter().map(|o| &o.skill).collect();
    let chosen = |o: &Offer| o.chosen.clone().map(|c| (c.proficiency, c.idle_since, c.runner_up));
    let chosen: Vec<Option<(i32, Timestamp, Option<Slug>)>> = offers.iter().map(chosen).collect();
    let proficiencies: Vec<Option<i32>> = chosen.iter().map(|c| c.as_ref().map(|c| c.0)).collect();
    let idle: Vec<Option<Timestamp>> = chosen.iter().map(|c| c.as_ref().map(|c| c.1)).collect();
    let slots: Vec<i32> = offers.iter().map(|o| o.slots).collect();
    let next: Vec<Option<&Slug>> = chosen.iter().map(|c| c.as_ref().and_then(|c| c.2.as_ref())).collect();
    let offered = sql::touch(
        tx,
        "with made as (
           insert into offers (id, tenant, contact_id, room_id, agent, state, made_at, lapses_at, caused_by, ordinal,
                               why, accepts_by_itself, skill, proficiency, idle_since, runner_up, slots)
           select id, tenant, contact, room, agent, 'pending', made_at, lapses_at, cause, ordinal, why, by_itself, skill,
                  proficiency, idle_since, runner_up, slots
           from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[],
                       $7::timestamptz[], $8::uuid[], $9::int[], $10::text[], $11::bool[], $12::text[], $13::int[], $14::timestamptz[],
                       $15::text[], $16::int[])
             as o (id, tenant, contact, room, agent, made_at, lapses_at, cause, ordinal, why, by_itself, skill,
                   proficiency, idle_since, runner_up, slots)
           returning contact_id, agent, slots)
         update contacts c set state = 'offered', agent = made.agent, slots = made.slots
         from made where c.id = made.contact_id and c.state = 'queued'",
        &[&ids, &tenants, &contacts, &rooms, &agents, &made, &lapses, &causes, &ordinals, &whys, &accepted, &skills,
          &proficiencies, &idle, &next, &slots],
    )
    .await?;
    if offered == offers.len() as u64 {
        Ok(())
    } else {
        Err(Failure::Retry("a contact left the queue while it was offered".into()))
    }
}

/// Makes the offer of a transfer: the locked contact stays with its agent, the other one's slot is reserved.
pub async fn hand(tx: &Transaction<'_>, offer: &Offer) -> Result<(), Failure> {
    sql::touch(
        tx,
        "insert into offers (id, tenant, contact_id, room_id, agent, state, made_at, lapses_at, caused_by, ordinal, from_agent,
                             skill, why, slots)
         values ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10, $11, $12, $13)",
        &[
            &offer.id,
            &offer.ends.tenant,
            &offer.contact_id,
            &offer.room_id,
            &offer.agent,
            &offer.made_at,
            &offer.lapses_at,
            &offer.caused_by,
            &offer.ordinal,
            &offer.from_agent,
            &offer.skill,
            &offer.why,
            &offer.slots,
        ],
    )
    .await?;
    Ok(())
}

/// The offers that these facts caused, with the traces of their rooms: for repeats.
pub async fn of_causes(tx: &Transaction<'_>, causes: &[FactId]) -> Result<Vec<(Offer, Option<String>)>, Failure> {
    let rows = sql::rows(
        tx,
        "select o.id, o.contact_id, o.room_id, o.agent, coalesce(o.skill, c.skill), r.tenant, r.channel, r.our_number, r.our_country,
                r.customer_number, c.queued_at, o.made_at, o.lapses_at, o.caused_by, o.ordinal,
                o.why, o.accepts_by_itself, o.from_agent, o.slots, r.traceparent
         from offers o join contacts c on c.id = o.contact_id join rooms r on r.id = o.room_id
         where o.caused_by = any($1) order by o.caused_by, o.ordinal",
        &[&causes],
    )
    .await?;
    Ok(rows.iter().map(|row| (from_row(row), row.get(19))).collect())
}

fn from_row(row: &Row) -> Offer {
    Offer {
        id: row.get(0),
        contact_id: row.get(1),
        room_id: row.get(2),
        agent: row.get(3),
        skill: row.get(4),
        ends: Ends::of_row(row, 5),
        queued_at: row.get(10),
        made_at: row.get(11),
        lapses_at: row.get(12),
        caused_by: row.get(13),
        ordinal: row.get(14),
        why: row.get(15),
        accepts_by_itself: row.get(16),
        from_agent: row.get(17),
        slots: row.get(18),
        chosen: None,
    }
}

/// The offer itself, and its timer; where the skill accepts by itself, the accept.
#[must_use]
pub fn say_made(offer: &Offer) -> Vec<Publication> {
    let nth = offer.ordinal.unsigned_abs();
    let tenant = &offer.ends.tenant;
    let made = OfferMade {
        id: offer.caused_by.derive(OfferMade::NAME, nth),
        cause_id: offer.caused_by,
        at: offer.made_at,
        tenant: tenant.clone(),
        offer_id: offer.id,
        contact_id: offer.contact_id,
        room_id: offer.room_id,
        agent: offer.agent.clone(),
        skill: offer.skill.clone(),
        channel: offer.ends.channel(),
        our_number: offer.ends.our_number.clone(),
        customer_number: offer.ends.customer_number.clone(),
        queued_at: offer.queued_at,
        lapses_at: offer.lapses_at,
        why: offer.why.clone(),
        from_agent: offer.from_agent.clone(),
        slots: offer.slots,
    };
    let due = OfferDue {
        id: offer.caused_by.derive(OfferDue::NAME, nth),
        cause_id: offer.caused_by,
        at: offer.made_at,
        tenant: tenant.clone(),
        offer_id: offer.id,
        due_at: offer.lapses_at,
    };
    let mut said =
        vec![Publication::of(&made, tenant.as_str()), Publication::of(&due, tenant.as_str()).at(offer.lapses_at)];
    if offer.accepts_by_itself {
        let answered = OfferAnswered {
            id: offer.caused_by.derive(<OfferAnswered as heard::Hearable>::NAME, nth),
            tenant: tenant.clone(),
            agent: offer.agent.clone(),
            offer_id: offer.id,
            answer: Answer::Accept,
            reason: None,
        };
        let accept = Publication::to_the_hub(&answered, tenant.as_str());
        said.push(Publication { to: To::Work, cause: offer.caused_by, ..accept });
    }
    said
}

/// A pending offer that is to be settled, under the lock of its contact.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Its id.
    pub id: OfferId,
    /// Of what.
    pub contact_id: ContactId,
    /// Where.
    pub room_id: RoomId,
    /// Whose.
    pub tenant: Slug,
    /// To whom.
    pub agent: Slug,
    /// pending, or how it was settled.
    pub state: String,
    /// When it lapses.
    pub lapses_at: Timestamp,
    /// Of a transfer: who keeps the contact until it is accepted.
    pub from_agent: Option<Slug>,
    /// `sms` or `chat`.
    pub channel: String,
    /// Slots that were reserved for it.
    pub slots: i32,
}

const PENDING: &str =
    "select o.id, o.contact_id, o.room_id, o.tenant, o.agent, o.state, o.lapses_at, o.from_agent, c.channel,
    o.slots from offers o join contacts c on c.id = o.contact_id";

impl Pending {
    /// What it holds of its agent.
    #[must_use]
    pub fn hold(&self) -> Hold {
        let (tenant, agent, channel) = (self.tenant.clone(), self.agent.clone(), self.channel.clone());
        Hold { tenant, agent, channel, contacts: 1, slots: self.slots }
    }

    /// What its settling tells.
    #[must_use]
    pub fn over(&self) -> Over<'_> {
        Over {
            id: self.id,
            contact_id: self.contact_id,
            tenant: &self.tenant,
            agent: &self.agent,
            from_agent: self.from_agent.as_ref(),
        }
    }
}

/// Reads offers without a lock.
pub async fn of_ids(tx: &Transaction<'_>, ids: &[OfferId]) -> Result<Vec<Pending>, Failure> {
    let rows = sql::rows(tx, &format!("{PENDING} where o.id = any($1)"), &[&ids]).await?;
    Ok(rows.iter().map(pending).collect())
}

/// The pending offers of an agent.
pub async fn pending_of_agent(tx: &Transaction<'_>, tenant: &Slug, agent: &Slug) -> Result<Vec<Pending>, Failure> {
    let of = format!("{PENDING} where o.tenant = $1 and o.agent = $2 and o.state = 'pending' order by o.contact_id");
    let rows = sql::rows(tx, &of, &[tenant, agent]).await?;
    Ok(rows.iter().map(pending).collect())
}

/// The pending offers of locked contacts.
pub async fn pending_of_contacts(tx: &Transaction<'_>, contacts: &[ContactId]) -> Result<Vec<Pending>, Failure> {
    let of = format!("{PENDING} where o.contact_id = any($1) and o.state = 'pending' order by o.contact_id");
    let rows = sql::rows(tx, &of, &[&contacts]).await?;
    Ok(rows.iter().map(pending).collect())
}

fn pending(row: &Row) -> Pending {
    Pending {
        id: row.get(0),
        contact_id: row.get(1),
        room_id: row.get(2),
        tenant: row.get(3),
        agent: row.get(4),
        state: row.get(5),
        lapses_at: row.get(6),
        from_agent: row.get(7),
        channel: row.get(8),
        slots: row.get(9),
    }
}

/// Compare-and-set from pending: (offer, by which fact, why). Returns those that won.
pub async fn settle(
    tx: &Transaction<'_>,
    now: Timestamp,
    outcome: OfferOutcome,
    offers: &[(OfferId, FactId, &str)],
) -> Result<Vec<OfferId>, Failure> {
    if offers.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<OfferId> = offers.iter().map(|o| o.0).collect();
    let reasons: Vec<&str> = offers.iter().map(|o| o.2).collect();
    let rows = sql::rows(
        tx,
        "update offers o set state = $3, settled_at = $4, reason = s.reason
         from unnest($1::uuid[], $2::text[]) as s (id, reason)
         where o.id = s.id and o.state = 'pending' returning o.id",
        &[&ids, &reasons, &outcome.as_str(), &now],
    )
    .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Ends a pending offer without an accept: the contact is queued again where it stood (that of a transfer stays with its
/// agent), the slot is freed. The contact is locked by the caller. Says nothing where somebody else was faster. For another
/// move of the contact; where nothing else moves it, `contact::give_back` looks at its maximum wait, too.
pub async fn give_back(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    outcome: OfferOutcome,
    reason: &str,
    offers: &[Pending],
) -> Result<Vec<Publication>, Failure> {
    let asked: Vec<(OfferId, FactId, &str)> = offers.iter().map(|o| (o.id, cause, reason)).collect();
    let won = settle(tx, now, outcome, &asked).await?;
    let won: HashMap<OfferId, &Pending> = offers.iter().filter(|o| won.contains(&o.id)).map(|o| (o.id, o)).collect();
    let contacts: Vec<ContactId> = won.values().map(|o| o.contact_id).collect();
    sql::touch(
        tx,
        "update contacts set state = 'queued', agent = null where id = any($1) and state = 'offered'",
        &[&contacts],
    )
    .await?;
    let freed: Vec<Hold> = won.values().map(|o| o.hold()).collect();
    slot::release(tx, &freed).await?;
    Ok(offers
        .iter()
        .filter(|o| won.contains_key(&o.id))
        .map(|o| say_settled(now, cause, &o.over(), outcome, reason))
        .collect())
}

/// What `offer.settled` tells.
#[derive(Clone, Copy, Debug)]
pub struct Over<'a> {
    /// Which.
    pub id: OfferId,
    /// Of what.
    pub contact_id: ContactId,
    /// Whose.
    pub tenant: &'a Slug,
    /// To whom it was made.
    pub agent: &'a Slug,
    /// Of a transfer: by whom.
    pub from_agent: Option<&'a Slug>,
}

/// The fact that tells of a settled offer. An offer is settled once, so the fact's id follows from the offer's: one cause
/// may settle several, in several ways (the third offer missed lapses, and the agent's others are rescinded).
#[must_use]
pub fn say_settled(now: Timestamp, cause: FactId, over: &Over<'_>, outcome: OfferOutcome, reason: &str) -> Publication {
    let said = OfferSettled {
        id: FactId(over.id.0).derive(OfferSettled::NAME, 0),
        cause_id: cause,
        at: now,
        tenant: over.tenant.clone(),
        offer_id: over.id,
        contact_id: over.contact_id,
        agent: over.agent.clone(),
        outcome,
        reason: reason.to_owned(),
        from_agent: over.from_agent.cloned(),
    };
    Publication::of(&said, over.tenant.as_str())
}
