-- Applications: programs of a tenant that send texts by the gateway in Twilio's shape, what they sent and got, and what
-- they are still to be told. Secrets are files, named here, never kept.

create table applications (
    tenant          text not null references tenants,
    id              text not null,
    -- what it signs in with: AC and 32 hex digits
    account         text not null,
    token_file      text not null,
    token_next_file text,
    -- slugs of the points of contact that it may use; null: all of the tenant's
    numbers         jsonb,
    -- what its texts are for
    purpose         text not null default 'informational'
        check (purpose in ('conversational', 'informational', 'promotional')),
    -- where it hears customers' texts, and what became of its own
    inbound_url     text,
    status_url      text,
    ended_at        timestamptz,
    -- calls in a row that came to nothing, and until when it is left alone for that
    failures        integer not null default 0,
    paused_until    timestamptz,
    primary key (tenant, id)
);
create unique index applications_account on applications (account) where ended_at is null;

-- What an application sent, and what it was to hear: a row each, whoever else hears the same.
create table application_texts (
    tenant          text not null,
    application     text not null,
    -- its SID without the letters: the id of the fact that brought the text
    sid             uuid not null,
    direction       text not null check (direction in ('inbound', 'outbound-api', 'outbound-reply')),
    our_number      text not null,
    our_country     text not null default '',
    customer_number text not null,
    -- its line in a transcript; null where it was refused
    room_id         uuid,
    seq             integer,
    sms_id          uuid,
    -- the stable word why
    refusal         text,
    -- who hears what became of it
    status_url      text,
    at              timestamptz not null,
    primary key (tenant, application, sid),
    check ((refusal is null) = (room_id is not null and seq is not null))
);
create index application_texts_newest on application_texts (tenant, application, at desc, sid desc);
create index application_texts_of_sms on application_texts (sms_id) where sms_id is not null;

-- What an application is to be told: each word about a text once, in the order in which it came.
create table application_calls (
    id           uuid primary key,
    nr           bigint generated always as identity,
    tenant       text not null,
    application  text not null,
    sid          uuid not null,
    -- received: a customer's text; else the status of its own
    status       text not null,
    -- why it failed, as Twilio's number
    error        integer,
    -- STOP, START or HELP, where the text was one
    opt_out_type text,
    state        text not null check (state in ('asked', 'calling', 'done', 'failed')),
    asked_at     timestamptz not null,
    claimed_at   timestamptz,
    tries        integer not null default 0,
    -- the one timer message that counts carries this number
    generation   integer not null default 1,
    due_at       timestamptz not null,
    settled_at   timestamptz,
    -- why a try came to nothing, in a word
    reason       text,
    -- what its answer asked the hub for
    said         jsonb,
    check ((state in ('done', 'failed')) = (settled_at is not null))
);
create unique index application_calls_once on application_calls (tenant, application, sid, status);
create index application_calls_open on application_calls (due_at) where state in ('asked', 'calling');

-- an application's text in a room
alter table entries
    drop constraint entries_author_check,
    add constraint entries_author_check check (author in ('customer', 'agent', 'hub', 'program'));
