-- Parts of customers' texts, by carriers that do not join them: kept until all are there, or as many as come in time, and
-- for as long again, so that a carrier's repeat is known.
create table inbound_parts (
    -- of part.received
    id             uuid primary key,
    nr             bigint generated always as identity,
    tenant         text not null,
    carrier        text not null,
    source         text not null,
    destination    text not null,
    reference      integer not null,
    total          integer not null,
    part           integer not null,
    alphabet       text not null check (alphabet in ('gsm7', 'ucs2')),
    octets         bytea not null,
    -- what sms.received has beside the text: carrier_sms_id, countries, received_at, carrier_fields
    fields         jsonb not null,
    at             timestamptz not null,
    -- in which sms.received its octets went on
    given_at       timestamptz
);
create index inbound_parts_of on inbound_parts (carrier, source, destination, reference, total, nr);
create index inbound_parts_waiting on inbound_parts (at) where given_at is null;
create index inbound_parts_old on inbound_parts (at) where given_at is not null;
