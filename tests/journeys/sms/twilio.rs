//! Twilio's own SDKs sign webhooks, and Twilio's own description of its API, served by a stranger's mock, judges what we
//! send: a text comes in, an agent answers, the answer is taken and its receipt reaches the transcript.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::Stranger;
use crate::hub::clean;
use crate::support::stack::{Process, Stack, free_port, until};

const CARRIER: &str = "twilio-main";
const TOKEN: &str = "a-token-of-ours";
const NEXT: &str = "the-token-that-comes-next";
const ACCOUNT: &str = "AC00000000000000000000000000000001";

/// Prism with Twilio's description; killed with the value.
struct Prism(Child);

impl Prism {
    async fn start(stack: &Stack, port: u16) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/carriers/node_modules");
        let child = Command::new("node")
            .arg(format!("{folder}/@stoplight/prism-cli/dist/index.js"))
            .args(["mock", "--port", &port.to_string(), "--errors"])
            .arg(format!("{folder}/@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let prism = Self(child);
        let url = format!("http://127.0.0.1:{port}/2010-04-01/Accounts.json");
        until("prism answers", async || stack.http.get(&url).send().await.is_ok()).await;
        prism
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The tenant of the example with a carrier of Twilio's shape, and the gateway's address as Twilio knows it.
async fn bears_by_twilio(api_port: u16) -> (Stack, Process, String) {
    let mut stack = Stack::new().await;
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")).unwrap();
    let (token, next) = (stack.file("token", TOKEN), stack.file("next", &format!("{NEXT}\n")));
    let carrier = format!(
        "\n[[carriers]]\nid = \"{CARRIER}\"\nkind = \"twilio\"\nurl = \"http://127.0.0.1:{api_port}\"\n\
         account = \"{ACCOUNT}\"\ntoken_file = \"{token}\"\ntoken_next_file = \"{next}\"\n"
    );
    let file = stack
        .file("bears.toml", &(example.replace("carrier = \"sim\"", &format!("carrier = \"{CARRIER}\"")) + &carrier));
    stack.command(&["apply", &file]).success();
    "https://hub.example.com".clone_into(&mut stack.public_url);
    let process = stack.start(&["all"]).await;
    let webhook = format!("{}/webhooks/{CARRIER}", process.url());
    (stack, process, webhook)
}

fn inbound(id: &str, text: &str) -> Vec<[String; 2]> {
    let all = [
        ("MessageSid", id),
        ("SmsSid", id),
        ("AccountSid", ACCOUNT),
        ("From", "+15550100100"),
        ("To", "+15550100001"),
        ("Body", text),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("FromCity", "Lyme & Co = \"ü\""),
        ("Repeated", "b"),
        ("Repeated", "a"),
        ("Repeated", "b"),
        ("Empty", ""),
    ];
    all.map(|(name, value)| [name.to_owned(), value.to_owned()]).into()
}

fn asked(webhook: &str, token: &str, parameters: &[[String; 2]]) -> Value {
    let signed = format!("https://hub.example.com/webhooks/{CARRIER}");
    json!({"url": webhook, "signed_url": signed, "token": token, "parameters": parameters})
}

async fn count(stack: &Stack, sql: &str) -> i64 {
    let client = stack.database.pool.get().await.unwrap();
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn twilios_own_programs_take_our_word_and_we_take_theirs() {
    let port = free_port();
    let (stack, _texthub, webhook) = bears_by_twilio(port).await;
    let prism = Prism::start(&stack, port).await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("baby-bear").await;
    let mut signers = [Stranger::python("sign_twilio.py"), Stranger::start("node", "sign_twilio.mjs")];

    // what is forged, or signed by a stranger, leaves nothing
    for signer in &mut signers {
        let mut forged = asked(&webhook, TOKEN, &inbound("SM0", "not theirs"));
        forged["forged"] = json!(true);
        assert_eq!(signer.status(&forged), 403);
        assert_eq!(signer.status(&asked(&webhook, "another-token", &inbound("SM0", "not theirs"))), 403);
    }
    // either SDK, either token, each text twice: one room, two texts
    let texts = [(0, TOKEN, "SM1", "Is the porridge too hot? £5 – ja/öé€"), (1, NEXT, "SM2", "second\nline 🐻")];
    for (signer, token, id, text) in texts {
        for _ in 0..2 {
            assert_eq!(signers[signer].status(&asked(&webhook, token, &inbound(id, text))), 200);
        }
    }
    let entries = "select count(*) from entries where direction = 'inbound'";
    until("both texts are there", async || count(&stack, entries).await >= 2).await;
    let offer = desk.offer("baby-bear").await;
    desk.accept(&offer).await;
    let room = offer["room_id"].as_str().unwrap().to_owned();
    desk.reply("baby-bear", &room, "It is just right, with 100% honey & cream + €5 🐻").await;
    // the mock answers 422 to whatever is not in Twilio's description
    until("the answer was taken", async || {
        count(&stack, "select count(*) from sms where state = 'submitted'").await == 1
    })
    .await;
    let client = stack.database.pool.get().await.unwrap();
    let id: String = client.query_one("select carrier_sms_id from sms_parts", &[]).await.unwrap().get(0);
    assert!(id.starts_with("SM") || id.starts_with("MM"), "{id}");

    // receipts out of order and twice; an unknown word says nothing
    for (signer, status) in [(0, "queued"), (1, "delivered"), (0, "sent"), (1, "delivered"), (0, "teleported")] {
        let receipt = [["MessageSid", id.as_str()], ["MessageStatus", status], ["AccountSid", ACCOUNT]]
            .map(|pair| pair.map(str::to_owned));
        assert_eq!(signers[signer].status(&asked(&webhook, TOKEN, &receipt)), 200, "{status}");
    }
    until("the receipt is in the transcript", async || {
        let said = stack.command(&["transcripts", "--room", &room, "--json"]).success();
        said.contains("\"delivered\"")
    })
    .await;
    assert_eq!(count(&stack, entries).await, 2, "nothing of what was forged, nothing twice");
    let kept = "select count(*) from heard where extra -> 'carrier_fields' ->> 'Empty' = ''";
    assert_eq!(count(&stack, kept).await, 2, "parameters that are not known are kept");
    clean(&stack).await;

    // signed, and not understood: answered, and kept where an operator sees it
    let odd = [["AccountSid", ACCOUNT], ["Something", "else"]].map(|pair| pair.map(str::to_owned));
    assert_eq!(signers[0].status(&asked(&webhook, TOKEN, &odd)), 200);
    assert_eq!(stack.dead(1).await[0].1, "undecodable");
    drop(prism);
}
