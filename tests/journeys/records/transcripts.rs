//! Transcripts: every text with author, direction, time, parts and delivery state; one query, by index, however full the
//! tables are.

use serde_json::{Value, json};
use texthub::records::transcripts::{Of, newest};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{BEARS, NORTH, ORDERS, accepted, bears, ended, one, parsed};
use crate::support::fixtures::slug;
use crate::support::stack::{Stack, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_text_has_its_author_direction_time_parts_and_state() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk(BEARS).await;
    desk.log_in("gretel").await;
    let room = accepted(&desk, "gretel", "+15557000001", ORDERS, "ein Brei").await;
    desk.reply("gretel", &room.1, &"ü".repeat(161)).await;
    let note = json!({"tenant": BEARS, "agent": "gretel", "room_id": room.1, "text": "likes it hot",
        "written_at": "2026-01-01T00:00:00Z"});
    desk.say("note.written", BEARS, note).await;
    desk.appended("likes it hot").await;
    let delivered = "select count(*) from sms where state = 'delivered'";
    until("the reply is delivered", async || one::<i64>(&stack, delivered).await == 1).await;
    assert_eq!(parsed(&stack.command(&["transcripts", "--customer", "+15557000001", "--json"]).success()), json!([]));
    let open = parsed(&stack.command(&["transcripts", "--contact", &room.0, "--json"]).success());
    assert_eq!(open[0]["closed_at"], Value::Null, "an open room is shown when it is named");
    ended(&desk, "gretel", &room).await;

    let shown = parsed(&stack.command(&["transcripts", "--customer", "+15557000001", "--json"]).success());
    let told: Vec<Value> = shown[0]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| json!([e["seq"], e["author"], e["agent"], e["direction"], e["kind"], e["parts"], e["state"]]))
        .collect();
    let third = told.iter().position(|entry| entry[4] == "note").unwrap();
    assert_eq!(told[0], json!([1, "customer", null, "inbound", "text", 1, "received"]));
    assert_eq!(told[3 - third], json!([4 - third, "agent", "gretel", "outbound", "text", 2, "delivered"]));
    assert_eq!(told[third], json!([third + 1, "agent", "gretel", "outbound", "note", 1, "posted"]));
    let at = shown[0]["entries"][0]["at"].as_str().unwrap();
    assert!(at.ends_with('Z') && at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    assert_eq!((&shown[0]["outcome"], &shown[0]["agents"]), (&json!("answered"), &json!(["gretel"])));

    let session: String = one(&stack, "select id::text from sessions").await;
    let table = stack.command(&["transcripts", "--session", &session]).success();
    for word in ["ein Brei", "customer", "gretel", "inbound", "outbound", "delivered", "likes it hot"] {
        assert!(table.contains(word), "{word} is not in {table}");
    }
    let list = stack.command(&["transcripts"]).success();
    assert!(list.contains(&room.1) && !list.contains("ein Brei"), "{list}");
    let between = |ours| {
        parsed(&stack.command(&["transcripts", "--customer", "+15557000001", "--our-number", ours, "--json"]).success())
    };
    assert_eq!((between(ORDERS).as_array().unwrap().len(), between(NORTH)), (1, json!([])));
    stack.command(&["transcripts", "--room", &session]).failure(1);
    stack.command(&["transcripts", "--last", "0"]).failure(2);
}

