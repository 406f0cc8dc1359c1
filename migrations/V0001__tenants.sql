-- What a company sets up: tenants, skills, teams, agents, carriers, points of contact.
-- Slugs are the keys, as in facts and on screen. Nothing here is deleted: `ended_at` ends it.

create table settings (
    name  text primary key,
    value text not null
);

create table tenants (
    id            text primary key,
    name          text not null,
    sms_messaging boolean not null,
    time_zone     text not null,
    stop_text     text not null,
    start_text    text not null,
    help_text     text not null
);

create table skills (
    tenant          text not null references tenants,
    id              text not null,
    channel         text not null check (channel in ('sms', 'chat')),
    priority        integer not null default 0,
    offer_timeout_s integer not null check (offer_timeout_s between 1 and 600),
    wrap_up_s       integer check (wrap_up_s between 0 and 86400),
    max_wait_s      integer not null check (max_wait_s > 0),
    ended_at        timestamptz,
    -- the pass's last ask (skill.due) and whether route_contact has handled it: DESIGN 5.6
    asked_id        uuid,
    asked_at        timestamptz,
    primary key (tenant, id)
);

create table teams (
    tenant        text not null references tenants,
    id            text not null,
    session_limit integer not null check (session_limit between 1 and 12),
    ended_at      timestamptz,
    primary key (tenant, id)
);

-- The hot row of routing: slots_used and last_assigned_at stay out of every index and predicate (HOT updates).
create table agents (
    tenant           text not null,
    id               text not null,
    team             text not null,
    session_limit    integer check (session_limit between 1 and 12),
    -- the user's limit, else the team's; written by apply only
    slot_limit       integer not null check (slot_limit between 1 and 12),
    -- since when that limit holds: one lowered below use evicts nobody, and admits nobody from then on
    limit_set_at     timestamptz not null default '2000-01-01Z',
    state            text not null default 'logged_out' check (state in ('logged_out', 'unavailable', 'available')),
    code             text,
    moved_at         timestamptz not null default '2000-01-01Z',
    lease_until      timestamptz,
    -- the one timer message (agent.due) that counts: another one is stale
    timer_due_at     timestamptz,
    vanished_at      timestamptz,
    misses           integer not null default 0,
    -- pending offers + active + wrap-up contacts; written in src/hub/slot.rs alone
    slots_used       integer not null default 0 check (slots_used >= 0),
    idle_since       timestamptz not null default now(),
    ended_at         timestamptz,
    primary key (tenant, id),
    foreign key (tenant, team) references teams (tenant, id)
) with (fillfactor = 40);
create index agents_leased on agents (lease_until) where lease_until is not null and state <> 'logged_out';
create index agents_vanished on agents (vanished_at) where vanished_at is not null;

create table agent_skills (
    tenant      text not null,
    agent       text not null,
    skill       text not null,
    proficiency integer not null check (proficiency between 1 and 20),
    primary key (tenant, agent, skill),
    foreign key (tenant, agent) references agents (tenant, id),
    foreign key (tenant, skill) references skills (tenant, id)
);
create index agent_skills_by_skill on agent_skills (tenant, skill, proficiency, agent);

-- Who is ready for a skill, and since when: available, a free slot. Written in src/hub/slot.rs alone.
create table ready_agents (
    tenant      text not null,
    skill       text not null,
    agent       text not null,
    proficiency integer not null,
    idle_since  timestamptz not null,
    primary key (tenant, agent, skill)
);
create index ready_agents_in_order on ready_agents (tenant, skill, proficiency, idle_since, agent);

create table carriers (
    id       text primary key,
    tenant   text not null references tenants,
    kind     text not null,
    url      text,
    ended_at timestamptz
);

create table points_of_contact (
    tenant            text not null,
    id                text not null,
    channel           text not null check (channel in ('sms', 'chat')),
    -- sms: E.164 with +, or a short code's digits; chat: null
    number            text,
    kind              text check (kind in ('long', 'toll_free', 'short')),
    country           text,
    carrier           text references carriers,
    skill             text not null,
    session_timeout_s integer not null check (session_timeout_s > 0),
    ended_at          timestamptz,
    primary key (tenant, id),
    foreign key (tenant, skill) references skills (tenant, id),
    check ((channel = 'sms') = (number is not null and kind is not null and country is not null and carrier is not null))
);
-- one owner of a number in the whole installation; short codes by country
create unique index points_of_contact_number on points_of_contact
    (number, (case when kind = 'short' then country else '' end)) where ended_at is null and channel = 'sms';
create index points_of_contact_any_number on points_of_contact (number) where channel = 'sms';
