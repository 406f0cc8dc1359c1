-- What desks ask for beside the rest: who parked a contact, and what became of a command.

-- all parked contacts of a tenant, few as they are: whoever parked one is in its room
create index contacts_parked on contacts (tenant) where state = 'parked';

-- of commands only their fate is seen, not what was in them
grant select (id, worker, tenant, outcome, extra) on heard to texthub_gateway;
grant select (message_id, tenant, reason) on dead_letters to texthub_gateway;
