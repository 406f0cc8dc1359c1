//! A small world whose messages come out of order, twice, late, early, in batches and side by side, on a clock of its
//! own. Whatever the order, the invariants of rows hold after every step and no commit leaves a slot miscounted; once
//! everything under way has arrived, the invariants of time hold, too, and every published id has its fate.

use std::collections::{BTreeMap, HashMap, HashSet};

use deadpool_postgres::Pool;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use texthub::facts::envelope::{Publication, digest};
use texthub::facts::ids::FactId;
use texthub::failure::Failure;
use texthub::records::audit;
use texthub::runtime::single::Each;
use texthub::runtime::worker::{Context, Outcome, Pass};
use uuid::Uuid;

use super::cast::{Flying, Who, carriers_mood, play};
use crate::reconcile::{Match, Sweep};
use crate::run_flow::RunFlow;
use crate::send_sms::SendSms;
use crate::support::trial::{body, breaches_of, names, said};

/// What holds only once all that is under way has arrived.
const IN_TIME: [&str; 4] =
    ["nobody_waits_beside_a_free_slot", "sessions_are_armed", "every_state_has_an_exit", "sends_move"];
/// Longer than any session, wait or grace of the den.
const A_DAY_AND_MORE_S: i64 = 90_000;
/// Such spans after which nothing may be left.
const ENDINGS: usize = 12;
/// Most messages of a batch when all that is under way arrives.
const MANY: usize = 40;
/// Most tries of a batch that meets others.
const TRIES: usize = 5;

/// See above.
pub struct World {
    pub pool: Pool,
    pub now: Timestamp,
    pub chance: fastrand::Rng,
    seed: u64,
    pub sender: SendSms,
    flows: Each<RunFlow>,
    sweep: Sweep,
    flying: Vec<Flying>,
    published: Vec<String>,
    first_said: HashMap<(Who, FactId), Vec<FactId>>,
    said: HashMap<FactId, Vec<u8>>,
    trail: Vec<String>,
    /// How often each fact was said; refusals by their reason.
    pub tally: BTreeMap<String, u32>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the way there:\n{}", self.trail.join("\n"));
            eprintln!("again by TEXTHUB_SEED={}", self.seed);
        }
    }
}

impl World {
    pub fn new(pool: Pool, now: Timestamp, seed: u64, sender: SendSms) -> Self {
        Self {
            pool,
            now,
            chance: fastrand::Rng::with_seed(seed),
            seed,
            sender,
            flows: Each(RunFlow::default()),
            sweep: Sweep::default(),
            flying: Vec::new(),
            published: Vec::new(),
            first_said: HashMap::new(),
            said: HashMap::new(),
            trail: Vec::new(),
            tally: BTreeMap::new(),
        }
    }

    /// True so many times in a hundred.
    pub fn happens(&mut self, percent: u32) -> bool {
        self.chance.u32(..100) < percent
    }

