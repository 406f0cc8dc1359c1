-- Texts whose answer was lost: the carrier is asked, and in the end the tenant's policy decides; and how long a text is
-- tried at all.
alter table tenants
    add column text_validity_s    integer not null default 172800 check (text_validity_s between 60 and 604800),
    add column unanswered         text not null default 'keep' check (unanswered in ('keep', 'resend', 'fail')),
    add column unanswered_after_s integer not null default 900 check (unanswered_after_s between 120 and 86400);

alter table sms
    -- when the carrier was asked for it last, and how often it then did not have it
    add column looked_at   timestamptz,
    add column missing     integer not null default 0,
    -- nobody looks for it any more: it stays unknown unless a receipt comes
    add column is_given_up boolean not null default false,
    -- how often it was sent again by the tenant's policy, so that it may have arrived more than once
    add column resent      integer not null default 0;
create index sms_doubted on sms (claimed_at) where state = 'unknown' and not is_given_up;
