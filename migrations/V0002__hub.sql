-- What lives: rooms, entries, contacts, offers, sessions.
-- Every row that leads to publications keeps the id of the fact that caused it (caused_by), so that a repeat
-- finds it and says the same again.

create table rooms (
    id               uuid primary key,
    tenant           text not null,
    channel          text not null check (channel in ('sms', 'chat')),
    -- sms: our number (short code: digits) and the customer's; chat: point of contact and visitor
    our_number       text not null,
    -- of a short code: its country, else ''
    our_country      text not null default '',
    customer_number  text not null,
    point_of_contact text not null,
    opened_at        timestamptz not null,
    closed_at        timestamptz,
    -- why it closed; outcome as in contact.closed
    close_reason     text,
    outcome          text check (outcome in ('answered', 'expired', 'abandoned', 'opted_out', 'forced')),
    next_seq         integer not null default 1,
    -- who works it now (accepted or outreach); null while queued
    agent            text,
    -- every agent who ever worked it, in order
    agents           text[] not null default '{}',
    caused_by        uuid not null,
    closed_by        uuid,
    traceparent      text
) with (fillfactor = 80);
-- DESIGN 5.2: at most one open room
create unique index rooms_open on rooms (tenant, our_number, our_country, customer_number, channel) where closed_at is null;
create index rooms_caused_by on rooms (caused_by);
create index rooms_closed_by on rooms (closed_by) where closed_by is not null;
-- the last ten sessions of a number, newest first
create index rooms_of_customer on rooms (tenant, customer_number, opened_at desc, id) where closed_at is not null;
create index rooms_of_our_number on rooms (tenant, our_number, opened_at desc, id) where closed_at is not null;
create index rooms_newest on rooms (tenant, opened_at desc, id) where closed_at is not null;

-- Rows of the hot path refer to their room or contact without a foreign key: whoever writes them holds its lock, the check
-- would cost as much as the row, and the audit looks.
create table entries (
    room_id    uuid not null,
    seq        integer not null,
    id         uuid not null,
    contact_id uuid,
    direction  text not null check (direction in ('inbound', 'outbound')),
    author     text not null check (author in ('customer', 'agent', 'hub')),
    agent      text,
    kind       text not null default 'text' check (kind in ('text', 'note')),
    text       text not null,
    -- what was mended on the way in, e.g. nul_replaced
    flags      jsonb,
    media      jsonb,
    parts      integer not null,
    -- when the hub recorded it; when its author said it was written
    at         timestamptz not null,
    written_at timestamptz not null,
    -- outbound sms: its row in sms
    sms_id     uuid,
    -- the session's deadline after this entry, where it moved
    deadline_at timestamptz,
    -- the id of the fact that brought it
    caused_by  uuid not null,
    -- an entry caused by the same fact beside the first one (the confirmation of a STOP)
    ordinal    smallint not null default 0,
    primary key (room_id, seq)
);
create unique index entries_caused_by on entries (caused_by, ordinal);

create table contacts (
    id               uuid primary key,
    tenant           text not null,
    room_id          uuid not null,
    channel          text not null check (channel in ('sms', 'chat')),
    skill            text not null,
    state            text not null check (state in ('prequeue', 'queued', 'offered', 'active', 'wrap_up', 'closed', 'parked')),
    priority         integer not null,
    -- the original time of queueing: refusal, lapse, transfer and crash never change it
    queued_at        timestamptz not null,
    opened_at        timestamptz not null,
    -- since when it waits now: the maximum wait counts from here, not from before a conversation that was lost
    waiting_since    timestamptz not null default now(),
    -- whose slot it holds (offered, active, wrap_up)
    agent            text,
    preferred_agent  text,
    accepted_at      timestamptz,
    ended_at         timestamptz,
    wrap_up_until    timestamptz,
    closed_at        timestamptz,
    outcome          text check (outcome in ('answered', 'expired', 'abandoned', 'opted_out', 'forced')),
    reason           text,
    disposition      text,
    note             text,
    -- who asked for its end, as kind:name
    ended_by         text,
    caused_by        uuid not null,
    closed_by        uuid,
    check ((state in ('offered', 'active', 'wrap_up')) = (agent is not null) or state = 'closed'),
    check ((state = 'closed') = (closed_at is not null))
) with (fillfactor = 80);
create unique index contacts_living on contacts (room_id) where state in ('prequeue', 'queued', 'offered', 'active', 'parked');
create index contacts_waiting on contacts (tenant, skill, priority desc, queued_at, id) where state = 'queued';
create index contacts_waiting_since on contacts (waiting_since) where state = 'queued';
create index contacts_of_agent on contacts (tenant, agent) where state in ('offered', 'active', 'wrap_up');
create index contacts_of_room on contacts (room_id);
create index contacts_caused_by on contacts (caused_by);
create index contacts_wrap_up on contacts (wrap_up_until) where state = 'wrap_up';

create table offers (
    id         uuid primary key,
    tenant     text not null,
    contact_id uuid not null,
    room_id    uuid not null,
    agent      text not null,
    state      text not null check (state in ('pending', 'accepted', 'refused', 'lapsed', 'rescinded')),
    made_at    timestamptz not null,
    lapses_at  timestamptz not null,
    settled_at timestamptz,
    reason     text,
    caused_by  uuid not null,
    ordinal    integer not null,
    check ((state = 'pending') = (settled_at is null))
) with (fillfactor = 80);
-- DESIGN 5.7: at most one pending offer of a contact
create unique index offers_pending on offers (contact_id) where state = 'pending';
create unique index offers_caused_by on offers (caused_by, ordinal);
create index offers_pending_of_agent on offers (tenant, agent) where state = 'pending';
create index offers_of_contact on offers (contact_id, made_at);
create index offers_overdue on offers (lapses_at) where state = 'pending';

create table sessions (
    id           uuid primary key,
    tenant       text not null,
    room_id      uuid not null references rooms,
    contact_id   uuid not null,
    agent        text not null,
    started_at   timestamptz not null,
    timeout_s    integer not null,
    -- moved by every sms; in no index, so that the update stays HOT
    deadline_at  timestamptz not null,
    ended_at     timestamptz,
    end_reason   text,
    -- the armed timer: its generation, and when it is due (indexed, touched only on arming)
    timer_gen    integer not null default 1,
    timer_due_at timestamptz not null,
    traceparent  text
) with (fillfactor = 80);
create unique index sessions_live on sessions (room_id) where ended_at is null;
create index sessions_armed on sessions (timer_due_at) where ended_at is null;
create index sessions_of_contact on sessions (contact_id);
