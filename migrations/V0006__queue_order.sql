-- How a skill orders its queue and chooses its agents.
alter table skills
    -- points that a waiting contact gains each minute, up to priority_max
    add column priority_per_min integer not null default 0 check (priority_per_min between 0 and 1000),
    add column priority_max     integer not null default 1000,
    add column agent_choice     text not null default 'best_proficiency'
        check (agent_choice in ('best_proficiency', 'longest_idle', 'least_busy')),
    -- [{"after_s": 0, "worst": 3}, ...]: the worst proficiency that may have a contact which waited so long; null: any
    add column widening         jsonb,
    -- offers are accepted as they are made
    add column accept_by_itself boolean not null default false;

-- The place of a ready agent before idle time counts, as its skill chooses: proficiency, 0, or slots in use.
alter table ready_agents add column rank integer;
update ready_agents set rank = proficiency;
alter table ready_agents alter column rank set not null;
drop index ready_agents_in_order;
create index ready_agents_in_order on ready_agents (tenant, skill, rank, idle_since, agent) include (proficiency);

-- why an offer went where it went
alter table offers
    add column why               text,
    add column accepts_by_itself boolean not null default false;
