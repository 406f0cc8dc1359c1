//! Signing in by a provider of OpenID Connect: which there are, the way there, and the way back. Browsers come here, so
//! what goes wrong leads back to the desk's page with a word for it.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use texthub::access::api::Api;
use texthub::access::audit::{self, Note};
use texthub::access::oidc::talk::{self, Trouble};
use texthub::access::oidc::{self, Shown, user};
use texthub::access::problem::{Problem, Reason};
use texthub::access::secret::{self, Claimed};
use texthub::access::{sign_in, site};
use texthub::facts::ids::Slug;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, Path, Query, Whence};
use crate::gateway::Gateway;

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(start)).routes(routes!(callback))
}

/// The browser's own secret while it is at a provider: sent along when it is led back from there, so not SameSite=Strict.
const COOKIE: &str = "texthub_oidc";

/// A tenant's providers of sign-in; of an unknown tenant none.
#[utoipa::path(get, path = "/oidc/{tenant}/providers", tag = "me", security(()), params(("tenant" = String, Path)),
    responses((status = OK, body = Vec<Shown>)))]
async fn list(State(api): State<Api>, Path(tenant): Path<Slug>) -> Result<Json<Vec<Shown>>, Problem> {
    let mut db = api.db(&tenant).await?;
    let tx = db.begin().await?;
    Ok(Json(oidc::all(&tx, &tenant).await?))
}

fn redirect_of(api: &Api, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let base = if api.public_url().is_empty() { format!("http://{host}") } else { api.public_url().to_owned() };
    format!("{base}{}/oidc/callback", super::BASE)
}

fn cookie(api: &Api, value: &str) -> String {
    let secure = if api.is_https() { "; Secure" } else { "" };
    let age = if value.is_empty() { 0 } else { 600 };
    format!("{COOKIE}={value}; Path={}/oidc; Max-Age={age}; HttpOnly; SameSite=Lax{secure}", super::BASE)
}

/// Go to a provider to sign in there.
#[utoipa::path(get, path = "/oidc/{tenant}/{provider}/start", tag = "me", security(()),
    params(("tenant" = String, Path), ("provider" = String, Path)),
    responses((status = SEE_OTHER, description = "The provider's page")))]
async fn start(
    State(api): State<Api>,
    Path((tenant, provider)): Path<(Slug, Slug)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut db = api.db(&tenant).await?;
    let tx = db.begin().await?;
    let provider = oidc::one(&tx, &tenant, &provider).await?.ok_or(Reason::NotFound)?;
    tx.commit().await?;
    drop(db);
    let (state, browser) = (secret::mint("", &tenant)?.secret, secret::word()?);
    let left = talk::leave(api.outside(), &provider, &redirect_of(&api, &headers), state.expose_secret()).await;
    let left = left.map_err(|trouble| {
        tracing::warn!(tenant = %tenant, provider = %provider.id, why = %trouble, "a provider of sign-in is away");
        Problem::saying(Reason::NotNow, "The provider of sign-in is away; try again in a moment.")
    })?;
    let mut db = api.db(&tenant).await?;
    let tx = db.begin().await?;
    oidc::keep(&tx, &tenant, state.expose_secret(), &browser, &left.start).await?;
    tx.commit().await?;
    let to = HeaderValue::from_str(&left.url).map_err(|_| Problem::from(Reason::Failed))?;
    let cookie = AppendHeaders([(header::SET_COOKIE, cookie(&api, &browser))]);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)], cookie).into_response())
}

/// What a provider says when it leads a browser back.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Back {
    /// To be exchanged.
    code: Option<String>,
    /// As it was given along.
    state: Option<String>,
}

/// Why a browser is led back without a sign-in: what the page's `sign_in` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// Begun elsewhere, or too long ago.
    Expired,
    /// The provider vouches for nobody.
    Refused,
    /// There is no user for whom it vouches for.
    NoUser,
    /// The provider, or Postgres, is away.
    NotNow,
}

impl From<Problem> for Word {
    fn from(_: Problem) -> Self {
        Self::NotNow
    }
}

/// Come back from a provider: signed in, or to the page `/?sign_in=` expired, refused, `no_user` or `not_now`.
#[utoipa::path(get, path = "/oidc/callback", tag = "me", security(()), params(Back),
    responses((status = SEE_OTHER, description = "The desk's page")))]
async fn callback(
    State(api): State<Api>,
    Whence(address): Whence,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    let (to, sign_in) = match came_back(&api, address, &headers, back).await {
        Ok(secret) => ("/", Some(secret)),
        Err(Word::Expired) => ("/?sign_in=expired", None),
        Err(Word::Refused) => ("/?sign_in=refused", None),
        Err(Word::NoUser) => ("/?sign_in=no_user", None),
        Err(Word::NotNow) => ("/?sign_in=not_now", None),
    };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    let cookies = [Some(cookie(&api, "")), sign_in.map(|secret| site::cookie(&api, secret.expose_secret()))];
    for value in cookies.into_iter().flatten().filter_map(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

async fn came_back(
    api: &Api,
    address: Option<std::net::IpAddr>,
    headers: &HeaderMap,
    back: Back,
) -> Result<secrecy::SecretString, Word> {
    let state = back.state.ok_or(Word::Expired)?;
    let tenant = Claimed::read("", &state).ok_or(Word::Expired)?.tenant;
    let browser = site::cookie_value(headers, COOKIE).ok_or(Word::Expired)?;
    let mut db = api.db(&tenant).await?;
    let tx = db.begin().await?;
    let start = oidc::take(&tx, &tenant, &state, browser).await.map_err(Problem::from)?.ok_or(Word::Expired)?;
    let provider = oidc::one(&tx, &tenant, &start.provider).await.map_err(Problem::from)?.ok_or(Word::Expired)?;
    tx.commit().await.map_err(Problem::from)?;
    drop(db);
    // without a code the provider said no
    let code = back.code.ok_or(Word::Refused)?;
    let identity = talk::come_back(api.outside(), &provider, &redirect_of(api, headers), start, code).await;
    let identity = identity.map_err(|trouble| {
        tracing::warn!(tenant = %tenant, provider = %provider.id, why = %trouble, "a sign-in by a provider came to nothing");
        if matches!(trouble, Trouble::NotNow(_)) { Word::NotNow } else { Word::Refused }
    })?;
    let mut db = api.db(&tenant).await?;
    let tx = db.begin().await?;
    let user = user::of_identity(&tx, &tenant, &provider, &identity).await.map_err(Problem::from)?;
    let user = user.ok_or(Word::NoUser)?;
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let method = provider.id.as_str();
    let beginning = sign_in::Beginning { tenant: &tenant, user: &user, method, user_agent, address };
    let secret = sign_in::begin(&tx, &beginning).await?;
    let note = Note { what: "sign_in", on: None, detail: Some(json!({"provider": method})) };
    audit::note_of(&tx, &tenant, user.as_str(), address, &note).await.map_err(Problem::from)?;
    tx.commit().await.map_err(Problem::from)?;
    Ok(secret)
}
