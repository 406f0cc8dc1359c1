//! One transaction for what little there is: the consumers of a worker's partitions in one process hand in their batches
//! here. While none is under way, whoever comes first handles what all of them have; what comes meanwhile waits and grows.
//! It goes together when that one is done, or beside it once it is many. Small transactions cost as much as large ones, so
//! at a moderate rate this keeps the machine, and with it every text, from waiting for the processor.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::batch::BATCH;
use crate::amqp::Lost;

/// So many waiting messages are worth a transaction beside those under way.
const MANY: usize = 32;

/// Where a waiting batch gets more from.
pub trait Feed<T>: Send {
    /// The next one that may go with the batch; none: there is none any more. Dropping the wait loses nothing.
    fn more(&mut self) -> impl Future<Output = Option<T>> + Send;
    /// Takes back one that came too late.
    fn keep(&mut self, item: T);
}

/// What a waiting consumer is told.
enum Told<T> {
    /// Somebody has handled its batch.
    Handled(Result<(), Lost>),
    /// It is to handle its own, and what waits behind it.
    Lead(Vec<T>),
}

struct Waiting<T> {
    nr: u64,
    batch: Vec<T>,
    tell: oneshot::Sender<Told<T>>,
}

struct State<T> {
    /// Batches under way.
    leading: usize,
    entered: u64,
    waiting: VecDeque<Waiting<T>>,
}

impl<T> State<T> {
    /// Whether so many more are to go now.
    fn may_go(&self, more: usize) -> bool {
        self.leading == 0 || more + self.waiting.iter().map(|waiting| waiting.batch.len()).sum::<usize>() >= MANY
    }
}

/// What became of a delivery that came while its batch waits.
enum Added<T> {
    /// It goes with the batch.
    Goes,
    /// With it so many wait that the caller is to handle them now.
    Lead(Vec<T>),
    /// Too late: the batch is being handled.
    Late(T),
}

/// The one of a worker in a process.
pub struct Gate<T>(Arc<Mutex<State<T>>>);

impl<T> Clone for Gate<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Gate<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { leading: 0, entered: 0, waiting: VecDeque::new() })))
    }
}

impl<T: Send> Gate<T> {
    /// Handles a batch, and what the feed brings while it waits, perhaps together with others' batches.
    ///
    /// # Errors
    /// `Lost`: nothing may be acknowledged.
    pub async fn handle<F: Future<Output = Result<(), Lost>> + Send>(
        &self,
        batch: Vec<T>,
        feed: &mut impl Feed<T>,
        run: impl FnOnce(Vec<T>) -> F + Send,
    ) -> Result<(), Lost> {
        let batch = match self.enter(batch) {
            Ok(batch) => batch,
            Err((nr, mut told)) => loop {
                tokio::select! {
                    biased;
                    told = &mut told => match told {
                        Ok(Told::Lead(batch)) => break batch,
                        Ok(Told::Handled(result)) => return result,
                        Err(_) => return Err(Lost("whoever handled the batch has stopped".into())),
                    },
                    Some(item) = feed.more() => {
                        match self.add(nr, item) {
                            Added::Goes => {}
                            Added::Lead(batch) => break batch,
                            Added::Late(item) => feed.keep(item),
                        }
                    }
                }
            },
        };
        let leaving = Leaving(self);
        let (batch, others) = self.gather(batch);
        let result = run(batch).await;
        for other in others {
            let _ = other.send(Told::Handled(result.clone()));
        }
        drop(leaving);
        result
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch back, to be handled by the caller; or its number, and what the caller is to wait for.
    fn enter(&self, batch: Vec<T>) -> Result<Vec<T>, (u64, oneshot::Receiver<Told<T>>)> {
        let mut state = self.state();
        if state.may_go(batch.len()) {
            state.leading += 1;
            return Ok(batch);
        }
        let (tell, told) = oneshot::channel();
        state.entered += 1;
        let nr = state.entered;
        state.waiting.push_back(Waiting { nr, batch, tell });
        Err((nr, told))
    }

    fn add(&self, nr: u64, item: T) -> Added<T> {
        let mut state = self.state();
        let Some(place) = state.waiting.iter().position(|waiting| waiting.nr == nr) else {
            return Added::Late(item);
        };
        state.waiting[place].batch.push(item);
        if !state.may_go(0) {
            return Added::Goes;
        }
        state.leading += 1;
        state.waiting.remove(place).map_or(Added::Goes, |waiting| Added::Lead(waiting.batch))
    }

    /// The batch with all that waits and has room in it.
    fn gather(&self, mut batch: Vec<T>) -> (Vec<T>, Vec<oneshot::Sender<Told<T>>>) {
        let mut state = self.state();
        let mut others = Vec::new();
        while let Some(next) = state.waiting.pop_front() {
            if batch.len() + next.batch.len() > BATCH {
                state.waiting.push_front(next);
                break;
            }
            batch.extend(next.batch);
            others.push(next.tell);
        }
        (batch, others)
    }
}

/// Hands the lead on, however the one who had it ends.
struct Leaving<'a, T: Send>(&'a Gate<T>);

