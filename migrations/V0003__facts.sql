-- What was heard, so that a repeat gives the same answer; what was refused; what was set aside.

-- One row per (fact id, worker). Kept at least 14 days; not partitioned by time of arrival, since a repeat is stamped anew.
create table heard (
    id      uuid not null,
    worker  text not null,
    fact    text not null,
    tenant  text,
    -- of the body: tells a repeat from an id used twice
    digest  bytea not null,
    at      timestamptz not null,
    -- recorded | refused | repeat (of a carrier's own id) | stale
    outcome text not null,
    -- outcome repeat: the id of the first
    first_id uuid,
    -- unknown fields of the body, kept as received
    extra   jsonb,
    -- what was said then, for workers that do not derive it from their rows
    said    jsonb,
    primary key (id, worker)
);
create index heard_at on heard using brin (at);

-- The carrier's own id of an inbound text. Same id with other content is a text of its own (small carriers restart counters).
create table inbound_ids (
    carrier        text not null,
    carrier_sms_id text not null,
    digest         bytea not null,
    first_id       uuid not null,
    at             timestamptz not null,
    primary key (carrier, carrier_sms_id, digest)
);

create table refusals (
    refused_id uuid not null,
    refused    text not null,
    tenant     text,
    reason     text not null,
    sentence   text not null,
    at         timestamptz not null,
    primary key (refused_id, refused)
);

create table dead_letters (
    id           uuid primary key,
    -- as received, where it was a UUID or any other text
    message_id   text,
    fact         text,
    routing_key  text,
    headers      jsonb not null default '{}',
    worker       text not null,
    reason       text not null,
    detail       text,
    body         bytea not null,
    tenant       text,
    set_aside_at timestamptz not null,
    times        integer not null default 1,
    replayed_at  timestamptz,
    dropped_at   timestamptz
);
create index dead_letters_message on dead_letters (message_id);
create index dead_letters_newest on dead_letters (set_aside_at desc);
