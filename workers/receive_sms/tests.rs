//! On a migrated database, every way through the harness: what texts open, join, queue, extend and expire, what keywords
//! do in each state, and what is set aside.

use deadpool_postgres::Pool;
use serde_json::{Value, json};
use texthub::facts::envelope::Message;

use super::*;
use crate::rehearsal::{active, chat, column, contact, customer, den_with, ended, lines, offered, queued, text};
use crate::support::den::{ENDED, MAIN, OFF, RUSH, den};
use crate::support::fixtures::at;
use crate::support::trial::{Apart, Ran, attempt, handle, names, redelivered, said, the, told, trial};

const APART: &[Apart] = &[
    ("contacts", "queued_at", "neighbours of a batch queue a microsecond apart"),
    ("heard", "said", "contact.queued tells of it"),
    ("contacts", "waiting_since", "the same"),
    ("consent_entries", "nr", "a sequence, and gaps in it mean nothing"),
];
const OPENED: [&str; 3] = ["room.opened", "entry.appended", "contact.queued"];

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Inbound>]) -> Ran {
    trial(&ReceiveSms, at(now), APART, set_up, batch).await
}

fn all_names(ran: &Ran) -> Vec<Vec<String>> {
    ran.outcomes.iter().map(names).collect()
}

#[tokio::test]
async fn a_text_opens_a_room_and_the_next_one_joins_it() {
    let batch = [
        text(1, &customer(1), MAIN, "one", at(100)),
        text(2, &customer(1), MAIN, "two", at(100)),
        text(3, &customer(2), MAIN, "other", at(100)),
        text(4, &customer(1), RUSH, "same customer, other number", at(100)),
        chat(5, "eve", "hey", at(100)),
        chat(6, "eve", "there", at(100)),
    ];
    let ran = run(100, den, &batch).await;
    let joined = ["entry.appended"];
    let expected: [&[&str]; 6] = [&OPENED, &joined, &OPENED, &OPENED, &OPENED, &joined];
    assert_eq!(all_names(&ran), expected);
    let pool = &ran.database.pool;
    let entries = column(pool, "select text from entries order by caused_by").await;
    assert_eq!(entries, ["one", "two", "other", "same customer, other number", "hey", "there"]);
    assert_eq!(column(pool, "select seq from entries order by caused_by").await, ["1", "2", "1", "1", "1", "2"]);
    let contacts =
        column(pool, "select skill || ' ' || state || ' ' || priority from contacts order by queued_at").await;
    assert_eq!(contacts, ["sms queued 0", "sms queued 0", "urgent queued 5", "chat queued 0"]);
    let first = the(&ran.outcomes[1], "entry.appended");
    assert_eq!(first["contact_id"], json!(contact(1)), "the second text tells of the contact of the first");
}

#[tokio::test]
async fn a_text_that_belongs_nowhere_is_set_aside_and_harms_no_neighbour() {
    let batch = [
        text(1, &customer(1), "+15559999999", "nobody's number", at(100)),
        text(2, &customer(1), OFF, "tenant switched off", at(100)),
        text(3, &customer(1), ENDED, "number has ended", at(100)),
        text(4, "anonymous", MAIN, "no number", at(100)),
        told(
            5,
            "chat.received",
            json!({"tenant": "bears", "point_of_contact": "main", "visitor": "eve", "text": "no chat",
                                        "received_at": at(100)}),
        ),
        chat(6, "no visitor", "bad name", at(100)),
        text(7, &customer(1), MAIN, "fine", at(100)),
    ];
    let ran = run(100, den, &batch).await;
    let words = [
        "unknown_number",
        "disabled_tenant",
        "number_disabled",
        "bad_number",
        "unknown_point_of_contact",
        "bad_visitor",
    ];
    for (outcome, word) in ran.outcomes.iter().zip(words) {
        assert_eq!(names(outcome), [word]);
    }
    assert_eq!(names(&ran.outcomes[6]), OPENED);
    assert_eq!(column(&ran.database.pool, "select count(*) from heard").await, ["1"], "to be replayed as never heard");
}

fn from_carrier(nr: u128, words: &str) -> Message<Inbound> {
    taken(nr, words, 100)
}

