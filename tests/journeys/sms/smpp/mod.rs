//! SMPP against a foreign SMSC: texts both ways, long ones in parts, receipts of each part, and every way in which an
//! SMSC fails.

mod faults;
pub mod smsc;
mod throughput;
mod ways;

use serde_json::json;
use texthub::sms::carrier::heard::hex;

use crate::hub::clean;
use crate::support::stack::{free_port, until};
use smsc::{CUSTOMER, Smsc, bears, count, reaches, state};

const INBOUND: &str = "select count(*) from entries where direction = 'inbound'";

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_both_ways_by_smpp_with_a_receipt_for_every_part() {
    let port = free_port();
    let smsc = Smsc::start(port, &[]).await;
    let (stack, _texthub) = bears(port, "", &["all"]).await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("baby-bear").await;
    let bound = smsc.heard("it is bound", |said| said["bound"] == "transceiver").await;
    assert_eq!((&bound["system_id"], &bound["interface_version"]), (&json!("hub"), &json!(0x34)));

    // in: by the SMSC's default alphabet; then in three parts of UTF-16, cut within a pair, in any order
    assert_eq!(smsc.text("first", "Is the porridge too hot? {€}").await, 0);
    let units: Vec<u8> = "я😀b".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (part, at) in [(3, 6..8), (1, 0..4), (2, 4..6)] {
        let hex = hex(&units[at]);
        let pdu = json!({ "hex": hex, "udh": format!("0500032a03{part:02}"), "esm_class": 0x40, "data_coding": 8 });
        assert_eq!(smsc.deliver(&format!("part {part}"), &pdu).await, 0);
    }
    desk.appended("Is the porridge too hot? {€}").await;
    let whole = desk.appended("я😀b").await;
    assert_eq!(whole["direction"], "inbound");

    // out: each style of receipt, each with its own spelling of the id
    let offer = desk.offer("baby-bear").await;
    let room = desk.accept(&offer).await;
    let styles = [("text", "normal"), ("tlv", "normal"), ("decimal", "normal"), ("short", "early"), ("tlv", "early")];
    for (style, mode) in styles {
        smsc.tell(&json!({ "set": { "receipts": style, "mode": mode } })).await;
        let text = format!("{style} {mode} {}€", "just right ".repeat(30));
        desk.reply("baby-bear", &room, &text).await;
        let mark = format!("{style} {mode}");
        reaches(&stack, &mark, "delivered").await;
        assert_eq!(state(&stack, &mark).await.1, ["delivered"; 3], "{mark}");
        let parts: Vec<_> = smsc.all("submit").into_iter().rev().take(3).rev().collect();
        let joined: String = parts.iter().map(|part| part["text"].as_str().unwrap()).collect();
        assert_eq!(joined, text);
        assert!(parts.iter().all(|part| part["registered_delivery"] == 1 && part["to"] == "15550100100"), "{parts:?}");
    }
    assert_eq!(smsc.all("submit").len(), 15, "three parts each, none twice");
    assert_eq!(count(&stack, "select count(*) from receipts where sms_id is null").await, 0);
    assert_eq!(count(&stack, INBOUND).await, 2);
    // the same words once more are a text of their own
    assert_eq!(smsc.text("again", "yes").await, 0);
    assert_eq!(smsc.text("and again", "yes").await, 0);
    until("both are there", async || count(&stack, INBOUND).await == 4).await;
    clean(&stack).await;
    assert!(!stack.logs().contains("just right") && !stack.logs().contains(&CUSTOMER[1..]), "never logged");
}
