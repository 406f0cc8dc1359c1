//! One bound line: requests and their answers matched by sequence number whatever their order, a silent SMSC asked
//! whether it lives, its requests answered. What the SMSC says is answered only once it is taken by others; octets that
//! mean nothing are kept for an operator and cost one PDU. Whatever ends the line ends the session: who waits for an
//! answer then learns whether the request had been written.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use rusmpp_core::CommandStatus;
use rusmpp_core::pdus::owned::Pdu;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::dial::Line;
use super::inbound::{Came, Inbound, Item};
use super::pdu::{self, Deliver, HEADER, Head, LARGEST, id};
use super::status;
use crate::runtime::clock::Stopwatch;

/// How long the SMSC may take to answer a submission.
const ANSWERS: Duration = Duration::from_secs(30);
/// How long it may take to answer whether it lives.
const LIVES: Duration = Duration::from_secs(10);
/// How long a line that is given up waits for the answers under way, and for that to the unbind.
const PARTS: Duration = Duration::from_secs(10);
/// Largest PDU that is passed over, in octets; beyond that the length is no length.
const PASSED_OVER: usize = 16 * 1024 * 1024;
/// Octets that are written in one go.
const GO: usize = 16 * 1024;
/// PDUs of the SMSC's that wait to be taken.
const WAITING: usize = 256;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The SMSC's word.
    Status(u32, Option<String>),
    /// It never left.
    NotWritten,
    /// It may have left. Why nobody knows.
    Lost(&'static str),
}

/// A request under way.
#[derive(Debug)]
struct Pending {
    tell: oneshot::Sender<Answer>,
    is_written: bool,
}

struct Write {
    /// Of a request.
    sequence: Option<u32>,
    octets: BytesMut,
}

/// A bound line.
#[derive(Debug)]
pub struct Session {
    /// Tells sessions of this process apart.
    pub number: u64,
    writes: mpsc::Sender<Write>,
    /// None once it has ended.
    pending: Mutex<Option<HashMap<u32, Pending>>>,
    sequence: AtomicU32,
    began: Stopwatch,
    /// Milliseconds after its beginning, when the SMSC was heard last.
    heard: AtomicU64,
}

/// What runs a session.
pub struct Runs {
    line: Box<dyn Line>,
    writes: mpsc::Receiver<Write>,
}

impl Session {
    /// On a line that is bound; it lives while it is run.
    pub fn on(line: Box<dyn Line>, number: u64) -> (Arc<Self>, Runs) {
        let (writes, waiting) = mpsc::channel(1024);
        let session = Self {
            number,
            writes,
            pending: Mutex::new(Some(HashMap::new())),
            // the bind was the first
            sequence: AtomicU32::new(2),
            began: Stopwatch::start(),
            heard: AtomicU64::new(0),
        };
        (Arc::new(session), Runs { line, writes: waiting })
    }

    /// Hands a request over and awaits its answer.
    pub async fn ask(&self, pdu: Pdu) -> Answer {
        self.ask_within(pdu, ANSWERS).await
    }

    async fn ask_within(&self, pdu: Pdu, patience: Duration) -> Answer {
        let sequence = self.next();
        let (tell, told) = oneshot::channel();
        match &mut *self.lock() {
            Some(pending) => _ = pending.insert(sequence, Pending { tell, is_written: false }),
            None => return Answer::NotWritten,
        }
        let octets = pdu::frame(CommandStatus::EsmeRok, sequence, pdu);
        let answered = async {
            if self.writes.send(Write { sequence: Some(sequence), octets }).await.is_err() {
                return Answer::NotWritten;
            }
            told.await.unwrap_or(Answer::Lost("connection_broken"))
        };
        let answer = timeout(patience, answered).await;
        let left = self.lock().as_mut().and_then(|pending| pending.remove(&sequence));
        answer.unwrap_or_else(|_| {
            if left.is_some_and(|pending| !pending.is_written) { Answer::NotWritten } else { Answer::Lost("time_out") }
        })
    }

