//! A text for a parked contact wakes it, before the text is recorded: see `hub::moving::wake`. Keywords wake nobody.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Arrival, Conversation, Kind};
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::moving;
use crate::hub::room::Ends;

/// Wakes what is parked and written to in this wave, in the order of those who parked it.
pub(super) async fn wake(
    tx: &Transaction<'_>,
    now: Timestamp,
    wave: &[Arrival],
    conversations: &mut HashMap<Ends, Conversation>,
) -> Result<(), Failure> {
    let mut asleep: Vec<(Slug, &Arrival)> = Vec::new();
    for arrival in wave.iter().filter(|a| a.kind == Kind::Text && a.withheld.is_none()) {
        let parked_by = conversations.get(&arrival.ends).and_then(Conversation::parked_by);
        let is_first = asleep.iter().all(|(_, other)| other.ends != arrival.ends);
        asleep.extend(parked_by.filter(|_| is_first).map(|agent| (agent.clone(), arrival)));
    }
    asleep.sort_by(|a, b| a.0.cmp(&b.0));
    for (agent, arrival) in asleep {
        let Some(conversation) = conversations.get_mut(&arrival.ends) else { continue };
        let Some(parked) = conversation.contact.take() else { continue };
        let (contact, said) = moving::wake(tx, now, arrival.id, &parked, &agent).await?;
        if contact.state == "queued" {
            // it ended with the way back to the queue
            conversation.session = None;
        }
        conversation.contact = Some(contact);
        conversation.beside = Some((arrival.id, said));
    }
    Ok(())
}

impl Conversation {
    pub(super) fn parked_by(&self) -> Option<&Slug> {
        let is_parked = self.contact.as_ref().is_some_and(|contact| contact.state == "parked");
        self.room.as_ref().filter(|_| is_parked).and_then(|room| room.agent.as_ref())
    }
}
