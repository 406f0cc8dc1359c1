-- What an offer's agent was chosen by, as it stood then: `texthub why` tells it.
alter table offers
    add column proficiency integer,
    add column idle_since  timestamptz,
    -- who was next in order among those that were looked at; null: nobody else was
    add column runner_up   text;
