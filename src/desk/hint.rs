//! Facts of the hub as hints: which rows may have changed. What changed is read from the rows, so that a fact that comes
//! twice, late or out of order tells nothing wrong.

use std::collections::HashSet;

use serde::Deserialize;

use crate::facts::ids::{ContactId, FactId, RoomId, Slug, SmsId};

/// The facts that a desk hears, as keys of bindings name them.
pub const FACTS: &[&str] = &[
    "agent.changed",
    "agent.freed",
    "command.refused",
    "contact.closed",
    "contact.moved",
    "contact.queued",
    "entry.appended",
    "media.settled",
    "offer.made",
    "offer.settled",
    "room.closed",
    "room.opened",
    "session.expired",
    "session.extended",
    "session.started",
    "sms.changed",
];

/// What of a fact names rows; the rest is passed over.
#[derive(Clone, Debug, Deserialize)]
pub struct Hint {
    /// Of the fact.
    pub id: FactId,
    /// What caused it: a command, perhaps.
    pub cause_id: FactId,
    /// Whose.
    pub tenant: Slug,
    contact_id: Option<ContactId>,
    room_id: Option<RoomId>,
    agent: Option<Slug>,
    from_agent: Option<Slug>,
    sms_id: Option<SmsId>,
    refused_id: Option<FactId>,
    refused: Option<String>,
    reason: Option<String>,
    sentence: Option<String>,
}

/// A refusal, as it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of what.
    pub id: FactId,
    /// Which fact that was.
    pub fact: String,
    /// The stable word.
    pub reason: String,
    /// For people.
    pub sentence: String,
}

impl Hint {
    /// Reads a fact's body; none where it is no fact of the hub's.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// What it refuses.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        Some(Refusal {
            id: self.refused_id?,
            fact: self.refused.clone()?,
            reason: self.reason.clone()?,
            sentence: self.sentence.clone().unwrap_or_default(),
        })
    }
}

/// Rows of a tenant that are to be read again. It grows with what is touched, not with how often.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Touched {
    /// By id.
    pub contacts: HashSet<ContactId>,
    /// Contacts of these rooms.
    pub rooms: HashSet<RoomId>,
    /// Of which entries changed that were told already: their contacts are told anew.
    pub anew: HashSet<RoomId>,
    /// How they stand.
    pub agents: HashSet<Slug>,
    /// Where they are.
    pub texts: HashSet<SmsId>,
    /// Commands that were refused.
    pub refused: Vec<Refusal>,
}

impl Touched {
    /// Nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
            && self.rooms.is_empty()
            && self.agents.is_empty()
            && self.texts.is_empty()
            && self.refused.is_empty()
    }

    /// Takes what another one has.
    pub fn join(&mut self, other: Self) {
        self.contacts.extend(other.contacts);
        self.rooms.extend(other.rooms);
        self.anew.extend(other.anew);
        self.agents.extend(other.agents);
        self.texts.extend(other.texts);
        self.refused.extend(other.refused);
    }

    /// Notes what a fact of this name touches.
    pub fn note(&mut self, fact: &str, hint: &Hint) {
        match fact {
            "command.refused" => self.refused.extend(hint.refusal()),
            "agent.changed" | "agent.freed" => self.agents.extend(hint.agent.clone()),
            "sms.changed" => self.texts.extend(hint.sms_id),
            _ => match (hint.contact_id, hint.room_id) {
                (Some(contact), _) => {
                    self.contacts.insert(contact);
                }
                (None, room) => self.rooms.extend(room),
            },
        }
        if fact == "media.settled" {
            self.anew.extend(hint.room_id);
        }
        // whose slots an offer or a move changes
        if matches!(fact, "offer.made" | "offer.settled" | "contact.moved") {
            self.agents.extend(hint.agent.clone());
            self.agents.extend(hint.from_agent.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::contract;

    fn hint(body: &serde_json::Value) -> Hint {
        Hint::read(&serde_json::to_vec(body).unwrap()).unwrap()
    }

    #[test]
    fn a_fact_touches_what_it_is_about_and_twice_is_once() {
        let (room, contact) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let base = json!({"id": Uuid::nil(), "cause_id": Uuid::nil(), "tenant": "bears"});
        let with = |fields: serde_json::Value| {
            let mut body = base.clone();
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            hint(&body)
        };
        let mut touched = Touched::default();
        touched.note("entry.appended", &with(json!({"room_id": room, "contact_id": contact, "text": "secret"})));
        touched.note("entry.appended", &with(json!({"room_id": room, "contact_id": contact})));
        assert_eq!((touched.contacts.len(), touched.rooms.len()), (1, 0));
        touched.note("room.closed", &with(json!({"room_id": room})));
        assert_eq!(touched.rooms.len(), 1);
        touched.note("offer.settled", &with(json!({"contact_id": contact, "agent": "a", "from_agent": "b"})));
        assert_eq!(touched.agents.len(), 2);
        touched.note("sms.changed", &with(json!({"room_id": room, "sms_id": Uuid::from_u128(3)})));
        assert_eq!((touched.texts.len(), touched.rooms.len()), (1, 1));
        let no =
            json!({"refused_id": contact, "refused": "offer.answered", "reason": "offer_gone", "sentence": "Gone."});
        touched.note("command.refused", &with(no));
        assert_eq!(touched.refused[0].reason, "offer_gone");
    }

    #[test]
    fn every_fact_that_is_heard_is_one_of_the_contract() {
        let known: Vec<&str> = contract::facts().map(|fact| fact.name).collect();
        for fact in FACTS {
            assert!(known.contains(fact), "{fact}");
        }
    }
}
