//! Flows through real servers: published, attached, and lived through by customers of both channels, with everything said
//! twice, with a worker that ends at every point, and by the commands that people use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::desk::Desk;
use crate::support::stack::{Process, Stack, until};

const BEARS: &str = "three-bears";
const EXAMPLE: &str = include_str!("../../examples/three-bears.toml");
const OURS: &str = "+18005550199";
const AGENT: &str = "mama-bear";
/// Of the process that ended itself.
const SIGABRT: i32 = 6;

/// Where nothing listens, and nothing may be called.
const NOWHERE: &str = "http://127.0.0.1:9/";

/// A question, a program and, where it has no answer, a short wait, and an agent.
fn menu(skill: &str, program: &str) -> Value {
    json!({"name": "Menu", "start": "ask", "variables": {"reply": "", "crm": null}, "nodes": {
        "ask": {"type": "ask", "text": "Hot or cold?", "store": "reply", "timeout_s": 60,
                "branches": [{"keywords": ["hot", "cold"], "next": "hook"}], "otherwise": "bye", "timed_out": "bye"},
        "hook": {"type": "webhook", "url": program, "store": "crm", "next": "thanks", "failed": "moment"},
        "moment": {"type": "wait", "seconds": 1, "next": "thanks"},
        "thanks": {"type": "send", "text": "{{ vars.reply }} it is, {{ contact.customer }}.", "next": "agent"},
        "agent": {"type": "request_agent", "skill": skill, "priority": 7, "waited": [{"seconds": 3600, "next": "bye"}]},
        "bye": {"type": "send", "text": "Good bye.", "next": "end"}, "end": {"type": "end", "outcome": "answered"}}})
}

/// The example's tenant, with flows at the number of complaints and at the website.
async fn bears() -> Stack {
    bears_who_ask(NOWHERE).await
}

async fn bears_who_ask(program: &str) -> Stack {
    let stack = Stack::new().await;
    stack.command(&["apply", &stack.file("tenant.toml", EXAMPLE)]).success();
    for (id, skill) in [("sms-menu", "too-hot-too-cold"), ("chat-menu", "porridge-chat")] {
        let file = stack.file(&format!("{id}.json"), &menu(skill, program).to_string());
        stack.command(&["flow", "publish", &file, "--tenant", BEARS, "--id", id]).success();
    }
    stack.command(&["apply", &stack.file("tenant.toml", &with_flows())]).success();
    crate::support::recount::install(&stack.database.pool).await;
    stack
}

fn with_flows() -> String {
    let with = |tenant: &str, line: &str, flow: &str| {
        assert!(tenant.contains(line), "{line}");
        tenant.replacen(line, &format!("{line}flow = \"{flow}\"\n"), 1)
    };
    let tenant = with(EXAMPLE, "id = \"complaints\"\n", "sms-menu");
    with(&tenant, "id = \"website\"\n", "chat-menu")
}

fn clean(stack: &Stack) {
    stack.command(&["audit"]).success();
    assert_eq!(stack.command(&["dead", "list", "--json"]).success().trim(), "[]");
}

async fn count(stack: &Stack, sql: &str) -> i64 {
    let client = stack.database.pool.get().await.unwrap();
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// A customer's way through the menu to an agent.
async fn lives_through(desk: &Desk, customer: &str) {
    desk.text(customer, OURS, &format!("My porridge! {customer}")).await;
    let in_room = |author: &'static str, text: String| {
        move |fact: &Value| fact["author"] == author && fact["text"] == text.as_str()
    };
    let entry = desk.heard("entry.appended", in_room("customer", format!("My porridge! {customer}"))).await;
    let room = entry["room_id"].clone();
    desk.heard("entry.appended", |fact| fact["room_id"] == room && fact["text"] == "Hot or cold?").await;
    desk.text(customer, OURS, "COLD").await;
    desk.heard("entry.appended", in_room("hub", format!("COLD it is, {customer}."))).await;
    let offer = desk.heard("offer.made", |fact| fact["room_id"] == room).await;
    desk.accept(&offer).await;
    let by = json!({"kind": "agent", "name": AGENT});
    let body = json!({"tenant": BEARS, "contact_id": offer["contact_id"], "by": by, "reason": "done", "disposition": "question_answered"});
    desk.say("contact.ended", BEARS, body).await;
    desk.heard("contact.closed", |fact| fact["contact_id"] == offer["contact_id"]).await;
}

