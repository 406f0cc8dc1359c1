-- Who may do what: users, their sign-ins, API tokens, tries to sign in, the audit log; and what the gateway's queries may
-- see at all. Callers' transactions run as the role texthub_gateway, which has no login, only the rights below, and under
-- row-level security sees the rows of the tenant that its transaction is bound to (setting texthub.tenant). The workers go
-- on as the owner of the tables, whom no policy holds.

do $$
begin
    if not exists (select from pg_roles where rolname = 'texthub_gateway') then
        begin
            create role texthub_gateway nologin;
        exception
            -- another database of this server is being migrated, too
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise exception 'the role texthub_gateway is missing, and % may not create it; as a superuser, run: create role texthub_gateway nologin; grant texthub_gateway to %', current_user, quote_ident(current_user);
        end;
    end if;
    begin
        set local role texthub_gateway;
        reset role;
    exception when insufficient_privilege then
        begin
            execute format('grant texthub_gateway to %I', current_user);
        exception when insufficient_privilege then
            raise exception '% may not act as texthub_gateway; as a superuser, run: grant texthub_gateway to %', current_user, quote_ident(current_user);
        end;
    end;
end $$;

-- Whoever logs in. An agent of the tenant's file who has no user cannot log in; a user who is no agent works no contacts.
create table users (
    tenant         text not null references tenants,
    id             text not null,
    name           text not null,
    roles          text[] not null
        check (roles <@ array['agent', 'supervisor', 'administrator', 'integrator'] and cardinality(roles) > 0),
    -- the agent of the tenant's file that they are; null: the one of their own name, where there is one
    agent          text,
    language       text not null default 'en' check (language ~ '^[a-z]{2}(-[A-Z]{2})?$'),
    -- Argon2id, as a PHC string; null: none can be right
    password_hash  text,
    -- somebody else set it: nothing is allowed with it but to choose another, until then
    must_change    boolean not null default false,
    password_until timestamptz,
    -- who they are at one of the tenant's providers of sign-in, from the first sign-in by it on
    oidc_provider  text,
    oidc_subject   text,
    created_at     timestamptz not null default now(),
    ended_at       timestamptz,
    primary key (tenant, id),
    check ((oidc_provider is null) = (oidc_subject is null)),
    check (must_change or password_until is null)
);
create unique index users_oidc on users (tenant, oidc_provider, oidc_subject) where oidc_subject is not null;

-- Browsers' sign-ins. Of the secret there is but its SHA-256.
create table sign_ins (
    tenant       text not null,
    id           uuid not null,
    user_id      text not null,
    token_sha256 bytea not null check (length(token_sha256) = 32),
    method       text not null,
    created_at   timestamptz not null default now(),
    -- to the minute; after twelve hours without a sign of life it is over
    seen_at      timestamptz not null default now(),
    ends_at      timestamptz not null,
    -- shortened
    user_agent   text not null check (length(user_agent) <= 200),
    address      text,
    revoked_at   timestamptz,
    primary key (tenant, id),
    foreign key (tenant, user_id) references users (tenant, id)
);
create unique index sign_ins_token on sign_ins (tenant, token_sha256);
create index sign_ins_of_user on sign_ins (tenant, user_id, created_at desc);

-- Programs' tokens.
create table api_tokens (
    tenant       text not null references tenants,
    id           uuid not null,
    name         text not null,
    token_sha256 bytea not null check (length(token_sha256) = 32),
    scopes       text[] not null check (scopes <@ array['work', 'live', 'interfere', 'transcripts', 'customers']
        and cardinality(scopes) > 0),
    -- as which agent it works
    agent        text,
    created_by   text not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    -- to the minute
    used_at      timestamptz,
    revoked_at   timestamptz,
    primary key (tenant, id)
);
create unique index api_tokens_token on api_tokens (tenant, token_sha256);

