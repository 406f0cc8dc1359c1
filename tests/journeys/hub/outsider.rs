//! The example in Python: a program that knows nothing of texthub but its contract.

use super::{bears, clean};
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_another_language_drives_a_whole_conversation() {
    let (stack, _process) = bears().await;
    let python = std::env::var("TEXTHUB_PYTHON").expect("TEXTHUB_PYTHON; `./dev test` sets it");
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python/conversation.py");
    let said = Command::new(python).arg(program).env("TEXTHUB_AMQP_URL", &stack.amqp_url).output().unwrap();
    let out = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success(), "{out}{}", String::from_utf8_lossy(&said.stderr));
    let first_words: Vec<&str> = out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(first_words, ["customer", "offered", "accepted", "mama-bear", "receipt", "closed"], "{out}");
    let lines = std::fs::read_to_string(program).unwrap().lines().count();
    assert!(lines < 80, "the example has {lines} lines; it is to be read at a glance");
    clean(&stack).await;
}
