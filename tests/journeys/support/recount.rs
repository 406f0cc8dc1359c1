//! "Never": a deferred constraint trigger that recounts an agent's slots and contacts from rows at every commit, and
//! refuses the commit that would put the agent over a limit, or leave a counter wrong.

use deadpool_postgres::Pool;

/// Installs it in a test's database.
pub async fn install(pool: &Pool) {
    pool.get()
        .await
        .unwrap()
        .batch_execute(
            "create function recount() returns trigger language plpgsql as $$
             declare a record; who text := coalesce(new.agent, old.agent);
             begin
               if who is null then return null; end if;
               -- in one statement, so of one moment: others who free slots commit between two
               select g.slot_limit, g.slots_used, g.sms_most, g.chat_most, g.sms_used, g.chat_used, n.*
               into a
               from agents g cross join lateral (
               select coalesce(sum(h.slots), 0) as used, count(*) filter (where h.channel = 'sms') as sms,
                      count(*) filter (where h.channel = 'chat') as chat
               from (select o.slots, c.channel from offers o join contacts c on c.id = o.contact_id
                     where o.tenant = new.tenant and o.agent = who and o.state = 'pending'
                     union all
                     select c.slots, c.channel from contacts c where c.tenant = new.tenant and c.agent = who
                       and c.state in ('active', 'wrap_up')) h) n
               where g.tenant = new.tenant and g.id = who;
               if a.used > a.slot_limit then
                 raise exception 'agent % holds % of %', who, a.used, a.slot_limit using errcode = 'check_violation';
               end if;
               if a.used <> a.slots_used then
                 raise exception 'agent %: % counted, % noted', who, a.used, a.slots_used using errcode = 'check_violation';
               end if;
               if a.sms > a.sms_most or a.chat > a.chat_most then
                 raise exception 'agent % holds % sms of %, % chat of %', who, a.sms, a.sms_most, a.chat, a.chat_most
                   using errcode = 'check_violation';
               end if;
               if (a.sms, a.chat) <> (a.sms_used, a.chat_used) then
                 raise exception 'agent %: % sms and % chat counted, % and % noted', who, a.sms, a.chat, a.sms_used, a.chat_used
                   using errcode = 'check_violation';
               end if;
               return null;
             end $$;
             create constraint trigger recount_offers after insert or update on offers
               deferrable initially deferred for each row execute function recount();
             create constraint trigger recount_contacts after insert or update on contacts
               deferrable initially deferred for each row execute function recount();",
        )
        .await
        .unwrap();
}
