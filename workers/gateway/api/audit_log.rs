//! The audit log, read: which is noted, too.

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use texthub::access::api::Api;
use texthub::access::audit::{self, Line, Note};
use texthub::access::caller::Caller;
use texthub::access::problem::Problem;
use texthub::access::rights::Right;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, Query};
use crate::gateway::Gateway;

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only lines with a smaller number: those that are older.
    before: Option<i64>,
    /// Most lines, 1 to 500.
    #[serde(default = "hundred")]
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: i64,
}

fn hundred() -> i64 {
    100
}

/// The newest lines, newest first.
#[utoipa::path(get, path = "/audit-log", tag = "audit log", params(Asked), responses((status = OK, body = Vec<Line>)))]
async fn list(State(api): State<Api>, caller: Caller, Query(asked): Query<Asked>) -> Result<Json<Vec<Line>>, Problem> {
    caller.must(Right::Audit)?;
    if !(1..=500).contains(&asked.limit) {
        return Err(Problem::field("limit", "is 1 to 500"));
    }
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let lines = audit::lines(&tx, &caller.tenant, asked.before, asked.limit).await?;
    let detail = Some(json!({"before": asked.before, "lines": lines.len()}));
    audit::note(&tx, &caller, &Note { what: "audit_log_read", on: None, detail }).await?;
    tx.commit().await?;
    Ok(Json(lines))
}
