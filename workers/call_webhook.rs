//! webhook.asked → a program of the tenant (outside world) → webhook.answered. Claimed in a transaction, called without
//! one through the guarded client, settled in another. A call is made at most once; what it came to stands in its row.

use std::collections::HashMap;
use std::time::Duration;

use deadpool_postgres::Transaction;
use serde_json::Value;
use texthub::facts::due::WebhookAsked;
use texthub::facts::envelope::{Message, Publication, Reason};
use texthub::facts::ids::CallId;
use texthub::failure::Failure;
use texthub::flow::calls::{self, Row, Settled};
use texthub::flow::condition::weight;
use texthub::flow::document::Method;
use texthub::flow::said;
use texthub::flow::step::Call;
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
        let ids: Vec<CallId> = batch.iter().map(|m| body(m).call_id).collect();
        let rows = calls::lock(tx, &ids).await?;
        let of_state = |state: &str| -> Vec<CallId> {
            rows.iter().filter(|(_, row)| row.state == state).map(|(id, _)| *id).collect()
        };
        let lost: Vec<Settled> =
            of_state("calling").into_iter().map(|id| (id, Err("claimed_before".to_owned()))).collect();
        calls::settle(tx, ctx.now, &lost).await?;
        calls::claim(tx, &of_state("asked")).await?;
        Ok(batch.iter().map(|message| claimed(ctx, message, &rows)).collect())
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

fn claimed(ctx: &Context, message: &Message<Asked>, rows: &HashMap<CallId, Row>) -> Claim<Job> {
    let asked = body(message);
    let Some(row) = rows.get(&asked.call_id).filter(|row| row.tenant == asked.tenant) else {
        let reason = Reason::new("not_found", "no flow of this tenant asked for this call");
        return Claim::Settled(Outcome::Reject(reason));
    };
    match (&row.request, row.state.as_str()) {
        (Some(call), "asked") => Claim::Call(Job { id: asked.call_id, call: call.clone() }),
        _ => Claim::Settled(Outcome::Done(vec![answered(ctx, message)])),
    }
}

#[cfg(test)]
mod tests;
