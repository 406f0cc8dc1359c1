//! The golden conversations of examples/flows: each begins with the command that makes it. `TEXTHUB_GOLDEN=1` writes them
//! anew; look at the difference before you keep it.

use std::path::PathBuf;

use clap::Parser;
use jiff::civil::date;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    asked: Asked,
}

/// A command line's words, quotes taken off.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, None::<char>);
    for c in line.chars() {
        match (is_quoted, c) {
            (Some(open), c) if c == open => is_quoted = None,
            (None, '"' | '\'') => {
                is_quoted = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/flows")
}

fn played(line: &str) -> String {
    let command = Command::try_parse_from(words(line.trim_start_matches("$ texthub "))).unwrap();
    let Asked::Simulate(asked) = command.asked else { panic!("{line}") };
    let today = date(2026, 11, 25).to_zoned(zone(&asked.time_zone).unwrap()).unwrap();
    simulate(&asked, &folder(), &today).unwrap()
}

#[test]
fn the_example_flows_lead_to_their_golden_conversations() {
    let file = folder().join("conversations.txt");
    let golden = std::fs::read_to_string(&file).unwrap();
    let commands: Vec<&str> = golden.lines().filter(|line| line.starts_with("$ ")).collect();
    assert!(commands.len() >= 9, "{commands:?}");
    let now: Vec<String> = commands.iter().map(|command| format!("{command}\n{}", played(command))).collect();
    let now = now.join("\n");
    #[expect(clippy::disallowed_methods, reason = "a test's switch is no setting")]
    if std::env::var("TEXTHUB_GOLDEN").is_ok() {
        std::fs::write(&file, &now).unwrap();
    }
    let mut golden = golden.lines();
    for line in now.lines() {
        assert_eq!(golden.next(), Some(line));
    }
    assert_eq!(golden.next(), None);
}

#[test]
fn every_example_flow_has_a_conversation() {
    let golden = std::fs::read_to_string(folder().join("conversations.txt")).unwrap();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(path.extension().unwrap() != "json" || golden.contains(name), "{name}");
    }
}