    /// Runs it to its end; says why it ended.
    pub async fn run(&self, runs: Runs, work: &Inbound, enquire: Duration, stop: &CancellationToken) -> &'static str {
        let (read, write) = tokio::io::split(runs.line);
        let (come, items) = mpsc::channel(WAITING);
        let why = tokio::select! {
            why = self.write(write, runs.writes) => why,
            why = self.read(read, &come, work) => why,
            why = self.keep(enquire, stop) => why,
            why = self.take(items, work) => why,
        };
        for (_, pending) in self.lock().take().unwrap_or_default() {
            let answer = if pending.is_written { Answer::Lost("connection_broken") } else { Answer::NotWritten };
            let _ = pending.tell.send(answer);
        }
        work.repeats.ended(self.number);
        why
    }

    async fn write(&self, mut line: WriteHalf<Box<dyn Line>>, mut writes: mpsc::Receiver<Write>) -> &'static str {
        while let Some(first) = writes.recv().await {
            let (mut octets, mut sequences) = (first.octets, Vec::from_iter(first.sequence));
            while octets.len() < GO
                && let Ok(next) = writes.try_recv()
            {
                octets.extend_from_slice(&next.octets);
                sequences.extend(next.sequence);
            }
            if let Some(pending) = &mut *self.lock() {
                for sequence in sequences {
                    pending.entry(sequence).and_modify(|pending| pending.is_written = true);
                }
            }
            if line.write_all(&octets).await.is_err() || line.flush().await.is_err() {
                break;
            }
        }
        "connection_broken"
    }

    async fn read(&self, line: ReadHalf<Box<dyn Line>>, come: &mpsc::Sender<Item>, work: &Inbound) -> &'static str {
        let mut line = BufReader::with_capacity(LARGEST, line);
        loop {
            let mut octets = [0; HEADER];
            if line.read_exact(&mut octets).await.is_err() {
                return "connection_broken";
            }
            let head = Head::read(octets);
            self.heard.store(self.age(), Ordering::Relaxed);
            let length = usize::try_from(head.length).unwrap_or(usize::MAX);
            if !(HEADER..=PASSED_OVER).contains(&length) {
                work.unreadable(&octets, "the length of a PDU is none").await;
                return "not_smpp";
            }
            // of one that is too large, the beginning
            let mut body = vec![0; length.min(LARGEST) - HEADER];
            if line.read_exact(&mut body).await.is_err() || pass_over(&mut line, length).await.is_err() {
                return "connection_broken";
            }
            let item = if length > LARGEST {
                Some(unreadable(head, &body, "larger than 64 KiB", status::INVALID_LENGTH))
            } else {
                match self.handle(head, &body, work) {
                    Ok(item) => item,
                    Err(why) => return self.left(line, why).await,
                }
            };
            if let Some(item) = item
                && come.send(item).await.is_err()
            {
                return "connection_broken";
            }
        }
    }

    /// One PDU: what others must take before it is answered, if so; an error where the SMSC leaves.
    fn handle(&self, head: Head, body: &[u8], work: &Inbound) -> Result<Option<Item>, &'static str> {
        if head.is_answer() {
            let pending = self.lock().as_mut().and_then(|pending| pending.remove(&head.sequence));
            if let Some(pending) = pending {
                let id = (head.id == id::SUBMIT_SM_RESP).then(|| pdu::message_id(body)).flatten();
                let _ = pending.tell.send(Answer::Status(head.status, id));
            }
            return Ok(None);
        }
        match head.id {
            id::ENQUIRE_LINK => self.answer(head, status::OK),
            id::UNBIND => {
                self.answer(head, status::OK);
                return Err("unbound_by_smsc");
            }
            id::DELIVER_SM | id::DATA_SM => {
                let item = match Deliver::read(head.id, body) {
                    Some(deliver) => work.item(head, body, &deliver),
                    None => unreadable(head, body, "cut off", status::NEVER),
                };
                return Ok(Some(item));
            }
            id::ALERT_NOTIFICATION | id::OUTBIND => {}
            _ => return Ok(Some(unreadable(head, body, "no such command", status::UNKNOWN_COMMAND))),
        }
        Ok(None)
    }

    /// The SMSC has said good-bye: it hangs up once it has our answer.
    async fn left(&self, mut line: BufReader<ReadHalf<Box<dyn Line>>>, why: &'static str) -> &'static str {
        let hangs_up = async { while line.read_u8().await.is_ok() {} };
        let _ = timeout(Duration::from_secs(1), hangs_up).await;
        why
    }

    /// Asks a silent SMSC whether it lives; unbinds when told to stop.
    async fn keep(&self, enquire: Duration, stop: &CancellationToken) -> &'static str {
        loop {
            let silent = Duration::from_millis(self.age() - self.heard.load(Ordering::Relaxed));
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(enquire.saturating_sub(silent).max(Duration::from_millis(50))) => {}
            }
            let before = self.heard.load(Ordering::Relaxed);
            let silent = Duration::from_millis(self.age() - before);
            if silent >= enquire {
                let answer = self.ask_within(Pdu::EnquireLink, LIVES.min(enquire.max(Duration::from_secs(2)))).await;
                // whatever else it says shows as well that it lives
                if !matches!(answer, Answer::Status(..)) && self.heard.load(Ordering::Relaxed) == before {
                    return "enquire_link_time_out";
                }
            }
        }
        let under_way = async {
            while self.lock().as_ref().is_some_and(|pending| !pending.is_empty()) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = timeout(PARTS, under_way).await;
        self.ask_within(Pdu::Unbind, Duration::from_secs(2)).await;
        "unbound"
    }

    /// Has what came taken, all that is there at once, and answers it.
    async fn take(&self, mut items: mpsc::Receiver<Item>, work: &Inbound) -> &'static str {
        let mut batch = Vec::new();
        while items.recv_many(&mut batch, 128).await > 0 {
            let answers: Vec<(Head, u32)> = batch.iter().map(|item| (item.head, item.then)).collect();
            let keys: Vec<_> = batch.iter().filter_map(|item| item.key).collect();
            let is_taken = work.take(self.number, std::mem::take(&mut batch)).await;
            for (head, then) in answers {
                self.answer(head, if is_taken { then } else { status::TRY_AGAIN });
            }
            if is_taken {
                work.repeats.answered(self.number, &keys);
            } else {
                work.repeats.not_taken(&keys);
            }
        }
        "connection_broken"
    }

    /// Answers, unless so much waits to be written that the SMSC does not read.
    fn answer(&self, to: Head, status: u32) {
        let _ = self.writes.try_send(Write { sequence: None, octets: pdu::answer(to, status) });
    }

    /// 1 to 0x7FFFFFFF, round and round (5.1.4).
    fn next(&self) -> u32 {
        self.sequence.fetch_add(1, Ordering::Relaxed) % 0x7FFF_FFFF + 1
    }

    fn age(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u32, Pending>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rest of a PDU that is too large.
async fn pass_over(line: &mut BufReader<ReadHalf<Box<dyn Line>>>, length: usize) -> std::io::Result<()> {
    let rest = u64::try_from(length.saturating_sub(LARGEST)).unwrap_or(0);
    let passed = tokio::io::copy(&mut line.take(rest), &mut tokio::io::sink()).await?;
    if passed == rest { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

fn unreadable(head: Head, body: &[u8], why: &'static str, then: u32) -> Item {
    let octets = [head.octets().as_slice(), body].concat();
    Item { head, then, key: None, came: Came::Unreadable { octets, why } }
}

#[cfg(test)]
mod tests;
