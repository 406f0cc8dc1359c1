//! sms.submitted, sms.failed, sms.unanswered, sms.held, receipt.received → sms.changed. Parts and receipts as rows,
//! states forward only; a receipt that comes before its submission, twice, late or for nobody is kept and is no error.

use deadpool_postgres::Transaction;
use texthub::application::calls;
use texthub::facts::envelope::{Fact, Message, Publication, Reason};
use texthub::facts::heard::ReceiptReceived;
use texthub::facts::ids::{FactId, Slug, SmsId};
use texthub::facts::said::{SmsChanged, SmsFailed, SmsHeld, SmsStatus, SmsSubmitted, SmsUnanswered, SubmittedPart};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::memory::{self, Seen};
use texthub::runtime::worker::{Context, Outcome, Worker};
use texthub::sms::receipt::{Ends, Ledger, Receipt, rows, spelling};

heard! {
    /// What became of texts.
    pub enum Became {
        SmsSubmitted(SmsSubmitted), SmsFailed(SmsFailed), SmsUnanswered(SmsUnanswered), SmsHeld(SmsHeld),
        ReceiptReceived(ReceiptReceived),
    }
}

/// The worker.
pub struct RecordReceipt;

impl Worker for RecordReceipt {
    const NAME: &'static str = "record_receipt";
    type Fact = Became;

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Became>],
    ) -> Result<Vec<Outcome>, Failure> {
        let messages: Vec<&Message<Became>> = batch.iter().collect();
        let tenants: Vec<Option<&Slug>> = batch.iter().map(|m| told(&m.body).map(|told| told.tenant)).collect();
        let seen = memory::remember(tx, ctx.now, Self::NAME, &messages, &tenants).await?;
        let fresh: Vec<&Message<Became>> =
            messages.iter().zip(&seen).filter(|(_, s)| **s == Seen::Fresh).map(|(m, _)| *m).collect();
        let mut ledger = load(tx, ctx, &fresh).await?;
        let mut outcomes: Vec<Outcome> = batch
            .iter()
            .zip(seen)
            .map(|(message, seen)| match seen {
                Seen::Fresh => apply(&mut ledger, message, ctx),
                Seen::Repeat { said, .. } => Outcome::Done(said.unwrap_or_default()),
                Seen::Reused => Outcome::Reject(memory::reused()),
            })
            .collect();
        rows::store(tx, ctx.now, &ledger).await?;
        tell_applications(tx, ctx, batch, &mut outcomes).await?;
        let (mut kept, mut forgotten) = (Vec::new(), Vec::new());
        for (message, outcome) in batch.iter().zip(&outcomes) {
            match outcome {
                Outcome::Done(said) if !said.is_empty() => kept.push((message.id, said.clone())),
                // its replay is no repeat
                Outcome::Reject(reason) if *reason != memory::reused() => forgotten.push(message.id),
                _ => {}
            }
        }
        memory::keep_all_said(tx, Self::NAME, None, &kept).await?;
        memory::forget(tx, Self::NAME, &forgotten).await?;
        Ok(outcomes)
    }
}

/// Applications hear what became of their texts: said with what was said of them. (A repeat finds what was written.)
async fn tell_applications(
    tx: &Transaction<'_>,
    ctx: &Context,
    batch: &[Message<Became>],
    outcomes: &mut [Outcome],
) -> Result<(), Failure> {
    let mut changed = Vec::new();
    for (message, outcome) in batch.iter().zip(&*outcomes) {
        let Outcome::Done(said) = outcome else { continue };
        for publication in said.iter().filter(|publication| publication.fact == SmsChanged::NAME) {
            let Ok(fact) = serde_json::from_slice::<SmsChanged>(&publication.body) else { continue };
            changed.push((fact.sms_id, fact.status, fact.reason, message.id));
        }
    }
    let mut due = calls::of_changed(tx, ctx.now, &changed).await?;
    for (message, outcome) in batch.iter().zip(outcomes) {
        if let (Outcome::Done(said), Some(due)) = (outcome, due.remove(&message.id)) {
            said.extend(due.into_iter().map(|p| p.traced(message.traceparent.as_deref())));
        }
    }
    Ok(())
}

/// A fact of `send_sms`, whichever it is.
struct Told<'a> {
    tenant: &'a Slug,
    sms_id: SmsId,
    parts: &'a [SubmittedPart],
    state: SmsStatus,
}

