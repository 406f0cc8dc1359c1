//! The passes: they hold no input and so decide nothing. The matcher's half second says `skill.due` where a waiting
//! contact stands beside a ready agent; the sweep says again what should have come: timers, leases, maximum waits,
//! texts long requested. What it had to say again is counted: more than none is an incident.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use texthub::facts::due::{AgentDue, ContactDue, OfferDue, SessionDue, SkillDue, SmsDoubted, WrapUpDue};
use texthub::facts::envelope::Publication;
use texthub::facts::ids::{ContactId, FactId, OfferId, RoomId, SessionId, Slug, SmsId};
use texthub::failure::Failure;
use texthub::flow::said;
use texthub::hub::{outbound, sql};
use texthub::routing::beside::{self, Beside};
use texthub::runtime::clock;
use texthub::runtime::worker::{Context, Pass};
use texthub::sms::doubt;

/// An ask that nobody answered for so long was lost: ask again.
const ASK_AGAIN_S: i64 = 5;
/// How long a timer may be overdue before it counts as lost (dead-lettering may be stuck for three minutes).
const GRACE_S: i64 = 300;
/// How long a session's timer may be overdue before it is said beside the one that may still come. What a broker that was
/// killed had under way from a rung to its worker it sends again only after three minutes
/// (`dead_letter_worker_publisher_confirm_timeout`); a repeat finds nothing left to do.
const LATE_S: i64 = 15;
/// How long a text may be requested before it is requested anew.
const UNSENT_S: i64 = 60;
/// An ask for the end of a wait that arrives while the contact is offered does nothing (the offer's own end looks at the
/// wait): it is made again after that long.
const OFFERED_S: i64 = 30;
/// Rows a page.
const PAGE: i64 = 500;

/// Waiting contacts beside ready agents.
pub struct Match;

impl Pass for Match {
    const NAME: &'static str = "match";
    const EVERY: Duration = Duration::from_millis(500);

    async fn round(&self, tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<Publication>, Failure> {
        let skills = sql::rows(
            tx,
            "select k.tenant, k.id from skills k
             where (k.asked_id is null or k.asked_at < $1)
               and exists (select 1 from contacts c where c.tenant = k.tenant and c.skill = k.id and c.state = 'queued')
               and exists (select 1 from ready_agents r where r.tenant = k.tenant and r.skill = k.id)
             order by k.tenant, k.id limit $2 for update of k skip locked",
            &[&before(ctx.now, ASK_AGAIN_S), &PAGE],
        )
        .await?;
        let asks: Vec<(Slug, Slug, FactId)> =
            skills.iter().map(|row| (row.get(0), row.get(1), FactId(clock::new_id()))).collect();
        let tenants: Vec<&Slug> = asks.iter().map(|a| &a.0).collect();
        let names: Vec<&Slug> = asks.iter().map(|a| &a.1).collect();
        let ids: Vec<FactId> = asks.iter().map(|a| a.2).collect();
        sql::touch(
            tx,
            "update skills k set asked_id = a.id, asked_at = $4
             from unnest($1::text[], $2::text[], $3::uuid[]) as a (tenant, skill, id)
             where k.tenant = a.tenant and k.id = a.skill",
            &[&tenants, &names, &ids, &ctx.now],
        )
        .await?;
        Ok(asks
            .into_iter()
            .map(|(tenant, skill, id)| {
                let scope = tenant.to_string();
                Publication::of(&SkillDue { id, cause_id: id, at: ctx.now, tenant, skill }, scope)
            })
            .collect())
    }
}

/// What should have come and did not. It remembers for a while what it asked for, so that a worker that is stopped does
/// not find the same ask a thousand times; a sweep that begins anew asks once more.
#[derive(Default)]
pub struct Sweep {
    asked: Mutex<HashMap<(&'static str, String), Timestamp>>,
    /// Who stood beside a free agent in the round before.
    beside: Mutex<Vec<Beside>>,
}

impl Sweep {
    /// Who stands beside a free agent for the second round: whoever is just being matched does not.
    async fn beside_free(&self, tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<Beside>, Failure> {
        let found = beside::free(tx, ctx.now).await?;
        let mut before = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        let still = found.iter().filter(|beside| before.contains(beside)).cloned().collect();
        *before = found;
        Ok(still)
    }

    /// Leaves out what was asked for so few seconds ago.
    fn once(
        &self,
        now: Timestamp,
        seconds: i64,
        fact: &'static str,
        asks: Vec<(String, Publication)>,
    ) -> Vec<Publication> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|(name, _), at| *name != fact || *at > before(now, seconds));
        asks.into_iter()
            .filter(|(what, _)| match asked.entry((fact, what.clone())) {
                Entry::Occupied(_) => false,
                Entry::Vacant(place) => {
                    place.insert(now);
                    true
                }
            })
            .map(|(_, publication)| publication)
            .collect()
    }
}

impl Pass for Sweep {
    const NAME: &'static str = "sweep";
    const EVERY: Duration = Duration::from_secs(5);

