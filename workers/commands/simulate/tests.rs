//! The example company's days: more agents help, the same seed says the same, and a big day takes seconds.

use std::path::PathBuf;

use texthub::runtime::clock::Stopwatch;

use super::*;

fn bears() -> Company {
    company(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/three-bears.toml")).unwrap()
}

fn played(company: &Company, day: &Day) -> Report {
    Report::of(&engine::run(company, day, &mut |_| ()), 30.0)
}

fn asked() -> Asked {
    Asked {
        file: "a.toml".into(),
        against: Some("b.toml".into()),
        day: None,
        generate: None,
        recorded: None,
        from: None,
        to: None,
        seed: 1,
        within: 30.0,
        target: 90.0,
        json: false,
    }
}

#[test]
fn a_day_of_ten_thousand_contacts_takes_seconds_and_every_contact_has_a_fate() {
    let (company, watch) = (bears(), Stopwatch::start());
    let day = Day::generate(&company, 10_000, 7, Timestamp::UNIX_EPOCH);
    let report = played(&company, &day);
    assert!(watch.elapsed().as_secs() < 60, "{:?}, even without optimisation", watch.elapsed());
    assert_eq!((report.contacts, report.answered + report.abandoned), (10_000, 10_000));
    assert!(report.occupancy > 0.0 && report.agents.iter().all(|busy| busy.occupancy <= 1.0), "{report:?}");
    assert!(report.offers >= report.answered + report.refused + report.lapsed, "{report:?}");
}

#[test]
fn the_same_seed_says_the_same_and_fewer_agents_let_wait() {
    let company = bears();
    let day = Day::generate(&company, 3_000, 3, Timestamp::UNIX_EPOCH);
    let (full, again) = (played(&company, &day), played(&company, &day));
    assert_eq!(serde_json::to_value(&full).unwrap(), serde_json::to_value(&again).unwrap());
    let mut few = company.clone();
    few.agents.retain(|agent, _| ["mama-bear", "papa-bear", "baby-bear"].contains(&agent.as_str()));
    let short = played(&few, &day);
    assert!(short.service_level < full.service_level && short.waits.average > full.waits.average, "{short:?} {full:?}");
    let table = told(&asked(), &[full, short]);
    assert!(table.contains("a.toml") && table.contains("answered within 30 s"), "{table}");
    let goldilocks = table.lines().find(|line| line.contains("goldilocks")).unwrap();
    assert!(goldilocks.trim_end().ends_with('-'), "{table}");
}

#[test]
fn a_file_of_a_day_is_read_and_its_mistake_has_a_line() {
    let text = "{\"contact\": {\"at\": \"2026-11-25T09:00:00Z\", \"skill\": \"porridge-orders\", \"handling_s\": 60}}\n\n\
                {\"contact\": {\"at\": \"2026-11-25T08:00:00Z\", \"skill\": \"porridge-chat\", \"handling_s\": 60, \"patience_s\": 5}}\n\
                {\"agent\": {\"agent\": \"papa-bear\", \"misses\": 1.0}}\n{\"agent\": {\"misses\": 1.0}}\n\
                {\"contact\": {\"at\": \"2026-11-25T09:30:00Z\", \"skill\": \"lost\", \"handling_s\": 60}}\n";
    let day = Day::read(text, 1).unwrap();
    assert_eq!(day.contacts[0].skill.as_str(), "porridge-chat", "by time");
    let report = played(&bears(), &day);
    // everybody misses: one customer leaves after five seconds, the other one is offered again and again
    assert_eq!((report.contacts, report.abandoned, report.left, report.unknown_skill), (2, 1, 1, 1));
    assert!(Day::read(&text.replace("\"misses\"", "\"misse\""), 1).unwrap_err().starts_with("line 4: "));
}