    /// One of them.
    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.chance.usize(..of.len())].clone()
    }

    /// A moment up to so many seconds ago.
    pub fn lately(&mut self, seconds: i64) -> Timestamp {
        self.now - SignedDuration::from_secs(self.chance.i64(0..=seconds))
    }

    /// Somebody outside publishes a fact.
    pub fn publish(&mut self, fact: &str, mut body: Value) {
        let id = FactId(Uuid::from_u128(self.chance.u128(..)));
        body["id"] = json!(id);
        self.trail.push(format!("{fact} {body}"));
        self.published.push(id.to_string());
        self.fly(fact, id, &serde_json::to_vec(&body).unwrap(), None);
    }

    /// Something happened that is no message.
    pub fn note(&mut self, what: String) {
        self.trail.push(what);
    }

    fn fly(&mut self, fact: &str, id: FactId, body: &[u8], due: Option<Timestamp>) {
        for who in Who::hearing(fact) {
            let sent = (who == Who::SendSms).then(|| carriers_mood(&mut self.chance, id));
            let (fact, body) = (fact.to_owned(), body.to_owned());
            let message = Flying { who, fact, id, body, due, is_redelivered: false, attempt: 0, sent };
            if self.happens(10) {
                self.flying.push(message.clone());
            }
            self.flying.push(message);
        }
    }

    /// The clock moves on.
    pub fn pass(&mut self, seconds: i64) {
        self.trail.push(format!("{seconds} s pass"));
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Some messages arrive: often a few of one worker together, at times two batches side by side.
    pub async fn deliver(&mut self) {
        self.tick();
        let batches = if self.happens(35) { 2 } else { 1 };
        let mut taken: Vec<Vec<Flying>> = Vec::new();
        for _ in 0..batches {
            let some = self.take(5, 3);
            if !some.is_empty() {
                taken.push(some);
            }
        }
        let (pool, now, those) = (&self.pool, self.now, (&self.sender, &self.flows));
        let came = join_all(taken.iter().map(|some| play(those, pool, now, some[0].who, some))).await;
        for (some, came) in taken.into_iter().zip(came) {
            self.settle(some, came).await;
        }
    }

    /// No transaction has the time of one that it follows.
    fn tick(&mut self) {
        self.now += SignedDuration::from_millis(1);
    }

    /// Takes up to so many messages for one worker, no two of one id; timers that are not due yet so many times in a hundred.
    fn take(&mut self, most: usize, early: u32) -> Vec<Flying> {
        let mut arrived: Vec<usize> = Vec::new();
        for index in 0..self.flying.len() {
            if self.flying[index].due.is_none_or(|due| due <= self.now) || self.happens(early) {
                arrived.push(index);
            }
        }
        self.chance.shuffle(&mut arrived);
        let Some(who) = arrived.first().map(|index| self.flying[*index].who) else { return Vec::new() };
        let most = self.chance.usize(1..=most);
        let mut ids: HashSet<FactId> = HashSet::new();
        arrived.retain(|index| self.flying[*index].who == who && ids.insert(self.flying[*index].id));
        arrived.truncate(most);
        arrived.sort_unstable();
        let mut some: Vec<Flying> = arrived.iter().rev().map(|index| self.flying.swap_remove(*index)).collect();
        self.chance.shuffle(&mut some);
        some
    }

    /// As the runner: contention is tried again, at last one by one; nothing else may fail.
    async fn settle(&mut self, some: Vec<Flying>, mut came: Result<Vec<Outcome>, Failure>) {
        for _ in 0..TRIES {
            if !matches!(came, Err(Failure::Retry(_))) {
                break;
            }
            *self.tally.entry("a batch was tried again".to_owned()).or_default() += 1;
            came = play((&self.sender, &self.flows), &self.pool, self.now, some[0].who, &some).await;
        }
        let who = some[0].who;
        let outcomes = came.unwrap_or_else(|failure| panic!("{who:?} failed: {failure}"));
        for (message, outcome) in some.into_iter().zip(outcomes) {
            self.trail.push(format!("  {who:?} {} {} → {}", message.fact, message.id, names(&outcome).join(" ")));
            self.absorb(message, &outcome);
        }
    }

    fn absorb(&mut self, message: Flying, outcome: &Outcome) {
        let (who, id) = (message.who, message.id);
        match outcome {
            Outcome::Reject(reason) => panic!("{who:?} set aside {}: {reason}", message.fact),
            Outcome::Later(wait, _) => {
                let due = Some(self.now + SignedDuration::try_from(*wait).unwrap());
                let sent = message.sent.is_some().then(|| carriers_mood(&mut self.chance, id));
                self.flying.push(Flying { due, attempt: message.attempt + 1, sent, ..message });
                return;
            }
            Outcome::Done(publications) => {
                let ids: Vec<FactId> = publications.iter().map(|p| p.id).collect();
                let first = self.first_said.entry((who, id)).or_insert_with(|| ids.clone());
                assert!(!who.remembers() || *first == ids, "{who:?}: a repeat of {} says other things", message.fact);
            }
        }
        for publication in said(outcome) {
            self.say(&publication);
        }
        if self.happens(12) {
            self.flying.push(Flying { is_redelivered: true, due: None, ..message });
        }
    }

    fn say(&mut self, publication: &Publication) {
        let told = body(publication);
        let word = ["outcome", "reason"].iter().find_map(|field| told[*field].as_str()).unwrap_or_default();
        *self.tally.entry(format!("{} {word}", publication.fact)).or_default() += 1;
        let digest = digest(&publication.body);
        let first = self.said.entry(publication.id).or_insert_with(|| digest.clone());
        assert_eq!(*first, digest, "one id for two facts: {told}");
        self.fly(&publication.fact, publication.id, &publication.body, publication.due);
    }

    /// A round of the matcher and of the sweep.
    pub async fn reconcile(&mut self) {
        let said = [self.round(&Match).await, self.round(&self.sweep).await].concat();
        self.trail.push(format!("a pass says {}", said.iter().map(|p| p.fact.as_ref()).collect::<Vec<_>>().join(" ")));
        for publication in &said {
            self.say(publication);
        }
    }

    async fn round<P: Pass>(&self, pass: &P) -> Vec<Publication> {
        let mut client = self.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let said = pass.round(&tx, &Context { now: self.now }).await.unwrap();
        tx.commit().await.unwrap();
        said
    }

    /// What must hold at any time.
    pub async fn check(&self) {
        self.audit(|name| !IN_TIME.contains(&name)).await;
    }

    async fn audit(&self, asked: impl Fn(&str) -> bool) {
        let mut client = self.pool.get().await.unwrap();
        let broken = breaches_of(&client.transaction().await.unwrap(), self.now, asked).await;
        assert!(broken.is_empty(), "{broken:#?}");
    }

    /// All that is under way arrives, the passes go round and offers lapse, until nothing is left to do.
    pub async fn come_to_rest(&mut self) {
        for _ in 0..4 {
            self.reconcile().await;
            self.drain().await;
            self.reconcile().await;
            self.drain().await;
            self.pass(45);
        }
        self.now -= SignedDuration::from_secs(45);
        self.audit(|_| true).await;
        let mut client = self.pool.get().await.unwrap();
        let fates = audit::fates(&client.transaction().await.unwrap(), &self.published).await.unwrap();
        let lost: Vec<_> = fates.into_iter().filter(|(_, fate)| fate == "unknown").collect();
        assert!(lost.is_empty(), "nobody knows of {lost:?}");
    }

    /// Nobody does anything any more: by timers and sweeps alone every contact closes, every session and flow ends, and
    /// every slot is free. No state is without an exit.
    pub async fn come_to_an_end(&mut self) {
        for _ in 0..ENDINGS {
            if self.what_is_left().await.is_empty() {
                return self.check().await;
            }
            self.pass(A_DAY_AND_MORE_S);
            for _ in 0..2 {
                self.reconcile().await;
                self.drain().await;
                self.pass(45);
            }
        }
        panic!("without an exit: {:#?}", self.what_is_left().await);
    }

    async fn what_is_left(&self) -> Vec<String> {
        let left = "select format('contact %s is %s', id, state) from contacts where state <> 'closed'
            union all select format('offer %s is pending', id) from offers where state = 'pending'
            union all select format('session %s lives', id) from sessions where ended_at is null
            union all select format('room %s is open', id) from rooms where closed_at is null
            union all select format('a flow of contact %s runs', contact_id) from flow_runs where ended_at is null
            union all select format('%s has %s slots in use', id, slots_used) from agents where slots_used > 0";
        let client = self.pool.get().await.unwrap();
        let left = client.prepare_cached(left).await.unwrap();
        client.query(&left, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn drain(&mut self) {
        loop {
            self.tick();
            let some = self.take(MANY, 0);
            if some.is_empty() {
                return;
            }
            let came = play((&self.sender, &self.flows), &self.pool, self.now, some[0].who, &some).await;
            self.settle(some, came).await;
        }
    }
}
