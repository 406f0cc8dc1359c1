//! Random sequences of what customers, agents and programs do, in a small world: few customers, four agents with small
//! limits, of each channel too, chats that take more or fewer slots, three skills. Each sequence follows from its seed; a
//! failure tells it and the way there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deadpool_postgres::Pool;
use serde_json::{Value, json};
use texthub::facts::ids::Slug;
use texthub::flow::store;
use texthub::hub::slot;
use texthub::runtime::clock::Stopwatch;
use texthub::runtime::db;

use super::world::World;
use super::{customer, den};
use crate::send_sms::SendSms;
use crate::support::database::Database;
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::{recount, trial};

/// Sequences of an ordinary run, and the seconds after which no other one begins.
const SEQUENCES: u64 = 2_000;
const SECONDS: u64 = 420;
/// Sequences of a long run.
const MANY: u64 = 5_000;
/// How much happens in one: mostly little, at times much.
const STEPS: [usize; 6] = [6, 6, 8, 12, 16, 40];
/// After so many of them the invariants are checked, beside the checks at the end of each sequence.
const CHECKED: usize = 12;
/// Worlds side by side, each on a database of its own.
const WORLDS: u64 = 3;

const AGENTS: [&str; 4] = ["papa", "mama", "baby", "goldilocks"];

#[test]
fn whatever_happens_in_whatever_order_the_invariants_hold() {
    hold(SEQUENCES, SECONDS);
}

#[test]
#[ignore = "long: ./dev test --long"]
fn whatever_happens_in_whatever_order_the_invariants_hold_for_long() {
    hold(MANY, u64::MAX);
}

fn hold(sequences: u64, seconds: u64) {
    let again = trial::seed();
    let first = again.unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let until = first + if again.is_some() { 1 } else { sequences };
    let began = Stopwatch::start();
    let next = Arc::new(AtomicU64::new(first));
    let worlds = (0..WORLDS).map(|_| {
        let next = Arc::clone(&next);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (database, mut tally): (_, BTreeMap<String, u32>) = (stage().await, BTreeMap::new());
                let mut sender = SendSms::by_simulator("http://127.0.0.1:9");
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= until || began.elapsed().as_secs() >= seconds {
                        return tally;
                    }
                    let mut world = World::new(database.pool.clone(), at(0), seed, sender.afresh());
                    sequence(&mut world).await;
                    for (fact, count) in std::mem::take(&mut world.tally) {
                        *tally.entry(fact).or_default() += count;
                    }
                    // its connections: to make one costs as much as a sequence
                    sender = world.sender.afresh();
                }
            })
        })
    });
    let worlds: Vec<_> = worlds.collect();
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for (fact, count) in worlds.into_iter().flat_map(|world| world.join().expect("its seed is told above")) {
        *tally.entry(fact).or_default() += count;
    }
    let played = next.load(Ordering::Relaxed).min(until) - first;
    println!("{played} sequences from seed {first} in {:.1} s: {tally:#?}", began.elapsed().as_secs_f64());
}

/// The den, where a deadlock is told soon and every commit recounts the slots.
async fn stage() -> Database {
    let mut database = Database::new().await;
    // tables of a few rows are not worth workers of their own
    for setting in ["deadlock_timeout = 20", "max_parallel_workers_per_gather = 0"] {
        let set = format!("do $$ begin execute format('alter database %I set {setting}', current_database()); end $$");
        database.pool.get().await.unwrap().batch_execute(&set).await.unwrap();
    }
    // its connections are made before the setting
    database.pool = db::pool(&database.url, "texthub test", 4).unwrap();
    den(&database.pool).await;
    flow(&database.pool).await;
    recount::install(&database.pool).await;
    let answers = "update skills set response_s = 60, response_reminder_s = 20 where id = 'urgent';
        update skills set dispositions = '{solved,other}', disposition_required = true, default_disposition = 'other'
        where id = 'sms';
        update skills set max_wait_s = 900, max_wait_text = 'please wait', overflow_skill = 'urgent'
        where tenant = 'bears' and id = 'sms';
        update skills set max_wait_text = 'busy', overflow_skill = 'sms' where id = 'urgent';
        update agents set session_limit = 4, slot_limit = 4, sms_limit = 2, sms_most = 2, chat_limit = 1, chat_most = 1
        where id = 'mama';
        update agents set session_limit = 3, slot_limit = 3, sms_limit = 1, sms_most = 1 where id = 'baby';
        insert into codes (tenant, id, name, max_s) values ('bears', 'lunch', 'Lunch', 100)";
    database.pool.get().await.unwrap().batch_execute(answers).await.unwrap();
    database
}

