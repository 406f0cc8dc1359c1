//! What a connected desk is told, and to whom: one object each, written once and shared by all who get it.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::shape::{Agent, Contact, Entry, Offer};
use crate::facts::ids::Slug;

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// An agent, in every tab and program that is signed in as one.
    Agent(Slug),
    /// Whoever watches the whole tenant.
    Watch,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A contact is offered.
    Offer {
        /// Which.
        offer: Offer,
    },
    /// An offer is over.
    OfferGone {
        /// Which.
        offer_id: Uuid,
        /// Of what.
        contact_id: Uuid,
        /// accepted, refused, lapsed or rescinded.
        outcome: String,
        /// Why.
        reason: Option<String>,
    },
    /// A contact as it is now, whole: it takes the place of what was known of it.
    Contact {
        /// It is a summary, for those who watch the tenant.
        summary: bool,
        /// The contact.
        contact: Box<Contact>,
    },
    /// A contact is the agent's no more; to those who watch: it is closed.
    ContactGone {
        /// Which.
        contact_id: Uuid,
        /// It was a summary.
        summary: bool,
        /// How it ended; null: it did not, and is somebody else's, or waits.
        outcome: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// The next entry of a room.
    Entry {
        /// Where.
        room_id: Uuid,
        /// Whose.
        contact_id: Uuid,
        /// The entry.
        entry: Box<Entry>,
        /// The session's deadline now.
        #[schema(value_type = Option<String>, format = DateTime)]
        deadline_at: Option<Timestamp>,
        /// Since when a text of the customer waits now.
        #[schema(value_type = Option<String>, format = DateTime)]
        waiting_since: Option<Timestamp>,
    },
    /// Where an outbound sms is now.
    EntryState {
        /// Where.
        room_id: Uuid,
        /// Which entry.
        entry_id: Uuid,
        /// The state.
        state: String,
        /// Why.
        reason: Option<String>,
    },
    /// The deadline moved without an entry.
    Session {
        /// Where.
        room_id: Uuid,
        /// Whose.
        contact_id: Uuid,
        /// The deadline now.
        #[schema(value_type = Option<String>, format = DateTime)]
        deadline_at: Option<Timestamp>,
    },
    /// How the agent stands now.
    Agent {
        /// The agent.
        agent: Agent,
    },
    /// The hub said no to what the agent asked for.
    Refused {
        /// The id of what was asked.
        refused_id: Uuid,
        /// Which fact that was.
        refused: String,
        /// A stable word.
        reason: String,
        /// For people.
        sentence: String,
    },
}

impl Event {
    /// As it goes over the socket.
    #[must_use]
    pub fn numbered(&self, seq: u64) -> String {
        let body = serde_json::to_string(self).unwrap_or_else(|error| unreachable!("our own event: {error}"));
        format!("{{\"seq\":{seq},{}", &body[1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_type_and_its_number() {
        let gone =
            Event::OfferGone { offer_id: Uuid::nil(), contact_id: Uuid::nil(), outcome: "lapsed".into(), reason: None };
        let read: serde_json::Value = serde_json::from_str(&gone.numbered(7)).unwrap();
        assert_eq!(
            (&read["type"], &read["seq"], &read["reason"]),
            (&"offer_gone".into(), &7.into(), &serde_json::Value::Null)
        );
    }
}
