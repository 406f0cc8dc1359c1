//! Facts said **by** the hub (DESIGN 3, second table). Those to `Announce` are for desks and programs, those to `Work`
//! for workers, those to `Both` for both.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::closed::words;
use super::heard::{AgentState, Media};
use super::ids::{ContactId, EntryId, FactId, OfferId, RoomId, SessionId, Slug, SmsId};

words! {
    /// SMS or chat.
    Channel { Sms = "sms", Chat = "chat" }
    /// Towards us or towards the customer.
    Direction { Inbound = "inbound", Outbound = "outbound" }
    /// Who wrote an entry.
    Author { Customer = "customer", Agent = "agent", Hub = "hub", Program = "program" }
    /// How an offer ended.
    OfferOutcome { Accepted = "accepted", Refused = "refused", Lapsed = "lapsed", Rescinded = "rescinded" }
    /// How a contact changed hands.
    Handing {
        Transferred = "transferred", Parked = "parked", Unparked = "unparked", TakenOver = "taken_over", Requeued = "requeued",
    }
    /// How a contact ended.
    ContactOutcome { Answered = "answered", Expired = "expired", Abandoned = "abandoned", OptedOut = "opted_out", Forced = "forced" }
    /// Where an outbound sms is: requested < sending < submitted < delivered | undelivered | failed, never backwards;
    /// unknown gives way to any word of the carrier; held waits as a row.
    SmsStatus {
        Requested = "requested", Sending = "sending", Submitted = "submitted", Delivered = "delivered",
        Undelivered = "undelivered", Failed = "failed", Unknown = "unknown", Held = "held",
    }
}

/// How long the phases of a contact took, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Durations {
    /// From queueing to the accept (or to the end, where nobody accepted).
    pub waited_s: f64,
    /// From the accept to the end.
    pub handled_s: f64,
    /// From the end to the close.
    pub wrap_up_s: f64,
}

/// A part of a sms under the carrier's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubmittedPart {
    /// From 1.
    pub part: i32,
    /// Under which the carrier took it; empty where nobody knows.
    pub carrier_sms_id: String,
}

