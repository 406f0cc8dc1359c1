//! The binds of a process, by connection: each made anew, with jitter, whenever it is lost. Whoever sends shares them; who
//! receives has them made for both ways (`receive`), else there are transmitters alone. A connection whose settings change
//! gets new binds, and the old ones part in order.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusmpp_core::pdus::owned::Pdu;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dial::{self, NotBound, Way};
pub use super::inbound::Hands;
use super::inbound::Inbound;
use super::plan::Plan;
use super::repeats::Repeats;
use super::session::{Answer, Session};
use crate::facts::ids::Slug;
use crate::retry::Waits;
use crate::runtime::clock::Stopwatch;

/// A bind that stood so long was a good one.
const STANDS: Duration = Duration::from_secs(30);
/// How long a refused one waits, unless somebody wants to send.
const REFUSED: Duration = Duration::from_secs(60);
/// A refused one is not tried more often.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a text waits for binds that are being made.
const MADE: Duration = Duration::from_secs(5);
/// For so long the settings that were replaced just now are not taken for newer ones.
const REPLACED: Duration = Duration::from_secs(15);

/// How a bind stands.
#[derive(Clone, Debug)]
enum Standing {
    /// Being made, for the first time or because somebody wants to send.
    Starting,
    /// It stands.
    Up(Arc<Session>),
    /// Lost, or nobody there.
    Down(String),
    /// The SMSC refused us.
    Refused(String, Stopwatch),
}

#[derive(Debug)]
struct Bind {
    way: Way,
    standing: watch::Sender<Standing>,
    /// Submissions under way.
    window: Semaphore,
    /// Try now.
    now: Notify,
}

/// A bind that is up, with its line.
type Place<'a> = (&'a Arc<Bind>, Arc<Session>);

/// Why nothing can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoBind {
    /// None is up.
    Down(String),
    /// The SMSC refuses us.
    Refused(String),
}

/// The binds of one connection.
#[derive(Debug)]
pub struct Group {
    plan: Arc<Plan>,
    receives: bool,
    binds: Vec<Arc<Bind>>,
    turn: AtomicUsize,
    /// Any bind stands otherwise than before.
    changed: watch::Sender<()>,
    stop: CancellationToken,
}

impl Group {
    /// A number by which all parts of one text take the same bind.
    pub fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands a submission over once there is room in a window, and awaits the answer.
    ///
    /// # Errors
    /// No bind is up; certainly not sent.
    pub async fn ask(&self, turn: usize, pdu: Pdu) -> Result<Answer, NoBind> {
        let (bind, session) = self.up(turn).await?;
        let Ok(_place) = bind.window.acquire().await else { return Ok(Answer::NotWritten) };
        Ok(session.ask(pdu).await)
    }

    async fn up(&self, turn: usize) -> Result<Place<'_>, NoBind> {
        let mut changed = self.changed.subscribe();
        let made = async {
            loop {
                changed.mark_unchanged();
                match self.look(turn) {
                    Some(found) => return found,
                    None => _ = changed.changed().await,
                }
            }
        };
        timeout(MADE, made).await.unwrap_or_else(|_| Err(NoBind::Down("no_bind".to_owned())))
    }

    /// A bind that is up; none while there is one that may soon be.
    fn look(&self, turn: usize) -> Option<Result<Place<'_>, NoBind>> {
        let senders: Vec<&Arc<Bind>> = self.binds.iter().filter(|bind| bind.way.sends()).collect();
        let (mut why, mut is_starting) = (NoBind::Down("no_bind".to_owned()), false);
        for at in 0..senders.len() {
            let bind = senders[(turn + at) % senders.len()];
            let standing = bind.standing.borrow().clone();
            match standing {
                Standing::Up(session) => return Some(Ok((bind, session))),
                Standing::Starting => is_starting = true,
                Standing::Down(reason) if !matches!(why, NoBind::Refused(_)) => why = NoBind::Down(reason),
                Standing::Refused(_, since) if since.elapsed() > AGAIN => {
                    // somebody has resumed it, or it would not be asked for
                    bind.standing.send_replace(Standing::Starting);
                    bind.now.notify_one();
                    is_starting = true;
                }
                Standing::Refused(code, _) => why = NoBind::Refused(code),
                Standing::Down(_) => {}
            }
        }
        (!is_starting).then_some(Err(why))
    }
}

/// Those that are there, and the one that was replaced last.
#[derive(Debug, Default)]
struct Groups {
    now: HashMap<Slug, Arc<Group>>,
    replaced: HashMap<Slug, (Vec<u8>, Stopwatch)>,
    repeats: HashMap<Slug, Arc<Repeats>>,
}

/// The binds of a process; clones share them.
#[derive(Clone, Default)]
pub struct Registry {
    groups: Arc<Mutex<Groups>>,
    hands: Arc<Mutex<Option<Hands>>>,
    tasks: TaskTracker,
    sessions: Arc<AtomicU64>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// Who takes what comes, from now on; none: it is told to come again.
    pub fn take_by(&self, hands: Option<Hands>) {
        *self.hands.lock().unwrap_or_else(PoisonError::into_inner) = hands;
    }

