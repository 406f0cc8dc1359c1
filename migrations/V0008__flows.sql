-- Routing flows: what a tenant published (never changed), and where its contacts stand in them.

create table flows (
    tenant text not null references tenants,
    id     text not null,
    -- the version that new contacts begin with
    newest integer not null check (newest > 0),
    primary key (tenant, id)
);

create table flow_versions (
    tenant       text not null,
    id           text not null,
    version      integer not null check (version > 0),
    document     jsonb not null,
    published_at timestamptz not null,
    -- who, where it was said
    published_by text,
    primary key (tenant, id, version),
    foreign key (tenant, id) references flows (tenant, id)
);

-- a contact keeps the version that it began with, so a version stays as it is
create function flow_versions_stay() returns trigger language plpgsql as
$$ begin raise exception 'a published version of a flow is not changed' using errcode = 'integrity_constraint_violation'; end $$;
create trigger flow_versions_stay before update or delete on flow_versions
    for each row execute function flow_versions_stay();

-- One row a contact: any worker can go on from it.
create table flow_runs (
    contact_id uuid primary key,
    tenant     text not null,
    room_id    uuid not null,
    flow       text not null,
    version    integer not null,
    node       text not null,
    phase      text not null check (phase in ('going', 'asking', 'waiting', 'calling', 'queued', 'over')),
    -- variables and the rest, as src/flow/step.rs has them
    state      jsonb not null,
    due_at     timestamptz,
    -- the armed timer's number
    generation integer not null default 0,
    -- the customer's last text that it heard
    heard_seq  integer not null default 0,
    started_at timestamptz not null,
    ended_at   timestamptz,
    check (ended_at is not null or due_at is not null)
) with (fillfactor = 70);
create index flow_runs_due on flow_runs (due_at) where ended_at is null;
-- a version that somebody is in
create index flow_runs_living on flow_runs (tenant, flow, version) where ended_at is null;

-- Calls to programs: claimed before they are made, and never made twice.
create table flow_calls (
    id         uuid primary key,
    tenant     text not null,
    contact_id uuid not null,
    number     integer not null,
    request    jsonb not null,
    state      text not null check (state in ('asked', 'calling', 'answered', 'failed')),
    asked_at   timestamptz not null,
    settled_at timestamptz,
    answer     jsonb,
    -- why it failed, in a word
    reason     text,
    check ((state in ('answered', 'failed')) = (settled_at is not null))
);

-- Automatic texts in a row to a customer, across sessions: the brake for two machines that answer each other.
create table flow_brakes (
    tenant          text not null,
    our_number      text not null,
    customer_number text not null,
    in_a_row        integer not null,
    at              timestamptz not null,
    primary key (tenant, our_number, customer_number)
);

alter table points_of_contact add column flow text;
alter table points_of_contact add foreign key (tenant, flow) references flows (tenant, id);

-- What a flow asked for its contact: proficiencies that will do, and until when it is kept for the preferred agent.
alter table contacts add column flow_best integer;
alter table contacts add column flow_worst integer;
alter table contacts add column flow_hold_until timestamptz;
create index contacts_in_flow on contacts (opened_at) where state = 'prequeue';
