//! One request as a library makes it, and its answer as it is: under the guard, within a time and a size, and no redirect
//! is followed.

use std::time::Duration;

use axum::http::{Request, Response};
use reqwest::Url;
use tokio::time::timeout;

use super::{MAX_ANSWER, Outside, Word};

impl Outside {
    /// Calls; the answer whatever its status.
    ///
    /// # Errors
    /// `bad_url`, `unknown_host`, `not_allowed`, `time_out`, `no_connection`, `too_large`.
    pub async fn exchange(&self, request: Request<Vec<u8>>, within: Duration) -> Result<Response<Vec<u8>>, Word> {
        timeout(within, self.exchanged(request, within)).await.unwrap_or(Err("time_out"))
    }

    async fn exchanged(&self, request: Request<Vec<u8>>, within: Duration) -> Result<Response<Vec<u8>>, Word> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| "bad_url")?;
        let client = self.client(&url, within).await?;
        let request = reqwest::Request::try_from(request).map_err(|_| "bad_url")?;
        let lost = |error: reqwest::Error| if error.is_timeout() { "time_out" } else { "no_connection" };
        let mut answer = client.execute(request).await.map_err(lost)?;
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut bytes: Vec<u8> = Vec::new();
        while let Some(some) = answer.chunk().await.map_err(lost)? {
            if bytes.len() + some.len() > MAX_ANSWER {
                return Err("too_large");
            }
            bytes.extend_from_slice(&some);
        }
        response.body(bytes).map_err(|_| "no_connection")
    }
}
