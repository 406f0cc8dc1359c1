//! What `texthub why` tells, read at one moment and without locks: a waiting contact's place and each agent's verdict, in
//! whose hands another one is, and what became of every offer.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;

use super::skill::Skill;
use super::verdict::{Agent, Case, WhyNot, verdict};
use super::waiting::{self, COOL_DOWN_S, Place};
use crate::facts::ids::{ContactId, OfferId, Slug};
use crate::failure::Failure;
use crate::hub::session::after;
use crate::hub::sql;

/// A contact, and why it is where it is.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// When this was so.
    pub at: Timestamp,
    /// Which.
    pub contact_id: ContactId,
    /// Whose.
    pub tenant: Slug,
    /// What is needed.
    pub skill: Slug,
    /// prequeue, queued, offered, active, parked, `wrap_up`, closed.
    pub state: String,
    /// Its original time of queueing.
    pub queued_at: Timestamp,
    /// In whose hands it is; of a parked one: who parked it.
    pub agent: Option<Slug>,
    /// Since when it is in this state, where that is known.
    pub since: Option<Timestamp>,
    /// When that ends by itself: the wait, the offer, the wrap-up.
    pub until: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why it ended.
    pub reason: Option<String>,
    /// Of a waiting one.
    pub queue: Option<Queue>,
    /// Its offers, the first one first.
    pub offers: Vec<Past>,
}

/// A waiting contact among the others.
#[derive(Clone, Debug, Serialize)]
pub struct Queue {
    /// 1: the first.
    pub place: i64,
    /// How many wait for the skill.
    pub waiting: i64,
    /// Points, grown with the wait.
    pub priority: f64,
    /// Who should have it, if free.
    pub preferred_agent: Option<Slug>,
    /// Every agent with the skill, the best first.
    pub agents: Vec<Judged>,
}

/// An agent with the skill.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Who.
    pub agent: Slug,
    /// 1 best … 20.
    pub proficiency: i32,
    /// Nothing stands between the two, but those who wait before it.
    pub eligible: bool,
    /// Else why not.
    #[serde(flatten)]
    pub why_not: Option<WhyNot>,
}

/// An offer of the contact.
#[derive(Clone, Debug, Serialize)]
pub struct Past {
    /// Which.
    pub offer_id: OfferId,
    /// To whom.
    pub agent: Slug,
    /// When.
    pub made_at: Timestamp,
    /// pending, accepted, refused, lapsed, rescinded.
    pub state: String,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// Why it was settled so.
    pub reason: Option<String>,
    /// Why this agent: preferred, transferred, or the choice of the skill.
    pub why: Option<String>,
    /// The agent's, then.
    pub proficiency: Option<i32>,
    /// Since when the agent had no new contact, then.
    pub idle_since: Option<Timestamp>,
    /// Who was next in order, where anybody else was looked at.
    pub runner_up: Option<Slug>,
}

/// Why a contact is where it is; none where it is unknown.
pub async fn of_contact(tx: &Transaction<'_>, now: Timestamp, id: ContactId) -> Result<Option<Answer>, Failure> {
    let Some(row) = sql::row(tx, CONTACT, &[&id]).await? else { return Ok(None) };
    let mut answer = Answer {
        at: now,
        contact_id: id,
        tenant: row.get(0),
        skill: row.get(1),
        state: row.get(2),
        queued_at: row.get(3),
        agent: row.get(4),
        since: row.get(5),
        until: row.get(6),
        outcome: row.get(7),
        reason: row.get(8),
        queue: None,
        offers: offers(tx, id).await?,
    };
    let (tenant, slug) = (&answer.tenant, &answer.skill);
    let place = waiting::place(tx, now, (tenant, slug), id).await?;
    if let (Some(place), Some(skill)) = (place, Skill::of(tx, tenant, slug).await?) {
        answer.queue = Some(queue(tx, now, (tenant, slug), &skill, place).await?);
    }
    Ok(Some(answer))
}

const CONTACT: &str = "select c.tenant, c.skill, c.state, c.queued_at,
            case when c.state = 'parked' then r.agent else c.agent end,
            case c.state when 'prequeue' then c.opened_at when 'queued' then c.waiting_since when 'offered' then o.made_at
              when 'active' then coalesce(c.held_since, c.accepted_at) when 'wrap_up' then c.ended_at
              when 'closed' then c.closed_at end,
            case c.state when 'queued' then c.waiting_since + make_interval(secs => k.max_wait_s)
              when 'offered' then o.lapses_at when 'wrap_up' then c.wrap_up_until end,
            c.outcome, c.reason
     from contacts c join rooms r on r.id = c.room_id left join skills k on k.tenant = c.tenant and k.id = c.skill
     left join offers o on o.contact_id = c.id and o.state = 'pending'
     where c.id = $1";

