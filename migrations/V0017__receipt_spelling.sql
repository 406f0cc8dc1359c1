-- Receipts may spell the carrier's id otherwise than its answer did: both are found by one folded form (case and leading
-- zeros), and the rules that came with a receipt decide.
alter table receipts add column id_rules text[] not null default '{exact}';
create index sms_parts_by_folded_id on sms_parts (carrier, ltrim(lower(carrier_sms_id collate "C"), '0'));
create index receipts_unmatched_folded on receipts (carrier, ltrim(lower(carrier_sms_id collate "C"), '0'))
    where sms_id is null;
-- A receipt of an id that nobody knows is about the one unknown text between its two numbers.
alter table receipts add column our_number text, add column customer_number text;
create index receipts_unmatched_between on receipts (customer_number, our_number)
    where sms_id is null and customer_number is not null;
create index sms_unknown on sms (customer_number, our_number) where state = 'unknown';
drop index sms_parts_by_carrier_id, receipts_unmatched;
