-- Media of customers' texts: a row for each link that came with one, and the contents that were fetched. Links of before
-- stay what they were: links of their entries.

-- By what it is: the same picture sent twice is kept once. Written in the transaction that settles a medium, so that no
-- row is without its contents, and every process on every machine finds them.
create table media_contents (
    sha256 bytea primary key check (length(sha256) = 32),
    bytes  bytea not null,
    at     timestamptz not null
);
-- pictures and sounds are compressed already
alter table media_contents alter column bytes set storage external;

create table media (
    id          uuid primary key,
    tenant      text not null,
    room_id     uuid not null,
    entry_id    uuid not null,
    -- of the entry's links, from 1
    nr          integer not null check (nr >= 1),
    url         text not null,
    -- as the carrier told it
    type        text not null,
    state       text not null check (state in ('waiting', 'stored', 'refused', 'failed')),
    -- why it is not stored; while it waits, why the last try did not do
    reason      text,
    sha256      bytea references media_contents,
    -- in bytes
    size        bigint,
    stored_type text,
    -- when its entry was recorded
    at          timestamptz not null,
    tries       integer not null default 0,
    -- being fetched since; null between tries
    claimed_at  timestamptz,
    -- when it is tried next, while it waits
    due_at      timestamptz not null,
    settled_at  timestamptz,
    caused_by   uuid not null,
    unique (entry_id, nr),
    check ((state = 'waiting') = (settled_at is null)),
    check ((state = 'stored') = (sha256 is not null and size is not null and stored_type is not null))
) with (fillfactor = 80);
create index media_waiting on media (due_at) where state = 'waiting';
create index media_newest on media (tenant, at desc, id);

-- What left: written when send_sms claims a text, by the connection that takes it. The entry keeps what was written.
alter table sms
    -- where smart encoding made another text of it
    add column sent_text text,
    add column encoding  text check (encoding in ('gsm7', 'ucs2')),
    -- as the network counts them
    add column parts     integer check (parts >= 1),
    -- of all parts, by the connection's price list; null where it has none for that country
    add column price     numeric(18, 6) check (price >= 0),
    add column currency  text check (currency ~ '^[A-Z]{3}$'),
    add check ((price is null) = (currency is null));
