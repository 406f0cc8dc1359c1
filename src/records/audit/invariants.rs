//! The invariants as statements, in the order of the design. Each names breaches, a line each, at the time {now}. Two
//! transactions note the times of their beginnings, yet take effect in the order of their commits: where times of
//! different transactions are compared, a slack stands for that; where a timer must have come, the sweep's grace.

use super::slots;

/// An invariant: its number in the design, its name, what it says, and the statement that finds breaches.
pub struct Invariant {
    /// In the design.
    pub number: u8,
    /// A stable word.
    pub name: &'static str,
    /// In a sentence.
    pub says: &'static str,
    pub(super) sql: &'static str,
}

/// Between the times of two transactions: longer than any statement may take.
const SLACK: &str = "interval '30 s'";
/// What the sweep takes to say a lost timer again, and a moment for the worker.
const GRACE: &str = "interval '330 s'";

impl Invariant {
    /// The whole statement: asked with the time ($1) and how many breaches to name ($2).
    #[must_use]
    pub fn statement(&self) -> String {
        let words = [("{now}", "$1::timestamptz"), ("{slack}", SLACK), ("{grace}", GRACE)];
        let words = slots::WORDS.iter().chain(&words);
        let sql = words.fold(self.sql.to_owned(), |sql, (word, means)| sql.replace(word, means));
        format!("select x.line from ({sql}) x (line) where $1::timestamptz is not null limit $2")
    }
}

