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
             declare used integer; sms integer; chat integer; a record; who text := coalesce(new.agent, old.agent);
             begin
               if who is null then return null; end if;
               select * into a from agents where tenant = new.tenant and id = who;
               select coalesce(sum(h.slots), 0), count(*) filter (where h.channel = 'sms'),
                      count(*) filter (where h.channel = 'chat')
               from (select o.slots, c.channel from offers o join contacts c on c.id = o.contact_id
                     where o.tenant = new.tenant and o.agent = who and o.state = 'pending'
                     union all
                     select c.slots, c.channel from contacts c where c.tenant = new.tenant and c.agent = who
                       and c.state in ('active', 'wrap_up')) h
               into used, sms, chat;
               if used > a.slot_limit then
                 raise exception 'agent % holds % of %', who, used, a.slot_limit using errcode = 'check_violation';
               end if;
               if used <> a.slots_used then
                 raise exception 'agent %: % counted, % noted', who, used, a.slots_used using errcode = 'check_violation';
               end if;
               if sms > a.sms_most or chat > a.chat_most then
                 raise exception 'agent % holds % sms of %, % chat of %', who, sms, a.sms_most, chat, a.chat_most
                   using errcode = 'check_violation';
               end if;
               if (sms, chat) <> (a.sms_used, a.chat_used) then
                 raise exception 'agent %: % sms and % chat counted, % and % noted', who, sms, chat, a.sms_used, a.chat_used
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
