//! A small day twice: fed one event at a time through the real workers on a real database, and through the simulation. The
//! same contacts go to the same agents at the same moments; what both know follows from one tenant file and one day.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use deadpool_postgres::Pool;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use texthub::facts::ids::{ContactId, FactId};
use texthub::runtime::single::Each;
use texthub::runtime::worker::{Context, Pass};
use texthub::simulation::company::Company;
use texthub::simulation::day::{Arrival, Behaviour, Day, Reply, Shift, plus, span};
use texthub::simulation::engine::{self, SWEEP_MS};
use texthub::tenant::apply::{Applied, apply};
use texthub::tenant::check;
use uuid::Uuid;

use super::cast::{Flying, Who, play};
use super::{contact, customer, fact};
use crate::reconcile::{Match, Sweep};
use crate::run_flow::RunFlow;
use crate::send_sms::SendSms;
use crate::support::database::Database;
use crate::support::fixtures::{at, slug};
use crate::support::trial::{body, said};

const CONTACTS: u64 = 40;
const COMPANY: &str = include_str!("small-company.toml");

/// Forty contacts within two minutes, agents who refuse and miss, one who comes late and one who leaves early.
fn small_day(seed: u64) -> Day {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut day = Day { seed, ..Day::default() };
    let mut when = at(100);
    for _ in 0..CONTACTS {
        when = plus(when, SignedDuration::from_millis(chance.i64(301..5_001)));
        let skill = ["a-orders", "a-orders", "b-complaints", "b-complaints", "c-lost", "d-chat"][chance.usize(..6)];
        let handling_s = 11.0 + 40.0 * chance.f64();
        day.contacts.push(Arrival { at: when, skill: slug(skill), handling_s, priority: None, patience_s: None });
    }
    let usual = Behaviour { answer_s: 4.0, refuses: 0.2, misses: 0.25, back_s: 31.7, ..Behaviour::default() };
    let shift = |from: i64, to: i64| Shift { from: at(from), to: plus(at(to), SignedDuration::from_millis(3)) };
    for (agent, shift) in [
        ("papa", shift(1, 2_000)),
        ("mama", shift(2, 210)),
        ("baby", shift(3, 2_000)),
        ("goldilocks", shift(150, 2_000)),
        ("wolf", shift(4, 2_000)),
        ("fox", shift(5, 2_000)),
    ] {
        day.behaviours.insert(slug(agent), Behaviour { shifts: vec![shift], ..usual.clone() });
    }
    day
}

/// What happens outside, or comes due.
enum Next {
    Said(&'static str, Value),
    Due(Vec<Flying>),
    Passes,
}

/// The real hub on a clock of the test's own.
struct Hub<'a> {
    pool: &'a Pool,
    day: &'a Day,
    now: Timestamp,
    /// By time; at one moment the passes come last.
    agenda: BinaryHeap<Reverse<(Timestamp, bool, usize)>>,
    planned: Vec<Option<Next>>,
    places: HashMap<ContactId, usize>,
    offered: HashMap<ContactId, u32>,
    senders: (SendSms, Each<RunFlow>),
    sweep: Sweep,
    made: Vec<(usize, String, Timestamp)>,
    is_pass: bool,
    settled: HashMap<String, u32>,
}

