//! The order of a queue and the choice among agents, as a skill is set: ageing, widening, load, idle time, acceptance by
//! itself, and that who may not meet yet holds nobody up.

use deadpool_postgres::Pool;
use serde_json::json;

use super::tests::{met, pairs, run};
use super::*;
use crate::receive_sms::ReceiveSms;
use crate::rehearsal::{chat, column, contact, den_with, lines, moved, waits};
use crate::settle_offer::SettleOffer;
use crate::support::fixtures::at;
use crate::support::trial::{handle, heard, names, said, the};
use texthub::runtime::single::Each;

async fn set(pool: &Pool, sql: &str) {
    pool.get().await.unwrap().batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn priority_grows_with_the_wait_up_to_its_maximum_and_no_contact_starves() {
    // 1 waits since second 11, 2 with priority 5 since second 12, 3 with priority 3 since second 13
    let set_up = |per_min: i64, most: i64| {
        async move |pool: &Pool| {
            den_with(pool, &["papa"]).await;
            super::tests::waiting(pool, 3).await;
            let of = |nr, priority| format!("update contacts set priority = {priority} where id = '{}';", contact(nr));
            let ages =
                format!("update skills set priority_per_min = {per_min}, priority_max = {most} where id = 'sms'");
            set(pool, &(of(2, 5) + &of(3, 3) + &ages)).await;
        }
    };
    let first = async |per_min, most, now| {
        let ran = run(now, set_up(per_min, most), &[waits(101, 1, "sms", at(now))]).await;
        pairs(&ran.database.pool, &[1, 2, 3]).await[0].0
    };
    assert_eq!(first(0, 1000, 10_000).await, 2, "nobody ages: the highest priority");
    assert_eq!(first(6, 1000, 40).await, 2, "at one pace for all the order stands");
    assert_eq!(first(6, 8, 30).await, 2, "2 has 6.8 points, 1 has 1.9");
    assert_eq!(first(6, 8, 100).await, 1, "both have the most, 1 waits longer");
}

#[tokio::test]
async fn of_a_queue_longer_than_one_look_at_it_the_oldest_comes_first() {
    let count = u128::try_from(FEW).unwrap() * 2;
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        super::tests::waiting(pool, FEW * 2).await;
    };
    let ran = run(100, set_up, &[waits(1_001, count, "sms", at(100))]).await;
    let all: Vec<u128> = (1..=count).collect();
    assert_eq!(pairs(&ran.database.pool, &all).await, met(&[(1, "papa")]));
}

#[tokio::test]
async fn the_range_of_proficiency_widens_with_the_wait() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["baby", "goldilocks"]).await;
        super::tests::waiting(pool, 2).await;
        let steps = json!([{"after_s": 0, "worst": 1}, {"after_s": 60, "worst": 2}, {"after_s": 120, "worst": 20}]);
        set(pool, &format!("update skills set widening = '{steps}' where id = 'sms'")).await;
    };
    let at_second = async |now| {
        let ran = run(now, set_up, &[waits(101, 1, "sms", at(now))]).await;
        pairs(&ran.database.pool, &[1, 2]).await
    };
    assert_eq!(at_second(70).await, met(&[]), "papa alone may have them, and is not there");
    assert_eq!(at_second(71).await, met(&[(1, "goldilocks")]), "1 waits for a minute now, 2 does not");
    assert_eq!(at_second(132).await, met(&[(1, "goldilocks"), (2, "baby")]));
}

#[tokio::test]
async fn agents_are_chosen_as_their_skill_says() {
    // mama (second best, one of two slots in use) is idle the longest, baby (third) not so long, papa (best) the least
    let set_up = |choice: &'static str| {
        async move |pool: &Pool| {
            den_with(pool, &["mama"]).await;
            set(pool, &format!("update skills set agent_choice = '{choice}' where id = 'sms'")).await;
            let visitor = handle(&ReceiveSms, pool, at(5), &[chat(70, "eve", "hey", at(5))]).await.remove(0);
            let asks: Vec<_> = said(&visitor).iter().filter(|p| p.fact == "contact.queued").map(heard).collect();
            handle(&RouteContact, pool, at(6), &asks).await;
            for agent in ["papa", "baby"] {
                moved(pool, at(9), agent, "available").await;
            }
            let idle = format!(
                "update agents set idle_since = timestamptz '{}' + case id when 'mama' then interval '0 s'
                   when 'baby' then interval '1 s' else interval '2 s' end where tenant = 'bears';
                 update ready_agents r set idle_since = a.idle_since from agents a
                 where a.tenant = r.tenant and a.id = r.agent;",
                at(-500)
            );
            set(pool, &idle).await;
            super::tests::waiting(pool, 1).await;
        }
    };
    for (choice, agent) in [("best_proficiency", "papa"), ("longest_idle", "mama"), ("least_busy", "baby")] {
        let ran = run(100, set_up(choice), &[waits(101, 1, "sms", at(100))]).await;
        assert_eq!(the(&ran.outcomes[0], "offer.made")["agent"], agent, "{choice}");
        assert_eq!(the(&ran.outcomes[0], "offer.made")["why"], choice);
        let why = format!("select why from offers where contact_id = '{}'", contact(1));
        assert_eq!(column(&ran.database.pool, &why).await, [choice]);
    }
}

