//! README and handbook against the code: settings, workers, facts, refusals, metrics, keys of the tenant file. What they
//! say in tables is what the code has.

use texthub::access::audit::DEEDS;
use texthub::access::problem::Reason;
use texthub::access::rights::{Right, Role};
use texthub::config::SETTINGS;
use texthub::contract;
use texthub::hub::refusal::Refusal;
use texthub::sms::carrier::KINDS;
use texthub::sms::carrier::kind::COMMON;
use texthub::sms::encoding::{Encoding, Reference};
use texthub::sms::smart::Verdict;

const README: &str = include_str!("../README.md");
const ASVS: &str = include_str!("../docs/asvs.md");
const ACCESS: &str = include_str!("../docs/access.md");
const OPERATING: &str = include_str!("../docs/operating.md");
const COMPLAINTS: &str = include_str!("../docs/complaints.md");
const ENCODING: &str = include_str!("../docs/encoding.md");
const FLOWS: &str = include_str!("../docs/flows.md");
const CARRIERS: &str = include_str!("../docs/carriers.md");
const TENANT_FILE: &str = include_str!("../docs/tenant-file.md");

fn lacks(document: &str, lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| !document.contains(line.as_str())).cloned().collect()
}

#[test]
fn the_table_of_settings_is_the_code_s() {
    let lines: Vec<String> = SETTINGS
        .iter()
        .map(|(name, default, meaning)| {
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            format!("| `{name}` | {default} | {meaning} |")
        })
        .collect();
    let lacking = lacks(README, &lines);
    assert!(lacking.is_empty(), "README lacks:\n{}", lacking.join("\n"));
    let rows = README.lines().filter(|line| line.starts_with("| `TEXTHUB_")).count();
    assert_eq!(rows, SETTINGS.len(), "README has settings that are none");
}

#[test]
fn the_table_of_workers_is_the_code_s() {
    let lines: Vec<String> = crate::listeners()
        .iter()
        .map(|listener| format!("| {} | {} |", listener.name, listener.facts.join(", ")))
        .collect();
    let lacking = lacks(README, &lines);
    assert!(lacking.is_empty(), "README lacks:\n{}", lacking.join("\n"));
}

#[test]
fn every_fact_and_every_refusal_is_named() {
    let facts = contract::facts().map(|fact| fact.name.to_owned());
    let refusals = Refusal::ALL.iter().map(|refusal| refusal.word().to_owned());
    let lacking = lacks(README, &facts.chain(refusals).collect::<Vec<_>>());
    assert!(lacking.is_empty(), "README lacks {lacking:?}");
}

#[test]
fn every_command_is_named() {
    let commands = <crate::Arguments as clap::CommandFactory>::command();
    let names: Vec<String> = commands.get_subcommands().map(|c| format!("`texthub {}", c.get_name())).collect();
    let lacking = lacks(README, &names);
    assert!(lacking.is_empty(), "README lacks {lacking:?}");
}

#[test]
fn who_may_do_what_is_the_code_s_with_every_problem_and_every_deed() {
    for right in Right::ALL {
        let row = ACCESS.lines().find(|line| line.starts_with(&format!("| `{}` |", right.word())));
        let cells: Vec<&str> = row.unwrap_or_else(|| panic!("no {right:?}")).split('|').map(str::trim).collect();
        let told: Vec<bool> = cells[3..8].iter().map(|cell| *cell == "yes").collect();
        let has = Role::ALL.iter().map(|role| role.has(*right)).chain([right.is_scope()]);
        assert_eq!(told, has.collect::<Vec<_>>(), "{right:?}");
    }
    let mut lines: Vec<String> = DEEDS.iter().map(|(word, meaning)| format!("| `{word}` | {meaning} |")).collect();
    lines.extend(Reason::ALL.iter().map(|reason| format!("`{}`", reason.word())));
    let lacking = lacks(ACCESS, &lines);
    assert!(lacking.is_empty(), "docs/access.md lacks {lacking:?}");
    for reason in Reason::ALL {
        let row = ACCESS.lines().find(|line| line.starts_with(&format!("| {} |", reason.status())));
        assert!(row.is_some_and(|row| row.contains(&format!("`{}`", reason.word()))), "{reason:?}");
    }
}

#[test]
fn every_limit_of_a_part_and_every_verdict_of_smart_encoding_is_explained() {
    let mut lines: Vec<String> = Verdict::ALL.iter().map(|verdict| format!("| `{}` |", verdict.as_str())).collect();
    for encoding in [Encoding::Gsm7, Encoding::Ucs2] {
        let ((one, narrow), (_, wide)) = (encoding.limits(Reference::Narrow), encoding.limits(Reference::Wide));
        lines.push(format!("| {one} | {narrow} | {wide} |"));
    }
    let lacking = lacks(ENCODING, &lines);
    assert!(lacking.is_empty(), "docs/encoding.md lacks {lacking:?}");
}

