//! Facts said **to** the hub by carriers' adapters, the gateway and any program (DESIGN 3, first table).
//! Unknown fields are kept; wrong types, missing fields and years outside 2000–2100 are reasons to set aside.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::envelope::{Described, Reason, To};
use super::ids::{ContactId, FactId, OfferId, RoomId, Slug};
use super::purpose::Purpose;
pub use super::words::*;

/// A body that a worker can hear.
pub trait Hearable: DeserializeOwned {
    /// The fact's name.
    const NAME: &'static str;
    /// Its fields, to tell which were unknown.
    const FIELDS: &'static [&'static str];
    /// The body's id.
    fn id(&self) -> FactId;
    /// Every time in it, for the check of years.
    fn times(&self) -> Vec<Timestamp>;
}

/// Parses a body: its fact and its unknown fields.
///
/// # Errors
/// `undecodable` with serde's words (a place and a type, no text of the customer's), `year_out_of_range`.
pub fn parse<F: Hearable>(body: &[u8]) -> Result<(F, Map<String, Value>), Reason> {
    let fact: F = serde_json::from_slice(body).map_err(|error| undecodable(F::NAME, &error))?;
    for time in fact.times() {
        let year = time.strftime("%Y").to_string();
        if !("2000"..="2100").contains(&year.as_str()) {
            return Err(Reason::new(
                "year_out_of_range",
                format!("{} holds a time in the year {year}; send 2000 to 2100", F::NAME),
            ));
        }
    }
    let mut extra: Map<String, Value> = serde_json::from_slice(body).map_err(|error| undecodable(F::NAME, &error))?;
    extra.retain(|field, _| !F::FIELDS.contains(&field.as_str()));
    Ok((fact, extra))
}

/// serde's words quote the value they met, which may be a text: keep the place and the kind, drop the value.
fn undecodable(fact: &str, error: &serde_json::Error) -> Reason {
    let words = error.to_string();
    let words = match (words.find('"'), words.rfind('"')) {
        (Some(from), Some(to)) if from < to => format!("{}…{}", &words[..from], &words[to + 1..]),
        _ => words,
    };
    Reason::new("undecodable", format!("{fact}: {}", words.chars().take(200).collect::<String>()))
}

