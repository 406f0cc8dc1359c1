//! An agent's own commands: state, answers to offers, replies, notes, outreach. As whom is never in the body: it is the
//! agent who is signed in.

use axum::extract::State;
use serde::Deserialize;
use texthub::access::caller::Caller;
use texthub::access::problem::{Problem, Reason};
use texthub::desk::read;
use texthub::facts::heard::{
    AgentMoved, AgentState, Answer, Media, NoteWritten, OfferAnswered, OutreachWritten, ReplyWritten, When,
};
use texthub::facts::ids::{FactId, OfferId, RoomId, Slug};
use texthub::facts::purpose::Purpose;
use texthub::hub::refusal::Refusal;
use texthub::runtime::clock;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{Gateway, Json, Path};
use super::hand_in::{Handed, hand_in};

/// Most characters of a text or note that are handed on; the hub has narrower bounds of its own.
const MOST: usize = 10_000;

/// A text is no longer than the hub looks at.
pub fn fits(text: Option<&str>) -> Result<(), Problem> {
    let is_long = text.is_some_and(|text| text.len() > MOST * 4 || text.chars().count() > MOST);
    if is_long { Err(Refusal::TextLength.into()) } else { Ok(()) }
}

/// The agent's next state.
#[derive(Debug, Deserialize, ToSchema)]
pub struct StateAsked {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// Which.
    state: AgentState,
    /// Why unavailable: one of the tenant's codes, where it has some.
    #[schema(value_type = Option<String>)]
    code: Option<Slug>,
    /// now, or free: a busy agent moves when the last contact is over, and is offered nothing until then.
    #[schema(value_type = Option<String>)]
    when: Option<When>,
}

/// Changes the agent's own state.
#[utoipa::path(post, path = "/agent/state", tag = "work", operation_id = "agentState", request_body = StateAsked,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn state(
    State(gateway): State<Gateway>,
    caller: Caller,
    Json(asked): Json<StateAsked>,
) -> Result<Handed, Problem> {
    let moved = AgentMoved {
        id: FactId(asked.id),
        tenant: caller.tenant.clone(),
        agent: caller.must_be_agent()?.clone(),
        state: asked.state,
        code: asked.code,
        moved_at: clock::near(),
        until: None,
        when: asked.when,
    };
    hand_in(&gateway, &caller, &moved, caller.tenant.as_str()).await
}

/// The answer to an offer.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AnswerAsked {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// accept or refuse.
    answer: Answer,
    /// Why refused.
    reason: Option<String>,
}

/// Accepts or refuses an offer that was made to the agent.
#[utoipa::path(post, path = "/offers/{offer_id}/answer", tag = "work", operation_id = "answerOffer",
    params(("offer_id" = Uuid, Path, description = "The offer")), request_body = AnswerAsked,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn answer(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(offer_id): Path<Uuid>,
    Json(asked): Json<AnswerAsked>,
) -> Result<Handed, Problem> {
    fits(asked.reason.as_deref())?;
    let answered = OfferAnswered {
        id: FactId(asked.id),
        tenant: caller.tenant.clone(),
        agent: caller.must_be_agent()?.clone(),
        offer_id: OfferId(offer_id),
        answer: asked.answer,
        reason: asked.reason,
    };
    hand_in(&gateway, &caller, &answered, caller.tenant.as_str()).await
}

/// A text to the customer of a room.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ReplyAsked {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// 1 to 1,600 characters.
    text: String,
    /// Links to send along.
    media: Option<Vec<Media>>,
}

/// Writes to the customer of a room that the agent works.
#[utoipa::path(post, path = "/rooms/{room_id}/replies", tag = "work", operation_id = "reply",
    params(("room_id" = Uuid, Path, description = "The room")), request_body = ReplyAsked,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn reply(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(room_id): Path<Uuid>,
    Json(asked): Json<ReplyAsked>,
) -> Result<Handed, Problem> {
    fits(Some(&asked.text))?;
    let written = ReplyWritten {
        id: FactId(asked.id),
        tenant: caller.tenant.clone(),
        agent: caller.must_be_agent()?.clone(),
        room_id: RoomId(room_id),
        text: asked.text,
        media: asked.media,
        written_at: clock::near(),
    };
    let scope = conversation(&gateway, &caller, written.room_id).await?;
    hand_in(&gateway, &caller, &written, &scope).await
}

/// A note in a room.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NoteAsked {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// 1 to 10,000 characters; the customer never sees it.
    text: String,
}

/// Notes something in a room.
#[utoipa::path(post, path = "/rooms/{room_id}/notes", tag = "work", operation_id = "note",
    params(("room_id" = Uuid, Path, description = "The room")), request_body = NoteAsked,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn note(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(room_id): Path<Uuid>,
    Json(asked): Json<NoteAsked>,
) -> Result<Handed, Problem> {
    fits(Some(&asked.text))?;
    let written = NoteWritten {
        id: FactId(asked.id),
        tenant: caller.tenant.clone(),
        agent: caller.must_be_agent()?.clone(),
        room_id: RoomId(room_id),
        text: asked.text,
        written_at: clock::near(),
    };
    let scope = conversation(&gateway, &caller, written.room_id).await?;
    hand_in(&gateway, &caller, &written, &scope).await
}

/// The conversation that a room's facts are keyed by, so that its order is kept.
async fn conversation(gateway: &Gateway, caller: &Caller, room: RoomId) -> Result<String, Problem> {
    let mut db = gateway.api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    read::conversation_of(&tx, &caller.tenant, room).await?.ok_or_else(|| Reason::NotFound.into())
}

/// A text to a customer on the agent's own initiative.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OutreachAsked {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// The customer's number, E.164.
    to: String,
    /// 1 to 1,600 characters.
    text: String,
    /// Links to send along.
    media: Option<Vec<Media>>,
    /// From which of our numbers; else by `skill`, else the only point of contact's.
    our_number: Option<String>,
    /// Whose number to use, and under which skill it counts.
    #[schema(value_type = Option<String>)]
    skill: Option<Slug>,
    /// conversational, informational or promotional; else as the hub judges it.
    #[schema(value_type = Option<String>)]
    purpose: Option<Purpose>,
}

/// Texts a customer first.
#[utoipa::path(post, path = "/outreach", tag = "work", operation_id = "outreach", request_body = OutreachAsked,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn outreach(
    State(gateway): State<Gateway>,
    caller: Caller,
    Json(asked): Json<OutreachAsked>,
) -> Result<Handed, Problem> {
    fits(Some(&asked.text))?;
    fits(Some(&asked.to))?;
    fits(asked.our_number.as_deref())?;
    let written = OutreachWritten {
        id: FactId(asked.id),
        tenant: caller.tenant.clone(),
        agent: caller.must_be_agent()?.clone(),
        to: asked.to,
        text: asked.text,
        media: asked.media,
        our_number: asked.our_number,
        skill: asked.skill,
        purpose: asked.purpose,
        written_at: clock::near(),
    };
    hand_in(&gateway, &caller, &written, caller.tenant.as_str()).await
}
