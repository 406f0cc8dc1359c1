//! Body, path and query as handlers take them: axum's own, refused by problems. What a sentence says of a body is its
//! field and what is wrong with it, never what stood in it.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use texthub::access::problem::{Problem, Reason};

/// A body of JSON, in or out.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        axum::Json::from_request(request, state).await.map(|axum::Json(body)| Self(body)).map_err(|no| unreadable(&no))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn unreadable(rejection: &JsonRejection) -> Problem {
    match rejection {
        JsonRejection::JsonDataError(error) => {
            // axum's own words in front, which tell a caller nothing
            let text = error.body_text();
            let what = text.split_once("target type: ").map_or(text.as_str(), |(_, what)| what);
            let what = what.split(" at line ").next().unwrap_or(what);
            Problem::saying(Reason::Invalid, without_values(what))
        }
        JsonRejection::JsonSyntaxError(_) => Problem::saying(Reason::BadRequest, "The body is no JSON."),
        JsonRejection::MissingJsonContentType(_) => {
            Problem::saying(Reason::BadRequest, "Send a body with content-type: application/json.")
        }
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Reason::TooLarge.into(),
        _ => Reason::BadRequest.into(),
    }
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
