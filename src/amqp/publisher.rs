//! Publishing with confirms. One task owns the AMQP channel for work (mandatory; only `Ack(None)` is success), another
//! the one for announcements (no listener is normal; a nack, or no confirm within a second, is counted and passed
//! over). Two tasks on one channel would get each other's confirms.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::connection::Link;
use super::topology::{FRONT, WORK};
use super::wire::{self, Wire};
use super::{Lost, patiently};
use crate::facts::envelope::Publication;
use crate::runtime::clock;

/// Most publications under way on one AMQP channel: the broker's multiple confirms walk them all.
const WINDOW: usize = 1_000;
/// Most handed to the socket in one go.
const GO: usize = 256;
/// How long an announcement may take.
const ANNOUNCE: Duration = Duration::from_secs(1);

/// How many of a job's publications the broker did not take.
type NotTaken = u64;

struct Job {
    wires: Vec<Wire>,
    done: oneshot::Sender<Result<NotTaken, Lost>>,
}

/// Says facts; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    work: mpsc::Sender<Job>,
    announce: mpsc::Sender<Job>,
}

impl Publisher {
    /// Opens its two AMQP channels.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn open(link: &Link) -> Result<Self, Lost> {
        Ok(Self { work: owner(link, true).await?, announce: owner(link, false).await? })
    }

    /// Says facts: work is confirmed or this is an error; announcements are awaited beside it, and passed over.
    ///
    /// # Errors
    /// `Lost`: nothing may be acknowledged.
    pub async fn say(&self, publications: &[Publication]) -> Result<(), Lost> {
        let now = clock::near();
        self.send(publications.iter().flat_map(|p| wire::of_publication(now, p)).collect()).await
    }

    /// Says facts to the front exchange as a program outside would: confirmed, or this is an error.
    ///
    /// # Errors
    /// `Lost`: they may not have arrived.
    pub async fn tell(&self, publications: &[Publication]) -> Result<(), Lost> {
        let now = clock::near();
        all_taken(hand(&self.announce, publications.iter().flat_map(|p| wire::of_publication(now, p)).collect()).await)
    }

    /// Says what a carrier's adapter of our own has to say: all of it confirmed, or this is an error.
    ///
    /// # Errors
    /// `Lost`: some may not have arrived.
    pub async fn hand_in(&self, publications: &[Publication], partitions: u32) -> Result<(), Lost> {
        let now = clock::near();
        let wires = publications.iter().flat_map(|p| wire::of_adapter(now, p, partitions));
        let (told, work): (Vec<Wire>, Vec<Wire>) = wires.partition(|w| w.exchange == FRONT);
        let (told, done) = tokio::join!(hand(&self.announce, told), hand(&self.work, work));
        all_taken(told).and(all_taken(done))
    }

    /// Whether the broker takes publications now: one that nobody hears, confirmed.
    ///
    /// # Errors
    /// `Lost`: it does not.
    pub async fn probe(&self) -> Result<(), Lost> {
        let properties = BasicProperties::default().with_delivery_mode(1);
        let wire = Wire { exchange: WORK, key: "hub.probed".into(), body: Vec::new(), properties };
        all_taken(hand(&self.announce, vec![wire]).await)
    }

    /// The same for messages made otherwise.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn send(&self, wires: Vec<Wire>) -> Result<(), Lost> {
        let (announced, work): (Vec<Wire>, Vec<Wire>) = wires.into_iter().partition(|w| w.exchange == FRONT);
        let (count, stopwatch) = (announced.len(), clock::Stopwatch::start());
        let (done, heard) =
            tokio::join!(hand(&self.work, work), tokio::time::timeout(ANNOUNCE, hand(&self.announce, announced)));
        // an AMQP channel that is gone is rebuilt with all the rest; what a stranger's queue did not take is not
        let passed_over = heard.unwrap_or(Ok(count as u64))?;
        if passed_over > 0 {
            metrics::counter!("texthub_announcements_passed_over_total").increment(passed_over);
            tracing::warn!(count = passed_over, "announcements passed over: not confirmed within a second, or refused");
        }
        metrics::histogram!("texthub_confirm_seconds").record(stopwatch.elapsed().as_secs_f64());
        all_taken(done)
    }
}

