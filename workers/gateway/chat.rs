//! Web chat for visitors of tenants' own pages, who have no account: `/chat/v1/{tenant}/{point_of_contact}`. A visit
//! gives a token; texts are said to the hub as `chat.received`, confirmed before they are answered; a stream of server-sent
//! events shows the visitor's own room. Only pages of the point of contact's `origins` may ask. A part of the role
//! `gateway`; it writes the tables of visits alone.

mod door;
mod events;
mod ways;
mod widget;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware;
use deadpool_postgres::Pool;
use texthub::access::api::Api;
use texthub::access::problem::{Problem, Reason};
use texthub::chat::board::Board;
use texthub::chat::door::Door;
use texthub::chat::pace::{self, Pace};
use texthub::chat::visit::{self, Visit};
use texthub::chat::{listen, visit::Hash};
use texthub::config::Config;
use texthub::facts::ids::Slug;
use texthub::failure::Failure;
use texthub::runtime::clock::Stopwatch;
use texthub::runtime::supervisor::Role;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Under which everything is.
pub const BASE: &str = "/chat/v1";
/// Largest body, in bytes: 2,000 characters of four bytes, escaped.
const MAX_BODY: usize = 32 * 1024;
/// Most reads of one process under way for streams: the rest of the pool is for who writes.
const READS: usize = 3;
/// How often what is over is removed.
const SWEEPS: Duration = Duration::from_secs(600);
/// How long a drained process lets its streams say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);
/// Buckets that are known to be full, at most.
const MOST_FULL: usize = 50_000;

/// What a request works with.
#[derive(Clone)]
pub struct Chat {
    api: Api,
    board: Board,
    doors: Arc<Mutex<HashMap<(Slug, Slug), door::Known>>>,
    /// Who was just refused, and for how long: refused again without asking Postgres.
    full: Arc<Mutex<HashMap<String, (Stopwatch, Duration)>>>,
    reads: Arc<Semaphore>,
}

/// The role's part, with its routes.
pub fn role(config: &Config) -> Role {
    let chat = Chat {
        api: Api::new(config),
        board: Board::default(),
        doors: Arc::default(),
        full: Arc::default(),
        reads: Arc::new(Semaphore::new(READS)),
    };
    let (routes, _) = slices().split_for_parts();
    let routes = routes
        .method_not_allowed_fallback(|| async { Problem::from(Reason::MethodNotAllowed) })
        .route_layer(middleware::from_fn_with_state(chat.clone(), door::guard))
        .fallback(|| async { Problem::from(Reason::NotFound) })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(said(header::CACHE_CONTROL, "no-store"))
        .layer(said(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .with_state(chat.clone());
    let (standing, closing) = (chat.clone(), chat.board.clone());
    Role::task("gateway", move |host| {
        let chat = standing.clone();
        Box::pin(async move {
            chat.api.stand(Some(&host));
            let sweeping = tokio::spawn(sweep(host.pool.clone(), host.stop.clone()));
            let heard = listen::listen(&host, &chat.board).await;
            sweeping.abort();
            chat.api.stand(None);
            heard
        })
    })
    .serving(axum::Router::new().nest(BASE, routes).merge(widget::routes()))
    .parting(move || {
        let board = closing.clone();
        Box::pin(async move {
            if tokio::time::timeout(GOODBYE, board.close()).await.is_err() {
                tracing::warn!(streams = board.streams(), "streams of visitors did not end in time");
            }
        })
    })
}

/// The routes, relative to [`BASE`].
fn slices() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(ways::visit))
        .routes(routes!(ways::text))
        .routes(routes!(ways::leave))
        .routes(routes!(events::events))
}

/// The routes in the document of the API.
pub fn document() -> utoipa::openapi::OpenApi {
    slices().into_openapi()
}

fn said(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Removes what is over, now and then, until told to stop.
async fn sweep(pool: Pool, stop: CancellationToken) {
    let mut sweeps = tokio::time::interval(SWEEPS);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = sweeps.tick() => {}
        }
        if let Err(failure) = forget_old(&pool).await {
            tracing::warn!(reason = %failure, "old visits were not removed; the next sweep will do");
        }
    }
}

async fn forget_old(pool: &Pool) -> Result<(), Failure> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    visit::forget_old(&tx).await?;
    Ok(tx.commit().await?)
}

impl Chat {
    /// The visit of a token.
    async fn visit(&self, door: &Door, token: &Hash) -> Result<Visit, Problem> {
        let mut db = self.api.db(&door.tenant).await?;
        let tx = db.begin().await?;
        let found = visit::of_token(&tx, door, token).await?;
        tx.commit().await?;
        found.ok_or_else(|| Reason::NotSignedIn.into())
    }

    /// Refuses, without asking Postgres, who was refused a moment ago.
    fn is_full(&self, buckets: &[(Pace, &str)]) -> Result<(), Problem> {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        for (pace, of) in buckets {
            let name = pace.bucket(of);
            let Some((since, wait)) = full.get(&name).copied() else { continue };
            match wait.checked_sub(since.elapsed()) {
                Some(left) => return Err(too_many(left)),
                None => drop(full.remove(&name)),
            }
        }
        Ok(())
    }

    /// Charges the buckets; else the refusal, and the caller's transaction is rolled back.
    async fn charge(&self, tx: &deadpool_postgres::Transaction<'_>, buckets: &[(Pace, &str)]) -> Result<(), Problem> {
        let Err((bucket, wait)) = pace::take(tx, buckets).await? else { return Ok(()) };
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if full.len() >= MOST_FULL {
            full.clear();
        }
        full.insert(bucket, (Stopwatch::start(), wait));
        Err(too_many(wait))
    }
}

fn too_many(wait: Duration) -> Problem {
    metrics::counter!("texthub_chat_refused_total", "reason" => "too_many").increment(1);
    Problem::wait(u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(3_600))
}
