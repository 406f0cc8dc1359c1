//! An SMSC that hangs up, throttles, talks nonsense, or says nothing: each text leaves once, what is lost is told, and
//! the bind comes back.

use serde_json::json;

use super::INBOUND;
use super::smsc::{Smsc, bears, count, reaches};
use crate::support::desk::Desk;
use crate::support::stack::{Process, Stack, free_port, until};

struct Scene {
    smsc: Smsc,
    stack: Stack,
    desk: Desk,
    room: String,
    _texthub: Process,
}

/// An agent in a room with the customer; a bind that is silent for two seconds is asked whether it lives.
async fn scene() -> Scene {
    let port = free_port();
    let smsc = Smsc::start(port, &[]).await;
    let (stack, texthub) = bears(port, "enquire_s = 2", &["all"]).await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("baby-bear").await;
    smsc.heard("it is bound", |said| said["bound"] == "transceiver").await;
    assert_eq!(smsc.text("first", "hello").await, 0);
    let room = desk.accept(&desk.offer("baby-bear").await).await;
    Scene { smsc, stack, desk, room, _texthub: texthub }
}

impl Scene {
    /// An agent's text meets the SMSC in this mode.
    async fn reply(&self, mode: &serde_json::Value, text: &str) {
        self.smsc.tell(&json!({ "set": mode })).await;
        self.desk.reply("baby-bear", &self.room, text).await;
    }

    /// From now on all goes well, by a bind that is made anew.
    async fn bound_again(&self, times: usize) {
        self.smsc.tell(&json!({ "set": { "mode": "normal" } })).await;
        until("it is bound again", async || self.smsc.all("bound").len() > times).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_text_is_taken_later_and_one_whose_answer_is_lost_never_sent_again() {
    let scene = scene().await;
    let Scene { smsc, stack, .. } = &scene;
    // a connection that is told "too fast" goes at half of what it did
    for nth in 0..10 {
        scene.desk.reply("baby-bear", &scene.room, &format!("quickly {nth}.")).await;
    }
    reaches(stack, "quickly 9.", "delivered").await;
    scene.reply(&json!({ "mode": "throttling", "throttle": 2 }), "slowly now").await;
    reaches(stack, "slowly now", "delivered").await;
    assert_eq!(smsc.submitted("slowly now").len(), 3, "refused twice, taken once");

    let times = smsc.all("bound").len();
    scene.reply(&json!({ "mode": "dropping" }), "did it leave?").await;
    reaches(stack, "did it leave?", "unknown").await;
    scene.bound_again(times).await;
    // another text goes by the new bind, and the one in doubt does not
    scene.desk.reply("baby-bear", &scene.room, "after that").await;
    reaches(stack, "after that", "delivered").await;
    let sent = smsc.submitted("did it leave?");
    assert_eq!(sent.len(), 1, "never sent again by itself");
    let [number, from, to] = ["number", "from", "to"].map(|key| sent[0][key].clone());
    let receipt =
        json!({ "number": number, "from": from, "to": to, "stat": "DELIVRD", "style": "text", "tag": "late" });
    smsc.tell(&json!({ "receipt": receipt })).await;
    assert_eq!(smsc.delivered("late").await, 0);
    reaches(stack, "did it leave?", "delivered").await;

    // a long text of which one part is lost: unknown, and its other part's receipt does not make it delivered
    scene.reply(&json!({ "mode": "half", "half": 1 }), &format!("by halves {}", "x".repeat(200))).await;
    reaches(stack, "by halves", "unknown").await;
    let taken = smsc.submitted("by halves")[0].clone();
    scene.bound_again(times + 1).await;
    let [number, from, to] = ["number", "from", "to"].map(|key| taken[key].clone());
    let receipt = json!({ "number": number, "from": from, "to": to, "stat": "DELIVRD", "style": "tlv", "tag": "half" });
    smsc.tell(&json!({ "receipt": receipt })).await;
    reaches(stack, "by halves", "submitted").await;
    assert_eq!(super::state(stack, "by halves").await.1, ["delivered", "submitted"]);
    stack.command(&["audit"]).success();
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_costs_one_pdu_and_is_kept_and_a_silent_smsc_costs_the_bind() {
    let scene = scene().await;
    let Scene { smsc, stack, .. } = &scene;
    let times = smsc.all("bound").len();
    // a deliver_sm that is cut off, a command that is none, a receipt of nothing
    smsc.tell(&json!({ "raw": "00000014000000050000000000001e61ffffffff" })).await;
    smsc.tell(&json!({ "raw": "00000018000001770000000000001e62deadbeefdeadbeef" })).await;
    assert_eq!(smsc.heard("it is told so", |said| said.get("nack").is_some()).await["nack"], 3);
    assert_eq!(smsc.deliver("odd", &json!({ "short_message": "no receipt", "esm_class": 4 })).await, 0);
    assert_eq!(smsc.text("next", "the next one").await, 0);
    assert_eq!(smsc.all("bound").len(), times, "the bind stands");
    let dead = stack.dead(3).await;
    assert!(dead.len() == 3 && dead.iter().all(|letter| letter.1 == "undecodable"), "{dead:?}");

    // a length that is none: no PDU behind it can be told, so the line is closed and bound anew
    smsc.tell(&json!({ "raw": "0000000400000005" })).await;
    smsc.tell(&json!({ "raw": "0000000400000005" })).await;
    until("it is bound again", async || smsc.all("bound").len() > times).await;
    assert_eq!(smsc.text("after", "and one more").await, 0);
    assert_eq!(stack.dead(4).await.len(), 4);
    until("all texts are there, once", async || count(stack, INBOUND).await == 3).await;

    let times = smsc.all("bound").len();
    scene.reply(&json!({ "mode": "mute" }), "into silence").await;
    reaches(stack, "into silence", "unknown").await;
    scene.bound_again(times).await;
    scene.desk.reply("baby-bear", &scene.room, "can you hear me").await;
    reaches(stack, "can you hear me", "delivered").await;
    assert_eq!(smsc.submitted("into silence").len(), 1);
}
