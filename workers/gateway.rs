//! The role `gateway`: the API of desks and programs (`api`), applications' texts in Twilio's shape (`messages`), and
//! carriers' webhooks (`/webhooks/<carrier>`) → facts, confirmed by the broker before the carrier is answered, within a
//! second. Reads the hub's tables, writes none of them. What is not the carrier's is refused (403) and leaves no trace but
//! a count; what is the carrier's and not understood is handed on too, and set aside where an operator sees it.

pub mod api;
pub mod chat;
mod live;
mod messages;
mod page;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRef, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use deadpool_postgres::Pool;
use texthub::access::api::Api;
use texthub::amqp::publisher::Publisher;
use texthub::config::Config;
use texthub::facts::ids::Slug;
use texthub::runtime::clock::{self, Stopwatch};
use texthub::runtime::supervisor::{Host, Role};
use texthub::sms::carrier::heard::{self, Heard, Rejected, Request};
use texthub::sms::carrier::lines::{Line, Lines};
use texthub::sms::carrier::{Row, Surroundings};
use texthub::sms::sending;
use tokio::time::timeout;

/// Largest body of a webhook, in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// A carrier is answered within so long.
const ANSWERS: Duration = Duration::from_millis(950);
/// How long a carrier's row is used before it is read again.
const KNOWN: Duration = Duration::from_secs(2);

/// What a request works with.
#[derive(Clone)]
pub struct Gateway {
    /// While the link to the broker stands.
    link: Arc<Mutex<Option<(Pool, Publisher, u32)>>>,
    known: Arc<Mutex<HashMap<Slug, (Stopwatch, Row)>>>,
    lines: Lines,
    places: messages::places::Places,
    api: Api,
    live: live::Stand,
    /// What carriers call us by; empty: as they say themselves.
    public_url: String,
}

impl FromRef<Gateway> for Api {
    fn from_ref(gateway: &Gateway) -> Self {
        gateway.api.clone()
    }
}

/// The role, with its routes.
pub fn role(config: &Config) -> Role {
    let gateway = Gateway::new(config);
    let routes = Router::new()
        .route("/webhooks/{carrier}", get(webhook).post(webhook))
        .merge(messages::routes())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .merge(api::served())
        .with_state(gateway.clone())
        .merge(page::routes());
    Role::task("gateway", move |host| {
        let gateway = gateway.clone();
        Box::pin(async move {
            gateway.stand(Some(&host));
            let heard = live::run(&gateway.live, &gateway.api, &host).await;
            gateway.stand(None);
            if host.ends.is_cancelled() {
                gateway.live.move_away().await;
            }
            heard
        })
    })
    .serving(routes)
}

impl Gateway {
    /// Of a process with these settings.
    fn new(config: &Config) -> Self {
        let around = Surroundings {
            simulator_url: config.simulator_url.clone(),
            public_url: config.public_url.clone(),
            ..Surroundings::default()
        };
        Self {
            link: Arc::default(),
            known: Arc::default(),
            lines: Lines::new(around),
            places: messages::places::Places::default(),
            api: Api::new(config),
            live: live::Stand::default(),
            public_url: config.public_url.clone(),
        }
    }

    fn stand(&self, host: Option<&Host>) {
        self.api.stand(host);
        let link = host.map(|host| (host.pool.clone(), host.publisher.clone(), host.partitions));
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    /// The line of a carrier that is set up.
    async fn line(&self, pool: &Pool, carrier: &Slug) -> Result<Option<Arc<Line>>, StatusCode> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(carrier).cloned();
        if let Some((since, row)) = known.filter(|(since, _)| since.elapsed() < KNOWN) {
            let _ = since;
            return Ok(self.lines.of(&row));
        }
        let away = |_| StatusCode::SERVICE_UNAVAILABLE;
        let mut client = pool.get().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let tx = client.transaction().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let mut rows = sending::carriers(&tx, std::slice::from_ref(carrier)).await.map_err(away)?;
        let _ = tx.rollback().await;
        let Some(row) = rows.remove(carrier).map(|standing| standing.row) else { return Ok(None) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(carrier.clone(), (Stopwatch::start(), row.clone()));
        drop(known);
        // one that is set up and cannot be used is a fault of ours: the carrier tries again
        self.lines.of(&row).map(Some).ok_or(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The address as the carrier called it.
    fn called(&self, uri: &Uri, headers: &HeaderMap) -> String {
        let path = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
        if self.public_url.is_empty() {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
            return format!("http://{host}{path}");
        }
        format!("{}{path}", self.public_url)
    }
}

async fn webhook(
    State(gateway): State<Gateway>,
    Path(carrier): Path<String>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(carrier) = Slug::new(&carrier) else { return count("unknown", "unknown_carrier", StatusCode::NOT_FOUND) };
    let url = gateway.called(&uri, &headers);
    let request = Request { is_get: method == Method::GET, url: &url, headers: &headers, body: &body };
    match timeout(ANSWERS, hear(&gateway, &carrier, &request)).await {
        Ok(response) => response,
        Err(_) => count(carrier.as_str(), "time_out", StatusCode::SERVICE_UNAVAILABLE),
    }
}

async fn hear(gateway: &Gateway, carrier: &Slug, request: &Request<'_>) -> Response {
    let link = gateway.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some((pool, publisher, partitions)) = link else {
        return count(carrier.as_str(), "no_broker", StatusCode::SERVICE_UNAVAILABLE);
    };
    let line = match gateway.line(&pool, carrier).await {
        Ok(Some(line)) => line,
        // slugs that are not carriers' are a stranger's: no label of their own
        Ok(None) => return count("unknown", "unknown_carrier", StatusCode::NOT_FOUND),
        Err(status) => return count(carrier.as_str(), "unusable", status),
    };
    let (facts, outcome) = match line.connection.receive(request).await {
        Ok(said) => (heard::facts(carrier, clock::near(), &said), said.first().map_or("nothing", name)),
        Err(Rejected::NotTheirs(why)) => {
            tracing::warn!(carrier = %carrier, why, "a webhook's request is not the carrier's");
            return count(carrier.as_str(), why, StatusCode::FORBIDDEN);
        }
        Err(Rejected::NotNow(why)) => return count(carrier.as_str(), why, StatusCode::SERVICE_UNAVAILABLE),
        Err(Rejected::Unreadable(why)) => {
            tracing::error!(carrier = %carrier, why, "a carrier's request cannot be read; it is among the dead letters");
            (vec![heard::unreadable(carrier, request, &why)], "unreadable")
        }
    };
    if publisher.hand_in(&facts, partitions).await.is_err() {
        return count(carrier.as_str(), "not_confirmed", StatusCode::SERVICE_UNAVAILABLE);
    }
    metrics::counter!("texthub_webhooks_total", "carrier" => carrier.to_string(), "outcome" => outcome).increment(1);
    let (kind, body) = line.connection.answer();
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

fn name(heard: &Heard) -> &'static str {
    match heard {
        Heard::Text(_) => "text",
        Heard::Part(_) => "part",
        Heard::Receipt(_) => "receipt",
        Heard::Other(name) => name,
    }
}

fn count(carrier: &str, outcome: &'static str, status: StatusCode) -> Response {
    metrics::counter!("texthub_webhooks_total", "carrier" => carrier.to_owned(), "outcome" => outcome).increment(1);
    status.into_response()
}