/// Under one id of the carrier's, which took it at that second.
fn taken(nr: u128, words: &str, second: i64) -> Message<Inbound> {
    let body = json!({"carrier": "simulator", "carrier_sms_id": "c-1", "from": customer(1), "to": MAIN, "text": words,
                      "received_at": at(second)});
    told(nr, "sms.received", body)
}

#[tokio::test]
async fn a_carriers_own_repeat_is_the_same_text_and_other_content_under_its_id_is_another() {
    let ran = run(100, den, &[from_carrier(1, "one"), from_carrier(2, "one"), from_carrier(3, "two")]).await;
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select text from entries order by seq").await, ["one", "two"]);
    assert_eq!(column(pool, "select outcome from heard order by id").await, ["recorded", "repeat", "recorded"]);
    let again = handle(&ReceiveSms, pool, at(200), &[from_carrier(4, "one")]).await;
    let ids = |outcome| -> Vec<FactId> { said(outcome).iter().map(|p| p.id).collect() };
    assert_eq!(ids(&again[0]), ids(&ran.outcomes[0]), "says what the first one said");
}

#[tokio::test]
async fn an_id_used_for_other_content_is_set_aside() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        queued(pool, at(10), 1, MAIN).await;
    };
    let batch = [text(1, &customer(1), MAIN, "other words", at(100)), text(2, &customer(1), MAIN, "fine", at(100))];
    let ran = run(100, set_up, &batch).await;
    assert_eq!(all_names(&ran), [["id_reused"], ["entry.appended"]]);
}

#[tokio::test]
async fn what_is_set_aside_for_its_id_leaves_the_carriers_id_free() {
    let ran = run(100, den, &[from_carrier(1, "one")]).await;
    let pool = &ran.database.pool;
    let reused = handle(&ReceiveSms, pool, at(110), &[from_carrier(1, "two")]).await;
    assert_eq!(names(&reused[0]), ["id_reused"]);
    let own = handle(&ReceiveSms, pool, at(120), &[from_carrier(2, "two"), from_carrier(3, "one")]).await;
    assert_eq!(names(&own[0]), ["entry.appended"], "nobody heard this text before");
    assert_eq!(own[1], Outcome::Done(said(&ran.outcomes[0]).clone()), "this one was");
}

#[tokio::test]
async fn an_id_used_again_leaves_the_carriers_id_of_the_first_text_known() {
    let ran = run(100, den, &[from_carrier(1, "one")]).await;
    let pool = &ran.database.pool;
    let reused = handle(&ReceiveSms, pool, at(110), &[taken(1, "one", 90)]).await;
    assert_eq!(names(&reused[0]), ["id_reused"], "another time is other content");
    let own = handle(&ReceiveSms, pool, at(120), &[from_carrier(3, "one")]).await;
    assert_eq!(own[0], Outcome::Done(said(&ran.outcomes[0])), "the same text is not recorded twice");
}

#[tokio::test]
async fn a_nul_is_kept_as_the_replacement_character_and_flagged() {
    let ran = run(100, den, &[text(1, &customer(1), MAIN, "a\0b", at(100))]).await;
    let entries = lines(&ran.database.pool, "select text, flags from entries").await;
    assert_eq!(entries, json!([{"text": "a\u{FFFD}b", "flags": ["nul_replaced"]}]));
}

/// Customer 1 waits, 2 is offered to papa, 3 is active with baby.
async fn in_each_state(pool: &Pool) {
    den_with(pool, &["baby"]).await;
    active(pool, at(10), 3, RUSH).await;
    crate::rehearsal::moved(pool, at(11), "baby", "unavailable").await;
    crate::rehearsal::moved(pool, at(12), "papa", "available").await;
    assert_eq!(offered(pool, at(13), 2, MAIN).await.as_str(), "papa");
    queued(pool, at(14), 1, MAIN).await;
}