async fn everybody(stack: &Stack) -> Process {
    stack.start(&["all"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_goes_through_a_flow_to_an_agent_though_everything_is_said_twice() {
    let stack = bears().await;
    let _texthub = everybody(&stack).await;
    let mut desk = stack.desk(BEARS).await;
    desk.doubles = true;
    desk.log_in(AGENT).await;
    lives_through(&desk, "+15557000001").await;
    assert_eq!(count(&stack, "select count(*) from entries where author = 'hub'").await, 2, "each text once");
    assert_eq!(
        count(&stack, "select count(*) from contacts where priority = 7 and skill = 'too-hot-too-cold'").await,
        1
    );
    assert_eq!(count(&stack, "select count(*) from flow_calls where reason = 'not_allowed'").await, 1);
    let sent = "select count(*) from sms where state in ('submitted', 'delivered')";
    until("both texts are sent", async || count(&stack, sent).await == 2).await;
    clean(&stack);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_of_the_chat_goes_through_a_flow_too() {
    let stack = bears().await;
    let _texthub = everybody(&stack).await;
    let desk = stack.desk(BEARS).await;
    desk.log_in(AGENT).await;
    desk.chat("website", "goldilocks", "hello").await;
    let asked = desk.appended("Hot or cold?").await;
    assert_eq!((&asked["state"], &asked["author"]), (&json!("posted"), &json!("hub")));
    desk.chat("website", "goldilocks", "hot").await;
    desk.appended("hot it is, goldilocks.").await;
    let offer = desk.offer(AGENT).await;
    assert_eq!(offer["channel"], "chat");
    desk.accept(&offer).await;
    assert_eq!(count(&stack, "select count(*) from sms").await, 0);
    clean(&stack);
}

/// The worker ends itself at each point of its loop, for each of its four messages: the conversation goes on as if nothing had been.
async fn ends_at(stack: &Stack, worker: &str, points: &[&str], nths: &[u32]) {
    let roles = [
        "receive_sms",
        "route_contact",
        "settle_offer",
        "post_reply",
        "send_sms",
        "record_receipt",
        "wrap_up",
        "track_agent",
        "carrier-simulator",
        "run_flow",
        "call_webhook",
    ];
    let rest: Vec<&str> = roles.into_iter().filter(|role| *role != worker).collect();
    let _rest = stack.start(&rest).await;
    let desk = stack.desk(BEARS).await;
    desk.log_in(AGENT).await;
    let mut customers = 0;
    for place in points.iter().flat_map(|point| nths.iter().map(move |nth| format!("{worker}:{point}:{nth}"))) {
        let mut doomed = stack.spawn_armed(&[worker], &place);
        customers += 1;
        let customer = format!("+1555700{customers:04}");
        let took_over = async {
            until(&format!("the process has ended at {place}"), async || doomed.signal() == Some(SIGABRT)).await;
            stack.spawn(&[worker])
        };
        let (_second, ()) = tokio::join!(took_over, lives_through(&desk, &customer));
    }
    let hub = count(stack, "select count(*) from entries where author = 'hub'").await;
    assert_eq!(hub, 2 * customers, "each text once");
    assert_eq!(count(stack, "select count(*) from flow_calls").await, customers);
    clean(stack);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_flow_may_end_at_any_point() {
    let points = ["before_commit", "after_commit", "before_publish", "after_publish"];
    ends_at(&bears().await, "run_flow", &points, &[1, 2, 3, 4]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn call_webhook_may_end_at_any_point() {
    let (program, calls) = counting_program().await;
    let mut stack = bears_who_ask(&program).await;
    stack.webhook_private = "127.0.0.1";
    let points = ["after_claim", "after_call", "after_commit", "before_publish", "after_publish"];
    ends_at(&stack, "call_webhook", &points, &[1]).await;
    // one process ended before it called: nobody calls in its place, since nobody knows that
    assert_eq!(calls.load(Ordering::Relaxed), points.len() - 1, "none is called twice");
    let reasons = "select count(*) from flow_calls where reason = 'claimed_before'";
    assert_eq!(count(&stack, reasons).await, 2, "ended between its claim and what came of it");
    assert_eq!(count(&stack, "select count(*) from flow_calls where state = 'answered'").await, 3);
}

/// A program that has an answer, and how often it was asked.
async fn counting_program() -> (String, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answer = move || async move {
        counted.fetch_add(1, Ordering::Relaxed);
        axum::Json(json!({"name": "Goldilocks"}))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let routes = axum::Router::new().route("/", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_right_is_published_and_only_what_is_published_is_attached() {
    let stack = Stack::new().await;
    let flow = menu("too-hot-too-cold", NOWHERE);
    let file = stack.file("menu.json", &flow.to_string());
    let publish = ["flow", "publish", &file, "--tenant", BEARS, "--id", "sms-menu", "--by", "mama"];
    assert!(stack.command(&publish).failure(1).contains("there is no tenant"));
    stack.command(&["apply", &stack.file("tenant.toml", EXAMPLE)]).success();
    let attached = stack.file("flows.toml", &with_flows());
    let refused = stack.command(&["apply", &attached]).failure(1);
    assert!(refused.contains("no flow sms-menu is published") && refused.contains("no flow chat-menu"), "{refused}");

    let mut wrong = flow.clone();
    wrong["nodes"]["agent"]["skill"] = json!("too-hot");
    wrong["nodes"]["ask"]["timed_out"] = json!("by");
    let wrong = stack.file("wrong.json", &wrong.to_string());
    let refused = stack.command(&["flow", "publish", &wrong, "--tenant", BEARS, "--id", "sms-menu"]).failure(1);
    assert!(refused.contains("/nodes/agent/skill: there is no skill \"too-hot\""), "{refused}");
    assert!(refused.contains("/nodes/ask/timed_out: there is no node \"by\"; did you mean bye?"), "{refused}");

    let version = |out: String| serde_json::from_str::<Value>(&out).unwrap()["version"].clone();
    let json = [&publish[..], &["--json"]].concat();
    assert_eq!(version(stack.command(&json).success()), 1);
    assert_eq!(version(stack.command(&json).success()), 1, "the same again is no version of its own");
    let mut newer = flow.clone();
    newer["name"] = json!("Newer");
    stack.file("menu.json", &newer.to_string());
    assert_eq!(version(stack.command(&json).success()), 2);
    let history = stack.command(&["flow", "history", "--tenant", BEARS, "--json"]).success();
    let history: Value = serde_json::from_str(&history).unwrap();
    let brief: Vec<Value> =
        history.as_array().unwrap().iter().map(|v| json!([v["version"], v["published_by"]])).collect();
    assert_eq!(brief, [json!([2, "mama"]), json!([1, "mama"])]);
    let shown = stack.command(&["flow", "history", "--tenant", BEARS, "--id", "sms-menu", "--show", "1"]).success();
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), flow);

    for example in ["simple-skill", "language-menu", "vip-overflow"] {
        let file = format!("{}/examples/flows/{example}.json", env!("CARGO_MANIFEST_DIR"));
        stack.command(&["flow", "publish", &file, "--tenant", BEARS, "--id", example]).success();
    }
    let other = stack.file("chat.json", &menu("porridge-chat", NOWHERE).to_string());
    stack.command(&["flow", "publish", &other, "--tenant", BEARS, "--id", "chat-menu"]).success();
    let applied: Value = serde_json::from_str(&stack.command(&["apply", &attached, "--json"]).success()).unwrap();
    assert_eq!(applied["changes"].as_array().unwrap().len(), 2);
    let again: Value = serde_json::from_str(&stack.command(&["apply", &attached, "--json"]).success()).unwrap();
    assert_eq!(again["changes"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_checked_and_simulated_without_a_server() {
    let stack = Stack::new().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flows");
    let menu = format!("{folder}/language-menu.json");
    assert!(stack.command(&["flow", "check", &menu]).success().contains("nothing wrong"));
    let said = stack.command(&["flow", "simulate", &menu, "--at", "Sunday 03:00", "--say", "anybody there?"]).success();
    assert!(said.contains("sun 03:00:00  hub       We are here on weekdays"), "{said}");
    let broken =
        stack.file("broken.json", r#"{"name": "x", "start": "a", "nodes": {"a": {"type": "wait", "seconds": 5}}}"#);
    let refused = stack.command(&["flow", "check", &broken]).failure(1);
    assert!(refused.contains("/nodes/a: missing field `next`"), "{refused}");
    stack.command(&["flow", "simulate", &menu, "--at", "sometime"]).failure(1);
}
