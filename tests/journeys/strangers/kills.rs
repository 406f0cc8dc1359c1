//! The way round through strangers alone, while RabbitMQ, Postgres and the SMSC are each killed once in the middle of it:
//! nothing is lost, and nothing leaves twice but what was flagged unknown and sent again by the tenant's policy.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::kannel::{Kannel, Phones};
use super::{AGENT, EXAMPLE, connection, hub, written};
use crate::hub::clean;
use crate::sms::{CARRIER, Smsc};
use crate::support::desk::Desk;
use crate::support::servers::Servers;
use crate::support::stack::{Process, Stack, free_port, until, until_within};

/// Texts of customers around each kill.
const WAVE: usize = 40;
/// Time for a text in doubt to be sent again by policy, which waits two minutes.
const PATIENCE: Duration = Duration::from_secs(420);

struct Scene {
    servers: Arc<Servers>,
    stack: Stack,
    hub: [Process; 2],
    kannel: Kannel,
    desk: Desk,
    room: String,
    answered: HashSet<String>,
}

/// The example's tenant: texts come by Kannel, and leave by SMPP; one in doubt is sent again.
fn tenant(stack: &Stack, smsc: u16, sendsms: u16) -> String {
    let policy = "[unanswered]\nthen = \"resend\"\nafter_s = 120\n\n[texts]";
    let password = stack.file("password", "secret\n");
    let by_smpp = format!(
        "\n[[carriers]]\nid = \"{CARRIER}\"\nkind = \"smpp\"\nurl = \"smpp://127.0.0.1:{smsc}\"\nsystem_id = \"hub\"\n\
         password_file = \"{password}\"\n"
    );
    EXAMPLE.replace("carrier = \"sim\"", &format!("carrier = \"{CARRIER}\"")).replacen("[texts]", policy, 1)
        + &by_smpp
        + &connection(stack, sendsms)
}

async fn scene(smsc: u16) -> Scene {
    let servers = Arc::new(tokio::task::spawn_blocking(Servers::start).await.unwrap());
    let mut stack = Stack::on(&servers).await;
    let sendsms = free_port();
    let file = stack.file("bears.toml", &tenant(&stack, smsc, sendsms));
    stack.command(&["apply", &file]).success();
    let hub = hub(&mut stack).await;
    let kannel = Kannel::start(&stack, &hub[0].url(), "line", sendsms).await;
    let desk = stack.desk("three-bears").await;
    desk.log_in(AGENT).await;
    let phones = kannel.phones(1, "0.1", true, &["+15550100100 +15550100001 text hello"]);
    let room = desk.accept(&desk.offer(AGENT).await).await;
    drop(phones);
    Scene { servers, stack, hub, kannel, desk, room, answered: HashSet::new() }
}

impl Scene {
    /// A wave begins, and some of it is in the room.
    async fn wave(&self, name: &str) -> Phones {
        let before = written(&self.stack).await.unwrap().len();
        let phones = self.kannel.phones(WAVE, "0.1", true, &[&format!("+15550100100 +15550100001 text {name}")]);
        let what = format!("{name} has begun");
        until(&what, async || written(&self.stack).await.is_some_and(|texts| texts.len() >= before + WAVE / 4)).await;
        phones
    }

    /// The agent answers each text that was not answered yet.
    async fn answer(&mut self) {
        for text in written(&self.stack).await.unwrap() {
            if self.answered.insert(text.clone()) {
                self.desk.reply(AGENT, &self.room, &format!("re: {text}")).await;
            }
        }
    }

    /// What was killed runs again, and so does the hub, which had noticed.
    async fn back(&self) {
        until("the hub has noticed", async || !self.stack.is_ready(&self.hub[1]).await).await;
        let servers = Arc::clone(&self.servers);
        tokio::task::spawn_blocking(move || servers.start_after_kill()).await.unwrap();
        for process in &self.hub {
            until("the hub is ready again", async || self.stack.is_ready(process).await).await;
        }
    }