-- Failed sign-ins, counted for all gateways together: of a user, of an address, of both together. Keys are hashes: no
-- tenant's row, and nobody can be told from one.
create table sign_in_attempts (
    kind         text not null check (kind in ('user', 'address', 'both')),
    key          bytea not null check (length(key) = 32),
    failures     integer not null default 0,
    failed_at    timestamptz,
    -- no try before then
    wait_until   timestamptz,
    -- of both together: the user has signed in from there
    succeeded_at timestamptz,
    touched_at   timestamptz not null default now(),
    primary key (kind, key)
);
create index sign_in_attempts_old on sign_in_attempts (touched_at);

-- What was done, and who read what. Append-only; no texts, numbers masked.
create table audit_log (
    tenant  text not null references tenants,
    nr      bigint generated always as identity,
    at      timestamptz not null default now(),
    -- a user's slug, token:ID, operator:NAME, or nobody
    who     text not null,
    -- a stable word
    what    text not null,
    -- on what: its kind and its id
    on_kind text,
    on_id   text,
    -- whence
    address text,
    detail  jsonb,
    primary key (tenant, nr)
);

create function audit_log_stands() returns trigger language plpgsql as
$$ begin raise exception 'the audit log is append-only' using errcode = 'restrict_violation'; end $$;
create trigger audit_log_stands before update or delete on audit_log
    for each row execute function audit_log_stands();
create trigger audit_log_stands_whole before truncate on audit_log
    for each statement execute function audit_log_stands();

-- Where a tenant's people may sign in by OpenID Connect, as its file has it. The secret is a file, named here, never kept.
create table oidc_providers (
    tenant             text not null references tenants,
    id                 text not null,
    name               text not null,
    issuer             text not null,
    client_id          text not null,
    client_secret_file text,
    -- domains of e-mail addresses that may sign in; empty: any
    domains            text[] not null default '{}',
    -- the claim that names the user at the first sign-in; null: the e-mail address before its @
    user_claim         text,
    ended_at           timestamptz,
    primary key (tenant, id)
);

-- Sign-ins by OpenID Connect that are under way: of the state and of the browser's own secret there are but hashes.
create table oidc_starts (
    tenant         text not null,
    state_sha256   bytea not null,
    browser_sha256 bytea not null,
    provider       text not null,
    nonce          text not null,
    verifier       text not null,
    created_at     timestamptz not null default now(),
    primary key (tenant, state_sha256),
    foreign key (tenant, provider) references oidc_providers (tenant, id)
);

-- Puts a table under row-level security. Every later migration calls it for a table with tenants' rows: a test looks.
create function bind_to_tenant(bound regclass, condition text default 'tenant = current_setting(''texthub.tenant'', true)')
    returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', bound);
    execute format('create policy of_tenant on %s using (%s)', bound, condition);
end $$;

select bind_to_tenant(c.oid::regclass)
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p');

-- those whose rows are a tenant's by what they belong to: what that lets through, they do
select bind_to_tenant('tenants', 'id = current_setting(''texthub.tenant'', true)');
select bind_to_tenant('entries', 'exists (select from rooms r where r.id = room_id)');
select bind_to_tenant('sms_parts', 'exists (select from sms s where s.id = sms_id)');
select bind_to_tenant('receipts', 'exists (select from carriers c where c.id = carrier)');
select bind_to_tenant('inbound_ids', 'exists (select from carriers c where c.id = carrier)');
select bind_to_tenant('slowed_carriers', 'exists (select from carriers c where c.id = carrier)');
select bind_to_tenant('media_contents', 'exists (select from media m where m.sha256 = media_contents.sha256)');

-- the hub's tables are read
grant select on tenants, skills, teams, agents, agent_skills, ready_agents, points_of_contact, codes, rooms, entries,
    contacts, offers, sessions, sms, sms_parts, media, media_contents, refusals, opt_outs, consent_entries, opt_in_asks,
    blocked_senders, flow_runs to texthub_gateway;
grant select (id, tenant, kind, ended_at, paused_at, paused_why) on carriers to texthub_gateway;
-- the gateway's own are written; of what is kept as proof nothing is taken away
grant select, insert, update on users, api_tokens to texthub_gateway;
grant select, insert, update, delete on sign_ins, sign_in_attempts to texthub_gateway;
grant select, insert on audit_log to texthub_gateway;
grant select on oidc_providers to texthub_gateway;
grant select, insert, delete on oidc_starts to texthub_gateway;
