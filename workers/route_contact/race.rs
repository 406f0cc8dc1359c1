//! Fifty connections race ten thousand contacts to a hundred agents with limits from 1 to 12, of their own for each channel,
//! and chats that take two slots: matchers, accepts, refusals and ends at once. Each commit recounts slots and contacts; at
//! the end everyone is served or waits beside agents who have no room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use deadpool_postgres::Pool;
use serde_json::json;
use texthub::facts::envelope::{Decode, Message, Publication};
use texthub::facts::ids::{ContactId, Slug};
use texthub::failure::Failure;
use texthub::hub::slot;
use texthub::runtime::db;
use texthub::runtime::single::Each;
use texthub::runtime::worker::{Context, Pass, Worker};
use uuid::Uuid;

use super::*;
use crate::reconcile::Match;
use crate::rehearsal::{column, fact, lines};
use crate::settle_offer::SettleOffer;
use crate::support::database::Database;
use crate::support::den::den;
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{attempt, body, breaches, heard, said, told};
use crate::wrap_up::WrapUp;

const CONNECTIONS: usize = 50;
const CONTACTS: u64 = 10_000;
/// Limits 1 to 12 in turn.
const AGENTS: u64 = 100;
/// Contacts said to be queued in one batch.
const BATCH: u64 = 32;
/// Tries of a batch that meets others.
const TRIES: usize = 50;

/// A hundred agents of all three skills, and contacts of each that wait; nobody has matched anything yet.
async fn stage() -> Database {
    let mut database = Database::new().await;
    database.pool = db::pool(&database.url, "texthub test", CONNECTIONS).unwrap();
    let pool = &database.pool;
    den(pool).await;
    recount::install(pool).await;
    let everybody = format!(
        "update tenants set chat_slots = 2 where id = 'bears';
         insert into agents (tenant, id, team, session_limit, slot_limit, sms_limit, sms_most, chat_limit, chat_most, state,
                             idle_since)
         select 'bears', 'a' || n, 'den', 1 + n % 12, 1 + n % 12, nullif(1 + n % 5, 5), coalesce(nullif(1 + n % 5, 5), 12),
                nullif(1 + n % 4, 4), coalesce(nullif(1 + n % 4, 4), 12), 'available', '{early}'
         from generate_series(1, {AGENTS}) n;
         insert into agent_skills (tenant, agent, skill, proficiency)
         select 'bears', 'a' || n, skill, 1 + n % 3 from generate_series(1, {AGENTS}) n, unnest('{{sms,urgent,chat}}'::text[]) skill;
         create function nth(n bigint) returns uuid language sql as
           $$ select ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
         insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, caused_by)
         select nth(n), 'bears', case n % 3 when 2 then 'chat' else 'sms' end,
                case n % 3 when 2 then 'web' else '+15550100001' end, '+1555' || (7000000 + n),
                case n % 3 when 2 then 'web' else 'main' end, '{early}', nth(n)
         from generate_series(1, {CONTACTS}) n;
         insert into contacts (id, tenant, room_id, channel, skill, state, priority, queued_at, opened_at, waiting_since,
                               caused_by)
         select nth(n), 'bears', nth(n), case n % 3 when 2 then 'chat' else 'sms' end,
                ('{{sms,urgent,chat}}'::text[])[1 + n % 3], 'queued', 0,
                '{early}'::timestamptz + n * interval '1 ms', '{early}', '{late}', nth(n)
         from generate_series(1, {CONTACTS}) n;
         analyze",
        early = at(0),
        late = at(90),
    );
    pool.get().await.unwrap().batch_execute(&everybody).await.unwrap();
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let agents: Vec<Slug> = (1..=AGENTS).map(|n| Slug::new(&format!("a{n}")).unwrap()).collect();
    slot::refresh_ready(&tx, &Slug::new("bears").unwrap(), &agents).await.unwrap();
    tx.commit().await.unwrap();
    drop(client);
    database
}

/// What all connections share: who is to be queued next, numbers of facts, what is still to be heard.
struct Race {
    pool: Pool,
    next: AtomicU64,
    numbers: AtomicU64,
    heard: Mutex<VecDeque<Publication>>,
    again: AtomicU64,
}

impl Race {
    /// A batch in a transaction of its own, again where it met others. What a constraint says fails the test.
    async fn play<W: Worker>(&self, worker: &W, batch: &[Message<W::Fact>]) -> Vec<Publication> {
        for _ in 0..TRIES {
            match attempt(worker, &self.pool, at(100), batch).await {
                Ok(outcomes) => return outcomes.iter().flat_map(said).collect(),
                Err(Failure::Retry(_)) => self.again.fetch_add(1, Ordering::Relaxed),
                Err(failure) => panic!("{}: {failure}", W::NAME),
            };
        }
        panic!("{} met others {TRIES} times", W::NAME);
    }

