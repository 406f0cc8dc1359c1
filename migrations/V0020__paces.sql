-- How fast texts may leave: the tenant's paces as its file has them, and what is left of each just now.
alter table tenants add column paces jsonb not null default '[]';

-- Counted in segments. A row is made when a text first asks.
create table pace_buckets (
    tenant     text not null,
    -- of the file; `~carrier` for the pace that a slowed carrier without one gets
    pace       text not null,
    -- of a pace that holds for each number by itself; else empty
    number     text not null,
    -- below zero where a long text took more than there was
    left_now   double precision not null,
    filled_at  timestamptz not null,
    -- live conversation waits until then: bulk stands back
    live_until timestamptz,
    -- until when bulk that waits already takes what comes
    queued_to  timestamptz,
    day        date not null,
    used       integer not null,
    primary key (tenant, pace, number)
) with (fillfactor = 50);

-- Carriers that said "too fast": by how much their paces are lowered, which recovers with time.
create table slowed_carriers (
    carrier    text primary key,
    -- just after `slowed_at`
    factor     double precision not null check (factor > 0 and factor <= 1),
    -- segments a minute that went before it said so: the pace where the file has none
    measured   integer not null,
    slowed_at  timestamptz not null
);

-- released tenant by tenant, so that a long queue of one holds up no other
drop index sms_quiet;
create index sms_quiet on sms (tenant, not_before) where state = 'held' and not_before is not null;
