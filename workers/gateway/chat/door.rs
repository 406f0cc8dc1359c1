//! Who may come in: the point of contact must be there, and the page's origin among its own. Answers tell the browser so
//! (CORS, by the Fetch standard); another page's are refused before anything is read.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use texthub::access::problem::{Problem, Reason};
use texthub::access::site;
use texthub::chat::door::{self, Door};
use texthub::chat::visit::{self, Hash};
use texthub::facts::ids::Slug;
use texthub::runtime::clock::Stopwatch;

use super::Chat;

/// How long a door is used before it is read again.
const KNOWN: Duration = Duration::from_secs(2);
/// Doors that are remembered, at most.
const MOST: usize = 10_000;
/// How long a browser need not ask again whether it may ask, in seconds.
const ASKED_S: &str = "600";

/// A door as it was read last, or that there is none.
pub type Known = (Stopwatch, Option<Arc<Door>>);

/// Who asks: let in by a door.
#[derive(Clone, Debug)]
pub struct Entered {
    /// Which.
    pub door: Arc<Door>,
    /// Of the page.
    pub origin: String,
    /// As a text; empty where it is not known.
    pub address: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Entered {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Reason::NotFound.into())
    }
}

/// The token of a visitor, as its hash.
#[derive(Clone, Copy, Debug)]
pub struct Token(pub Hash);

impl<S: Send + Sync> FromRequestParts<S> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = given.and_then(|given| given.split_once(' ')).ok_or(Reason::NotSignedIn)?;
        let hash = visit::hash(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        hash.map(Self).ok_or_else(|| Reason::NotSignedIn.into())
    }
}

/// Around every route of a door.
pub async fn guard(
    State(chat): State<Chat>,
    Path((tenant, point)): Path<(String, String)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match chat.enter(&tenant, &point, &parts).await {
        Err(problem) => problem.into_response(),
        Ok(entered) => {
            let origin = entered.origin.clone();
            let mut response = if parts.method == Method::OPTIONS {
                StatusCode::NO_CONTENT.into_response()
            } else {
                parts.extensions.insert(entered);
                next.run(Request::from_parts(parts, body)).await
            };
            allow(response.headers_mut(), &origin);
            response
        }
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

fn allow(headers: &mut HeaderMap, origin: &str) {
    let Ok(origin) = HeaderValue::from_str(origin) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, last-event-id"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after"),
        (header::ACCESS_CONTROL_MAX_AGE, ASKED_S),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

impl Chat {
    async fn enter(&self, tenant: &str, point: &str, parts: &Parts) -> Result<Entered, Problem> {
        let (Ok(tenant), Ok(point)) = (Slug::new(tenant), Slug::new(point)) else {
            return Err(Reason::NotFound.into());
        };
        let door = self.door(tenant, point).await?.ok_or(Reason::NotFound)?;
        let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
        if !door.lets_in(origin) {
            metrics::counter!("texthub_chat_refused_total", "reason" => "other_site").increment(1);
            let sentence = "This page's origin is not among the `origins` of the point of contact in the tenant file.";
            return Err(Problem::saying(Reason::OtherSite, sentence));
        }
        let address = site::address(&self.api, parts).map(network).unwrap_or_default();
        Ok(Entered { door, origin: origin.to_owned(), address })
    }

    async fn door(&self, tenant: Slug, point: Slug) -> Result<Option<Arc<Door>>, Problem> {
        let key = (tenant, point);
        let known = self.doors.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((_, door)) = known.filter(|(since, _)| since.elapsed() < KNOWN) {
            return Ok(door);
        }
        let mut db = self.api.db(&key.0).await?;
        let tx = db.begin().await?;
        let door = door::find(&tx, &key.0, &key.1).await?.map(Arc::new);
        tx.commit().await?;
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if doors.len() >= MOST {
            doors.clear();
        }
        doors.insert(key, (Stopwatch::start(), door.clone()));
        Ok(door)
    }
}

/// Whom an address counts as: one of IPv6 as its /64, of which a household has all.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_of_ipv6_is_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("10.1.2.3"), "10.1.2.3");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:3::1"), of("2001:db8:1:2::1"));
    }
}
