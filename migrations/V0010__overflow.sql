-- What becomes of a contact that has waited as long as its skill allows.
alter table skills
    -- goes to the customer then; null: nothing
    add column max_wait_text  text check (char_length(max_wait_text) between 1 and 1600),
    -- where the contact waits on, in its old place; null: it is closed as abandoned
    add column overflow_skill text;

-- the skills whose maximum a contact has passed: each lets it overflow once, so that no two keep it for ever
alter table contacts add column overflowed text[] not null default '{}';
