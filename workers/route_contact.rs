//! contact.queued, offer.settled, agent.freed, agent.changed, skill.due → offers. Contacts of a skill meet ready agents
//! in batches; a contact that finds nobody stays a row, and the next event or the half-second pass asks again.
//! It never waits for a lock: what somebody else is moving is passed over.

use std::collections::{BTreeMap, HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use texthub::facts::due::SkillDue;
use texthub::facts::envelope::{Message, Publication};
use texthub::facts::heard::AgentState;
use texthub::facts::ids::{ContactId, FactId, OfferId, Slug};
use texthub::facts::said::{AgentChanged, AgentFreed, ContactQueued, OfferOutcome, OfferSettled};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::offer::{self, Offer};
use texthub::hub::slot::{self, Asks, Hold};
use texthub::hub::sql;
use texthub::routing::choose::Pair;
use texthub::routing::skill::Skill;
use texthub::routing::waiting::{Next, WORST};
use texthub::routing::{candidates, choose, waiting};
use texthub::runtime::worker::{Context, Outcome, Worker};

/// Waiting contacts of the first claim; what is asked for by many messages looks at as many at once.
const FEW: i64 = 8;
/// Most waiting contacts of one claim.
const MOST: i64 = 1024;

heard! {
    /// What may let a contact and an agent meet.
    pub enum Matchable {
        ContactQueued(ContactQueued),
        OfferSettled(OfferSettled),
        AgentFreed(AgentFreed),
        AgentChanged(AgentChanged),
        SkillDue(SkillDue),
    }
}

/// The worker.
pub struct RouteContact;

impl Worker for RouteContact {
    const NAME: &'static str = "route_contact";
    type Fact = Matchable;

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Matchable>],
    ) -> Result<Vec<Outcome>, Failure> {
        let mut said = said_before(tx, batch).await?;
        let repeats: HashSet<FactId> = said.keys().copied().collect();
        let mut ordinals: HashMap<FactId, i32> = HashMap::new();
        let few = i64::try_from(batch.len()).unwrap_or(MOST).clamp(FEW, MOST);
        for (skill, cause) in asked_skills(tx, batch, &repeats).await? {
            let mut limit = few;
            loop {
                let ordinal = ordinals.entry(cause).or_default();
                let claimed = claim(tx, ctx.now, &skill, cause, *ordinal, (limit, limit > few)).await?;
                *ordinal += i32::try_from(claimed.offers.len()).unwrap_or(i32::MAX);
                said.entry(cause).or_default().extend(claimed.offers.into_iter().flat_map(|(offer, trace)| {
                    offer::say_made(&offer).into_iter().map(move |p| p.traced(trace.as_deref()))
                }));
                if claimed.is_all || limit >= MOST && claimed.are_passed_over {
                    break;
                }
                // who may not meet yet stands in the way of others: look further
                limit = if claimed.are_passed_over { MOST.min(limit * 4) } else { limit };
            }
        }
        answer_asks(tx, batch).await?;
        Ok(batch.iter().map(|m| Outcome::Done(said.remove(&m.id).unwrap_or_default())).collect())
    }
}

/// Offers that messages of this batch made when they came the first time.
async fn said_before(
    tx: &Transaction<'_>,
    batch: &[Message<Matchable>],
) -> Result<HashMap<FactId, Vec<Publication>>, Failure> {
    let again: Vec<FactId> = batch.iter().map(|m| m.id).collect();
    let mut said: HashMap<FactId, Vec<Publication>> = HashMap::new();
    for (offer, trace) in offer::of_causes(tx, &again).await? {
        let made = offer::say_made(&offer).into_iter().map(|p| p.traced(trace.as_deref()));
        said.entry(offer.caused_by).or_default().extend(made);
    }
    Ok(said)
}

