//! Limits of each channel beside the shared one, and chats that take more slots than one, as a tenant file sets them: every
//! way to a slot asks for both, and what was taken is given back whatever the file says by then.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde_json::{Value, json};
use texthub::facts::envelope::{Decode, Message, Publication};
use texthub::facts::ids::{ContactId, OfferId};
use texthub::routing::why;
use texthub::runtime::single::Each;
use texthub::runtime::worker::{Context, Outcome, Pass};
use texthub::tenant::apply::{Applied, Change, apply};
use texthub::tenant::check;

use super::{chat, column, contact, customer, moved, text};
use crate::move_contact::MoveContact;
use crate::post_reply::PostReply;
use crate::receive_sms::ReceiveSms;
use crate::reconcile::Match;
use crate::route_contact::{Matchable, RouteContact};
use crate::settle_offer::SettleOffer;
use crate::support::database::Database;
use crate::support::den::MAIN;
use crate::support::fixtures::at;
use crate::support::recount;
use crate::support::trial::{body, breaches, handle, heard, refusal, said, the, told};
use crate::wrap_up::WrapUp;

/// papa and mama of both channels, with limits of papa's and what a chat takes.
fn file(papa: &str, chat_slots: i32) -> String {
    let agent = |id: &str, limits: &str| {
        format!("[[agents]]\nid = \"{id}\"\nteam = \"den\"\n{limits}\nskills = {{ sms = 1, chat = 1 }}\n")
    };
    format!(
        "tenant = \"bears\"\nname = \"Bears\"\nsms_messaging = true\ntime_zone = \"UTC\"\n[channels.chat]\nslots = {chat_slots}\n\
         [[carriers]]\nid = \"sim\"\nkind = \"simulator\"\n\
         [[skills]]\nid = \"sms\"\nchannel = \"sms\"\n[[skills]]\nid = \"chat\"\nchannel = \"chat\"\n\
         [[teams]]\nid = \"den\"\nsession_limit = 5\n{}{}\
         [[points_of_contact]]\nid = \"main\"\nchannel = \"sms\"\nnumber = \"{MAIN}\"\nkind = \"long\"\ncountry = \"US\"\n\
         carrier = \"sim\"\nskill = \"sms\"\n[[points_of_contact]]\nid = \"web\"\nchannel = \"chat\"\nskill = \"chat\"\n",
        agent("papa", papa),
        agent("mama", "")
    )
}

/// Applies a file; the set-up is as old as the world.
async fn set(pool: &Pool, text: &str) -> Vec<Change> {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let Applied::Done(changes) = apply(&tx, &check::read(text).unwrap(), false).await.unwrap() else {
        panic!("mistaken");
    };
    let old = "update agents set limit_set_at = '2000-01-01Z'; update tenants set slots_set_at = '2000-01-01Z'";
    tx.batch_execute(old).await.unwrap();
    tx.commit().await.unwrap();
    changes
}

/// papa is there, and every commit is recounted.
async fn den_of(papa: &str, chat_slots: i32) -> Database {
    let database = Database::new().await;
    set(&database.pool, &file(papa, chat_slots)).await;
    recount::install(&database.pool).await;
    moved(&database.pool, at(1), "papa", "available").await;
    database
}

/// The matchers hear what was said; whom they offer to whom.
async fn matched(pool: &Pool, now: Timestamp, said: &[Publication]) -> Vec<(ContactId, String)> {
    let asks = said.iter().filter(|p| <Matchable as Decode>::FACTS.contains(&p.fact.as_ref()));
    let asks: Vec<Message<Matchable>> = asks.map(heard).collect();
    let outcomes = handle(&RouteContact, pool, now, &asks).await;
    let made = outcomes.iter().flat_map(self::said).filter(|p| p.fact == "offer.made").map(|p| body(&p));
    let pair = |offer: Value| {
        (serde_json::from_value(offer["contact_id"].clone()).unwrap(), offer["agent"].as_str().unwrap().to_owned())
    };
    made.map(pair).collect()
}

fn all(outcomes: &[Outcome]) -> Vec<Publication> {
    outcomes.iter().flat_map(said).collect()
}

/// Customers of these numbers write, by SMS or chat; whom they are offered to.
async fn come(pool: &Pool, second: i64, channel: &str, numbers: &[u128]) -> Vec<(ContactId, String)> {
    let now = at(second);
    let write = |nr: &u128| match channel {
        "chat" => chat(*nr, &format!("visitor-{nr}"), "hey", now),
        _ => text(*nr, &customer(*nr), MAIN, "hey", now),
    };
    let batch: Vec<_> = numbers.iter().map(write).collect();
    let came = Box::pin(handle(&ReceiveSms, pool, now, &batch)).await;
    matched(pool, now, &all(&came)).await
}

