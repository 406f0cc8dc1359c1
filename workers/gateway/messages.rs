//! The Messages resource of Twilio's API, for tenants' applications: a form in, `notice.written` to the hub, Twilio's JSON
//! out. Writes no tables. What may not be sent is refused here by the hub's own checks, and by the hub again; an answer
//! awaits the hub's word for a moment, and without it says that the text is queued, which the broker has confirmed.

mod answer;
mod ask;
mod list;
pub mod places;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deadpool_postgres::Pool;
use serde_json::Value;
use texthub::amqp::publisher::Publisher;
use texthub::application::texts::{self, Shown};
use texthub::application::{self, Application, twilio};
use texthub::facts::envelope::{Publication, conversation};
use texthub::facts::heard::{Hearable, NoticeWritten};
use texthub::facts::ids::FactId;
use texthub::failure::Failure;
use texthub::hub::entry;
use texthub::hub::written::Line;
use texthub::hub::written::notice::{self, Notice};
use texthub::retry::Waits;
use texthub::runtime::clock::{self, Stopwatch};
use texthub::sms::encoding;
use uuid::Uuid;

use super::Gateway;
use answer::Fault;
use ask::Ask;
use list::Query;

/// How long an answer awaits the hub's word.
const AWAITS: Duration = Duration::from_secs(2);

/// The routes.
pub(super) fn routes() -> Router<Gateway> {
    let wrong = || async { Fault::of(20004).into_response() };
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", get(list).post(create).fallback(wrong))
        .route("/2010-04-01/Accounts/{account}/Messages/{file}", get(fetch).fallback(wrong))
}

async fn create(
    State(gateway): State<Gateway>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answered("create", StatusCode::CREATED, created(&gateway, &account, &headers, &body).await)
}

async fn fetch(
    State(gateway): State<Gateway>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    answered("fetch", StatusCode::OK, fetched(&gateway, &account, &headers, &file).await)
}

async fn list(
    State(gateway): State<Gateway>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query: Vec<(String, String)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    answered("list", StatusCode::OK, listed(&gateway, &account, &headers, &query).await)
}

fn answered(request: &'static str, status: StatusCode, answer: Result<Value, Fault>) -> Response {
    let outcome = answer.as_ref().map_or_else(|fault| fault.code.to_string(), |_| "done".to_owned());
    metrics::counter!("texthub_application_requests_total", "request" => request, "outcome" => outcome).increment(1);
    match answer {
        Ok(body) => (status, axum::Json(body)).into_response(),
        Err(fault) => fault.into_response(),
    }
}

/// An application that has signed in, and what its request works with.
struct SignedIn {
    application: Application,
    pool: Pool,
    publisher: Publisher,
    partitions: u32,
    _place: places::Place,
}

fn away(_: impl std::fmt::Debug) -> Fault {
    Fault::of(20503)
}

async fn sign_in(gateway: &Gateway, account: &str, headers: &HeaderMap) -> Result<SignedIn, Fault> {
    let stranger = || Fault::of(20003);
    let (user, token) = credentials(headers).ok_or_else(stranger)?;
    if user != account {
        return Err(stranger());
    }
    let place = gateway.places.take(account).ok_or_else(|| Fault::of(20429))?;
    let link = gateway.link.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let (pool, publisher, partitions) = link.ok_or_else(|| Fault::of(20503))?;
    let application = {
        let mut client = pool.get().await.map_err(away)?;
        let tx = client.transaction().await.map_err(away)?;
        let found = application::of_account(&tx, account).await.map_err(away)?;
        let _ = tx.rollback().await;
        found.ok_or_else(stranger)?
    };
    match application.knows(&token) {
        Ok(true) => Ok(SignedIn { application, pool, publisher, partitions, _place: place }),
        Ok(false) => Err(stranger()),
        Err(why) => {
            tracing::error!(tenant = %application.tenant, application = %application.id, why, "no token to sign in with");
            Err(Fault::of(20503))
        }
    }
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = given.split_once(' ')?;
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok().filter(|text| !text.contains('\0'))?;
    let (user, token) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (user.to_owned(), token.to_owned()))
}

/// The application's own token of a request that it may send again.
fn idempotency(headers: &HeaderMap) -> Option<&str> {
    let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
    named("i-twilio-idempotency-token").or_else(|| named("idempotency-key"))
}

