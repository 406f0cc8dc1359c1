//! What goes out to connections: events in the order of their numbers, each written once, kept for a while for whoever
//! comes back, and never more of them waiting for one connection than it may have: then it is cut off and resumes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::event::{Event, Topic};
use super::shape::Desk;
use crate::runtime::clock::Stopwatch;

/// Most events that wait for one connection.
pub const WAITING: usize = 256;
/// Most bytes that wait for one connection.
pub const WAITING_BYTES: usize = 1024 * 1024;
/// Events of a topic that are kept for whoever comes back.
const KEPT: usize = 256;
/// How long a topic without a connection is kept.
const LINGERS: Duration = Duration::from_secs(120);

/// An event as it goes out.
#[derive(Debug)]
pub struct Written {
    /// Its number in the stream.
    pub seq: u64,
    /// JSON, shared by all who get it.
    pub text: Utf8Bytes,
}

/// What a connection takes out of its tray.
#[derive(Clone, Debug)]
pub enum Out {
    /// It begins anew with all of it; events up to this number are in it.
    Snapshot(u64, Arc<Desk>),
    /// The next one.
    Event(Arc<Written>),
}

/// A connection, as events are put into it.
#[derive(Clone, Debug)]
pub struct Tray {
    /// Tells connections apart.
    pub id: u64,
    events: mpsc::Sender<Out>,
    bytes: Arc<AtomicUsize>,
    /// It had too much to take.
    pub cut: CancellationToken,
}

/// The other end of a tray.
#[derive(Debug)]
pub struct Taker {
    events: mpsc::Receiver<Out>,
    bytes: Arc<AtomicUsize>,
    /// It had too much to take.
    pub cut: CancellationToken,
}

impl Tray {
    /// An empty one, and its other end.
    #[must_use]
    pub fn new(id: u64) -> (Self, Taker) {
        // a snapshot beside the events
        let (events, taken) = mpsc::channel(WAITING + 1);
        let (bytes, cut) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let opened = Taker { events: taken, bytes: Arc::clone(&bytes), cut: cut.clone() };
        (Self { id, events, bytes, cut }, opened)
    }

    /// Puts something in; false, and cut off, where there is no room.
    #[must_use]
    pub fn put(&self, out: Out) -> bool {
        let weight = weight(&out);
        let waiting = self.bytes.fetch_add(weight, Ordering::Relaxed) + weight;
        let fits = waiting <= WAITING_BYTES || waiting == weight;
        if fits && self.events.try_send(out).is_ok() {
            return true;
        }
        self.cut.cancel();
        false
    }
}

impl Taker {
    /// The next one; none where nothing comes any more.
    pub async fn take(&mut self) -> Option<Out> {
        let out = self.events.recv().await?;
        self.bytes.fetch_sub(weight(&out), Ordering::Relaxed);
        Some(out)
    }
}

fn weight(out: &Out) -> usize {
    match out {
        Out::Snapshot(..) => 0,
        Out::Event(written) => written.text.len(),
    }
}

#[derive(Debug, Default)]
struct Line {
    kept: VecDeque<Arc<Written>>,
    /// Of the newest event that is not kept any more.
    floor: u64,
    trays: Vec<Tray>,
    /// Since when nobody is connected.
    left: Option<Stopwatch>,
}

/// All topics of a tenant in one stream of numbers.
#[derive(Debug, Default)]
pub struct Outbox {
    seq: u64,
    changes: u64,
    lines: HashMap<Topic, Line>,
}

impl Outbox {
    /// The number of the newest event.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Grows whenever a topic comes or goes.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Tells a topic; nothing happens where nobody follows it.
    pub fn tell(&mut self, topic: &Topic, event: &Event) {
        let Some(line) = self.lines.get_mut(topic) else { return };
        self.seq += 1;
        let written = Arc::new(Written { seq: self.seq, text: event.numbered(self.seq).into() });
        line.trays.retain(|to| to.put(Out::Event(Arc::clone(&written))));
        line.kept.push_back(written);
        if line.kept.len() > KEPT {
            line.floor = line.kept.pop_front().map_or(line.floor, |oldest| oldest.seq);
        }
    }

    /// Whether a topic is followed, by a connection or by one that may come back.
    #[must_use]
    pub fn follows(&self, topic: &Topic) -> bool {
        self.lines.contains_key(topic)
    }

    /// Every topic that is followed, and whether somebody is connected.
    pub fn topics(&self) -> impl Iterator<Item = (&Topic, bool)> {
        self.lines.iter().map(|(topic, line)| (topic, !line.trays.is_empty()))
    }

    /// Connects a tray to topics with a snapshot that holds everything up to now.
    pub fn begin(&mut self, topics: &[Topic], to: &Tray, desk: Arc<Desk>) {
        let _ = to.put(Out::Snapshot(self.seq, desk));
        self.join(topics, to);
    }

    fn join(&mut self, topics: &[Topic], to: &Tray) {
        for topic in topics {
            let (floor, changes) = (self.seq, &mut self.changes);
            let line = self.lines.entry(topic.clone()).or_insert_with(|| {
                *changes += 1;
                Line { floor, ..Line::default() }
            });
            line.left = None;
            line.trays.push(to.clone());
        }
    }

