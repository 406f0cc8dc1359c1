//! The invariants of slots: they are counted, no limit is passed, nobody waits beside an agent with room. Agent `a` in all.

use super::invariants::Invariant;

/// Slots in use by agent `a` and its contacts of each channel, from what holds them.
pub const WORDS: [(&str, &str); 3] = [
    (
        "{used}",
        "((select coalesce(sum(o.slots), 0) from offers o where o.tenant = a.tenant and o.agent = a.id and o.state = 'pending')
          + (select coalesce(sum(h.slots), 0) from contacts h
             where h.tenant = a.tenant and h.agent = a.id and h.state in ('active', 'wrap_up')))",
    ),
    (
        "{sms}",
        "((select count(*) from offers o join contacts f on f.id = o.contact_id
           where o.tenant = a.tenant and o.agent = a.id and o.state = 'pending' and f.channel = 'sms')
          + (select count(*) from contacts h
             where h.tenant = a.tenant and h.agent = a.id and h.state in ('active', 'wrap_up') and h.channel = 'sms'))",
    ),
    (
        "{chat}",
        "((select count(*) from offers o join contacts f on f.id = o.contact_id
           where o.tenant = a.tenant and o.agent = a.id and o.state = 'pending' and f.channel = 'chat')
          + (select count(*) from contacts h
             where h.tenant = a.tenant and h.agent = a.id and h.state in ('active', 'wrap_up') and h.channel = 'chat'))",
    ),
];

/// Counters are what they count.
pub const COUNTED: Invariant = Invariant {
    number: 4,
    name: "slots_are_counted",
    says: "an agent's slots are what pending offers and the contacts that are active or in wrap-up took, its contacts of a \
           channel so many of these",
    sql: "select format('agent %s of %s: %s slots are noted, %s are in use', a.id, a.tenant, a.slots_used, u.used)
          from agents a, lateral (select {used} as used) u where a.slots_used <> u.used
          union all
          select format('agent %s of %s: %s contacts by %s are noted, there are %s', a.id, a.tenant, u.noted, u.channel, u.held)
          from agents a, lateral (values ('sms', a.sms_used, {sms}), ('chat', a.chat_used, {chat})) u (channel, noted, held)
          where u.noted <> u.held",
};

/// No limit is passed, of either kind.
pub const KEPT: Invariant = Invariant {
    number: 4,
    name: "limit_is_kept",
    says: "no agent holds more than a limit, and nothing was taken since it was lowered below use",
    sql: "select format('agent %s of %s holds %s %s, the limit is %s since %s', a.id, a.tenant, u.used, u.what, u.most,
                        a.limit_set_at)
          from agents a, lateral (values ('slots', null, {used}, a.slot_limit),
                                         ('contacts by sms', 'sms', {sms}, a.sms_most),
                                         ('contacts by chat', 'chat', {chat}, a.chat_most)) u (what, channel, used, most)
          where u.used > 12 or u.used > u.most and exists (
            select 1 from offers o join contacts c on c.id = o.contact_id
            where o.tenant = a.tenant and o.agent = a.id and o.state = 'pending' and o.made_at > a.limit_set_at
              and c.channel = coalesce(u.channel, c.channel)
            union all
            select 1 from contacts c
            where c.tenant = a.tenant and c.agent = a.id and c.state in ('active', 'wrap_up')
              and c.channel = coalesce(u.channel, c.channel)
              and coalesce(
                (select max(o.made_at) from offers o
                 where o.contact_id = c.id and o.agent = a.id and o.state = 'accepted'),
                c.accepted_at) > a.limit_set_at)",
};

/// Limits are those of the tenant file.
pub const OF_THE_FILE: Invariant = Invariant {
    number: 4,
    name: "limit_is_the_users_or_the_teams",
    says: "an agent's limits are the user's own, else the team's, 1 to 12",
    sql: "select format('agent %s of %s: the limit of %s is %s and should be %s', a.id, a.tenant, l.what, l.noted, l.own)
          from agents a join teams t on t.tenant = a.tenant and t.id = a.team,
            lateral (values ('slots', a.slot_limit, coalesce(a.session_limit, t.session_limit)),
                            ('contacts by sms', a.sms_most, coalesce(a.sms_limit, t.sms_limit, 12)),
                            ('contacts by chat', a.chat_most, coalesce(a.chat_limit, t.chat_limit, 12))) l (what, noted, own)
          where l.noted <> l.own or l.noted not between 1 and 12",
};

