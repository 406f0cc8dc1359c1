//! Logs as lines of JSON (text on a terminal), metrics in Prometheus' format, and the small HTTP server of every
//! process: /healthz (alive), /readyz (consuming, schema current), /metrics. Texts and full numbers are never logged.

use std::io::IsTerminal;
use std::net::SocketAddr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use deadpool_postgres::Pool;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::db;
use super::supervisor::Readiness;
use crate::config::Config;

/// Starts logging to standard error.
pub fn start_logs(config: &Config) {
    // lapin logs returned messages whole, texts and numbers included: whatever is asked for, it stays silent
    let asked = format!("{},lapin=off", config.log);
    let filter = EnvFilter::try_new(&asked).unwrap_or_else(|_| EnvFilter::new("info,lapin=off"));
    let as_text = config.log_format == "text" || (config.log_format.is_empty() && std::io::stderr().is_terminal());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if as_text {
        builder.init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).init();
    }
}

/// Starts counting; the handle renders what was counted.
///
/// # Errors
/// A sentence.
pub fn start_metrics() -> Result<PrometheusHandle, String> {
    let seconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)
        .and_then(|b| b.set_buckets_for_metric(Matcher::Suffix("_size".into()), &[1.0, 2.0, 8.0, 32.0, 64.0, 128.0]))
        .map_err(|error| error.to_string())?
        .install_recorder()
        .map_err(|error| error.to_string())?;
    metrics::gauge!("texthub_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

#[derive(Clone)]
struct Health {
    metrics: PrometheusHandle,
    readiness: Readiness,
    pool: Pool,
    stop: CancellationToken,
}

/// Serves health, metrics and what roles serve beside them until stopped; says on which address.
///
/// # Errors
/// A sentence: the address is taken.
pub async fn serve(
    listen: &str,
    metrics: PrometheusHandle,
    readiness: Readiness,
    pool: Pool,
    stop: CancellationToken,
    routes: Router,
) -> Result<String, String> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("TEXTHUB_HTTP_LISTEN: cannot listen on {listen}: {error}; take another port, or 0"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    let health = Health { metrics, readiness, pool, stop: stop.clone() };
    let router = Router::new()
        .route("/healthz", get(|| async { Json(serde_json::json!({"status": "alive"})) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|State(health): State<Health>| async move { health.metrics.render() }))
        .with_state(health)
        .merge(routes);
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await }).await;
        if let Err(error) = served {
            tracing::error!(reason = %error, "the health server ended");
        }
    });
    Ok(address)
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<serde_json::Value>) {
    let is_current = db::version(&health.pool).await.is_ok_and(|version| version == db::newest());
    let (is_consuming, is_draining) = (health.readiness.is_ready(), health.stop.is_cancelled());
    let is_ready = is_current && is_consuming && !is_draining;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "ready": is_ready, "consuming": is_consuming, "schema_current": is_current, "draining": is_draining,
    });
    (status, Json(body))
}
