//! The example company's days: more agents help, the same seed says the same, and a big day takes seconds.

use std::path::PathBuf;

use texthub::runtime::clock::Stopwatch;

use super::*;
use crate::rehearsal::{den_with, ended, queued};
use crate::support::database::Database;
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::{at, slug};

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
    // everybody misses: one customer leaves after five seconds, the other one is offered again and again, up to the longest wait
    assert_eq!((report.contacts, report.abandoned, report.left, report.unknown_skill), (2, 2, 0, 1));
    assert!(Day::read(&text.replace("\"misses\"", "\"misse\""), 1).unwrap_err().starts_with("line 4: "));
}

#[tokio::test]
async fn a_recorded_day_is_what_came_to_the_tenant_within_the_time() {
    let database = Database::new().await;
    let pool = &database.pool;
    den_with(pool, &["papa"]).await;
    ended(pool, at(10), 1, MAIN).await;
    queued(pool, at(12), 2, RUSH).await;
    let over = "update contacts set ended_at = accepted_at + interval '90 s' where accepted_at is not null";
    pool.get().await.unwrap().batch_execute(over).await.unwrap();
    let day = recorded(pool, &slug("bears"), at(10), at(13)).await.unwrap();
    let told: Vec<_> = day.iter().map(|a| (a.at, a.skill.as_str(), a.handling_s, a.priority, a.patience_s)).collect();
    assert_eq!(told, [(at(10), "sms", 90.0, Some(0), None), (at(12), "urgent", HANDLING_S, Some(5), None)]);
    assert_eq!(recorded(pool, &slug("bears"), at(10), at(12)).await.unwrap().len(), 1, "half-open");
    assert!(recorded(pool, &slug("foxes"), at(0), at(99)).await.unwrap().is_empty(), "another tenant's");
}
