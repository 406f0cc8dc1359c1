//! On a migrated database, every way through the harness: what a flow does with texts, timers, queues and other tenants.

use deadpool_postgres::Pool;
use serde_json::json;
use texthub::runtime::single::Each;

use super::*;
use crate::receive_sms::ReceiveSms;
use crate::rehearsal::{active, column, contact, customer, den_with, lines, room, text};
use crate::support::den::{FOXES, MAIN};
use crate::support::fixtures::at;
use crate::support::trial::{Apart, Ran, handle, heard, names, redelivered, said, the, told, trial};

const APART: &[Apart] = &[];

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Happened>]) -> Ran {
    trial(&Each(RunFlow::default()), at(now), APART, set_up, batch).await
}

/// Publishes a flow of a tenant, and lets its number begin in it.
async fn publish(pool: &Pool, tenant: &str, point: &str, document: &Value) {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let (tenant, id) = (Slug::new(tenant).unwrap(), Slug::new("welcome").unwrap());
    let mut known = store::known(&tx, &tenant).await.unwrap().unwrap();
    known.flows = None;
    check::flow(&document.to_string(), &known).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    store::publish(&tx, at(0), &tenant, &id, document, None).await.unwrap();
    let update = "update points_of_contact set flow = 'welcome' where tenant = $1 and id = $2";
    tx.execute(update, &[&tenant, &point]).await.unwrap();
    tx.commit().await.unwrap();
}

/// Asks for a number, greets those who say 1, and queues everybody; sorry after 30 s, urgent after 60 s.
fn menu() -> Value {
    json!({"name": "Menu", "start": "ask", "variables": {"reply": ""}, "nodes": {
        "ask": {"type": "ask", "text": "1 or 2?", "store": "reply", "timeout_s": 60, "retries": 1, "retry_text": "1 or 2, please",
                "branches": [{"keywords": ["1"], "next": "hi"}], "otherwise": "agent", "timed_out": "bye"},
        "hi": {"type": "send", "text": "Hi {{ contact.customer }}", "next": "agent"},
        "agent": {"type": "request_agent", "skill": "sms", "priority": 3,
                  "waited": [{"seconds": 30, "next": "sorry"}, {"seconds": 60, "next": "over"}]},
        "sorry": {"type": "send", "text": "sorry", "next": "agent"},
        "over": {"type": "request_agent", "skill": "urgent", "priority": 9},
        "bye": {"type": "send", "text": "bye", "next": "end"}, "end": {"type": "end"}}})
}

async fn with_menu(pool: &Pool) {
    den_with(pool, &[]).await;
    publish(pool, "bears", "main", &menu()).await;
}

/// The customer of this number writes; what the flow hears of it.
async fn writes(pool: &Pool, second: i64, nr: u128, of: u128, words: &str) -> Vec<Message<Happened>> {
    let outcome = handle(&ReceiveSms, pool, at(second), &[text(nr, &customer(of), MAIN, words, at(second))]).await;
    said(&outcome[0]).iter().filter(|p| p.fact == "flow.texted").map(heard).collect()
}

/// … and the flow has heard it.
async fn goes_on(pool: &Pool, second: i64, nr: u128, of: u128, words: &str) -> Vec<Outcome> {
    let heard = writes(pool, second, nr, of, words).await;
    handle(&Each(RunFlow::default()), pool, at(second), &heard).await
}

/// A timer of the contact that text `of` began.
fn due(nr: u128, of: u128, generation: i32, second: i64) -> Message<Happened> {
    let body = json!({"cause_id": crate::rehearsal::fact(of), "at": at(1), "tenant": "bears", "contact_id": contact(of),
                      "generation": generation, "due_at": at(second)});
    told(nr, "flow.due", body)
}

/// That a text of the number `nr` is in the room that text `of` opened.
fn texted(nr: u128, of: u128, seq: i32) -> Message<Happened> {
    let body = json!({"cause_id": crate::rehearsal::fact(nr), "at": at(1), "tenant": "bears", "contact_id": contact(of),
                      "room_id": room(of), "seq": seq});
    let id = crate::rehearsal::fact(nr).derive("flow.texted", 0).0.as_u128();
    told(id, "flow.texted", body)
}

#[tokio::test]
async fn a_first_text_begins_the_flow_and_queues_nobody_yet() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        for nr in [1, 2] {
            assert_eq!(writes(pool, 10, nr, nr, "hello").await.len(), 1, "said instead of contact.queued");
        }
    };
    let ran = run(10, set_up, &[texted(1, 1, 1), texted(2, 2, 1)]).await;
    for outcome in &ran.outcomes {
        assert_eq!(names(outcome), ["entry.appended", "sms.requested", "flow.due"]);
        let asked = the(outcome, "entry.appended");
        assert_eq!((&asked["text"], &asked["author"], &asked["seq"]), (&json!("1 or 2?"), &json!("hub"), &json!(2)));
        assert_eq!(said(outcome)[2].due, Some(at(70)));
    }
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select distinct state from contacts").await, ["prequeue"]);
    assert_eq!(column(pool, "select distinct node || ' ' || phase from flow_runs").await, ["ask asking"]);
}