/// Each skill once, with the first message that asks for it.
async fn asked_skills(
    tx: &Transaction<'_>,
    batch: &[Message<Matchable>],
    repeats: &HashSet<FactId>,
) -> Result<Vec<((Slug, Slug), FactId)>, Failure> {
    let mut direct: Vec<(Slug, Slug, FactId)> = Vec::new();
    let mut agents: BTreeMap<(&Slug, &Slug), FactId> = BTreeMap::new();
    let mut contacts: BTreeMap<ContactId, FactId> = BTreeMap::new();
    for message in batch.iter().filter(|m| !repeats.contains(&m.id)) {
        match &message.body {
            Matchable::ContactQueued(queued) => direct.push((queued.tenant.clone(), queued.skill.clone(), message.id)),
            Matchable::SkillDue(due) => direct.push((due.tenant.clone(), due.skill.clone(), message.id)),
            // an accept frees nobody and leaves nobody waiting
            Matchable::OfferSettled(settled) if settled.outcome == OfferOutcome::Accepted => {}
            Matchable::OfferSettled(settled) => {
                contacts.entry(settled.contact_id).or_insert(message.id);
                agents.entry((&settled.tenant, &settled.agent)).or_insert(message.id);
            }
            Matchable::AgentFreed(freed) => {
                agents.entry((&freed.tenant, &freed.agent)).or_insert(message.id);
            }
            Matchable::AgentChanged(changed) if changed.state == AgentState::Available => {
                agents.entry((&changed.tenant, &changed.agent)).or_insert(message.id);
            }
            Matchable::AgentChanged(_) => {}
        }
    }
    let mut asked: BTreeMap<(Slug, Slug), FactId> = BTreeMap::new();
    for (tenant, skill, cause) in direct {
        asked.entry((tenant, skill)).or_insert(cause);
    }
    let ids: Vec<ContactId> = contacts.keys().copied().collect();
    for (id, tenant, skill) in waiting::skills_of_contacts(tx, &ids).await? {
        if let Some(cause) = contacts.get(&id) {
            asked.entry((tenant, skill)).or_insert(*cause);
        }
    }
    let names: Vec<(&Slug, &Slug)> = agents.keys().copied().collect();
    for (tenant, agent, skill) in waiting::skills_of_agents(tx, &names).await? {
        let cause = agents.get(&(&tenant, &agent)).copied();
        if let Some(cause) = cause {
            asked.entry((tenant, skill)).or_insert(cause);
        }
    }
    Ok(asked.into_iter().collect())
}

/// What one claim did.
#[derive(Default)]
struct Claimed {
    /// Offers, each with its room's trace.
    offers: Vec<(Offer, Option<String>)>,
    /// There is nobody left on one of the two sides.
    is_all: bool,
    /// Some of those looked at met nobody.
    are_passed_over: bool,
}

/// One claim: waiting contacts and ready agents locked, paired by the pure choice, slots reserved, offers made. It looks at
/// so many contacts; where somebody was passed over before, at as many agents.
async fn claim(
    tx: &Transaction<'_>,
    now: Timestamp,
    skill: &(Slug, Slug),
    cause: FactId,
    ordinal: i32,
    (limit, is_again): (i64, bool),
) -> Result<Claimed, Failure> {
    let (tenant, slug) = skill;
    let (mut next, set) =
        tokio::try_join!(biased; waiting::next(tx, now, (tenant, slug), limit), Skill::of(tx, tenant, slug))?;
    let Some(set) = set.filter(|_| !next.is_empty()) else {
        return Ok(Claimed { is_all: true, ..Claimed::default() });
    };
    for contact in &mut next {
        contact.waiting.worst = contact.waiting.worst.min(set.worst(now, contact.queued_at));
    }
    let cooling: HashSet<(ContactId, Slug)> =
        next.iter().flat_map(|n| n.cooling.iter().map(|agent| (n.waiting.id, agent.clone()))).collect();
    let preferred: Vec<&Slug> = next.iter().filter_map(|n| n.waiting.preferred_agent.as_ref()).collect();
    // who is held for one agent needs no other
    let open = || next.iter().map(|n| &n.waiting).filter(|waiting| !waiting.is_held);
    let worst = open().map(|waiting| waiting.worst).max().unwrap_or(WORST);
    // those who must not get a contact yet stand in the way of the others: look as much further
    let mut most = i64::try_from(open().count() + cooling.len()).unwrap_or(MOST);
    let is_narrow = open().any(|waiting| waiting.best > 1 || waiting.worst < worst);
    if is_narrow && is_again {
        most = most.max(limit);
    }
    let ready = candidates::of_skill(tx, (tenant, slug), &set, most, worst, &preferred).await?;
    let in_queue: Vec<choose::Waiting> = next.iter().map(|n| n.waiting.clone()).collect();
    let pairs = choose::choose(set.choice, &in_queue, &ready, &cooling);
    let is_queue_seen = i64::try_from(next.len()).unwrap_or(MOST) < limit;
    let are_agents_seen = i64::try_from(ready.len()).unwrap_or(MOST) < most;
    let free: i32 = ready.iter().map(|candidate| candidate.free).sum();
    let is_full = are_agents_seen && usize::try_from(free).unwrap_or(0) <= pairs.len();
    let are_passed_over = pairs.len() < next.len();
    let offers = offers(now, skill, &set, cause, ordinal, &next, &pairs);
    reserve(tx, now, tenant, &offers).await?;
    // where each may have any agent, so many agents are enough for all who are not held
    let is_all = is_full || is_queue_seen && (are_agents_seen || !is_narrow || !are_passed_over);
    Ok(Claimed { offers, is_all, are_passed_over })
}

