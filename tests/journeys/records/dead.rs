//! Dead letters: listed without texts or numbers, shown whole when asked, replayed with one effect, never lost.

use serde_json::Value;
use texthub::records::dead::{self, Of, Replayed};

use super::{BEARS, bears, one, parsed};
use crate::support::desk::Desk;
use crate::support::stack::{Stack, until};

/// A number that the example does not have.
const LATER: &str = "+15550100077";
const OPEN: &str = "select count(*) from dead_letters where replayed_at is null and dropped_at is null";

/// The example with a further number.
fn apply_with_later(stack: &Stack) {
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")).unwrap();
    let point = format!(
        "\n[[points_of_contact]]\nid = \"later\"\nchannel = \"sms\"\nnumber = \"{LATER}\"\nkind = \"long\"\n\
         country = \"US\"\ncarrier = \"sim\"\nskill = \"porridge-orders\"\n"
    );
    stack.command(&["apply", &stack.file("later.toml", &(example + &point))]).success();
}

/// A text to that number, set aside; the letter's id.
async fn set_aside(stack: &Stack, desk: &Desk, text: &str) -> String {
    let id = desk.text("+15557000001", LATER, text).await;
    let find = format!("select id::text from dead_letters where message_id = '{id}'");
    until("it is set aside", async || {
        !stack.database.pool.get().await.unwrap().query(&find, &[]).await.unwrap().is_empty()
    })
    .await;
    one(stack, &find).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_takes_effect_once() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk(BEARS).await;
    let letter = set_aside(&stack, &desk, "for later").await;

    stack.command(&["dead", "replay", &letter]).success();
    let returned =
        format!("select count(*) from dead_letters where id = '{letter}' and times = 2 and replayed_at is null");
    until("what is still wrong is set aside again, open", async || one::<i64>(&stack, &returned).await == 1).await;

    apply_with_later(&stack);
    // two operators at once: both may publish it, one of them marks it
    let said: Vec<_> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| stack.command(&["dead", "replay", &letter])));
        both.map(|one| one.join().unwrap()).into()
    });
    assert!(said.iter().any(|said| said.code == Some(0)), "{}{}", said[0].err, said[1].err);
    desk.heard("entry.appended", |fact| fact["text"] == "for later").await;
    let again = stack.command(&["dead", "replay", &letter]).failure(1);
    assert!(again.contains("there is no such open dead letter"), "{again}");

    // what came after both copies was handled after them: the same conversation is in the same queue
    desk.text("+15557000001", LATER, "and now").await;
    desk.heard("entry.appended", |fact| fact["text"] == "and now").await;
    let texts = "select string_agg(text, '|' order by seq) from entries";
    assert_eq!(one::<String>(&stack, texts).await, "for later|and now");
    assert_eq!(one::<i64>(&stack, OPEN).await, 0);
    stack.command(&["audit"]).success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_tells_no_texts_and_no_numbers_and_show_tells_all() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk(BEARS).await;
    let letter = set_aside(&stack, &desk, "my secret").await;
    desk.publish("sms.received", "15550100001-15557000001", "+15557000002", b"{my secret".to_vec()).await;
    stack.dead(2).await;
    for arguments in [&["dead", "list"][..], &["dead", "list", "--json"]] {
        let out = stack.command(arguments).success();
        for hidden in ["secret", "5557000001", "5557000002", "5550100077"] {
            assert!(!out.contains(hidden), "{out}");
        }
    }
    let list = parsed(&stack.command(&["dead", "list", "--json"]).success());
    let reasons: Vec<&Value> = list.as_array().unwrap().iter().map(|letter| &letter["reason"]).collect();
    assert_eq!(reasons, ["undecodable", "unknown_number"], "newest first");
    assert_eq!(list[0]["message_id"], "+…0002");
    assert_eq!(
        parsed(&stack.command(&["dead", "list", "--json", "--limit", "1"]).success()).as_array().unwrap().len(),
        1
    );
    let shown = parsed(&stack.command(&["dead", "show", &letter, "--json"]).success());
    assert_eq!((&shown["body"]["text"], &shown["body"]["to"]), (&"my secret".into(), &LATER.into()));
    let shown = stack.command(&["dead", "show", "+15557000002"]).success();
    assert!(shown.contains("{my secret"), "{shown}");
    let unknown = stack.command(&["dead", "show", "nothing"]).failure(1);
    assert!(unknown.contains("there is no dead letter nothing"), "{unknown}");
    stack.command(&["dead", "replay"]).failure(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_reason_are_replayed_in_their_order_and_dropped_ones_are_not() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk(BEARS).await;
    for text in ["one", "two", "three", "four"] {
        set_aside(&stack, &desk, text).await;
    }
    let dropped: String =
        one(&stack, "select message_id from dead_letters order by set_aside_at limit 1 offset 1").await;
    stack.command(&["dead", "drop", &dropped]).success();
    apply_with_later(&stack);
    let out = stack.command(&["dead", "replay", "--reason", "unknown_number"]).success();
    assert!(out.contains("3 replayed"), "{out}");
    desk.heard("entry.appended", |fact| fact["text"] == "four").await;
    let texts = "select string_agg(text, '|' order by seq) from entries";
    assert_eq!(one::<String>(&stack, texts).await, "one|three|four");
    let states = parsed(&stack.command(&["dead", "list", "--all", "--json"]).success());
    let states: Vec<&str> = states.as_array().unwrap().iter().map(|letter| letter["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["replayed", "replayed", "dropped", "replayed"]);
    let fate = stack.command(&["audit", "--ids", &stack.file("ids", &dropped)]).success();
    assert!(fate.contains(&format!("{dropped} dropped")), "{fate}");
}

/// A letter that could not be published stays open; one that came back while it was under way is not marked.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_the_broker_did_not_take_stays_open() {
    let stack = Stack::new().await;
    let pool = &stack.database.pool;
    let mut client = pool.get().await.unwrap();
    let insert = "insert into dead_letters (id, message_id, fact, routing_key, worker, reason, body, set_aside_at)
                  values (gen_random_uuid(), gen_random_uuid()::text, 'sms.received', 'sms.received.x', 'receive_sms',
                          'unknown_number', '{}', now() - interval '1 h')";
    client.execute(insert, &[]).await.unwrap();
    let letter = {
        let tx = client.transaction().await.unwrap();
        dead::find(&tx, &Of::default()).await.unwrap().pop().unwrap()
    };
    // no process was started: the exchange is not there
    assert!(dead::replay(pool, &stack.publisher().await, &letter).await.is_err());
    assert_eq!(one::<i64>(&stack, OPEN).await, 1);

    let _texthub = stack.start(&["route_contact"]).await;
    assert_eq!(dead::replay(pool, &stack.publisher().await, &letter).await.unwrap(), Replayed::Yes);
    assert_eq!(dead::replay(pool, &stack.publisher().await, &letter).await.unwrap(), Replayed::Settled);
    assert_eq!(one::<i64>(&stack, OPEN).await, 0);
}