#[tokio::test]
async fn a_reply_leads_on_to_the_queue_with_the_priority_asked_for() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        goes_on(pool, 10, 1, 1, "hello").await;
        writes(pool, 20, 2, 1, " 1 ").await;
    };
    let ran = run(20, set_up, &[texted(2, 1, 3)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["entry.appended", "sms.requested", "contact.queued", "flow.due"]);
    let queued = the(&ran.outcomes[0], "contact.queued");
    assert_eq!(
        (&queued["skill"], &queued["priority"], &queued["queued_at"]),
        (&json!("sms"), &json!(3), &json!(at(20)))
    );
    assert_eq!(the(&ran.outcomes[0], "entry.appended")["text"], format!("Hi {}", customer(1)));
    let run =
        lines(&ran.database.pool, "select node, phase, generation, heard_seq, state->'variables' v from flow_runs")
            .await;
    assert_eq!(
        run,
        json!([{"node": "agent", "phase": "queued", "generation": 2, "heard_seq": 3, "v": {"reply": " 1 "}}])
    );
}

#[tokio::test]
async fn texts_are_heard_in_the_order_of_their_entries_whatever_the_order_of_the_messages() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        for (nr, words) in [(1, "hello"), (2, "what?"), (3, "1")] {
            writes(pool, 10, nr, 1, words).await;
        }
    };
    let ran = run(11, set_up, &[texted(3, 1, 3), texted(1, 1, 1), texted(2, 1, 2)]).await;
    let texts: Vec<Value> = said(&ran.outcomes[0])
        .iter()
        .filter(|p| p.fact == "entry.appended")
        .map(|p| crate::support::trial::body(p)["text"].clone())
        .collect();
    assert_eq!(texts, [json!("1 or 2?"), json!("1 or 2, please"), json!(format!("Hi {}", customer(1)))]);
    assert_eq!(ran.outcomes[1..], [Outcome::silent(), Outcome::silent()]);
}

#[tokio::test]
async fn silence_leads_on_at_the_deadline_and_ends_the_contact() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        goes_on(pool, 10, 1, 1, "hello").await;
    };
    let ran = run(70, set_up, &[due(50, 1, 1, 70), due(51, 1, 2, 70), due(52, 1, 0, 70)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["entry.appended", "sms.requested", "room.closed", "contact.closed"]);
    assert_eq!(the(&ran.outcomes[0], "contact.closed")["outcome"], "abandoned");
    assert_eq!(ran.outcomes[1..], [Outcome::silent(), Outcome::silent()], "other generations");
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select count(*) from flow_runs where ended_at is null").await, ["0"]);
    let again = handle(&Each(RunFlow::default()), pool, at(99), &redelivered(&[due(50, 1, 1, 70)])).await;
    assert_eq!(names(&again[0]), names(&ran.outcomes[0]), "a repeat says the same again");
    let late = goes_on(pool, 100, 9, 1, "still there?").await;
    assert_eq!(names(&late[0])[0], "entry.appended", "a new contact in a new room, at the start");
}

#[tokio::test]
async fn an_early_timer_is_armed_again() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        goes_on(pool, 10, 1, 1, "hello").await;
    };
    let ran = run(40, set_up, &[due(50, 1, 1, 70)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["flow.due"]);
    assert_eq!(the(&ran.outcomes[0], "flow.due")["generation"], 2);
}

/// Queued at second 20, nobody there.
async fn waiting(pool: &Pool) {
    with_menu(pool).await;
    goes_on(pool, 10, 1, 1, "hello").await;
    goes_on(pool, 20, 2, 1, "1").await;
}