super::facts! {
    /// A room was opened.
    RoomOpened = "room.opened" to Announce {
        /// Which.
        room_id: RoomId,
        /// Our number (a short code: its digits); chat: the point of contact.
        our_number: String,
        /// The customer's number; chat: the visitor.
        customer_number: String,
        /// sms or chat.
        channel: Channel,
        /// Why: inbound, outreach, keyword, notice.
        reason: String,
    }
    /// A room was closed; its transcript is whole.
    RoomClosed = "room.closed" to Announce {
        /// Which.
        room_id: RoomId,
        /// Our number; chat: the point of contact.
        our_number: String,
        /// The customer's number; chat: the visitor.
        customer_number: String,
        /// sms or chat.
        channel: Channel,
        /// Why.
        reason: String,
    }
    /// A line was added to a transcript.
    EntryAppended = "entry.appended" to Announce {
        /// Where.
        room_id: RoomId,
        /// The contact that lived in the room then.
        #[serde(skip_serializing_if = "Option::is_none")] contact_id: Option<ContactId>,
        /// Its number in the room, from 1, gap-free.
        seq: i32,
        /// Its id.
        entry_id: EntryId,
        /// Outbound sms: its id.
        #[serde(skip_serializing_if = "Option::is_none")] sms_id: Option<SmsId>,
        /// inbound or outbound.
        direction: Direction,
        /// customer, agent, hub or program.
        author: Author,
        /// Who of the agents.
        #[serde(skip_serializing_if = "Option::is_none")] agent: Option<Slug>,
        /// text, or note (never sent).
        kind: String,
        /// What was written.
        text: String,
        /// received for inbound, requested for outbound sms, posted for chat and notes.
        state: String,
        /// What the hub noticed: `nul_replaced`, `maybe_opt_out` (it looks like a withdrawal of consent; an agent decides).
        #[serde(skip_serializing_if = "Option::is_none")] flags: Option<Vec<String>>,
        /// The session's deadline after it.
        #[serde(skip_serializing_if = "Option::is_none")] deadline_at: Option<Timestamp>,
    }
    /// A contact waits for an agent.
    ContactQueued = "contact.queued" to Both {
        /// Which.
        contact_id: ContactId,
        /// Where.
        room_id: RoomId,
        /// What is needed.
        skill: Slug,
        /// Higher first.
        priority: i32,
        /// The original time of queueing.
        queued_at: Timestamp,
    }
    /// A contact is offered to an agent, who should answer with offer.answered.
    OfferMade = "offer.made" to Announce {
        /// Which.
        offer_id: OfferId,
        /// Of what.
        contact_id: ContactId,
        /// Where.
        room_id: RoomId,
        /// To whom.
        agent: Slug,
        /// For which skill.
        skill: Slug,
        /// sms or chat.
        channel: Channel,
        /// Our number; chat: the point of contact.
        our_number: String,
        /// The customer's number; chat: the visitor.
        customer_number: String,
        /// Since when the contact waits.
        queued_at: Timestamp,
        /// When it lapses.
        lapses_at: Timestamp,
        /// Why this agent: `preferred`, `best_proficiency`, `longest_idle`, `least_busy`, `transferred`.
        #[serde(default, skip_serializing_if = "Option::is_none")] why: Option<String>,
        /// Of a transfer: who has the contact until it is accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")] from_agent: Option<Slug>,
        /// Slots that it takes of the agent's limit.
        #[serde(default)] slots: i32,
    }
    /// An offer is over.
    OfferSettled = "offer.settled" to Both {
        /// Which.
        offer_id: OfferId,
        /// Of what.
        contact_id: ContactId,
        /// To whom it was made.
        agent: Slug,
        /// How.
        outcome: OfferOutcome,
        /// Why.
        reason: String,
        /// Of a transfer: who had the contact, and has it still unless it was accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")] from_agent: Option<Slug>,
    }
    /// A contact changed hands otherwise than by an offer from the queue.
    ContactMoved = "contact.moved" to Announce {
        /// Which.
        contact_id: ContactId,
        /// Where.
        room_id: RoomId,
        /// How: transferred, parked, unparked, taken over, requeued.
        how: Handing,
        /// Who has it now; of a parked one: who parked it. None: it waits.
        #[serde(default, skip_serializing_if = "Option::is_none")] agent: Option<Slug>,
        /// Who had it.
        #[serde(default, skip_serializing_if = "Option::is_none")] from_agent: Option<Slug>,
        /// What is needed now.
        skill: Slug,
        /// Why.
        reason: String,
    }
    /// A customer's text waits for an answer of the agent who has the contact.
    ContactUnanswered = "contact.unanswered" to Announce {
        /// Which.
        contact_id: ContactId,
        /// Where.
        room_id: RoomId,
        /// Whose.
        agent: Slug,
        /// Since when.
        since: Timestamp,
        /// When it is queued again unless the agent answers.
        requeued_at: Timestamp,
    }
    /// A session began: the timer runs.
    SessionStarted = "session.started" to Announce {
        /// Which.
        session_id: SessionId,
        /// Where.
        room_id: RoomId,
        /// Of what.
        contact_id: ContactId,
        /// Whose.
        agent: Slug,
        /// When it ends unless something is written.
        deadline_at: Timestamp,
    }
    /// The deadline moved without an entry.
    SessionExtended = "session.extended" to Announce {
        /// Which.
        session_id: SessionId,
        /// Where.
        room_id: RoomId,
        /// Of what.
        contact_id: ContactId,
        /// Whose.
        agent: Slug,
        /// The new deadline.
        deadline_at: Timestamp,
    }
    /// Nobody wrote for too long.
    SessionExpired = "session.expired" to Announce {
        /// Which.
        session_id: SessionId,
        /// Where.
        room_id: RoomId,
        /// Of what.
        contact_id: ContactId,
        /// Whose.
        agent: Slug,
        /// The deadline that passed.
        deadline_at: Timestamp,
    }
    /// An agent's state changed.
    AgentChanged = "agent.changed" to Both {
        /// Who.
        agent: Slug,
        /// Now.
        state: AgentState,
        /// The state that follows when the last slot is freed; nothing new is offered until then.
        #[serde(default, skip_serializing_if = "Option::is_none")] next_state: Option<AgentState>,
        /// Why unavailable.
        #[serde(skip_serializing_if = "Option::is_none")] code: Option<Slug>,
        /// What pending offers, active and wrap-up contacts take: a slot each, or as many as their channel takes.
        slots_used: i32,
        /// Most slots in use, SMS and chat together.
        limit: i32,
        /// Contacts by SMS among them.
        #[serde(default)] sms_used: i32,
        /// Most contacts by SMS, where the channel has a limit of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")] sms_limit: Option<i32>,
        /// Contacts by chat among them.
        #[serde(default)] chat_used: i32,
        /// Most contacts by chat, where the channel has a limit of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")] chat_limit: Option<i32>,
    }
    /// A slot of an agent became free.
    AgentFreed = "agent.freed" to Both {
        /// Who.
        agent: Slug,
        /// Now.
        state: AgentState,
        /// Why unavailable.
        #[serde(skip_serializing_if = "Option::is_none")] code: Option<Slug>,
        /// What pending offers, active and wrap-up contacts take: a slot each, or as many as their channel takes.
        slots_used: i32,
        /// Most slots in use, SMS and chat together.
        limit: i32,
        /// Contacts by SMS among them.
        #[serde(default)] sms_used: i32,
        /// Most contacts by SMS, where the channel has a limit of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")] sms_limit: Option<i32>,
        /// Contacts by chat among them.
        #[serde(default)] chat_used: i32,
        /// Most contacts by chat, where the channel has a limit of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")] chat_limit: Option<i32>,
    }
    /// A contact is over.
    ContactClosed = "contact.closed" to Announce {
        /// Which.
        contact_id: ContactId,
        /// Where.
        room_id: RoomId,
        /// How.
        outcome: ContactOutcome,
        /// The chosen code.
        #[serde(skip_serializing_if = "Option::is_none")] disposition: Option<String>,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")] reason: Option<String>,
        /// How long its phases took.
        durations: Durations,
    }
    /// A text is to leave.
    SmsRequested = "sms.requested" to Work {
        /// Which.
        sms_id: SmsId,
        /// Where.
        room_id: RoomId,
        /// Its line in the transcript.
        entry_id: EntryId,
        /// Our number, E.164 or a short code's digits.
        from: String,
        /// Of a short code in `from`.
        #[serde(default, skip_serializing_if = "Option::is_none")] from_country: Option<String>,
        /// The customer's number.
        to: String,
        /// What was written.
        text: String,
        /// Links to send along.
        #[serde(default, skip_serializing_if = "Option::is_none")] media: Option<Vec<Media>>,
        /// Slug of the carrier's connection.
        carrier: Slug,
    }
    /// A carrier took a text.
    SmsSubmitted = "sms.submitted" to Work {
        /// Which.
        sms_id: SmsId,
        /// Its parts under the carrier's ids.
        parts: Vec<SubmittedPart>,
        /// The carrier's word.
        #[serde(default, skip_serializing_if = "Option::is_none")] reason: Option<String>,
    }
    /// A text will not leave, for good.
    SmsFailed = "sms.failed" to Work {
        /// Which.
        sms_id: SmsId,
        /// Parts that were taken before, if any.
        parts: Vec<SubmittedPart>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")] reason: Option<String>,
    }
    /// The line broke after a text may have left: unknown, never sent again by itself.
    SmsUnanswered = "sms.unanswered" to Work {
        /// Which.
        sms_id: SmsId,
        /// Parts that were taken before, if any.
        parts: Vec<SubmittedPart>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")] reason: Option<String>,
    }
    /// A text waits as a row.
    SmsHeld = "sms.held" to Work {
        /// Which.
        sms_id: SmsId,
        /// None yet.
        parts: Vec<SubmittedPart>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")] reason: Option<String>,
        /// For quiet hours: when it will leave.
        #[serde(default, skip_serializing_if = "Option::is_none")] until: Option<Timestamp>,
    }
    /// The state of an outbound text moved.
    SmsChanged = "sms.changed" to Announce {
        /// Which.
        sms_id: SmsId,
        /// Where.
        room_id: RoomId,
        /// Its line in the transcript.
        entry_id: EntryId,
        /// Now.
        status: SmsStatus,
        /// Why, where it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")] reason: Option<String>,
        /// Held for quiet hours: when it will leave.
        #[serde(default, skip_serializing_if = "Option::is_none")] until: Option<Timestamp>,
    }
    /// What an agent or program asked for is refused, finally for that id.
    CommandRefused = "command.refused" to Announce {
        /// The id of what was asked.
        refused_id: FactId,
        /// Which fact that was.
        refused: String,
        /// A stable word.
        reason: String,
        /// For people.
        sentence: String,
    }
}
