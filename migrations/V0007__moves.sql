-- Contacts that move, agents who are slow to answer or about to leave, and what a skill asks for at the end.

-- from_agent: who keeps the contact until this offer of it is accepted: a transfer to one agent. Null: it was queued.
alter table offers
    add column from_agent text,
    -- the contact's then: a repeat tells of the same
    add column skill text;

alter table contacts
    -- under which skill it was queued first, where a transfer changed it: a repeat tells of the same
    add column first_skill text,
    -- since when its agent has it
    add column held_since timestamptz,
    -- the armed timer of an unanswered text (contact.due): another one is stale
    add column answer_due_at timestamptz,
    -- when its agent was last reminded
    add column reminded_at timestamptz;
create index contacts_unanswered on contacts (answer_due_at) where state = 'active' and answer_due_at is not null;

alter table skills
    -- seconds in which an agent answers a customer's text, else it is queued again; and after which the agent is reminded
    add column response_s integer check (response_s > 0),
    add column response_reminder_s integer check (response_reminder_s > 0 and response_reminder_s < response_s),
    -- the codes that may be chosen at the end; none: any
    add column dispositions text[] not null default '{}',
    add column disposition_required boolean not null default false,
    -- stands for a required one that nobody chose
    add column default_disposition text;

-- Why agents are unavailable, and for how long at most: then they are logged out.
create table codes (
    tenant   text not null references tenants,
    id       text not null,
    name     text not null,
    max_s    integer not null check (max_s > 0),
    ended_at timestamptz,
    primary key (tenant, id)
);

alter table agents
    -- asked for while busy: takes effect when the last slot is freed, and admits nobody until then
    add column next_state text check (next_state in ('unavailable', 'logged_out')),
    add column next_code text,
    -- unavailable no longer than this: then logged out
    add column unavailable_until timestamptz;
