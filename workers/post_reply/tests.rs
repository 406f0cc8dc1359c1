//! On a migrated database, every way through the harness: what replies, notes and outreach write, and every refusal.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde_json::{Value, json};
use texthub::facts::ids::RoomId;

use super::*;
use crate::receive_sms::ReceiveSms;
use crate::rehearsal::{active, column, customer, den_with, ended, lines, moved, offered, queued, room, text};
use crate::support::database::Database;
use crate::support::den::{ENDED, MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{Apart, Ran, handle, names, refusal, said, the, told, trial};

const APART: &[Apart] = &[("heard", "said", "agent.freed tells of the agent's slots as of the end of the batch")];

async fn run(now: i64, set_up: impl AsyncFn(&Pool), batch: &[Message<Written>]) -> Ran {
    trial(&PostReply, at(now), APART, set_up, batch).await
}

fn refusals(ran: &Ran) -> Vec<String> {
    ran.outcomes
        .iter()
        .map(|o| if names(o).contains(&"command.refused".into()) { refusal(o) } else { "done".into() })
        .collect()
}

fn line(nr: u128, fact: &str, agent: &str, room: RoomId, text: &str) -> Message<Written> {
    told(nr, fact, json!({"tenant": "bears", "agent": agent, "room_id": room, "text": text, "written_at": at(19)}))
}

fn reply(nr: u128, agent: &str, of: u128, text: &str) -> Message<Written> {
    line(nr, "reply.written", agent, room(of), text)
}

fn note(nr: u128, agent: &str, of: u128, text: &str) -> Message<Written> {
    line(nr, "note.written", agent, room(of), text)
}

/// Text 1 is active with papa, 2 and 3 (urgent: no wrap-up, sessions of a minute) with baby, all since second 10.
async fn three_active(pool: &Pool) {
    den_with(pool, &["papa", "baby"]).await;
    recount::install(pool).await;
    for (nr, to) in [(1, MAIN), (2, RUSH), (3, RUSH)] {
        active(pool, at(10), nr, to).await;
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

#[tokio::test]
async fn replies_are_sent_and_extend_the_session_notes_do_neither() {
    let longest = "x".repeat(1_600);
    let batch = [
        reply(100, "papa", 1, "hello"),
        note(101, "baby", 2, "a difficult one"),
        reply(102, "papa", 1, &longest),
        note(103, "papa", 1, &"y".repeat(10_000)),
        reply(104, "baby", 3, "a\0b"),
    ];
    let ran = run(20, three_active, &batch).await;
    let (sent, noted) = (["entry.appended", "sms.requested"], ["entry.appended"]);
    let expected: [&[&str]; 5] = [&sent, &noted, &sent, &noted, &sent];
    assert_eq!(ran.outcomes.iter().map(names).collect::<Vec<_>>(), expected);
    let pool = &ran.database.pool;
    let entries = "select kind || seq from entries e where author = 'agent' order by caused_by";
    assert_eq!(column(pool, entries).await, ["text2", "note2", "text3", "note4", "text2"]);
    assert_eq!(column(pool, "select parts from entries where author = 'agent' order by caused_by").await[2], "11");
    let deadlines = lines(pool, "select distinct deadline_at from sessions order by 1").await;
    let [noted, replied, papas] = [70, 80, 7220].map(|second| json!({"deadline_at": time(at(second))}));
    assert_eq!(deadlines, json!([noted, replied, papas]));
    assert_eq!(the(&ran.outcomes[4], "sms.requested")["text"], "a\u{FFFD}b");
}

#[tokio::test]
async fn a_reply_in_chat_is_posted_and_nothing_leaves() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["mama"]).await;
        let came = handle(&ReceiveSms, pool, at(10), &[crate::rehearsal::chat(1, "eve", "hey", at(10))]).await;
        let queued = said(&came[0]).pop().unwrap();
        handle(&crate::route_contact::RouteContact, pool, at(10), &[crate::support::trial::heard(&queued)]).await;
        let body = json!({"tenant": "bears", "agent": "mama", "offer_id": crate::rehearsal::offer(1, "chat"), "answer": "accept"});
        let accept = told(50, "offer.answered", body);
        handle(&texthub::runtime::single::Each(crate::settle_offer::SettleOffer), pool, at(10), &[accept]).await;
    };
    let ran = run(20, set_up, &[reply(100, "mama", 1, "hello")]).await;
    assert_eq!(the(&ran.outcomes[0], "entry.appended")["state"], "posted");
    assert_eq!(names(&ran.outcomes[0]).len(), 1);
    assert_eq!(column(&ran.database.pool, "select count(*) from sms").await, ["0"]);
}

