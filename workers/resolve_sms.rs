//! sms.doubted → carrier (outside world) → sms.submitted, sms.failed, sms.requested. A text whose answer was lost is looked
//! for with its carrier; where that cannot be, the tenant's policy decides in its time.

use std::collections::HashMap;
use std::sync::Arc;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use texthub::facts::due::SmsDoubted;
use texthub::facts::envelope::{Fact, Message, Publication};
use texthub::facts::ids::{Slug, SmsId};
use texthub::facts::said::{SmsChanged, SmsFailed, SmsStatus, SmsSubmitted, SubmittedPart};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::outbound::{self, Outbound};
use texthub::runtime::worker::{Caller, Claim, Context, Outcome};
use texthub::sms::carrier::lines::{Line, Lines};
use texthub::sms::carrier::{Outgoing, Surroundings};
use texthub::sms::doubt::{self, Doubted, Found, Verdict};
use texthub::sms::sending::{self, Sms, Step};

heard! {
    /// What is to be looked for.
    pub enum Doubts { SmsDoubted(SmsDoubted) }
}

/// How much earlier than our claim, by its clock, a carrier may have taken a text.
const CLOCKS: SignedDuration = SignedDuration::from_secs(30);
/// Why a text counts as failed by policy.
const UNANSWERED: &str = "unanswered";

/// The worker.
pub struct ResolveSms {
    lines: Lines,
}

impl ResolveSms {
    /// With what connections need to know of their surroundings.
    #[must_use]
    pub fn new(around: Surroundings) -> Self {
        Self { lines: Lines::new(around) }
    }
}

/// A text to be looked for.
pub struct Job {
    text: Outbound,
    doubted: Doubted,
    /// None: it cannot be asked.
    line: Option<Arc<Line>>,
}

impl Caller for ResolveSms {
    const NAME: &'static str = "resolve_sms";
    type Fact = Doubts;
    type Job = Job;
    type Answer = Found;

    async fn claim(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Doubts>],
    ) -> Result<Vec<Claim<Job>>, Failure> {
        let ids: Vec<SmsId> = batch.iter().map(|message| body(message).sms_id).collect();
        let mut doubted = doubt::lock(tx, &ids).await?;
        let mut carriers: Vec<Slug> = doubted.values().map(|doubted| doubted.carrier.clone()).collect();
        carriers.sort_unstable();
        carriers.dedup();
        let rows = sending::carriers(tx, &carriers).await?;
        let known = sending::parts(tx, &ids).await?;
        let states = sending::lock(tx, &ids).await?;
        let texts: HashMap<SmsId, Outbound> =
            outbound::of_ids(tx, &ids).await?.into_iter().map(|text| (text.id, text)).collect();
        Ok(batch
            .iter()
            .map(|message| {
                let id = body(message).sms_id;
                let Some(text) = texts.get(&id) else { return Claim::Settled(Outcome::silent()) };
                // one that is not unknown any more needs nobody; nor does a second ask in one batch
                let Some(doubted) = doubted.remove(&id) else {
                    let state = states.get(&id).filter(|_| message.is_redelivered);
                    let said = state.map(|sms| again(ctx.now, message, text, sms, known.get(&id)));
                    return Claim::Settled(Outcome::Done(said.unwrap_or_default()));
                };
                let line = rows.get(&doubted.carrier).and_then(|standing| self.lines.of(&standing.row));
                Claim::Call(Job { text: text.clone(), doubted, line })
            })
            .collect())
    }

    async fn call(&self, job: &Job) -> Found {
        let since = job.doubted.claimed_at.checked_sub(CLOCKS).unwrap_or(job.doubted.claimed_at);
        match &job.line {
            Some(line) => line.connection.find(&outgoing(&job.text), since).await,
            None => Found::NotTold,
        }
    }

    fn lane(job: &Job) -> String {
        // of two alike the second must know which the first was
        job.text.room_id.to_string()
    }

    async fn settle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Doubts>],
        answers: &[(usize, Job, Found)],
    ) -> Result<Vec<(usize, Outcome)>, Failure> {
        let ids: Vec<SmsId> = answers.iter().map(|(_, job, _)| job.text.id).collect();
        let doubted = doubt::lock(tx, &ids).await?;
        let mut outcomes = Vec::with_capacity(answers.len());
        for (index, job, found) in answers {
            // a receipt was faster
            let outcome = match doubted.get(&job.text.id) {
                Some(doubted) => settle_one(tx, ctx, &batch[*index], &job.text, doubted, found).await?,
                None => Outcome::silent(),
            };
            outcomes.push((*index, outcome));
        }
        Ok(outcomes)
    }
}