/// All of them.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        number: 2,
        name: "one_open_room",
        says: "at most one open room per tenant, our number, customer and channel",
        sql: "select format('%s open rooms of tenant %s: %s', count(*), tenant, string_agg(id::text, ' '))
              from rooms where closed_at is null
              group by tenant, our_number, our_country, customer_number, channel having count(*) > 1",
    },
    Invariant {
        number: 3,
        name: "one_entry_per_text",
        says: "a text is recorded once, and every recorded text has its entry, or was withheld",
        sql: "select format('fact %s has %s entries', caused_by, count(*)) from entries
              group by caused_by, ordinal having count(*) > 1
              union all
              select format('fact %s was recorded and has no entry', h.id) from heard h
              where (h.worker = 'receive_sms' and h.fact in ('sms.received', 'chat.received') or h.worker = 'post_reply')
                and h.outcome = 'recorded'
                and not exists (select 1 from entries e where e.caused_by = h.id)
                and not exists (select 1 from withheld_texts w where w.id = h.id)
              union all
              select format('fact %s is a repeat of %s and has an entry of its own', h.id, h.first_id) from heard h
              where h.outcome = 'repeat' and exists (select 1 from entries e where e.caused_by = h.id)
              union all
              select format('text %s is not the one of entry %s in room %s', s.id, s.seq, s.room_id)
              from sms s left join entries e on e.room_id = s.room_id and e.seq = s.seq
              where e.sms_id is distinct from s.id or e.id is distinct from s.entry_id
              union all
              select format('entry %s of room %s: its text %s is not there', e.seq, e.room_id, e.sms_id)
              from entries e left join sms s on s.id = e.sms_id where e.sms_id is not null and s.id is null",
    },
    Invariant {
        number: 3,
        name: "entries_gap_free",
        says: "entries of a room are numbered 1, 2, 3 … in the order of their times",
        sql: "select format('room %s has %s entries, the last is number %s and the next will be %s', r.id,
                            coalesce(e.count, 0), coalesce(e.last, 0), r.next_seq)
              from rooms r
              left join (select room_id, count(*), max(seq) as last, min(seq) as first from entries group by room_id) e
                on e.room_id = r.id
              where coalesce(e.last, 0) <> coalesce(e.count, 0) or r.next_seq <> coalesce(e.count, 0) + 1 or e.first <> 1
              union all
              select format('room %s: entry %s is older than the one before', room_id, seq)
              from (select room_id, seq, at, lag(at) over (partition by room_id order by seq) as before from entries) e
              where at < before - {slack}",
    },
    slots::COUNTED,
    slots::KEPT,
    slots::OF_THE_FILE,
    Invariant {
        number: 5,
        name: "holders_are_reserved",
        says: "whoever holds a contact has an offer of it, or began it; an active one's room is with the same agent",
        sql: "select format('contact %s is %s with %s, who has no offer of it and began no session', c.id, c.state, c.agent)
              from contacts c
              where c.state in ('active', 'wrap_up')
                and not exists (select 1 from offers o where o.contact_id = c.id and o.agent = c.agent
                                and o.state = 'accepted')
                and not exists (select 1 from sessions s where s.contact_id = c.id and s.agent = c.agent)
              union all
              select format('contact %s is active with %s, its room %s is with %s', c.id, c.agent, r.id,
                            coalesce(r.agent, 'nobody'))
              from contacts c join rooms r on r.id = c.room_id
              where c.state = 'active' and r.agent is distinct from c.agent
              union all
              select format('contact %s is held by %s, who is no agent of %s', c.id, c.agent, c.tenant)
              from contacts c left join agents a on a.tenant = c.tenant and a.id = c.agent
              where c.state in ('offered', 'active', 'wrap_up') and a.id is null",
    },
    slots::NOBODY_WAITS,
    slots::READY,
    Invariant {
        number: 7,
        name: "offers_and_contacts_agree",
        says: "a contact is offered exactly while it has one pending offer, or has one of a transfer beside its agent; who \
               accepts has it",
        sql: "select format('contact %s is %s and has %s pending offers', c.id, c.state, coalesce(o.count, 0))
              from contacts c
              left join (select contact_id, count(*), count(from_agent) as handed from offers
                         where state = 'pending' group by contact_id) o on o.contact_id = c.id
              where (c.state = 'offered') <> (coalesce(o.count - o.handed, 0) = 1) or o.count > 1
              union all
              select format('offer %s is for %s, its contact is held by %s', o.id, o.agent, coalesce(c.agent, 'nobody'))
              from offers o join contacts c on c.id = o.contact_id
              where o.state = 'pending' and o.from_agent is null and c.agent is distinct from o.agent
              union all
              select format('offer %s is of %s, who does not have its contact', o.id, o.from_agent)
              from offers o join contacts c on c.id = o.contact_id join rooms r on r.id = c.room_id
              where o.state = 'pending' and o.from_agent is not null
                and (c.state not in ('active', 'parked') or r.agent is distinct from o.from_agent)
              union all
              select format('offer %s was accepted, its contact %s was never active', o.id, c.id)
              from offers o join contacts c on c.id = o.contact_id
              where o.state = 'accepted' and c.accepted_at is null
              union all
              select format('room %s has %s living contacts', room_id, count(*)) from contacts
              where state in ('prequeue', 'queued', 'offered', 'active', 'parked')
              group by room_id having count(*) > 1",
    },
    Invariant {
        number: 8,
        name: "queueing_time_is_kept",
        says: "refusal, lapse, transfer and crash never change when a contact was queued",
        sql: "select format('contact %s was queued at %s, after its first offer', c.id, c.queued_at) from contacts c
              where c.queued_at > (select min(o.made_at) from offers o where o.contact_id = c.id) + {slack}",
    },
    Invariant {
        number: 9,
        name: "no_session_expires_early",
        says: "no session expires before its deadline",
        sql: "select format('session %s expired at %s, its deadline was %s', id, ended_at, deadline_at) from sessions
              where end_reason = 'expired' and ended_at < deadline_at",
    },
    Invariant {
        number: 9,
        name: "sessions_are_armed",
        says: "every live session has a timer, and is not past due beyond the sweep's grace",
        sql: "select format('session %s: its timer was due at %s', id, timer_due_at) from sessions
              where ended_at is null and timer_due_at < {now} - {grace}
              union all
              select format('session %s lives, its deadline was %s', id, deadline_at) from sessions
              where ended_at is null and deadline_at < {now} - {grace}
              union all
              select format('session %s has its timer at %s, after its deadline %s', id, timer_due_at, deadline_at)
              from sessions where ended_at is null and timer_due_at > deadline_at + {grace}",
    },
    Invariant {
        number: 10,
        name: "every_state_has_an_exit",
        says: "every state that is not final has a timer or an owner",
        sql: "select format('offer %s was to lapse at %s', id, lapses_at) from offers
              where state = 'pending' and lapses_at < {now} - {grace}
              union all
              select format('contact %s: wrap-up was to end at %s', id, coalesce(wrap_up_until::text, 'no time')) from contacts
              where state = 'wrap_up' and (wrap_up_until is null or wrap_up_until < {now} - {grace})
              union all
              select format('contact %s is %s without a session', c.id, c.state) from contacts c
              where c.state in ('active', 'parked')
                and not exists (select 1 from sessions s where s.room_id = c.room_id and s.ended_at is null)
              union all
              select format('contact %s: an answer was due at %s', id, answer_due_at) from contacts
              where state = 'active' and answer_due_at < {now} - {grace}
              union all
              select format('contact %s is parked with nobody', c.id) from contacts c join rooms r on r.id = c.room_id
              where c.state = 'parked' and r.agent is null
              union all
              select format('contact %s is in a flow since %s, and nothing leads it on', c.id, c.opened_at)
              from contacts c left join flow_runs f on f.contact_id = c.id and f.ended_at is null
              where c.state = 'prequeue' and coalesce(f.due_at, c.opened_at) < {now} - {grace}
              union all
              select format('contact %s waits since %s, longer than its skill allows', c.id, c.waiting_since)
              from contacts c join skills k on k.tenant = c.tenant and k.id = c.skill
              where c.state = 'queued' and c.waiting_since < {now} - make_interval(secs => k.max_wait_s) - {grace}
              union all
              select format('agent %s of %s: the lease was over at %s', id, tenant, lease_until) from agents
              where state <> 'logged_out' and lease_until < {now} - {grace}
              union all
              select format('agent %s of %s was to be logged out at %s', id, tenant, unavailable_until) from agents
              where state = 'unavailable' and unavailable_until < {now} - {grace}
              union all
              select format('agent %s of %s vanished at %s and still holds contact %s', a.id, a.tenant, a.vanished_at, c.id)
              from agents a join contacts c on c.tenant = a.tenant and c.agent = a.id and c.state = 'active'
              where a.state = 'logged_out' and a.vanished_at < {now} - interval '2 min' - {grace}",
    },
    Invariant {
        number: 10,
        name: "rooms_and_contacts_agree",
        says: "a room is open exactly while a contact lives in it, and a session lives only with its contact",
        sql: "select format('room %s is open without a living contact', r.id) from rooms r
              where r.closed_at is null and not exists (select 1 from contacts c where c.room_id = r.id
                and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked'))
              union all
              select format('room %s is closed, its contact %s is %s', r.id, c.id, c.state)
              from rooms r join contacts c on c.room_id = r.id
              where r.closed_at is not null and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked')
              union all
              select format('session %s lives, its contact %s is %s', s.id, c.id, c.state)
              from sessions s join contacts c on c.id = s.contact_id
              where s.ended_at is null and c.state in ('wrap_up', 'closed')",
    },
    Invariant {
        number: 10,
        name: "sends_move",
        says: "no text stays requested, held or sending without a try",
        sql: "select format('text %s is %s since %s', id, state, coalesce(claimed_at, requested_at)) from sms
              where state = 'sending' and claimed_at < {now} - interval '10 min'
                or state in ('requested', 'held')
                   and greatest(requested_at, tries_since, claimed_at) < {now} - interval '10 min'",
    },
    Invariant {
        number: 11,
        name: "nothing_leaves_after_stop",
        says: "nothing leaves for a customer who opted out, except the one confirmation",
        sql: "select format('text %s was sent to a customer who had opted out', s.id) from sms s
              where not s.is_confirmation and s.state in ('sending', 'submitted', 'delivered', 'undelivered', 'unknown')
                and exists (
                  select 1 from consent_entries k
                  where k.tenant = s.tenant and k.customer_number = s.customer_number and k.kind = 'opt_out'
                    and k.scope <> 'campaign' and (k.our_number = s.our_number or k.scope <> 'number')
                    and k.at < s.claimed_at - {slack}
                    and not exists (
                      select 1 from consent_entries i
                      where i.tenant = k.tenant and i.customer_number = k.customer_number and i.kind = 'opt_in'
                        and i.nr > k.nr and i.effective_at >= k.effective_at and i.at < s.claimed_at
                        and (i.scope <> 'number' or k.scope <> 'number' or i.our_number = k.our_number)))",
    },
    Invariant {
        number: 11,
        name: "one_confirmation",
        says: "an opt-out has at most one confirmation, and only a change has one",
        sql: "select format('%s confirmations were caused by %s', count(*), caused_by) from sms
              where is_confirmation group by caused_by having count(*) > 1
              union all
              select format('text %s confirms an opt-out that was none', s.id) from sms s
              where s.is_confirmation and not exists (select 1 from consent_entries k
                where k.caused_by = s.caused_by and k.kind = 'opt_out' and k.changed)",
    },
    Invariant {
        number: 11,
        name: "opt_outs_follow_the_ledger",
        says: "who is opted out is who last said so",
        sql: "with stands as (
                select distinct k.tenant, k.customer_number, k.scope, k.scope_value,
                       case when k.scope = 'number' then k.our_number else '' end as our_number
                from consent_entries k
                where k.kind = 'opt_out' and not exists (
                  select 1 from consent_entries i
                  where i.tenant = k.tenant and i.customer_number = k.customer_number and i.kind = 'opt_in' and i.nr > k.nr
                    and i.effective_at >= k.effective_at
                    and (i.scope <> 'number' or k.scope <> 'number' or i.our_number = k.our_number)))
              select format('an opt-out of tenant %s stands in the ledger, the fold says otherwise', tenant) from (
                select tenant, customer_number, scope, scope_value, our_number from stands
                except select tenant, customer_number, scope, scope_value, our_number from opt_outs) lacks
              union all
              select format('an opt-out of tenant %s has no entry in the ledger that stands', tenant) from (
                select tenant, customer_number, scope, scope_value, our_number from opt_outs
                except select tenant, customer_number, scope, scope_value, our_number from stands) more",
    },
    Invariant {
        number: 12,
        name: "tenants_are_apart",
        says: "what belongs together belongs to one tenant",
        sql: "select format('contact %s and its room %s are of two tenants', c.id, r.id)
              from contacts c join rooms r on r.id = c.room_id where c.tenant <> r.tenant
              union all
              select format('entry %s of room %s is of a contact in another room', e.seq, e.room_id)
              from entries e join contacts c on c.id = e.contact_id where c.room_id <> e.room_id
              union all
              select format('offer %s and its contact are of two tenants or rooms', o.id)
              from offers o join contacts c on c.id = o.contact_id where o.tenant <> c.tenant or o.room_id <> c.room_id
              union all
              select format('session %s and its contact are of two tenants or rooms', s.id)
              from sessions s join contacts c on c.id = s.contact_id where s.tenant <> c.tenant or s.room_id <> c.room_id
              union all
              select format('text %s and its room are of two tenants or conversations', s.id)
              from sms s join rooms r on r.id = s.room_id
              where (s.tenant, s.our_number, s.our_country, s.customer_number)
                is distinct from (r.tenant, r.our_number, r.our_country, r.customer_number)
              union all
              select format('the flow of contact %s is of another tenant or room', c.id)
              from flow_runs f join contacts c on c.id = f.contact_id where f.tenant <> c.tenant or f.room_id <> c.room_id
              union all
              select format('room %s is on a number of another tenant', r.id)
              from rooms r join points_of_contact p on p.number = r.our_number and p.ended_at is null
              where r.channel = 'sms' and r.closed_at is null and p.tenant <> r.tenant
                and (p.kind <> 'short' or p.country = r.our_country)
              union all
              select format('point of contact %s of %s sends by a carrier of %s', p.id, p.tenant, c.tenant)
              from points_of_contact p join carriers c on c.id = p.carrier where c.tenant <> p.tenant",
    },
];
