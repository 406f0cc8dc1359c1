//! Texts held for quiet hours: never before their time, in order then, and with consent read again.

use texthub::runtime::worker::Pass;

use super::*;
use crate::reconcile::release::Release;

/// 03:00 in New York, on a Friday; 08:00 comes five hours later.
const NIGHT: i64 = 0;
const MORNING: i64 = 5 * 3_600;

/// Texts of one room to New York, as agents' outreach.
async fn outreach(bench: &Bench, room: u32, count: i32) -> Vec<Requested> {
    let mut texts: Vec<Requested> = (1..=count).map(|seq| Requested::new(room, seq)).collect();
    for text in &mut texts {
        text.customer = format!("+1212555{:04}", 2_000 + room);
    }
    Requested::write_all(&bench.database.pool, &texts).await;
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update sms set purpose = 'promotional'", &[]).await.unwrap();
    let lines = "insert into entries (room_id, seq, id, direction, author, text, parts, at, written_at, sms_id, caused_by)
                 select room_id, seq, entry_id, 'outbound', 'agent', 'hello', 1, requested_at, requested_at, id, caused_by
                 from sms";
    client.execute(lines, &[]).await.unwrap();
    texts
}

pub(super) async fn released(bench: &Bench, second: i64) -> Vec<Message<ToSend>> {
    let mut client = bench.database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let said = Release.round(&tx, &Context { now: at(second) }).await.unwrap();
    tx.commit().await.unwrap();
    said.iter()
        .map(|said| {
            let fact: SmsRequested = serde_json::from_slice(&said.body).unwrap();
            message(fact.id, SmsRequested::NAME, &fact, ToSend::SmsRequested(fact.clone()))
        })
        .collect()
}

/// Names and bodies of what was said.
fn told(outcomes: &[Outcome]) -> Vec<(&str, Value)> {
    outcomes.iter().flat_map(said).map(|p| (p.fact.as_ref(), serde_json::from_slice(&p.body).unwrap())).collect()
}