fn to(agent: &str, numbers: &[u128]) -> Vec<(ContactId, String)> {
    numbers.iter().map(|nr| (contact(*nr), agent.to_owned())).collect()
}

/// The answer to the offer of a contact; what is said.
async fn answer(pool: &Pool, second: i64, nr: u128, answer: &str) -> Vec<Publication> {
    let client = pool.get().await.unwrap();
    let pending = "select id, agent from offers where contact_id = $1 and state = 'pending'";
    let row = client.query_one(pending, &[&contact(nr)]).await.unwrap();
    let (offer, agent): (OfferId, String) = (row.get(0), row.get(1));
    let body = json!({"tenant": "bears", "agent": agent, "offer_id": offer, "answer": answer});
    let id = nr + 1_000 * u128::try_from(second).unwrap();
    all(&handle(&Each(SettleOffer), pool, at(second), &[told(id, "offer.answered", body)]).await)
}

async fn accepted(pool: &Pool, second: i64, channel: &str, nr: u128, agent: &str) {
    assert_eq!(come(pool, second, channel, &[nr]).await, to(agent, &[nr]));
    answer(pool, second, nr, "accept").await;
}

async fn end(pool: &Pool, second: i64, nr: u128) -> Vec<Publication> {
    let body = json!({"tenant": "bears", "by": {"kind": "supervisor", "name": "ranger"}, "contact_id": contact(nr), "reason": "done"});
    all(&handle(&Each(WrapUp), pool, at(second), &[told(nr + 400_000, "contact.ended", body)]).await)
}

async fn asked(pool: &Pool, second: i64, id: u128, fact: &'static str, by: &str, of: u128) -> Outcome {
    let kind = if by == "ranger" { "supervisor" } else { "agent" };
    let to = if fact == "park.asked" || fact == "unpark.asked" { Value::Null } else { json!("papa") };
    let body = json!({"tenant": "bears", "by": {"kind": kind, "name": by}, "contact_id": contact(of), "agent": to});
    handle(&Each(MoveContact), pool, at(second), &[told(id, fact, body)]).await.remove(0)
}

/// Slots, contacts by SMS and by chat of papa, while the audit finds nothing wrong.
async fn stands(pool: &Pool, second: i64) -> String {
    assert_eq!(breaches(pool, at(second)).await, [""; 0]);
    column(pool, "select slots_used || ' ' || sms_used || ' ' || chat_used from agents where id = 'papa'")
        .await
        .remove(0)
}

/// Why papa does not get a waiting contact.
async fn why_not(pool: &Pool, second: i64, nr: u128) -> String {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let answer = why::of_contact(&tx, at(second), contact(nr)).await.unwrap().unwrap();
    let judged = answer.queue.unwrap().agents.into_iter().find(|judged| judged.agent.as_str() == "papa").unwrap();
    judged.why_not.map_or_else(|| "eligible".into(), |why| why.sentence(at(second)))
}

#[tokio::test]
async fn a_contact_goes_where_both_limits_leave_room() {
    let database = den_of("chat_limit = 1", 1).await;
    let pool = &database.pool;
    assert_eq!(come(pool, 10, "chat", &[1, 2]).await, to("papa", &[1]), "the shared limit leaves room for four more");
    assert_eq!(why_not(pool, 11, 2).await, "channel_full: chat 1/1");
    assert_eq!(come(pool, 12, "sms", &[3, 4, 5, 6]).await, to("papa", &[3, 4, 5, 6]));
    assert_eq!(stands(pool, 13).await, "5 4 1");
    let database = den_of("session_limit = 1\nchat_limit = 3", 1).await;
    let pool = &database.pool;
    assert_eq!(come(pool, 10, "sms", &[1]).await, to("papa", &[1]));
    assert_eq!(come(pool, 11, "chat", &[2]).await, [], "the channel's limit leaves room for three");
    assert_eq!(why_not(pool, 12, 2).await, "no_free_slot: slots 1/1");
    assert_eq!(stands(pool, 30).await, "1 1 0");
}

#[tokio::test]
async fn two_chats_of_two_slots_and_a_text_fill_a_limit_of_five_and_three_chats_pass_it() {
    let database = den_of("", 2).await;
    let pool = &database.pool;
    assert_eq!(come(pool, 10, "chat", &[1, 2, 3]).await, to("papa", &[1, 2]));
    assert_eq!(stands(pool, 11).await, "4 0 2");
    assert_eq!(why_not(pool, 11, 3).await, "no_free_slot: slots 4/5, and the contact takes 2");
    let taken_over = asked(pool, 11, 900, "takeover.asked", "ranger", 3).await;
    assert_eq!(refusal(&taken_over), "no_free_slot", "one slot is free");
    assert_eq!(come(pool, 12, "sms", &[4, 5]).await, to("papa", &[4]), "a chat that waits before them blocks no text");
    assert_eq!(stands(pool, 40).await, "5 1 2");
    let made = column(pool, "select slots from offers order by slots").await;
    assert_eq!(made, ["1", "2", "2"], "kept with what holds them");
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert_eq!(
        Match.round(&tx, &Context { now: at(41) }).await.unwrap().len(),
        0,
        "nobody fits: the pass asks for nothing"
    );
}

