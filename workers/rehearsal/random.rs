//! Random sequences of what customers, agents and programs do, in a small world: few customers, four agents with small
//! limits, SMS and chat, three skills. Each sequence follows from its seed; a failure tells it and the way there.

use deadpool_postgres::Pool;
use serde_json::{Value, json};
use texthub::runtime::clock::Stopwatch;

use super::world::World;
use super::{customer, den};
use crate::support::database::Database;
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::{recount, trial};

/// Sequences of an ordinary run, and the seconds after which no other one begins.
const SEQUENCES: u64 = 200;
const SECONDS: u64 = 40;
/// Sequences of a long run.
const MANY: u64 = 5_000;
/// What happens in one.
const STEPS: usize = 40;
/// Worlds side by side, each on a database of its own.
const WORLDS: u64 = 2;

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
    let seed = trial::seed();
    let began = Stopwatch::start();
    let first = seed.unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let sequences = if seed.is_some() { 1 } else { sequences };
    let worlds = (0..WORLDS).map(|world| {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let database = Database::new().await;
                let setting = "do $$ begin execute format('alter database %I set deadlock_timeout = 20', current_database()); end $$";
                database.pool.get().await.unwrap().batch_execute(setting).await.unwrap();
                let pool = texthub::runtime::db::pool(&database.url, "texthub test", 4).unwrap();
                den(&pool).await;
                recount::install(&pool).await;
                let mut played = 0;
                for seed in (first..first + sequences).filter(|seed| seed % WORLDS == world || sequences == 1) {
                    if began.elapsed().as_secs() < seconds && (sequences > 1 || world == 0) {
                        sequence(&pool, seed).await;
                        played += 1;
                    }
                }
                played
            })
        })
    });
    let worlds: Vec<_> = worlds.collect();
    let played: u64 = worlds.into_iter().map(|world| world.join().expect("its seed is told above")).sum();
    println!("{played} sequences in {:.1} s", began.elapsed().as_secs_f64());
}

async fn sequence(pool: &Pool, seed: u64) {
    forget(pool).await;
    let mut world = World::new(pool.clone(), at(0), seed);
    for agent in AGENTS {
        if world.happens(80) {
            world.publish("agent.moved", json!({"tenant": "bears", "agent": agent, "state": "available", "moved_at": at(0)}));
        }
    }
    for step in 0..STEPS {
        happen(&mut world).await;
        for _ in 0..world.chance.usize(..4) {
            world.deliver().await;
        }
        if step % 8 == 7 {
            world.check().await;
        }
    }
    world.come_to_rest().await;
}

/// The world is empty again.
async fn forget(pool: &Pool) {
    let forget = "delete from ready_agents; delete from receipts; delete from sms_parts; delete from sms;
         delete from sessions; delete from offers; delete from entries; delete from contacts; delete from rooms;
         delete from heard; delete from inbound_ids; delete from refusals; delete from consent_entries;
         delete from opt_outs; update skills set asked_id = null, asked_at = null;
         update agents set state = 'logged_out', code = null, moved_at = '2000-01-01Z', lease_until = null,
           timer_due_at = null, vanished_at = null, misses = 0, slots_used = 0, idle_since = '2000-01-01Z'";
    pool.get().await.unwrap().batch_execute(forget).await.unwrap();
}

async fn happen(world: &mut World) {
    match world.chance.u32(..100) {
        0..25 => customer_writes(world),
        25..31 => visitor_does(world),
        31..50 => agent_answers(world).await,
        50..60 => agent_writes(world).await,
        60..66 => agent_reaches_out(world),
        66..76 => somebody_ends(world).await,
        76..84 => agent_moves(world),
        84..87 => agents_are_seen(world),
        87..91 => world.reconcile().await,
        _ => {
            let seconds = world.one(&[1, 1, 5, 20, 20, 31, 31, 61, 61, 125, 400, 2_000, 7_300]);
            world.pass(seconds);
        }
    }
}

fn customer_writes(world: &mut World) {
    let from = customer(world.chance.u128(1..=4));
    let words = world.one(&["hi", "hi", "hi", "hi", "more", "more", "STOP", "START", "HELP"]);
    let to = world.one(&[MAIN, MAIN, RUSH]);
    let mut body = json!({"carrier": "simulator", "from": from, "to": to, "text": words, "received_at": world.lately(90)});
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
    world.publish("offer.answered", json!({"tenant": "bears", "agent": agent, "offer_id": offer["id"], "answer": answer}));
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
    let disposition = world.one(&[None, None, Some("solved")]);
    if contact["state"] == "wrap_up" || world.happens(10) {
        let body = json!({"tenant": "bears", "agent": agent, "contact_id": contact["id"], "disposition": disposition});
        world.publish("wrap_up.finished", body);
        return;
    }
    let by = world.one(&["agent", "agent", "agent", "supervisor", "program"]);
    let by = json!({"kind": by, "name": agent});
    let body = json!({"tenant": "bears", "contact_id": contact["id"], "by": by, "reason": "done", "disposition": disposition});
    world.publish("contact.ended", body);
}

fn agent_moves(world: &mut World) {
    let state = world.one(&["available", "available", "available", "unavailable", "logged_out"]);
    let until = world.happens(30).then(|| world.now + jiff::SignedDuration::from_secs(60));
    let body = json!({"tenant": "bears", "agent": world.one(&AGENTS), "state": state, "moved_at": world.lately(20),
                      "until": until});
    world.publish("agent.moved", body);
}

fn agents_are_seen(world: &mut World) {
    let agents: Vec<&str> = AGENTS.into_iter().filter(|_| world.happens(60)).collect();
    let until = world.now + jiff::SignedDuration::from_secs(60);
    world.publish("agent.seen", json!({"tenant": "bears", "agents": agents, "until": until}));
}
