//! The stored no: every refusal of what an agent or a program asked for is a row, so that a repeat is refused the same.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::sql;
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{FactId, Slug};
use crate::facts::said::CommandRefused;
use crate::failure::Failure;
use crate::sms::number::recipient::Unfit;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $sentence:literal;)+) => {
        /// The closed list of reasons: add, never rename.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal { $($(#[$doc])* $name),+ }
        impl Refusal {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// The stable word.
            #[must_use]
            pub fn word(self) -> &'static str { match self { $(Self::$name => $word),+ } }
            /// For people: what to do.
            #[must_use]
            pub fn sentence(self) -> &'static str { match self { $(Self::$name => $sentence),+ } }
        }
    };
}

refusals! {
    /// No such tenant.
    UnknownTenant = "unknown_tenant", "There is no such tenant.";
    /// The tenant's SMS messaging is off.
    DisabledTenant = "disabled_tenant", "SMS messaging is switched off for this tenant.";
    /// No such application in this tenant.
    UnknownApplication = "unknown_application", "There is no such application in this tenant.";
    /// No such agent in this tenant.
    UnknownAgent = "unknown_agent", "There is no such agent in this tenant.";
    /// No such room in this tenant.
    UnknownRoom = "unknown_room", "There is no such room in this tenant.";
    /// The room is closed.
    RoomClosed = "room_closed", "The conversation is over; text the customer to begin a new one.";
    /// The deadline has passed.
    SessionExpired = "session_expired", "Nobody wrote for too long and the session has expired; text the customer to begin a new one.";
    /// The room is not this agent's.
    NotAMember = "not_a_member", "This conversation is not yours.";
    /// Another agent holds the contact.
    HeldByOther = "held_by_other", "Another agent is working with this customer.";
    /// The limit is reached.
    NoFreeSlot = "no_free_slot", "All slots of the agent are in use; a contact must end first.";
    /// The channel's limit is reached.
    ChannelFull = "channel_full", "The agent has as many contacts of this channel as allowed; one of them must end first.";
    /// The agent is logged out.
    LoggedOut = "logged_out", "The agent is logged out and must log in first.";
    /// The offer is settled.
    OfferGone = "offer_gone", "This offer is over.";
    /// The offer was made to somebody else.
    NotYourOffer = "not_your_offer", "This offer was made to another agent.";
    /// The customer opted out.
    OptedOut = "opted_out", "The customer has opted out of texts from this number.";
    /// Empty, or longer than allowed.
    TextLength = "text_length", "A text has 1 to 1,600 characters (a note 1 to 10,000).";
    /// The number's carrier sends none.
    NoMedia = "no_media", "The carrier of this number sends no media; write the link into the text.";
    /// Not what can be sent along.
    BadMedia = "bad_media", "At most 10 media may go along, each a link with http:// or https://.";
    /// No number to send from.
    NoNumber = "no_number", "Say which of our numbers to text from, or a skill that has one.";
    /// The customer's number cannot be one.
    BadNumber = "bad_number", "The customer's number must be E.164: + and 7 to 15 digits, as many as its country has.";
    /// It calls for help.
    EmergencyNumber = "emergency_number", "This is an emergency number; nobody may text it from here.";
    /// It costs more than a text.
    PremiumNumber = "premium_number", "This is a premium number, where a text costs extra; it is never texted.";
    /// No hour of the week is inside all quiet hours.
    NoHours = "no_hours", "No hour of the week is inside the hours of the law and of the tenant for this number; it cannot be texted.";
    /// No such contact, offer or skill in this tenant.
    NotFound = "not_found", "There is no such thing in this tenant.";
    /// The contact is over already.
    AlreadyEnded = "already_ended", "This contact is over already.";
    /// Whoever asks may not.
    NotAllowed = "not_allowed", "This is for supervisors alone.";
    /// Only an active contact can be parked.
    NotActive = "not_active", "Nobody works this contact now.";
    /// Only a parked contact can be taken back.
    NotParked = "not_parked", "This contact is not parked.";
    /// The contact is parked.
    Parked = "parked", "This contact is parked; take it back first.";
    /// Neither an agent nor a skill, or both.
    NoTarget = "no_target", "Name an agent or a skill, and not both.";
    /// The skill, or every skill of the agent, is of another channel.
    WrongChannel = "wrong_channel", "The skill or the agent is for another channel than this contact.";
    /// The agent takes nothing now.
    AgentUnavailable = "agent_unavailable", "This agent is not available now.";
    /// The agent has it, or it is offered to the agent.
    AlreadyHeld = "already_held", "This agent has the contact, or an offer of it, already.";
    /// Not among the skill's dispositions.
    UnknownDisposition = "unknown_disposition", "This disposition is not one of the skill's; choose one of those.";
    /// The skill requires one.
    DispositionMissing = "disposition_missing", "This skill requires a disposition; choose one.";
    /// Not among the tenant's codes.
    UnknownCode = "unknown_code", "This code is not one of the tenant's; choose one of those.";
    /// Not in this version.
    NotSupported = "not_supported", "This installation cannot do that yet.";
}

impl From<Unfit> for Refusal {
    fn from(why: Unfit) -> Self {
        match why {
            Unfit::Emergency => Self::EmergencyNumber,
            Unfit::Premium => Self::PremiumNumber,
            Unfit::Bad => Self::BadNumber,
        }
    }
}

/// What is refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The id of what was asked.
    pub id: FactId,
    /// Which fact.
    pub fact: &'a str,
    /// Whose.
    pub tenant: &'a Slug,
    /// Why.
    pub why: Refusal,
}

/// The fact that tells the producer; the same for every repeat.
#[must_use]
pub fn say(now: Timestamp, refused: Refused<'_>) -> Publication {
    let said = CommandRefused {
        id: refused.id.derive(CommandRefused::NAME, 0),
        cause_id: refused.id,
        at: now,
        tenant: refused.tenant.clone(),
        refused_id: refused.id,
        refused: refused.fact.to_owned(),
        reason: refused.why.word().to_owned(),
        sentence: refused.why.sentence().to_owned(),
    };
    Publication::of(&said, refused.tenant.as_str())
}

/// Writes refusals and says them.
pub async fn refuse(
    tx: &Transaction<'_>,
    now: Timestamp,
    refused: &[Refused<'_>],
) -> Result<Vec<Publication>, Failure> {
    let ids: Vec<FactId> = refused.iter().map(|r| r.id).collect();
    let facts: Vec<&str> = refused.iter().map(|r| r.fact).collect();
    let tenants: Vec<&Slug> = refused.iter().map(|r| r.tenant).collect();
    let reasons: Vec<&str> = refused.iter().map(|r| r.why.word()).collect();
    let sentences: Vec<&str> = refused.iter().map(|r| r.why.sentence()).collect();
    sql::touch(
        tx,
        "insert into refusals (refused_id, refused, tenant, reason, sentence, at)
         select id, fact, tenant, reason, sentence, $6
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) as r (id, fact, tenant, reason, sentence)
         on conflict (refused_id, refused) do nothing",
        &[&ids, &facts, &tenants, &reasons, &sentences, &now],
    )
    .await?;
    Ok(refused.iter().map(|r| say(now, *r)).collect())
}