/// Who waits does so for a reason.
pub const NOBODY_WAITS: Invariant = Invariant {
    number: 6,
    name: "nobody_waits_beside_a_free_slot",
    says: "no contact waits beside an eligible agent with room for it by both limits, cool-downs and holds apart",
    // ten seconds instead of one: a pass asks again for a lost ask after five
    sql: "select format('contact %s waits for %s while %s of %s is free', c.id, c.skill, a.id, a.tenant)
          from (
            select a.tenant, a.id, a.slot_limit - {used} as free, {sms} < a.sms_most as takes_sms, {chat} < a.chat_most as takes_chat,
                   greatest(a.moved_at, a.idle_since, a.limit_set_at, o.at, h.at) as free_since
            from agents a
            left join (select tenant, agent, max(settled_at) as at from offers
                       where settled_at > {now} - interval '2 min' group by tenant, agent) o
              on o.tenant = a.tenant and o.agent = a.id
            left join (select tenant, agent, max(closed_at) as at from contacts
                       where closed_at > {now} - interval '2 min' group by tenant, agent) h
              on h.tenant = a.tenant and h.agent = a.id
            where a.state = 'available' and a.next_state is null and a.ended_at is null
            offset 0) a
          join agent_skills s on s.tenant = a.tenant and s.agent = a.id
          join contacts c on c.tenant = s.tenant and c.skill = s.skill and c.state = 'queued'
          join skills k on k.tenant = c.tenant and k.id = c.skill
          join tenants t on t.id = c.tenant
          where case c.channel when 'chat' then a.takes_chat and t.chat_slots <= a.free
                               else a.takes_sms and t.sms_slots <= a.free end
            and s.proficiency between coalesce(c.flow_best, 1) and coalesce(c.flow_worst, 20)
            and (k.widening is null or exists (
              select 1 from jsonb_to_recordset(k.widening) as w (after_s integer, worst integer)
              where s.proficiency <= w.worst and c.queued_at + make_interval(secs => w.after_s + 10) < {now}))
            and (c.preferred_agent = a.id or coalesce(c.flow_hold_until + interval '10 s' < {now}, true))
            and not exists (select 1 from offers o where o.contact_id = c.id and o.agent = a.id
                            and o.state in ('refused', 'lapsed') and o.settled_at > {now} - interval '40 s')
            and not exists (select 1 from sessions w where w.contact_id = c.id and w.agent = a.id
                            and w.end_reason in ('transferred', 'unanswered') and w.ended_at > {now} - interval '40 s')
            and greatest(a.free_since, t.slots_set_at, c.queued_at, c.opened_at,
                  (select max(o.settled_at) from offers o where o.contact_id = c.id),
                  (select max(w.ended_at) from sessions w where w.contact_id = c.id))
                < {now} - case when c.preferred_agent <> a.id then interval '1 min' else interval '10 s' end",
};

/// The set that the matcher goes by is right.
pub const READY: Invariant = Invariant {
    number: 6,
    name: "the_ready_are_noted",
    says: "who is noted as ready for a skill is available with room for a contact of it, and the other way round",
    sql: "select format('agent %s of %s is noted as ready for %s and is not', r.agent, r.tenant, r.skill)
          from ready_agents r
          where not exists (
            select 1 from agents a join agent_skills s on s.tenant = a.tenant and s.agent = a.id
              join skills k on k.tenant = s.tenant and k.id = s.skill join tenants t on t.id = s.tenant
            where a.tenant = r.tenant and a.id = r.agent and s.skill = r.skill
              and a.state = 'available' and a.next_state is null and a.ended_at is null
              and a.slots_used + case k.channel when 'chat' then t.chat_slots else t.sms_slots end <= a.slot_limit
              and case k.channel when 'chat' then a.chat_used < a.chat_most else a.sms_used < a.sms_most end)
          union all
          select format('agent %s of %s is ready for %s and not noted', a.id, a.tenant, s.skill)
          from agents a join agent_skills s on s.tenant = a.tenant and s.agent = a.id
              join skills k on k.tenant = s.tenant and k.id = s.skill join tenants t on t.id = s.tenant
          where a.state = 'available' and a.next_state is null and a.ended_at is null
            and a.slots_used + case k.channel when 'chat' then t.chat_slots else t.sms_slots end <= a.slot_limit
              and case k.channel when 'chat' then a.chat_used < a.chat_most else a.sms_used < a.sms_most end
            and not exists (select 1 from ready_agents r
                            where r.tenant = a.tenant and r.agent = a.id and r.skill = s.skill)",
};
