//! The audit: every invariant of the hub recounted from rows, never from counters, in one snapshot. Each check is a
//! statement that returns a line per breach; what each line names is ids, never texts or whole numbers.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use serde::Serialize;
use uuid::Uuid;

use crate::failure::Failure;
use crate::hub::sql;

/// An invariant: its name, what it says, and the statement that finds breaches.
pub struct Invariant {
    /// A stable word.
    pub name: &'static str,
    /// In a sentence.
    pub says: &'static str,
    sql: &'static str,
}

/// How one invariant stands.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// A stable word.
    pub invariant: &'static str,
    /// What must hold.
    pub says: &'static str,
    /// Breaches: what is wrong and where; the first hundred.
    pub broken: Vec<String>,
}

/// Checks all of them; to be asked in a repeatable-read transaction.
///
/// # Errors
/// A database that is away.
pub async fn audit(tx: &Transaction<'_>) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for invariant in INVARIANTS {
        let rows = sql::rows(tx, &format!("select line from ({}) x (line) limit 100", invariant.sql), &[]).await?;
        let broken = rows.iter().map(|row| row.get(0)).collect();
        findings.push(Finding { invariant: invariant.name, says: invariant.says, broken });
    }
    Ok(findings)
}

/// What became of each id, in the order asked: `recorded`, `repeat`, `refused`, `stale`, `dead`, `dropped`, `replayed`,
/// or `unknown`: not here, or still in a queue.
///
/// # Errors
/// A database that is away.
pub async fn fates(tx: &Transaction<'_>, ids: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let mut fates: BTreeMap<String, String> = BTreeMap::new();
    let uuids: Vec<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    let dead = sql::rows(
        tx,
        "select message_id,
                case when dropped_at is not null then 'dropped' when replayed_at is not null then 'replayed' else 'dead' end
         from dead_letters where message_id = any($1) order by set_aside_at",
        &[&ids],
    )
    .await?;
    fates.extend(dead.iter().map(|row| (row.get(0), row.get(1))));
    let heard = sql::rows(tx, "select id::text, outcome from heard where id = any($1)", &[&uuids]).await?;
    fates.extend(heard.iter().map(|row| (row.get(0), row.get(1))));
    let refused = sql::rows(tx, "select refused_id::text from refusals where refused_id = any($1)", &[&uuids]).await?;
    fates.extend(refused.iter().map(|row| (row.get(0), "refused".to_owned())));
    Ok(ids.iter().map(|id| (id.clone(), fates.get(&id.to_lowercase()).cloned().unwrap_or("unknown".into()))).collect())
}

