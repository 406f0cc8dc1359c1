//! application.due → a tenant's application (outside world): a customer's text, or what became of the application's own,
//! in Twilio's shape and signed. Claimed in a transaction, called without one, settled in another. What an application
//! does not take is tried again for a day, in the order of each text, and then set aside; one that answers nothing is left
//! alone for a while, so that it stands in nobody's way. A `<Message>` in its answer to a text is a notice in return.

mod form;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use texthub::application::calls::{self, Call, RECEIVED, Step};
use texthub::application::twiml;
use texthub::facts::due::ApplicationDue;
use texthub::facts::envelope::{Message, Publication, Reason, To, conversation};
use texthub::facts::heard::{Hearable, Media, NoticeWritten};
use texthub::facts::ids::{CallId, FactId, Slug};
use texthub::failure::Failure;
use texthub::heard;
use texthub::outside::Outside;
use texthub::outside::addresses::Allowed;
use texthub::outside::form::Answer;
use texthub::runtime::worker::{Caller, Claim, Context, Outcome};

heard! {
    /// What applications are to be told.
    pub enum Due { ApplicationDue(ApplicationDue) }
}

/// An application answers within so long.
const ANSWERS: Duration = Duration::from_secs(10);
/// A call that was claimed so long ago is nobody's any more.
const LASTS: SignedDuration = SignedDuration::from_secs(30);
/// How long it is tried.
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// The longest wait between two tries.
const LONGEST_S: i64 = 3_600;
/// Calls of one application in a batch: the others come a little later.
const ABREAST: usize = 16;
/// How soon a word asks again whose predecessor about the same text is not over, or which is beyond its application's share.
const SOON: SignedDuration = SignedDuration::from_millis(250);
/// Calls in a row that may come to nothing before an application is left alone, and how long at most.
const PATIENCE: i32 = 3;
const LONGEST_PAUSE_S: i64 = 300;

/// The worker.
pub struct NotifyApplication {
    outside: Outside,
}

impl NotifyApplication {
    /// With the networks that the operator opened.
    #[must_use]
    pub fn new(allowed: Allowed) -> Self {
        Self { outside: Outside::new(allowed) }
    }
}

/// What an application answered, or a stable word why it did not.
type Told = Result<Answer, &'static str>;

impl Caller for NotifyApplication {
    const NAME: &'static str = "notify_application";
    type Fact = Due;
    type Job = Box<Call>;
    type Answer = Told;

    async fn claim(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Due>],
    ) -> Result<Vec<Claim<Box<Call>>>, Failure> {
        let ids: Vec<CallId> = batch.iter().map(|m| body(m).call_id).collect();
        let rows: HashMap<CallId, Call> =
            calls::lock(tx, &ids).await?.into_iter().map(|call| (call.id, call)).collect();
        let (mut shares, mut met, mut steps) = (HashMap::new(), HashSet::new(), Vec::new());
        let mut claims = Vec::with_capacity(batch.len());
        for message in batch {
            let Some(call) = rows.get(&body(message).call_id) else {
                let reason = Reason::new("not_found", "no application is to be told this");
                claims.push(Claim::Settled(Outcome::Reject(reason)));
                continue;
            };
            let turn = if met.insert(call.id) { turn(ctx.now, message, call, &mut shares) } else { Turn::Stale };
            steps.extend(step(ctx.now, call, &turn));
            claims.push(claimed(ctx.now, message, call, turn));
        }
        calls::take(tx, ctx.now, &steps).await?;
        Ok(claims)
    }

    async fn call(&self, call: &Box<Call>) -> Told {
        let form = form::of(call, call.url().ok_or("bad_url")?)?;
        self.outside.post(&form).await
    }

    fn lane(call: &Box<Call>) -> String {
        call.id.to_string()
    }

    async fn settle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Due>],
        answers: &[(usize, Box<Call>, Told)],
    ) -> Result<Vec<(usize, Outcome)>, Failure> {
        let (mut steps, mut outcomes) = (Vec::new(), Vec::with_capacity(answers.len()));
        // a batch counts as one call: who is away is so for all of it
        let mut standing: BTreeMap<(&Slug, &Slug), i32> = BTreeMap::new();
        for (index, call, told) in answers {
            let word = word(told);
            metrics::counter!("texthub_application_calls_total", "outcome" => word.clone()).increment(1);
            let failures = if answers_for_itself(told) { 0 } else { call.failures.saturating_add(1) };
            let of = (&call.application.tenant, &call.application.id);
            standing.entry(of).and_modify(|least| *least = failures.min(*least)).or_insert(failures);
            let (step, outcome) = settled(ctx.now, &batch[*index], call, told, word);
            steps.push(step);
            outcomes.push((*index, outcome));
        }
        steps.sort_by_key(|step| step.id);
        calls::take(tx, ctx.now, &steps).await?;
        let noted: Vec<_> = standing
            .into_iter()
            .map(|((tenant, id), failures)| (tenant, id, failures, paused_until(ctx.now, failures)))
            .collect();
        calls::note(tx, &noted).await?;
        Ok(outcomes)
    }
}

