//! "Never": a deferred constraint trigger that recounts an agent's slots from rows at every commit, and refuses the
//! commit that would put the agent over the limit, or leave the counter wrong.

use deadpool_postgres::Pool;

/// Installs it in a test's database.
pub async fn install(pool: &Pool) {
    pool.get()
        .await
        .unwrap()
        .batch_execute(
            "create function recount() returns trigger language plpgsql as $$
             declare used integer; a record; who text := coalesce(new.agent, old.agent);
             begin
               if who is null then return null; end if;
               select slot_limit, slots_used into a from agents where tenant = new.tenant and id = who;
               select (select count(*) from offers o where o.tenant = new.tenant and o.agent = who and o.state = 'pending')
                    + (select count(*) from contacts c where c.tenant = new.tenant and c.agent = who
                       and c.state in ('active', 'wrap_up')) into used;
               if used > a.slot_limit then
                 raise exception 'agent % holds % of %', who, used, a.slot_limit using errcode = 'check_violation';
               end if;
               if used <> a.slots_used then
                 raise exception 'agent %: % counted, % noted', who, used, a.slots_used using errcode = 'check_violation';
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