#[tokio::test]
async fn a_reply_is_refused_with_its_reason() {
    let set_up = async |pool: &Pool| {
        three_active(pool).await;
        moved(pool, at(12), "goldilocks", "available").await;
        ended(pool, at(13), 4, MAIN).await;
        handle(&ReceiveSms, pool, at(14), &[text(50, &customer(2), RUSH, "STOP", at(14))]).await;
    };
    let foreign = json!({"tenant": "foxes", "agent": "fox", "room_id": room(1), "text": "x", "written_at": at(19)});
    let batch = [
        reply(100, "nobody", 1, "x"),
        reply(101, "papa", 9, "x"),
        told(102, "reply.written", foreign),
        reply(103, "mama", 1, "x"),
        reply(104, "goldilocks", 4, "x"),
        reply(105, "baby", 2, "x"),
        note(106, "baby", 2, "opted out, and noted"),
        reply(107, "papa", 1, ""),
        reply(108, "papa", 1, &"é".repeat(1_601)),
        note(109, "papa", 1, &"n".repeat(10_001)),
    ];
    let ran = run(20, set_up, &batch).await;
    let reasons = [
        "unknown_agent",
        "unknown_room",
        "unknown_room",
        "not_a_member",
        "room_closed",
        "opted_out",
        "done",
        "text_length",
        "text_length",
        "text_length",
    ];
    assert_eq!(refusals(&ran), reasons);
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select reason from refusals order by refused_id").await.len(), 9);
    assert_eq!(column(pool, "select count(*) from entries where author = 'agent'").await, ["1"]);
}

#[tokio::test]
async fn a_reply_past_the_deadline_expires_the_session_and_is_refused() {
    let batch = [reply(100, "baby", 2, "too late"), reply(101, "baby", 2, "still"), reply(102, "baby", 3, "too")];
    let ran = run(70, three_active, &batch).await;
    assert_eq!(refusals(&ran), ["session_expired"; 3]);
    let facts = ["session.expired", "room.closed", "contact.closed", "agent.freed", "command.refused"];
    assert_eq!(names(&ran.outcomes[0]), facts);
    assert_eq!(names(&ran.outcomes[1]), ["command.refused"]);
    let pool = &ran.database.pool;
    assert_eq!(column(pool, "select outcome from contacts where state = 'closed'").await, ["expired", "expired"]);
    assert_eq!(column(pool, "select slots_used from agents where id = 'baby'").await, ["0"]);
}

fn outreach(nr: u128, agent: &str, to: &str, more: Value) -> Message<Written> {
    let mut body = json!({"tenant": "bears", "agent": agent, "to": to, "text": "good morning", "written_at": at(19)});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    told(nr, "outreach.written", body)
}

#[tokio::test]
async fn an_outreach_opens_a_room_with_its_session_and_takes_a_slot_even_of_an_unavailable_agent() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["mama"]).await;
        recount::install(pool).await;
        moved(pool, at(5), "mama", "unavailable").await;
    };
    let batch = [
        outreach(100, "mama", &customer(1), json!({"our_number": MAIN})),
        outreach(101, "mama", &customer(1), json!({"our_number": MAIN, "text": "and again"})),
        outreach(102, "mama", &customer(2), json!({"skill": "urgent"})),
        outreach(103, "mama", &customer(3), json!({"our_number": MAIN})),
    ];
    let ran = run(20, set_up, &batch).await;
    let opened = ["room.opened", "session.started", "session.due", "entry.appended", "sms.requested"];
    assert_eq!(names(&ran.outcomes[0]), opened);
    assert_eq!(names(&ran.outcomes[1]), ["entry.appended", "sms.requested"], "into the agent's own room");
    assert_eq!(the(&ran.outcomes[2], "sms.requested")["from"], RUSH);
    assert_eq!(refusal(&ran.outcomes[3]), "no_free_slot");
    let pool = &ran.database.pool;
    assert_eq!(
        column(pool, "select skill || state from contacts order by caused_by").await,
        ["smsactive", "urgentactive"]
    );
    assert_eq!(column(pool, "select timeout_s from sessions order by 1").await, ["60", "7200"]);
}