    async fn round(&self, tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<Publication>, Failure> {
        let beside = self.beside_free(tx, ctx).await?;
        measure(tx, ctx, &beside).await?;
        let mut said = self.once(ctx.now, OFFERED_S, "contact.due", waited_too_long(tx, ctx).await?);
        said.extend(self.once(ctx.now, OFFERED_S, "agent.due of a next state", leaving(tx, ctx).await?));
        said.extend(texts(tx, ctx, true).await?);
        said.extend(doubts(tx, ctx).await?);
        let lost = [
            self.once(ctx.now, GRACE_S, "session.due", sessions(tx, ctx).await?),
            self.once(ctx.now, GRACE_S, "offer.due", offers(tx, ctx).await?),
            self.once(ctx.now, GRACE_S, "wrap_up.due", wrap_ups(tx, ctx).await?),
            self.once(ctx.now, GRACE_S, UNANSWERED, unanswered(tx, ctx).await?),
            self.once(ctx.now, GRACE_S, "agent.due", agents(tx, ctx).await?),
            texts(tx, ctx, false).await?,
            self.once(ctx.now, GRACE_S, "flow.due", flows(tx, ctx).await?),
            self.once(ctx.now, GRACE_S, "part.due", parts::late(tx, ctx).await?),
            self.once(ctx.now, OFFERED_S, "skill.due", asks(ctx, beside)),
        ];
        let names = [
            "session.due",
            "offer.due",
            "wrap_up.due",
            "contact.due",
            "agent.due",
            "sms.requested",
            "flow.due",
            "part.due",
            "skill.due",
        ];
        for (name, lost) in names.into_iter().zip(lost) {
            if !lost.is_empty() {
                tracing::warn!(fact = name, count = lost.len(), "said again by the sweep");
                metrics::counter!("texthub_sweep_repairs_total", "fact" => name).increment(lost.len() as u64);
            }
            said.extend(lost);
        }
        Ok(said)
    }
}

/// Skills whose contacts have not met the agents beside them: asked for whatever ask of the matcher is unanswered.
fn asks(ctx: &Context, mut beside: Vec<Beside>) -> Vec<(String, Publication)> {
    beside.dedup_by(|a, b| (&a.tenant, &a.skill) == (&b.tenant, &b.skill));
    let ask = |Beside { tenant, skill, .. }: Beside| {
        let (id, scope) = (FactId(clock::new_id()), tenant.to_string());
        let what = format!("{tenant} {skill}");
        (what, Publication::of(&SkillDue { id, cause_id: id, at: ctx.now, tenant, skill }, scope))
    };
    beside.into_iter().map(ask).collect()
}

/// How many contacts wait, how long the first of them has, and how many stand beside a free agent: the gauges of the queue.
async fn measure(tx: &Transaction<'_>, ctx: &Context, beside: &[Beside]) -> Result<(), Failure> {
    let rows = sql::rows(
        tx,
        "select k.tenant, k.id, count(c.id), min(c.queued_at)
         from skills k left join contacts c on c.tenant = k.tenant and c.skill = k.id and c.state = 'queued'
         where k.ended_at is null group by k.tenant, k.id",
        &[],
    )
    .await?;
    for row in &rows {
        let (tenant, skill): (Slug, Slug) = (row.get(0), row.get(1));
        let labels = [("tenant", tenant.to_string()), ("skill", skill.to_string())];
        let idle = beside.iter().filter(|found| (&found.tenant, &found.skill) == (&tenant, &skill)).count();
        metrics::gauge!("texthub_waiting_beside_free", &labels).set(f64::from(u32::try_from(idle).unwrap_or(u32::MAX)));
        let waiting: i64 = row.get(2);
        let oldest = row.get::<_, Option<Timestamp>>(3).map_or(0.0, |at| ctx.now.duration_since(at).as_secs_f64());
        metrics::gauge!("texthub_waiting_contacts", &labels).set(f64::from(i32::try_from(waiting).unwrap_or(i32::MAX)));
        metrics::gauge!("texthub_longest_wait_seconds", &labels).set(oldest.max(0.0));
    }
    Ok(())
}

/// Texts whose answer was lost: looked for once a minute.
async fn doubts(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<Publication>, Failure> {
    let due = doubt::due(tx, ctx.now, PAGE).await?;
    let ask = |(sms_id, room_id, tenant)| {
        let id = FactId(clock::new_id());
        let fact = SmsDoubted { id, cause_id: id, at: ctx.now, tenant, sms_id, room_id };
        Publication::of(&fact, fact.tenant.as_str())
    };
    Ok(due.into_iter().map(ask).collect())
}

fn before(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// Sessions whose armed timer is late: put off first, then said with their generation.
async fn sessions(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    let rows = sql::rows(
        tx,
        "with overdue as (
           select id from sessions where ended_at is null and timer_due_at < $1
           order by timer_due_at limit $2 for update skip locked)
         update sessions s set timer_due_at = $3 from overdue o where s.id = o.id
         returning s.id, s.tenant, s.room_id, s.timer_gen, s.deadline_at",
        &[&before(ctx.now, LATE_S), &PAGE, &ctx.now],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (id, tenant) = (FactId(clock::new_id()), row.get::<_, Slug>(1));
            let scope = tenant.to_string();
            let (session_id, room_id): (SessionId, RoomId) = (row.get(0), row.get(2));
            let (generation, due_at): (i32, Timestamp) = (row.get(3), row.get(4));
            let due = SessionDue { id, cause_id: id, at: ctx.now, tenant, session_id, room_id, generation, due_at };
            (format!("{session_id} {generation}"), Publication::of(&due, scope))
        })
        .collect())
}

async fn offers(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, tenant, lapses_at from offers where state = 'pending' and lapses_at < $1 order by lapses_at limit $2",
        &[&before(ctx.now, GRACE_S), &PAGE],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (id, tenant) = (FactId(clock::new_id()), row.get::<_, Slug>(1));
            let scope = tenant.to_string();
            let offer_id: OfferId = row.get(0);
            let due = OfferDue { id, cause_id: id, at: ctx.now, tenant, offer_id, due_at: row.get(2) };
            (offer_id.to_string(), Publication::of(&due, scope))
        })
        .collect())
}

