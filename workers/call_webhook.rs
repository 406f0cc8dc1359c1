//! webhook.asked → a program of the tenant (outside world) → webhook.answered. Claimed in a transaction, called without
//! one through the guarded client, settled in another. A call is made at most once; what it came to stands in its row.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use texthub::facts::due::WebhookAsked;
use texthub::facts::envelope::{Message, Publication, Reason};
use texthub::facts::ids::{CallId, Slug};
use texthub::failure::Failure;
use texthub::flow::calls::{self, Row, Settled};
use texthub::flow::condition::weight;
use texthub::flow::document::Method;
use texthub::flow::said;
use texthub::flow::step::{CALL_GRACE_S, Call};
use texthub::heard;
use texthub::hub::entry::storable_json;
use texthub::outside::addresses::Allowed;
use texthub::outside::{Ask, Outside};
use texthub::runtime::worker::{Caller, Claim, Context, Outcome};

heard! {
    /// What flows ask of programs.
    pub enum Asked { WebhookAsked(WebhookAsked) }
}

/// Most bytes of an answer that a flow keeps.
const MAX_KEPT: usize = 4_096;

/// The longest that a call takes, with what is around it.
const CALL_LASTS: SignedDuration = SignedDuration::from_secs(30);

/// The worker.
pub struct CallWebhook {
    outside: Outside,
}

impl CallWebhook {
    /// With the networks that the operator opened.
    #[must_use]
    pub fn new(allowed: Allowed) -> Self {
        Self { outside: Outside::new(allowed) }
    }
}

/// A claimed call.
#[derive(Clone, Debug)]
pub struct Job {
    id: CallId,
    call: Call,
}

impl Caller for CallWebhook {
    const NAME: &'static str = "call_webhook";
    type Fact = Asked;
    type Job = Job;
    type Answer = Result<Value, String>;

    async fn claim(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Asked>],
    ) -> Result<Vec<Claim<Job>>, Failure> {
        let asked: Vec<(&Slug, CallId)> = batch.iter().map(|m| (&body(m).tenant, body(m).call_id)).collect();
        let rows = calls::lock(tx, &asked).await?;
        let mut met: HashSet<CallId> = HashSet::new();
        let turns: Vec<Turn> = batch
            .iter()
            .map(|message| match rows.get(&body(message).call_id) {
                Some(row) if met.insert(body(message).call_id) => turn(ctx.now, row, message.is_redelivered),
                Some(_) => Turn::UnderWay,
                None => Turn::Unknown,
            })
            .collect();
        let of = |turn: &Turn| -> Vec<CallId> {
            turns.iter().zip(batch).filter(|(t, _)| *t == turn).map(|(_, m)| body(m).call_id).collect()
        };
        let failed = |turn: Turn, word: &str| -> Vec<Settled> {
            of(&turn).into_iter().map(|id| (id, Err(word.to_owned()))).collect()
        };
        calls::settle(tx, ctx.now, &failed(Turn::Lost, "claimed_before")).await?;
        calls::settle(tx, ctx.now, &failed(Turn::Late, "too_late")).await?;
        calls::claim(tx, ctx.now, &of(&Turn::Call)).await?;
        Ok(batch.iter().zip(turns).map(|(message, turn)| claimed(ctx, message, turn, &rows)).collect())
    }

    async fn call(&self, job: &Job) -> Result<Value, String> {
        let ask = Ask {
            url: job.call.url.clone(),
            is_get: job.call.method == Method::Get,
            body: job.call.body.clone(),
            within: Duration::from_millis(job.call.timeout_ms.into()),
        };
        match self.outside.call(&ask).await {
            Ok(answer) if weight(&answer) > MAX_KEPT => Err("too_large".to_owned()),
            Ok(answer) => Ok(storable_json(answer)),
            Err(word) => Err(word.to_owned()),
        }
    }

    fn lane(job: &Job) -> String {
        job.id.to_string()
    }

    async fn settle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Asked>],
        answers: &[(usize, Job, Result<Value, String>)],
    ) -> Result<Vec<(usize, Outcome)>, Failure> {
        let mut settled: Vec<Settled> = answers.iter().map(|(_, job, answer)| (job.id, answer.clone())).collect();
        settled.sort_by_key(|(id, _)| *id);
        calls::settle(tx, ctx.now, &settled).await?;
        for (_, _, answer) in answers {
            let word = answer.as_ref().err().map_or("answered", String::as_str).to_owned();
            metrics::counter!("texthub_webhooks_total", "outcome" => word).increment(1);
        }
        Ok(answers.iter().map(|(index, ..)| (*index, Outcome::Done(vec![answered(ctx, &batch[*index])]))).collect())
    }
}

fn body(message: &Message<Asked>) -> &WebhookAsked {
    let Asked::WebhookAsked(asked) = &message.body;
    asked
}

fn answered(ctx: &Context, message: &Message<Asked>) -> Publication {
    said::say_answered(ctx.now, message.id, body(message)).traced(message.traceparent.as_deref())
}

/// What is to be done about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Make it.
    Call,
    /// It was claimed by a process that is gone: nobody knows whether it was made.
    Lost,
    /// The flow does not wait for it any more.
    Late,
    /// Somebody is making it.
    UnderWay,
    /// It is settled.
    Known,
    /// No flow of this tenant asked for it.
    Unknown,
}

fn turn(now: Timestamp, row: &Row, is_redelivered: bool) -> Turn {
    let since = |at: Timestamp| now.duration_since(at);
    match (row.state.as_str(), &row.request) {
        ("asked", Some(call)) => {
            let waits = SignedDuration::from_millis(call.timeout_ms.into()) + SignedDuration::from_secs(CALL_GRACE_S);
            if since(row.asked_at) < waits { Turn::Call } else { Turn::Late }
        }
        ("asked", None) => Turn::Late,
        ("calling", _) if is_redelivered || row.claimed_at.is_none_or(|at| since(at) > CALL_LASTS) => Turn::Lost,
        ("calling", _) => Turn::UnderWay,
        _ => Turn::Known,
    }
}

fn claimed(ctx: &Context, message: &Message<Asked>, turn: Turn, rows: &HashMap<CallId, Row>) -> Claim<Job> {
    let id = body(message).call_id;
    let request = rows.get(&id).and_then(|row| row.request.clone());
    let outcome = match (turn, request) {
        (Turn::Call, Some(call)) => return Claim::Call(Job { id, call }),
        (Turn::Unknown, _) => Outcome::Reject(Reason::new("not_found", "no flow of this tenant asked for this call")),
        (Turn::UnderWay, _) => {
            Outcome::Later(Duration::from_secs(2), Reason::new("being_called", "this call is being made"))
        }
        _ => Outcome::Done(vec![answered(ctx, message)]),
    };
    Claim::Settled(outcome)
}

#[cfg(test)]
mod tests;