fn body(message: &Message<Due>) -> &ApplicationDue {
    let Due::ApplicationDue(due) = &message.body;
    due
}

/// What is to be done about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Make it.
    Call,
    /// Not before then.
    Wait(Timestamp),
    /// Nobody hears it any more.
    Nobody,
    /// It is over, and its answer asked for this.
    Over,
    /// It was set aside, and its message is not gone yet.
    SetAside,
    /// Its next message may be lost with the process that was to say it.
    SayNext,
    /// Another message counts, or somebody is making it.
    Stale,
}

fn turn<'c>(
    now: Timestamp,
    message: &Message<Due>,
    call: &'c Call,
    shares: &mut HashMap<(&'c Slug, &'c Slug), usize>,
) -> Turn {
    let generation = body(message).generation;
    let is_open = matches!(call.state.as_str(), "asked" | "calling");
    if generation != call.generation {
        let is_next = generation.checked_add(1) == Some(call.generation);
        return if is_open && is_next && message.is_redelivered { Turn::SayNext } else { Turn::Stale };
    }
    let is_fresh = call.claimed_at.is_some_and(|at| now.duration_since(at) < LASTS);
    match call.state.as_str() {
        "done" => return Turn::Over,
        // replayed by an operator it is tried anew
        "failed" if message.is_redelivered => return Turn::SetAside,
        "calling" if is_fresh && !message.is_redelivered => return Turn::Stale,
        _ => {}
    }
    if call.url().is_none() {
        return Turn::Nobody;
    }
    let after = |wait: SignedDuration| now.checked_add(wait).unwrap_or(now);
    if call.waits {
        return Turn::Wait(after(SOON));
    }
    if let Some(until) = call.paused_until.filter(|until| *until > now) {
        return Turn::Wait(until);
    }
    let taken = shares.entry((&call.application.tenant, &call.application.id)).or_default();
    *taken += 1;
    // those beyond the share come one share after the other
    match i32::try_from((*taken - 1) / ABREAST) {
        Ok(0) => Turn::Call,
        turns => Turn::Wait(after(SOON * turns.unwrap_or(i32::MAX))),
    }
}

/// The row as it goes on.
fn again(call: &Call) -> Step {
    Step {
        id: call.id,
        state: "asked",
        asked_at: call.asked_at,
        tries: call.tries,
        generation: call.generation,
        due_at: call.due_at,
        reason: call.reason.clone(),
        said: None,
    }
}

fn step(now: Timestamp, call: &Call, turn: &Turn) -> Option<Step> {
    // one that was set aside has its day anew
    let was_set_aside = call.state == "failed";
    let (asked_at, tries) = if was_set_aside { (now, 0) } else { (call.asked_at, call.tries) };
    let open = Step { asked_at, tries, ..again(call) };
    match turn {
        Turn::Call => Some(Step { state: "calling", due_at: now, ..open }),
        Turn::Wait(until) => Some(Step { generation: call.generation + 1, due_at: *until, ..open }),
        Turn::Nobody => Some(Step { state: "done", reason: Some("nobody".to_owned()), ..open }),
        Turn::Over | Turn::SetAside | Turn::SayNext | Turn::Stale => None,
    }
}

fn claimed(now: Timestamp, message: &Message<Due>, call: &Call, turn: Turn) -> Claim<Box<Call>> {
    let outcome = match turn {
        Turn::Call => return Claim::Call(Box::new(call.clone())),
        Turn::Wait(until) => Outcome::Done(vec![next(now, message, call, call.generation + 1, until)]),
        Turn::SayNext => Outcome::Done(vec![next(now, message, call, call.generation, call.due_at)]),
        Turn::Over => {
            let said = call.said.clone().and_then(|said| serde_json::from_value(said).ok());
            Outcome::Done(said.unwrap_or_default())
        }
        Turn::SetAside => Outcome::Reject(not_told(call.reason.as_deref().unwrap_or_default())),
        Turn::Nobody | Turn::Stale => Outcome::silent(),
    };
    Claim::Settled(outcome)
}

fn next(now: Timestamp, message: &Message<Due>, call: &Call, generation: i32, due_at: Timestamp) -> Publication {
    let Call { application, id, .. } = call;
    let of = (&application.tenant, &application.id, *id);
    calls::say(now, message.id, of, generation, due_at).traced(message.traceparent.as_deref())
}

fn not_told(word: &str) -> Reason {
    Reason::new("not_told", format!("the application did not take it ({word}); mend what is wrong, then replay"))
}

