//! `texthub bench --desks N`: from the publication of a customer's text to the socket of the agent who has the conversation,
//! with 20 agents connected and with N, in one run at one rate; what a connection costs the gateway in memory; and the same
//! while the gateway is ended and started anew, where every desk resumes. The gateway is a process of its own.

mod client;
mod ground;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use serde_json::json;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::config::Config;
use texthub::runtime::clock::Stopwatch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::ground::Ground;
use super::latency::paced;
use super::throughput::inbound;
use super::{hundredths, pair, percentiles};
use client::Arrivals;

/// Agents of the small round.
const FEW: usize = 20;
/// Connections that are opened at once.
const AT_ONCE: usize = 64;

/// Milliseconds of a round, and what went wrong in it.
struct Round {
    what: &'static str,
    ms: (f64, f64),
    texts: usize,
    missed: usize,
    doubled: usize,
}

/// Measures and reports.
pub async fn run(config: &Config, pool: &Pool, desks: usize, asked: &super::Asked) -> anyhow::Result<()> {
    let link = Link::connect(config.amqp(), "texthub bench").await?;
    let roles = super::ground::ensure_roles(config, &link).await?;
    let ground = Ground::prepare(pool, desks.max(FEW), config.partitions).await?;
    let tokens = ground::conversations(pool, &ground, desks.max(FEW)).await?;
    let mut gateway = Gateway::start().await?;
    let publisher = Publisher::open(&link).await?;
    let bench = Bench {
        ground: &ground,
        publisher,
        rate: asked.rate.unwrap_or(200.0),
        span: Duration::from_secs(asked.seconds),
        arrivals: Arc::default(),
        stop: CancellationToken::new(),
    };
    let few = FEW.min(desks);
    bench.connect(&gateway.url, &tokens[..few]).await?;
    let mut rounds = vec![bench.round("20 agents", few, async || Ok(())).await?];
    let before = gateway.memory();
    bench.connect(&gateway.url, &tokens[few..desks]).await?;
    let each = gateway.memory().saturating_sub(before) * 1024 / (desks - few).max(1) as u64;
    rounds.push(bench.round("all agents", desks, async || Ok(())).await?);
    let restarted = async || {
        sleep(bench.span / 3).await;
        gateway.restart().await
    };
    rounds.push(bench.round("all agents, the gateway ended and started", desks, restarted).await?);
    bench.stop.cancel();
    report(asked.json, desks, bench.rate, each, &rounds);
    drop(gateway);
    ground::end(pool, &ground).await?;
    ground.end(pool).await?;
    if let Some(roles) = roles {
        roles.stop().await;
    }
    link.close().await;
    Ok(())
}

fn report(is_json: bool, desks: usize, rate: f64, each: u64, rounds: &[Round]) {
    let ratio = rounds[1].ms.1 / rounds[0].ms.1;
    if is_json {
        let round = |round: &Round| {
            json!({"what": round.what, "ms": pair(round.ms), "texts": round.texts, "missed": round.missed,
                   "doubled": round.doubled})
        };
        let rounds: Vec<_> = rounds.iter().map(round).collect();
        let report =
            json!({"desks": desks, "rate": rate, "bytes_each": each, "p99_ratio": hundredths(ratio), "rounds": rounds});
        println!("{report:#}");
        return;
    }
    for round in rounds {
        let (p50, p99) = round.ms;
        println!(
            "{}: publish to socket p50 {p50:.1} ms, p99 {p99:.1} ms ({} texts, {} missed, {} doubled)",
            round.what, round.texts, round.missed, round.doubled
        );
    }
    println!("p99 of {desks} is {ratio:.2} of that of {FEW}; {each} bytes of the gateway's memory a connection");
}

struct Bench<'a> {
    ground: &'a Ground,
    publisher: Publisher,
    rate: f64,
    span: Duration,
    arrivals: Arc<Arrivals>,
    stop: CancellationToken,
}

impl Bench<'_> {
    /// Opens a desk for each token, some at a time, and awaits that all have begun.
    async fn connect(&self, url: &str, tokens: &[String]) -> anyhow::Result<()> {
        for some in tokens.chunks(AT_ONCE) {
            let aim = self.arrivals.begun() + some.len();
            for token in some {
                let (url, token) = (url.to_owned(), token.clone());
                let (arrivals, stop) = (Arc::clone(&self.arrivals), self.stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = client::desk(&url, &token, &arrivals) => {}
                    }
                });
            }
            let began = Stopwatch::start();
            while self.arrivals.begun() < aim {
                anyhow::ensure!(began.elapsed() < Duration::from_secs(30), "desks do not begin");
                sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }

    /// Texts to the conversations of the first so many agents, in turn, at the rate; something may happen meanwhile.
    async fn round(
        &self,
        what: &'static str,
        agents: usize,
        mut meanwhile: impl AsyncFnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Round> {
        let first = self.arrivals.published();
        let publishing = paced(self.rate, self.span, |nr| {
            let text = self.arrivals.publish();
            let wire = inbound(self.ground, nr % agents, &text);
            let publisher = self.publisher.clone();
            tokio::spawn(async move { publisher.send(vec![wire]).await });
        });
        let ((), done) = tokio::join!(publishing, meanwhile());
        done?;
        let began = Stopwatch::start();
        while self.arrivals.missing(first) > 0 && began.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(50)).await;
        }
        let (ms, doubled) = self.arrivals.since(first);
        anyhow::ensure!(!ms.is_empty(), "no text came to a socket");
        let texts = self.arrivals.published() - first;
        Ok(Round { what, missed: texts - ms.len(), texts, doubled, ms: percentiles(ms) })
    }
}

/// A gateway in a process of its own.
struct Gateway {
    child: Child,
    url: String,
    listen: String,
}

impl Gateway {
    async fn start() -> anyhow::Result<Self> {
        let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let gateway = Self { child: Self::spawn(&listen)?, url: format!("http://{listen}"), listen };
        gateway.ready().await?;
        Ok(gateway)
    }

    fn spawn(listen: &str) -> anyhow::Result<Child> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args(["run", "gateway"]).env("TEXTHUB_HTTP_LISTEN", listen).env("TEXTHUB_LOG", "warn");
        Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let began = Stopwatch::start();
        let http = reqwest::Client::new();
        loop {
            let answer = http.get(format!("{}/readyz", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < Duration::from_secs(30), "the gateway does not become ready");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it in order, and starts another one in its place.
    async fn restart(&mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id())?;
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        while self.child.try_wait()?.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
        self.child = Self::spawn(&self.listen)?;
        self.ready().await
    }

    /// Its resident memory, in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
