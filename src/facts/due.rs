//! Timers and asks of the hub to itself. The row's deadline is the truth, the message a hint; each carries the id of
//! what it is about and the time it is due.

use jiff::Timestamp;

use super::heard::Hearable;
use super::ids::{CallId, ContactId, FactId, OfferId, RoomId, SessionId, Slug, SmsId};
use super::said::{
    AgentChanged, AgentFreed, ContactQueued, OfferSettled, SmsFailed, SmsHeld, SmsRequested, SmsSubmitted,
    SmsUnanswered,
};

super::facts! {
    /// A session may have expired.
    SessionDue = "session.due" to Work {
        /// Which.
        session_id: SessionId,
        /// Where.
        room_id: RoomId,
        /// The timer's number; equal to the row's → act.
        generation: i32,
        /// When.
        due_at: Timestamp,
    }
    /// An offer may have lapsed.
    OfferDue = "offer.due" to Work {
        /// Which.
        offer_id: OfferId,
        /// When.
        due_at: Timestamp,
    }
    /// Wrap-up may be over.
    WrapUpDue = "wrap_up.due" to Work {
        /// Whose.
        contact_id: ContactId,
        /// When.
        due_at: Timestamp,
    }
    /// An agent's lease, or the grace of a vanished agent's rooms, may be over.
    AgentDue = "agent.due" to Work {
        /// Who.
        agent: Slug,
        /// When.
        due_at: Timestamp,
    }
    /// A skill has waiting contacts and ready agents: match them.
    SkillDue = "skill.due" to Work {
        /// Which.
        skill: Slug,
    }
    /// A waiting contact may have passed its skill's maximum.
    ContactDue = "contact.due" to Work {
        /// Which.
        contact_id: ContactId,
        /// When.
        due_at: Timestamp,
    }
    /// A text whose parts do not all come is to be given out as it is.
    PartDue = "part.due" to Work {
        /// Slug of the carrier's connection.
        carrier: Slug,
        /// The customer's number.
        from: String,
        /// Our number.
        to: String,
        /// The number that holds the parts together.
        reference: u16,
        /// Parts of the text.
        total: u8,
        /// When.
        due_at: Timestamp,
    }
    /// A text whose answer was lost is to be looked for.
    SmsDoubted = "sms.doubted" to Work {
        /// Which.
        sms_id: SmsId,
        /// Where.
        room_id: RoomId,
    }
    /// A customer wrote in a room whose contact is in a flow; the first text begins it.
    FlowTexted = "flow.texted" to Work {
        /// Whose.
        contact_id: ContactId,
        /// Where.
        room_id: RoomId,
        /// The text's number in the room.
        seq: i32,
    }
    /// What a flow waits for may be over.
    FlowDue = "flow.due" to Work {
        /// Whose.
        contact_id: ContactId,
        /// The timer's number; equal to the row's → act.
        generation: i32,
        /// When.
        due_at: Timestamp,
    }
    /// A flow asks a program.
    WebhookAsked = "webhook.asked" to Work {
        /// The call's row.
        call_id: CallId,
        /// For which contact.
        contact_id: ContactId,
    }
    /// A program answered, or did not; what it said is in the call's row.
    WebhookAnswered = "webhook.answered" to Work {
        /// The call's row.
        call_id: CallId,
        /// For which contact.
        contact_id: ContactId,
    }
    /// An application is to be told of a text, or what became of one; it stands in the call's row.
    ApplicationDue = "application.due" to Work {
        /// Which.
        application: Slug,
        /// The call's row.
        call_id: CallId,
        /// The message's number; equal to the row's → act.
        generation: i32,
        /// When.
        due_at: Timestamp,
    }
}

macro_rules! hearable {
    ($($name:ident [$($field:literal),*]),+ $(,)?) => {$(
        impl Hearable for $name {
            const NAME: &'static str = <$name as super::envelope::Fact>::NAME;
            const FIELDS: &'static [&'static str] = &["id", "cause_id", "at", "tenant", $($field),*];
            fn id(&self) -> FactId { self.id }
            fn times(&self) -> Vec<Timestamp> { vec![self.at] }
        }
    )+};
}

hearable! {
    SessionDue ["session_id", "room_id", "generation", "due_at"],
    OfferDue ["offer_id", "due_at"],
    WrapUpDue ["contact_id", "due_at"],
    AgentDue ["agent", "due_at"],
    SkillDue ["skill"],
    ContactDue ["contact_id", "due_at"],
    PartDue ["carrier", "from", "to", "reference", "total", "due_at"],
    SmsDoubted ["sms_id", "room_id"],
    FlowTexted ["contact_id", "room_id", "seq"],
    FlowDue ["contact_id", "generation", "due_at"],
    WebhookAsked ["call_id", "contact_id"],
    WebhookAnswered ["call_id", "contact_id"],
    ApplicationDue ["application", "call_id", "generation", "due_at"],
    ContactQueued ["contact_id", "room_id", "skill", "priority", "queued_at"],
    OfferSettled ["offer_id", "contact_id", "agent", "outcome", "reason", "from_agent"],
    AgentChanged ["agent", "state", "next_state", "code", "slots_used", "limit", "sms_used", "sms_limit", "chat_used",
                  "chat_limit"],
    AgentFreed ["agent", "state", "code", "slots_used", "limit", "sms_used", "sms_limit", "chat_used", "chat_limit"],
    SmsRequested ["sms_id", "room_id", "entry_id", "from", "from_country", "to", "text", "media", "carrier"],
    SmsSubmitted ["sms_id", "parts", "reason"],
    SmsFailed ["sms_id", "parts", "reason"],
    SmsUnanswered ["sms_id", "parts", "reason"],
    SmsHeld ["sms_id", "parts", "reason", "until"],
}