#[tokio::test]
async fn while_queued_time_brings_a_text_and_then_another_skill_in_the_same_place() {
    let ran = run(50, waiting, &[due(50, 1, 2, 50)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["entry.appended", "sms.requested", "flow.due"]);
    let pool = &ran.database.pool;
    let over = handle(&Each(RunFlow::default()), pool, at(80), &[due(51, 1, 3, 80)]).await;
    assert_eq!(names(&over[0]), ["contact.queued"]);
    let queued = the(&over[0], "contact.queued");
    assert_eq!(
        (&queued["skill"], &queued["priority"], &queued["queued_at"]),
        (&json!("urgent"), &json!(9), &json!(at(20)))
    );
    assert_eq!(column(pool, "select phase from flow_runs").await, ["over"]);
}

#[tokio::test]
async fn a_timer_that_finds_an_offer_comes_again_and_one_that_finds_an_agent_ends_the_flow() {
    let set_up = async |pool: &Pool| {
        waiting(pool).await;
        crate::rehearsal::moved(pool, at(30), "papa", "available").await;
        let asks = [crate::rehearsal::waits(70, 1, "sms", at(30))];
        handle(&crate::route_contact::RouteContact, pool, at(30), &asks).await;
    };
    let ran = run(50, set_up, &[due(50, 1, 2, 50)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["flow.due"]);
    assert_eq!(said(&ran.outcomes[0])[0].due, Some(at(55)));
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select state from contacts").await, ["offered"]);
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        goes_on(pool, 10, 1, 1, "hello").await;
        let client = pool.get().await.unwrap();
        client.batch_execute("update points_of_contact set flow = null").await.unwrap();
        crate::rehearsal::moved(pool, at(11), "papa", "available").await;
        // an agent texts the customer meanwhile
        let body = json!({"tenant": "bears", "agent": "papa", "to": customer(1), "text": "may I help?", "our_number": MAIN,
                          "written_at": at(12)});
        handle(&crate::post_reply::PostReply, pool, at(12), &[told(60, "outreach.written", body)]).await;
    };
    let ran = run(70, set_up, &[due(50, 1, 1, 70)]).await;
    assert_eq!(ran.outcomes, [Outcome::silent()]);
    assert_eq!(column(&ran.database.pool, "select phase from flow_runs").await, ["over"]);
    assert_eq!(column(&ran.database.pool, "select state from contacts").await, ["active"]);
}

#[tokio::test]
async fn nothing_is_said_to_a_customer_who_opted_out() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        handle(&ReceiveSms, pool, at(5), &[text(90, &customer(1), MAIN, "STOP", at(5))]).await;
        writes(pool, 10, 1, 1, "hello").await;
    };
    let ran = run(10, set_up, &[texted(1, 1, 1)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["flow.due"], "the flow goes on in silence");
}

#[tokio::test]
async fn a_flow_that_is_gone_leads_to_an_agent() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        writes(pool, 10, 1, 1, "hello").await;
        let client = pool.get().await.unwrap();
        client.batch_execute("update points_of_contact set flow = null").await.unwrap();
    };
    let ran = run(10, set_up, &[texted(1, 1, 1)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["contact.queued"]);
    assert_eq!(column(&ran.database.pool, "select state || ' ' || skill from contacts").await, ["queued sms"]);
}

/// A machine answers every automatic text at once; the office is closed, so each of its texts is a contact of its own.
#[tokio::test]
async fn two_machines_that_answer_each_other_stop_after_five() {
    let ran = run(
        0,
        async |pool: &Pool| {
            den_with(pool, &[]).await;
            let closed = json!({"name": "Closed", "start": "say", "nodes": {
            "say": {"type": "send", "text": "We are closed.", "next": "end"}, "end": {"type": "end"}}});
            publish(pool, "bears", "main", &closed).await;
        },
        &[],
    )
    .await;
    let pool = &ran.database.pool;
    let mut answered = 0;
    for nr in 1..=12 {
        let outcomes = goes_on(pool, 10 + i64::try_from(nr).unwrap(), nr, 1, "I am on holiday.").await;
        answered += usize::from(names(&outcomes[0]).contains(&"sms.requested".to_owned()));
        assert!(names(&outcomes[0]).contains(&"contact.closed".to_owned()), "the contact ends all the same");
    }
    assert_eq!(answered, 5);
    let other = goes_on(pool, 30, 50, 2, "hello").await;
    assert!(names(&other[0]).contains(&"sms.requested".to_owned()), "others are answered");
    let later = goes_on(pool, 4_000, 51, 1, "I am back").await;
    assert!(names(&later[0]).contains(&"sms.requested".to_owned()), "an hour of silence releases it");
}

#[tokio::test]
async fn an_agent_in_between_releases_the_brake() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        active(pool, at(20), 40, MAIN).await;
        let client = pool.get().await.unwrap();
        let insert = "insert into flow_brakes values ('bears', $1, $2, 5, $3)";
        client.execute(insert, &[&MAIN, &customer(40), &at(25)]).await.unwrap();
        let by = json!({"kind": "agent", "name": "papa"});
        let body =
            json!({"tenant": "bears", "contact_id": contact(40), "by": by, "reason": "done", "disposition": "sold"});
        handle(&Each(crate::wrap_up::WrapUp), pool, at(30), &[told(41, "contact.ended", body)]).await;
        publish(pool, "bears", "main", &menu()).await;
        writes(pool, 40, 1, 40, "thanks").await;
    };
    let ran = run(40, set_up, &[texted(1, 1, 1)]).await;
    assert_eq!(names(&ran.outcomes[0])[0], "entry.appended");
}

