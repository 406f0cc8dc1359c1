//! What may leave now, by the paces that hold for it: live conversation first, bulk tenant by tenant, rooms in order.

use std::collections::{BTreeMap, HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use texthub::facts::envelope::Message;
use texthub::facts::ids::{RoomId, Slug};
use texthub::failure::Failure;
use texthub::sms::carrier::Sent;
use texthub::sms::encoding;
use texthub::sms::pace::meter::Meter;
use texthub::sms::pace::rows::{self, Leaving, Paces};
use texthub::sms::pace::{PACED, Pacing};
use texthub::sms::sending::Sms;
use texthub::sms::turn::{self, Turn};

use super::{Job, PREDECESSOR, ToSend, Usable, body};

/// The same turns, where what has no room in its paces waits: live texts a moment, bulk as a row with its time.
pub(super) async fn paced(
    tx: &Transaction<'_>,
    now: Timestamp,
    found: &[(&Message<ToSend>, &Sms)],
    mut turns: Vec<Turn>,
    lines: &HashMap<Slug, Usable>,
    paces: &Paces,
) -> Result<Vec<Turn>, Failure> {
    if paces.are_none() {
        return Ok(turns);
    }
    let leaving: Vec<usize> = (0..turns.len()).filter(|index| turns[*index] == Turn::Send).collect();
    let asked: Vec<Leaving<'_>> = leaving
        .iter()
        .map(|index| {
            let (message, sms) = found[*index];
            // as it leaves: a smart connection may make one part of two
            let text = &body(message).text;
            let line = lines.get(&sms.carrier).map(|(line, _)| line.manner.leaving(text, &sms.customer_number).parts);
            let parts = line.unwrap_or_else(|| encoding::parts(text).parts.len());
            Leaving { sms, is_live: !sms.is_bulk, segments: i32::try_from(parts).unwrap_or(i32::MAX).max(1) }
        })
        .collect();
    let answers = rows::take(tx, now, paces, &asked).await?;
    let mut waits: HashSet<RoomId> = HashSet::new();
    for (index, answer) in leaving.into_iter().zip(answers) {
        let (message, sms) = found[index];
        let is_over = turn::is_over(now, sms, message.attempt);
        turns[index] = match answer {
            Pacing::Until(until, why) => Turn::Until(until, why),
            Pacing::Soon if is_over => Turn::Hold(PACED),
            Pacing::Soon => Turn::Wait(PACED),
            Pacing::Go if waits.contains(&sms.room_id) => Turn::Wait(PREDECESSOR),
            Pacing::Go => Turn::Send,
        };
        if matches!(turns[index], Turn::Wait(_) | Turn::Hold(_)) {
            waits.insert(sms.room_id);
        }
    }
    Ok(turns)
}

/// Counts what carriers took, and slows those that said "too fast".
pub(super) async fn slow(
    tx: &Transaction<'_>,
    now: Timestamp,
    meter: &Meter,
    answers: &[(usize, Job, Sent)],
) -> Result<(), Failure> {
    let mut told: BTreeMap<&Slug, i32> = BTreeMap::new();
    for (_, job, sent) in answers {
        let carrier = &job.sms.carrier;
        match sent {
            Sent::Accepted(_) => {
                let segments = encoding::parts(&job.outgoing.text).parts.len();
                meter.count(now, carrier, i32::try_from(segments).unwrap_or(i32::MAX));
            }
            Sent::TooFast(..) => _ = told.insert(carrier, meter.per_minute(now, carrier)),
            _ => {}
        }
    }
    rows::slow(tx, now, &told.into_iter().collect::<Vec<_>>()).await
}
