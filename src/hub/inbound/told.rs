//! Customers' texts that applications hear: to be told of, written beside the entry.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Arrival, Fate, Kind};
use crate::application::calls;
use crate::facts::ids::FactId;
use crate::failure::Failure;
use crate::sms::keywords::Wish;

/// Adds to what is said of a wave's texts that applications are to be told of them.
pub(super) async fn add(
    tx: &Transaction<'_>,
    now: Timestamp,
    wave: &[Arrival],
    results: &mut [(usize, Fate)],
) -> Result<(), Failure> {
    let heard = |arrival: &&Arrival| arrival.point.has_listener && arrival.ends.channel == "sms";
    let texts: Vec<(FactId, Option<&'static str>)> =
        wave.iter().filter(heard).map(|arrival| (arrival.id, opt_out_type(arrival.kind))).collect();
    if texts.is_empty() {
        return Ok(());
    }
    let mut due = calls::of_texts(tx, now, &texts).await?;
    for (index, fate) in results {
        let Some(arrival) = wave.iter().find(|arrival| arrival.index == *index) else { continue };
        if let (Ok(recorded), Some(due)) = (fate, due.remove(&arrival.id)) {
            recorded.said.extend(due.into_iter().map(|p| p.traced(arrival.traceparent.as_deref())));
            recorded.is_kept = true;
        }
    }
    Ok(())
}

fn opt_out_type(kind: Kind) -> Option<&'static str> {
    let Kind::Keyword(word) = kind else { return None };
    Some(match word.wish {
        Wish::Stop => "STOP",
        Wish::Start | Wish::Yes => "START",
        Wish::Help => "HELP",
    })
}
