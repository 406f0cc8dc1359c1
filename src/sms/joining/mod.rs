//! Long texts on their way in: their parts are kept until all are there, joined as octets, and only then decoded, so that
//! an escape or a surrogate pair which some carrier cut in two is whole again. Pure: the time is handed in, and whoever
//! holds the parts' rows says which they are by a mark of his own.
//!
//! Nothing is lost: what stays incomplete past the time limit, what is pushed out by a bound of memory, and what a number
//! used again interrupts is given out as it is, flagged, with `GAP` where parts are missing. A repeat is told as such,
//! also for a time after its text was given out; a new text under the same number whose part equals one given out in that
//! time cannot be told from a repeat, and lacks that part.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

use super::encoding::Encoding;
use super::octets;

pub mod rows;

/// Stands where parts are missing.
pub const GAP: &str = "[…]";

/// What parts of one text have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Slug of the carrier's connection.
    pub connector: String,
    /// Who sent it, as the carrier writes it.
    pub source: String,
    /// To which of our numbers.
    pub destination: String,
    /// The number that holds the parts together.
    pub reference: u16,
    /// Parts of the text.
    pub total: u8,
}

/// One part as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<M> {
    /// From 1 to the total.
    pub part: u8,
    /// How its octets are read.
    pub encoding: Encoding,
    /// Its text, without the header; GSM unpacked.
    pub octets: Vec<u8>,
    /// The caller's own: which row this is.
    pub mark: M,
}

/// The flag of an entry whose text's parts did not all come.
pub const INCOMPLETE: &str = "incomplete";

/// Whether a `sms.received` is a text given out with parts missing, by its field `joined`.
#[must_use]
pub fn is_incomplete(extra: Option<&serde_json::Value>) -> bool {
    let given = extra.and_then(|extra| extra.get("joined")?.get("given")?.as_str());
    given.is_some_and(|given| given != Given::Whole.as_str())
}

impl Given {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Late => "late",
            Self::Interrupted => "interrupted",
            Self::Crowded => "crowded",
            Self::Unnumbered => "unnumbered",
        }
    }
}

/// Why a text is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Every part is there.
    Whole,
    /// The time limit has passed.
    Late,
    /// Another text uses its number: the same part came with other content.
    Interrupted,
    /// A bound of memory was reached.
    Crowded,
    /// Its part's number is none of the total.
    Unnumbered,
}

/// A text given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined<M> {
    /// Whose.
    pub key: Key,
    /// What is there, in order, with `GAP` for each row of missing parts.
    pub text: String,
    /// Why now; anything but `Whole` is incomplete.
    pub given: Given,
    /// Whether every octet had a meaning.
    pub is_exact: bool,
    /// Numbers of the parts that never came.
    pub missing: Vec<u8>,
    /// When its first part came.
    pub first_at: Timestamp,
    /// Marks of its pieces, in the order of the parts.
    pub marks: Vec<M>,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Kept, or given out with its text.
    New,
    /// It is here, or was given out, already: dropped.
    Repeat,
}

/// Bounds. Each must be at least 1.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From the first part of a text until it is given out; as long again repeats are known.
    pub wait: SignedDuration,
    /// Most octets of one text.
    pub octets_each: usize,
    /// Most octets of all texts.
    pub octets: usize,
    /// Most texts at a time, those whose repeats are still known among them.
    pub texts: usize,
}

impl Default for Bounds {
    /// Ten minutes; 255 parts of 140 octets; 16 MiB; 100,000 texts.
    fn default() -> Self {
        Self { wait: SignedDuration::from_mins(10), octets_each: 255 * 140, octets: 16 << 20, texts: 100_000 }
    }
}

/// A text in the making, or one given out whose repeats are still known.
struct Held<M> {
    /// Its place in the order of time.
    turn: (Timestamp, u64),
    first_at: Timestamp,
    pieces: BTreeMap<u8, Piece<M>>,
    octets: usize,
    /// Fingerprints of pieces given out, by part.
    past: BTreeMap<u8, u64>,
}

/// The collector of all texts in the making.
pub struct Collector<M> {
    bounds: Bounds,
    held: HashMap<Key, Held<M>>,
    /// By the time when something is due; the number keeps apart what is due at once.
    turns: BTreeMap<(Timestamp, u64), Key>,
    octets: usize,
    count: u64,
}

