//! Twilio's own SDKs text through the hub as if it were Twilio: sent, fetched, listed, refused in the exceptions they know;
//! and judge what the hub tells applications: customers' texts, what became of their own, in order and none lost.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::Stranger;
use crate::hub::clean;
use crate::support::stack::{Process, Stack, free_port, until};

const ACCOUNT: &str = "AC00000000000000000000000000000aa1";
const OTHER: &str = "AC00000000000000000000000000000bb2";
const TOKEN: &str = "a-token-of-the-shop";
const NEXT: &str = "the-token-that-comes-next";
const OURS: &str = "+15550100001";
const CUSTOMER: &str = "+15550100100";

impl Stranger {
    /// Its answer, as JSON.
    fn call(&mut self, asked: &Value) -> Value {
        serde_json::from_str(&self.ask(asked)).unwrap()
    }

    /// What went well.
    #[track_caller]
    fn done(&mut self, asked: &Value) -> Value {
        let said = self.call(asked);
        assert!(said["ok"].is_object() || said["ok"].is_array(), "{asked}: {said}");
        said["ok"].clone()
    }

    /// The status and number of an exception.
    #[track_caller]
    fn refused(&mut self, asked: &Value) -> (u64, u64) {
        let said = self.call(asked);
        let error = &said["error"];
        (error["status"].as_u64().unwrap_or_else(|| panic!("{asked}: {said}")), error["code"].as_u64().unwrap())
    }
}

/// An application that hears and judges, and its address.
fn listening(program: &str, script: &str) -> (Stranger, String) {
    let mut application = Stranger::told(program, script, &[TOKEN]);
    let said: Value = serde_json::from_str(&application.line()).unwrap();
    let url = said["url"].as_str().unwrap().to_owned();
    (application, url)
}

fn python() -> String {
    std::env::var("TEXTHUB_PYTHON").expect("TEXTHUB_PYTHON; `./dev test` sets it")
}

