//! The flood limit within a wave: beyond it a text opens, queues and answers nothing. Texts are counted only of conversations
//! where that matters: without a room, with a word, or with more lines than the limit; of the others once it is seen that
//! a text would begin something.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Arrival, Conversation, Kind};
use crate::failure::Failure;
use crate::hub::room::Ends;
use crate::hub::sender;

/// One arrival of each conversation whose texts are to be counted, told by what its room says.
pub(super) fn to_count<'a>(wave: &'a [Arrival], conversations: &HashMap<Ends, Conversation>) -> Vec<&'a Arrival> {
    let mut texts: HashMap<&Ends, i32> = HashMap::new();
    for arrival in wave {
        *texts.entry(&arrival.ends).or_default() += 1;
    }
    firsts(wave, |arrival| {
        let room = conversations.get(&arrival.ends).and_then(|conversation| conversation.room.as_ref());
        let more = texts.get(&arrival.ends).copied().unwrap_or_default();
        arrival.kind != Kind::Text || room.is_none_or(|room| room.next_seq - 1 + more > arrival.point.flood_texts)
    })
}

/// Counts those of whom it shows only now that a text would begin something.
pub(super) async fn count_rest(
    tx: &Transaction<'_>,
    now: Timestamp,
    wave: &[Arrival],
    conversations: &mut HashMap<Ends, Conversation>,
) -> Result<(), Failure> {
    let rest = firsts(wave, |arrival| {
        let conversation = conversations.get(&arrival.ends);
        conversation.is_some_and(|conversation| conversation.recent.is_none() && conversation.would_begin())
    });
    let recent = sender::recent(tx, now, &rest).await?;
    note(conversations, &rest, &recent);
    Ok(())
}

pub(super) fn note(conversations: &mut HashMap<Ends, Conversation>, counted: &[&Arrival], recent: &[i64]) {
    for (arrival, recent) in counted.iter().zip(recent) {
        if let Some(conversation) = conversations.get_mut(&arrival.ends) {
            conversation.recent = Some(*recent);
        }
    }
}

/// The first arrival by SMS of each conversation that fits.
fn firsts(wave: &[Arrival], fits: impl Fn(&Arrival) -> bool) -> Vec<&Arrival> {
    let mut seen: HashSet<&Ends> = HashSet::new();
    wave.iter().filter(|a| a.ends.channel == "sms" && fits(a) && seen.insert(&a.ends)).collect()
}

impl Conversation {
    /// Whether the next text is beyond the limit.
    pub(super) fn floods(&self, arrival: &Arrival) -> bool {
        self.recent.is_some_and(|recent| recent + self.heard + 1 > i64::from(arrival.point.flood_texts))
    }

    /// Whether a text would begin something: a room, a contact, a step of a flow, a place in the queue again.
    pub(super) fn would_begin(&self) -> bool {
        self.contact.as_ref().is_none_or(|contact| matches!(contact.state.as_str(), "prequeue" | "parked"))
    }
}
