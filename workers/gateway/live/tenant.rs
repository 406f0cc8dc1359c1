//! A tenant's stream: what facts touched is read again and told to the connections concerned, one reading after the other.
//! Connections that begin are read for together, between two readings: their snapshot and what follows meet without a
//! hole and without an overlap.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use texthub::access::api::Api;
use texthub::access::problem::Problem;
use texthub::desk::event::Topic;
use texthub::desk::hint::{Hint, Touched};
use texthub::desk::outbox::{Outbox, Tray};
use texthub::desk::read::{self, Looked};
use texthub::desk::shape::{Contact, Desk, Setup};
use texthub::desk::told::{Follows, Read, Told};
use texthub::facts::ids::{ContactId, FactId, RoomId, Slug, SmsId};
use texthub::retry::Waits;
use texthub::runtime::clock;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Connections that one reading is for.
const TOGETHER: usize = 32;
/// How often queues are looked at, for what agents are told of them.
const LOOKS: Duration = Duration::from_secs(5);

/// A connection that begins.
pub struct Asks {
    /// As whom.
    pub agent: Option<Slug>,
    /// It watches the whole tenant.
    pub watch: bool,
    /// Where its events go.
    pub tray: Tray,
}

impl Asks {
    /// What it follows.
    pub fn topics(&self) -> Vec<Topic> {
        self.agent.iter().cloned().map(Topic::Agent).chain(self.watch.then_some(Topic::Watch)).collect()
    }
}

/// A tenant's stream.
pub struct Tenant {
    /// Whose.
    pub slug: Slug,
    touched: Mutex<Touched>,
    wake: Notify,
    outbox: Mutex<Outbox>,
    asks: mpsc::UnboundedSender<Asks>,
    /// Agents who came and whose lease is still to be said.
    come: Mutex<HashSet<Slug>>,
}

