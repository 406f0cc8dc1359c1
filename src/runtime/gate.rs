//! One transaction for what little there is: the consumers of a worker's partitions in one process hand in their batches
//! here. While none is under way, whoever comes first handles what all of them have; what comes meanwhile waits and grows.
//! It goes together when that one is done, or beside it once it is many. Small transactions cost as much as large ones, so
//! at a moderate rate this keeps the machine, and with it every text, from waiting for the processor.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::message::Delivery;
use tokio::sync::oneshot;

use super::batch::{BATCH, Handler, Runner};
use super::supervisor::Feed;
use crate::amqp::Lost;

/// So many waiting messages are worth a transaction beside those under way.
const MANY: usize = 32;

/// What a waiting consumer is told.
enum Told {
    /// Somebody has handled its batch.
    Handled(Result<(), Lost>),
    /// It is to handle its own, and what waits behind it.
    Lead(Vec<Delivery>),
}

struct Waiting {
    nr: u64,
    batch: Vec<Delivery>,
    tell: oneshot::Sender<Told>,
}

#[derive(Default)]
struct State {
    /// Batches under way.
    leading: usize,
    entered: u64,
    waiting: VecDeque<Waiting>,
}

impl State {
    /// Whether so many more are to go now.
    fn may_go(&self, more: usize) -> bool {
        self.leading == 0 || more + self.waiting.iter().map(|waiting| waiting.batch.len()).sum::<usize>() >= MANY
    }
}

/// What became of a delivery that came while its batch waits.
enum Added {
    /// It goes with the batch.
    Goes,
    /// With it so many wait that the caller is to handle them now.
    Lead(Vec<Delivery>),
    /// Too late: the batch is being handled.
    Late(Delivery),
}

/// The one of a worker in a process.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<State>>);

impl Gate {
    /// Handles a batch, and what the feed brings while it waits, perhaps together with others' batches. Returns the last
    /// delivery that may be acknowledged.
    ///
    /// # Errors
    /// `Lost`: nothing may be acknowledged.
    pub async fn handle<H: Handler>(
        &self,
        runner: &Runner<H>,
        batch: Vec<Delivery>,
        feed: &mut Feed,
    ) -> Result<u64, Lost> {
        let mut last = batch.last().map_or(0, |delivery| delivery.delivery_tag);
        let batch = match self.enter(batch) {
            Ok(batch) => batch,
            Err((nr, mut told)) => loop {
                tokio::select! {
                    biased;
                    told = &mut told => match told {
                        Ok(Told::Lead(batch)) => break batch,
                        Ok(Told::Handled(result)) => return result.map(|()| last),
                        Err(_) => return Err(Lost("whoever handled the batch has stopped".into())),
                    },
                    Some(delivery) = feed.more() => {
                        let tag = delivery.delivery_tag;
                        match self.add(nr, delivery) {
                            Added::Goes => last = tag,
                            Added::Lead(batch) => {
                                last = tag;
                                break batch;
                            }
                            Added::Late(delivery) => feed.keep(delivery),
                        }
                    }
                }
            },
        };
        let leaving = Leaving(self);
        let (batch, others) = self.gather(batch);
        let result = runner.handle(batch).await;
        for other in others {
            let _ = other.send(Told::Handled(result.clone()));
        }
        drop(leaving);
        result.map(|()| last)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch back, to be handled by the caller; or its number, and what the caller is to wait for.
    fn enter(&self, batch: Vec<Delivery>) -> Result<Vec<Delivery>, (u64, oneshot::Receiver<Told>)> {
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

    fn add(&self, nr: u64, delivery: Delivery) -> Added {
        let mut state = self.state();
        let Some(place) = state.waiting.iter().position(|waiting| waiting.nr == nr) else {
            return Added::Late(delivery);
        };
        state.waiting[place].batch.push(delivery);
        if !state.may_go(0) {
            return Added::Goes;
        }
        state.leading += 1;
        state.waiting.remove(place).map_or(Added::Goes, |waiting| Added::Lead(waiting.batch))
    }

    /// The batch with all that waits and has room in it.
    fn gather(&self, mut batch: Vec<Delivery>) -> (Vec<Delivery>, Vec<oneshot::Sender<Told>>) {
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
struct Leaving<'a>(&'a Gate);

impl Drop for Leaving<'_> {
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
