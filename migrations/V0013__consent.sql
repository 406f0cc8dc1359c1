-- The consent ledger made whole: scopes, methods, sources, proof; double opt-in; forgotten customers; and senders who
-- are blocked or write too much.

alter table tenants
    -- how wide a customer's STOP reaches: the number that was texted, or all of the tenant's
    add column consent_scope text not null default 'number' check (consent_scope in ('number', 'tenant')),
    -- what asks for a double opt-in
    add column ask_text      text not null default 'Reply YES to get our texts, STOP to get none.',
    -- answers in other languages: {"fr": {"stop": …, "start": …, "help": …, "ask": …}}
    add column consent_texts jsonb,
    -- more texts of one sender than these within the span open and queue nothing
    add column flood_texts   integer not null default 60 check (flood_texts between 1 and 10000),
    add column flood_s       integer not null default 300 check (flood_s between 1 and 86400),
    -- some customer is known by a keyed hash alone: the check at send looks the hash up, too
    add column has_forgotten boolean not null default false;

-- as `apply` says it where the file does not
update tenants set ask_text = name || ': reply YES to get our texts, STOP to get none.';

alter table carriers
    -- who answers STOP, START and HELP: we, or the carrier
    add column opt_outs text not null default 'self' check (opt_outs in ('self', 'provider'));

alter table consent_entries
    drop constraint consent_entries_kind_check,
    add constraint consent_entries_kind_check check (kind in ('opt_out', 'opt_in', 'opt_in_asked')),
    alter column keyword drop not null,
    -- how far it reaches; scope_value is for campaigns
    add column scope        text not null default 'number' check (scope in ('number', 'campaign', 'brand', 'all')),
    add column scope_value  text not null default '',
    add column method       text not null default 'keyword'
        check (method in ('keyword', 'web', 'paper', 'voice', 'agent', 'carrier', 'import')),
    -- who noted it: customer, agent:SLUG, operator:NAME, program:NAME, carrier:SLUG
    add column actor        text not null default 'customer',
    -- where it came from, as known: fact_id, url, ip, user_agent
    add column source       jsonb,
    -- exactly what the customer was told, and its SHA-256 as hex
    add column disclosure   text,
    add column disclosure_sha256 text,
    add column basis        text check (basis in ('implied', 'express', 'written')),
    -- where the evidence is kept
    add column evidence     text,
    -- when the customer said so; `at` is when it was noted
    add column effective_at timestamptz;
-- before the trigger: what was noted was said then
update consent_entries set effective_at = at where effective_at is null;
alter table consent_entries alter column effective_at set not null;
create index consent_entries_newest on consent_entries (tenant, nr desc);

-- Append-only. Only forget_customer changes a row, and of it nothing but the number and the personal part of the source.
create function consent_entries_stand() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and current_setting('texthub.forgetting', true) = 'on' and new.customer_number like '#%'
       and to_jsonb(new) - 'customer_number' - 'source' = to_jsonb(old) - 'customer_number' - 'source' then
        return new;
    end if;
    raise exception 'the consent ledger is append-only' using errcode = 'restrict_violation';
end $$;
create trigger consent_entries_stand before update or delete on consent_entries
    for each row execute function consent_entries_stand();
create trigger consent_entries_stand_whole before truncate on consent_entries
    for each statement execute function consent_entries_stand();

-- The fold: a row exists while the customer is opted out of what it names. our_number is '' beyond the scope `number`.
alter table opt_outs
    add column scope       text not null default 'number' check (scope in ('number', 'campaign', 'brand', 'all')),
    add column scope_value text not null default '',
    drop constraint opt_outs_pkey,
    add primary key (tenant, customer_number, scope, our_number, scope_value),
    add check ((scope = 'number') = (our_number <> ''));

-- Who was asked to opt in and has not answered.
create table opt_in_asks (
    tenant          text not null,
    our_number      text not null,
    customer_number text not null,
    asked_at        timestamptz not null,
    primary key (tenant, our_number, customer_number)
);

-- Replaces a customer's number by its keyed hash, wherever consent is kept. How many entries of the ledger it was in.
create function forget_customer(of_tenant text, number text, hash text) returns bigint language plpgsql as $$
declare found bigint;
begin
    if hash !~ '^#[0-9a-f]{64}$' then
        raise exception 'no keyed hash';
    end if;
    perform set_config('texthub.forgetting', 'on', true);
    update consent_entries set customer_number = hash, source = source - 'ip' - 'user_agent' - 'url'
        where tenant = of_tenant and customer_number = number;
    get diagnostics found = row_count;
    perform set_config('texthub.forgetting', 'off', true);
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

-- Senders whose texts open and answer nothing.
create table blocked_senders (
    tenant          text not null references tenants,
    customer_number text not null,
    since           timestamptz not null,
    actor           text not null,
    reason          text,
    primary key (tenant, customer_number)
);

-- Texts that were recorded and did nothing: of a blocked sender, or beyond the flood limit. A table of their own: they
-- have no room to be a line of, desks hear nothing of them, and released they come again as they came.
create table withheld_texts (
    id              uuid primary key,
    tenant          text not null,
    our_number      text not null,
    our_country     text not null default '',
    customer_number text not null,
    carrier         text,
    text            text not null,
    media           jsonb,
    received_at     timestamptz not null,
    reason          text not null check (reason in ('blocked', 'flood')),
    at              timestamptz not null,
    released_at     timestamptz
);
create index withheld_texts_of on withheld_texts (tenant, customer_number, at);