impl Hub<'_> {
    fn plan(&mut self, at: Timestamp, next: Next) {
        self.agenda.push(Reverse((at, matches!(next, Next::Passes), self.planned.len())));
        self.planned.push(Some(next));
    }

    fn say(&mut self, at: Timestamp, fact: &'static str, body: Value) {
        self.plan(at, Next::Said(fact, body));
    }

    async fn play(&mut self, until: Timestamp) {
        while let Some(Reverse((at, _, nr))) = self.agenda.pop() {
            if at > until {
                return;
            }
            self.now = at;
            match self.planned[nr].take().unwrap() {
                Next::Said(name, mut body) => {
                    let id = match body["id"].as_u64() {
                        Some(nr) => fact(u128::from(nr)),
                        None => FactId(Uuid::from_u128(1_000_000 + nr as u128)),
                    };
                    body["id"] = json!(id);
                    let flying = flying(name, id, &serde_json::to_vec(&body).unwrap());
                    self.follow(flying).await;
                }
                Next::Due(flying) => self.follow(flying).await,
                Next::Passes => self.passes().await,
            }
        }
    }

    /// One message at a time, and what is said goes on at once.
    async fn follow(&mut self, first: Vec<Flying>) {
        let mut under_way = VecDeque::from(first);
        while let Some(message) = under_way.pop_front() {
            let senders = (&self.senders.0, &self.senders.1);
            let some = std::slice::from_ref(&message);
            let outcomes = play(senders, self.pool, self.now, message.who, some).await.unwrap();
            for publication in said(&outcomes[0]) {
                self.hear(&publication.fact, &body(&publication));
                let flying = flying(&publication.fact, publication.id, &publication.body);
                match publication.due {
                    Some(due) => self.plan(due, Next::Due(flying)),
                    None => under_way.extend(flying),
                }
            }
        }
    }

    /// What people do when they hear of it.
    fn hear(&mut self, name: &str, told: &Value) {
        let place = |hub: &Self| hub.places[&serde_json::from_value::<ContactId>(told["contact_id"].clone()).unwrap()];
        match name {
            "offer.made" => {
                let (job, agent) = (place(self), told["agent"].as_str().unwrap());
                self.made.push((job, agent.to_owned(), self.now));
                *self.settled.entry("offered by a pass".into()).or_default() += u32::from(self.is_pass);
                let nth = self.offered.entry(contact(job as u128 + 1)).or_default();
                let reply = self.day.reply(job, &slug(agent), *nth);
                *nth += 1;
                let (after, answer) = match reply {
                    _ if self.day.contacts[job].skill.as_str() == "c-lost" => return,
                    Reply::Accept(after) => (after, "accept"),
                    Reply::Refuse(after) => (after, "refuse"),
                    Reply::Miss => return,
                };
                let body = json!({"tenant": "bears", "agent": agent, "offer_id": told["offer_id"], "answer": answer});
                self.say(plus(self.now, after), "offer.answered", body);
            }
            "offer.settled" => {
                let outcome = told["outcome"].as_str().unwrap();
                *self.settled.entry(outcome.to_owned()).or_default() += 1;
                if outcome == "accepted" {
                    let job = place(self);
                    let by = json!({"kind": "agent", "name": told["agent"]});
                    let body = json!({"tenant": "bears", "contact_id": told["contact_id"], "by": by, "reason": "done"});
                    self.say(plus(self.now, span(self.day.contacts[job].handling_s)), "contact.ended", body);
                }
            }
            "agent.changed" if told["code"] == "missed_offers" && told["state"] == "unavailable" => {
                let agent = told["agent"].as_str().unwrap();
                let back = plus(self.now, span(self.day.behaviour(&slug(agent)).back_s));
                self.say(back, "agent.moved", moved(agent, "available", back));
                *self.settled.entry("made unavailable".into()).or_default() += 1;
            }
            "contact.closed" if told["outcome"] == "abandoned" => {
                *self.settled.entry("abandoned".into()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// A round of the matcher; of the sweep each five seconds.
    async fn passes(&mut self) {
        let mut said = round(self.pool, self.now, &Match).await;
        if self.now.as_millisecond() % SWEEP_MS == 0 {
            said.extend(round(self.pool, self.now, &self.sweep).await);
        }
        self.is_pass = true;
        for flying in said {
            self.follow(flying).await;
        }
        self.is_pass = false;
    }
}

async fn round<P: Pass>(pool: &Pool, now: Timestamp, pass: &P) -> Vec<Vec<Flying>> {
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let said = pass.round(&tx, &Context { now }).await.unwrap();
    tx.commit().await.unwrap();
    said.iter().map(|p| flying(&p.fact, p.id, &p.body)).collect()
}

fn flying(fact: &str, id: FactId, body: &[u8]) -> Vec<Flying> {
    let (fact, body) = (fact.to_owned(), body.to_owned());
    let message = |who| Flying {
        who,
        fact: fact.clone(),
        id,
        body: body.clone(),
        due: None,
        is_redelivered: false,
        attempt: 0,
        sent: None,
    };
    Who::hearing(&fact).map(message).collect()
}

fn moved(agent: &str, state: &str, at: Timestamp) -> Value {
    json!({"tenant": "bears", "agent": agent, "state": state, "moved_at": at})
}

async fn set_up(pool: &Pool) -> Company {
    let file = check::read(COMPANY).unwrap();
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert!(matches!(apply(&tx, &file, false).await.unwrap(), Applied::Done(_)));
    tx.commit().await.unwrap();
    Company::of(&file)
}

/// The day through the real hub.
async fn real<'a>(pool: &'a Pool, day: &'a Day) -> Hub<'a> {
    let mut hub = Hub {
        pool,
        day,
        now: at(0),
        agenda: BinaryHeap::new(),
        planned: Vec::new(),
        places: (0..day.contacts.len()).map(|nr| (contact(nr as u128 + 1), nr)).collect(),
        offered: HashMap::new(),
        senders: (SendSms::by_simulator("http://127.0.0.1:9"), Each(RunFlow::default())),
        sweep: Sweep::default(),
        made: Vec::new(),
        is_pass: false,
        settled: HashMap::new(),
    };
    for (agent, behaviour) in &day.behaviours {
        for Shift { from, to } in &behaviour.shifts {
            hub.say(*from, "agent.moved", moved(agent.as_str(), "available", *from));
            let mut leaves = moved(agent.as_str(), "logged_out", *to);
            leaves["when"] = json!("free");
            hub.say(*to, "agent.moved", leaves);
        }
    }
    let numbers = HashMap::from([("a-orders", "1"), ("b-complaints", "2"), ("c-lost", "3")]);
    for (nr, arrival) in (1_u64..).zip(&day.contacts) {
        if arrival.skill.as_str() == "d-chat" {
            let body = json!({"id": nr, "tenant": "bears", "point_of_contact": "web", "visitor": format!("visitor-{nr}"),
                              "text": "hello", "received_at": arrival.at});
            hub.say(arrival.at, "chat.received", body);
            continue;
        }
        let to = format!("+1555010000{}", numbers[arrival.skill.as_str()]);
        let from = customer(u128::from(nr));
        let body =
            json!({"id": nr, "carrier": "sim", "from": from, "to": to, "text": "hello", "received_at": arrival.at});
        hub.say(arrival.at, "sms.received", body);
    }
    let last = day.contacts.last().unwrap().at;
    let end = plus(last, SignedDuration::from_secs(480));
    let mut pass = at(99);
    while pass < end {
        hub.plan(pass, Next::Passes);
        pass = plus(pass, SignedDuration::try_from(Match::EVERY).unwrap());
    }
    hub.play(end).await;
    hub
}

#[tokio::test]
async fn the_simulation_gives_the_same_contacts_to_the_same_agents_at_the_same_times() {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let first = crate::support::trial::seed();
    for seed in first.map_or(1..=3, |seed| seed..=seed) {
        let database = Database::new().await;
        let company = set_up(&database.pool).await;
        let day = small_day(seed);
        let hub = real(&database.pool, &day).await;
        let run = engine::run(&company, &day, &mut |_| ());
        let simulated: Vec<(usize, String, Timestamp)> =
            run.offers.iter().map(|made| (made.contact, made.agent.to_string(), made.at)).collect();
        let differ = simulated.iter().zip(&hub.made).position(|(a, b)| a != b);
        let around = differ.map(|nr| (nr, &simulated[nr.saturating_sub(3)..=nr], &hub.made[nr.saturating_sub(3)..=nr]));
        assert_eq!(around, None, "seed {seed}: the simulation, then the hub");
        assert_eq!(simulated.len(), hub.made.len(), "seed {seed}");
        let abandoned = run.fates.iter().filter(|fate| fate.abandoned_at.is_some()).count();
        let of = |what: &str| usize::try_from(hub.settled.get(what).copied().unwrap_or(0)).unwrap();
        assert_eq!((run.refused, run.lapsed, abandoned), (of("refused"), of("lapsed"), of("abandoned")));
        assert!(run.offers.len() > 40, "{}", run.offers.len());
        let mut other = company.clone();
        other.agents.values_mut().for_each(|agent| agent.channels.clear());
        let unlimited = engine::run(&other, &day, &mut |_| ()).offers;
        other.skills.values_mut().for_each(|work| work.rules.slots = 1);
        let of_one = engine::run(&other, &day, &mut |_| ()).offers;
        *seen.entry("limits of channels counted".into()).or_default() += u32::from(unlimited != run.offers);
        *seen.entry("slots counted".into()).or_default() += u32::from(of_one != unlimited);
        for (what, count) in &hub.settled {
            *seen.entry(what.clone()).or_default() += count;
        }
    }
    // a day on which nothing happens would prove nothing
    if first.is_none() {
        let all = ["accepted", "refused", "lapsed", "offered by a pass", "abandoned", "made unavailable"];
        for what in all.into_iter().chain(["limits of channels counted", "slots counted"]) {
            assert!(seen.get(what).is_some_and(|count| *count > 0), "{what}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn the_pure_order_of_a_queue_is_the_database_s() {
    use texthub::routing::queue::{Ageing, Queue};
    use texthub::routing::waiting;

    let database = Database::new().await;
    let pool = &database.pool;
    super::den_with(pool, &[]).await;
    let mut chance = fastrand::Rng::with_seed(crate::support::trial::seed().unwrap_or(11));
    let mut all: Vec<(i32, Timestamp, ContactId)> = Vec::new();
    for nr in 1..=60 {
        super::queued(pool, at(i64::try_from(nr).unwrap()), nr, crate::support::den::MAIN).await;
        let (priority, queued_at) =
            (chance.i32(-1..4), plus(at(0), SignedDuration::from_millis(chance.i64(0..30_000) / 7 * 7)));
        let set = format!(
            "update contacts set priority = {priority}, queued_at = '{queued_at}' where id = '{}'",
            contact(nr)
        );
        pool.get().await.unwrap().batch_execute(&set).await.unwrap();
        all.push((priority, queued_at, contact(nr)));
    }
    for (per_min, max, limit) in [(0, 1000, 60), (3, 1000, 60), (7, 2, 60), (60, 20, 9), (1000, 1000, 1)] {
        let ages = format!("update skills set priority_per_min = {per_min}, priority_max = {max}");
        pool.get().await.unwrap().batch_execute(&ages).await.unwrap();
        let mut queue = Queue::default();
        for (priority, queued_at, id) in &all {
            queue.insert(*priority, *queued_at, *id);
        }
        for second in [30, 31, 90, 4_000] {
            let mut client = pool.get().await.unwrap();
            let tx = client.transaction().await.unwrap();
            let of = (&slug("bears"), &slug("sms"));
            let next = waiting::next(&tx, at(second), of, i64::try_from(limit).unwrap()).await.unwrap();
            let order: Vec<ContactId> = next.iter().map(|next| next.waiting.id).collect();
            assert_eq!(
                queue.first(Ageing { per_min, max }, at(second), limit),
                order,
                "{per_min} {max} {limit} {second}"
            );
        }
    }
}
