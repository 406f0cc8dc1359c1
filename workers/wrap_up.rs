//! `contact.ended`, `wrap_up.finished`, `wrap_up.due`, `contact.due` → the room is closed, after-contact work begins or ends,
//! the slot is freed. Exactly one contact each time, and the transcript needs no step.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use texthub::facts::due::{ContactDue, WrapUpDue};
use texthub::facts::envelope::{Fact, Message, Publication};
use texthub::facts::heard::{ByKind, ContactEnded, WrapUpFinished};
use texthub::facts::ids::{ContactId, Slug};
use texthub::facts::said::ContactOutcome;
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::contact::{self, Contact, Ending};
use texthub::hub::entry::words;
use texthub::hub::refusal::{self, Refusal, Refused};
use texthub::hub::{room, sql};
use texthub::runtime::worker::{Context, Outcome, Single};

heard! {
    /// What ends contacts and their wrap-up.
    pub enum Over {
        ContactEnded(ContactEnded),
        WrapUpFinished(WrapUpFinished),
        WrapUpDue(WrapUpDue),
        ContactDue(ContactDue),
    }
}

/// The worker.
pub struct WrapUp;

impl Single for WrapUp {
    const NAME: &'static str = "wrap_up";
    type Fact = Over;

    fn tenant(fact: &Over) -> Option<&Slug> {
        Some(match fact {
            Over::ContactEnded(fact) => &fact.tenant,
            Over::WrapUpFinished(fact) => &fact.tenant,
            Over::WrapUpDue(fact) => &fact.tenant,
            Over::ContactDue(fact) => &fact.tenant,
        })
    }

    async fn handle(&self, tx: &Transaction<'_>, ctx: &Context, message: &Message<Over>) -> Result<Outcome, Failure> {
        let said = match &message.body {
            Over::ContactEnded(ended) => end(tx, ctx, message, ended).await?,
            Over::WrapUpFinished(finished) => finish(tx, ctx, message, finished).await?,
            Over::WrapUpDue(due) => wrap_up_due(tx, ctx, message, due).await?,
            Over::ContactDue(due) => waited_too_long(tx, ctx, message, due).await?,
        };
        let trace = message.traceparent.as_deref();
        Ok(Outcome::Done(said.into_iter().map(|p| p.traced(trace)).collect()))
    }
}

/// The contact under the locks of its room and itself, if it is the tenant's.
async fn locked(tx: &Transaction<'_>, id: ContactId, tenant: &Slug) -> Result<Option<Contact>, Failure> {
    Ok(contact::lock_with_rooms(tx, &[id]).await?.pop().filter(|c| c.tenant == *tenant))
}

async fn end_one(tx: &Transaction<'_>, now: Timestamp, ending: Ending) -> Result<Vec<Publication>, Failure> {
    Ok(contact::end(tx, now, &[ending]).await?.into_iter().flatten().flatten().collect())
}

async fn end(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Over>,
    ended: &ContactEnded,
) -> Result<Vec<Publication>, Failure> {
    let contact = locked(tx, ended.contact_id, &ended.tenant).await?;
    let by_agent = ended.by.kind == ByKind::Agent;
    let why_not = match &contact {
        None => Some(Refusal::NotFound),
        Some(c) if c.state == "closed" => Some(Refusal::AlreadyEnded),
        // one that is only offered is nobody's yet, and is still its first agent's while it is being transferred
        Some(c) if by_agent && !is_of(tx, c, &ended.by.name).await? => Some(Refusal::NotAMember),
        Some(c) if c.state == "wrap_up" && ended.disposition.is_none() => Some(Refusal::AlreadyEnded),
        Some(c) => unknown_disposition(tx, c, ended.disposition.as_deref()).await?,
    };
    if let Some(why) = why_not {
        let refused = Refused { id: message.id, fact: message.fact, tenant: &ended.tenant, why };
        return refusal::refuse(tx, ctx.now, &[refused]).await;
    }
    let is_forced = matches!(ended.by.kind, ByKind::Supervisor | ByKind::Program);
    let ending = Ending {
        cause: message.id,
        contact_id: ended.contact_id,
        outcome: is_forced.then_some(ContactOutcome::Forced),
        reason: words(&ended.reason),
        disposition: ended.disposition.as_deref().map(words),
        note: None,
        by: Some(format!("{}:{}", kind_of(ended.by.kind), words(&ended.by.name))),
        is_final: false,
    };
    end_one(tx, ctx.now, ending).await
}

