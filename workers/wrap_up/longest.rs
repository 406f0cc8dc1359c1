//! What becomes of a contact that has waited as long as its skill allows: a text, another skill, or the end.

use deadpool_postgres::Pool;
use serde_json::json;

use super::*;
use crate::rehearsal::{column, contact, customer, den_with, fact, lines, moved, queued, text};
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{Ran, handle, names, the, told, trial};
use texthub::hub::consent::{self, ConsentKind, Noted};
use texthub::runtime::single::Each;

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Over>]) -> Ran {
    trial(&Each(WrapUp), at(now), &[], set_up, batch).await
}

fn due(nr: u128, of: u128, second: i64) -> Message<Over> {
    let body = json!({"cause_id": contact(of), "at": at(10), "tenant": "bears", "contact_id": contact(of),
                      "due_at": at(second)});
    told(nr, "contact.due", body)
}

async fn set(pool: &Pool, sql: &str) {
    pool.get().await.unwrap().batch_execute(sql).await.unwrap();
}

/// 1 waits since second 10 for `urgent` (600 s, priority 5), which overflows into `sms` (60 s here), and that into
/// `urgent`; each has a text. Nobody is there.
async fn circle(pool: &Pool) {
    den_with(pool, &[]).await;
    recount::install(pool).await;
    set(
        pool,
        "update skills set overflow_skill = 'sms', max_wait_text = 'Still busy, please wait' where id = 'urgent';
         update skills set overflow_skill = 'urgent', max_wait_text = 'Sorry, still busy', max_wait_s = 60
         where tenant = 'bears' and id = 'sms'",
    )
    .await;
    queued(pool, at(10), 1, RUSH).await;
}

/// Other asks that came before: the maximum was reached then.
fn after(passed: Vec<(u128, i64)>) -> impl AsyncFn(&Pool) {
    async move |pool: &Pool| {
        circle(pool).await;
        for (nr, second) in &passed {
            handle(&Each(WrapUp), pool, at(*second), &[due(*nr, 1, *second)]).await;
        }
        // as the sweep says what nobody has sent yet
        set(pool, &format!("update sms set requested_at = '{}'", at(1260))).await;
    }
}

#[tokio::test]
async fn past_the_maximum_a_contact_waits_on_in_the_overflow_skill_in_its_old_place() {
    let early = run(609, circle, &[due(100, 1, 609)]).await;
    assert_eq!(names(&early.outcomes[0]), [""; 0]);
    let ran = run(610, circle, &[due(100, 1, 610), due(101, 1, 610)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["entry.appended", "sms.requested", "contact.moved", "contact.queued"]);
    assert_eq!(names(&ran.outcomes[1]), [""; 0], "one text, one move");
    assert_eq!(the(&ran.outcomes[0], "sms.requested")["text"], "Still busy, please wait");
    assert_eq!(the(&ran.outcomes[0], "entry.appended")["author"], "hub");
    let moved_to = the(&ran.outcomes[0], "contact.moved");
    assert_eq!((&moved_to["skill"], &moved_to["reason"]), (&json!("sms"), &json!("waited_too_long")));
    let again = the(&ran.outcomes[0], "contact.queued");
    assert_eq!(
        (&again["skill"], &again["priority"], &again["queued_at"]),
        (&json!("sms"), &json!(5), &json!(at(10))),
        "time and priority are kept"
    );
    let pool = &ran.database.pool;
    let rows = lines(pool, "select state, skill, queued_at, waiting_since, overflowed from contacts").await;
    assert_eq!(rows[0]["waiting_since"].as_str().unwrap()[..19], at(610).to_string()[..19], "a maximum of its own");
    assert_eq!(rows[0]["overflowed"], json!(["urgent"]));
    queued(pool, at(500), 2, MAIN).await;
    moved(pool, at(620), "papa", "available").await;
    let asks = told(200, "contact.queued", again);
    let offered = handle(&crate::route_contact::RouteContact, pool, at(620), &[asks]).await;
    assert_eq!(the(&offered[0], "offer.made")["contact_id"], json!(contact(1)), "before who came later");
}

#[tokio::test]
async fn a_circle_of_overflow_skills_ends_and_each_text_goes_out_once() {
    let ran = run(670, after(vec![(90, 610)]), &[due(100, 1, 670)]).await;
    let said = ["entry.appended", "sms.requested", "contact.moved", "contact.queued"];
    assert_eq!(names(&ran.outcomes[0]), said, "the second skill overflows, too");
    assert_eq!(the(&ran.outcomes[0], "contact.queued")["skill"], "urgent");
    let ran = run(1270, after(vec![(90, 610), (91, 670)]), &[due(100, 1, 1270), due(101, 1, 1270)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["room.closed", "contact.closed"], "the first one has been passed once");
    let closed = the(&ran.outcomes[0], "contact.closed");
    assert_eq!((&closed["outcome"], &closed["reason"]), (&json!("abandoned"), &json!("waited_too_long")));
    let texts = "select text from entries where author = 'hub' order by seq";
    assert_eq!(column(&ran.database.pool, texts).await, ["Still busy, please wait", "Sorry, still busy"]);
}

#[tokio::test]
async fn who_opted_out_hears_nothing_and_a_skill_of_another_channel_or_an_ended_one_is_no_way_on() {
    for broken in
        ["update skills set ended_at = now() where id = 'sms'", "update skills set channel = 'chat' where id = 'sms'"]
    {
        let set_up = async |pool: &Pool| {
            circle(pool).await;
            set(pool, broken).await;
        };
        let ran = run(610, set_up, &[due(100, 1, 610)]).await;
        assert_eq!(names(&ran.outcomes[0]), ["entry.appended", "sms.requested", "room.closed", "contact.closed"]);
    }
    let silenced = async |pool: &Pool| {
        circle(pool).await;
        let mut client = pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let (kind, keyword) = (ConsentKind::OptOut, "stop");
        let (tenant, our_number, customer_number) = ("bears", RUSH, &customer(1));
        let noted = Noted::by_keyword((tenant, our_number, customer_number), kind, keyword, fact(70));
        consent::note(&tx, at(20), &[noted]).await.unwrap();
        tx.commit().await.unwrap();
    };
    let ran = run(610, silenced, &[due(100, 1, 610)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["contact.moved", "contact.queued"]);
}

#[tokio::test]
async fn an_overflowed_contact_was_queued_as_first_said_when_its_text_is_repeated() {
    let ran = run(610, circle, &[due(100, 1, 610)]).await;
    let first = text(1, &customer(1), RUSH, "hello", at(10));
    let again = handle(&crate::receive_sms::ReceiveSms, &ran.database.pool, at(611), &[first]).await;
    assert_eq!(the(&again[0], "contact.queued")["skill"], "urgent");
}
