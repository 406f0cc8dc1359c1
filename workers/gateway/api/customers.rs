//! Customers' cards: name, fields, notes.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use texthub::access::api::Api;
use texthub::access::audit;
use texthub::access::caller::Caller;
use texthub::access::problem::{Problem, Reason};
use texthub::access::rights::Right;
use texthub::cards::{self, Card, Change, Note};
use texthub::sms::number::masked;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Json, Path};
use crate::gateway::Gateway;

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(read, change)).routes(routes!(note))
}

/// A note to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Noted {
    /// A new UUID; sent again with the same text, it is the same note.
    id: Uuid,
    /// 1 to 2,000 characters.
    text: String,
}

fn may(caller: &Caller, number: &str) -> Result<(), Problem> {
    caller.must(Right::Customers)?;
    if cards::is_customer(number) { Ok(()) } else { Err(Reason::NotFound.into()) }
}

/// A customer's card; an empty one where nobody has written it.
#[utoipa::path(get, path = "/customers/{number}", tag = "customers",
    params(("number" = String, Path, description = "E.164 with +, a short code's digits, or a visitor's id")),
    responses((status = OK, body = Card)))]
async fn read(State(api): State<Api>, caller: Caller, Path(number): Path<String>) -> Result<Json<Card>, Problem> {
    may(&caller, &number)?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    Ok(Json(cards::read(&tx, &caller.tenant, &number).await?))
}

/// Change a customer's card: what is left out stays.
#[utoipa::path(patch, path = "/customers/{number}", tag = "customers", request_body = Change,
    params(("number" = String, Path, description = "E.164 with +, a short code's digits, or a visitor's id")),
    responses((status = OK, body = Card)))]
async fn change(
    State(api): State<Api>,
    caller: Caller,
    Path(number): Path<String>,
    Json(change): Json<Change>,
) -> Result<Json<Card>, Problem> {
    may(&caller, &number)?;
    if let Some((field, should)) = cards::mistake(&change) {
        return Err(Problem::field(field, should));
    }
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    if !cards::change(&tx, &caller.tenant, &number, &change, &caller.user.to_string()).await? {
        return Err(Problem::field("fields", "at most 50 altogether"));
    }
    let detail = Some(json!({"name": change.name.is_some(), "fields": change.fields.len()}));
    let on = masked(&number);
    audit::note(&tx, &caller, &audit::Note { what: "customer_changed", on: Some(("customer", &on)), detail }).await?;
    let card = cards::read(&tx, &caller.tenant, &number).await?;
    tx.commit().await?;
    Ok(Json(card))
}

/// Add a note; none is ever changed.
#[utoipa::path(post, path = "/customers/{number}/notes", tag = "customers", request_body = Noted,
    params(("number" = String, Path, description = "E.164 with +, a short code's digits, or a visitor's id")),
    responses((status = CREATED, body = Note),
              (status = 409, description = "The id stands for another note", body = Problem, content_type = "application/problem+json")))]
async fn note(
    State(api): State<Api>,
    caller: Caller,
    Path(number): Path<String>,
    Json(noted): Json<Noted>,
) -> Result<(StatusCode, Json<Note>), Problem> {
    may(&caller, &number)?;
    let text = noted.text.trim();
    if text.is_empty() || text.chars().count() > cards::LONGEST_NOTE {
        return Err(Problem::field("text", "1 to 2,000 characters"));
    }
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let by = caller.user.to_string();
    let reused = || Problem::saying(Reason::Exists, "This id stands for another note; take a new one.");
    let note = cards::note(&tx, &caller.tenant, &number, (noted.id, text), &by).await?.ok_or_else(reused)?;
    let on = masked(&number);
    let deed = audit::Note { what: "customer_noted", on: Some(("customer", &on)), detail: None };
    audit::note(&tx, &caller, &deed).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(note)))
}
