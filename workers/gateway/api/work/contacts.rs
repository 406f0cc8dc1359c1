//! Commands about a contact: transfer, park, un-park, takeover, end, wrap-up. An agent acts on what is the agent's; who may
//! interfere, on anybody's. The hub decides under its locks; here only in what part somebody asks is settled.

use axum::extract::State;
use serde::Deserialize;
use texthub::access::caller::Caller;
use texthub::access::problem::Problem;
use texthub::access::rights::Right;
use texthub::desk::read::{self, Looked};
use texthub::facts::heard::{
    By, ByKind, ContactEnded, ParkAsked, TakeoverAsked, TransferAsked, UnparkAsked, WrapUpFinished,
};
use texthub::facts::ids::{ContactId, FactId, Slug};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{Gateway, Json, Path};
use super::commands::fits;
use super::hand_in::{Handed, hand_in, name};

/// In what part a caller asks something of a contact: as the agent whose it is, else as a supervisor, where that is
/// allowed; else as an agent, whom the hub will refuse.
async fn by(gateway: &Gateway, caller: &Caller, contact: ContactId) -> Result<By, Problem> {
    let may_interfere = caller.may(Right::Interfere);
    let agent = if may_interfere { caller.agent.as_ref() } else { Some(caller.must_be_agent()?) };
    let as_agent = |agent: &Slug| By { kind: ByKind::Agent, name: agent.to_string() };
    if let Some(agent) = agent {
        let is_theirs = !may_interfere || {
            let mut db = gateway.api.db(&caller.tenant).await?;
            let tx = db.begin().await?;
            let looked = Looked { contacts: &[contact], ..Looked::default() };
            let found = read::contacts(&tx, &caller.tenant, &looked).await?;
            caller.may(Right::Work) && found.iter().any(|found| found.agent.as_ref() == Some(agent))
        };
        if is_theirs {
            return Ok(as_agent(agent));
        }
    }
    Ok(By { kind: ByKind::Supervisor, name: name(caller) })
}

/// To whom a contact is handed.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Transfer {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// To an agent, who has to accept.
    #[schema(value_type = Option<String>)]
    agent: Option<Slug>,
    /// Or to a skill.
    #[schema(value_type = Option<String>)]
    skill: Option<Slug>,
    /// For whoever takes it.
    note: Option<String>,
}

/// Hands a contact to another agent or skill.
#[utoipa::path(post, path = "/contacts/{contact_id}/transfer", tag = "work", operation_id = "transfer",
    params(("contact_id" = Uuid, Path, description = "The contact")), request_body = Transfer,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn transfer(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(contact_id): Path<Uuid>,
    Json(asked): Json<Transfer>,
) -> Result<Handed, Problem> {
    fits(asked.note.as_deref())?;
    let contact_id = ContactId(contact_id);
    let by = by(&gateway, &caller, contact_id).await?;
    let (id, tenant) = (FactId(asked.id), caller.tenant.clone());
    let fact = TransferAsked { id, tenant, by, contact_id, agent: asked.agent, skill: asked.skill, note: asked.note };
    hand_in(&gateway, &caller, &fact, caller.tenant.as_str()).await
}

/// Why a contact is parked.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Park {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// A note for the room.
    note: Option<String>,
}

/// Releases the slot and keeps the room.
#[utoipa::path(post, path = "/contacts/{contact_id}/park", tag = "work", operation_id = "park",
    params(("contact_id" = Uuid, Path, description = "The contact")), request_body = Park,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn park(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(contact_id): Path<Uuid>,
    Json(asked): Json<Park>,
) -> Result<Handed, Problem> {
    fits(asked.note.as_deref())?;
    let contact_id = ContactId(contact_id);
    let by = by(&gateway, &caller, contact_id).await?;
    let fact = ParkAsked { id: FactId(asked.id), tenant: caller.tenant.clone(), by, contact_id, note: asked.note };
    hand_in(&gateway, &caller, &fact, caller.tenant.as_str()).await
}

/// A command without more to say.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Unpark {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
}

