//! What a visitor writes an agent gets, and what the agent answers the visitor sees: once and in order, through reloads,
//! drained and killed gateways.

use serde_json::json;
use uuid::Uuid;

use super::{Door, stack};
use crate::hub::{clean, number};
use crate::support::stack::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_writes_an_agent_answers_and_the_stream_shows_it() {
    let (stack, _hub, gateway) = stack().await;
    let desk = stack.desk("three-bears").await;
    let visitor = Door::bears(&gateway).visit().await;
    let mut stream = visitor.hear(None).await;
    assert_eq!(stream.state("idle").await.retry, Some(2_000));
    let id = visitor.write("Is the porridge hot? 🐻").await;
    let own = stream.text("Is the porridge hot? 🐻").await;
    assert_eq!((&own.data["author"], &own.data["id"]), (&json!("visitor"), &json!(id)));
    stream.state("waiting").await;
    desk.log_in("mama-bear").await;
    let offer = desk.offer("mama-bear").await;
    assert_eq!((&offer["channel"], &offer["customer_number"]), (&json!("chat"), &json!(visitor.id)));
    let room = desk.accept(&offer).await;
    assert_eq!(stream.state("active").await.data["name"], "Mama Bear");
    let note = json!({"tenant": "three-bears", "agent": "mama-bear", "room_id": room, "text": "a liar",
                      "written_at": "2026-01-01T00:00:00Z"});
    desk.say("note.written", "three-bears", note).await;
    desk.appended("a liar").await;
    desk.reply("mama-bear", &room, "Just right.").await;
    let answer = stream.text("Just right.").await;
    assert_eq!((&answer.data["author"], &answer.data["name"]), (&json!("agent"), &json!("Mama Bear")));
    desk.end("mama-bear", offer["contact_id"].as_str().unwrap()).await;
    assert_eq!(stream.state("over").await.data["reason"], "ended");
    assert_eq!(stream.texts(), ["Is the porridge hot? 🐻", "Just right."], "no note of an agent's");
    let all = format!("{:?}", stream.events);
    for private in ["liar", "mama-bear", "contact", room.split_once('-').unwrap().1.to_owned().as_str()] {
        let is_cursor = all.matches(private).count() == stream.events.iter().filter(|e| e.id.contains(private)).count();
        assert!(is_cursor, "{private} in {all}");
    }
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_nothing_is_missed_and_nothing_comes_twice() {
    let (stack, _hub, gateway) = stack().await;
    let desk = stack.desk("three-bears").await;
    let visitor = Door::bears(&gateway).visit().await;
    let mut stream = visitor.hear(None).await;
    for text in ["one", "two"] {
        visitor.write(text).await;
    }
    let seen = stream.text("two").await;
    drop(stream);
    desk.log_in("mama-bear").await;
    let offer = desk.offer("mama-bear").await;
    let room = desk.accept(&offer).await;
    desk.reply("mama-bear", &room, "three").await;
    desk.appended("three").await;
    // a tab that knows nothing gets the whole room, one that was away what it missed
    let mut whole = visitor.hear(None).await;
    whole.state("active").await;
    assert_eq!(whole.texts(), ["one", "two", "three"]);
    let mut rest = visitor.hear(Some(&seen.id)).await;
    let last = rest.text("three").await;
    rest.state("active").await;
    assert_eq!(rest.texts(), ["three"]);
    // the room is over, the next text opens another one: the same stream goes on
    visitor.leave().await;
    assert_eq!(rest.state("over").await.data["reason"], "left");
    visitor.write("four").await;
    rest.text("four").await;
    let mut late = visitor.hear(Some(&last.id)).await;
    late.text("four").await;
    assert_eq!((late.texts(), rest.texts()), (vec!["four".to_owned()], vec!["three".to_owned(), "four".to_owned()]));
    let mut fresh = visitor.hear(None).await;
    fresh.text("four").await;
    assert_eq!(fresh.texts(), ["four"], "the newest room");
    assert_eq!(whole.texts(), ["one", "two", "three"]);
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_by_time_out_is_told() {
    let (stack, _hub, gateway) = stack().await;
    let client = stack.database.pool.get().await.unwrap();
    client.execute("update points_of_contact set session_timeout_s = 1 where channel = 'chat'", &[]).await.unwrap();
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;
    let visitor = Door::bears(&gateway).visit().await;
    let mut stream = visitor.hear(None).await;
    visitor.write("Hello?").await;
    let offer = desk.offer("mama-bear").await;
    desk.accept(&offer).await;
    assert_eq!(stream.state("over").await.data["reason"], "timed_out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_gateway_says_goodbye_and_another_goes_on() {
    let (stack, _hub, gateway) = stack().await;
    let visitor = Door::bears(&gateway).visit().await;
    let mut stream = visitor.hear(None).await;
    visitor.write("one").await;
    let seen = stream.text("one").await;
    stream.state("waiting").await;
    gateway.terminate();
    let goodbye = stream.until("goodbye", |event| event.name == "move").await;
    assert!((250..3_000).contains(&goodbye.retry.unwrap()));
    assert!(stream.next().await.is_none(), "the stream ends");
    let other = stack.start(&["gateway"]).await;
    let mut visitor = visitor;
    visitor.door = Door::bears(&other);
    let mut stream = visitor.hear(Some(&seen.id)).await;
    stream.state("waiting").await;
    visitor.write("two").await;
    stream.text("two").await;
    assert_eq!(stream.texts(), ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_loses_nothing_and_doubles_nothing() {
    let (stack, _hub, mut gateway) = stack().await;
    let mut visitor = Door::bears(&gateway).visit().await;
    let mut stream = visitor.hear(None).await;
    let mut seen = None;
    let mut heard = Vec::new();
    for round in 0..2 {
        let ids: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
        let text = |nr: usize| format!("{round}.{nr}");
        for (nr, id) in ids.iter().enumerate().take(2) {
            assert_eq!(visitor.hand_in(*id, &text(nr)).await, 202);
        }
        // it dies with a text under way, whose answer nobody gets: the page hands it in again
        let (body, gone) = (json!({"id": ids[2], "text": text(2)}), visitor.clone());
        let under_way = tokio::spawn(async move { gone.ask(reqwest::Method::POST, "/texts").json(&body).send().await });
        gateway.kill();
        let _ = under_way.await.unwrap();
        while stream.next().await.is_some() {}
        seen = stream.events.iter().rev().find(|event| event.name == "text").map(|event| event.id.clone()).or(seen);
        heard.extend(stream.texts());
        gateway = stack.start(&["gateway"]).await;
        visitor.door = Door::bears(&gateway);
        stream = visitor.hear(seen.as_deref()).await;
        for (nr, id) in ids.iter().enumerate().skip(2) {
            assert_eq!(visitor.hand_in(*id, &text(nr)).await, 202);
        }
        stream.text(&text(3)).await;
    }
    heard.extend(stream.texts());
    let all: Vec<String> = (0..2).flat_map(|round| (0..4).map(move |nr| format!("{round}.{nr}"))).collect();
    assert_eq!(heard, all);
    until("all are recorded", async || number(&stack, "select count(*) from entries").await == 8).await;
    clean(&stack).await;
}