async fn wrap_ups(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, tenant, wrap_up_until from contacts
         where state = 'wrap_up' and wrap_up_until < $1 order by wrap_up_until limit $2",
        &[&before(ctx.now, GRACE_S), &PAGE],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (id, tenant) = (FactId(clock::new_id()), row.get::<_, Slug>(1));
            let scope = tenant.to_string();
            let contact_id: ContactId = row.get(0);
            let due = WrapUpDue { id, cause_id: id, at: ctx.now, tenant, contact_id, due_at: row.get(2) };
            (contact_id.to_string(), Publication::of(&due, scope))
        })
        .collect())
}

/// Flows whose timer is overdue, and those that never began.
async fn flows(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    let late = said::overdue(tx, before(ctx.now, LATE_S), PAGE).await?;
    Ok(late.into_iter().map(|(what, late)| (what, late.say(ctx.now, FactId(clock::new_id())))).collect())
}

/// What the sweep remembers lost timers of unanswered texts by: not as it does those of maximum waits.
const UNANSWERED: &str = "contact.due of an answer";

/// Texts whose agent is late with an answer, and whose timer is overdue.
async fn unanswered(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, tenant, answer_due_at from contacts
         where state = 'active' and answer_due_at is not null and answer_due_at < $1 order by answer_due_at limit $2",
        &[&before(ctx.now, GRACE_S), &PAGE],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (id, tenant) = (FactId(clock::new_id()), row.get::<_, Slug>(1));
            let scope = tenant.to_string();
            let contact_id: ContactId = row.get(0);
            let due = ContactDue { id, cause_id: id, at: ctx.now, tenant, contact_id, due_at: row.get(2) };
            (contact_id.to_string(), Publication::of(&due, scope))
        })
        .collect())
}

