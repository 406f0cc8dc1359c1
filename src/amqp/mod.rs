//! The broker: connections, topology, publishing with confirms, deliveries, the ladder of waits, what is set aside.

pub mod connection;
pub mod delivery;
pub mod ladder;
pub mod publisher;
pub mod topology;
pub mod wire;

use std::time::Duration;

/// No await on the broker is longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The connection, a channel or a publication is lost: everything is rebuilt by the supervisor.
#[derive(Clone, Debug, thiserror::Error)]
#[error("broker: {0}")]
pub struct Lost(pub String);

impl From<lapin::Error> for Lost {
    fn from(error: lapin::Error) -> Self {
        Self(error.to_string())
    }
}

/// Awaits something of the broker's, with patience.
///
/// # Errors
/// `Lost` where it failed or did not answer.
pub async fn patiently<T, E: Into<Lost>>(what: &str, future: impl Future<Output = Result<T, E>>) -> Result<T, Lost> {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(Lost(format!("{what}: no answer in {} s", PATIENCE.as_secs()))),
    }
}