/// A flow that asks, waits, queues, and moves within the queue.
async fn flow(pool: &Pool) {
    let document = json!({"name": "Menu", "start": "ask", "nodes": {
        "ask": {"type": "ask", "text": "more?", "timeout_s": 20, "retries": 1,
                "branches": [{"keywords": ["more"], "next": "agent"}], "otherwise": "pause", "timed_out": "bye"},
        "pause": {"type": "wait", "seconds": 5, "next": "agent"},
        "agent": {"type": "request_agent", "skill": "sms", "prefer": "last_agent", "hold_s": 5, "nobody_logged_in": "bye",
                  "waited": [{"seconds": 10, "next": "sorry"}, {"seconds": 30, "next": "urgent"}]},
        "sorry": {"type": "send", "text": "sorry", "next": "agent"},
        "urgent": {"type": "request_agent", "skill": "urgent", "priority": 9, "waited": [{"seconds": 300, "next": "bye"}]},
        "bye": {"type": "send", "text": "bye", "next": "end"}, "end": {"type": "end"}}});
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let (bears, menu) = (Slug::new("bears").unwrap(), Slug::new("menu").unwrap());
    store::publish(&tx, at(0), &bears, &menu, &document, None).await.unwrap();
    tx.commit().await.unwrap();
}

async fn sequence(world: &mut World) {
    let pool = world.pool.clone();
    forget(&pool).await;
    if world.happens(50) {
        let begins = "update points_of_contact set flow = 'menu' where id = 'main'";
        pool.get().await.unwrap().batch_execute(begins).await.unwrap();
    }
    for agent in AGENTS {
        if world.happens(80) {
            world.publish(
                "agent.moved",
                json!({"tenant": "bears", "agent": agent, "state": "available", "moved_at": at(0)}),
            );
        }
    }
    for step in 0..world.one(&STEPS) {
        happen(world).await;
        for _ in 0..world.chance.usize(..5) {
            world.deliver().await;
        }
        if step % CHECKED == CHECKED - 1 {
            world.check().await;
        }
    }
    world.come_to_rest().await;
    world.come_to_an_end().await;
}

/// The world is empty again.
async fn forget(pool: &Pool) {
    let forget = "delete from flow_runs; delete from flow_brakes; update points_of_contact set flow = null;
         delete from ready_agents; delete from receipts; delete from sms_parts; delete from sms;
         delete from sessions; delete from offers; delete from entries; delete from contacts; delete from rooms;
         delete from heard; delete from inbound_ids; delete from refusals;
         alter table consent_entries disable trigger user; delete from consent_entries;
         alter table consent_entries enable trigger user;
         delete from opt_outs; delete from opt_in_asks; delete from withheld_texts; update skills set asked_id = null, asked_at = null;
         update agents set state = 'logged_out', code = null, moved_at = '2000-01-01Z', lease_until = null,
           timer_due_at = null, vanished_at = null, misses = 0, slots_used = 0, idle_since = '2000-01-01Z',
           next_state = null, next_code = null, unavailable_until = null, sms_used = 0, chat_used = 0;
         update tenants set chat_slots = 2, slots_set_at = '2000-01-01Z' where id = 'bears'";
    pool.get().await.unwrap().batch_execute(forget).await.unwrap();
}