fn told(body: &Became) -> Option<Told<'_>> {
    let (tenant, sms_id, parts, state) = match body {
        Became::SmsSubmitted(fact) => (&fact.tenant, fact.sms_id, &fact.parts, SmsStatus::Submitted),
        Became::SmsFailed(fact) => (&fact.tenant, fact.sms_id, &fact.parts, SmsStatus::Failed),
        Became::SmsUnanswered(fact) => (&fact.tenant, fact.sms_id, &fact.parts, SmsStatus::Unknown),
        Became::SmsHeld(fact) => (&fact.tenant, fact.sms_id, &fact.parts, SmsStatus::Held),
        Became::ReceiptReceived(_) => return None,
    };
    Some(Told { tenant, sms_id, parts, state })
}

async fn load(tx: &Transaction<'_>, ctx: &Context, fresh: &[&Message<Became>]) -> Result<Ledger, Failure> {
    let answered: Vec<(SmsId, &[SubmittedPart])> =
        fresh.iter().filter_map(|m| told(&m.body)).map(|told| (told.sms_id, told.parts)).collect();
    let reported: Vec<(&Slug, &str)> = fresh
        .iter()
        .filter_map(|m| match &m.body {
            Became::ReceiptReceived(fact) if unsound(fact).is_none() => {
                Some((&fact.carrier, fact.carrier_sms_id.as_str()))
            }
            _ => None,
        })
        .collect();
    let between: Vec<(&Slug, Ends)> = fresh
        .iter()
        .filter_map(|m| match &m.body {
            Became::ReceiptReceived(fact) if unsound(fact).is_none() => ends(fact).map(|ends| (&fact.carrier, ends)),
            _ => None,
        })
        .collect();
    rows::load(tx, ctx.now, &answered, &reported, &between).await
}

/// One message: what it does to the ledger, and what is to be said of it.
fn apply(ledger: &mut Ledger, message: &Message<Became>, ctx: &Context) -> Outcome {
    let moved = match &message.body {
        Became::ReceiptReceived(fact) => match unsound(fact) {
            Some(reason) => return Outcome::Reject(reason),
            None => ledger.reported(receipt(fact)),
        },
        other => {
            let Some(told) = told(other) else { return Outcome::silent() };
            if !ledger.texts.contains_key(&told.sms_id) {
                return Outcome::Reject(Reason::new("not_found", "no text was requested under this sms_id"));
            }
            ledger.answered(told.sms_id, told.parts, told.state).then_some(told.sms_id)
        }
    };
    Outcome::Done(moved.and_then(|id| changed(ledger, id, message, ctx)).into_iter().collect())
}

/// Why a receipt cannot be kept, if so: Postgres holds no NUL, and an id of a thousand letters is none.
fn unsound(fact: &ReceiptReceived) -> Option<Reason> {
    let is_id = |text: &str| !text.is_empty() && text.len() <= 255 && !text.contains('\0');
    let is_fine =
        is_id(&fact.carrier_sms_id) && fact.error.as_deref().is_none_or(|error| is_id(error) || error.is_empty());
    let is_fine = is_fine && [&fact.our_number, &fact.customer_number].into_iter().flatten().all(|end| is_id(end));
    (!is_fine).then(|| {
        Reason::new(
            "bad_receipt",
            "`carrier_sms_id` and `error` have at most 255 bytes and no NUL; the id is not empty",
        )
    })
}

fn ends(fact: &ReceiptReceived) -> Option<Ends> {
    fact.our_number.clone().zip(fact.customer_number.clone())
}

fn receipt(fact: &ReceiptReceived) -> Receipt {
    Receipt {
        id: fact.id,
        carrier: fact.carrier.clone(),
        carrier_sms_id: fact.carrier_sms_id.clone(),
        status: fact.status.into(),
        error: fact.error.clone(),
        part: fact.part,
        ends: ends(fact),
        id_rules: spelling::rules(fact.id_rules.as_deref().unwrap_or_default()),
        reported_at: fact.reported_at,
        sms_id: None,
    }
}

fn changed(ledger: &Ledger, id: SmsId, message: &Message<Became>, ctx: &Context) -> Option<Publication> {
    let sms = &ledger.texts.get(&id)?.sms;
    let fact = SmsChanged {
        id: FactId::derive(message.id, SmsChanged::NAME, 0),
        cause_id: message.id,
        at: ctx.now,
        tenant: sms.tenant.clone(),
        sms_id: id,
        room_id: sms.room_id,
        entry_id: sms.entry_id,
        status: sms.state,
        reason: sms.reason.clone(),
        until: if let Became::SmsHeld(fact) = &message.body { fact.until } else { None },
    };
    Some(Publication::of(&fact, sms.scope()).traced(message.traceparent.as_deref()))
}

#[cfg(test)]
mod tests;