async fn column(bench: &Bench, sql: &str) -> Vec<String> {
    let rows = bench.database.pool.get().await.unwrap().query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_text_claimed_at_night_is_held_and_leaves_in_the_morning_in_its_order() {
    let bench = Bench::new().await;
    let texts = outreach(&bench, 1, 2).await;
    let batch: Vec<Message<ToSend>> = texts.iter().map(|text| asks(text, 0)).collect();
    let held = bench.run(at(NIGHT), &batch).await;
    for (fact, body) in told(&held) {
        assert_eq!((fact, &body["reason"]), ("sms.held", &json!("quiet_hours")));
        assert_eq!(body["until"], json!(at(MORNING)));
    }
    let again = bench.run(at(NIGHT + 60), &batch).await;
    assert_eq!(facts(&again), facts(&held), "a repeat changes nothing");
    assert!(released(&bench, MORNING - 1).await.is_empty());
    let due = released(&bench, MORNING).await;
    assert_eq!(due.iter().map(|m| body(m).sms_id).collect::<Vec<_>>(), [texts[0].sms_id, texts[1].sms_id]);
    assert!(released(&bench, MORNING + 1).await.is_empty(), "asked for once a minute");
    let backwards = bench.run(at(MORNING), &due[1..]).await;
    assert!(matches!(&backwards[0], Outcome::Later(_, why) if why.word == "predecessor"), "{backwards:?}");
    bench.run(at(MORNING + 1), &due).await;
    assert_eq!(bench.record().await, [texts[0].sms_id, texts[1].sms_id]);
    let kept =
        column(&bench, "select quiet_claimed ->> 'verdict' || ' ' || (quiet_claimed ->> 'rules') from sms").await;
    assert_eq!(kept, [r#"open ["us_federal"]"#; 2]);
}

#[tokio::test]
async fn who_opted_out_while_a_text_was_held_never_gets_it() {
    let bench = Bench::new().await;
    let texts = outreach(&bench, 1, 1).await;
    bench.run(at(NIGHT), &[asks(&texts[0], 0)]).await;
    bench.opt_out(&texts[0]).await;
    let due = released(&bench, MORNING).await;
    let outcomes = bench.run(at(MORNING), &due).await;
    assert_eq!(facts(&outcomes)[0].0, "sms.failed");
    let state = states(&bench.database.pool).await.remove(&texts[0].sms_id);
    assert_eq!(state, Some(("failed".to_owned(), Some("opted_out".to_owned()))));
    assert!(bench.record().await.is_empty());
}

#[tokio::test]
async fn a_text_asked_for_before_its_time_is_held_on_and_one_released_late_until_the_next_morning() {
    let bench = Bench::new().await;
    let texts = outreach(&bench, 1, 1).await;
    bench.run(at(NIGHT), &[asks(&texts[0], 0)]).await;
    let early = bench.run(at(MORNING - 1), &[asks(&texts[0], 1)]).await;
    assert_eq!(told(&early)[0].1["until"], json!(at(MORNING)));
    let due = released(&bench, MORNING).await;
    // nobody claims it until nine in the evening
    let late = bench.run(at(MORNING + 13 * 3_600), &due).await;
    assert_eq!(told(&late)[0].1["until"], json!(at(MORNING + 24 * 3_600)));
    assert!(bench.record().await.is_empty());
}

#[tokio::test]
async fn an_answer_passes_outreach_that_is_held_in_the_same_room() {
    let bench = Bench::new().await;
    let texts = outreach(&bench, 1, 2).await;
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update sms set purpose = 'conversational' where seq = 2", &[]).await.unwrap();
    let beside = bench.run(at(NIGHT), &[asks(&texts[0], 0), asks(&texts[1], 0)]).await;
    assert_eq!(facts(&beside).iter().map(|f| f.0).collect::<Vec<_>>(), ["sms.held", "sms.submitted"]);
    let mut later = Requested::new(1, 3);
    later.customer.clone_from(&texts[0].customer);
    Requested::write_all(&bench.database.pool, std::slice::from_ref(&later)).await;
    let after = bench.run(at(NIGHT + 1), &[asks(&later, 0)]).await;
    assert_eq!(facts(&after)[0].0, "sms.submitted", "nor does a row in its way");
    assert_eq!(bench.record().await, [texts[1].sms_id, later.sms_id]);
}

#[tokio::test]
async fn a_number_without_an_hour_fails_with_its_word() {
    let bench = Bench::new().await;
    let texts = outreach(&bench, 1, 1).await;
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update tenants set quiet_hours = '{\"to\": \"07:00\"}'", &[]).await.unwrap();
    bench.run(at(NIGHT), &[asks(&texts[0], 0)]).await;
    let state = states(&bench.database.pool).await.remove(&texts[0].sms_id);
    assert_eq!(state, Some(("failed".to_owned(), Some("no_hours".to_owned()))));
}

#[tokio::test]
async fn a_policy_that_exempts_nothing_holds_answers_too_but_never_the_confirmation_of_an_opt_out() {
    let bench = Bench::new().await;
    let texts = outreach(&bench, 1, 2).await;
    let client = bench.database.pool.get().await.unwrap();
    client.execute("update sms set purpose = 'conversational', is_confirmation = seq = 2", &[]).await.unwrap();
    client.execute("update tenants set quiet_hours = '{\"exempt\": [], \"from\": \"09:00\"}'", &[]).await.unwrap();
    let outcomes = bench.run(at(NIGHT), &[asks(&texts[0], 0), asks(&texts[1], 0)]).await;
    assert_eq!(facts(&outcomes).iter().map(|f| f.0).collect::<Vec<_>>(), ["sms.held", "sms.submitted"]);
    assert_eq!(told(&outcomes)[0].1["until"], json!(at(MORNING + 3_600)));
}
