//! A user's own sign-ins: which browsers they are in, and the end of one.

use axum::extract::State;
use axum::http::StatusCode;
use texthub::access::api::Api;
use texthub::access::audit::{self, Note};
use texthub::access::caller::Caller;
use texthub::access::problem::{Problem, Reason};
use texthub::access::sign_in::{self, SignIn};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path};
use crate::gateway::Gateway;

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(end))
}

/// My sign-ins that stand, newest first.
#[utoipa::path(get, path = "/sign-ins", tag = "me", responses((status = OK, body = Vec<SignIn>)))]
async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Vec<SignIn>>, Problem> {
    let user = caller.must_be_user()?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    Ok(Json(sign_in::of_user(&tx, &caller.tenant, user, caller.sign_in).await?))
}

/// End one of my sign-ins.
#[utoipa::path(delete, path = "/sign-ins/{id}", tag = "me", params(("id" = Uuid, Path)), responses((status = NO_CONTENT)))]
async fn end(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let user = caller.must_be_user()?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    if !sign_in::revoke(&tx, &caller.tenant, user, id).await? {
        return Err(Reason::NotFound.into());
    }
    let on = id.to_string();
    audit::note(&tx, &caller, &Note { what: "sign_in_revoked", on: Some(("sign_in", &on)), detail: None }).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