impl<M> Collector<M> {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, held: HashMap::new(), turns: BTreeMap::new(), octets: 0, count: 0 }
    }

    /// Takes a piece, and says what is given out because of it: at most its own text, one that it interrupts, and those
    /// that it crowds out.
    pub fn take(&mut self, now: Timestamp, key: Key, piece: Piece<M>) -> (Taken, Vec<Joined<M>>) {
        let mut given = self.due(now);
        if !(1..=key.total).contains(&piece.part) {
            given.push(joined(key, Given::Unnumbered, now, BTreeMap::from([(piece.part, piece)])));
            return (Taken::New, given);
        }
        if let Some(held) = self.held.get(&key) {
            let print = fingerprint(&piece);
            let known = held.pieces.get(&piece.part).map(fingerprint).or(held.past.get(&piece.part).copied());
            match known {
                Some(known) if known == print => return (Taken::Repeat, given),
                Some(_) => given.extend(self.give(&key, Given::Interrupted, None)),
                None => {}
            }
        }
        self.keep(now, &key, piece);
        if let Some(held) = self.held.get(&key) {
            if held.pieces.len() == usize::from(key.total) {
                given.extend(self.give(&key, Given::Whole, Some(now)));
            } else if held.octets > self.bounds.octets_each {
                given.extend(self.give(&key, Given::Crowded, Some(now)));
            }
        }
        while self.octets > self.bounds.octets || self.held.len() > self.bounds.texts {
            let Some(key) = self.turns.first_key_value().map(|(_, key)| key.clone()) else { break };
            given.extend(self.give(&key, Given::Crowded, None));
        }
        (Taken::New, given)
    }

    /// Gives out what has waited long enough, and forgets repeats of what was given out long ago.
    pub fn due(&mut self, now: Timestamp) -> Vec<Joined<M>> {
        let mut given = Vec::new();
        while let Some((_, key)) = self.turns.first_key_value().filter(|(turn, _)| turn.0 <= now) {
            let key = key.clone();
            given.extend(self.give(&key, Given::Late, Some(now)));
        }
        given
    }

    /// When `due` has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.turns.first_key_value().map(|(turn, _)| turn.0)
    }

    /// Octets that are kept now.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Texts in the making, and given out ones whose repeats are still known.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.held.len()
    }

    fn turn(&mut self, now: Timestamp, key: &Key) -> (Timestamp, u64) {
        self.count += 1;
        let turn = (now.checked_add(self.bounds.wait).unwrap_or(Timestamp::MAX), self.count);
        self.turns.insert(turn, key.clone());
        turn
    }

    fn keep(&mut self, now: Timestamp, key: &Key, piece: Piece<M>) {
        // parts that come late to a text given out begin anew, and its repeats stay known
        let is_begun = self.held.get(key).is_some_and(|held| !held.pieces.is_empty());
        if !is_begun {
            let past = self.held.remove(key).map(|held| {
                self.turns.remove(&held.turn);
                held.past
            });
            let turn = self.turn(now, key);
            let past = past.unwrap_or_default();
            self.held.insert(key.clone(), Held { turn, first_at: now, pieces: BTreeMap::new(), octets: 0, past });
        }
        if let Some(held) = self.held.get_mut(key) {
            self.octets += piece.octets.len();
            held.octets += piece.octets.len();
            held.pieces.insert(piece.part, piece);
        }
    }

    /// Takes a text out, and gives it; its repeats stay known from `remember` on.
    fn give(&mut self, key: &Key, why: Given, remember: Option<Timestamp>) -> Option<Joined<M>> {
        let held = self.held.remove(key)?;
        self.turns.remove(&held.turn);
        self.octets -= held.octets;
        if held.pieces.is_empty() {
            return None;
        }
        if let Some(now) = remember {
            let mut past = held.past;
            past.extend(held.pieces.iter().map(|(part, piece)| (*part, fingerprint(piece))));
            let turn = self.turn(now, key);
            let known = Held { turn, first_at: now, pieces: BTreeMap::new(), octets: 0, past };
            self.held.insert(key.clone(), known);
        }
        Some(joined(key.clone(), why, held.first_at, held.pieces))
    }
}

fn fingerprint<M>(piece: &Piece<M>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (piece.encoding, &piece.octets).hash(&mut hasher);
    hasher.finish()
}

fn joined<M>(key: Key, given: Given, first_at: Timestamp, pieces: BTreeMap<u8, Piece<M>>) -> Joined<M> {
    let mut missing = Vec::new();
    let (mut text, mut is_exact, mut marks) = (String::new(), true, Vec::with_capacity(pieces.len()));
    let mut run: Option<(Encoding, Vec<u8>)> = None;
    let mut read = |run: Option<(Encoding, Vec<u8>)>, text: &mut String| {
        if let Some((encoding, octets)) = run {
            let decoded = octets::decode(&octets, encoding);
            text.push_str(&decoded.text);
            is_exact &= decoded.is_exact;
        }
    };
    // a part that is none of the total leaves no gap
    let mut next = if given == Given::Unnumbered { u8::MAX } else { 1 };
    for (part, piece) in pieces {
        if part > next {
            read(run.take(), &mut text);
            text.push_str(GAP);
            missing.extend(next..part);
        }
        match &mut run {
            Some((encoding, octets)) if *encoding == piece.encoding => octets.extend(piece.octets),
            _ => read(run.replace((piece.encoding, piece.octets)), &mut text),
        }
        marks.push(piece.mark);
        next = part.saturating_add(1);
    }
    read(run, &mut text);
    if given != Given::Unnumbered && marks.len() + missing.len() < usize::from(key.total) {
        text.push_str(GAP);
        missing.extend(next..=key.total);
    }
    Joined { key, text, given, is_exact, missing, first_at, marks }
}

#[cfg(test)]
mod tests;