#[tokio::test]
async fn an_outreach_is_refused_with_its_reason() {
    let set_up = async |pool: &Pool| {
        three_active(pool).await;
        moved(pool, at(11), "mama", "available").await;
        handle(&ReceiveSms, pool, at(14), &[text(50, &customer(8), MAIN, "STOP", at(14))]).await;
        offered(pool, at(15), 4, MAIN).await;
        moved(pool, at(16), "goldilocks", "available").await;
    };
    let to = customer(7);
    let on_main = || json!({"our_number": MAIN});
    let wolf = json!({"tenant": "wolves", "agent": "wolf"});
    let batch = [
        outreach(100, "nobody", &to, on_main()),
        outreach(101, "mama", &to, json!({"tenant": "cubs"})),
        outreach(102, "mama", &to, wolf),
        outreach(103, "mama", "0049123", on_main()),
        outreach(104, "mama", &to, json!({"our_number": MAIN, "text": ""})),
        outreach(105, "mama", &to, json!({})),
        outreach(106, "mama", &to, json!({"our_number": ENDED})),
        outreach(107, "mama", &to, json!({"our_number": MAIN, "skill": "chat"})),
        outreach(108, "mama", &customer(8), on_main()),
        outreach(109, "mama", &customer(1), on_main()),
        outreach(110, "goldilocks", &customer(4), on_main()),
        outreach(111, "papa", &to, on_main()),
        outreach(112, "mama", "911", on_main()),
        outreach(113, "mama", "+19005550123", on_main()),
        outreach(114, "mama", "+1555010", on_main()),
    ];
    let ran = run(20, set_up, &batch).await;
    let reasons = [
        "unknown_agent",
        "unknown_tenant",
        "disabled_tenant",
        "bad_number",
        "text_length",
        "no_number",
        "no_number",
        "not_found",
        "opted_out",
        "held_by_other",
        "held_by_other",
        "no_free_slot",
        "emergency_number",
        "premium_number",
        "bad_number",
    ];
    assert_eq!(refusals(&ran), reasons);
    assert_eq!(column(&ran.database.pool, "select count(*) from sms where not is_confirmation").await, ["0"]);
    moved(&ran.database.pool, at(21), "goldilocks", "logged_out").await;
    let late = handle(&PostReply, &ran.database.pool, at(22), &[outreach(200, "goldilocks", &to, on_main())]).await;
    assert_eq!(refusal(&late[0]), "logged_out");
}

#[tokio::test]
async fn an_outreach_takes_a_waiting_contact_over_and_accepts_an_own_offer() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        recount::install(pool).await;
        offered(pool, at(10), 1, MAIN).await;
        queued(pool, at(11), 2, MAIN).await;
        moved(pool, at(12), "mama", "unavailable").await;
    };
    let batch = [
        outreach(100, "papa", &customer(1), json!({"our_number": MAIN})),
        outreach(101, "mama", &customer(2), json!({"our_number": MAIN})),
    ];
    let ran = run(20, set_up, &batch).await;
    let started = ["session.started", "session.due", "entry.appended", "sms.requested"];
    assert_eq!(names(&ran.outcomes[0]), [&["offer.settled"][..], &started[..]].concat());
    assert_eq!(names(&ran.outcomes[1]), started);
    let pool = &ran.database.pool;
    let held = "select agent || ' ' || (select slots_used from agents a where a.id = c.agent) from contacts c order by queued_at";
    assert_eq!(column(pool, held).await, ["papa 1", "mama 1"]);
    assert_eq!(column(pool, "select seq from entries where author = 'agent'").await, ["2", "2"]);
}

#[tokio::test]
async fn an_outreach_past_the_deadline_begins_a_new_session() {
    let set_up = async |pool: &Pool| {
        den_with(pool, &["papa"]).await;
        recount::install(pool).await;
        active(pool, at(10), 1, RUSH).await;
    };
    let ran = run(70, set_up, &[outreach(100, "papa", &customer(1), json!({"our_number": RUSH}))]).await;
    let facts = [
        "session.expired",
        "room.closed",
        "contact.closed",
        "agent.freed",
        "room.opened",
        "session.started",
        "session.due",
        "entry.appended",
        "sms.requested",
    ];
    assert_eq!(names(&ran.outcomes[0]), facts);
    assert_eq!(column(&ran.database.pool, "select slots_used from agents where id = 'papa'").await, ["1"]);
}

#[tokio::test]
async fn an_id_used_for_another_command_is_set_aside() {
    let set_up = async |pool: &Pool| {
        three_active(pool).await;
        handle(&PostReply, pool, at(15), &[reply(100, "papa", 1, "one"), reply(101, "papa", 9, "one")]).await;
    };
    let batch = [reply(100, "papa", 1, "two"), note(101, "papa", 1, "one"), reply(102, "papa", 1, "three")];
    let ran = run(20, set_up, &batch).await;
    assert_eq!(names(&ran.outcomes[0]), ["id_reused"]);
    assert_eq!(names(&ran.outcomes[1]), ["id_reused"]);
    assert_eq!(
        column(&ran.database.pool, "select text from entries where author = 'agent' order by seq").await,
        ["one", "three"]
    );
}

