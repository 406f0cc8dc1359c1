-- Quiet hours: a tenant's policy, and of each text what it is for, what was decided, and until when it is held.
-- An empty policy is the default one: on, conversational texts exempt.
alter table tenants add column quiet_hours jsonb not null default '{}';

alter table sms add column purpose text not null default 'conversational'
    check (purpose in ('conversational', 'informational', 'promotional'));
-- the decisions with their reasons: when it was requested, and when it was claimed last; null where its purpose was exempt
alter table sms add column quiet_asked jsonb;
alter table sms add column quiet_claimed jsonb;
-- held for quiet hours until then; null for whatever else a text is held for
alter table sms add column not_before timestamptz;

-- those held for quiet hours are not looked at before their time
drop index sms_waiting;
create index sms_waiting on sms (requested_at) where state in ('requested', 'held') and not_before is null;
create index sms_quiet on sms (not_before) where state = 'held' and not_before is not null;
