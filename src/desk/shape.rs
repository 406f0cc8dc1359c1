//! The shapes of the work half of the API: what a desk is shown. Times are RFC 3339 in UTC, spans in the unit that the
//! field's name ends with; what is null is nothing, or not known.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::facts::heard::AgentState;
use crate::facts::ids::Slug;
use crate::facts::said::{Author, Channel, Direction};

/// Most entries of a room that come with a contact; older ones are asked for by page.
pub const ENTRIES: i64 = 50;

/// Everything that an agent's desk begins with, of one moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Desk {
    /// The database's clock: count-downs are against it.
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
    /// The agent; null where the user is none, or the tenant's file has it no more.
    pub agent: Option<Agent>,
    /// What is offered to the agent.
    pub offers: Vec<Offer>,
    /// The agent's contacts with their newest entries; of those who watch the tenant, the others' as summaries.
    pub contacts: Vec<Contact>,
    /// What the tenant has set up.
    pub setup: Setup,
}

/// An agent as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Agent {
    /// Who.
    pub id: Slug,
    /// The state.
    pub state: AgentState,
    /// Why unavailable.
    pub code: Option<Slug>,
    /// What follows when the last contact is over.
    pub next_state: Option<String>,
    /// When the agent moved last.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Slots that offers, active and wrap-up contacts take.
    pub slots_used: i32,
    /// Most slots in use, SMS and chat together.
    pub limit: i32,
    /// Contacts by SMS among them.
    pub sms_used: i32,
    /// Most of them, where the channel has a limit of its own.
    pub sms_limit: Option<i32>,
    /// Contacts by chat among them.
    pub chat_used: i32,
    /// Most of them, where the channel has a limit of its own.
    pub chat_limit: Option<i32>,
    /// What the agent can do, the best first.
    #[schema(value_type = Vec<AgentSkill>)]
    pub skills: Value,
    /// Contacts that wait in these skills; of each skill at most 1,000 are counted.
    pub waiting: i32,
    /// Why no work comes, in a word: `logged_out`, unavailable, leaving, `no_skills`, full, `nobody_waits`, `channel_full`,
    /// `cooling_down`, held, `out_of_range`. Null: the next offer is on its way.
    pub why: Option<String>,
}

/// A skill of an agent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentSkill {
    /// Which.
    pub id: Slug,
    /// Its channel.
    pub channel: Channel,
    /// 1 best … 20.
    pub proficiency: i32,
}

/// An agent, as colleagues see one who may take a contact over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Colleague {
    /// Who.
    pub id: Slug,
    /// The name of the user who is this agent, where there is one.
    pub name: Option<String>,
    /// The state.
    pub state: AgentState,
    /// Why unavailable.
    pub code: Option<Slug>,
    /// Slots in use.
    pub slots_used: i32,
    /// Most of them.
    pub limit: i32,
    /// What the agent can do, the best first.
    #[schema(value_type = Vec<AgentSkill>)]
    pub skills: Value,
}

/// A contact that is offered to the agent.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Offer {
    /// Which.
    pub offer_id: Uuid,
    /// Of what.
    pub contact_id: Uuid,
    /// Where.
    pub room_id: Uuid,
    /// For which skill.
    pub skill: Slug,
    /// sms or chat.
    pub channel: Channel,
    /// Our number; chat: the point of contact.
    pub our_number: String,
    /// The customer's number; chat: the visitor.
    pub customer_number: String,
    /// As the customer's card has it.
    pub customer_name: Option<String>,
    /// Since when the contact waits.
    #[schema(value_type = String, format = DateTime)]
    pub queued_at: Timestamp,
    /// When it was offered.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// When the offer lapses.
    #[schema(value_type = String, format = DateTime)]
    pub lapses_at: Timestamp,
    /// Of a transfer: who has the contact until it is accepted.
    pub from_agent: Option<Slug>,
    /// The customer's newest text.
    pub last_text: Option<String>,
}

/// A contact that lives.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Contact {
    /// Which.
    pub contact_id: Uuid,
    /// Where.
    pub room_id: Uuid,
    /// prequeue, queued, offered, active, `wrap_up` or parked.
    pub state: String,
    /// What is needed.
    pub skill: Slug,
    /// sms or chat.
    pub channel: Channel,
    /// Our number; chat: the point of contact.
    pub our_number: String,
    /// The customer's number; chat: the visitor.
    pub customer_number: String,
    /// As the customer's card has it.
    pub customer_name: Option<String>,
    /// The original time of queueing.
    #[schema(value_type = String, format = DateTime)]
    pub queued_at: Timestamp,
    /// When an agent accepted it first.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub accepted_at: Option<Timestamp>,
    /// Whose it is; of an offered one: to whom it is offered; of a parked one: who parked it.
    pub agent: Option<Slug>,
    /// The timer, while it runs.
    pub session: Option<Session>,
    /// When wrap-up ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub wrap_up_until: Option<Timestamp>,
    /// Since when a text of the customer waits for an answer.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waiting_since: Option<Timestamp>,
    /// Whether the agent may write, or why not.
    pub composer: Composer,
    /// The number of the room's newest entry.
    pub last_seq: i32,
    /// It is a summary: without entries.
    pub summary: bool,
    /// The newest entries, in their order; of a summary none.
    pub entries: Vec<Entry>,
    /// There are older ones.
    pub more: bool,
}