async fn happen(world: &mut World) {
    match world.chance.u32(..100) {
        0..23 => customer_writes(world),
        23..29 => visitor_does(world),
        29..49 => agent_answers(world).await,
        49..57 => agent_writes(world).await,
        57..61 => agent_reaches_out(world),
        61..69 => somebody_moves(world).await,
        69..78 => somebody_ends(world).await,
        78..86 => agent_moves(world),
        86..87 => agents_are_seen(world),
        87..88 => takes(world).await,
        88..92 => world.reconcile().await,
        _ => {
            let seconds = world.one(&[1, 1, 5, 5, 10, 10, 20, 20, 31, 31, 61, 125, 400, 7_300]);
            world.pass(seconds);
        }
    }
}

fn customer_writes(world: &mut World) {
    let from = customer(world.chance.u128(1..=4));
    let words = world.one(&["hi", "hi", "hi", "hi", "more", "more", "STOP", "START", "HELP"]);
    let to = world.one(&[MAIN, MAIN, RUSH]);
    let mut body =
        json!({"carrier": "simulator", "from": from, "to": to, "text": words, "received_at": world.lately(90)});
    if world.happens(40) {
        // two texts of one carrier's id: the same text, or a counter that began again
        body["carrier_sms_id"] = json!(world.chance.u8(..6).to_string());
    }
    if world.happens(15) {
        world.publish("sms.received", body.clone());
    }
    world.publish("sms.received", body);
}

fn visitor_does(world: &mut World) {
    let fact = world.one(&["chat.received", "chat.received", "chat.received", "chat.left"]);
    let body = json!({"tenant": "bears", "point_of_contact": "web", "visitor": world.one(&["eve", "bob"]), "text": "hey",
                      "received_at": world.lately(30)});
    world.publish(fact, body);
}

/// Rows of a query about what there is, newest first.
async fn known(world: &World, query: &str) -> Vec<Value> {
    super::lines(&world.pool, query).await.as_array().unwrap().clone()
}

/// Mostly the agent of the row, at times anybody.
fn somebody(world: &mut World, row: &Value) -> Value {
    if row["agent"].is_string() && world.happens(85) { row["agent"].clone() } else { json!(world.one(&AGENTS)) }
}

async fn agent_answers(world: &mut World) {
    let query = "select id, agent from offers order by (state = 'pending') desc, made_at desc, id limit 5";
    let offers = known(world, query).await;
    if offers.is_empty() {
        return;
    }
    let offer = world.one(&offers);
    let answer = world.one(&["accept", "accept", "accept", "refuse"]);
    let agent = somebody(world, &offer);
    world.publish(
        "offer.answered",
        json!({"tenant": "bears", "agent": agent, "offer_id": offer["id"], "answer": answer}),
    );
}

async fn agent_writes(world: &mut World) {
    let rooms = known(world, "select id, agent from rooms order by (agent is null), opened_at desc, id limit 6").await;
    if rooms.is_empty() {
        return;
    }
    let room = world.one(&rooms);
    let fact = world.one(&["reply.written", "reply.written", "reply.written", "note.written"]);
    let (agent, written_at) = (somebody(world, &room), world.lately(5));
    world.publish(
        fact,
        json!({"tenant": "bears", "agent": agent, "room_id": room["id"], "text": "hello", "written_at": written_at}),
    );
}

fn agent_reaches_out(world: &mut World) {
    let (agent, to) = (world.one(&AGENTS), customer(world.chance.u128(1..=5)));
    let ours = world.one(&[MAIN, MAIN, RUSH]);
    let written_at = world.lately(5);
    world.publish(
        "outreach.written",
        json!({"tenant": "bears", "agent": agent, "to": to, "our_number": ours, "text": "hi", "written_at": written_at}),
    );
}