    /// The wave is over: all that Kannel took is in rooms, and answered. The fake SMSC hears one `fakesmsc` at a time.
    async fn over(&mut self, phones: Option<Phones>, count: usize) {
        until("the phones have sent everything", async || self.kannel.taken().len() == count).await;
        drop(phones);
        let taken = self.kannel.taken();
        until_within("every text is in a room", PATIENCE, async || {
            written(&self.stack).await.is_some_and(|texts| texts.len() >= count)
        })
        .await;
        assert_eq!(written(&self.stack).await.unwrap(), taken, "each once, and nothing else");
        self.answer().await;
    }

    async fn number(&self, sql: &str) -> i64 {
        self.stack.database.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Text, state, and how often it was sent again, of each answer.
    async fn answers(&self) -> Vec<(String, String, i32)> {
        let client = self.stack.database.pool.get().await.unwrap();
        let sql = "select e.text, s.state, s.resent from sms s join entries e on e.id = s.entry_id";
        client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: ./dev test --long strangers"]
async fn strangers_lose_nothing_though_broker_database_and_smsc_are_killed() {
    let port = free_port();
    let first = Smsc::start(port, &[]).await;
    let mut scene = scene(port).await;
    scene.over(None, 1).await;

    let phones = scene.wave("broker").await;
    scene.answer().await;
    scene.servers.kill_broker();
    scene.back().await;
    scene.desk = scene.stack.desk("three-bears").await;
    scene.over(Some(phones), 1 + WAVE).await;

    let phones = scene.wave("database").await;
    scene.answer().await;
    scene.servers.kill_postgres();
    scene.back().await;
    scene.over(Some(phones), 1 + 2 * WAVE).await;

    let phones = scene.wave("smsc").await;
    // what it takes from now on it does not answer any more
    first.tell(&json!({ "set": { "mode": "mute" } })).await;
    scene.answer().await;
    until("some answers are under way", async || first.all("submit").iter().any(|said| said["mode"] == "mute")).await;
    let by_first = first.all("submit");
    let mut record: Vec<String> = by_first.iter().map(|said| said["text"].as_str().unwrap().to_owned()).collect();
    let heard_so_far = record.len();
    drop(first);
    // another start of its counter, so that its ids are new
    let second = Smsc::start(port, &["", "", "65536"]).await;
    scene.over(Some(phones), 1 + 3 * WAVE).await;

    let open = "select count(*) from sms where state in ('requested', 'sending', 'held', 'unknown')";
    until_within("every answer has left", PATIENCE, async || scene.number(open).await == 0).await;
    until("every receipt is there", async || {
        let answers = scene.answers().await;
        answers.iter().all(|(text, state, _)| state == "delivered" || record.contains(text))
    })
    .await;
    record.extend(second.all("submit").iter().map(|said| said["text"].as_str().unwrap().to_owned()));
    judge(&scene, &record, heard_so_far).await;
}

/// Every answer reached an SMSC; once, unless it was in doubt.
async fn judge(scene: &Scene, record: &[String], by_first: usize) {
    let answers = scene.answers().await;
    assert_eq!(answers.len(), 1 + 3 * WAVE);
    let mut twice = 0;
    for (text, state, resent) in &answers {
        let times = record.iter().filter(|sent| *sent == text).count();
        assert!(
            times == 1 || (times == 2 && *resent == 1),
            "{text} left {times} times: {state}, sent again {resent} times"
        );
        assert!(record[..by_first].contains(text) || state == "delivered", "{text} is {state}");
        twice += times - 1;
    }
    assert!(twice > 0, "the SMSC took texts that it did not answer");
    let resent = answers.iter().filter(|(_, _, resent)| *resent > 0).count();
    // a receipt of the first SMSC's last texts may still come between two looks
    let delivered = async || scene.answers().await.iter().filter(|(_, state, _)| state == "delivered").count();
    until("receipts are in the transcript", async || super::delivered(&scene.stack, &scene.room) == delivered().await)
        .await;
    let delivered = delivered().await;
    // the texts whose receipts died with the first SMSC
    assert!(answers.len() - delivered <= 16, "{delivered} of {} are delivered", answers.len());
    clean(&scene.stack).await;
    println!(
        "{} texts in once each, {} answers out, {delivered} with their receipts, {resent} in doubt and sent again, {twice} of \
         them twice at the SMSC",
        1 + 3 * WAVE,
        answers.len()
    );
}