    fn number(&self) -> u128 {
        u128::from(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// Of five offers one is refused, two are accepted and ended, two stay: in the end they fill every agent.
    async fn answer(&self, offers: &[Publication]) -> Vec<Publication> {
        let (mut answers, mut ends) = (Vec::new(), Vec::new());
        for offer in offers.iter().map(body) {
            let nr = self.number();
            let Some(answer) =
                [Some("accept"), Some("refuse"), None, Some("accept"), None][usize::try_from(nr % 5).unwrap()]
            else {
                continue;
            };
            let told_by =
                json!({"tenant": "bears", "agent": offer["agent"], "offer_id": offer["offer_id"], "answer": answer});
            answers.push(told(fact_of(nr), "offer.answered", told_by));
            if answer == "accept" {
                let by = json!({"kind": "agent", "name": offer["agent"]});
                let end = json!({"tenant": "bears", "contact_id": offer["contact_id"], "by": by, "reason": "done",
                                 "disposition": "solved"});
                ends.push(told(fact_of(self.number()), "contact.ended", end));
            }
        }
        let mut said = Vec::new();
        for answer in answers {
            said.extend(self.play(&Each(SettleOffer), &[answer]).await);
        }
        for end in ends {
            said.extend(self.play(&Each(WrapUp), &[end]).await);
        }
        said
    }

    /// One connection, until nobody is left to be queued and nothing to be heard.
    async fn run(&self) {
        loop {
            let first = self.next.fetch_add(BATCH, Ordering::Relaxed);
            let mut batch: Vec<Message<Matchable>> =
                (first..(first + BATCH).min(CONTACTS + 1)).map(|n| queued(u128::from(n))).collect();
            {
                let mut heard_by_all = self.heard.lock().unwrap();
                let some = heard_by_all.len().min(8);
                batch.extend(heard_by_all.drain(..some).map(|publication| heard(&publication)));
            }
            if batch.is_empty() {
                return;
            }
            let offers = self.play(&RouteContact, &batch).await;
            let made: Vec<Publication> = offers.into_iter().filter(|p| p.fact == "offer.made").collect();
            let said = self.answer(&made).await;
            let for_matchers = said.into_iter().filter(|p| <Matchable as Decode>::FACTS.contains(&p.fact.as_ref()));
            self.heard.lock().unwrap().extend(for_matchers);
        }
    }
}

/// Numbers that no contact has.
fn fact_of(nr: u128) -> u128 {
    nr + 1_000_000
}

fn queued(nr: u128) -> Message<Matchable> {
    let skill = ["sms", "urgent", "chat"][usize::try_from(nr % 3).unwrap()];
    let id = ContactId(Uuid::from_u128(nr));
    let body = json!({"cause_id": fact(nr), "at": at(100), "tenant": "bears", "contact_id": id, "room_id": id,
                      "skill": skill, "priority": 0, "queued_at": at(0)});
    told(nr, "contact.queued", body)
}

/// The matcher's half second, until it has nothing to ask.
async fn settle(race: &Race) {
    for _ in 0..200 {
        let mut client = race.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let asks = Match.round(&tx, &Context { now: at(100) }).await.unwrap();
        tx.commit().await.unwrap();
        drop(client);
        if asks.is_empty() {
            return;
        }
        let batch: Vec<Message<Matchable>> = asks.iter().map(heard).collect();
        if race.play(&RouteContact, &batch).await.is_empty() {
            return;
        }
    }
    panic!("the matcher never comes to rest");
}

#[tokio::test]
async fn fifty_connections_race_contacts_to_agents_and_nobody_passes_a_limit_or_waits_beside_a_free_one() {
    let database = stage().await;
    let race = Arc::new(Race {
        pool: database.pool.clone(),
        next: AtomicU64::new(1),
        numbers: AtomicU64::new(1),
        heard: Mutex::default(),
        again: AtomicU64::new(0),
    });
    let runs: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let race = Arc::clone(&race);
            tokio::spawn(async move { race.run().await })
        })
        .collect();
    for run in runs {
        run.await.expect("what failed is told above");
    }
    settle(&race).await;
    let pool = &database.pool;
    let states = lines(pool, "select state, count(*) from contacts group by state order by state").await;
    println!("{states}; {} batches met others", race.again.load(Ordering::Relaxed));
    assert_eq!(column(pool, "select count(*) from contacts").await, [CONTACTS.to_string()]);
    let room = "select count(*) from agents where id like 'a%'
        and (slots_used < slot_limit and sms_used < sms_most or slots_used + 2 <= slot_limit and chat_used < chat_most)";
    assert_eq!(column(pool, room).await, ["0"], "contacts wait, so no agent has room for one");
    let kinds = "select count(*) filter (where slots_used = slot_limit and sms_used < sms_most) > 0
          and count(*) filter (where slots_used < slot_limit and sms_used = sms_most) > 0
          and count(*) filter (where chat_used = chat_most and chat_most < 12) > 0 from agents where id like 'a%'";
    assert_eq!(column(pool, kinds).await, ["true"], "some by the shared limit, some by either channel's");
    let waiting = "select count(*) > 1000 from contacts where state = 'queued' group by channel";
    assert_eq!(column(pool, waiting).await, ["true", "true"], "or the race was none");
    assert_eq!(breaches(pool, at(100)).await, [""; 0]);
}
