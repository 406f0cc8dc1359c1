//! A foreign SMSC (npm's `smpp`, `scripts/carriers/smsc.mjs`), and the Bears with a connection to it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::stack::{Process, Stack, until};

pub const CARRIER: &str = "smsc-main";
pub const CUSTOMER: &str = "+15550100100";

/// The SMSC; killed with the value.
pub struct Smsc {
    child: Child,
    to: Mutex<ChildStdin>,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Smsc {
    /// Listens on this port; with a key and its certificate by TLS.
    pub async fn start(port: u16, tls: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/carriers/smsc.mjs");
        let mut child = Command::new("node")
            .args([script, &port.to_string()])
            .args(tls)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (Mutex::new(child.stdin.take().unwrap()), BufReader::new(child.stdout.take().unwrap()));
        let said: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap_or_else(|_| json!({ "odd": line })));
            }
        });
        let smsc = Self { child, to, said };
        smsc.heard("it listens", |said| said["listening"] == true).await;
        smsc
    }

    /// Has it do something, and awaits that it has.
    pub async fn tell(&self, doing: &Value) {
        let before = self.all("done").len();
        writeln!(self.to.lock().unwrap(), "{doing}").unwrap();
        until("the SMSC did as it was told", async || self.all("done").len() > before).await;
    }

    /// All that it said under a key.
    pub fn all(&self, key: &str) -> Vec<Value> {
        self.said.lock().unwrap().iter().filter(|said| said.get(key).is_some()).cloned().collect()
    }

    /// The first thing it said that fits.
    pub async fn heard(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut found = Value::Null;
        until(what, async || {
            let first = self.said.lock().unwrap().iter().find(|said| fits(said)).cloned();
            found = first.clone().unwrap_or_default();
            first.is_some()
        })
        .await;
        found
    }

    /// It has said what fits so many times.
    pub async fn heard_times(&self, what: &str, times: usize, fits: impl Fn(&Value) -> bool) {
        until(what, async || self.said.lock().unwrap().iter().filter(|said| fits(said)).count() >= times).await;
    }

    /// The answer to what it delivered under a tag.
    pub async fn delivered(&self, tag: &str) -> i64 {
        self.heard(tag, |said| said["delivered"] == tag).await["status"].as_i64().unwrap()
    }

    /// Submissions that hold this.
    pub fn submitted(&self, text: &str) -> Vec<Value> {
        self.all("submit").into_iter().filter(|said| said["text"].as_str().unwrap().contains(text)).collect()
    }

    /// A customer's text; the status of the answer.
    pub async fn text(&self, tag: &str, text: &str) -> i64 {
        // by itself it says 1 (ASCII) of the GSM alphabet
        self.deliver(tag, &json!({ "short_message": text, "data_coding": 0 })).await
    }

    /// The same with whatever else a `deliver_sm` may have.
    pub async fn deliver(&self, tag: &str, more: &Value) -> i64 {
        self.send(tag, more).await;
        self.delivered(tag).await
    }

    /// The same without awaiting the answer.
    pub async fn send(&self, tag: &str, more: &Value) {
        let mut pdu = json!({ "tag": tag, "source_addr": "15550100100", "destination_addr": "15550100001" });
        pdu.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        self.tell(&json!({ "deliver": pdu })).await;
    }
}

impl Drop for Smsc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tenant of the example behind an SMSC, with these settings beside the least, and roles that run.
pub async fn bears(port: u16, settings: &str, roles: &[&str]) -> (Stack, Process) {
    let stack = Stack::new().await;
    let url = format!("smpp://127.0.0.1:{port}");
    apply(&stack, &url, settings);
    let process = stack.start(roles).await;
    (stack, process)
}

/// Applies the tenant file with this connection.
pub fn apply(stack: &Stack, url: &str, settings: &str) {
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")).unwrap();
    let password = stack.file("password", "secret\n");
    let carrier = format!(
        "\n[[carriers]]\nid = \"{CARRIER}\"\nkind = \"smpp\"\nurl = \"{url}\"\nsystem_id = \"hub\"\n\
         password_file = \"{password}\"\n{settings}\n"
    );
    let file = stack
        .file("bears.toml", &(example.replace("carrier = \"sim\"", &format!("carrier = \"{CARRIER}\"")) + &carrier));
    stack.command(&["apply", &file]).success();
}

/// One number of a statement.
pub async fn count(stack: &Stack, sql: &str) -> i64 {
    let client = stack.database.pool.get().await.unwrap();
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// State, and state of each part, of the outbound text whose entry holds this.
pub async fn state(stack: &Stack, text: &str) -> (String, Vec<String>) {
    let client = stack.database.pool.get().await.unwrap();
    let sql = "select s.state, coalesce(array_agg(p.status order by p.part) filter (where p.part is not null), '{}')
               from sms s join entries e on e.id = s.entry_id left join sms_parts p on p.sms_id = s.id
               where e.text like $1 group by s.id, s.state";
    let row = client.query_opt(sql, &[&format!("%{text}%")]).await.unwrap();
    row.map_or_else(Default::default, |row| (row.get(0), row.get(1)))
}

/// The text whose entry holds this reaches a state.
pub async fn reaches(stack: &Stack, text: &str, wanted: &str) {
    let what = format!("{text} is {wanted}");
    until(&what, async || state(stack, text).await.0 == wanted).await;
}