macro_rules! hear {
    ($($(#[$doc:meta])* $name:ident = $wire:literal times [$($time:ident),*] maybe [$($maybe:ident),*] { $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? })+) => {
        $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub struct $name {
            /// A UUID, best v7; equals the AMQP `message_id`. The same id again is a repeat.
            pub id: FactId,
            $($(#[$fdoc])* pub $field: $ty,)*
        }
        impl Hearable for $name {
            const NAME: &'static str = $wire;
            const FIELDS: &'static [&'static str] = &["id", $(stringify!($field)),*];
            fn id(&self) -> FactId { self.id }
            fn times(&self) -> Vec<Timestamp> {
                #[allow(unused_mut, reason = "facts without times")]
                let mut times: Vec<Timestamp> = vec![$(self.$time),*];
                $(times.extend(self.$maybe);)*
                times
            }
        }
        )+
        /// Every fact that may be said to the hub from outside: their keys lead from `texthub` to `texthub.work`.
        pub const SAID_TO_THE_HUB: &[&str] = &[$($wire),+];
        /// The same, with their schemas.
        pub const DESCRIBED: &[Described] = &[$(Described {
            name: $wire,
            to: To::Announce,
            schema: |generator| generator.subschema_for::<$name>(),
            through: |body| serde_json::to_value(serde_json::from_value::<$name>(body)?),
        }),+];
    };
}

hear! {
    /// A customer's text, handed over by a carrier.
    SmsReceived = "sms.received" times [received_at] maybe [] {
        /// Slug of the carrier's connection.
        carrier: Slug,
        /// The carrier's own id of this text.
        #[serde(default)] carrier_sms_id: Option<String>,
        /// The customer's number, E.164 (or a short code's digits).
        from: String,
        /// Our number, E.164 with +, or a short code's digits.
        to: String,
        /// Of a short code in `from`: ISO 3166-1 alpha-2.
        #[serde(default)] from_country: Option<String>,
        /// Of a short code in `to`: ISO 3166-1 alpha-2.
        #[serde(default)] to_country: Option<String>,
        /// What was written.
        text: String,
        /// Links of an MMS.
        #[serde(default)] media: Option<Vec<Media>>,
        /// When the carrier took it.
        received_at: Timestamp,
    }
    /// A part of a customer's text, handed over by a carrier that does not join parts.
    PartReceived = "part.received" times [received_at] maybe [] {
        /// Slug of the carrier's connection.
        carrier: Slug,
        /// The carrier's own id of this part.
        #[serde(default)] carrier_sms_id: Option<String>,
        /// The customer's number, E.164 (or a short code's digits).
        from: String,
        /// Our number, E.164 with +, or a short code's digits.
        to: String,
        /// Of a short code in `from`: ISO 3166-1 alpha-2.
        #[serde(default)] from_country: Option<String>,
        /// Of a short code in `to`: ISO 3166-1 alpha-2.
        #[serde(default)] to_country: Option<String>,
        /// The number that holds the parts together.
        reference: u16,
        /// Which part, from 1.
        part: u8,
        /// How many there are, from 1.
        total: u8,
        /// How the octets are read, once joined.
        alphabet: Alphabet,
        /// Of this part, without its header, in hex; gsm7 unpacked, one septet an octet. At most 1,024 octets.
        octets: String,
        /// When the carrier took it.
        received_at: Timestamp,
    }
    /// A visitor's text in web chat.
    ChatReceived = "chat.received" times [received_at] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Slug of the point of contact with channel chat.
        point_of_contact: Slug,
        /// The visitor's id: 1 to 64 of letters, digits, `_`, `-`.
        visitor: String,
        /// What was written.
        text: String,
        /// When.
        received_at: Timestamp,
    }
    /// A visitor left the chat.
    ChatLeft = "chat.left" times [received_at] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Slug of the point of contact with channel chat.
        point_of_contact: Slug,
        /// The visitor's id.
        visitor: String,
        /// A last word, kept as an entry where not empty.
        #[serde(default)] text: Option<String>,
        /// When.
        received_at: Timestamp,
    }
    /// What became of a submitted part.
    ReceiptReceived = "receipt.received" times [reported_at] maybe [] {
        /// Slug of the carrier's connection.
        carrier: Slug,
        /// The id under which the carrier took it.
        carrier_sms_id: String,
        /// The carrier's word, in ours.
        status: ReceiptStatus,
        /// The carrier's error code, where there is one.
        #[serde(default)] error: Option<String>,
        /// Which part, from 1, where the carrier says so.
        #[serde(default)] part: Option<i32>,
        /// How `carrier_sms_id` may differ from the one in the carrier's answer, tried in this order: `exact`, `case`,
        /// `zeros` (leading ones), `decimal` (here, hex there), `hex` (here, decimal there). Absent: `exact`.
        #[serde(default, skip_serializing_if = "Option::is_none")] id_rules: Option<Vec<String>>,
        /// The text's two ends, where the carrier says so: they find a text whose id nobody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")] our_number: Option<String>,
        /// The customer's.
        #[serde(default, skip_serializing_if = "Option::is_none")] customer_number: Option<String>,
        /// When the carrier reported it.
        reported_at: Timestamp,
    }
    /// An agent answers in a room.
    ReplyWritten = "reply.written" times [written_at] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who writes.
        agent: Slug,
        /// Where.
        room_id: RoomId,
        /// 1 to 1,600 characters.
        text: String,
        /// Links to send along.
        #[serde(default)] media: Option<Vec<Media>>,
        /// When.
        written_at: Timestamp,
    }
    /// An agent notes something in a room; the customer never sees it.
    NoteWritten = "note.written" times [written_at] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who writes.
        agent: Slug,
        /// Where.
        room_id: RoomId,
        /// 1 to 10,000 characters.
        text: String,
        /// When.
        written_at: Timestamp,
    }
    /// An agent texts a customer first.
    OutreachWritten = "outreach.written" times [written_at] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who writes.
        agent: Slug,
        /// The customer's number, E.164.
        to: String,
        /// 1 to 1,600 characters.
        text: String,
        /// Links to send along.
        #[serde(default)] media: Option<Vec<Media>>,
        /// From which of our numbers; else by `skill`, else the only point of contact's.
        #[serde(default)] our_number: Option<String>,
        /// Whose number to use, and under which skill it counts.
        #[serde(default)] skill: Option<Slug>,
        /// What it is for; else conversational where the customer wrote in the room, else as the tenant's outreach.
        #[serde(default)] purpose: Option<Purpose>,
        /// When.
        written_at: Timestamp,
    }
    /// A program texts a customer: no agent's slot is taken. In an open room it is a line of it, else of a room of its own.
    NoticeWritten = "notice.written" times [] maybe [written_at] {
        /// The tenant.
        tenant: Slug,
        /// Slug of the application that asked; none: a program of the operator's.
        #[serde(default)] application: Option<Slug>,
        /// Our number, E.164 with +, or a short code's digits.
        from: String,
        /// Of a short code in `from`: ISO 3166-1 alpha-2.
        #[serde(default)] from_country: Option<String>,
        /// The customer's number, E.164.
        to: String,
        /// 1 to 1,600 characters.
        text: String,
        /// Links to send along.
        #[serde(default)] media: Option<Vec<Media>>,
        /// What it is for; else conversational where it answers a text, informational where not.
        #[serde(default)] purpose: Option<Purpose>,
        /// The fact that brought the customer's text that it answers.
        #[serde(default)] answers: Option<FactId>,
        /// Where the application hears what became of it.
        #[serde(default)] status_url: Option<String>,
        /// When; else as it is recorded.
        #[serde(default)] written_at: Option<Timestamp>,
    }
    /// An agent accepts or refuses an offer.
    OfferAnswered = "offer.answered" times [] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who answers.
        agent: Slug,
        /// Which offer.
        offer_id: OfferId,
        /// accept or refuse.
        answer: Answer,
        /// Why refused.
        #[serde(default)] reason: Option<String>,
    }
    /// Hand a contact to another agent or skill.
    TransferAsked = "transfer.asked" times [] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who asks.
        by: By,
        /// Which contact.
        contact_id: ContactId,
        /// To whom.
        #[serde(default)] agent: Option<Slug>,
        /// Or to which skill.
        #[serde(default)] skill: Option<Slug>,
        /// For whoever takes it.
        #[serde(default)] note: Option<String>,
    }
    /// Release the slot, keep the room.
    ParkAsked = "park.asked" times [] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who asks.
        by: By,
        /// Which contact.
        contact_id: ContactId,
        /// Why.
        #[serde(default)] note: Option<String>,
    }
    /// Take a parked contact back.
    UnparkAsked = "unpark.asked" times [] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who asks.
        by: By,
        /// Which contact.
        contact_id: ContactId,
    }
    /// A supervisor takes a contact over.
    TakeoverAsked = "takeover.asked" times [] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who asks.
        by: By,
        /// Which contact.
        contact_id: ContactId,
        /// Who works it from now on.
        #[serde(default)] agent: Option<Slug>,
        /// Why.
        #[serde(default)] note: Option<String>,
    }
    /// Somebody ends one contact.
    ContactEnded = "contact.ended" times [] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Which contact.
        contact_id: ContactId,
        /// Who ends it.
        by: By,
        /// Why.
        reason: String,
        /// The chosen outcome code: closes at once, without wrap-up.
        #[serde(default)] disposition: Option<String>,
    }
    /// An agent has finished the after-contact work.
    WrapUpFinished = "wrap_up.finished" times [] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who.
        agent: Slug,
        /// Which contact.
        contact_id: ContactId,
        /// The chosen outcome code.
        #[serde(default)] disposition: Option<String>,
        /// A closing note.
        #[serde(default)] note: Option<String>,
    }
    /// An agent changes state.
    AgentMoved = "agent.moved" times [moved_at] maybe [until] {
        /// The tenant.
        tenant: Slug,
        /// Who.
        agent: Slug,
        /// To which state.
        state: AgentState,
        /// Why unavailable.
        #[serde(default)] code: Option<Slug>,
        /// When; an older one loses.
        moved_at: Timestamp,
        /// A lease: silent after this, the agent counts as vanished.
        #[serde(default)] until: Option<Timestamp>,
        /// now (as where it is left out), or free: the next state of a busy agent who becomes unavailable or logs out.
        #[serde(default)] when: Option<When>,
    }
    /// Agents whose client is still there: renews their leases.
    AgentSeen = "agent.seen" times [until] maybe [] {
        /// The tenant.
        tenant: Slug,
        /// Who are there.
        agents: Vec<Slug>,
        /// The new end of their leases.
        until: Timestamp,
    }
}