/// Offers of the pairs, with the traces of their rooms.
fn offers(
    now: Timestamp,
    (_, skill): &(Slug, Slug),
    set: &Skill,
    cause: FactId,
    ordinal: i32,
    next: &[Next],
    pairs: &[Pair],
) -> Vec<(Offer, Option<String>)> {
    let by_id: HashMap<ContactId, &Next> = next.iter().map(|n| (n.waiting.id, n)).collect();
    let made = pairs.iter().enumerate().filter_map(|(nth, pair)| {
        let contact = by_id.get(&pair.contact)?;
        let ordinal = ordinal + i32::try_from(nth).ok()?;
        let offer = Offer {
            id: OfferId(cause.row(&format!("offer {skill}"), ordinal.unsigned_abs())),
            contact_id: pair.contact,
            room_id: contact.room_id,
            agent: pair.agent.clone(),
            skill: skill.clone(),
            ends: contact.ends.clone(),
            queued_at: contact.queued_at,
            made_at: now,
            lapses_at: set.lapses_at(now),
            caused_by: cause,
            ordinal,
            why: Some(pair.why.as_str().to_owned()),
            accepts_by_itself: set.accepts_by_itself,
            from_agent: None,
            chosen: Some(pair.chosen.clone()),
            slots: set.slots,
        };
        Some((offer, contact.traceparent.clone()))
    });
    made.collect()
}

/// Takes the slots and writes the offers, in one round trip.
async fn reserve(
    tx: &Transaction<'_>,
    now: Timestamp,
    tenant: &Slug,
    offers: &[(Offer, Option<String>)],
) -> Result<(), Failure> {
    if offers.is_empty() {
        return Ok(());
    }
    // one claim is of one skill: the same channel, and the same slots of each
    let mut wanted: BTreeMap<&Slug, Hold> = BTreeMap::new();
    for (offer, _) in offers {
        let hold = wanted.entry(&offer.agent).or_insert_with(|| Hold {
            tenant: tenant.clone(),
            agent: offer.agent.clone(),
            channel: offer.ends.channel.clone(),
            contacts: 0,
            slots: offer.slots,
        });
        hold.contacts += 1;
    }
    let wanted: Vec<Hold> = wanted.into_values().collect();
    let made: Vec<Offer> = offers.iter().map(|(offer, _)| offer.clone()).collect();
    let (reserved, ()) =
        tokio::try_join!(biased; slot::reserve(tx, now, Asks::Available, &wanted), offer::make(tx, &made))?;
    if reserved.iter().any(Result::is_err) {
        return Err(Failure::Retry("a locked candidate had no slot".into()));
    }
    Ok(())
}

/// Lets the pass ask for these skills again.
async fn answer_asks(tx: &Transaction<'_>, batch: &[Message<Matchable>]) -> Result<(), Failure> {
    let mut asks: Vec<(&Slug, &Slug, FactId)> = Vec::new();
    for message in batch {
        if let Matchable::SkillDue(due) = &message.body {
            asks.push((&due.tenant, &due.skill, message.id));
        }
    }
    if asks.is_empty() {
        return Ok(());
    }
    asks.sort_unstable();
    let tenants: Vec<&Slug> = asks.iter().map(|ask| ask.0).collect();
    let skills: Vec<&Slug> = asks.iter().map(|ask| ask.1).collect();
    let ids: Vec<FactId> = asks.iter().map(|ask| ask.2).collect();
    sql::touch(
        tx,
        "update skills k set asked_id = null from unnest($1::text[], $2::text[], $3::uuid[]) as a (tenant, skill, id)
         where k.tenant = a.tenant and k.id = a.skill and k.asked_id = a.id",
        &[&tenants, &skills, &ids],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod order;
#[cfg(test)]
mod race;
#[cfg(test)]
mod tests;