/// Closed rooms of many customers, each with texts both ways; one number is a customer's and ours in turn.
async fn full(stack: &Stack) {
    let client = stack.database.pool.get().await.unwrap();
    client
        .batch_execute(
            "insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, closed_at,
                                next_seq, caused_by)
             select gen_random_uuid(), 'three-bears', 'sms', '+1555010000' || n % 5, '+1555' || 7000000 + n % 3000, 'orders',
                    now() - n * interval '1 min', now(), 5, gen_random_uuid() from generate_series(1, 40000) n;
             insert into entries (room_id, seq, id, direction, author, text, parts, at, written_at, sms_id, caused_by)
             select r.id, n, gen_random_uuid(), case when n % 2 = 1 then 'inbound' else 'outbound' end,
                    case when n % 2 = 1 then 'customer' else 'agent' end, 'text ' || n, 1, r.opened_at, r.opened_at,
                    case when n % 2 = 0 then gen_random_uuid() end, gen_random_uuid()
             from rooms r, generate_series(1, 4) n;
             insert into sms (id, tenant, room_id, entry_id, seq, our_number, customer_number, carrier, state, requested_at,
                              caused_by)
             select e.sms_id, r.tenant, r.id, e.id, e.seq, r.our_number, r.customer_number, 'sim', 'delivered', e.at, e.caused_by
             from entries e join rooms r on r.id = e.room_id where e.sms_id is not null;
             insert into contacts (id, tenant, room_id, channel, skill, state, priority, queued_at, opened_at, closed_at, caused_by)
             select gen_random_uuid(), tenant, id, 'sms', 'porridge-orders', 'closed', 0, opened_at, opened_at, closed_at, caused_by
             from rooms;
             update rooms set customer_number = '+15550100001' where id = (select id from rooms where our_number = '+15550100002' limit 1);
             analyze",
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_query_goes_by_index_however_full_the_tables_are() {
    let stack = Stack::new().await;
    stack.command(&["apply", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")]).success();
    full(&stack).await;
    let room: Uuid =
        one(&stack, "select id from rooms where our_number = '+15550100001' order by opened_at limit 1").await;
    let contact: Uuid = one(&stack, "select id from contacts limit 1").await;
    let (customer, ours) = ("+15557000001".to_owned(), "+15550100001".to_owned());
    let all = [
        (Of::Tenant, 10, "rooms_newest"),
        (Of::Customer(customer.clone()), 10, "rooms_of_customer"),
        (Of::OurNumber(ours.clone()), 10, "rooms_of_our_number"),
        (Of::Between(customer.clone(), ours.clone()), 10, "rooms_of_customer"),
        (Of::EitherSide(ours.clone()), 10, "rooms_of_our_number"),
        (Of::Room(room), 1, "rooms_pkey"),
        (Of::Contact(contact), 1, "contacts_pkey"),
    ];
    // a connection of the pool: it plans as the command does
    let mut client = stack.database.pool.get().await.unwrap();
    for (of, count, index) in &all {
        let (number, second): (Box<dyn ToSql + Sync>, _) = match of {
            Of::Room(id) | Of::Contact(id) | Of::Session(id) => (Box::new(*id), None),
            Of::Between(customer, ours) => (Box::new(customer.clone()), Some(ours)),
            Of::Customer(number) | Of::OurNumber(number) | Of::EitherSide(number) => (Box::new(number.clone()), None),
            Of::Tenant => (Box::new(String::new()), None),
        };
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&BEARS, &10_i64];
        if !matches!(of, Of::Tenant) {
            params.push(&*number);
        }
        params.extend(second.map(|ours| ours as &(dyn ToSql + Sync)));
        let explain = format!("explain (analyze, buffers) {}", of.statement());
        let plan: Vec<String> = client.query(&explain, &params).await.unwrap().iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index), "{of:?} without {index}:\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{of:?} reads a whole table:\n{plan}");
        let tx = client.transaction().await.unwrap();
        let found = newest(&tx, &slug(BEARS), of, 10).await.unwrap();
        drop(tx);
        assert_eq!(found.len(), *count, "{of:?}");
        assert!(found.iter().all(|room| room["entries"].as_array().unwrap().len() == 4), "{of:?}");
        assert!(found.iter().all(|room| room["entries"][1]["state"] == "delivered"), "{of:?}");
        let opened: Vec<&str> = found.iter().map(|room| room["opened_at"].as_str().unwrap()).collect();
        assert!(opened.is_sorted_by(|a, b| a >= b), "newest first: {opened:?}");
    }
    let tx = client.transaction().await.unwrap();
    let either = newest(&tx, &slug(BEARS), &Of::EitherSide(ours.clone()), 1000).await.unwrap();
    let sides = |side: &str| either.iter().filter(|room| room[side] == ours.as_str()).count();
    assert_eq!((sides("customer_number"), sides("our_number")), (1, either.len() - 1), "whichever side it was on");
}
