-- Limits of each channel beside the shared one, and what a contact of a channel takes of the shared one.
alter table tenants
    -- slots that a contact of the channel takes of its agent
    add column sms_slots    integer not null default 1 check (sms_slots between 1 and 12),
    add column chat_slots   integer not null default 1 check (chat_slots between 1 and 12),
    -- since when: what waits may fit from then on
    add column slots_set_at timestamptz not null default '2000-01-01Z';

alter table teams
    add column sms_limit  integer check (sms_limit between 1 and 12),
    add column chat_limit integer check (chat_limit between 1 and 12);

alter table agents
    add column sms_limit  integer check (sms_limit between 1 and 12),
    add column chat_limit integer check (chat_limit between 1 and 12),
    -- most contacts of the channel: the user's limit, else the team's, else 12, which no limit passes; written by apply only
    add column sms_most   integer not null default 12 check (sms_most between 1 and 12),
    add column chat_most  integer not null default 12 check (chat_most between 1 and 12),
    -- the contacts behind slots_used, by channel; in no index; written in src/hub/slot.rs alone
    add column sms_used   integer not null default 0 check (sms_used >= 0),
    add column chat_used  integer not null default 0 check (chat_used >= 0);

-- slots that were taken with the reservation: as many are given back, whatever the tenant's file says by then
alter table offers add column slots integer not null default 1 check (slots between 1 and 12);
alter table contacts add column slots integer not null default 1 check (slots between 1 and 12);

update agents a set sms_used = u.sms, chat_used = u.chat
from (select tenant, agent, count(*) filter (where channel = 'sms') as sms, count(*) filter (where channel = 'chat') as chat
      from (select o.tenant, o.agent, c.channel from offers o join contacts c on c.id = o.contact_id where o.state = 'pending'
            union all
            select tenant, agent, channel from contacts where state in ('active', 'wrap_up')) held
      group by tenant, agent) u
where a.tenant = u.tenant and a.id = u.agent;