fn word(told: &Told) -> String {
    match told {
        Ok(answer) if (200..300).contains(&answer.status) => "done".to_owned(),
        Ok(answer) => format!("status_{}", answer.status),
        Err(word) => (*word).to_owned(),
    }
}

/// It answered, if only with a no of its own.
fn answers_for_itself(told: &Told) -> bool {
    told.as_ref().is_ok_and(|answer| answer.status < 500 && answer.status != 429)
}

/// Trying again changes nothing.
fn is_final(told: &Told) -> bool {
    match told {
        Ok(answer) => (300..500).contains(&answer.status) && ![408, 409, 425, 429].contains(&answer.status),
        Err(word) => ["bad_url", "not_allowed"].contains(word),
    }
}

fn settled(now: Timestamp, message: &Message<Due>, call: &Call, told: &Told, word: String) -> (Step, Outcome) {
    let asked_at = if call.state == "failed" { now } else { call.asked_at };
    let tries = if call.state == "failed" { 1 } else { call.tries.saturating_add(1) };
    let step = Step { asked_at, tries, reason: None, ..again(call) };
    if let Ok(answer) = told
        && (200..300).contains(&answer.status)
    {
        let said = notices(call, answer);
        let kept = Some(&said).filter(|said| !said.is_empty()).and_then(|said| serde_json::to_value(said).ok());
        let said = said.into_iter().map(|p| p.traced(message.traceparent.as_deref())).collect();
        return (Step { state: "done", said: kept, ..step }, Outcome::Done(said));
    }
    if is_final(told) || now.duration_since(asked_at) >= TRIED_FOR {
        let outcome = Outcome::Reject(not_told(&word));
        return (Step { state: "failed", reason: Some(word), ..step }, outcome);
    }
    let due_at = now.checked_add(wait(tries)).unwrap_or(now);
    let generation = call.generation + 1;
    let said = next(now, message, call, generation, due_at);
    (Step { generation, due_at, reason: Some(word), ..step }, Outcome::Done(vec![said]))
}

/// One second, doubled with every try, up to an hour; a tenth more or less, so that many do not come at once.
fn wait(tries: i32) -> SignedDuration {
    let seconds = 1_i64.checked_shl(tries.saturating_sub(1).clamp(0, 30).unsigned_abs()).unwrap_or(LONGEST_S);
    SignedDuration::from_millis(seconds.min(LONGEST_S) * fastrand::i64(900..=1_100))
}

fn paused_until(now: Timestamp, failures: i32) -> Option<Timestamp> {
    let beyond = failures.checked_sub(PATIENCE).filter(|beyond| *beyond >= 0)?;
    let seconds = 1_i64 << beyond.min(20);
    now.checked_add(SignedDuration::from_secs(seconds.min(LONGEST_PAUSE_S))).ok()
}

/// What the answer to a customer's text asks for.
fn notices(call: &Call, answer: &Answer) -> Vec<Publication> {
    let is_twiml = answer.kind.ends_with("xml") || answer.body.trim_start().starts_with('<');
    if call.status != RECEIVED || !is_twiml {
        return Vec::new();
    }
    let read = match twiml::read(&answer.body) {
        Ok(read) => read,
        Err(word) => {
            metrics::counter!("texthub_application_answers_ignored_total", "what" => word).increment(1);
            return Vec::new();
        }
    };
    if read.ignored > 0 {
        let count = read.ignored as u64;
        metrics::counter!("texthub_application_answers_ignored_total", "what" => "verb").increment(count);
    }
    read.messages.into_iter().zip(0..).map(|(message, nr)| notice(call, message, nr)).collect()
}

fn notice(call: &Call, message: twiml::Message, nr: u32) -> Publication {
    let medium = |url: String| Media { url, kind: "application/octet-stream".to_owned() };
    let media: Vec<Media> = message.media.into_iter().map(medium).collect();
    let fact = NoticeWritten {
        id: FactId(call.id.0).derive(<NoticeWritten as Hearable>::NAME, nr),
        tenant: call.application.tenant.clone(),
        application: Some(call.application.id.clone()),
        from: call.our_number.clone(),
        from_country: Some(call.our_country.clone()).filter(|country| !country.is_empty()),
        to: call.customer_number.clone(),
        text: message.text,
        media: Some(media).filter(|media| !media.is_empty()),
        purpose: None,
        answers: Some(call.sid),
        status_url: message.status_url,
        written_at: None,
    };
    let scope = conversation(&call.our_number, &call.our_country, &call.customer_number);
    // a worker must hear it: no announcement, which may be passed over
    Publication { to: To::Work, cause: call.sid, ..Publication::to_the_hub(&fact, scope) }
}

#[cfg(test)]
mod tests;
