//! `/widget.js`: the chat as one script for other people's pages, from the binary. Built by `npm run build` in widget/.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tower_http::compression::CompressionLayer;

/// As it was built, or a line that says how to build it.
const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/widget.js"));
/// A page asks again after five minutes, and is told 304.
const CACHED: &str = "public, max-age=300";

static TAG: LazyLock<String> =
    LazyLock::new(|| format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(SCRIPT)[..12])));

/// The route.
pub fn routes() -> Router {
    Router::new().route("/widget.js", get(script)).layer(CompressionLayer::new())
}

async fn script(headers: HeaderMap) -> Response {
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    // compressed, it has the same tag, weak
    let is_known = asked.split(',').any(|tag| tag.trim().trim_start_matches("W/") == TAG.as_str());
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHED));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // it is for other sites' pages
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.extend(HeaderValue::from_str(&format!("W/{}", *TAG)).map(|tag| (header::ETAG, tag)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_widget_is_for_any_page_and_not_sent_twice() {
        let first = script(HeaderMap::new()).await;
        assert_eq!(first.status(), 200);
        assert_eq!(first.headers()["cross-origin-resource-policy"], "cross-origin");
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(script(headers).await.status(), 304);
    }
}
