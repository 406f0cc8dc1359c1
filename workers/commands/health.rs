//! `texthub health`: whether the process that listens at `TEXTHUB_HTTP_LISTEN` is ready. For health checks beside it,
//! in images that have no other client; status 1 when it is not ready or does not answer in time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks, and prints the answer.
pub async fn run() -> anyhow::Result<()> {
    let url = url(&super::config()?.http_listen);
    // nothing stands between a process and its own machine
    let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
    let answer = http.get(&url).send().await.map_err(|error| anyhow::anyhow!("{url} does not answer: {error:?}"))?;
    let (status, body) = (answer.status(), answer.text().await?);
    anyhow::ensure!(status.is_success(), "not ready ({status}): {body}");
    println!("{body}");
    Ok(())
}

/// Where to ask: an address that stands for every one of the machine is asked on loopback.
fn url(listen: &str) -> String {
    let address = listen.parse::<SocketAddr>().map_or_else(
        |_| listen.to_owned(),
        |mut address| {
            match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
                IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
                _ => {}
            }
            address.to_string()
        },
    );
    format!("http://{address}/readyz")
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn an_address_for_all_is_asked_on_loopback() {
        assert_eq!(url("0.0.0.0:8080"), "http://127.0.0.1:8080/readyz");
        assert_eq!(url("[::]:8080"), "http://[::1]:8080/readyz");
        assert_eq!(url("10.1.2.3:80"), "http://10.1.2.3:80/readyz");
        assert_eq!(url("texthub.example:80"), "http://texthub.example:80/readyz");
    }
}