impl<T: Send> Drop for Leaving<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.leading -= 1;
        while state.may_go(0) {
            let Some(Waiting { batch, tell, .. }) = state.waiting.pop_front() else { return };
            if tell.send(Told::Lead(batch)).is_ok() {
                state.leading += 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::{Notify, Semaphore};

    use super::*;

    /// What comes while a batch waits, and what came too late.
    #[derive(Default)]
    struct Coming {
        next: VecDeque<u32>,
        kept: Vec<u32>,
    }

    impl Feed<u32> for Coming {
        async fn more(&mut self) -> Option<u32> {
            self.next.pop_front()
        }

        fn keep(&mut self, item: u32) {
            self.kept.push(item);
        }
    }

    fn coming(next: impl IntoIterator<Item = u32>) -> Coming {
        Coming { next: next.into_iter().collect(), kept: Vec::new() }
    }

    /// Batches in the order in which they were begun; each ends when it is let go.
    struct Seen {
        begun: mpsc::Sender<Vec<u32>>,
        is_begun: Notify,
        go: Semaphore,
        result: Result<(), Lost>,
    }

    impl Seen {
        async fn run(&self, batch: Vec<u32>) -> Result<(), Lost> {
            self.begun.send(batch).unwrap();
            self.is_begun.notify_one();
            self.go.acquire().await.unwrap().forget();
            self.result.clone()
        }
    }

    fn seen(result: Result<(), Lost>) -> (Seen, mpsc::Receiver<Vec<u32>>) {
        let (begun, batches) = mpsc::channel();
        (Seen { begun, is_begun: Notify::new(), go: Semaphore::new(0), result }, batches)
    }

    #[tokio::test]
    async fn what_waits_grows_and_goes_together_and_each_keeps_its_order() {
        let (gate, (seen, batches)) = (Gate::default(), seen(Ok(())));
        let (mut a, mut b, mut c) = (coming([]), coming([21, 22]), coming([]));
        let others = async {
            seen.is_begun.notified().await;
            let both = async {
                tokio::join!(
                    gate.handle(vec![20], &mut b, |batch| seen.run(batch)),
                    gate.handle(vec![30], &mut c, |batch| seen.run(batch)),
                )
            };
            let go = async {
                tokio::task::yield_now().await;
                seen.go.add_permits(2);
            };
            tokio::join!(both, go).0
        };
        let (first, (second, third)) = tokio::join!(gate.handle(vec![10], &mut a, |batch| seen.run(batch)), others);
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        let begun: Vec<Vec<u32>> = batches.try_iter().collect();
        assert_eq!(begun, [vec![10], vec![20, 21, 22, 30]]);
    }

    #[tokio::test]
    async fn many_go_beside_the_one_under_way() {
        let (gate, (seen, batches)) = (Gate::default(), seen(Ok(())));
        let (mut a, mut b) = (coming([]), coming(1..100));
        let many = async {
            seen.is_begun.notified().await;
            let both = tokio::join!(gate.handle(vec![0], &mut b, |batch| seen.run(batch)), async {
                seen.is_begun.notified().await;
                seen.go.add_permits(2);
            });
            both.0
        };
        let (first, second) = tokio::join!(gate.handle(vec![500], &mut a, |batch| seen.run(batch)), many);
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(batches.try_iter().map(|batch| batch.len()).collect::<Vec<_>>(), [1, MANY]);
        assert_eq!(b.next.len(), 100 - MANY, "the rest is the next batch's");
    }

    #[tokio::test]
    async fn who_is_handled_by_another_hears_of_its_failure() {
        let (gate, (seen, _batches)) = (Gate::default(), seen(Err(Lost("gone".into()))));
        seen.go.add_permits(9);
        let (mut a, mut b, mut c) = (coming([]), coming([]), coming([]));
        let (first, second, third) = tokio::join!(
            gate.handle(vec![1], &mut a, |batch| seen.run(batch)),
            gate.handle(vec![2], &mut b, |batch| seen.run(batch)),
            gate.handle(vec![3], &mut c, |batch| seen.run(batch)),
        );
        assert!(first.is_err() && second.is_err() && third.is_err());
        let (mut d, run) = (coming([]), |batch| seen.run(batch));
        assert!(gate.handle(vec![4], &mut d, run).await.is_err(), "the gate is open again");
    }
}