/// The session of an active contact.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Session {
    /// Which.
    pub session_id: Uuid,
    /// When it ends unless something is written.
    #[schema(value_type = String, format = DateTime)]
    pub deadline_at: Timestamp,
    /// From a text to the deadline.
    pub timeout_s: i32,
}

/// Whether something can be written.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Composer {
    /// A reply would be taken now.
    pub can_write: bool,
    /// Else why not: `opted_out`, parked, `room_closed` (wrap-up), `not_active`.
    pub why: Option<&'static str>,
}

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Entry {
    /// Its number in the room, from 1, gap-free.
    pub seq: i32,
    /// Its id.
    pub entry_id: Uuid,
    /// Who wrote it.
    pub author: Author,
    /// Which agent.
    pub agent: Option<Slug>,
    /// text, or note (never sent).
    pub kind: String,
    /// Towards us or towards the customer.
    pub direction: Direction,
    /// What was written.
    pub text: String,
    /// When the hub recorded it.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// received, posted (chat, notes), or where an outbound sms is: requested, held, sending, submitted, delivered,
    /// undelivered, failed, unknown.
    pub state: String,
    /// Why it is there.
    pub reason: Option<String>,
    /// Parts on the network.
    pub parts: i32,
    /// gsm7 or ucs2, once it left.
    pub encoding: Option<String>,
    /// What the hub noticed: `nul_replaced`, `maybe_opt_out`.
    #[schema(value_type = Vec<String>)]
    pub flags: Value,
    /// What went along: of customers' [{id, url, type, state, reason, `stored_type`, size}], else [{url, type}].
    #[schema(value_type = Vec<Object>)]
    pub media: Value,
    /// Outbound sms: its id.
    pub sms_id: Option<Uuid>,
}

/// A room with its transcript.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Room {
    /// Which.
    pub room_id: Uuid,
    /// The contact that lives in it, or did last.
    pub contact_id: Option<Uuid>,
    /// sms or chat.
    pub channel: Channel,
    /// Our number; chat: the point of contact.
    pub our_number: String,
    /// The customer's number; chat: the visitor.
    pub customer_number: String,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// When it was closed; null while it is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// How it ended: answered, expired, abandoned, `opted_out`, forced.
    pub outcome: Option<String>,
    /// Every agent who worked it, in order.
    pub agents: Vec<Slug>,
    /// The chosen outcome code.
    pub disposition: Option<String>,
    /// How many entries it has.
    pub entries_count: i32,
    /// The newest entries, in their order; in lists of rooms left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<Entry>>,
    /// There are older ones than those.
    pub more: bool,
}

/// What the tenant has set up, as desks need it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Setup {
    /// Why an agent may be unavailable; none: any code.
    pub codes: Vec<Code>,
    /// What is needed of agents.
    pub skills: Vec<Skill>,
    /// Our numbers and chat entrances.
    pub points_of_contact: Vec<PointOfContact>,
    /// Texts to begin with.
    pub quick_replies: Vec<QuickReply>,
}

/// A code of unavailability.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Code {
    /// Slug.
    pub id: Slug,
    /// On screen.
    pub name: String,
    /// After so long the agent is logged out.
    pub max_minutes: i32,
}

/// A skill.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Skill {
    /// Slug.
    pub id: Slug,
    /// sms or chat.
    pub channel: Channel,
    /// After-contact work; null: none.
    pub wrap_up_s: Option<i32>,
    /// Outcome codes to choose from; none: any.
    pub dispositions: Vec<String>,
    /// One must be chosen.
    pub disposition_required: bool,
    /// Stands for a required one that nobody chose.
    pub default_disposition: Option<String>,
    /// An unanswered text queues the contact again after so long.
    pub response_s: Option<i32>,
}

/// A point of contact.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PointOfContact {
    /// Slug.
    pub id: Slug,
    /// sms or chat.
    pub channel: Channel,
    /// Our number, by SMS.
    pub number: Option<String>,
    /// long, `toll_free` or short.
    pub kind: Option<String>,
    /// ISO 3166, two letters.
    pub country: Option<String>,
    /// Its skill.
    pub skill: Slug,
}

/// A text to begin with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuickReply {
    /// Slug.
    pub id: Slug,
    /// In the list.
    pub title: String,
    /// What is written.
    pub text: String,
    /// For contacts of this skill alone.
    pub skill: Option<Slug>,
    /// In this language alone, as a code of BCP 47.
    pub language: Option<String>,
}
