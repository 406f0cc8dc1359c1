//! The desk's page at `/`, from the binary. Its files are those that `build.rs` listed; whatever else is asked for is 404,
//! never the page in a script's place. Nothing but our own files may run in it.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use memory_serve::{CacheControl, load};
use tower_http::set_header::SetResponseHeaderLayer;

/// Pages of the desk that have an address of their own; the script tells them apart.
const PAGES: [&str; 2] = ["/contacts", "/password"];

/// Scripts, styles and connections of our own alone; framed by nobody.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The routes, of which the files are part.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    // names stay over builds, so a browser asks each time and is told 304
    let mut files = load!("desk").html_cache_control(CacheControl::NoCache).cache_control(CacheControl::NoCache);
    for page in PAGES {
        files = files.add_alias(page, "/index.html");
    }
    files
        .into_router()
        .layer(said(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(said(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(said(header::REFERRER_POLICY, "same-origin"))
}

fn said(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Answer {
        status: u16,
        kind: String,
        policy: String,
        text: String,
    }

    async fn served() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes::<()>()).await });
        format!("http://{address}")
    }

    async fn get(base: &str, path: &str) -> Answer {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let response = reqwest::Client::new().get(format!("{base}{path}")).send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, kind) = (response.status().as_u16(), header("content-type"));
        let policy = header("content-security-policy");
        Answer { status, kind, policy, text: response.text().await.unwrap() }
    }

    #[tokio::test]
    async fn the_page_stands_at_its_addresses_under_a_strict_policy() {
        let base = served().await;
        for path in ["/", "/contacts", "/password"] {
            let answer = get(&base, path).await;
            assert_eq!((answer.status, answer.kind.as_str()), (200, "text/html"), "{path}");
            assert!(answer.text.contains("texthub"), "{path}");
            assert!(answer.policy.contains("script-src 'self'; style-src 'self'"), "{}", answer.policy);
            assert!(!answer.policy.contains("unsafe"), "{}", answer.policy);
        }
    }

    #[tokio::test]
    async fn a_missing_script_is_not_the_page() {
        let base = served().await;
        for path in ["/chunks/gone-0123456.js", "/desk.css.map", "/nowhere"] {
            let answer = get(&base, path).await;
            assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{path}");
        }
    }

    #[tokio::test]
    async fn whatever_the_page_names_is_served() {
        let base = served().await;
        let page = get(&base, "/").await.text;
        for name in ["/desk.js", "/desk.css"].into_iter().filter(|name| page.contains(name)) {
            assert_eq!(get(&base, name).await.status, 200, "{name}");
        }
        assert!(
            page.contains("npm run build") || page.contains("/desk.js"),
            "a built page, or the placeholder: {page}"
        );
    }
}