    /// The binds of a connection, made where they are not there yet; with `receives` for both ways.
    pub fn group(&self, plan: &Arc<Plan>, receives: bool) -> Arc<Group> {
        let mut groups = self.lock();
        if let Some(group) = groups.now.get(&plan.carrier) {
            let is_old = groups
                .replaced
                .get(&plan.carrier)
                .is_some_and(|(print, since)| *print == plan.print && since.elapsed() < REPLACED);
            let is_same = group.plan.print == plan.print || is_old;
            if is_same && (group.receives || !receives) {
                return Arc::clone(group);
            }
            let receives = receives || group.receives;
            let plan = if is_old { Arc::clone(&group.plan) } else { Arc::clone(plan) };
            group.stop.cancel();
            if !is_same {
                let replaced = (group.plan.print.clone(), Stopwatch::start());
                groups.replaced.insert(plan.carrier.clone(), replaced);
            }
            return self.start(&mut groups, &plan, receives);
        }
        self.start(&mut groups, plan, receives)
    }

    /// Parts with connections that are not among these.
    pub fn keep(&self, known: &BTreeSet<Slug>) {
        self.lock().now.retain(|carrier, group| {
            let stays = known.contains(carrier);
            if !stays {
                group.stop.cancel();
            }
            stays
        });
    }

    /// Parts with all, each in order.
    pub async fn close(&self) {
        for (_, group) in self.lock().now.drain() {
            group.stop.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn start(&self, groups: &mut Groups, plan: &Arc<Plan>, receives: bool) -> Arc<Group> {
        let ways: &[Way] = match (receives, plan.is_split) {
            (false, _) => &[Way::Transmitter],
            (true, false) => &[Way::Transceiver],
            (true, true) => &[Way::Transmitter, Way::Receiver],
        };
        let bind = |way: &Way| {
            let (standing, window) = (watch::Sender::new(Standing::Starting), Semaphore::new(plan.window));
            Arc::new(Bind { way: *way, standing, window, now: Notify::new() })
        };
        let binds = (0..plan.binds).flat_map(|_| ways).map(bind).collect();
        let (changed, stop) = (watch::Sender::new(()), CancellationToken::new());
        let group =
            Arc::new(Group { plan: Arc::clone(plan), receives, binds, turn: AtomicUsize::new(0), changed, stop });
        let repeats = Arc::clone(groups.repeats.entry(plan.carrier.clone()).or_default());
        let inbound = Arc::new(Inbound { plan: Arc::clone(plan), repeats, hands: Arc::clone(&self.hands) });
        for bind in &group.binds {
            let (group, bind, inbound) = (Arc::clone(&group), Arc::clone(bind), Arc::clone(&inbound));
            let sessions = Arc::clone(&self.sessions);
            self.tasks.spawn(async move { supervise(&group, &bind, &inbound, &sessions).await });
        }
        groups.now.insert(plan.carrier.clone(), Arc::clone(&group));
        group
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a bind, again and again, until its group is to stop.
async fn supervise(group: &Group, bind: &Bind, inbound: &Inbound, sessions: &AtomicU64) {
    let carrier = &group.plan.carrier;
    let mut waits = Waits::new(Duration::from_millis(250), Duration::from_secs(30));
    let stand = |standing| {
        bind.standing.send_replace(standing);
        group.changed.send_replace(());
    };
    while !group.stop.is_cancelled() {
        let dialled = tokio::select! {
            () = group.stop.cancelled() => break,
            dialled = dial::dial(&group.plan, bind.way) => dialled,
        };
        let mut wait = None;
        match dialled {
            Ok(line) => {
                tracing::info!(carrier = %carrier, way = ?bind.way, "bound");
                let up = metrics::gauge!("texthub_smpp_binds", "carrier" => carrier.to_string());
                let (session, runs) = Session::on(line, sessions.fetch_add(1, Ordering::Relaxed));
                let stood = Stopwatch::start();
                up.increment(1.0);
                stand(Standing::Up(Arc::clone(&session)));
                let why = session.run(runs, inbound, group.plan.enquire, &group.stop).await;
                up.decrement(1.0);
                stand(Standing::Down(why.to_owned()));
                tracing::warn!(carrier = %carrier, way = ?bind.way, why, "a bind has ended");
                if stood.elapsed() > STANDS {
                    waits.reset();
                }
            }
            Err(NotBound::Away(why)) => {
                tracing::warn!(carrier = %carrier, way = ?bind.way, why, "no bind");
                stand(Standing::Down(why));
            }
            Err(NotBound::Refused(code)) => {
                tracing::error!(carrier = %carrier, way = ?bind.way, code, "the SMSC refuses the bind");
                stand(Standing::Refused(code, Stopwatch::start()));
                wait = Some(REFUSED);
            }
        }
        metrics::counter!("texthub_smpp_lost_total", "carrier" => carrier.to_string()).increment(1);
        let waited = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => waits.next().await,
            }
        };
        tokio::select! {
            () = group.stop.cancelled() => break,
            () = bind.now.notified() => {}
            () = waited => {}
        }
    }
}