async fn settle_one(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Doubts>,
    text: &Outbound,
    doubted: &Doubted,
    found: &Found,
) -> Result<Outcome, Failure> {
    let texts = if let Found::These(texts) = found { texts.as_slice() } else { &[] };
    let ids: Vec<&str> = texts.iter().flatten().map(|part| part.carrier_sms_id.as_str()).collect();
    let taken = if ids.is_empty() { Vec::new() } else { doubt::taken(tx, &doubted.carrier, &ids).await? };
    let verdict = doubt::decide(ctx.now, doubted, found, &taken);
    doubt::write(tx, ctx.now, text.id, &verdict, message.id).await?;
    let step =
        |to, reason: Option<&str>| [Step { id: text.id, to, reason: reason.map(str::to_owned), cause: message.id }];
    let said = match verdict {
        Verdict::Submitted(parts) => {
            let rows: Vec<(SmsId, &Slug, &SubmittedPart)> =
                parts.iter().map(|part| (text.id, &text.carrier, part)).collect();
            sending::advance(tx, ctx.now, &step(SmsStatus::Submitted, None)).await?;
            sending::add_parts(tx, &rows).await?;
            vec![became::<SmsSubmitted>(ctx.now, message, text, parts, None)]
        }
        Verdict::Fail => {
            sending::advance(tx, ctx.now, &step(SmsStatus::Failed, Some(UNANSWERED))).await?;
            vec![became::<SmsFailed>(ctx.now, message, text, Vec::new(), Some(UNANSWERED))]
        }
        Verdict::Send => vec![outbound::say_again(ctx.now, text, message.id), changed(ctx.now, message, text, None)],
        Verdict::Resend => {
            vec![outbound::say_again(ctx.now, text, message.id), changed(ctx.now, message, text, Some("resent"))]
        }
        Verdict::GiveUp | Verdict::Later(_) => Vec::new(),
    };
    Ok(Outcome::Done(said.into_iter().map(|p| p.traced(message.traceparent.as_deref())).collect()))
}

/// What was said of a text that this message resolved before, perhaps: the same again.
fn again(
    now: Timestamp,
    message: &Message<Doubts>,
    text: &Outbound,
    sms: &Sms,
    parts: Option<&Vec<SubmittedPart>>,
) -> Vec<Publication> {
    match sms.state {
        SmsStatus::Submitted | SmsStatus::Delivered | SmsStatus::Undelivered => {
            let parts = parts.cloned().unwrap_or_default();
            vec![became::<SmsSubmitted>(now, message, text, parts, None)]
        }
        SmsStatus::Failed => vec![became::<SmsFailed>(now, message, text, Vec::new(), sms.reason.as_deref())],
        SmsStatus::Requested => vec![outbound::say_again(now, text, message.id)],
        SmsStatus::Held | SmsStatus::Sending | SmsStatus::Unknown => Vec::new(),
    }
}

/// A fact of what became of a text, as `send_sms` says it.
trait Became: Fact {
    fn of(
        now: Timestamp,
        message: &Message<Doubts>,
        text: &Outbound,
        parts: Vec<SubmittedPart>,
        why: Option<&str>,
    ) -> Self;
}

macro_rules! became {
    ($($fact:ident),+) => {$(
        impl Became for $fact {
            fn of(now: Timestamp, message: &Message<Doubts>, text: &Outbound, parts: Vec<SubmittedPart>, why: Option<&str>) -> Self {
                Self {
                    id: message.id.derive(Self::NAME, 0),
                    cause_id: message.id,
                    at: now,
                    tenant: text.ends.tenant.clone(),
                    sms_id: text.id,
                    parts,
                    reason: why.map(str::to_owned),
                }
            }
        }
    )+};
}
became! { SmsSubmitted, SmsFailed }

fn became<F: Became>(
    now: Timestamp,
    message: &Message<Doubts>,
    text: &Outbound,
    parts: Vec<SubmittedPart>,
    why: Option<&str>,
) -> Publication {
    Publication::of(&F::of(now, message, text, parts, why), text.ends.scope())
}

/// It is on its way again.
fn changed(now: Timestamp, message: &Message<Doubts>, text: &Outbound, why: Option<&str>) -> Publication {
    let fact = SmsChanged {
        id: message.id.derive(SmsChanged::NAME, 0),
        cause_id: message.id,
        at: now,
        tenant: text.ends.tenant.clone(),
        sms_id: text.id,
        room_id: text.room_id,
        entry_id: text.entry_id,
        status: SmsStatus::Requested,
        reason: why.map(str::to_owned),
        until: None,
    };
    Publication::of(&fact, text.ends.scope())
}

fn outgoing(text: &Outbound) -> Outgoing {
    Outgoing {
        carrier: text.carrier.clone(),
        sms_id: text.id,
        from: text.ends.our_number.clone(),
        from_country: Some(text.ends.our_country.clone()).filter(|country| !country.is_empty()),
        to: text.ends.customer_number.clone(),
        text: text.text.clone(),
        media: Vec::new(),
    }
}

fn body(message: &Message<Doubts>) -> &SmsDoubted {
    let Doubts::SmsDoubted(doubted) = &message.body;
    doubted
}

#[cfg(test)]
mod tests;