async fn somebody_ends(world: &mut World) {
    let query = "select id, agent, state from contacts order by (state = 'closed'), opened_at desc, id limit 6";
    let contacts = known(world, query).await;
    if contacts.is_empty() {
        return;
    }
    let contact = world.one(&contacts);
    let agent = somebody(world, &contact);
    let disposition = world.one(&[None, None, Some("solved"), Some("nonsense")]);
    if contact["state"] == "wrap_up" || world.happens(10) {
        let body = json!({"tenant": "bears", "agent": agent, "contact_id": contact["id"], "disposition": disposition});
        world.publish("wrap_up.finished", body);
        return;
    }
    let by = world.one(&["agent", "agent", "agent", "supervisor", "program"]);
    let by = json!({"kind": by, "name": agent});
    let body =
        json!({"tenant": "bears", "contact_id": contact["id"], "by": by, "reason": "done", "disposition": disposition});
    world.publish("contact.ended", body);
}

async fn somebody_moves(world: &mut World) {
    let query =
        "select c.id, coalesce(c.agent, r.agent) as agent, c.state from contacts c join rooms r on r.id = c.room_id
        order by (c.state not in ('active', 'parked')), (c.state in ('wrap_up', 'closed')), c.opened_at desc, c.id limit 4";
    let contacts = known(world, query).await;
    if contacts.is_empty() {
        return;
    }
    let contact = world.one(&contacts);
    let kind = world.one(&["agent", "agent", "agent", "supervisor", "program"]);
    let name = somebody(world, &contact);
    let mut body = json!({"tenant": "bears", "by": {"kind": kind, "name": name}, "contact_id": contact["id"]});
    if world.happens(30) {
        body["note"] = json!("a nice one");
    }
    let parks = if contact["state"] == "parked" { "unpark.asked" } else { "park.asked" };
    let fact = world.one(&["transfer.asked", "transfer.asked", parks, parks, "unpark.asked", "takeover.asked"]);
    match fact {
        "transfer.asked" if world.happens(50) => body["skill"] = json!(world.one(&["sms", "urgent", "chat"])),
        "transfer.asked" => body["agent"] = json!(world.one(&AGENTS)),
        "takeover.asked" => {
            body["by"]["kind"] = json!("supervisor");
            body["agent"] = json!(world.one(&AGENTS));
        }
        _ => {}
    }
    world.publish(fact, body);
}

fn agent_moves(world: &mut World) {
    let state = world.one(&["available", "available", "available", "unavailable", "logged_out"]);
    let until = world.happens(30).then(|| world.now + jiff::SignedDuration::from_secs(60));
    let body = json!({"tenant": "bears", "agent": world.one(&AGENTS), "state": state, "moved_at": world.lately(20),
                      "until": until, "when": world.one(&["now", "now", "free"]),
                      "code": (state == "unavailable" && world.happens(50)).then_some("lunch")});
    world.publish("agent.moved", body);
}

/// The tenant's file says anew what a chat takes, as `apply` writes it.
async fn takes(world: &mut World) {
    let slots = world.one(&[1, 2, 3]);
    let (pool, now) = (world.pool.clone(), world.now);
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let lock = "select id from agents where tenant = 'bears' order by id for update";
    let agents: Vec<Slug> = tx.query(lock, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let set = "update tenants set chat_slots = $1, slots_set_at = $2 where id = 'bears'";
    tx.execute(set, &[&slots, &now]).await.unwrap();
    slot::refresh_ready(&tx, &Slug::new("bears").unwrap(), &agents).await.unwrap();
    tx.commit().await.unwrap();
    world.note(format!("a chat takes {slots}"));
}

fn agents_are_seen(world: &mut World) {
    let agents: Vec<&str> = AGENTS.into_iter().filter(|_| world.happens(60)).collect();
    let until = world.now + jiff::SignedDuration::from_secs(60);
    world.publish("agent.seen", json!({"tenant": "bears", "agents": agents, "until": until}));
}
