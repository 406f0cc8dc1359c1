//! Receipts: planned when a submission is taken (with what goes wrong), recorded with it, and said as
//! `receipt.received` when due, each until it is confirmed. A repeat has the same id and the same body.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Submit;
use super::faults::{ReceiptFaults, happens};
use super::http::State;
use crate::facts::envelope::Publication;
use crate::facts::heard::{ReceiptReceived, ReceiptStatus};
use crate::facts::ids::{FactId, Slug};
use crate::runtime::clock;

/// Something to publish to the exchange `texthub`, and where to tell that it was confirmed (dropped: it was not).
#[derive(Debug)]
pub struct Said {
    /// What.
    pub publication: Publication,
    /// Told after the confirm.
    pub confirmed: oneshot::Sender<()>,
}

/// A receipt that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Receipt {
    /// When; also its `reported_at`.
    pub due_at: Timestamp,
    /// Under which slug.
    pub carrier: Slug,
    /// Of which part.
    pub carrier_sms_id: String,
    /// From 1.
    pub part: i32,
    /// submitted, delivered, undelivered, failed.
    pub status: String,
    /// Said twice.
    pub twice: bool,
    /// Said before the submission is answered.
    pub early: bool,
}

impl Receipt {
    /// Derived from carrier, carrier's id and status, so that the carrier's repeat is the same fact.
    pub fn id(&self) -> FactId {
        FactId::of_carrier("receipt.received", &self.carrier, &format!("{}/{}", self.carrier_sms_id, self.status))
    }

    fn status(&self) -> ReceiptStatus {
        match self.status.as_str() {
            "submitted" => ReceiptStatus::Submitted,
            "undelivered" => ReceiptStatus::Undelivered,
            "failed" => ReceiptStatus::Failed,
            _ => ReceiptStatus::Delivered,
        }
    }

    pub(super) fn publication(&self) -> Publication {
        let status = self.status();
        let failed = matches!(status, ReceiptStatus::Failed | ReceiptStatus::Undelivered);
        let body = ReceiptReceived {
            id: self.id(),
            carrier: self.carrier.clone(),
            carrier_sms_id: self.carrier_sms_id.clone(),
            status,
            error: failed.then(|| format!("sim_{}", self.status)),
            part: Some(self.part),
            id_rules: None,
            our_number: None,
            customer_number: None,
            reported_at: self.due_at,
        };
        Publication::to_the_hub(&body, self.carrier.as_str())
    }
}

/// What is to be sent for a submission, given what goes wrong.
pub(super) fn plan(submit: &Submit, ids: &[String], now: Timestamp, faults: &ReceiptFaults) -> Vec<Receipt> {
    let mut planned = Vec::new();
    for (part, id) in (1..).zip(ids) {
        let early = happens(faults.early);
        let wait = if early { 0 } else { faults.delay_ms + fastrand::u64(0..=faults.spread_ms) };
        let after = |ms: u64| now + SignedDuration::from_millis(i64::try_from(ms).unwrap_or(0));
        let status = if happens(faults.failed) {
            "failed"
        } else if happens(faults.undelivered) {
            "undelivered"
        } else {
            "delivered"
        };
        let receipt = |due_at, status: &str| Receipt {
            due_at,
            carrier: submit.carrier.clone(),
            carrier_sms_id: id.clone(),
            part,
            status: status.to_owned(),
            twice: happens(faults.duplicated),
            early,
        };
        if happens(faults.dropped) {
            continue;
        }
        planned.push(receipt(after(wait), status));
        if happens(faults.reordered) {
            planned.push(Receipt { early: false, ..receipt(after(wait + 100), "submitted") });
        }
    }
    planned
}

/// Receipts waiting for their time.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    heap: Mutex<BinaryHeap<Reverse<Receipt>>>,
    more: Notify,
}

impl Waiting {
    pub fn add(&self, receipts: impl IntoIterator<Item = Receipt>) {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner).extend(receipts.into_iter().map(Reverse));
        self.more.notify_one();
    }

    /// Those that are due, and how long until the next one is.
    fn due(&self, now: Timestamp) -> (Vec<Receipt>, Duration) {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while due.len() < MOST && heap.peek().is_some_and(|Reverse(next)| next.due_at <= now) {
            due.extend(heap.pop().map(|Reverse(receipt)| receipt));
        }
        let next =
            heap.peek().map(|Reverse(next)| Duration::try_from(next.due_at.duration_since(now)).unwrap_or_default());
        (due, next.unwrap_or(Duration::from_mins(1)))
    }
}

/// Most receipts on their way at once.
const MOST: usize = 256;
/// Before another try where one was not confirmed.
const AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// Says receipts as they fall due, until told to stop.
pub(super) async fn send(state: Arc<State>, outbox: mpsc::Sender<Said>, stop: CancellationToken) {
    loop {
        let (due, next) = state.waiting.due(clock::wall());
        if due.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = state.waiting.more.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
            continue;
        }
        let answers = join_all(due.iter().map(|receipt| say(&outbox, receipt))).await;
        let (mut sent, mut again) = (Vec::new(), Vec::new());
        for (receipt, confirmed) in due.into_iter().zip(answers) {
            if confirmed { sent.push(receipt.id()) } else { again.push(receipt) }
        }
        if !sent.is_empty()
            && let Err(error) = state.record().receipts_sent(sent)
        {
            tracing::error!(%error, "the simulator's record cannot be written; receipts may be sent again");
        }
        if !again.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN.unsigned_abs()) => state.waiting.add(again),
            }
        }
    }
}

/// Says a receipt; whether it was confirmed.
pub(super) async fn say(outbox: &mpsc::Sender<Said>, receipt: &Receipt) -> bool {
    for _ in 0..=u8::from(receipt.twice) {
        if !publish(outbox, receipt.publication()).await {
            return false;
        }
    }
    true
}

/// Hands a fact to the publisher; whether it was confirmed.
pub(super) async fn publish(outbox: &mpsc::Sender<Said>, publication: Publication) -> bool {
    let (confirmed, told) = oneshot::channel();
    outbox.send(Said { publication, confirmed }).await.is_ok() && told.await.is_ok()
}