/// Leases and graces whose timer is overdue.
async fn agents(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, tenant, timer_due_at from agents
         where (lease_until is not null and state <> 'logged_out' or vanished_at is not null
                or unavailable_until is not null and state = 'unavailable') and timer_due_at < $1
         order by tenant, id limit $2",
        &[&before(ctx.now, GRACE_S), &PAGE],
    )
    .await?;
    Ok(asks_of_agents(ctx, &rows))
}

/// Agents who are about to leave and hold nothing any more: what freed their last slot has asked already, as a rule.
async fn leaving(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, tenant, $1::timestamptz from agents where next_state is not null and slots_used = 0
         order by tenant, id limit $2",
        &[&ctx.now, &PAGE],
    )
    .await?;
    Ok(asks_of_agents(ctx, &rows))
}

fn asks_of_agents(ctx: &Context, rows: &[tokio_postgres::Row]) -> Vec<(String, Publication)> {
    rows.iter()
        .map(|row| {
            let (id, tenant) = (FactId(clock::new_id()), row.get::<_, Slug>(1));
            let scope = tenant.to_string();
            let agent: Slug = row.get(0);
            let what = format!("{tenant} {agent}");
            let due = AgentDue { id, cause_id: id, at: ctx.now, tenant, agent, due_at: row.get(2) };
            (what, Publication::of(&due, scope))
        })
        .collect()
}

/// Texts long requested, held ones, and those whose sender is gone: said again; `send_sms` reads their consent anew when it claims them.
/// Held ones are the ordinary way of waiting; the others are lost.
async fn texts(tx: &Transaction<'_>, ctx: &Context, held: bool) -> Result<Vec<Publication>, Failure> {
    let rows = sql::rows(
        tx,
        "with waiting as (
           select id from sms s where state in ('requested', 'held') and not_before is null and (state = 'held') = $5
             and requested_at < $1
             -- what waits for somebody to look at its carrier comes with that
             and not ($5 and exists (select 1 from carriers c where c.id = s.carrier and c.paused_at is not null))
           order by requested_at limit $2 for update skip locked),
         forsaken as (
           select id from sms where state = 'sending' and not $5 and claimed_at < $4 and requested_at < $1
           order by claimed_at limit $2 for update skip locked)
         update sms s set requested_at = $3
         from (select id from waiting union all select id from forsaken) w where s.id = w.id returning s.id",
        &[&before(ctx.now, UNSENT_S), &PAGE, &ctx.now, &before(ctx.now, GRACE_S), &held],
    )
    .await?;
    let ids: Vec<SmsId> = rows.iter().map(|row| row.get(0)).collect();
    let texts = outbound::of_ids(tx, &ids).await?;
    Ok(texts.iter().map(|text| outbound::say_again(ctx.now, text, FactId(clock::new_id()))).collect())
}

/// Waiting contacts past their skill's maximum: the ordinary way, not an incident.
async fn waited_too_long(tx: &Transaction<'_>, ctx: &Context) -> Result<Vec<(String, Publication)>, Failure> {
    let rows = sql::rows(
        tx,
        "select c.id, c.tenant, c.waiting_since + make_interval(secs => k.max_wait_s), c.skill
         from contacts c join skills k on k.tenant = c.tenant and k.id = c.skill
         where c.state = 'queued' and c.waiting_since < $1::timestamptz - make_interval(secs => k.max_wait_s)
         order by c.waiting_since limit $2",
        &[&ctx.now, &PAGE],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (id, tenant) = (FactId(clock::new_id()), row.get::<_, Slug>(1));
            let scope = tenant.to_string();
            let contact_id: ContactId = row.get(0);
            let due = ContactDue { id, cause_id: id, at: ctx.now, tenant, contact_id, due_at: row.get(2) };
            (format!("{contact_id} {}", row.get::<_, Slug>(3)), Publication::of(&due, scope))
        })
        .collect())
}

pub mod media;
mod parts;
pub mod release;
#[cfg(test)]
mod tests;
pub mod untold;