/// Both SDKs, and how each spells the sender.
fn sdks(url: &str) -> [(Stranger, &'static str); 2] {
    let python = Stranger::told(&python(), "text_as_application.py", &[url]);
    [(python, "from_"), (Stranger::told("node", "text_as_application.mjs", &[url]), "from")]
}

/// The tenant of the example with an application, and another tenant with its own.
async fn bears_and_shop(more: &str) -> (Stack, Process) {
    let stack = with_shop(more).await;
    let process = stack.start(&["all"]).await;
    (stack, process)
}

/// The same, and no process.
async fn with_shop(more: &str) -> Stack {
    let mut stack = Stack::new().await;
    stack.webhook_private = "127.0.0.1";
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")).unwrap();
    let (token, next) = (stack.file("token", TOKEN), stack.file("next", &format!("{NEXT}\n")));
    let shop = format!(
        "\n[[applications]]\nid = \"shop\"\naccount = \"{ACCOUNT}\"\ntoken_file = \"{token}\"\n\
         token_next_file = \"{next}\"\nnumbers = [\"{OURS}\", \"porridge-code\"]\n{more}\n"
    );
    let file = stack.file("bears.toml", &(example.clone() + &shop));
    stack.command(&["apply", &file]).success();
    assert_eq!(stack.command(&["apply", &file]).success(), "nothing to change\n");
    let foxes = format!(
        "tenant = \"foxes\"\nname = \"Foxes\"\nsms_messaging = true\ntime_zone = \"UTC\"\n\
         [[carriers]]\nid = \"fox-sim\"\nkind = \"simulator\"\n[[skills]]\nid = \"hunt\"\nchannel = \"sms\"\n\
         [[points_of_contact]]\nid = \"den\"\nchannel = \"sms\"\nnumber = \"+15550100008\"\nkind = \"long\"\n\
         country = \"US\"\ncarrier = \"fox-sim\"\nskill = \"hunt\"\n\
         [[applications]]\nid = \"shop\"\naccount = \"{OTHER}\"\ntoken_file = \"{token}\"\n"
    );
    stack.command(&["apply", &stack.file("foxes.toml", &foxes)]).success();
    let stolen = stack.file("stolen.toml", &foxes.replace(OTHER, ACCOUNT));
    assert!(stack.command(&["apply", &stolen]).failure(1).contains("another tenant's account"));
    stack
}

fn asked(verb: &str, ask: Value) -> Value {
    let mut asked = json!({"do": verb, "account": ACCOUNT, "token": TOKEN});
    asked["ask"] = ask;
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn twilios_sdks_text_through_the_hub() {
    let (stack, texthub) = bears_and_shop("").await;
    let desk = stack.desk("three-bears").await;
    for (nr, (mut sdk, from)) in sdks(&texthub.url()).into_iter().enumerate() {
        let customer = format!("+1555010011{nr}");
        let text = "Your chair is repaired – 100% & £5 🐻";
        let sent = sdk.done(&asked("create", json!({"to": customer, from: OURS, "body": text})));
        assert_eq!((&sent["body"], &sent["to"], &sent["from_"]), (&json!(text), &json!(customer), &json!(OURS)));
        assert_eq!((&sent["direction"], &sent["account_sid"]), (&json!("outbound-api"), &json!(ACCOUNT)));
        assert_eq!((&sent["num_segments"], &sent["num_media"]), (&json!("1"), &json!("0")));
        let sid = sent["sid"].as_str().unwrap();
        let fetch = json!({"do": "fetch", "account": ACCOUNT, "token": NEXT, "sid": sid});
        until("it is delivered", async || sdk.done(&fetch)["status"] == "delivered").await;
        assert!(sdk.done(&fetch)["date_sent"].is_string());
        let line = desk.appended(text).await;
        assert_eq!((&line["author"], line.get("agent"), line.get("contact_id")), (&json!("program"), None, None));
        let foreign = json!({"do": "fetch", "account": OTHER, "token": TOKEN, "sid": sid});
        assert_eq!(sdk.refused(&foreign), (404, 20404), "another tenant's");
        let stranger = json!({"do": "fetch", "account": ACCOUNT, "token": "guessed", "sid": sid});
        assert_eq!(sdk.refused(&stranger), (401, 20003));
        refusals(&mut sdk, from);
        desk.text(&customer, OURS, "STOP").await;
        until("the word counts", async || {
            let again = json!({"to": customer, from: OURS, "body": "again"});
            sdk.call(&asked("create", again))["error"]["code"] == 21610
        })
        .await;
    }
    let shown = stack.command(&["transcripts", "--tenant", "three-bears", "--json"]).success();
    let transcripts: Value = serde_json::from_str(&shown).unwrap();
    let notices = transcripts.as_array().unwrap().iter().filter(|room| room["reason"] == "notice");
    assert!(notices.clone().count() >= 2, "{shown}");
    assert!(notices.into_iter().all(|room| room["agents"] == json!([])));
    clean(&stack).await;
}

fn refusals(sdk: &mut Stranger, from: &str) {
    let long = "x".repeat(1_601);
    for (ask, code) in [
        (json!({"to": CUSTOMER, from: "+15550100008", "body": "x"}), 21606),
        (json!({"to": CUSTOMER, from: "+18005550199", "body": "x"}), 21606),
        (json!({"to": CUSTOMER, from: "Bears", "body": "x"}), 21212),
        (json!({"to": "+1555010", from: OURS, "body": "x"}), 21211),
        (json!({"to": "+1911", from: OURS, "body": "x"}), 21612),
        (json!({"to": CUSTOMER, from: OURS}), 21602),
        (json!({"to": CUSTOMER, "body": "x"}), 21603),
        (json!({"to": CUSTOMER, from: OURS, "body": long}), 21617),
    ] {
        assert_eq!(sdk.refused(&asked("create", ask.clone())), (400, code), "{ask}");
    }
}

/// What an application has heard so far.
fn heard(application: &mut Stranger) -> Vec<Value> {
    application.call(&json!({"do": "heard"}))["ok"].as_array().unwrap().clone()
}

/// Statuses told of a text, in their order, those that the application took.
fn statuses(heard: &[Value], sid: &str) -> Vec<String> {
    let of = |told: &&Value| told["form"]["MessageSid"] == sid && told["path"] == "/status" && told["status"] == 200;
    heard.iter().filter(of).map(|told| told["form"]["MessageStatus"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_are_told_of_texts_and_of_what_became_of_their_own() {
    let programs = [(python(), "receive_as_application.py"), ("node".to_owned(), "receive_as_application.mjs")];
    for (program, script) in programs {
        let (mut application, url) = listening(&program, script);
        told(&url, &mut application).await;
    }
}

async fn told(url: &str, application: &mut Stranger) {
    let more = format!("inbound_url = \"{url}/inbound?shop=1\"\nstatus_url = \"{url}/status\"\n");
    let (stack, texthub) = bears_and_shop(&more).await;
    let desk = stack.desk("three-bears").await;
    let mut sdk = Stranger::told(&python(), "text_as_application.py", &[&texthub.url()]);
    let send = |text: &str| asked("create", json!({"to": CUSTOMER, "from_": OURS, "body": text}));

    // a text is answered by TwiML, and the answer is delivered
    let twiml = "<Response><Message>Open till nine &amp; later</Message><Play>x</Play></Response>";
    application.call(&json!({"do": "answer", "status": 200, "body": twiml}));
    let text = "Are you open? £5 – ü=&+ 🐻";
    desk.text(CUSTOMER, OURS, text).await;
    let reply = desk.appended("Open till nine & later").await;
    assert_eq!((&reply["author"], &reply["direction"]), (&json!("program"), &json!("outbound")));
    application.call(&json!({"do": "answer", "status": 200}));
    let of_reply = |told: &Value| told["form"]["MessageStatus"] == "delivered";
    until("the answer is delivered", async || heard(application).iter().any(of_reply)).await;
    let all = heard(application);
    let first = &all[0];
    let form = &first["form"];
    assert_eq!(
        (&first["path"], &form["Body"], &form["From"]),
        (&json!("/inbound?shop=1"), &json!(text), &json!(CUSTOMER))
    );
    assert_eq!((&form["To"], &form["AccountSid"], &form["NumMedia"]), (&json!(OURS), &json!(ACCOUNT), &json!("0")));
    let fetched = json!({"do": "fetch", "account": ACCOUNT, "token": TOKEN, "sid": form["MessageSid"]});
    let fetched = sdk.done(&fetched);
    assert_eq!(
        (&fetched["body"], &fetched["direction"], &fetched["status"]),
        (&json!(text), &json!("inbound"), &json!("received"))
    );
    // another number of the tenant's is none of its own
    desk.text(CUSTOMER, "+18005550199", "not for the shop").await;
    desk.appended("not for the shop").await;

    // away with a 500, then with nobody there at all: later all of it comes, in order, each once
    application.call(&json!({"do": "answer", "status": 500}));
    let sent: Vec<Value> = (0..5).map(|nr| sdk.done(&send(&format!("notice {nr}")))["sid"].clone()).collect();
    desk.text(CUSTOMER, OURS, "STOP").await;
    until("it was tried", async || heard(application).iter().filter(|told| told["status"] == 500).count() > 5).await;
    application.call(&json!({"do": "close"}));
    let client = stack.database.pool.get().await.unwrap();
    let refused = "select count(*) from application_calls where reason = 'no_connection'";
    until("nobody is there", async || client.query_one(refused, &[]).await.unwrap().get::<_, i64>(0) > 0).await;
    application.call(&json!({"do": "answer", "status": 200}));
    application.call(&json!({"do": "open"}));
    let open = "select count(*) from application_calls where state <> 'done'";
    until("all is told", async || client.query_one(open, &[]).await.unwrap().get::<_, i64>(0) == 0).await;
    let all = heard(application);
    assert!(all.iter().all(|told| told["valid"] == true), "{all:?}");
    let taken: Vec<&Value> = all.iter().filter(|told| told["status"] == 200).collect();
    let mut tokens: Vec<&str> = taken.iter().map(|told| told["token"].as_str().unwrap()).collect();
    tokens.sort_unstable();
    let count = tokens.len();
    tokens.dedup();
    assert_eq!(tokens.len(), count, "none twice by its token");
    for sid in sent {
        assert_eq!(statuses(&all, sid.as_str().unwrap()), ["sent", "delivered"]);
    }
    let stop = taken.iter().find(|told| told["form"]["OptOutType"] == "STOP").expect("the word is told");
    assert_eq!(stop["form"]["Body"], "STOP");
    assert!(!all.iter().any(|told| told["form"]["Body"] == "not for the shop"));
    listed(&mut sdk);
    clean(&stack).await;
}

/// Five notices, one answer, two texts of the customer: pages of three.
fn listed(sdk: &mut Stranger) {
    let bodies = |found: &Value| -> Vec<String> {
        found.as_array().unwrap().iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
    };
    let all = sdk.done(&asked("list", json!({"page_size": 3})));
    assert_eq!(bodies(&all).len(), 8, "{all}");
    assert_eq!(bodies(&all)[0], "STOP");
    let to = sdk.done(&asked("list", json!({"to": OURS})));
    assert_eq!(bodies(&to), ["STOP", "Are you open? £5 – ü=&+ 🐻"]);
    let most = sdk.done(&asked("list", json!({"from_": OURS, "limit": 2, "page_size": 1})));
    assert_eq!(bodies(&most), ["notice 4", "notice 3"]);
    let none = sdk.done(&asked("list", json!({"date_sent_before": "2020-01-01"})));
    assert_eq!(none, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_is_one_text_and_what_waits_for_the_hub_is_queued() {
    let stack = with_shop("").await;
    // a gateway alone: nobody records what it hands in
    let gateway = stack.start(&["gateway"]).await;
    let mut sdk = Stranger::told(&python(), "text_as_application.py", &[&gateway.url()]);
    let with = |token: &str, to: &str, body: &str| {
        let mut asked = asked("create", json!({"to": to, "from_": OURS, "body": body}));
        asked["headers"] = json!({"I-Twilio-Idempotency-Token": token});
        asked
    };
    let other = "+15550100199";
    let first = sdk.done(&with("one", CUSTOMER, "once"));
    assert_eq!((&first["status"], &first["num_segments"]), (&json!("queued"), &json!("1")));
    assert_eq!(sdk.done(&with("one", CUSTOMER, "once"))["sid"], first["sid"]);
    let second = sdk.done(&with("two", other, "once"))["sid"].clone();
    let fetch = |sid: &Value| json!({"do": "fetch", "account": ACCOUNT, "token": TOKEN, "sid": sid});
    assert_eq!(sdk.refused(&fetch(&first["sid"])), (404, 20404), "not recorded yet");
    let opt_out = ["consent", "opt-out", "--tenant", "three-bears", "--our-number", OURS, CUSTOMER];
    stack.command(&opt_out).success();

    let _texthub = stack.start(&["all"]).await;
    until("the hub has refused one", async || sdk.call(&fetch(&first["sid"]))["ok"]["error_code"] == 21610).await;
    assert_eq!(sdk.done(&fetch(&first["sid"]))["status"], "failed");
    until("and sent the other", async || sdk.call(&fetch(&second))["ok"]["status"] == "delivered").await;
    assert_eq!(sdk.refused(&with("one", CUSTOMER, "once")), (400, 21610), "the same answer again");
    assert_eq!(sdk.done(&with("two", other, "once"))["sid"], second);
    assert_eq!(sdk.refused(&with("two", other, "twice")), (400, 20001), "another text under the same token");
    let client = stack.database.pool.get().await.unwrap();
    let sent = client.query_one("select count(*) from sms", &[]).await.unwrap();
    assert_eq!(sent.get::<_, i64>(0), 1);
    clean(&stack).await;
}

/// The process that tells applications ends at each point of its loop: what was to be told is told, and answered once.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_told_whatever_ends() {
    let (mut application, url) = listening(&python(), "receive_as_application.py");
    application.call(&json!({"do": "answer", "status": 200, "body": "<Response><Message>Thanks</Message></Response>"}));
    let stack = with_shop(&format!("inbound_url = \"{url}/inbound\"\n")).await;
    let _rest = stack.start(&["receive_sms", "post_reply", "send_sms", "record_receipt", "carrier-simulator"]).await;
    let desk = stack.desk("three-bears").await;
    let points = ["after_claim", "after_call", "after_commit", "before_publish", "after_publish"];
    for (nr, point) in points.into_iter().enumerate() {
        let mut doomed = stack.spawn_armed(&["notify_application"], &format!("notify_application:{point}:1"));
        let customer = format!("+1555010020{nr}");
        desk.text(&customer, OURS, &format!("text {nr}")).await;
        until(&format!("the process has ended at {point}"), async || doomed.signal() == Some(6)).await;
        let _second = stack.start(&["notify_application"]).await;
        let answers = "select count(*) from entries e join rooms r on r.id = e.room_id
                       where e.author = 'program' and r.customer_number = $1";
        let client = stack.database.pool.get().await.unwrap();
        let answered = async || client.query_one(answers, &[&customer]).await.unwrap().get::<_, i64>(0) == 1;
        until("it is answered", answered).await;
    }
    let _second = stack.start(&["all"]).await;
    let client = stack.database.pool.get().await.unwrap();
    let delivered = "select count(*) from sms where state = 'delivered'";
    until("the answers are delivered", async || client.query_one(delivered, &[]).await.unwrap().get::<_, i64>(0) == 5)
        .await;
    let all = heard(&mut application);
    let mut tokens: Vec<&str> = all.iter().map(|told| told["token"].as_str().unwrap()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    // ended after the call and before its word was written: told again, under the same token
    assert_eq!((tokens.len(), all.len()), (5, 6), "{all:?}");
    let program = client.query_one("select count(*) from entries where author = 'program'", &[]).await.unwrap();
    assert_eq!(program.get::<_, i64>(0), 5, "each is answered once");
    clean(&stack).await;
}

/// Killed with the value.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Twilio's own description of its API, served by a stranger's proxy, finds nothing wrong with requests and answers.
#[tokio::test(flavor = "multi_thread")]
async fn twilios_description_holds_for_our_answers() {
    let (stack, texthub) = bears_and_shop("").await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/carriers/node_modules");
    let port = free_port().to_string();
    let proxy = Command::new("node")
        .arg(format!("{folder}/@stoplight/prism-cli/dist/index.js"))
        .args(["proxy", "--errors", "--port", &port])
        .arg(format!("{folder}/@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json"))
        .arg(texthub.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _proxy = Proxy(proxy);
    let url = format!("http://127.0.0.1:{port}");
    until("the proxy answers", async || stack.http.get(&url).send().await.is_ok()).await;
    let mut sdk = Stranger::told("node", "text_as_application.mjs", &[&url]);
    let sent = sdk.done(&asked("create", json!({"to": CUSTOMER, "from": OURS, "body": "judged"})));
    let fetch = json!({"do": "fetch", "account": ACCOUNT, "token": TOKEN, "sid": sent["sid"]});
    until("it is delivered", async || sdk.done(&fetch)["status"] == "delivered").await;
    // of a list it wants whole addresses where its own examples, and the SDKs that follow them, have paths: nothing else
    let list = format!("{url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageSize=1");
    let judged = stack.http.get(&list).basic_auth(ACCOUNT, Some(TOKEN)).send().await.unwrap();
    let judged: Value = judged.json().await.unwrap();
    let wrong: Vec<&Value> = judged["validation"].as_array().unwrap().iter().map(|wrong| &wrong["location"]).collect();
    assert_eq!(
        wrong,
        [&json!(["response", "body", "first_page_uri"]), &json!(["response", "body", "uri"])],
        "{judged}"
    );
    clean(&stack).await;
}
