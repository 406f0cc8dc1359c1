//! `flow.texted`, `flow.due`, `webhook.answered` → the next step of a contact's flow: texts, the queue, a call, the end;
//! and the next timer. The step itself is pure; its state is one row, so any worker goes on after a crash. Texts are
//! heard in the order of their entries, whatever the order of the messages. A flow that cannot go on leads to an agent.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::Transaction;
use jiff::SignedDuration;
use serde_json::Value;
use texthub::facts::due::{FlowDue, FlowTexted, WebhookAnswered};
use texthub::facts::envelope::{Message, Publication};
use texthub::facts::ids::{ContactId, Slug};
use texthub::failure::Failure;
use texthub::flow::apply::Scene;
use texthub::flow::check::{self, Flow, Known};
use texthub::flow::document::Node;
use texthub::flow::step::{Effect, Event, Flows, Phase, Request, Run, step};
use texthub::flow::store::{self, Kept, Settled};
use texthub::flow::{looks, said};
use texthub::heard;
use texthub::hub::contact::{self, Contact};
use texthub::hub::room;
use texthub::runtime::worker::{Context, Outcome, Single};
use texthub::sms::keywords::{self, Wish};
use texthub::tenant::point_of_contact;

heard! {
    /// What flows wait for.
    pub enum Happened { FlowTexted(FlowTexted), FlowDue(FlowDue), WebhookAnswered(WebhookAnswered) }
}

/// Compiled versions that are kept.
const KEPT: usize = 256;
/// Flows that may follow one another by `transfer_flow` in one step.
const FOLLOWING: usize = 20;
/// A timer that finds its contact offered comes again so many seconds later.
const OFFERED_S: i64 = 5;

type Key = (Slug, String, i32);

/// The worker, with the versions that it compiled.
#[derive(Default)]
pub struct RunFlow {
    compiled: Mutex<HashMap<Key, Arc<Flow>>>,
}

impl Single for RunFlow {
    const NAME: &'static str = "run_flow";
    type Fact = Happened;

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        message: &Message<Happened>,
    ) -> Result<Outcome, Failure> {
        let (id, tenant) = of(&message.body);
        let contact = contact::lock_with_rooms(tx, &[id]).await?.pop().filter(|c| c.tenant == *tenant);
        let Some(contact) = contact else { return Ok(Outcome::silent()) };
        let kept = store::run_of(tx, &contact).await?;
        let said = self.go_on(tx, ctx, message, contact, kept).await?;
        let trace = message.traceparent.as_deref();
        Ok(Outcome::Done(said.into_iter().map(|p| p.traced(trace)).collect()))
    }
}

fn of(happened: &Happened) -> (ContactId, &Slug) {
    match happened {
        Happened::FlowTexted(fact) => (fact.contact_id, &fact.tenant),
        Happened::FlowDue(fact) => (fact.contact_id, &fact.tenant),
        Happened::WebhookAnswered(fact) => (fact.contact_id, &fact.tenant),
    }
}

impl RunFlow {
    async fn go_on(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        message: &Message<Happened>,
        contact: Contact,
        kept: Option<Kept>,
    ) -> Result<Vec<Publication>, Failure> {
        if kept.as_ref().is_some_and(|kept| !kept.is_living) {
            return Ok(Vec::new());
        }
        if !matches!(contact.state.as_str(), "prequeue" | "queued" | "offered") {
            // an agent has it, or it is over: so is the flow
            if let Some(mut kept) = kept {
                over(&mut kept);
                store::keep(tx, ctx.now, &contact, &kept).await?;
            }
            return Ok(Vec::new());
        }
        if contact.state == "offered" && !matches!(message.body, Happened::FlowTexted(_)) {
            return later(tx, ctx, message, &contact, kept).await;
        }
        let Some(room) = room::of_ids(tx, &[contact.room_id]).await?.pop() else { return Ok(Vec::new()) };
        let point = point_of_contact::of_rooms(tx, &[(&contact.tenant, &room.point_of_contact)]).await?.pop().flatten();
        let named = point.as_ref().and_then(|point| point.flow.clone());
        let mut scene = Scene { tx, now: ctx.now, cause: message.id, room, contact, point };
        let mut flows = Flows::new();
        let mut kept = match kept {
            Some(kept) => kept,
            None if scene.contact.state != "prequeue" => return Ok(Vec::new()),
            None => match self.begin(tx, &scene.contact, named, &mut flows).await? {
                Some(kept) => kept,
                None => return scene.apply(vec![default_queue()]).await,
            },
        };
        let Some(events) = events(tx, &scene.contact, message, &mut kept).await? else { return Ok(Vec::new()) };
        if !self.load(tx, &scene.contact.tenant, &kept.run, &mut flows).await? {
            over(&mut kept);
            let said = scene.apply(vec![default_queue()]).await?;
            store::keep(tx, ctx.now, &scene.contact, &kept).await?;
            return Ok(said);
        }
        advance(&mut scene, &flows, kept, events).await
    }

