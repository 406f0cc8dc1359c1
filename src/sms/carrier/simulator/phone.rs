//! A customer's phone as a page: whoever tries the hub texts with it and sees what comes.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

/// Nothing but its own files, its own network's answers, and no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY)], content)
}

/// `/`, with `?to=` for our numbers and `?from=` for the phone's own.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|| async { file("text/html; charset=utf-8", include_str!("phone/index.html")) }))
        .route("/phone.js", get(|| async { file("text/javascript; charset=utf-8", include_str!("phone/phone.js")) }))
        .route("/phone.css", get(|| async { file("text/css; charset=utf-8", include_str!("phone/phone.css")) }))
}