#[tokio::test]
async fn stop_is_confirmed_once_and_ends_a_contact_that_nobody_accepted() {
    let batch = [
        text(11, &customer(1), MAIN, "STOP", at(20)),
        text(12, &customer(2), MAIN, "stop.", at(20)),
        text(13, &customer(3), RUSH, "Unsubscribe", at(20)),
        text(14, &customer(1), MAIN, "STOP", at(20)),
    ];
    let ran = run(20, in_each_state, &batch).await;
    let written = ["entry.appended", "entry.appended", "sms.requested"];
    let while_queued: Vec<&str> = [&written[..], &["room.closed", "contact.closed"]].concat();
    let while_offered: Vec<&str> =
        [&written[..], &["offer.settled", "room.closed", "contact.closed", "agent.freed"]].concat();
    let again = vec!["room.opened", "entry.appended", "room.closed"];
    assert_eq!(all_names(&ran), [while_queued, while_offered, written.to_vec(), again]);
    assert_eq!(the(&ran.outcomes[1], "offer.settled")["outcome"], "rescinded");
    assert_eq!(the(&ran.outcomes[1], "contact.closed")["outcome"], "opted_out");
    let pool = &ran.database.pool;
    let states = column(pool, "select state from contacts order by queued_at").await;
    assert_eq!(states, ["active", "closed", "closed"], "an active contact stays open");
    assert_eq!(column(pool, "select count(*) from sms where is_confirmation").await, ["3"]);
    assert_eq!(column(pool, "select slots_used from agents where id = 'papa'").await, ["0"]);
    assert_eq!(column(pool, "select count(*) from opt_outs").await, ["3"]);
}

#[tokio::test]
async fn start_is_confirmed_where_it_changes_something_and_else_it_is_a_text() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        handle(&ReceiveSms, pool, at(10), &[text(1, &customer(1), MAIN, "STOP", at(10))]).await;
    };
    let batch = [text(2, &customer(1), MAIN, "START", at(20)), text(3, &customer(2), MAIN, "start", at(20))];
    let ran = run(20, set_up, &batch).await;
    let confirmed = ["room.opened", "entry.appended", "entry.appended", "sms.requested", "room.closed"];
    assert_eq!(all_names(&ran), [&confirmed[..], &OPENED[..]]);
    assert_eq!(the(&ran.outcomes[0], "sms.requested")["text"], "started");
    assert_eq!(column(&ran.database.pool, "select count(*) from opt_outs").await, ["0"]);
}

#[tokio::test]
async fn help_is_answered_without_an_agent_unless_the_customer_is_opted_out() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        handle(&ReceiveSms, pool, at(10), &[text(1, &customer(1), MAIN, "STOP", at(10))]).await;
        queued(pool, at(11), 3, MAIN).await;
    };
    let batch: Vec<Message<Inbound>> = (1..=3).map(|n| text(10 + n, &customer(n), MAIN, "help", at(20))).collect();
    let ran = run(20, set_up, &batch).await;
    let silent = ["room.opened", "entry.appended", "room.closed"];
    let answered = ["room.opened", "entry.appended", "entry.appended", "sms.requested", "room.closed"];
    let waiting = ["entry.appended", "entry.appended", "sms.requested"];
    assert_eq!(all_names(&ran), [&silent[..], &answered[..], &waiting[..]]);
    assert_eq!(column(&ran.database.pool, "select state from contacts").await, ["queued"]);
}

#[tokio::test]
async fn words_of_one_batch_count_in_their_order() {
    let batch = [
        text(1, &customer(1), MAIN, "hello", at(20)),
        text(2, &customer(1), MAIN, "STOP", at(20)),
        text(3, &customer(1), MAIN, "START", at(20)),
        text(4, &customer(1), MAIN, "hello again", at(20)),
    ];
    let ran = run(20, den, &batch).await;
    let pool = &ran.database.pool;
    assert_eq!(names(&ran.outcomes[3]), OPENED);
    assert_eq!(column(pool, "select state from contacts order by caused_by").await, ["closed", "queued"]);
    assert_eq!(column(pool, "select kind from consent_entries order by nr").await, ["opt_out", "opt_in"]);
    assert_eq!(column(pool, "select count(*) from opt_outs").await, ["0"]);
}

/// Customers 1 and 2 on a number with sessions of a minute, 3 on one with wrap-up; all active since second 10.
async fn three_sessions(pool: &Pool) {
    den_with(pool, &["papa", "baby", "mama"]).await;
    for (nr, to) in [(1, RUSH), (2, RUSH), (3, MAIN)] {
        active(pool, at(10), nr, to).await;
    }
}

