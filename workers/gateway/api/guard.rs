//! What is around every answer: a largest body, headers that keep browsers from doing more than was meant (OWASP ASVS
//! 14.4), and a panic that becomes a problem.

use std::any::Any;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use texthub::access::problem::{Problem, Reason};
use texthub::facts::envelope::MAX_BODY;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::gateway::Gateway;

/// Answers of the API are no pages: nothing in them is to be run, shown or framed.
const OF_API: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The page to try the API: its own scripts alone; it writes style attributes.
const OF_PAGE: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Around the API.
pub fn api(routes: Router<Gateway>) -> Router<Gateway> {
    let private = SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers(routes.layer(CatchPanicLayer::custom(panicked)).layer(private), OF_API)
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// Around pages.
pub fn page(routes: Router<Gateway>) -> Router<Gateway> {
    headers(routes, OF_PAGE)
}

/// The headers, with a policy; what an answer says itself stays.
pub fn headers(routes: Router<Gateway>, policy: &'static str) -> Router<Gateway> {
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ]
    .into_iter()
    .fold(routes, |routes, (name, value)| {
        routes.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
    })
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler of the API panicked; the panic stands above");
    Problem::from(Reason::Failed).into_response()
}
