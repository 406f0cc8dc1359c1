//! Users, as administrators look after them.

use axum::extract::State;
use axum::http::StatusCode;
use deadpool_postgres::Transaction;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use texthub::access::api::Api;
use texthub::access::audit::{self, Note};
use texthub::access::caller::Caller;
use texthub::access::problem::{Problem, Reason};
use texthub::access::rights::{Right, Roles};
use texthub::access::users::{self, Change, New, User};
use texthub::access::{password, sign_in};
use texthub::facts::ids::Slug;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, Path};
use crate::gateway::Gateway;

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(change))
        .routes(routes!(reset))
        .routes(routes!(sign_out))
}

/// All users, those who ended too.
#[utoipa::path(get, path = "/users", tag = "users", responses((status = OK, body = Vec<User>)))]
async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Vec<User>>, Problem> {
    caller.must(Right::Users)?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    Ok(Json(users::all(&tx, &caller.tenant).await?))
}

/// A user to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Added {
    /// A slug: 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit.
    #[schema(value_type = String, example = "hansel")]
    id: Slug,
    /// On screen, 1 to 100 characters.
    #[schema(example = "Hansel")]
    name: String,
    /// At least one.
    roles: Roles,
    /// The agent of the tenant's file that they are; left out: the one of their own name, where there is one.
    #[schema(value_type = Option<String>)]
    agent: Option<Slug>,
    /// Of the screen; left out: `en`.
    language: Option<String>,
}

/// A user with a password to be used once.
#[derive(Serialize, ToSchema)]
struct Invited {
    user: User,
    /// Shown here alone; good for three days, and to be changed at the first sign-in.
    #[schema(format = Password)]
    one_time_password: String,
}

async fn user_of(tx: &Transaction<'_>, caller: &Caller, id: &Slug) -> Result<User, Problem> {
    users::one(tx, &caller.tenant, id).await?.ok_or_else(|| Reason::NotFound.into())
}

/// Add a user, who signs in with the one-time password of the answer.
#[utoipa::path(post, path = "/users", tag = "users", request_body = Added, responses(
    (status = CREATED, body = Invited),
    (status = CONFLICT, body = Problem, content_type = "application/problem+json", description = "There already"),
))]
async fn add(
    State(api): State<Api>,
    caller: Caller,
    Json(added): Json<Added>,
) -> Result<(StatusCode, Json<Invited>), Problem> {
    caller.must(Right::Users)?;
    let one_time = password::one_time()?;
    let phc = api.hashing().hash(one_time.clone()).await?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let new = New {
        id: &added.id,
        name: &added.name,
        roles: &added.roles,
        agent: added.agent.as_ref(),
        language: added.language.as_deref().unwrap_or("en"),
    };
    users::add(&tx, &caller.tenant, &new).await?;
    users::set_one_time(&tx, &caller.tenant, &added.id, &phc).await?;
    let detail = Some(json!({"roles": added.roles}));
    audit::note(&tx, &caller, &Note { what: "user_added", on: Some(("user", added.id.as_str())), detail }).await?;
    let user = user_of(&tx, &caller, &added.id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(Invited { user, one_time_password: one_time.expose_secret().to_owned() })))
}

/// What changes of a user; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Changed {
    /// On screen, 1 to 100 characters.
    name: Option<String>,
    /// At least one.
    roles: Option<Roles>,
    /// The agent of the tenant's file that they are.
    #[schema(value_type = Option<String>)]
    agent: Option<Slug>,
    /// Of the screen.
    language: Option<String>,
    /// True ends the user and their sign-ins; false takes them back.
    ended: Option<bool>,
}

/// Change a user.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", params(("id" = String, Path)), request_body = Changed,
    responses((status = OK, body = User)))]
async fn change(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<Slug>,
    Json(changed): Json<Changed>,
) -> Result<Json<User>, Problem> {
    caller.must(Right::Users)?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let change = Change {
        name: changed.name.as_deref(),
        roles: changed.roles.as_ref(),
        agent: changed.agent.as_ref().map(Some),
        language: changed.language.as_deref(),
        is_ended: changed.ended,
    };
    users::change(&tx, &caller.tenant, &id, &change).await?;
    let what = match changed.ended {
        Some(true) => "user_ended",
        Some(false) => "user_restored",
        None => "user_changed",
    };
    if changed.ended == Some(true) {
        sign_in::revoke_all(&tx, &caller.tenant, &id, None).await?;
    }
    let detail = changed.roles.as_ref().map(|roles| json!({"roles": roles}));
    audit::note(&tx, &caller, &Note { what, on: Some(("user", id.as_str())), detail }).await?;
    let user = user_of(&tx, &caller, &id).await?;
    tx.commit().await?;
    Ok(Json(user))
}

/// Give a user a one-time password; their sign-ins end.
#[utoipa::path(post, path = "/users/{id}/password", tag = "users", params(("id" = String, Path)),
    responses((status = OK, body = Invited)))]
async fn reset(State(api): State<Api>, caller: Caller, Path(id): Path<Slug>) -> Result<Json<Invited>, Problem> {
    caller.must(Right::Users)?;
    let one_time = password::one_time()?;
    let phc = api.hashing().hash(one_time.clone()).await?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    users::set_one_time(&tx, &caller.tenant, &id, &phc).await?;
    sign_in::revoke_all(&tx, &caller.tenant, &id, None).await?;
    audit::note(&tx, &caller, &Note { what: "password_reset", on: Some(("user", id.as_str())), detail: None }).await?;
    let user = user_of(&tx, &caller, &id).await?;
    tx.commit().await?;
    Ok(Json(Invited { user, one_time_password: one_time.expose_secret().to_owned() }))
}

/// End all sign-ins of a user.
#[utoipa::path(delete, path = "/users/{id}/sign-ins", tag = "users", params(("id" = String, Path)),
    responses((status = NO_CONTENT)))]
async fn sign_out(State(api): State<Api>, caller: Caller, Path(id): Path<Slug>) -> Result<StatusCode, Problem> {
    caller.must(Right::Users)?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    user_of(&tx, &caller, &id).await?;
    let ended = sign_in::revoke_all(&tx, &caller.tenant, &id, None).await?;
    let detail = Some(json!({"sign_ins": ended}));
    audit::note(&tx, &caller, &Note { what: "sign_in_revoked", on: Some(("user", id.as_str())), detail }).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