/// The foxes' flow names what the bears have, and a fact of the foxes names the bears' contact.
#[tokio::test]
async fn no_flow_reads_or_moves_what_is_another_tenants() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        // the bears' queue is long, their agents are there, their customer is known to mama
        for nr in 100..110 {
            writes(pool, 5, nr, nr, "hello").await;
        }
        crate::rehearsal::moved(pool, at(6), "mama", "available").await;
        let client = pool.get().await.unwrap();
        // one of them is in a flow still
        client.execute("update contacts set state = 'queued' where id <> $1", &[&contact(109)]).await.unwrap();
        let spy = json!({"name": "Spy", "start": "say", "nodes": {
            "say": {"type": "send", "text": "{{ queue.sms.length }} {{ queue.sms.logged_in }} {{ customer.sessions }} \
                    {{ customer.last_agent | default('nobody') }}", "next": "agent"},
            "agent": {"type": "request_agent", "skill": "sms", "prefer": "fox"}}});
        publish(pool, "foxes", "fur", &spy).await;
        let mine = text(1, &customer(100), FOXES, "hello", at(10));
        handle(&ReceiveSms, pool, at(10), &[mine]).await;
    };
    let body = |tenant: &str, of: u128| {
        json!({"cause_id": crate::rehearsal::fact(of), "at": at(1), "tenant": tenant, "contact_id": contact(of),
               "room_id": room(of), "seq": 1})
    };
    let batch = [told(80, "flow.texted", body("foxes", 1)), told(81, "flow.texted", body("foxes", 109))];
    let ran = run(10, set_up, &batch).await;
    assert_eq!(the(&ran.outcomes[0], "entry.appended")["text"], "0 0 0 nobody");
    assert_eq!(ran.outcomes[1], Outcome::silent(), "another tenant's contact is none");
    let own = [told(82, "flow.texted", body("bears", 109))];
    let own = handle(&Each(RunFlow::default()), &ran.database.pool, at(11), &own).await;
    assert_eq!(names(&own[0]), ["entry.appended", "sms.requested", "flow.due"], "the bears' own fact is heard");
}

#[tokio::test]
async fn another_tenants_flow_is_no_flow_to_hand_over_to() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        publish(pool, "foxes", "fur", &menu_of_foxes()).await;
        let client = pool.get().await.unwrap();
        // the bears alone have one of this id
        client.batch_execute("insert into flows values ('bears', 'theirs', 1)").await.unwrap();
        let theirs = "insert into flow_versions values ('bears', 'theirs', 1, $1, $2)";
        client.execute(theirs, &[&menu(), &at(0)]).await.unwrap();
        handle(&ReceiveSms, pool, at(10), &[text(1, &customer(1), FOXES, "hello", at(10))]).await;
    };
    let body = json!({"cause_id": crate::rehearsal::fact(1), "at": at(1), "tenant": "foxes", "contact_id": contact(1),
                      "room_id": room(1), "seq": 1});
    let ran = run(10, set_up, &[told(80, "flow.texted", body)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["contact.queued"], "to an agent, without a word of the bears'");
    let notes = column(&ran.database.pool, "select state->'notes'->>0 from flow_runs").await;
    assert_eq!(notes, ["welcome/go: no_such_flow"]);
}

fn menu_of_foxes() -> Value {
    json!({"name": "x", "start": "go", "nodes": {"go": {"type": "transfer_flow", "flow": "theirs"}}})
}

#[tokio::test]
async fn a_contact_keeps_the_version_that_it_began_with() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        goes_on(pool, 10, 1, 1, "hello").await;
        let mut newer = menu();
        newer["nodes"]["hi"]["text"] = json!("newer");
        publish(pool, "bears", "main", &newer).await;
        writes(pool, 20, 2, 1, "1").await;
        writes(pool, 20, 3, 3, "hello").await;
    };
    let ran = run(20, set_up, &[texted(2, 1, 3), texted(3, 3, 1)]).await;
    assert_eq!(the(&ran.outcomes[0], "entry.appended")["text"], format!("Hi {}", customer(1)));
    let versions = column(&ran.database.pool, "select version from flow_runs order by version").await;
    assert_eq!(versions, ["1", "2"]);
    let client = ran.database.pool.get().await.unwrap();
    for change in ["update flow_versions set document = '{}'", "delete from flow_versions"] {
        assert!(client.batch_execute(change).await.is_err(), "{change}");
    }
}

mod hand_over;