#[tokio::test]
async fn what_accepts_by_itself_is_accepted_as_it_is_made() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        super::tests::waiting(pool, 1).await;
        set(pool, "update skills set accept_by_itself = true where id = 'sms'").await;
    };
    let ran = run(100, set_up, &[waits(101, 1, "sms", at(100))]).await;
    assert_eq!(names(&ran.outcomes[0]), ["offer.made", "offer.due", "offer.answered"]);
    let accept = said(&ran.outcomes[0]).into_iter().find(|p| p.fact == "offer.answered").unwrap();
    let pool = &ran.database.pool;
    handle(&Each(SettleOffer), pool, at(100), &[heard(&accept)]).await;
    let active = lines(pool, "select state, agent from contacts").await;
    assert_eq!(active, json!([{"state": "active", "agent": "papa"}]));
}

#[tokio::test]
async fn whom_nobody_may_have_yet_holds_nobody_up() {
    // forty contacts at the head of the queue have been refused by the only agent a second ago
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        super::tests::waiting(pool, 41).await;
        set(
            pool,
            &format!(
                "insert into offers (id, tenant, contact_id, room_id, agent, state, made_at, lapses_at, settled_at, caused_by,
                                     ordinal)
                 select gen_random_uuid(), tenant, id, room_id, 'papa', 'refused', queued_at, queued_at, '{}',
                        gen_random_uuid(), 0
                 from contacts where id <> '{}'",
                at(99),
                contact(41)
            ),
        )
        .await;
    };
    let ran = run(100, set_up, &[waits(101, 1, "sms", at(100))]).await;
    let pending = "select contact_id from offers where state = 'pending'";
    assert_eq!(column(&ran.database.pool, pending).await, [contact(41).to_string()]);
}

#[tokio::test]
async fn who_may_not_have_a_contact_hides_nobody_who_may() {
    // in the order of the ready: papa, goldilocks, baby
    let met_by = async |choice: &str, some: i64, change: String| {
        let set_up = async |pool: &Pool| {
            den_with(pool, &["goldilocks", "baby", "papa"]).await;
            let choice = format!("update skills set agent_choice = '{choice}' where id = 'sms'; {change}");
            super::tests::waiting(pool, some).await;
            set(pool, &choice).await;
            for agent in ["goldilocks", "baby", "papa"] {
                moved(pool, at(50), agent, "available").await;
            }
        };
        let ran = run(100, set_up, &[waits(101, 1, "sms", at(100))]).await;
        pairs(&ran.database.pool, &[1, 2]).await
    };
    let (first, second) = (contact(1), contact(2));
    let no_experts = format!("update contacts set flow_best = 3 where id = '{first}'");
    assert_eq!(met_by("best_proficiency", 1, no_experts).await, met(&[(1, "baby")]), "a flow keeps experts out");
    let held = format!(
        "update contacts set preferred_agent = 'mama', flow_hold_until = '{}' where id = '{first}';
         update contacts set flow_worst = 1 where id = '{second}'",
        at(200)
    );
    assert_eq!(met_by("longest_idle", 2, held).await, met(&[(2, "papa")]), "the last in order is the only one");
}

/// The plan of a statement, as the pool's connections make it.
async fn plan(pool: &Pool, sql: &str, types: &str, values: &str) -> String {
    let client = pool.get().await.unwrap();
    client.batch_execute(&format!("prepare asked ({types}) as {sql}")).await.unwrap();
    let rows = client.query(&format!("explain execute asked ({values})"), &[]).await.unwrap();
    client.batch_execute("deallocate asked").await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect()
}

#[tokio::test]
async fn the_hot_statements_go_by_their_indexes_whatever_the_tables_hold() {
    let database = crate::support::database::Database::new().await;
    let pool = &database.pool;
    den_with(pool, &["papa"]).await;
    for analyzed in [false, true] {
        if analyzed {
            super::tests::waiting(pool, 40).await;
            set(pool, "analyze").await;
        }
        let next = "text, text, bigint, timestamptz, timestamptz, integer";
        let next = plan(pool, waiting::NEXT, next, "'bears', 'sms', 8, now(), now(), 20").await;
        for index in ["contacts_waiting", "contacts_pkey", "rooms_pkey", "offers_of_contact"] {
            assert!(next.contains(index), "{index} in {next}");
        }
        let ready = plan(
            pool,
            candidates::READY,
            "text, text, bigint, integer, text, integer",
            "'bears', 'sms', 8, 20, 'sms', 2",
        )
        .await;
        for index in ["ready_agents_in_order", "agents_pkey"] {
            assert!(ready.contains(index), "{index} in {ready}");
        }
        assert!(!ready.contains("Sort"), "in the order of the index: {ready}");
        for plan in [next, ready] {
            assert!(!plan.contains("Seq Scan on") && !plan.contains("Hash Join"), "{plan}");
        }
    }
}
