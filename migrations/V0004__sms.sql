-- Outbound texts on their way, carriers' receipts, and the consent ledger.

create table sms (
    id              uuid primary key,
    tenant          text not null,
    room_id         uuid not null references rooms,
    entry_id        uuid not null,
    seq             integer not null,
    our_number      text not null,
    our_country     text not null default '',
    customer_number text not null,
    carrier         text not null,
    -- requested < sending < submitted < delivered | undelivered | failed; unknown, held: DESIGN 4
    state           text not null check (state in
        ('requested', 'sending', 'submitted', 'delivered', 'undelivered', 'failed', 'unknown', 'held')),
    reason          text,
    -- the one confirmation passes the block it just made: DESIGN 5.11
    is_confirmation boolean not null default false,
    requested_at    timestamptz not null,
    claimed_at      timestamptz,
    -- since when send_sms tries or waits for its turn; after a minute it is held, and null again
    tries_since     timestamptz,
    -- the sms.requested under which it was held: a repeat of it changes nothing, another one tries anew
    held_by         uuid,
    submitted_at    timestamptz,
    final_at        timestamptz,
    caused_by       uuid not null
) with (fillfactor = 70);
create index sms_caused_by on sms (caused_by);
create index sms_of_room on sms (room_id, seq);
create index sms_unsent on sms (room_id, seq) where state in ('requested', 'sending', 'held');
create index sms_sending on sms (claimed_at) where state = 'sending';
create index sms_waiting on sms (requested_at) where state in ('requested', 'held');

create table sms_parts (
    sms_id         uuid not null references sms,
    part           integer not null,
    carrier        text not null,
    carrier_sms_id text not null,
    status         text not null check (status in ('submitted', 'delivered', 'undelivered', 'failed')),
    error          text,
    primary key (sms_id, part)
);
create index sms_parts_by_carrier_id on sms_parts (carrier, carrier_sms_id);

-- Every receipt as it came, matched or not yet (a receipt may come before the submission's answer).
create table receipts (
    id             uuid primary key,
    carrier        text not null,
    carrier_sms_id text not null,
    status         text not null,
    error          text,
    part           integer,
    reported_at    timestamptz not null,
    at             timestamptz not null,
    sms_id         uuid
);
create index receipts_unmatched on receipts (carrier, carrier_sms_id) where sms_id is null;

-- Append-only; the newest entry decides.
create table consent_entries (
    id              uuid primary key,
    -- in which order they were noted: two of one batch have one time
    nr              bigint generated always as identity,
    tenant          text not null,
    our_number      text not null,
    customer_number text not null,
    kind            text not null check (kind in ('opt_out', 'opt_in')),
    keyword         text not null,
    -- whether it changed the state, so that its one confirmation was due
    changed         boolean not null,
    caused_by       uuid not null,
    at              timestamptz not null
);
create index consent_entries_of on consent_entries (tenant, customer_number, our_number, at);

-- The fold of the ledger: a row exists while the customer is opted out.
create table opt_outs (
    tenant          text not null,
    our_number      text not null,
    customer_number text not null,
    since           timestamptz not null,
    primary key (tenant, our_number, customer_number)
);