impl Tenant {
    /// Begins to run, until its life is over.
    pub fn begin(slug: Slug, api: Api, ended: CancellationToken) -> Arc<Self> {
        let (asks, asked) = mpsc::unbounded_channel();
        let tenant = Arc::new(Self {
            slug,
            touched: Mutex::default(),
            wake: Notify::new(),
            outbox: Mutex::default(),
            asks,
            come: Mutex::default(),
        });
        let running = Arc::clone(&tenant);
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = running.run(&api, asked) => {}
            }
        });
        tenant
    }

    /// Notes what a fact touches.
    pub fn touch(&self, fact: &str, hint: &Hint) {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).note(fact, hint);
        self.wake.notify_one();
    }

    /// A connection begins: its snapshot comes into its tray.
    pub fn ask(&self, asks: Asks) {
        self.came(&asks);
        let _ = self.asks.send(asks);
    }

    /// A connection goes on after this number; false where it must begin.
    pub fn resume(&self, asks: &Asks, since: u64) -> bool {
        let went_on = self.outbox().resume(&asks.topics(), &asks.tray, since);
        if went_on {
            self.came(asks);
        }
        went_on
    }

    fn came(&self, asks: &Asks) {
        self.come.lock().unwrap_or_else(PoisonError::into_inner).extend(asks.agent.clone());
    }

    /// A connection is gone.
    pub fn leave(&self, id: u64) {
        self.outbox().leave(id);
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Agents who are connected.
    pub fn connected(&self) -> Vec<Slug> {
        self.come();
        let agent = |(topic, connected): (&Topic, bool)| match topic {
            Topic::Agent(agent) if connected => Some(agent.clone()),
            _ => None,
        };
        self.outbox().topics().filter_map(agent).collect()
    }

    /// Agents who came since this was asked last.
    pub fn come(&self) -> Vec<Slug> {
        self.come.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }

    async fn run(&self, api: &Api, mut asked: mpsc::UnboundedReceiver<Asks>) {
        let mut state = State::default();
        let mut looks = tokio::time::interval(LOOKS);
        let mut waits = Waits::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            let mut beginning = std::mem::take(&mut state.beginning);
            if beginning.is_empty() {
                tokio::select! {
                    () = self.wake.notified() => {}
                    count = asked.recv_many(&mut beginning, TOGETHER) => if count == 0 { return },
                    _ = looks.tick() => state.looks = true,
                }
            }
            while beginning.len() < TOGETHER {
                let Ok(asks) = asked.try_recv() else { break };
                beginning.push(asks);
            }
            let touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
            match self.step(api, &mut state, &touched, &beginning).await {
                Ok(()) => waits.reset(),
                Err(problem) => {
                    // nothing was told of this reading: it is read again
                    tracing::warn!(tenant = %self.slug, reason = problem.reason, "desks are told later");
                    state.beginning = beginning;
                    self.touched.lock().unwrap_or_else(PoisonError::into_inner).join(touched);
                    self.wake.notify_one();
                    waits.next().await;
                }
            }
        }
    }

    /// Who hears, kept until somebody comes or goes.
    fn follows(&self, state: &mut State, beginning: &[Asks]) {
        let follows = &mut state.follows;
        let outbox = self.outbox();
        if state.changes != Some(outbox.changes()) {
            state.changes = Some(outbox.changes());
            *follows = Follows::default();
            for (topic, _) in outbox.topics() {
                match topic {
                    Topic::Agent(agent) => {
                        follows.agents.insert(agent.clone());
                    }
                    Topic::Watch => follows.watch = true,
                }
            }
        }
        follows.watch = outbox.follows(&Topic::Watch) || beginning.iter().any(|asks| asks.watch);
        follows.beginning = beginning.iter().filter_map(|asks| asks.agent.clone()).collect();
    }

    /// Reads what was touched and what beginners need, and tells it.
    async fn step(&self, api: &Api, state: &mut State, touched: &Touched, beginning: &[Asks]) -> Result<(), Problem> {
        let looks = std::mem::take(&mut state.looks);
        if looks {
            self.sweep(&mut state.told);
        }
        self.follows(state, beginning);
        let follows = std::mem::take(&mut state.follows);
        let done = self.tell(api, state, &follows, touched, beginning, looks).await;
        state.follows = follows;
        done
    }

    async fn tell(
        &self,
        api: &Api,
        state: &mut State,
        follows: &Follows,
        touched: &Touched,
        beginning: &[Asks],
        looks: bool,
    ) -> Result<(), Problem> {
        if follows.agents.is_empty() && follows.beginning.is_empty() && !follows.watch {
            return Ok(());
        }
        state.told.anew(&touched.anew);
        let mut read = self.read(api, state, follows, touched, beginning, looks).await?;
        let desks: Vec<Arc<Desk>> =
            beginning.iter().map(|asks| Arc::new(desk(asks, &read.rows, &read.setup))).collect();
        let telling = state.told.tell(follows, &mut read.rows, &touched.refused);
        let mut outbox = self.outbox();
        for (topic, event) in &telling {
            outbox.tell(topic, event);
        }
        for (asks, desk) in beginning.iter().zip(desks) {
            outbox.begin(&asks.topics(), &asks.tray, desk);
        }
        Ok(())
    }

    async fn read(
        &self,
        api: &Api,
        state: &mut State,
        follows: &Follows,
        touched: &Touched,
        beginning: &[Asks],
        looks: bool,
    ) -> Result<Reading, Problem> {
        let (slug, now) = (&self.slug, clock::near());
        let mut db = api.db(slug).await?;
        let tx = db.begin().await?;
        let mut agents: HashSet<&Slug> =
            touched.agents.iter().filter(|agent| follows.agents.contains(*agent)).collect();
        agents.extend(&follows.beginning);
        if looks {
            let queues = read::queues(&tx, slug).await?;
            if queues != state.queues || state.told.is_any_barred() {
                agents.extend(&follows.agents);
            }
            state.queues = queues;
        }
        let agents: Vec<Slug> = agents.into_iter().cloned().collect();
        let contacts: Vec<ContactId> = touched.contacts.iter().copied().collect();
        let rooms: Vec<RoomId> = touched.rooms.iter().copied().collect();
        let texts: Vec<SmsId> = touched.texts.iter().copied().collect();
        let refused: Vec<FactId> = touched.refused.iter().map(|refusal| refusal.id).collect();
        let begin: Vec<Slug> = follows.beginning.iter().cloned().collect();
        let live = beginning.iter().any(|asks| asks.watch);
        let looked = Looked { contacts: &contacts, rooms: &rooms, agents: &begin, live };
        let (contacts, agents, texts, refused) = tokio::try_join!(
            read::contacts(&tx, slug, &looked),
            read::agents(&tx, now, slug, &agents),
            read::changed(&tx, slug, &texts),
            read::asked_by(&tx, slug, &refused),
        )?;
        let setup = if beginning.is_empty() { Setup::default() } else { read::setup(&tx, slug).await? };
        let (wanted, over) = (state.told.wanted(follows, &contacts), state.told.over(&contacts));
        let (entries, settled) = tokio::try_join!(read::newest(&tx, &wanted), read::settled(&tx, slug, &over))?;
        Ok(Reading { rows: Read { contacts, entries, agents, settled, texts, refused }, setup })
    }

    fn sweep(&self, told: &mut Told) {
        let gone = self.outbox().sweep();
        let watch = gone.contains(&Topic::Watch);
        let agent = |topic: Topic| match topic {
            Topic::Agent(agent) => Some(agent),
            Topic::Watch => None,
        };
        let agents: Vec<Slug> = gone.into_iter().filter_map(agent).collect();
        if watch || !agents.is_empty() {
            told.forget(&agents, watch);
        }
    }
}

/// What is kept between two readings.
#[derive(Default)]
struct State {
    told: Told,
    follows: Follows,
    /// Of the outbox, when these were who hears.
    changes: Option<u64>,
    queues: BTreeMap<Slug, i64>,
    /// Of a reading that failed.
    beginning: Vec<Asks>,
    looks: bool,
}

struct Reading {
    rows: Read,
    setup: Setup,
}

/// What a connection begins with.
fn desk(asks: &Asks, read: &Read, setup: &Setup) -> Desk {
    let me = asks.agent.as_ref();
    let contact = |found: &read::Found| -> Option<Contact> {
        if me.is_some() && found.holder() == me {
            return Some(found.whole(read.entries.get(&found.room_id).cloned().unwrap_or_default()));
        }
        (asks.watch && found.state != read::State::Closed).then(|| found.summary())
    };
    let offers = read.contacts.iter().filter_map(read::Found::offered).filter(|(agent, _)| Some(*agent) == me);
    Desk {
        now: clock::near(),
        agent: read.agents.iter().find(|agent| Some(&agent.id) == me).cloned(),
        offers: offers.map(|(_, offer)| offer).collect(),
        contacts: read.contacts.iter().filter_map(contact).collect(),
        setup: setup.clone(),
    }
}