/// Every metric that the sources count, by its name in them.
fn metrics(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            metrics(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for (_, rest) in text.match_indices("!(\"texthub_").map(|(at, _)| text[at..].split_at(3)) {
                found.extend(rest.split('"').next().map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_metric_is_in_the_handbook() {
    let mut found = std::collections::BTreeSet::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    metrics(&root.join("src"), &mut found);
    metrics(&root.join("workers"), &mut found);
    assert!(found.len() > 10, "{found:?}");
    found.retain(|name| name != "texthub_build_info" && !name.contains(char::is_whitespace) && !name.contains('{'));
    let lacking = lacks(OPERATING, &found.into_iter().collect::<Vec<_>>());
    assert!(lacking.is_empty(), "docs/operating.md lacks {lacking:?}");
}

#[test]
fn every_kind_of_carrier_is_in_the_tables_with_its_keys() {
    for kind in KINDS {
        let can = kind.can;
        let (name, title) = (kind.name, kind.title);
        let row =
            format!("| `{name}` | {title} | {} | {} | {} | {} |", can.texts_in, can.receipts, can.signature, can.media);
        assert!(README.contains(&row), "README lacks {row}");
        assert!(TENANT_FILE.contains(&format!("`{name}`")), "docs/tenant-file.md lacks {name}");
        let (_, section) = CARRIERS.split_once(&format!("\n## {name}\n")).expect("a section of docs/carriers.md");
        let section = section.split("\n## ").next().unwrap();
        for key in kind.keys {
            let is_required = if key.is_required { " required" } else { "" };
            let row = format!("| `{}` |{is_required} | {} |", key.name, key.meaning);
            assert!(section.contains(&row), "docs/carriers.md lacks {row}");
        }
    }
    let common: Vec<String> = COMMON.iter().map(|key| format!("`{}`", key.name)).collect();
    assert!(lacks(TENANT_FILE, &common).is_empty());
}

#[test]
fn every_key_of_the_tenant_file_is_explained() {
    let source = include_str!("../src/tenant/file.rs");
    let read: Vec<String> = source
        .split("self.known(")
        .skip(1)
        .filter_map(|call| call.split_once(");").map(|(keys, _)| keys))
        .flat_map(|keys| keys.split('"').skip(1).step_by(2).map(|key| format!("`{key}`")).collect::<Vec<_>>())
        .collect();
    assert!(read.len() > 15, "{read:?}");
    let lacking = lacks(TENANT_FILE, &read);
    assert!(lacking.is_empty(), "docs/tenant-file.md lacks {lacking:?}");
}

/// Every name of a property or of a constant in a schema.
fn schema_names(schema: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        found.extend(properties.keys().cloned());
    }
    found.extend(schema["const"].as_str().map(str::to_owned));
    let parts = schema.as_object().into_iter().flat_map(|fields| fields.values());
    for part in parts.chain(schema.as_array().into_iter().flatten()) {
        schema_names(part, found);
    }
}

#[test]
fn every_key_of_a_flow_and_every_value_in_it_is_explained() {
    let mut names = std::collections::BTreeSet::new();
    schema_names(&schemars::schema_for!(texthub::flow::document::Document).to_value(), &mut names);
    assert!(names.len() > 40 && names.contains("timed_out") && names.contains("transfer_flow"), "{names:?}");
    for (root, fields) in texthub::flow::values::ROOTS {
        names.insert((*root).to_owned());
        names.extend(fields.iter().map(|field| (*field).to_owned()));
    }
    let words: std::collections::BTreeSet<&str> =
        FLOWS.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let lacking: Vec<&String> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(lacking.is_empty(), "docs/flows.md lacks {lacking:?}");
}

/// Every function of the sources that follows a test's mark.
fn tests_below(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut is_marked = false;
            for line in std::fs::read_to_string(&path).unwrap().lines().map(str::trim) {
                is_marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                if let Some((_, name)) = line.split_once("fn ").filter(|_| is_marked) {
                    found.extend(name.split('(').next().map(str::to_owned));
                    is_marked = false;
                }
            }
        }
    }
}

#[test]
fn every_item_of_the_asvs_has_tests_that_are_there_or_says_why_not() {
    let mut tests = std::collections::BTreeSet::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "workers", "tests"] {
        tests_below(&root.join(folder), &mut tests);
    }
    let mut items = 0;
    for row in ASVS.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| item")) {
        let held = row.trim_matches('|').split('|').nth(2).unwrap();
        let names = held.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 2);
        let lacking: Vec<&str> = names.filter(|name| !tests.contains(*name) && !name.starts_with("TEXTHUB")).collect();
        assert!(lacking.is_empty(), "no such test: {lacking:?}");
        let is_said = ["not yet", "none are there", "a constant"].iter().any(|words| held.contains(words));
        assert!(is_said || held.contains('`'), "{row}");
        items += 1;
    }
    assert!(items > 40, "{items}");
}

#[test]
fn every_complaint_has_tests_that_are_there() {
    let mut tests = std::collections::BTreeSet::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "workers", "tests"] {
        tests_below(&root.join(folder), &mut tests);
    }
    let mut numbers: Vec<u32> = Vec::new();
    for row in COMPLAINTS.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, _, named] = cells[..] else { panic!("not four cells: {row}") };
        numbers.push(number.parse().unwrap());
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        let lacking: Vec<&&str> = names.iter().filter(|name| !tests.contains(**name)).collect();
        assert!(lacking.is_empty(), "{number}: no such test: {lacking:?}");
    }
    let about_routing = (1..=7).chain([10]).chain(14..=20).chain([22]).chain(24..=27);
    // those about gateways count by themselves, from 101
    assert_eq!(numbers, about_routing.chain(101..=116).collect::<Vec<_>>());
}
