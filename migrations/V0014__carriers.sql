-- What a kind of carrier needs beside its address, as the tenant file has it; secrets are files, named here, never kept.
alter table carriers add column settings jsonb not null default '{}';

-- The account was refused (sign-in, suspension): nothing goes by this connection until somebody resumes it, or the file
-- says something new of it. What is for it waits.
alter table carriers add column paused_at timestamptz, add column paused_why text;