/// A disposition that is chosen is one of the skill's, where it has a list.
async fn unknown_disposition(
    tx: &Transaction<'_>,
    contact: &Contact,
    chosen: Option<&str>,
) -> Result<Option<Refusal>, Failure> {
    let Some(chosen) = chosen else { return Ok(None) };
    let list = "select dispositions = '{}' or $3 = any(dispositions) from skills where tenant = $1 and id = $2";
    let row = sql::row(tx, list, &[&contact.tenant, &contact.skill, &words(chosen)]).await?;
    let is_fine = row.is_none_or(|row| row.get(0));
    Ok((!is_fine).then_some(Refusal::UnknownDisposition))
}

/// Wrap-up without a disposition is finished by its timer alone where the skill requires one and none is chosen yet.
async fn missing_disposition(tx: &Transaction<'_>, contact: &Contact) -> Result<Option<Refusal>, Failure> {
    let row = sql::row(
        tx,
        "select k.disposition_required and c.disposition is null
         from contacts c join skills k on k.tenant = c.tenant and k.id = c.skill where c.id = $1",
        &[&contact.id],
    )
    .await?;
    Ok(row.filter(|row| row.get(0)).map(|_| Refusal::DispositionMissing))
}

/// Whether an agent has the contact, or parked it.
async fn is_of(tx: &Transaction<'_>, contact: &Contact, agent: &str) -> Result<bool, Failure> {
    let room = room::of_ids(tx, &[contact.room_id]).await?.pop();
    let holder = contact::holder(contact, room.as_ref().and_then(|room| room.agent.as_ref()));
    Ok(holder.is_some_and(|slug| slug.as_str() == agent))
}

fn kind_of(kind: ByKind) -> &'static str {
    match kind {
        ByKind::Agent => "agent",
        ByKind::Supervisor => "supervisor",
        ByKind::Customer => "customer",
        ByKind::Program => "program",
    }
}

async fn finish(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Over>,
    finished: &WrapUpFinished,
) -> Result<Vec<Publication>, Failure> {
    let contact = locked(tx, finished.contact_id, &finished.tenant).await?;
    let why_not = match &contact {
        None => Some(Refusal::NotFound),
        Some(c) if c.agent.as_ref() != Some(&finished.agent) => Some(Refusal::NotAMember),
        Some(c) if c.state == "closed" => Some(Refusal::AlreadyEnded),
        Some(c) if c.state != "wrap_up" => Some(Refusal::NotFound),
        Some(c) if finished.disposition.is_none() => missing_disposition(tx, c).await?,
        Some(c) => unknown_disposition(tx, c, finished.disposition.as_deref()).await?,
    };
    if let Some(why) = why_not {
        let refused = Refused { id: message.id, fact: message.fact, tenant: &finished.tenant, why };
        return refusal::refuse(tx, ctx.now, &[refused]).await;
    }
    let ending = Ending {
        disposition: finished.disposition.as_deref().map(words),
        note: finished.note.as_deref().map(words),
        ..closing(message, finished.contact_id, "wrap_up_finished")
    };
    end_one(tx, ctx.now, ending).await
}

fn closing(message: &Message<Over>, contact_id: ContactId, reason: &str) -> Ending {
    Ending {
        cause: message.id,
        contact_id,
        outcome: None,
        reason: reason.into(),
        disposition: None,
        note: None,
        by: None,
        is_final: true,
    }
}

async fn wrap_up_due(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Over>,
    due: &WrapUpDue,
) -> Result<Vec<Publication>, Failure> {
    let contact = locked(tx, due.contact_id, &due.tenant).await?;
    if contact.is_none_or(|c| c.state != "wrap_up") {
        return Ok(Vec::new());
    }
    let row = sql::row(tx, "select wrap_up_until from contacts where id = $1", &[&due.contact_id]).await?;
    let until: Option<Timestamp> = row.and_then(|row| row.get(0));
    if let Some(until) = until.filter(|until| ctx.now < *until) {
        let again =
            WrapUpDue { id: message.id.derive(WrapUpDue::NAME, 0), cause_id: message.id, due_at: until, ..due.clone() };
        return Ok(vec![Publication::of(&again, due.tenant.as_str()).at(until)]);
    }
    end_one(tx, ctx.now, closing(message, due.contact_id, "wrap_up_over")).await
}

/// A waiting contact passed its skill's maximum, or a customer waits for the agent of an active one.
async fn waited_too_long(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Over>,
    due: &ContactDue,
) -> Result<Vec<Publication>, Failure> {
    let contact = locked(tx, due.contact_id, &due.tenant).await?;
    match contact {
        Some(contact) if contact.state == "queued" => contact::waited(tx, ctx.now, message.id, &contact).await,
        Some(contact) if contact.state == "active" => {
            contact::answer_due(tx, ctx.now, message.id, due.due_at, &contact).await
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod longest;
#[cfg(test)]
mod tests;