    /// A new run of the newest version; none where the flow is gone.
    async fn begin(
        &self,
        tx: &Transaction<'_>,
        contact: &Contact,
        named: Option<Slug>,
        flows: &mut Flows,
    ) -> Result<Option<Kept>, Failure> {
        let Some(id) = named else { return Ok(None) };
        let Some((version, flow)) = self.flow(tx, &contact.tenant, id.as_str(), None).await? else { return Ok(None) };
        let run = Run::new(id.as_str(), version, &flow);
        flows.insert(id.as_str().to_owned(), (version, flow));
        Ok(Some(Kept { run, generation: 0, heard_seq: 0, is_living: true }))
    }

    /// The run's own version, and the newest of the flows that it may hand over to. False: its own is gone.
    async fn load(&self, tx: &Transaction<'_>, tenant: &Slug, run: &Run, flows: &mut Flows) -> Result<bool, Failure> {
        let Some(own) = self.flow(tx, tenant, &run.flow, Some(run.version)).await? else { return Ok(false) };
        let mut open: Vec<String> = targets(&own.1);
        flows.insert(run.flow.clone(), own);
        let mut seen: BTreeSet<String> = flows.keys().cloned().collect();
        while let Some(id) = open.pop().filter(|_| flows.len() < FOLLOWING) {
            if seen.insert(id.clone())
                && let Some(found) = self.flow(tx, tenant, &id, None).await?
            {
                open.extend(targets(&found.1));
                flows.insert(id, found);
            }
        }
        Ok(true)
    }

    /// A compiled version, from memory where it is there.
    async fn flow(
        &self,
        tx: &Transaction<'_>,
        tenant: &Slug,
        id: &str,
        version: Option<i32>,
    ) -> Result<Option<(i32, Arc<Flow>)>, Failure> {
        let version = match version {
            Some(version) => Some(version),
            None => store::newest(tx, tenant, id).await?,
        };
        let Some(version) = version else { return Ok(None) };
        let key = (tenant.clone(), id.to_owned(), version);
        if let Some(flow) = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Some((version, Arc::clone(flow))));
        }
        let Some((_, document)) = store::version(tx, tenant, id, Some(version)).await? else { return Ok(None) };
        let Some(flow) = compile(&document) else { return Ok(None) };
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        compiled.insert(key, Arc::clone(&flow));
        Ok(Some((version, flow)))
    }
}

fn compile(document: &Value) -> Option<Arc<Flow>> {
    match check::flow(&document.to_string(), &Known::default()) {
        Ok(flow) => Some(Arc::new(flow)),
        Err(mistakes) => {
            tracing::error!(mistakes = mistakes.len(), "a published flow does not compile any more");
            None
        }
    }
}

fn targets(flow: &Flow) -> Vec<String> {
    let targets = flow.document.nodes.values().filter_map(|node| match node {
        Node::TransferFlow(transfer) => Some(transfer.flow.clone()),
        _ => None,
    });
    targets.collect()
}

fn default_queue() -> Effect {
    Effect::Queue(Request { skill: None, priority: None, proficiency: None, prefer: None, hold_until: None })
}

fn over(kept: &mut Kept) {
    kept.is_living = false;
    kept.run.phase = Phase::Over;
    kept.run.due_at = None;
}

/// A timer, or a program's answer, that finds its contact offered waits for what becomes of the offer: the timer that then
/// comes reads the answer from its row.
async fn later(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Happened>,
    contact: &Contact,
    kept: Option<Kept>,
) -> Result<Vec<Publication>, Failure> {
    let Some(mut kept) = kept else { return Ok(Vec::new()) };
    let counts = match &message.body {
        Happened::FlowDue(due) => due.generation == kept.generation,
        Happened::WebhookAnswered(answered) => {
            let which = Settled::Id(answered.call_id);
            let answer = store::answer(tx, &contact.tenant, contact.id, which).await?;
            kept.run.phase == Phase::Calling && answer.is_some_and(|(number, _)| number == kept.run.call)
        }
        Happened::FlowTexted(_) => false,
    };
    if !counts {
        return Ok(Vec::new());
    }
    let due_at = ctx.now.checked_add(SignedDuration::from_secs(OFFERED_S)).unwrap_or(ctx.now);
    kept.generation += 1;
    kept.run.due_at = Some(due_at);
    store::keep(tx, ctx.now, contact, &kept).await?;
    Ok(vec![said::say_due(ctx.now, message.id, contact, kept.generation, due_at)])
}