async fn offers(tx: &Transaction<'_>, id: ContactId) -> Result<Vec<Past>, Failure> {
    let rows = sql::rows(
        tx,
        "select id, agent, made_at, state, settled_at, reason, why, proficiency, idle_since, runner_up
         from offers where contact_id = $1 order by made_at, id",
        &[&id],
    )
    .await?;
    let past = |row: &Row| Past {
        offer_id: row.get(0),
        agent: row.get(1),
        made_at: row.get(2),
        state: row.get(3),
        settled_at: row.get(4),
        reason: row.get(5),
        why: row.get(6),
        proficiency: row.get(7),
        idle_since: row.get(8),
        runner_up: row.get(9),
    };
    Ok(rows.iter().map(past).collect())
}

async fn queue(
    tx: &Transaction<'_>,
    now: Timestamp,
    (tenant, slug): (&Slug, &Slug),
    skill: &Skill,
    place: Place,
) -> Result<Queue, Failure> {
    let mut contact = place.next.waiting;
    let flow_worst = contact.worst;
    contact.worst = flow_worst.min(skill.worst(now, place.next.queued_at));
    let lately = cooling(tx, now, contact.id).await?;
    // who is cooling is for the matcher's own statement to say; the other one tells since when
    let cooling: Vec<(Slug, String, Timestamp)> = (place.next.cooling.iter())
        .map(|agent| {
            let known = lately.iter().find(|(who, ..)| who == agent);
            known.cloned().unwrap_or_else(|| (agent.clone(), "given back".to_owned(), now))
        })
        .collect();
    let case = Case {
        waiting: &contact,
        queued_at: place.next.queued_at,
        flow_worst,
        hold_until: place.hold_until,
        cooling: &cooling,
    };
    let judged = agents(tx, tenant, slug).await?.into_iter().map(|agent| {
        let why_not = verdict(skill, &case, &agent).err();
        Judged { eligible: why_not.is_none(), why_not, proficiency: agent.proficiency, agent: agent.agent }
    });
    Ok(Queue {
        place: place.place,
        waiting: place.waiting,
        priority: place.priority,
        agents: judged.collect(),
        preferred_agent: contact.preferred_agent.clone(),
    })
}

/// Who refused, missed, gave away or did not answer a contact within the cool-down, the newest first.
async fn cooling(
    tx: &Transaction<'_>,
    now: Timestamp,
    id: ContactId,
) -> Result<Vec<(Slug, String, Timestamp)>, Failure> {
    let since = after(now, -i32::try_from(COOL_DOWN_S).unwrap_or(0));
    let rows = sql::rows(
        tx,
        "select agent, state, settled_at from offers
         where contact_id = $1 and state in ('refused', 'lapsed') and settled_at > $2
         union all
         select agent, end_reason, ended_at from sessions
         where contact_id = $1 and end_reason in ('transferred', 'unanswered') and ended_at > $2
         order by 3 desc",
        &[&id, &since],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// Every agent with the skill, in the order of the default choice.
async fn agents(tx: &Transaction<'_>, tenant: &Slug, skill: &Slug) -> Result<Vec<Agent>, Failure> {
    let rows = sql::rows(
        tx,
        "select a.id, a.state, a.code, a.next_state, a.slots_used, a.slot_limit, s.proficiency, a.idle_since,
                case k.channel when 'chat' then a.chat_used else a.sms_used end,
                case k.channel when 'chat' then a.chat_most else a.sms_most end
         from agent_skills s join agents a on a.tenant = s.tenant and a.id = s.agent
         join skills k on k.tenant = s.tenant and k.id = s.skill
         where s.tenant = $1 and s.skill = $2 and a.ended_at is null
         order by s.proficiency, a.idle_since, a.id",
        &[tenant, skill],
    )
    .await?;
    let agent = |row: &Row| Agent {
        agent: row.get(0),
        state: row.get(1),
        code: row.get(2),
        next_state: row.get(3),
        slots_used: row.get(4),
        limit: row.get(5),
        proficiency: row.get(6),
        idle_since: row.get(7),
        channel_used: row.get(8),
        channel_limit: row.get(9),
    };
    Ok(rows.iter().map(agent).collect())
}