/// Takes a parked contact back.
#[utoipa::path(post, path = "/contacts/{contact_id}/unpark", tag = "work", operation_id = "unpark",
    params(("contact_id" = Uuid, Path, description = "The contact")), request_body = Unpark,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn unpark(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(contact_id): Path<Uuid>,
    Json(asked): Json<Unpark>,
) -> Result<Handed, Problem> {
    let contact_id = ContactId(contact_id);
    let by = by(&gateway, &caller, contact_id).await?;
    let fact = UnparkAsked { id: FactId(asked.id), tenant: caller.tenant.clone(), by, contact_id };
    hand_in(&gateway, &caller, &fact, caller.tenant.as_str()).await
}

/// Who works a contact from now on.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Takeover {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// To whom it is given; else to the supervisor.
    #[schema(value_type = Option<String>)]
    agent: Option<Slug>,
    /// A note for the room.
    note: Option<String>,
}

/// Takes a contact from whoever has it: for supervisors.
#[utoipa::path(post, path = "/contacts/{contact_id}/takeover", tag = "work", operation_id = "takeover",
    params(("contact_id" = Uuid, Path, description = "The contact")), request_body = Takeover,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn takeover(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(contact_id): Path<Uuid>,
    Json(asked): Json<Takeover>,
) -> Result<Handed, Problem> {
    caller.must(Right::Interfere)?;
    fits(asked.note.as_deref())?;
    let agent = asked.agent.or_else(|| caller.agent.clone());
    let agent = agent.ok_or_else(|| Problem::field("agent", "you are none: say who works the contact from now on"))?;
    let fact = TakeoverAsked {
        id: FactId(asked.id),
        tenant: caller.tenant.clone(),
        by: By { kind: ByKind::Supervisor, name: name(&caller) },
        contact_id: ContactId(contact_id),
        agent: Some(agent),
        note: asked.note,
    };
    hand_in(&gateway, &caller, &fact, caller.tenant.as_str()).await
}

/// How a contact is ended.
#[derive(Debug, Deserialize, ToSchema)]
pub struct End {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// Why, in a word or a sentence; else `done`.
    reason: Option<String>,
    /// The outcome code: closes at once, without wrap-up.
    disposition: Option<String>,
}

/// Ends exactly one contact.
#[utoipa::path(post, path = "/contacts/{contact_id}/end", tag = "work", operation_id = "end",
    params(("contact_id" = Uuid, Path, description = "The contact")), request_body = End,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn end(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(contact_id): Path<Uuid>,
    Json(asked): Json<End>,
) -> Result<Handed, Problem> {
    fits(asked.reason.as_deref())?;
    fits(asked.disposition.as_deref())?;
    let contact_id = ContactId(contact_id);
    let by = by(&gateway, &caller, contact_id).await?;
    let fact = ContactEnded {
        id: FactId(asked.id),
        tenant: caller.tenant.clone(),
        contact_id,
        by,
        reason: asked.reason.unwrap_or_else(|| "done".to_owned()),
        disposition: asked.disposition,
    };
    hand_in(&gateway, &caller, &fact, caller.tenant.as_str()).await
}

/// What after-contact work came to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct WrapUp {
    /// The client's own for this command: the same again is a repeat.
    id: Uuid,
    /// The outcome code.
    disposition: Option<String>,
    /// A closing note.
    note: Option<String>,
}

/// Finishes the agent's after-contact work.
#[utoipa::path(post, path = "/contacts/{contact_id}/wrap-up", tag = "work", operation_id = "wrapUp",
    params(("contact_id" = Uuid, Path, description = "The contact")), request_body = WrapUp,
    responses((status = 200, description = "Done", body = Handed), (status = 202, description = "Not yet", body = Handed),
              (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json")))]
pub async fn wrap_up(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(contact_id): Path<Uuid>,
    Json(asked): Json<WrapUp>,
) -> Result<Handed, Problem> {
    fits(asked.disposition.as_deref())?;
    fits(asked.note.as_deref())?;
    let fact = WrapUpFinished {
        id: FactId(asked.id),
        tenant: caller.tenant.clone(),
        agent: caller.must_be_agent()?.clone(),
        contact_id: ContactId(contact_id),
        disposition: asked.disposition,
        note: asked.note,
    };
    hand_in(&gateway, &caller, &fact, caller.tenant.as_str()).await
}