#[tokio::test]
async fn the_row_decides_between_a_text_and_the_deadline() {
    let batch = [
        text(11, &customer(1), RUSH, "after it", at(70)),
        text(12, &customer(2), RUSH, "before it", at(69)),
        text(13, &customer(2), RUSH, "joins, for the one before extended it", at(75)),
        text(14, &customer(3), MAIN, "long before it", at(80)),
    ];
    let ran = run(80, three_sessions, &batch).await;
    let expired = ["session.expired", "room.closed", "contact.closed", "agent.freed"];
    let joined = ["entry.appended"];
    assert_eq!(all_names(&ran), [&[&expired[..], &OPENED[..]].concat()[..], &joined, &joined, &joined]);
    assert_eq!(the(&ran.outcomes[0], "contact.closed")["outcome"], "expired");
    let deadline = |nth: usize| the(&ran.outcomes[nth], "entry.appended")["deadline_at"].clone();
    assert_eq!([deadline(0), deadline(1), deadline(3)], [Value::Null, json!(at(140)), json!(at(7280))]);
    let pool = &ran.database.pool;
    let deadlines =
        lines(pool, "select timer_gen, deadline_at from sessions where ended_at is null order by deadline_at");
    let moved =
        |second| json!({"timer_gen": 1, "deadline_at": at(second).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()});
    assert_eq!(deadlines.await, json!([moved(140), moved(7280)]), "no timer is sent for it");
}

#[tokio::test]
async fn a_text_during_wrap_up_is_a_new_contact_that_prefers_the_same_agent() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        active(pool, at(12), 2, MAIN).await;
        crate::rehearsal::moved(pool, at(7289), "goldilocks", "available").await;
        ended(pool, at(7290), 1, MAIN).await;
    };
    // customer 2 writes after the deadline: expiry, wrap-up and the new contact come with the same text
    let batch = [
        text(11, &customer(1), MAIN, "one more thing", at(7300)),
        text(12, &customer(2), MAIN, "still there?", at(7300)),
        text(13, &customer(3), MAIN, "hello", at(7300)),
    ];
    let ran = run(7300, set_up, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), OPENED);
    assert_eq!(names(&ran.outcomes[1])[..3], ["session.expired", "room.closed", "wrap_up.due"]);
    let preferred = "select preferred_agent from contacts where state = 'queued' order by caused_by";
    assert_eq!(column(&ran.database.pool, preferred).await, ["goldilocks", "papa", "-"]);
}

#[tokio::test]
async fn whoever_leaves_a_chat_is_heard_out_and_the_contact_ends() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        handle(&ReceiveSms, pool, at(10), &[chat(1, "eve", "hey", at(10)), chat(2, "bob", "ho", at(10))]).await;
    };
    let left = |nr, visitor: &str, words: Option<&str>| {
        let body = json!({"tenant": "bears", "point_of_contact": "web", "visitor": visitor, "text": words,
                          "received_at": at(20)});
        told(nr, "chat.left", body)
    };
    let batch = [left(11, "eve", Some("bye")), left(12, "bob", None), left(13, "nobody", Some("?"))];
    let ran = run(20, set_up, &batch).await;
    let closed = ["room.closed", "contact.closed"];
    let heard_out = ["entry.appended", "room.closed", "contact.closed"];
    assert_eq!(all_names(&ran), [&heard_out[..], &closed[..], &[]]);
    assert_eq!(the(&ran.outcomes[0], "contact.closed")["outcome"], "abandoned");
    assert_eq!(column(&ran.database.pool, "select text from entries order by caused_by").await, ["hey", "ho", "bye"]);
}

#[tokio::test]
async fn texts_that_race_for_one_room_meet_in_it() {
    let database = crate::support::database::Database::new().await;
    den(&database.pool).await;
    let (one, other) = (database.pool.clone(), database.pool.clone());
    let say = |nr| vec![text(nr, &customer(1), MAIN, "hi", at(10))];
    let raced = tokio::join!(async { attempt(&ReceiveSms, &one, at(10), &say(1)).await }, async {
        attempt(&ReceiveSms, &other, at(10), &say(2)).await
    },);
    for (nr, came) in [(1, raced.0), (2, raced.1)] {
        if came.is_err() {
            handle(&ReceiveSms, &database.pool, at(11), &say(nr)).await;
        }
    }
    assert_eq!(column(&database.pool, "select count(*) from rooms").await, ["1"]);
    assert_eq!(column(&database.pool, "select seq from entries order by seq").await, ["1", "2"]);
}

