//! A visitor leaves a chat: a last word is kept, and the contact ends, answered or abandoned.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Arrival, Conversation, Fate, Recorded};
use crate::failure::Failure;
use crate::hub::contact::{self, Ending};
use crate::hub::entry;

pub(super) async fn record(
    tx: &Transaction<'_>,
    now: Timestamp,
    arrival: &Arrival,
    conversation: &mut Conversation,
) -> Result<Fate, Failure> {
    let mut said = conversation.beside.take().map(|(_, said)| said).unwrap_or_default();
    if conversation.room.is_some()
        && !arrival.text.is_empty()
        && let Some(mut last) = conversation.entry(now, arrival)
    {
        last.deadline_at = None;
        entry::append(tx, &[&last]).await?;
        said.push(entry::say(&last, &arrival.ends));
    }
    if let Some(contact) = &conversation.contact {
        let ending = Ending {
            cause: arrival.id,
            contact_id: contact.id,
            outcome: None,
            reason: "visitor_left".into(),
            disposition: None,
            note: None,
            by: None,
            is_final: false,
        };
        said.extend(contact::end(tx, now, &[ending]).await?.into_iter().flatten().flatten());
    }
    let said = said.into_iter().map(|p| p.traced(arrival.traceparent.as_deref())).collect();
    Ok(Ok(Recorded { said, is_kept: true }))
}