/// What a message means for a run; none: it is stale.
async fn events(
    tx: &Transaction<'_>,
    contact: &Contact,
    message: &Message<Happened>,
    kept: &mut Kept,
) -> Result<Option<Vec<Event>>, Failure> {
    let events = match &message.body {
        Happened::FlowTexted(texted) => {
            let is_new = kept.generation == 0;
            let texts = store::texts(tx, contact.room_id, kept.heard_seq, texted.seq).await?;
            kept.heard_seq = kept.heard_seq.max(texted.seq);
            let room = room::of_ids(tx, &[contact.room_id]).await?.pop();
            let customer = room.map(|room| room.ends.customer_number).unwrap_or_default();
            let texts = texts.into_iter().map(|(_, text)| text).filter(|text| !is_keyword(contact, &customer, text));
            let events = texts.enumerate().map(|(nth, text)| match nth {
                0 if is_new => Event::Began(text),
                _ => Event::Texted(text),
            });
            events.collect()
        }
        Happened::FlowDue(due) if due.generation == kept.generation => {
            let answer = if kept.run.phase == Phase::Calling {
                store::answer(tx, &contact.tenant, contact.id, Settled::Number(kept.run.call)).await?
            } else {
                None
            };
            vec![answer.map_or(Event::Due, |(number, answer)| Event::Answered(number, answer))]
        }
        Happened::FlowDue(_) => Vec::new(),
        Happened::WebhookAnswered(answered) => {
            let answer = store::answer(tx, &contact.tenant, contact.id, Settled::Id(answered.call_id)).await?;
            answer.into_iter().map(|(number, answer)| Event::Answered(number, answer)).collect()
        }
    };
    Ok(Some(events).filter(|events: &Vec<Event>| !events.is_empty()))
}

/// STOP and HELP were answered where they were received.
fn is_keyword(contact: &Contact, customer_number: &str, text: &str) -> bool {
    let word =
        Some(text).filter(|_| contact.channel == "sms").and_then(|text| keywords::keyword(text, customer_number));
    word.is_some_and(|word| matches!(word.wish, Wish::Stop | Wish::Help))
}

/// Steps through the events, does what they lead to, keeps the run and arms its timer.
async fn advance(
    scene: &mut Scene<'_, '_>,
    flows: &Flows,
    mut kept: Kept,
    events: Vec<Event>,
) -> Result<Vec<Publication>, Failure> {
    let (tx, now) = (scene.tx, scene.now);
    let ends = scene.room.ends.clone();
    let party = (&ends.tenant, ends.our_number.as_str(), ends.customer_number.as_str());
    let in_a_row = store::in_a_row(tx, now, party).await?;
    kept.run.in_a_row = in_a_row;
    let (before, noted) = (kept.run.due_at, kept.run.notes.len());
    let is_timer = events.contains(&Event::Due);
    let mut effects = Vec::new();
    let mut looks = looks::look(tx, now, &scene.contact, &scene.room, flows).await?;
    for event in events {
        effects.extend(step(flows, &mut kept.run, event, &looks));
        looks.is_queued |= effects.iter().any(|effect| matches!(effect, Effect::Queue(_)));
    }
    for note in kept.run.notes.iter().skip(noted) {
        let word = note.rsplit(' ').next().unwrap_or_default().to_owned();
        metrics::counter!("texthub_flow_notes_total", "word" => word).increment(1);
    }
    if kept.run.in_a_row != in_a_row {
        store::brake(tx, now, party, kept.run.in_a_row).await?;
    }
    let mut said = scene.apply(effects).await?;
    if kept.run.phase == Phase::Over || scene.contact.state == "closed" {
        over(&mut kept);
    }
    let due = kept.run.due_at;
    // a timer that came is used up, early or not
    if kept.generation == 0 || due != before || is_timer {
        kept.generation += 1;
        said.extend(due.map(|due| said::say_due(now, scene.cause, &scene.contact, kept.generation, due)));
    }
    store::keep(tx, now, &scene.contact, &kept).await?;
    Ok(said)
}

#[cfg(test)]
mod tests;
