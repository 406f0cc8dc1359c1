//! What a visitor does: begins, writes, leaves. A text is answered once the broker has confirmed it; the same id again is
//! the same text. Who sends the next one after the answer keeps the order.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use texthub::access::problem::{Problem, Reason};
use texthub::chat::visit::{self, Visit};
use texthub::chat::{is_language, pace};
use texthub::facts::envelope::Publication;
use texthub::facts::heard::{ChatLeft, ChatReceived};
use texthub::facts::ids::FactId;
use uuid::Uuid;

use super::Chat;
use super::door::{Entered, Token};
use crate::gateway::api::Json;

/// Longest text, in characters.
const LONGEST: usize = 2_000;

/// What begins a visit.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Begin {
    /// Of the page, as `en` or `pt-BR`.
    #[serde(default)]
    language: Option<String>,
}

/// A visit.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Begun {
    /// As agents see the visitor.
    visitor: Uuid,
    /// Shown this once: `Authorization: Bearer thv_…`.
    token: String,
    /// When the token is over, unless something is written.
    #[schema(value_type = String, format = "date-time")]
    expires_at: Timestamp,
    /// The company's name.
    name: String,
}

/// A text.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Text {
    /// A new UUID for each text; sent again, it is the same text.
    id: Uuid,
    /// 1 to 2,000 characters.
    text: String,
}

/// A goodbye.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Leave {
    /// A new UUID.
    id: Uuid,
    /// A last word, up to 2,000 characters.
    #[serde(default)]
    text: Option<String>,
}

/// It is on its way to the hub; the stream of events shows it once it is recorded.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HandedIn {
    /// The same.
    id: Uuid,
    /// accepted
    outcome: &'static str,
}

/// Begins a visit, without an account.
#[utoipa::path(post, path = "/{tenant}/{point_of_contact}/visits", tag = "chat", security(()), request_body = Begin,
    params(("tenant" = String, Path, description = "Slug of the tenant"),
           ("point_of_contact" = String, Path, description = "Slug of a point of contact for chat")),
    responses((status = 201, description = "A visitor", body = Begun)))]
pub async fn visit(
    State(chat): State<Chat>,
    entered: Entered,
    Json(begin): Json<Begin>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let language = begin.language.as_deref();
    if language.is_some_and(|language| language.len() > 35 || !is_language(language)) {
        return Err(Problem::field("language", "a code of BCP 47, as en or pt-BR"));
    }
    let door = &entered.door;
    let of_point = format!("{}/{}", door.tenant, door.point);
    let buckets = [(pace::VISITS_OF_ADDRESS, entered.address.as_str()), (pace::VISITS_OF_POINT, of_point.as_str())];
    chat.is_full(&buckets)?;
    let token = visit::new_token().ok_or(Reason::NotNow)?;
    let hash = visit::hash(&token).ok_or(Reason::Failed)?;
    let mut db = chat.api.db(&door.tenant).await?;
    let tx = db.begin().await?;
    chat.charge(&tx, &buckets).await?;
    let begun = visit::begin(&tx, door, &hash, language, &entered.origin).await?;
    tx.commit().await?;
    metrics::counter!("texthub_chat_visits_total").increment(1);
    let Visit { visitor, expires_at } = begun;
    Ok((StatusCode::CREATED, Json(Begun { visitor, token, expires_at, name: door.name.clone() })))
}

/// Writes a text.
#[utoipa::path(post, path = "/{tenant}/{point_of_contact}/texts", tag = "chat", security(("visitor" = [])), request_body = Text,
    params(("tenant" = String, Path, description = "Slug of the tenant"),
           ("point_of_contact" = String, Path, description = "Slug of a point of contact for chat")),
    responses((status = 202, description = "On its way", body = HandedIn),
              (status = 409, description = "The id stands for another text", body = Problem, content_type = "application/problem+json")))]
