use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::RawQuery;
use axum::http::{StatusCode, header};
use axum::routing::{any, get};
use serde_json::json;

use super::*;

/// A program on the loopback, and how often it was called.
async fn program() -> (SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let routes = Router::new()
        .route(
            "/echo",
            get(|RawQuery(query): RawQuery| async move { axum::Json(json!({"query": query})) })
                .post(|body: axum::Json<Value>| async move { body }),
        )
        .route("/redirect", any(|| async { (StatusCode::FOUND, [(header::LOCATION, "/echo")]) }))
        .route("/large", any(|| async { "[".to_owned() + &"1,".repeat(MAX_ANSWER) + "1]" }))
        .route("/slow", any(std::future::pending::<String>))
        .route("/words", any(|| async { "hello" }))
        .route("/empty", any(|| async {}))
        .layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
            counted.fetch_add(1, Ordering::Relaxed);
            next.run(request)
        }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (address, calls)
}

fn ask(url: String) -> Ask {
    let Value::Object(body) = json!({"a": 1, "b": "x y"}) else { unreachable!() };
    Ask { url, is_get: false, body, within: Duration::from_millis(500) }
}

fn open() -> Outside {
    Outside::new("127.0.0.1, ::1".parse().unwrap())
}

#[tokio::test]
async fn it_posts_json_or_asks_by_a_query() {
    let (address, _) = program().await;
    let post = ask(format!("http://{address}/echo"));
    assert_eq!(open().call(&post).await, Ok(json!({"a": 1, "b": "x y"})));
    let get = Ask { is_get: true, ..post };
    assert_eq!(open().call(&get).await, Ok(json!({"query": "a=1&b=x+y"})));
    assert_eq!(open().call(&ask(format!("http://{address}/empty"))).await, Ok(Value::Null));
}

#[tokio::test]
async fn nothing_private_is_even_connected_to() {
    let (address, calls) = program().await;
    let port = address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1", "127.1"] {
        let answer = Outside::new(Allowed::default()).call(&ask(format!("http://{host}:{port}/echo"))).await;
        assert_eq!(answer, Err("not_allowed"), "{host}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    for url in ["ftp://example.com/", "file:///etc/passwd", "http://", "gopher://127.0.0.1/"] {
        assert_eq!(open().call(&ask(url.to_owned())).await, Err("bad_url"), "{url}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (address, calls) = program().await;
    assert_eq!(open().call(&ask(format!("http://{address}/redirect"))).await, Err("status"));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn time_and_size_are_bounded() {
    let (address, _) = program().await;
    assert_eq!(open().call(&ask(format!("http://{address}/slow"))).await, Err("time_out"));
    assert_eq!(open().call(&ask(format!("http://{address}/large"))).await, Err("too_large"));
    assert_eq!(open().call(&ask(format!("http://{address}/words"))).await, Err("no_json"));
    assert_eq!(open().call(&ask(format!("http://{address}/nothing"))).await, Err("status"));
    assert_eq!(open().call(&ask("http://127.0.0.1:1/".to_owned())).await, Err("no_connection"));
}

/// A name with a public and a private address, as a trap has it, is refused whole.
#[test]
fn one_address_that_is_not_allowed_spoils_all() {
    let addresses = |all: &[&str]| -> Vec<SocketAddr> { all.iter().map(|one| one.parse().unwrap()).collect() };
    let outside = Outside::new(Allowed::default());
    assert_eq!(outside.judge(&addresses(&["93.184.215.14:80", "[2606:2800::1]:80"])), Ok(()));
    for trap in ["10.0.0.1:80", "[::1]:80", "169.254.169.254:80"] {
        assert_eq!(outside.judge(&addresses(&["93.184.215.14:80", trap])), Err("not_allowed"), "{trap}");
        assert_eq!(outside.judge(&addresses(&[trap, "93.184.215.14:80"])), Err("not_allowed"), "{trap}");
    }
    assert_eq!(outside.judge(&[]), Err("unknown_host"));
}

#[tokio::test]
async fn a_name_is_resolved_to_addresses_that_were_judged() {
    let url = Url::parse("http://localhost:81/").unwrap();
    let (host, addresses) = open().resolve(&url).await.unwrap();
    assert_eq!(host, "localhost");
    assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 81), "{addresses:?}");
    let half = Outside::new("::1".parse().unwrap());
    let url = Url::parse("http://127.0.0.1/").unwrap();
    assert_eq!(half.resolve(&url).await, Err("not_allowed"));
}
