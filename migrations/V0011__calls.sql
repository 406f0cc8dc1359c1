-- When a call to a program was claimed: one that is claimed and fresh is under way elsewhere.
alter table flow_calls add column claimed_at timestamptz;