/// All invariants, in the order of the design.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "one_open_room",
        says: "at most one open room per tenant, our number, customer and channel",
        sql: "select format('%s open rooms of tenant %s: %s', count(*), tenant, string_agg(id::text, ' '))
              from rooms where closed_at is null
              group by tenant, our_number, our_country, customer_number, channel having count(*) > 1",
    },
    Invariant {
        name: "entries_gap_free",
        says: "entries of a room are numbered 1, 2, 3 … and in the order of their times",
        sql: "select format('room %s has %s entries, the last is number %s and the next will be %s', r.id, count(e.seq),
                            max(e.seq), r.next_seq)
              from rooms r left join entries e on e.room_id = r.id
              group by r.id, r.next_seq
              having coalesce(max(e.seq), 0) <> count(e.seq) or r.next_seq <> count(e.seq) + 1
              union all
              select format('room %s: entry %s is older than the one before', room_id, seq)
              from (select room_id, seq, at, lag(at) over (partition by room_id order by seq) as before from entries) e
              where at < before",
    },
    Invariant {
        name: "one_entry_per_text",
        says: "a text is recorded once",
        sql: "select format('text %s stands %s times', caused_by, count(*)) from entries
              group by caused_by, ordinal having count(*) > 1
              union all
              select format('outbound text %s has no entry, or two', s.id) from sms s
              where (select count(*) from entries e where e.sms_id = s.id) <> 1",
    },
    Invariant {
        name: "slots_are_counted",
        says: "an agent's slots are the pending offers and the contacts that are active or in wrap-up",
        sql: "select format('agent %s of %s: %s slots are noted, %s are in use', a.id, a.tenant, a.slots_used, u.used)
              from agents a, lateral (
                select (select count(*) from offers o where o.tenant = a.tenant and o.agent = a.id and o.state = 'pending')
                     + (select count(*) from contacts c where c.tenant = a.tenant and c.agent = a.id
                        and c.state in ('active', 'wrap_up')) as used) u
              where a.slots_used <> u.used",
    },
    Invariant {
        name: "limit_is_kept",
        says: "no agent holds more contacts than the limit, but for those held when it was lowered",
        sql: "select format('agent %s of %s holds %s contacts, the limit is %s', a.id, a.tenant, u.used, a.slot_limit)
              from agents a, lateral (
                select (select count(*) from offers o where o.tenant = a.tenant and o.agent = a.id and o.state = 'pending')
                     + (select count(*) from contacts c where c.tenant = a.tenant and c.agent = a.id
                        and c.state in ('active', 'wrap_up')) as used) u
              where u.used > greatest(a.slot_limit, coalesce(a.limit_was, 0)) or u.used > 12",
    },
    Invariant {
        name: "limit_is_the_users_or_the_teams",
        says: "an agent's limit is the user's own, else the team's, 1 to 12",
        sql: "select format('agent %s of %s: the limit is %s and should be %s', a.id, a.tenant, a.slot_limit,
                            coalesce(a.session_limit, t.session_limit))
              from agents a join teams t on t.tenant = a.tenant and t.id = a.team
              where a.slot_limit <> coalesce(a.session_limit, t.session_limit)",
    },
    Invariant {
        name: "nobody_waits_beside_a_free_slot",
        says: "no contact waits longer than two passes beside an eligible agent with a free slot, cool-downs apart",
        sql: "select format('contact %s waits for %s while %s of %s is free', c.id, c.skill, a.id, a.tenant)
              from contacts c
              join skills k on k.tenant = c.tenant and k.id = c.skill and k.ended_at is null
              join agent_skills s on s.tenant = c.tenant and s.skill = c.skill
              join agents a on a.tenant = s.tenant and a.id = s.agent
              where c.state = 'queued' and a.state = 'available' and a.ended_at is null
                and a.slot_limit > (
                  (select count(*) from offers o where o.tenant = a.tenant and o.agent = a.id and o.state = 'pending')
                  + (select count(*) from contacts h where h.tenant = a.tenant and h.agent = a.id
                     and h.state in ('active', 'wrap_up')))
                and not exists (select 1 from offers o where o.contact_id = c.id and o.agent = a.id
                                and o.settled_at > now() - interval '32 s')
                and now() - interval '2 s' > greatest(c.queued_at, a.moved_at, a.idle_since, c.opened_at,
                      (select max(o.settled_at) from offers o where o.contact_id = c.id),
                      (select max(o.settled_at) from offers o where o.tenant = a.tenant and o.agent = a.id),
                      (select max(h.closed_at) from contacts h where h.tenant = a.tenant and h.agent = a.id))",
    },
    Invariant {
        name: "offers_and_contacts_agree",
        says: "a contact has at most one pending offer, and is offered exactly while it has one; who holds it was reserved",
        sql: "select format('contact %s is %s and has %s pending offers', c.id, c.state, count(o.id))
              from contacts c left join offers o on o.contact_id = c.id and o.state = 'pending'
              group by c.id, c.state having (c.state = 'offered') <> (count(o.id) = 1) or count(o.id) > 1
              union all
              select format('offer %s is for %s, its contact is held by %s', o.id, o.agent, c.agent)
              from offers o join contacts c on c.id = o.contact_id
              where o.state = 'pending' and c.agent is distinct from o.agent
              union all
              select format('contact %s is %s without an accepted offer or a session', c.id, c.state) from contacts c
              where c.state in ('active', 'wrap_up') and c.agent is not null
                and not exists (select 1 from offers o where o.contact_id = c.id and o.state = 'accepted')
                and not exists (select 1 from sessions s where s.contact_id = c.id)",
    },
    Invariant {
        name: "queueing_time_is_kept",
        says: "refusal, lapse and crash never change when a contact was queued",
        sql: "select format('contact %s was queued at %s, after its first offer', c.id, c.queued_at) from contacts c
              where c.queued_at > (select min(o.made_at) from offers o where o.contact_id = c.id)",
    },
    Invariant {
        name: "no_session_expires_early",
        says: "no session expires before its deadline, and each has one contact of its room",
        sql: "select format('session %s expired at %s, its deadline was %s', id, ended_at, deadline_at) from sessions
              where end_reason = 'expired' and ended_at < deadline_at
              union all
              select format('session %s lives, its contact is %s', s.id, c.state)
              from sessions s join contacts c on c.id = s.contact_id
              where s.ended_at is null and c.state in ('wrap_up', 'closed')",
    },
    Invariant {
        name: "sessions_are_armed",
        says: "every live session has a timer that is not overdue beyond the sweep's grace of five minutes",
        sql: "select format('session %s: its timer was due at %s', id, timer_due_at) from sessions
              where ended_at is null and timer_due_at < now() - interval '5 min 30 s'",
    },
    Invariant {
        name: "every_state_has_an_exit",
        says: "every state that is not final has a timer or an owner",
        sql: "select format('offer %s was to lapse at %s', id, lapses_at) from offers
              where state = 'pending' and lapses_at < now() - interval '30 s'
              union all
              select format('contact %s: wrap-up was to end at %s', id, wrap_up_until) from contacts
              where state = 'wrap_up' and wrap_up_until < now() - interval '30 s'
              union all
              select format('contact %s is active without a session', c.id) from contacts c
              where c.state = 'active' and c.channel = 'sms'
                and not exists (select 1 from sessions s where s.room_id = c.room_id and s.ended_at is null)
              union all
              select format('contact %s waits since %s, longer than its skill allows', c.id, c.queued_at)
              from contacts c join skills k on k.tenant = c.tenant and k.id = c.skill
              where c.state = 'queued' and c.queued_at < now() - make_interval(secs => k.max_wait_s) - interval '30 s'
              union all
              select format('room %s is open without a living contact', r.id) from rooms r
              where r.closed_at is null and not exists (select 1 from contacts c where c.room_id = r.id
                and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked'))
              union all
              select format('room %s is closed, its contact %s is %s', r.id, c.id, c.state)
              from rooms r join contacts c on c.room_id = r.id
              where r.closed_at is not null and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked')",
    },
    Invariant {
        name: "sends_move",
        says: "no text stays requested or sending without a try",
        sql: "select format('text %s is %s since %s', id, state, coalesce(claimed_at, requested_at)) from sms
              where state in ('requested', 'sending')
                and coalesce(claimed_at, tries_since, requested_at) < now() - interval '10 min'",
    },
    Invariant {
        name: "nothing_leaves_after_stop",
        says: "nothing leaves for a customer who opted out, except the one confirmation",
        sql: "select format('text %s was sent to a customer who had opted out', s.id)
              from sms s, lateral (
                select k.kind from consent_entries k
                where k.tenant = s.tenant and k.our_number = s.our_number and k.customer_number = s.customer_number
                  and k.at < s.claimed_at order by k.at desc limit 1) k
              where k.kind = 'opt_out' and not s.is_confirmation and s.state not in ('requested', 'held', 'failed')",
    },
    Invariant {
        name: "one_confirmation",
        says: "an opt-out has at most one confirmation",
        sql: "select format('%s confirmations were caused by %s', count(*), caused_by) from sms
              where is_confirmation group by caused_by having count(*) > 1",
    },
    Invariant {
        name: "tenants_are_apart",
        says: "what belongs together belongs to one tenant",
        sql: "select format('contact %s and its room %s are of two tenants', c.id, r.id)
              from contacts c join rooms r on r.id = c.room_id where c.tenant <> r.tenant
              union all
              select format('offer %s and its contact are of two tenants', o.id)
              from offers o join contacts c on c.id = o.contact_id where o.tenant <> c.tenant
              union all
              select format('session %s and its room are of two tenants', s.id)
              from sessions s join rooms r on r.id = s.room_id where s.tenant <> r.tenant
              union all
              select format('text %s and its room are of two tenants', s.id)
              from sms s join rooms r on r.id = s.room_id where s.tenant <> r.tenant
              union all
              select format('room %s is on a number of another tenant', r.id)
              from rooms r join points_of_contact p on p.number = r.our_number and p.ended_at is null
              where r.channel = 'sms' and r.closed_at is null and p.tenant <> r.tenant
                and (p.kind <> 'short' or p.country = r.our_country)",
    },
];