    /// Connects a tray that had everything up to `since`: false, and nothing happens, where what it missed is not kept.
    pub fn resume(&mut self, topics: &[Topic], to: &Tray, since: u64) -> bool {
        let has_all = |topic| self.lines.get(topic).is_some_and(|line| line.floor <= since);
        if since > self.seq || !topics.iter().all(has_all) {
            return false;
        }
        let mut missed: Vec<&Arc<Written>> =
            topics.iter().flat_map(|topic| &self.lines[topic].kept).filter(|written| written.seq > since).collect();
        missed.sort_by_key(|written| written.seq);
        if missed.len() > WAITING {
            return false;
        }
        for written in missed {
            let _ = to.put(Out::Event(Arc::clone(written)));
        }
        self.join(topics, to);
        true
    }

    /// Disconnects a tray.
    pub fn leave(&mut self, id: u64) {
        for line in self.lines.values_mut() {
            line.trays.retain(|to| to.id != id);
        }
    }

    /// Forgets topics that nobody came back to, and says which.
    pub fn sweep(&mut self) -> Vec<Topic> {
        self.sweep_after(LINGERS)
    }

    fn sweep_after(&mut self, lingers: Duration) -> Vec<Topic> {
        let mut gone = Vec::new();
        self.lines.retain(|topic, line| {
            if !line.trays.is_empty() {
                return true;
            }
            let stays = line.left.get_or_insert_with(Stopwatch::start).elapsed() < lingers;
            if !stays {
                gone.push(topic.clone());
            }
            stays
        });
        self.changes += gone.len() as u64;
        gone
    }

    /// Everybody connected.
    pub fn trays(&self) -> impl Iterator<Item = &Tray> {
        self.lines.values().flat_map(|line| &line.trays)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::shape::Setup;
    use super::*;
    use crate::facts::ids::Slug;

    fn topic(agent: &str) -> Topic {
        Topic::Agent(Slug::new(agent).unwrap())
    }

    fn event(nr: usize, size: usize) -> Event {
        let (id, reason) = (Uuid::from_u128(nr as u128), Some("x".repeat(size)));
        Event::OfferGone { offer_id: id, contact_id: id, outcome: "lapsed".into(), reason }
    }

    fn desk() -> Arc<Desk> {
        let now = jiff::Timestamp::UNIX_EPOCH;
        Arc::new(Desk { now, agent: None, offers: Vec::new(), contacts: Vec::new(), setup: Setup::default() })
    }

    async fn seqs(opened: &mut Taker) -> Vec<u64> {
        let mut seqs = Vec::new();
        while let Ok(Some(out)) = tokio::time::timeout(Duration::ZERO, opened.take()).await {
            seqs.push(match out {
                Out::Snapshot(seq, _) => seq,
                Out::Event(written) => written.seq,
            });
        }
        seqs
    }

    #[tokio::test]
    async fn who_comes_back_gets_what_was_missed_and_nothing_twice() {
        let (mut outbox, topics) = (Outbox::default(), [topic("a"), Topic::Watch]);
        let (first, mut taken) = Tray::new(1);
        outbox.begin(&topics, &first, desk());
        outbox.tell(&topics[0], &event(1, 1));
        outbox.tell(&topic("b"), &event(2, 1));
        outbox.leave(1);
        outbox.tell(&topics[1], &event(3, 1));
        outbox.tell(&topics[0], &event(4, 1));
        assert_eq!(seqs(&mut taken).await, [0, 1]);
        let (again, mut taken) = Tray::new(2);
        assert!(outbox.resume(&topics, &again, 1));
        outbox.tell(&topics[0], &event(5, 1));
        assert_eq!(seqs(&mut taken).await, [2, 3, 4]);
        assert!(!outbox.resume(&topics, &again, 9), "a number of another stream");
    }

    #[tokio::test]
    async fn who_missed_more_than_is_kept_begins_anew() {
        let (mut outbox, topics) = (Outbox::default(), [topic("a")]);
        let (first, _taker) = Tray::new(1);
        outbox.begin(&topics, &first, desk());
        outbox.leave(1);
        for nr in 0..=KEPT {
            outbox.tell(&topics[0], &event(nr, 1));
        }
        let (again, mut taken) = Tray::new(2);
        assert!(!outbox.resume(&topics, &again, 0));
        assert!(outbox.resume(&topics, &again, 1));
        assert_eq!(seqs(&mut taken).await.len(), KEPT);
        assert!(outbox.sweep_after(Duration::ZERO).is_empty());
        outbox.leave(2);
        assert_eq!(outbox.sweep_after(Duration::ZERO), topics);
        assert!(!outbox.follows(&topics[0]));
    }

    #[tokio::test]
    async fn who_does_not_keep_up_is_cut_off_by_events_and_by_bytes_and_nobody_else_is() {
        for (count, size) in [(WAITING + 2, 1), (5, WAITING_BYTES / 4)] {
            let (mut outbox, topics) = (Outbox::default(), [topic("a")]);
            let ((slow, _kept), (quick, mut taken)) = (Tray::new(1), Tray::new(2));
            outbox.begin(&topics, &slow, desk());
            outbox.begin(&topics, &quick, desk());
            for nr in 0..count {
                outbox.tell(&topics[0], &event(nr, size));
                assert!(!seqs(&mut taken).await.is_empty());
            }
            assert!(slow.cut.is_cancelled() && !quick.cut.is_cancelled(), "{count} of {size} bytes");
            assert_eq!(outbox.trays().count(), 1);
        }
    }
}
