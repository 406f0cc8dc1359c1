//! The ways to bind: split, several, by TLS with a certificate of one's own, in a process that sends alone; a password
//! that is wrong and mended, and good-byes.

use serde_json::json;

use super::smsc::{CARRIER, Smsc, apply, bears, reaches};
use crate::support::stack::{Stack, free_port, until};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/smsc");

fn bound(smsc: &Smsc, way: &str) -> usize {
    smsc.all("bound").iter().filter(|said| said["bound"] == way).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn binds_may_be_split_and_several_and_a_sender_alone_has_transmitters_alone() {
    let port = free_port();
    let smsc = Smsc::start(port, &[]).await;
    let settings = "bind = \"split\"\nbinds = 2\nconcatenation = \"sar\"\nvalidity_s = 3600";
    let roles =
        "smpp receive_sms route_contact settle_offer post_reply record_receipt track_agent join_parts reconcile";
    let (stack, _rest) = bears(port, settings, &roles.split(' ').collect::<Vec<_>>()).await;
    until("both are made twice", async || bound(&smsc, "transmitter") == 2 && bound(&smsc, "receiver") == 2).await;
    let sender = stack.start(&["send_sms"]).await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("baby-bear").await;
    assert_eq!(smsc.text("first", "hello").await, 0);
    let room = desk.accept(&desk.offer("baby-bear").await).await;
    desk.reply("baby-bear", &room, &"я".repeat(100)).await;
    reaches(&stack, "яя", "delivered").await;
    assert_eq!((bound(&smsc, "transmitter"), bound(&smsc, "receiver")), (4, 2));
    let parts = smsc.submitted("я");
    assert_eq!(parts.len(), 2);
    assert!(parts.iter().all(|part| part["sar"][1] == 2 && part["udh"] == json!([]) && part["data_coding"] == 8));
    assert_eq!(parts[0]["sar"][0], parts[1]["sar"][0]);
    assert!(!parts[0]["validity"].is_null());

    // told to stop, it says good-bye
    sender.terminate();
    until("both transmitters are unbound", async || smsc.all("unbind").len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_smsc_may_be_reached_by_tls_with_its_own_certificate_and_a_mended_password_is_read() {
    let port = free_port();
    let (key, certificate) = (format!("{DATA}/key.pem"), format!("{DATA}/certificate.pem"));
    let smsc = Smsc::start(port, &[&key, &certificate]).await;
    let stack = Stack::new().await;
    let url = format!("smpps://localhost:{port}");
    apply(&stack, &url, "");
    let _texthub = stack.start(&["all"]).await;
    smsc.heard("a stranger's certificate is not trusted", |said| said.get("tls").is_some()).await;
    assert!(smsc.all("bound").is_empty());

    smsc.tell(&json!({ "set": { "password": "another" } })).await;
    apply(&stack, &url, &format!("ca_file = \"{DATA}/ca.pem\""));
    smsc.heard("the password is refused", |said| said["refused"] == "transceiver").await;
    stack.file("password", "another\n");
    let bound = smsc.heard("the mended password is read", |said| said["bound"] == "transceiver").await;
    assert_eq!(bound["secure"], true);
    let desk = stack.desk("three-bears").await;
    desk.log_in("baby-bear").await;
    assert_eq!(smsc.text("first", "hello").await, 0);
    let room = desk.accept(&desk.offer("baby-bear").await).await;
    desk.reply("baby-bear", &room, "secretly").await;
    reaches(&stack, "secretly", "delivered").await;

    // refused again while it is up: nothing leaves, and the connection is paused with the SMSC's word
    smsc.tell(&json!({ "set": { "password": "a third" }, "hang_up": true })).await;
    until("it is refused again", async || smsc.all("refused").len() > 1).await;
    desk.reply("baby-bear", &room, "not now").await;
    reaches(&stack, "not now", "held").await;
    let listed = stack.command(&["carriers", "list"]).success();
    assert!(listed.contains(CARRIER) && listed.contains("ESME_RINVPASWD"), "{listed}");
}