#[tokio::test]
async fn an_outreach_takes_the_agents_own_parked_contact_back_and_leaves_anothers() {
    let set_up = async |pool: &Pool| {
        three_active(pool).await;
        moved(pool, at(11), "mama", "available").await;
        let body = json!({"tenant": "bears", "by": {"kind": "agent", "name": "papa"},
                          "contact_id": crate::rehearsal::contact(1)});
        let worker = texthub::runtime::single::Each(crate::move_contact::MoveContact);
        handle(&worker, pool, at(15), &[told(90, "park.asked", body)]).await;
    };
    let batch = [
        outreach(100, "mama", &customer(1), json!({"our_number": MAIN})),
        reply(101, "papa", 1, "still parked"),
        outreach(102, "papa", &customer(1), json!({"our_number": MAIN})),
    ];
    let ran = run(20, set_up, &batch).await;
    assert_eq!(refusals(&ran), ["held_by_other", "parked", "done"]);
    assert_eq!(names(&ran.outcomes[2]), ["contact.moved", "entry.appended", "sms.requested"]);
    let pool = &ran.database.pool;
    assert_eq!(
        column(pool, "select state || ' ' || agent from contacts order by caused_by limit 1").await,
        ["active papa"]
    );
    assert_eq!(column(pool, "select slots_used from agents where id = 'papa'").await, ["1"]);
}

/// At 19 seconds it is three o'clock in New York.
const NEW_YORK: &str = "+12125552368";

#[tokio::test]
async fn outreach_at_night_is_held_and_its_author_learns_until_when() {
    let set_up = async |pool: &Pool| den_with(pool, &["mama"]).await;
    let batch = [
        outreach(100, "mama", NEW_YORK, json!({"our_number": MAIN})),
        outreach(101, "mama", NEW_YORK, json!({"our_number": MAIN, "purpose": "informational"})),
    ];
    let ran = run(20, set_up, &batch).await;
    let held = the(&ran.outcomes[0], "sms.held");
    assert_eq!((&held["reason"], &held["until"]), (&json!("quiet_hours"), &json!(at(18_000))));
    assert!(!names(&ran.outcomes[0]).iter().any(|name| name == "sms.requested"));
    assert!(names(&ran.outcomes[1]).iter().any(|name| name == "sms.requested"), "no hours of the law are about it");
    let kept = "select state || ' ' || purpose || ' ' || (quiet_asked ->> 'verdict') from sms order by seq";
    assert_eq!(
        column(&ran.database.pool, kept).await,
        ["held promotional quiet", "requested informational open"],
        "with the decision"
    );
}

#[tokio::test]
async fn an_answer_leaves_at_any_hour_and_a_text_into_a_room_where_nobody_answered_does_not() {
    let pool = Database::new().await;
    let pool = &pool.pool;
    den_with(pool, &["mama"]).await;
    handle(&PostReply, pool, at(19), &[outreach(100, "mama", NEW_YORK, json!({"our_number": MAIN}))]).await;
    let room = column(pool, "select id from rooms").await.remove(0);
    let reply = |nr| {
        let body = json!({"tenant": "bears", "agent": "mama", "room_id": room, "text": "hello", "written_at": at(19)});
        told(nr, "reply.written", body)
    };
    let unasked = handle(&PostReply, pool, at(20), &[reply(101)]).await;
    assert_eq!(names(&unasked[0]), ["entry.appended", "sms.held"]);
    assert_eq!(handle(&PostReply, pool, at(21), &[reply(101)]).await, unasked, "a repeat says the same");
    handle(&ReceiveSms, pool, at(22), &[text(50, NEW_YORK, MAIN, "who is this?", at(22))]).await;
    let answer = handle(&PostReply, pool, at(23), &[reply(102)]).await;
    assert_eq!(names(&answer[0]), ["entry.appended", "sms.requested"]);
    let never = "update tenants set quiet_hours = '{\"exempt\": [], \"days\": [\"sun\"], \"to\": \"07:00\"}'";
    pool.get().await.unwrap().execute(never, &[]).await.unwrap();
    let held = handle(&PostReply, pool, at(24), &[reply(103)]).await;
    assert_eq!(names(&held[0]), ["entry.appended", "sms.held"], "where the tenant exempts nothing");
    let named = json!({"our_number": MAIN, "purpose": "promotional"});
    let refused = handle(&PostReply, pool, at(25), &[outreach(104, "mama", NEW_YORK, named)]).await;
    assert_eq!(refusal(&refused[0]), "no_hours");
}