/// Text 1 is parked by papa, 2 by mama, both since second 15.
async fn parked(pool: &Pool) {
    den_with(pool, &["papa"]).await;
    crate::support::recount::install(pool).await;
    for (nr, agent) in [(1, "papa"), (2, "mama")] {
        crate::rehearsal::moved(pool, at(9), agent, "available").await;
        assert_eq!(active(pool, at(10), nr, MAIN).await.as_str(), agent);
    }
    for (nr, agent) in [(1, "papa"), (2, "mama")] {
        let body = json!({"tenant": "bears", "by": {"kind": "agent", "name": agent}, "contact_id": contact(nr)});
        let worker = texthub::runtime::single::Each(crate::move_contact::MoveContact);
        handle(&worker, pool, at(15), &[told(90 + nr, "park.asked", body)]).await;
    }
}

/// … and papa has another contact since.
async fn parked_and_busy(pool: &Pool) {
    parked(pool).await;
    assert_eq!(active(pool, at(16), 3, MAIN).await.as_str(), "papa");
}

#[tokio::test]
async fn a_text_to_a_parked_contact_gives_it_back_to_who_parked_it_or_to_the_queue() {
    let batch = [
        text(11, &customer(1), MAIN, "the carpenter came", at(20)),
        text(12, &customer(2), MAIN, "here I am", at(20)),
        text(13, &customer(1), MAIN, "twice", at(20)),
        text(14, &customer(2), MAIN, "STOP", at(20)),
    ];
    let ran = run(20, parked_and_busy, &batch).await;
    let pool = &ran.database.pool;
    assert_eq!(names(&ran.outcomes[0]), ["contact.moved", "contact.queued", "entry.appended"], "papa has no slot");
    let queued = the(&ran.outcomes[0], "contact.queued");
    assert_eq!(queued["queued_at"], json!(at(10)), "in its old place");
    assert_eq!(names(&ran.outcomes[1]), ["contact.moved", "entry.appended"]);
    assert_eq!(the(&ran.outcomes[1], "contact.moved")["how"], "unparked");
    assert_eq!(the(&ran.outcomes[1], "entry.appended")["deadline_at"], json!(at(7220)), "the session went on");
    assert_eq!(names(&ran.outcomes[2]), ["entry.appended"]);
    let contacts = "select state || ' ' || coalesce(agent, preferred_agent) from contacts order by caused_by";
    assert_eq!(column(pool, contacts).await, ["queued papa", "active mama", "active papa"]);
    assert_eq!(column(pool, "select count(*) from rooms").await, ["3"], "no second room");
}

#[tokio::test]
async fn a_keyword_wakes_nobody() {
    let batch = [text(11, &customer(1), MAIN, "STOP", at(20)), text(12, &customer(2), MAIN, "HELP", at(20))];
    let ran = run(20, parked, &batch).await;
    assert_eq!(column(&ran.database.pool, "select state from contacts").await, ["parked", "parked"]);
}

#[tokio::test]
async fn where_the_number_has_a_flow_texts_are_said_to_it_and_to_nobody_else() {
    let set_up = async |pool: &Pool| {
        den(pool).await;
        let flow = "insert into flows values ('bears', 'x', 1);
                    update points_of_contact set flow = 'x' where id = 'main'";
        pool.get().await.unwrap().batch_execute(flow).await.unwrap();
    };
    let batch = [
        text(1, &customer(1), MAIN, "hello", at(10)),
        text(2, &customer(1), MAIN, "hello?", at(10)),
        text(3, &customer(2), RUSH, "hello", at(10)),
    ];
    let ran = run(10, set_up, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["room.opened", "entry.appended", "flow.texted"]);
    assert_eq!(names(&ran.outcomes[1]), ["entry.appended", "flow.texted"]);
    assert_eq!(the(&ran.outcomes[1], "flow.texted")["seq"], 2);
    assert_eq!(names(&ran.outcomes[2]), ["room.opened", "entry.appended", "contact.queued"]);
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select state from contacts order by state").await, ["prequeue", "queued"]);
    // an agent has it meanwhile: a repeat says what was said then, all the same
    let client = pool.get().await.unwrap();
    let state = "update contacts set state = 'active', agent = 'papa' where state = 'prequeue'";
    client.batch_execute(state).await.unwrap();
    let again = handle(&ReceiveSms, pool, at(20), &redelivered(&batch)).await;
    assert_eq!(again.iter().map(names).collect::<Vec<_>>(), ran.outcomes.iter().map(names).collect::<Vec<_>>());
}
