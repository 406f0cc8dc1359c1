-- Web chat's visitors, quick replies, and customers' cards: tables of the gateway's own, but for quick replies, which are
-- the tenant file's.

-- whose pages may talk to the chat: origins as browsers write them; none: nobody's
alter table points_of_contact add column origins jsonb not null default '[]';

create table quick_replies (
    tenant   text not null references tenants,
    id       text not null,
    title    text not null,
    text     text not null,
    -- only contacts of this skill; null: any
    skill    text,
    -- only where this language is spoken, as the agent chooses; null: any
    language text,
    ended_at timestamptz,
    primary key (tenant, id),
    foreign key (tenant, skill) references skills (tenant, id)
);

-- A visitor, who has no account: whoever holds the token. Only its hash stands here.
create table chat_visits (
    visitor          uuid primary key,
    tenant           text not null references tenants,
    point_of_contact text not null,
    -- SHA-256 of the token
    token_hash       bytea not null check (length(token_hash) = 32),
    language         text,
    -- of the page where it began
    origin           text not null,
    started_at       timestamptz not null,
    -- moved by each text; in no index, so that the update stays HOT
    expires_at       timestamptz not null,
    foreign key (tenant, point_of_contact) references points_of_contact (tenant, id)
) with (fillfactor = 80);
create unique index chat_visits_token on chat_visits (token_hash);
create index chat_visits_started on chat_visits (started_at);

-- What visitors handed in, so that the same id again is the same fact again, with its first time.
create table chat_texts (
    id          uuid primary key,
    tenant      text not null,
    visitor     uuid not null references chat_visits on delete cascade,
    -- SHA-256 of what was handed in
    digest      bytea not null,
    received_at timestamptz not null
);
create index chat_texts_of_visitor on chat_texts (visitor);

-- How fast visitors may come and write, over all gateways: until when a bucket is filled. Lost in a crash, it is full again.
create unlogged table chat_paces (
    -- what it is of, and a hash of whom
    bucket    text primary key,
    filled_at timestamptz not null,
    -- what one more adds, and how full it may be, in seconds
    every_s   double precision not null,
    most_s    double precision not null
) with (fillfactor = 50);

-- A customer's card: by number, or by visitor.
create table customers (
    tenant          text not null references tenants,
    customer_number text not null,
    name            text,
    fields          jsonb not null default '{}' check (jsonb_typeof(fields) = 'object'),
    updated_at      timestamptz not null,
    updated_by      text not null,
    primary key (tenant, customer_number)
);

create table customer_notes (
    id              uuid primary key,
    tenant          text not null references tenants,
    customer_number text not null,
    text            text not null,
    author          text not null,
    at              timestamptz not null
);
create index customer_notes_of on customer_notes (tenant, customer_number, at desc, id);

-- Append-only, but that a customer may be forgotten.
create function customer_notes_stand() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('texthub.forgetting', true) = 'on' then
        return old;
    end if;
    raise exception 'notes on customers are append-only' using errcode = 'restrict_violation';
end $$;
create trigger customer_notes_stand before update or delete on customer_notes
    for each row execute function customer_notes_stand();
create trigger customer_notes_stand_whole before truncate on customer_notes
    for each statement execute function customer_notes_stand();

-- Replaces a customer's number by its keyed hash, wherever consent is kept, and erases the card. How many entries of the
-- ledger it was in.
create or replace function forget_customer(of_tenant text, number text, hash text) returns bigint language plpgsql as $$
declare found bigint;
begin
    if hash !~ '^#[0-9a-f]{64}$' then
        raise exception 'no keyed hash';
    end if;
    perform set_config('texthub.forgetting', 'on', true);
    update consent_entries set customer_number = hash, source = source - 'ip' - 'user_agent' - 'url'
        where tenant = of_tenant and customer_number = number;
    get diagnostics found = row_count;
    delete from customer_notes where tenant = of_tenant and customer_number = number;
    perform set_config('texthub.forgetting', 'off', true);
    delete from customers where tenant = of_tenant and customer_number = number;
    -- of a visitor: nobody comes back as that one
    delete from chat_visits where tenant = of_tenant and visitor = case when number ~ '^[0-9a-f-]{36}$' then number::uuid end;
    insert into opt_outs (tenant, our_number, customer_number, since, scope, scope_value)
        select tenant, our_number, hash, since, scope, scope_value from opt_outs
        where tenant = of_tenant and customer_number = number
        on conflict (tenant, customer_number, scope, our_number, scope_value)
            do update set since = greatest(opt_outs.since, excluded.since);
    delete from opt_outs where tenant = of_tenant and customer_number = number;
    delete from opt_in_asks where tenant = of_tenant and customer_number = number;
    update tenants set has_forgotten = true where id = of_tenant and not has_forgotten;
    return found;
end $$;

select bind_to_tenant(t) from unnest(array['quick_replies', 'chat_visits', 'chat_texts', 'customers', 'customer_notes']::regclass[]) t;
grant select on quick_replies to texthub_gateway;
grant select, insert, update on chat_visits, chat_paces, customers to texthub_gateway;
grant select, insert on chat_texts, customer_notes to texthub_gateway;