fn all_taken(result: Result<NotTaken, Lost>) -> Result<(), Lost> {
    match result? {
        0 => Ok(()),
        n => Err(Lost(format!("the broker did not take {n} publications"))),
    }
}

async fn hand(to: &mpsc::Sender<Job>, wires: Vec<Wire>) -> Result<NotTaken, Lost> {
    if wires.is_empty() {
        return Ok(0);
    }
    let (done, answer) = oneshot::channel();
    to.send(Job { wires, done }).await.map_err(|_| Lost("the publisher has stopped".into()))?;
    answer.await.map_err(|_| Lost("the publisher stopped".into()))?
}

/// Starts the task that owns one AMQP channel.
async fn owner(link: &Link, mandatory: bool) -> Result<mpsc::Sender<Job>, Lost> {
    let channel = link.publishing().await?;
    patiently("confirm.select", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    let (jobs, mut waiting) = mpsc::channel::<Job>(256);
    let window = Arc::new(Semaphore::new(WINDOW));
    tokio::spawn(async move {
        while let Some(job) = waiting.recv().await {
            let mut confirms = Vec::with_capacity(job.wires.len());
            let mut lost = None;
            for go in job.wires.chunks(GO) {
                let places = u32::try_from(go.len()).unwrap_or(1);
                let Ok(permit) = Arc::clone(&window).acquire_many_owned(places).await else { return };
                match publish(&channel, go, mandatory).await {
                    // awaited beside the next publications; a place in the window is held until then
                    Ok(published) => confirms.push(tokio::spawn(async move {
                        let confirmed = confirm(published).await;
                        drop(permit);
                        confirmed
                    })),
                    Err(error) => {
                        lost = Some(error);
                        break;
                    }
                }
            }
            tokio::spawn(async move {
                let mut result = lost.map_or(Ok(0), Err);
                for confirmed in confirms {
                    let confirmed = confirmed.await.unwrap_or_else(|error| Err(Lost(error.to_string())));
                    result = result.and_then(|before| confirmed.map(|more| before + more));
                }
                let _ = job.done.send(result);
            });
        }
    });
    Ok(jobs)
}

/// Polled in their order within this one task, so that tags and frames agree.
async fn publish(channel: &Channel, wires: &[Wire], mandatory: bool) -> Result<Vec<PublisherConfirm>, Lost> {
    let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
    let sends = wires.iter().map(|w| {
        channel.basic_publish(w.exchange.into(), w.key.as_str().into(), options, &w.body, w.properties.clone())
    });
    let published = patiently("publish", async { Ok::<_, Lost>(join_all(sends).await) }).await?;
    published.into_iter().collect::<Result<Vec<_>, _>>().map_err(Lost::from)
}

async fn confirm(published: Vec<PublisherConfirm>) -> Result<NotTaken, Lost> {
    let mut not_taken = 0;
    let confirmations = patiently("confirm", async { Ok::<_, Lost>(join_all(published).await) }).await?;
    for confirmation in confirmations {
        match confirmation? {
            Confirmation::Ack(None) => {}
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                let id = returned.delivery.properties.message_id().as_ref().map(ToString::to_string);
                metrics::counter!("texthub_publications_returned_total").increment(1);
                return Err(Lost(format!(
                    "publication {} was returned: no queue is bound for it",
                    id.unwrap_or_default()
                )));
            }
            Confirmation::Nack(None) => not_taken += 1,
            Confirmation::NotRequested => return Err(Lost("confirms are off".into())),
        }
    }
    Ok(not_taken)
}