async fn created(gateway: &Gateway, account: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, Fault> {
    let by = sign_in(gateway, account, headers).await?;
    let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let ask = Ask::read(&form)?;
    let token = idempotency(headers);
    let id = match token {
        Some(token) => FactId::of_application(NoticeWritten::NAME, account, token),
        None => FactId(clock::new_id()),
    };
    let known = if token.is_some() { by.text(id.0).await? } else { None };
    let shown = if known.is_some() {
        known
    } else {
        let fact = by.notice(id, &ask, token.is_some());
        let scope = by.fits(&fact).await?;
        let said = [Publication::to_the_hub(&fact, scope)];
        by.publisher.hand_in(&said, by.partitions).await.map_err(away)?;
        by.await_text(id.0).await
    };
    let Some(shown) = shown else { return Ok(answer::message(account, &queued(id.0, &ask))) };
    let is_its = shown.our_number == ask.from && shown.customer_number == ask.to;
    if !is_its || (shown.refusal.is_none() && shown.text != entry::words(&ask.text)) {
        return Err(Fault::parameter("This idempotency token was used for another message"));
    }
    match &shown.refusal {
        Some(word) => Err(refused(word, &ask)),
        None => Ok(answer::message(account, &shown)),
    }
}

/// A text that the hub has not recorded yet.
fn queued(id: Uuid, ask: &Ask) -> Shown {
    Shown {
        id,
        direction: "outbound-api".to_owned(),
        our_number: ask.from.clone(),
        customer_number: ask.to.clone(),
        text: ask.text.clone(),
        parts: i32::try_from(encoding::parts(&ask.text).parts.len()).unwrap_or(i32::MAX),
        media: i32::try_from(ask.media.len()).unwrap_or(i32::MAX),
        refusal: None,
        state: Some((texthub::facts::said::SmsStatus::Requested, None)),
        at: clock::near(),
        sent_at: None,
        over_at: None,
    }
}

fn refused(word: &str, ask: &Ask) -> Fault {
    match twilio::error(word) {
        // there is but one length that the form's own check lets pass
        21617 if ask.text.is_empty() => Fault::of(21602),
        code => Fault::of(code),
    }
}

impl SignedIn {
    fn notice(&self, id: FactId, ask: &Ask, is_repeatable: bool) -> NoticeWritten {
        NoticeWritten {
            id,
            tenant: self.application.tenant.clone(),
            application: Some(self.application.id.clone()),
            from: ask.from.clone(),
            from_country: None,
            to: ask.to.clone(),
            text: ask.text.clone(),
            media: Some(ask.media.clone()).filter(|media| !media.is_empty()),
            purpose: Some(self.application.purpose),
            answers: None,
            status_url: ask.status_url.clone(),
            // two of one token are one fact, whenever they come
            written_at: (!is_repeatable).then(clock::near),
        }
    }

    /// Asks the hub's own checks; the conversation that it belongs to.
    async fn fits(&self, fact: &NoticeWritten) -> Result<String, Fault> {
        let line = Line {
            id: fact.id,
            agent: &fact.tenant,
            text: &fact.text,
            media: fact.media.as_ref().and_then(|links| serde_json::to_value(links).ok()),
            written_at: clock::near(),
            is_note: false,
        };
        let ask = Notice {
            tenant: &fact.tenant,
            application: fact.application.as_ref(),
            from: &fact.from,
            from_country: None,
            to: &fact.to,
            purpose: fact.purpose,
            answers: None,
            status_url: None,
            line,
            traceparent: None,
        };
        let mut client = self.pool.get().await.map_err(away)?;
        let tx = client.transaction().await.map_err(away)?;
        let judged = notice::fits(&tx, &ask, &self.application).await.map_err(away)?;
        let _ = tx.rollback().await;
        match judged {
            Ok(point) => Ok(conversation(&point.number, &point.number_country, &fact.to)),
            Err(why) if fact.text.is_empty() && why.word() == "text_length" => Err(Fault::of(21602)),
            Err(why) => Err(Fault::of(twilio::error(why.word()))),
        }
    }

    async fn text(&self, id: Uuid) -> Result<Option<Shown>, Fault> {
        let look = async {
            let mut client = self.pool.get().await?;
            let tx = client.transaction().await?;
            let shown = texts::of_id(&tx, &self.application, id).await?;
            let _ = tx.rollback().await;
            Ok::<_, Failure>(shown)
        };
        look.await.map_err(away)
    }

    /// The text once the hub has recorded or refused it, where that is soon.
    async fn await_text(&self, id: Uuid) -> Option<Shown> {
        let began = Stopwatch::start();
        let mut waits = Waits::new(Duration::from_millis(8), Duration::from_millis(200));
        while began.elapsed() < AWAITS {
            waits.next().await;
            if let Ok(Some(shown)) = self.text(id).await {
                return Some(shown);
            }
        }
        None
    }
}

async fn fetched(gateway: &Gateway, account: &str, headers: &HeaderMap, file: &str) -> Result<Value, Fault> {
    let by = sign_in(gateway, account, headers).await?;
    let id = file.strip_suffix(".json").and_then(twilio::of_sid).ok_or_else(|| Fault::of(20404))?;
    let shown = by.text(id).await?.ok_or_else(|| Fault::of(20404))?;
    Ok(answer::message(account, &shown))
}

async fn listed(
    gateway: &Gateway,
    account: &str,
    headers: &HeaderMap,
    query: &[(String, String)],
) -> Result<Value, Fault> {
    let by = sign_in(gateway, account, headers).await?;
    let query = Query::read(query)?;
    let mut client = by.pool.get().await.map_err(away)?;
    let tx = client.transaction().await.map_err(away)?;
    let texts = texts::newest(&tx, &by.application, &query.wanted, query.size + 1).await.map_err(away)?;
    let _ = tx.rollback().await;
    Ok(query.page(account, &texts))
}
