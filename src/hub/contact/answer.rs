//! How long a customer's text may wait for the agent who has the contact: first a reminder, then the contact goes back to
//! the front of the queue. The timer (contact.due) is a hint: whether anything is unanswered is read from the transcript
//! when it comes, so an agent's reply touches no row of it.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Contact, Handed, hand_back};
use crate::facts::due::ContactDue;
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{ContactId, FactId, Slug};
use crate::facts::said::{ContactUnanswered, Handing};
use crate::failure::Failure;
use crate::hub::session::after;
use crate::hub::sql;

/// Arms the timer of active contacts whose skill asks for answers in time and that have none armed: (contact, by which
/// fact). Says those timers.
pub async fn arm(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &[(ContactId, FactId)],
) -> Result<Vec<(FactId, Publication)>, Failure> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, causes): (Vec<ContactId>, Vec<FactId>) = asked.iter().copied().unzip();
    let rows = sql::rows(
        tx,
        "update contacts c
         set answer_due_at = $3::timestamptz + make_interval(secs => least(k.response_s, k.response_reminder_s))
         from unnest($1::uuid[], $2::uuid[]) as a (id, cause), skills k
         where c.id = a.id and c.state = 'active' and c.answer_due_at is null
           and k.tenant = c.tenant and k.id = c.skill and k.response_s is not null
         returning a.cause, c.id, c.tenant, c.answer_due_at",
        &[&ids, &causes, &now],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), say_due(now, row.get(0), row.get(1), &row.get(2), row.get(3)))).collect())
}

fn say_due(now: Timestamp, cause: FactId, contact_id: ContactId, tenant: &Slug, due_at: Timestamp) -> Publication {
    let due = ContactDue {
        id: cause.derive_of(ContactDue::NAME, contact_id.0),
        cause_id: cause,
        at: now,
        tenant: tenant.clone(),
        contact_id,
        due_at,
    };
    Publication::of(&due, tenant.as_str()).at(due_at)
}

/// What an active contact's timer finds.
struct Unanswered {
    /// The armed timer.
    due_at: Option<Timestamp>,
    /// Since when a text of the customer waits for this agent.
    since: Option<Timestamp>,
    /// When the agent was last reminded.
    reminded_at: Option<Timestamp>,
    /// Seconds to a reminder.
    reminder_s: Option<i32>,
    /// Seconds to the queue.
    response_s: Option<i32>,
}

/// Reads it, of a locked contact. What came before the agent had the contact waits since then; a customer who opted out
/// waits for nothing, for nobody may answer.
async fn of_contact(tx: &Transaction<'_>, id: ContactId) -> Result<Option<Unanswered>, Failure> {
    let row = sql::row(
        tx,
        "select c.answer_due_at, f.at, coalesce(c.held_since, c.accepted_at), c.reminded_at, k.response_reminder_s,
                k.response_s
         from contacts c
         join skills k on k.tenant = c.tenant and k.id = c.skill
         cross join lateral (
           select min(e.at) as at from entries e
           where e.room_id = c.room_id and e.author = 'customer' and e.seq > (
             select coalesce(max(w.seq), 0) from entries w
             where w.room_id = c.room_id and w.author = 'agent' and w.kind = 'text')
             and not exists (
               select 1 from opt_outs o join rooms r on r.id = c.room_id
               where r.channel = 'sms' and o.tenant = r.tenant and o.customer_number = r.customer_number
                 and (o.scope in ('brand', 'all') or o.our_number = r.our_number))) f
         where c.id = $1",
        &[&id],
    )
    .await?;
    Ok(row.map(|row| Unanswered {
        due_at: row.get(0),
        since: row
            .get::<_, Option<Timestamp>>(1)
            .map(|first| row.get::<_, Option<_>>(2).map_or(first, |held| first.max(held))),
        reminded_at: row.get(3),
        reminder_s: row.get(4),
        response_s: row.get(5),
    }))
}

/// The timer of a locked active contact arrived: answered, reminded, queued again, or armed for the rest.
pub async fn due(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    due_at: Timestamp,
    contact: &Contact,
) -> Result<Vec<Publication>, Failure> {
    let Some(found) = of_contact(tx, contact.id).await?.filter(|found| found.due_at == Some(due_at)) else {
        return Ok(Vec::new());
    };
    let (Some(since), Some(response_s)) = (found.since, found.response_s) else {
        set(tx, contact.id, None, None).await?;
        return Ok(Vec::new());
    };
    let end = after(since, response_s);
    let is_reminded = found.reminded_at.is_some_and(|at| at >= since);
    let remind = found.reminder_s.filter(|_| !is_reminded).map(|seconds| after(since, seconds));
    if now >= end {
        return back(tx, now, cause, contact).await;
    }
    if let Some(early) = remind.filter(|at| now < *at) {
        set(tx, contact.id, Some(early), found.reminded_at).await?;
        return Ok(vec![say_due(now, cause, contact.id, &contact.tenant, early)]);
    }
    let reminded_at = if remind.is_some() { Some(now) } else { found.reminded_at };
    set(tx, contact.id, Some(end), reminded_at).await?;
    let mut said = vec![say_due(now, cause, contact.id, &contact.tenant, end)];
    if let (Some(_), Some(agent)) = (remind, &contact.agent) {
        said.push(say_unanswered(now, cause, contact, agent, since, end));
    }
    Ok(said)
}

async fn set(
    tx: &Transaction<'_>,
    id: ContactId,
    due_at: Option<Timestamp>,
    reminded_at: Option<Timestamp>,
) -> Result<(), Failure> {
    let set = "update contacts set answer_due_at = $2, reminded_at = $3 where id = $1";
    sql::touch(tx, set, &[&id, &due_at, &reminded_at]).await?;
    Ok(())
}

/// To the front of the queue: its time of queueing is older than that of whoever came since.
async fn back(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    contact: &Contact,
) -> Result<Vec<Publication>, Failure> {
    let moved = Handed {
        contact,
        how: Handing::Requeued,
        agent: None,
        from_agent: contact.agent.as_ref(),
        skill: None,
        reason: UNANSWERED,
    };
    hand_back(tx, now, cause, &moved, None).await
}

/// Why a session ended whose agent did not answer.
const UNANSWERED: &str = "unanswered";

fn say_unanswered(
    now: Timestamp,
    cause: FactId,
    contact: &Contact,
    agent: &Slug,
    since: Timestamp,
    requeued_at: Timestamp,
) -> Publication {
    let said = ContactUnanswered {
        id: cause.derive_of(ContactUnanswered::NAME, contact.id.0),
        cause_id: cause,
        at: now,
        tenant: contact.tenant.clone(),
        contact_id: contact.id,
        room_id: contact.room_id,
        agent: agent.clone(),
        since,
        requeued_at,
    };
    Publication::of(&said, contact.tenant.as_str())
}
