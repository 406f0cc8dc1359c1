//! Jasmin as SMSC: its SMPP server takes our texts and routes them to npm's `smpp`, whose receipts and texts come back the
//! same way. It has Redis, and a virtual host of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Url;

use super::kannel::{Program, listens};
use crate::hub::clean;
use crate::sms::{Smsc, bears, reaches, state};
use crate::support::stack::{Stack, free_port};

/// Starts it with a lock of its own.
const START: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/carriers/jasmin/start.py");
/// Who binds: us with Jasmin, and Jasmin with the SMSC behind it.
const USER: &str = "hub";

fn venv() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.texthub/jasmin"))
}

/// The description of AMQP that txAMQP has with it; Jasmin's package has none.
fn spec() -> String {
    let lib = std::fs::read_dir(venv().join("lib")).expect("Jasmin; `./dev test --long strangers` installs it");
    let folders = lib.map(|python| python.unwrap().path().join("site-packages/txamqp/specs/standard"));
    let files = folders.map(|folder| folder.join("amqp0-9-1.stripped.xml"));
    files.into_iter().find(|file| file.exists()).unwrap().to_str().unwrap().to_owned()
}

/// Free ports, all different.
fn ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// It, with Redis.
pub struct Jasmin {
    /// Where its SMPP server listens, and its HTTP API.
    pub smpp: u16,
    pub http: u16,
    _daemon: Program,
    _redis: Program,
}

impl Jasmin {
    /// It runs, and routes everything between us and an SMSC at this port.
    pub async fn start(beside: &Stack, smsc: u16) -> Self {
        let (folder, store, log) =
            (beside.folder("jasmin"), beside.folder("jasmin/store"), beside.folder("jasmin/log"));
        let [redis, smpp, console, http, a, b, c] = ports();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &redis.to_string(), "--save", "", "--dir", &folder]);
        let redis_server = Program::start(command.stdin(Stdio::null()).stdout(Stdio::null()));
        let amqp = Url::parse(&beside.amqp_url).unwrap();
        let broker = format!(
            "host = {}\nport = {}\nusername = {}\npassword = {}\nvhost = {}",
            amqp.host_str().unwrap(),
            amqp.port().unwrap(),
            amqp.username(),
            amqp.password().unwrap(),
            &amqp.path()[1..]
        );
        let file = beside.file(
            "jasmin/jasmin.cfg",
            &format!(
                "[amqp-broker]\n{broker}\nspec = {}\n[redis-client]\nport = {redis}\n\
                 [smpp-server]\nbind = 127.0.0.1\nport = {smpp}\n[smpp-server-pb]\nbind = 127.0.0.1\nport = {a}\n\
                 [smpp-server-pb-client]\nport = {a}\n[client-management]\nbind = 127.0.0.1\nport = {b}\nstore_path = {store}\n\
                 [router]\nbind = 127.0.0.1\nport = {c}\nstore_path = {store}\n[jcli]\nport = {console}\n\
                 authentication = no\n[http-api]\nbind = 127.0.0.1\nport = {http}\n",
                spec()
            ),
        );
        listens(redis).await;
        let mut command = Command::new(venv().join("bin/python"));
        command.arg(START).arg(venv().join("bin/jasmind.py")).args([
            "-c",
            &file,
            "--enable-dlr-thrower",
            "--enable-dlr-lookup",
        ]);
        command.env("CONFIG_PATH", &folder).env("LOG_PATH", &log).current_dir(&folder);
        let daemon = Program::start(command.stdin(Stdio::null()).stdout(Stdio::null()));
        listens(console).await;
        tokio::task::spawn_blocking(move || set_up(console, smsc)).await.unwrap();
        listens(http).await;
        Self { smpp, http, _daemon: daemon, _redis: redis_server }
    }
}

/// By its console: a user, a connection, and both routes.
fn set_up(console: u16, smsc: u16) {
    let mut line = TcpStream::connect(("127.0.0.1", console)).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = String::new();
    let mut hear = |line: &mut TcpStream, ends: &[&str]| {
        let mut bytes = [0; 4096];
        said.clear();
        while !ends.iter().any(|end| said.contains(end)) {
            let count = line.read(&mut bytes).unwrap();
            assert!(count > 0, "Jasmin's console is gone: {said}");
            said += &String::from_utf8_lossy(&bytes[..count]);
        }
        said.clone()
    };
    hear(&mut line, &["Session ref"]);
    let asks = ["\n> ", "jcli : "];
    let steps = [
        "group -a|gid all".to_owned(),
        format!("user -a|username {USER}|password secret|gid all|uid {USER}"),
        format!("smppccm -a|cid npm|host 127.0.0.1|port {smsc}|username {USER}|password secret|submit_throughput 0"),
        "mtrouter -a|type DefaultRoute|connector smppc(npm)|rate 0.0".to_owned(),
        format!("morouter -a|type DefaultRoute|connector smpps({USER})"),
    ];
    for step in steps {
        for asked in step.split('|').chain(["ok"]) {
            write!(line, "{asked}\r\n").unwrap();
            let said = hear(&mut line, &asks);
            assert!(asked != "ok" || said.contains("Successfully"), "{step}: {said}");
        }
    }
    write!(line, "smppccm -1 npm\r\n").unwrap();
    let said = hear(&mut line, &asks);
    assert!(said.contains("Successfully started"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./dev test --long strangers"]
async fn jasmin_takes_texts_as_smsc_and_brings_their_receipts() {
    let behind = free_port();
    let smsc = Smsc::start(behind, &[]).await;
    let beside = Stack::new().await;
    let jasmin = Jasmin::start(&beside, behind).await;
    smsc.heard("Jasmin is bound", |said| said["bound"] == "transceiver").await;
    let (stack, _texthub) = bears(jasmin.smpp, "", &["all"]).await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("baby-bear").await;
    assert_eq!(smsc.text("first", "Is the porridge too hot?").await, 0);
    desk.appended("Is the porridge too hot?").await;
    let room = desk.accept(&desk.offer("baby-bear").await).await;
    let texts = [
        ("short", "short and just right".to_owned(), 1),
        ("long", format!("long {}", "porridge & cream, ".repeat(20).trim_end()), 3),
        ("да", format!("да 😀 {}", "я".repeat(80)), 2),
    ];
    for (mark, text, parts) in &texts {
        desk.reply("baby-bear", &room, text).await;
        reaches(&stack, mark, "delivered").await;
        assert_eq!(state(&stack, mark).await.1, vec!["delivered"; *parts], "{mark}");
    }
    let submitted = smsc.all("submit");
    assert_eq!(submitted.len(), 6, "each part once");
    let joined: String = submitted.iter().map(|part| part["text"].as_str().unwrap()).collect();
    assert_eq!(joined, texts.iter().map(|(_, text, _)| text.as_str()).collect::<String>());
    clean(&stack).await;
}
