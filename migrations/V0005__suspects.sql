-- Messages that were under way twice when a process ended, and so are handled alone: how often each was begun since.
-- The broker's count of deliveries also rises for every innocent that the process had prefetched; this one does not.

create table suspects (
    worker  text not null,
    -- the message's id, else one that follows from its body
    message uuid not null,
    tries   integer not null,
    at      timestamptz not null,
    primary key (worker, message)
);
