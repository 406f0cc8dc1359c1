//! Body, path and query as handlers take them: axum's own, refused by problems. What a sentence says of a body is its
//! field and what is wrong with it, never what stood in it.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use texthub::access::api::Api;
use texthub::access::problem::{Problem, Reason};
use texthub::access::site;

/// A body of JSON, in or out.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let sentence = "Send a body with content-type: application/json.";
            return Err(Problem::saying(Reason::BadRequest, sentence));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|no| {
            let is_large = no.status() == StatusCode::PAYLOAD_TOO_LARGE;
            Problem::from(if is_large { Reason::TooLarge } else { Reason::BadRequest })
        })?;
        axum::Json::from_bytes(&bytes).map(|axum::Json(body)| Self(body)).map_err(|no| unreadable(&no, &bytes))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn unreadable(rejection: &JsonRejection, bytes: &[u8]) -> Problem {
    // serde_json calls a value of another type than a word's an error of syntax
    if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_err() {
        return Problem::saying(Reason::BadRequest, "The body is no JSON.");
    }
    // axum's own words in front, which tell a caller nothing
    let text = rejection.body_text();
    let what =
        ["target type: ", "as JSON: "].iter().find_map(|words| text.split_once(words)).map_or("", |(_, what)| what);
    let what = what.split(" at line ").next().unwrap_or(what);
    Problem::saying(Reason::Invalid, without_values(what))
}

/// What stands in quotes in serde's words may be a caller's text.
fn without_values(what: &str) -> String {
    let mut parts = what.split('"');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.enumerate().fold(first, |text, (nr, part)| if nr % 2 == 0 { text + "…" } else { text + part })
}

/// The changing parts of a path. One that cannot be an id leads to nothing.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = axum::extract::Path::from_request_parts(parts, state).await;
        found.map(|axum::extract::Path(path)| Self(path)).map_err(|_| Reason::NotFound.into())
    }
}

/// The query.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = axum::extract::Query::from_request_parts(parts, state).await;
        found.map(|axum::extract::Query(query)| Self(query)).map_err(|no| {
            let text = no.body_text();
            let what = text.split_once(": ").map_or(text.as_str(), |(_, what)| what);
            Problem::saying(Reason::Invalid, without_values(what))
        })
    }
}

/// The address of the network that a request came from, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Whence(pub Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Whence
where
    Api: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(site::address(&Api::from_ref(state), parts)))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, header};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Asked {
        #[expect(dead_code, reason = "only read")]
        name: String,
        #[expect(dead_code, reason = "only read")]
        state: State,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum State {
        Available,
    }

    async fn refused(kind: &str, body: &str) -> (u16, &'static str, String) {
        let request = Request::post("/").header(header::CONTENT_TYPE, kind).body(Body::from(body.to_owned())).unwrap();
        let problem = Json::<Asked>::from_request(request, &()).await.unwrap_err();
        (problem.status, problem.reason, problem.sentence)
    }

    #[tokio::test]
    async fn a_body_is_refused_with_its_field_and_without_what_stood_in_it() {
        let json = "application/json";
        assert_eq!(refused(json, "{").await.1, "bad_request");
        assert_eq!(refused("text/plain", "{}").await.0, 400);
        let (status, reason, sentence) = refused(json, r#"{"name": "x"}"#).await;
        assert_eq!((status, reason), (422, "invalid"));
        assert!(sentence.contains("missing field `state`"), "{sentence}");
        let (_, _, sentence) = refused(json, r#"{"name": "x", "state": 7}"#).await;
        assert!(sentence.starts_with("state: "), "{sentence}");
        let (_, _, sentence) = refused(json, r#"{"name": {}, "state": "my secret"}"#).await;
        assert!(sentence.starts_with("name: "), "{sentence}");
        let (_, _, sentence) = refused(json, r#"{"state": "available", "name": "x", "name": "my secret"}"#).await;
        assert!(!sentence.contains("my secret"), "{sentence}");
    }
}
