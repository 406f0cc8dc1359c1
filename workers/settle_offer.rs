//! offer.answered, offer.due → a session starts, or the contact goes back to the queue. By compare-and-set exactly one
//! answer wins; a late or second click is refused with its reason, and the winner is not disturbed.

use deadpool_postgres::Transaction;
use texthub::facts::due::OfferDue;
use texthub::facts::envelope::{Fact, Message, Publication};
use texthub::facts::heard::{Answer, OfferAnswered};
use texthub::facts::ids::{OfferId, SessionId, Slug};
use texthub::facts::said::OfferOutcome;
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::entry::words;
use texthub::hub::moving::{self, Moved};
use texthub::hub::offer::{self, Pending};
use texthub::hub::refusal::{self, Refusal, Refused};
use texthub::hub::session::{self, Session};
use texthub::hub::{contact, presence, room};
use texthub::runtime::worker::{Context, Outcome, Single};
use texthub::tenant::point_of_contact;

heard! {
    /// What settles an offer.
    pub enum Settling { OfferAnswered(OfferAnswered), OfferDue(OfferDue) }
}

/// The worker.
pub struct SettleOffer;

impl Single for SettleOffer {
    const NAME: &'static str = "settle_offer";
    type Fact = Settling;

    fn tenant(fact: &Settling) -> Option<&Slug> {
        Some(match fact {
            Settling::OfferAnswered(fact) => &fact.tenant,
            Settling::OfferDue(fact) => &fact.tenant,
        })
    }

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        message: &Message<Settling>,
    ) -> Result<Outcome, Failure> {
        let said = match &message.body {
            Settling::OfferAnswered(answered) => answer(tx, ctx, message, answered).await?,
            Settling::OfferDue(due) => lapse(tx, ctx, message, due).await?,
        };
        let trace = message.traceparent.as_deref();
        Ok(Outcome::Done(said.into_iter().map(|p| p.traced(trace)).collect()))
    }
}

/// The offer as it stands under the locks of its room and contact.
async fn locked(tx: &Transaction<'_>, id: OfferId) -> Result<Option<Pending>, Failure> {
    let Some(offer) = offer::of_ids(tx, &[id]).await?.pop() else { return Ok(None) };
    contact::lock_with_rooms(tx, &[offer.contact_id]).await?;
    Ok(offer::of_ids(tx, &[id]).await?.pop())
}

async fn answer(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Settling>,
    answered: &OfferAnswered,
) -> Result<Vec<Publication>, Failure> {
    let refuse = |why| Refused { id: message.id, fact: message.fact, tenant: &answered.tenant, why };
    let offer = locked(tx, answered.offer_id).await?.filter(|o| o.tenant == answered.tenant);
    let Some(offer) = offer else { return refusal::refuse(tx, ctx.now, &[refuse(Refusal::NotFound)]).await };
    if offer.agent != answered.agent {
        return refusal::refuse(tx, ctx.now, &[refuse(Refusal::NotYourOffer)]).await;
    }
    if offer.state != "pending" {
        return refusal::refuse(tx, ctx.now, &[refuse(Refusal::OfferGone)]).await;
    }
    if ctx.now >= offer.lapses_at {
        let mut said = missed(tx, ctx, message, &offer).await?;
        said.extend(refusal::refuse(tx, ctx.now, &[refuse(Refusal::OfferGone)]).await?);
        return Ok(said);
    }
    match answered.answer {
        Answer::Accept => accept(tx, ctx, message, &offer).await,
        Answer::Refuse => {
            let reason = words(answered.reason.as_deref().unwrap_or("refused"));
            contact::give_back(tx, ctx.now, message.id, OfferOutcome::Refused, &reason, &[offer]).await
        }
    }
}

async fn accept(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Settling>,
    offer: &Pending,
) -> Result<Vec<Publication>, Failure> {
    if offer.from_agent.is_some() {
        return transferred(tx, ctx, message, offer).await;
    }
    offer::settle(tx, ctx.now, OfferOutcome::Accepted, &[(offer.id, message.id, "accepted")]).await?;
    let timers = contact::activate(tx, ctx.now, message.id, offer.contact_id, &offer.agent, offer.slots).await?;
    room::assign(tx, &[(offer.room_id, &offer.agent)]).await?;
    presence::answered(tx, &offer.tenant, &offer.agent).await?;
    let mut said = vec![offer::say_settled(ctx.now, message.id, &offer.over(), OfferOutcome::Accepted, "accepted")];
    let timeout_s = point_of_contact::timeout_of_room(tx, offer.room_id).await?;
    let deadline_at = session::after(ctx.now, timeout_s);
    let session = Session {
        id: SessionId(message.id.row("session", 0)),
        tenant: offer.tenant.clone(),
        room_id: offer.room_id,
        contact_id: offer.contact_id,
        agent: offer.agent.clone(),
        timeout_s,
        deadline_at,
        timer_gen: 1,
        timer_due_at: deadline_at,
    };
    said.extend(session::start(tx, ctx.now, message.id, &session, message.traceparent.as_deref()).await?);
    said.extend(timers);
    Ok(said)
}

/// The offer of a transfer: its first agent had the contact until now.
async fn transferred(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Settling>,
    offer: &Pending,
) -> Result<Vec<Publication>, Failure> {
    match moving::accepted(tx, ctx.now, message.id, offer).await? {
        Moved::Done(said) => Ok(said),
        Moved::Refused(why, mut said) => {
            let refused = Refused { id: message.id, fact: message.fact, tenant: &offer.tenant, why };
            said.extend(refusal::refuse(tx, ctx.now, &[refused]).await?);
            Ok(said)
        }
    }
}

/// A timer: past → lapsed; early → armed again; settled → nothing to do.
async fn lapse(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Settling>,
    due: &OfferDue,
) -> Result<Vec<Publication>, Failure> {
    let Some(offer) = locked(tx, due.offer_id).await?.filter(|o| o.state == "pending") else { return Ok(Vec::new()) };
    if ctx.now < offer.lapses_at {
        let again = OfferDue {
            id: message.id.derive(OfferDue::NAME, 0),
            cause_id: message.id,
            due_at: offer.lapses_at,
            ..due.clone()
        };
        return Ok(vec![Publication::of(&again, due.tenant.as_str()).at(offer.lapses_at)]);
    }
    missed(tx, ctx, message, &offer).await
}

async fn missed(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Settling>,
    offer: &Pending,
) -> Result<Vec<Publication>, Failure> {
    let lapsed = std::slice::from_ref(offer);
    let mut said = contact::give_back(tx, ctx.now, message.id, OfferOutcome::Lapsed, "not_answered", lapsed).await?;
    said.extend(presence::missed(tx, ctx.now, message.id, &offer.tenant, &offer.agent).await?);
    Ok(said)
}

#[cfg(test)]
mod tests;
