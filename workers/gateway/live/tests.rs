//! The statements behind desks, as callers' transactions run them: bound to the tenant, by index, however full the tables.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use texthub::access::api;
use texthub::desk::read::{self, Looked};
use texthub::facts::ids::{ContactId, RoomId, Slug};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::support::database::Database;
use crate::support::fixtures::{at, bears, slug};

/// Agents, and conversations of each; the rest is somebody else's or over.
const ROWS: &str = "
    insert into teams values ('bears', 'den', 12);
    insert into agents (tenant, id, team, slot_limit, state, slots_used)
      select 'bears', 'agent-' || n, 'den', 12, 'available', 2 from generate_series(1, 200) n;
    insert into agent_skills select 'bears', 'agent-' || n, 'sms', 1 from generate_series(1, 200) n;
    insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, closed_at, agent, next_seq,
                       caused_by)
      select md5('room' || n)::uuid, 'bears', 'sms', '+15550100001', '+1555' || 1000000 + n, 'main', now(),
             case when n > 400 then now() end, 'agent-' || (n % 200 + 1), 11, md5('room' || n)::uuid
      from generate_series(1, 8000) n;
    insert into contacts (id, tenant, room_id, channel, skill, state, priority, queued_at, opened_at, agent, closed_at, caused_by)
      select md5('contact' || n)::uuid, 'bears', md5('room' || n)::uuid, 'sms', 'sms', case when n > 400 then 'closed' else 'active' end,
             0, now(), now(), 'agent-' || (n % 200 + 1), case when n > 400 then now() end, md5('room' || n)::uuid
      from generate_series(1, 8000) n;
    insert into sessions (id, tenant, room_id, contact_id, agent, started_at, timeout_s, deadline_at, timer_due_at, ended_at)
      select md5('session' || n)::uuid, 'bears', md5('room' || n)::uuid, md5('contact' || n)::uuid, 'agent-1', now(), 7200,
             now() + interval '2 hours', now() + interval '2 hours', case when n > 400 then now() end
      from generate_series(1, 8000) n;
    insert into entries (room_id, seq, id, contact_id, direction, author, text, parts, at, written_at, caused_by)
      select md5('room' || n)::uuid, s, md5(n || 'entry' || s)::uuid, md5('contact' || n)::uuid, 'inbound', 'customer', 'hi', 1,
             now(), now(), md5(n || 'entry' || s)::uuid
      from generate_series(1, 8000) n, generate_series(1, 10) s;
    analyze";

async fn plan(tx: &Transaction<'_>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> String {
    let rows = tx.query(&format!("explain (analyze, costs off) {sql}"), params).await.unwrap();
    let lines = rows.iter().map(|row| row.get::<_, &str>(0)).filter(|line| !line.contains("never executed"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_desks_ask_for_is_found_by_index_behind_row_level_security() {
    let database = Database::new().await;
    bears(&database.pool, "http://127.0.0.1:9").await;
    let mut client = database.pool.get().await.unwrap();
    client.batch_execute(ROWS).await.unwrap();
    let tx = client.transaction().await.unwrap();
    let tenant = slug("bears");
    api::bind(&tx, &tenant).await.unwrap();
    let agents: Vec<Slug> = (1..=32).map(|nr| slug(&format!("agent-{nr}"))).collect();
    let found = read::contacts(&tx, &tenant, &Looked { agents: &agents, ..Looked::default() }).await.unwrap();
    assert_eq!(found.len(), 64, "two of each");
    let rooms: Vec<RoomId> = found.iter().map(|found| found.room_id).collect();
    let (seqs, limit) = (vec![0; rooms.len()], 50_i64);
    let (no_contacts, no_rooms): (Vec<ContactId>, Vec<RoomId>) = (Vec::new(), Vec::new());
    let (now, worst) = (at(0), 20_i32);
    let plans = [
        plan(&tx, read::CONTACTS, &[&tenant, &no_contacts, &no_rooms, &agents, &false]).await,
        plan(&tx, read::NEWEST, &[&rooms, &seqs, &limit]).await,
        plan(&tx, read::AGENTS, &[&tenant, &agents, &now, &now, &worst]).await,
    ];
    for plan in plans {
        for table in ["rooms", "contacts", "entries", "sessions", "offers", "sms ", "opt_outs", "customers", "agents"] {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{table}:\n{plan}");
        }
        assert!(!plan.contains("hashed SubPlan"), "{plan}");
        // no table is walked: 64 contacts and 640 entries are asked for among 8,000 and 80,000
        let walked = |line: &&str| {
            line.contains(" Scan") && ["rows=8000 ", "rows=80000 "].iter().any(|rows| line.contains(rows))
        };
        assert_eq!(plan.lines().find(walked), None, "{plan}");
    }
}

#[tokio::test]
async fn a_stranger_sees_nothing_of_a_tenant_whatever_ids_are_named() {
    let database = Database::new().await;
    bears(&database.pool, "http://127.0.0.1:9").await;
    let mut client = database.pool.get().await.unwrap();
    client.batch_execute(ROWS).await.unwrap();
    client.batch_execute("insert into tenants (id, name, sms_messaging, time_zone, stop_text, start_text, help_text) values ('foxes', 'Foxes', true, 'UTC', 's', 's', 'h')").await.unwrap();
    let tx = client.transaction().await.unwrap();
    let foxes = slug("foxes");
    api::bind(&tx, &foxes).await.unwrap();
    let id = |what: &str| -> Uuid { Uuid::from_u128(u128::from_str_radix(what, 16).unwrap()) };
    let rows = tx.query("select md5('room1'), md5('contact1')", &[]).await.unwrap();
    let (room, contact) = (RoomId(id(rows[0].get(0))), ContactId(id(rows[0].get(1))));
    let looked = Looked { contacts: &[contact], rooms: &[room], agents: &[slug("agent-2")], live: true };
    assert!(read::contacts(&tx, &foxes, &looked).await.unwrap().is_empty());
    assert!(read::page(&tx, room, i32::MAX, 50).await.unwrap().is_empty());
    assert!(read::room(&tx, &foxes, room).await.unwrap().is_none());
    assert!(read::conversation_of(&tx, &foxes, room).await.unwrap().is_none());
    assert!(read::agents(&tx, Timestamp::UNIX_EPOCH, &foxes, &[slug("agent-2")]).await.unwrap().is_empty());
    assert!(read::colleagues(&tx, &foxes).await.unwrap().is_empty());
    assert!(read::of_customer(&tx, &foxes, "+15551007999", 10).await.unwrap().is_empty());
}