#[tokio::test]
async fn what_was_taken_is_given_back_whatever_the_file_says_by_then() {
    let database = den_of("", 2).await;
    let pool = &database.pool;
    accepted(pool, 10, "chat", 1, "papa").await;
    assert_eq!(come(pool, 11, "chat", &[2]).await, to("papa", &[2]));
    assert_eq!(set(pool, &file("", 3)).await.len(), 1);
    assert_eq!(stands(pool, 12).await, "4 0 2", "what is held stays as it was taken");
    assert_eq!(come(pool, 13, "chat", &[3]).await, []);
    let freed = end(pool, 14, 1).await;
    let fact = body(freed.iter().find(|p| p.fact == "agent.freed").unwrap());
    assert_eq!((&fact["slots_used"], &fact["chat_used"], &fact["sms_used"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(matched(pool, at(14), &freed).await, to("papa", &[3]), "two and three are five");
    assert_eq!(stands(pool, 15).await, "5 0 2");
    assert_eq!(set(pool, &file("", 1)).await.len(), 1);
    answer(pool, 16, 2, "refuse").await;
    assert_eq!(stands(pool, 17).await, "3 0 1", "a refused offer gives back its two");
    answer(pool, 18, 3, "accept").await;
    asked(pool, 19, 900, "park.asked", "papa", 3).await;
    assert_eq!(stands(pool, 20).await, "0 0 0", "a parked one its three");
    asked(pool, 21, 901, "unpark.asked", "papa", 3).await;
    assert_eq!(stands(pool, 22).await, "1 0 1", "and takes what a chat takes now");
    set(pool, &file("", 4)).await;
    moved(pool, at(23), "mama", "available").await;
    let transfer =
        json!({"tenant": "bears", "by": {"kind": "agent", "name": "papa"}, "contact_id": contact(3), "agent": "mama"});
    handle(&Each(MoveContact), pool, at(23), &[told(902, "transfer.asked", transfer)]).await;
    set(pool, &file("", 1)).await;
    answer(pool, 24, 3, "accept").await;
    assert_eq!(stands(pool, 25).await, "0 0 0", "the first agent's one is free");
    assert_eq!(column(pool, "select slots_used from agents where id = 'mama'").await, ["4"], "the other one took four");
    end(pool, 26, 3).await;
    assert_eq!(column(pool, "select slots_used from agents where id = 'mama'").await, ["0"]);
    assert_eq!(breaches(pool, at(26)).await, [""; 0]);
}

#[tokio::test]
async fn every_way_to_a_slot_is_refused_at_the_limit_of_the_channel() {
    let database = den_of("chat_limit = 1\nsms_limit = 1", 2).await;
    let pool = &database.pool;
    accepted(pool, 10, "chat", 1, "papa").await;
    asked(pool, 11, 900, "park.asked", "papa", 1).await;
    accepted(pool, 12, "chat", 2, "papa").await;
    accepted(pool, 13, "sms", 3, "papa").await;
    assert_eq!(stands(pool, 14).await, "3 1 1", "two slots are free");
    moved(pool, at(15), "mama", "available").await;
    accepted(pool, 15, "chat", 4, "mama").await;
    let refused = async |id, fact, by, of| refusal(&asked(pool, 20, id, fact, by, of).await);
    assert_eq!(refused(901, "unpark.asked", "papa", 1).await, "channel_full");
    assert_eq!(refused(902, "transfer.asked", "mama", 4).await, "channel_full");
    assert_eq!(refused(903, "takeover.asked", "ranger", 4).await, "channel_full");
    let outreach = json!({"tenant": "bears", "agent": "papa", "to": customer(9), "text": "hi", "written_at": at(20)});
    let outreach = handle(&PostReply, pool, at(20), &[told(904, "outreach.written", outreach)]).await;
    assert_eq!(refusal(&outreach[0]), "channel_full");
    let wakes = [chat(905, "visitor-1", "still there?", at(21))];
    let woken = Box::pin(handle(&ReceiveSms, pool, at(21), &wakes)).await;
    assert_eq!(
        the(&woken[0], "contact.queued")["contact_id"],
        json!(contact(1)),
        "who parked it has no room for a chat"
    );
    assert_eq!(stands(pool, 22).await, "3 1 1");
}

#[tokio::test]
async fn a_slot_that_is_freed_by_one_channel_goes_to_whichever_now_has_room() {
    let database = den_of("session_limit = 3\nchat_limit = 1", 2).await;
    let pool = &database.pool;
    accepted(pool, 10, "sms", 1, "papa").await;
    accepted(pool, 11, "chat", 2, "papa").await;
    assert_eq!(come(pool, 12, "chat", &[3]).await, []);
    assert_eq!(come(pool, 13, "sms", &[4]).await, []);
    assert_eq!(stands(pool, 14).await, "3 1 1");
    let freed = end(pool, 15, 1).await;
    assert_eq!(matched(pool, at(15), &freed).await, to("papa", &[4]), "the chat waits longer, and has no room");
    let freed = end(pool, 16, 2).await;
    assert_eq!(matched(pool, at(16), &freed).await, to("papa", &[3]));
    assert_eq!(stands(pool, 40).await, "3 1 1");
    answer(pool, 41, 3, "accept").await;
    assert_eq!(come(pool, 42, "sms", &[5, 6]).await, []);
    let freed = end(pool, 43, 3).await;
    assert_eq!(matched(pool, at(43), &freed).await, to("papa", &[5, 6]), "a chat's two slots are two texts'");
    assert_eq!(stands(pool, 44).await, "3 3 0");
}

#[tokio::test]
async fn a_limit_of_a_channel_lowered_below_use_evicts_nobody_and_admits_nobody() {
    let database = Database::new().await;
    let pool = &database.pool;
    set(pool, &file("", 1)).await;
    moved(pool, at(1), "papa", "available").await;
    accepted(pool, 10, "chat", 1, "papa").await;
    accepted(pool, 11, "chat", 2, "papa").await;
    let lower = file("chat_limit = 1", 1);
    let changes = set(pool, &lower).await;
    assert_eq!(serde_json::to_value(&changes[0].keys).unwrap(), json!({"chat_limit": [null, 1]}));
    assert_eq!(set(pool, &lower).await, [], "again, it changes nothing");
    // as old as what it does not evict
    let since = format!("update agents set limit_set_at = '{}'", at(12));
    pool.get().await.unwrap().batch_execute(&since).await.unwrap();
    assert_eq!(stands(pool, 13).await, "2 0 2");
    assert_eq!(come(pool, 14, "chat", &[3]).await, []);
    assert_eq!(why_not(pool, 15, 3).await, "channel_full: chat 2/1");
    let freed = end(pool, 16, 1).await;
    assert_eq!(matched(pool, at(16), &freed).await, [], "one is left, as many as allowed");
    let freed = end(pool, 17, 2).await;
    assert_eq!(matched(pool, at(17), &freed).await, to("papa", &[3]));
    assert_eq!(stands(pool, 18).await, "1 0 1");
    let forced = "update agents set chat_used = 2, slots_used = 2, chat_most = 1 where id = 'papa';
        insert into offers (id, tenant, contact_id, room_id, agent, state, made_at, lapses_at, caused_by, ordinal)
        select gen_random_uuid(), tenant, id, room_id, 'papa', 'pending', made.at, made.at, caused_by, 9
        from contacts, (select max(made_at) as at from offers) made where ended_at is not null limit 1";
    pool.get().await.unwrap().batch_execute(forced).await.unwrap();
    let broken = breaches(pool, at(18)).await;
    assert!(broken.iter().any(|line| line.contains("holds 2 contacts by chat, the limit is 1")), "{broken:?}");
}

#[tokio::test]
async fn a_skill_keeps_its_channel() {
    let database = den_of("", 1).await;
    let other = file("", 1).replace("id = \"sms\"\nchannel = \"sms\"", "id = \"sms\"\nchannel = \"chat\"");
    let other = other.replace(
        "id = \"web\"\nchannel = \"chat\"\nskill = \"chat\"",
        "id = \"web\"\nchannel = \"chat\"\nskill = \"sms\"",
    );
    let other = other.replace("carrier = \"sim\"\nskill = \"sms\"", "carrier = \"sim\"\nskill = \"texts\"")
        + "[[skills]]\nid = \"texts\"\nchannel = \"sms\"\n";
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let Applied::Mistaken(mistakes) = apply(&tx, &check::read(&other).unwrap(), false).await.unwrap() else {
        panic!("taken");
    };
    let told: Vec<String> = mistakes.iter().map(|mistake| mistake.sentence("f")).collect();
    let expected = "f:12: the skill sms is for sms, and a skill keeps its channel; write channel = \"sms\", or give the skill \
                    for chat an id of its own";
    assert_eq!(told, [expected]);
}
