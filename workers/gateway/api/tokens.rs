//! API tokens, as administrators and integrators look after them.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use texthub::access::api::Api;
use texthub::access::audit::{self, Note};
use texthub::access::caller::Caller;
use texthub::access::problem::{Problem, Reason};
use texthub::access::rights::{Right, Scopes};
use texthub::access::tokens::{self, New, Token};
use texthub::facts::ids::Slug;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path};
use crate::gateway::Gateway;

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(revoke))
}

/// All tokens, without their secrets, newest first.
#[utoipa::path(get, path = "/tokens", tag = "tokens", responses((status = OK, body = Vec<Token>)))]
async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Vec<Token>>, Problem> {
    caller.must(Right::Tokens)?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    Ok(Json(tokens::all(&tx, &caller.tenant).await?))
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// What it is for, 1 to 100 characters.
    #[schema(example = "Shop")]
    name: String,
    /// At least one of work, live, interfere, transcripts, customers.
    scopes: Scopes,
    /// As which agent it works; needed for the scope `work`.
    #[schema(value_type = Option<String>)]
    agent: Option<Slug>,
    /// When it is over; left out: not by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A token with its secret.
#[derive(Serialize, ToSchema)]
struct Made {
    /// To revoke it by.
    id: Uuid,
    /// Shown here alone; goes into `Authorization: Bearer …`.
    #[schema(format = Password)]
    secret: String,
}

/// Make a token.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = Wanted, responses((status = CREATED, body = Made)))]
async fn make(
    State(api): State<Api>,
    caller: Caller,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    caller.must(Right::Tokens)?;
    let by = caller.user.to_string();
    let new = New {
        name: &wanted.name,
        scopes: &wanted.scopes,
        agent: wanted.agent.as_ref(),
        by: &by,
        expires_at: wanted.expires_at,
    };
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let (id, secret) = tokens::make(&tx, &caller.tenant, &new).await?;
    let (on, detail) = (id.to_string(), Some(json!({"scopes": wanted.scopes, "agent": wanted.agent})));
    audit::note(&tx, &caller, &Note { what: "token_made", on: Some(("token", &on)), detail }).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(Made { id, secret: secret.expose_secret().to_owned() })))
}

/// Revoke a token, at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = Uuid, Path)), responses((status = NO_CONTENT)))]
async fn revoke(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    caller.must(Right::Tokens)?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    if !tokens::revoke(&tx, &caller.tenant, id).await? {
        return Err(Reason::NotFound.into());
    }
    let on = id.to_string();
    audit::note(&tx, &caller, &Note { what: "token_revoked", on: Some(("token", &on)), detail: None }).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