pub async fn text(
    State(chat): State<Chat>,
    entered: Entered,
    Token(token): Token,
    Json(Text { id, text }): Json<Text>,
) -> Result<(StatusCode, Json<HandedIn>), Problem> {
    if text.trim().is_empty() || text.chars().count() > LONGEST {
        return Err(Problem::field("text", "1 to 2,000 characters"));
    }
    let (visitor, received_at) = chat.hand_in(&entered, &token, id, &["text", &text]).await?;
    let (tenant, point_of_contact) = (entered.door.tenant.clone(), entered.door.point.clone());
    let scope = entered.door.scope(&visitor);
    let fact = ChatReceived { id: FactId(id), tenant, point_of_contact, visitor, text, received_at };
    chat.say(id, Publication::to_the_hub(&fact, scope), "text").await
}

/// Leaves: the chat is over.
#[utoipa::path(post, path = "/{tenant}/{point_of_contact}/leave", tag = "chat", security(("visitor" = [])), request_body = Leave,
    params(("tenant" = String, Path, description = "Slug of the tenant"),
           ("point_of_contact" = String, Path, description = "Slug of a point of contact for chat")),
    responses((status = 202, description = "On its way", body = HandedIn),
              (status = 409, description = "The id stands for something else", body = Problem, content_type = "application/problem+json")))]
pub async fn leave(
    State(chat): State<Chat>,
    entered: Entered,
    Token(token): Token,
    Json(Leave { id, text }): Json<Leave>,
) -> Result<(StatusCode, Json<HandedIn>), Problem> {
    if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST) {
        return Err(Problem::field("text", "at most 2,000 characters"));
    }
    let last = text.as_deref().unwrap_or_default();
    let (visitor, received_at) = chat.hand_in(&entered, &token, id, &["left", last]).await?;
    let (tenant, point_of_contact) = (entered.door.tenant.clone(), entered.door.point.clone());
    let scope = entered.door.scope(&visitor);
    let fact = ChatLeft { id: FactId(id), tenant, point_of_contact, visitor, text, received_at };
    chat.say(id, Publication::to_the_hub(&fact, scope), "left").await
}

impl Chat {
    /// Notes what a visitor hands in; who it is, and when it came first.
    async fn hand_in(
        &self,
        entered: &Entered,
        token: &visit::Hash,
        id: Uuid,
        what: &[&str],
    ) -> Result<(String, Timestamp), Problem> {
        // nothing is noted that could not be said
        self.api.broker()?;
        let door = &entered.door;
        let of_point = format!("{}/{}", door.tenant, door.point);
        let shared = [(pace::TEXTS_OF_ADDRESS, entered.address.as_str()), (pace::TEXTS_OF_POINT, of_point.as_str())];
        self.is_full(&shared)?;
        let mut db = self.api.db(&door.tenant).await?;
        let tx = db.begin().await?;
        let visit = visit::of_token(&tx, door, token).await?.ok_or(Reason::NotSignedIn)?;
        let visitor = visit.visitor.to_string();
        let own = (pace::TEXTS_OF_VISITOR, visitor.as_str());
        self.is_full(&[own])?;
        self.charge(&tx, &[own, shared[0], shared[1]]).await?;
        let received_at = visit::hand_in(&tx, door, &visit, id, what).await?;
        let reused = || Problem::saying(Reason::Exists, "This id stands for something else; take a new one.");
        let received_at = received_at.ok_or_else(reused)?;
        tx.commit().await?;
        Ok((visitor, received_at))
    }

    async fn say(
        &self,
        id: Uuid,
        said: Publication,
        what: &'static str,
    ) -> Result<(StatusCode, Json<HandedIn>), Problem> {
        let broker = self.api.broker()?;
        broker.publisher.hand_in(&[said], broker.partitions).await?;
        metrics::counter!("texthub_chat_handed_in_total", "what" => what).increment(1);
        Ok((StatusCode::ACCEPTED, Json(HandedIn { id, outcome: "accepted" })))
    }
}
