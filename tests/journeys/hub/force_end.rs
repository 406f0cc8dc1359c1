//! An operator ends one of five live contacts, then all of an agent; twelve closed sessions, of which the newest ten are
//! shown.

use serde_json::Value;
use texthub::records::transcripts::Of;

use super::{bears, clean, number};
use crate::support::stack::until;

const OURS: &str = "+15550100001";

#[tokio::test(flavor = "multi_thread")]
async fn one_of_five_ends_and_four_are_untouched() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    let mut rooms = Vec::new();
    for n in 0..5 {
        desk.text(&format!("+1555700000{n}"), OURS, &format!("question {n}")).await;
        let offer = desk.offer("mama-bear").await;
        let room = desk.accept(&offer).await;
        desk.reply("mama-bear", &room, &format!("answer {n}")).await;
        desk.appended(&format!("answer {n}")).await;
        rooms.push((offer["contact_id"].as_str().unwrap().to_owned(), room));
    }
    let state = "select string_agg(format('%s %s %s', c.id, c.state, s.deadline_at), ',' order by c.id) from contacts c
                 left join sessions s on s.contact_id = c.id and s.ended_at is null where c.id <> $1::text::uuid";
    let client = stack.database.pool.get().await.unwrap();
    let before: String = client.query_one(state, &[&rooms[2].0]).await.unwrap().get(0);
    stack.command(&["end", "--contact", &rooms[2].0, "--reason", "abuse"]).success();
    let after: String = client.query_one(state, &[&rooms[2].0]).await.unwrap().get(0);
    assert_eq!(before, after);
    let shown =
        stack.command(&["transcripts", "--contact", &rooms[2].0, "--tenant", "three-bears", "--texts", "--json"]);
    let shown: Value = serde_json::from_str(&shown.success()).unwrap();
    assert_eq!(shown[0]["outcome"], "forced");
    let texts: Vec<&Value> = shown[0]["entries"].as_array().unwrap().iter().map(|entry| &entry["text"]).collect();
    assert_eq!(texts, ["question 2", "answer 2"]);
    let again = stack.command(&["end", "--contact", &rooms[2].0, "--reason", "abuse"]).failure(1);
    assert!(again.contains("has ended already"), "{again}");
    let unknown = texthub::runtime::clock::new_id().to_string();
    assert!(stack.command(&["end", "--contact", &unknown, "--reason", "x"]).failure(1).contains("there is no contact"));

    let no = stack.command_with(&["end", "--all-of", "mama-bear", "--reason", "storm"], "n\n").failure(1);
    assert!(no.contains("nothing was ended"), "{no}");
    assert_eq!(number(&stack, "select count(*) from contacts where state = 'active'").await, 4);
    stack.command_with(&["end", "--all-of", "mama-bear", "--reason", "storm"], "y\n").success();
    assert_eq!(number(&stack, "select count(*) from contacts where state = 'active'").await, 0);
    assert_eq!(number(&stack, "select count(*) from entries").await, 10, "no transcript is lost");
    until("the slots are free", async || {
        number(&stack, "select slots_used::bigint from agents where id = 'mama-bear'").await == 0
    })
    .await;
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twelve_sessions_the_newest_ten_are_shown_by_index() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    for n in 0..12 {
        let ours = if n % 2 == 0 { OURS } else { "+15550100002" };
        if n % 3 == 0 {
            desk.outreach("mama-bear", ours, "+15557000001", &format!("session {n}")).await;
        } else {
            desk.text("+15557000001", ours, &format!("session {n}")).await;
            let offer = desk.offer("mama-bear").await;
            desk.accept(&offer).await;
        }
        let room = desk.appended(&format!("session {n}")).await["room_id"].clone();
        let started = desk.heard("session.started", |fact| fact["room_id"] == room).await;
        desk.end("mama-bear", started["contact_id"].as_str().unwrap()).await;
    }
    desk.text("+15557000009", OURS, "of another").await;
    let shown = stack.command(&["transcripts", "--customer", "+15557000001", "--last", "10", "--json"]).success();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let first: Vec<&str> =
        shown.as_array().unwrap().iter().map(|r| r["entries"][0]["text"].as_str().unwrap()).collect();
    let want: Vec<String> = (2..12).rev().map(|n| format!("session {n}")).collect();
    assert_eq!(first, want);

    let client = stack.database.pool.get().await.unwrap();
    client
        .batch_execute(
            "insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, closed_at, caused_by)
             select gen_random_uuid(), 'three-bears', 'sms', '+1555010' || n % 3000, '+1555' || n % 4000, 'orders',
                    now() - n * interval '1 min', now(), gen_random_uuid() from generate_series(1, 40000) n;
             analyze rooms",
        )
        .await
        .unwrap();
    for (of, index) in [
        (Of::Customer("+15557000001".into()), "rooms_of_customer"),
        (Of::OurNumber("+15550100001".into()), "rooms_of_our_number"),
    ] {
        let (limit, tenant) = (10_i64, "three-bears");
        let (Of::Customer(number) | Of::OurNumber(number)) = &of else { unreachable!() };
        let plan = client.query(&format!("explain {}", of.statement()), &[&tenant, &limit, number]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Seq Scan on rooms"), "{plan}");
    }
}
