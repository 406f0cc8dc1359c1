//! `texthub demo`: the main job in front of the user's eyes. Simulated customers text in real sentences, simulated
//! agents accept, answer and end; both are programs like any other, on the public contract alone. A demonstration,
//! with waits as people have them: not a test.

mod agents;
mod customers;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use texthub::amqp::Lost;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::topology;
use texthub::amqp::wire::Wire;
use texthub::runtime::{clock, db};
use tokio_util::sync::CancellationToken;

/// Those who are no user's: people play themselves.
const AGENTS: &str = "
    select id from agents a where tenant = $1 and ended_at is null and not exists
      (select from users u where u.tenant = a.tenant and coalesce(u.agent, u.id) = a.id and 'agent' = any(u.roles)
         and u.ended_at is null)
    order by id";

/// How the demonstration goes.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// The tenant that is played.
    #[arg(long, default_value = "three-bears")]
    tenant: String,
    /// New conversations per minute.
    #[arg(long, default_value_t = 20.0)]
    pace: f64,
    /// Sentences of customers, one a line; by default some of our own.
    #[arg(long)]
    texts: Option<PathBuf>,
    /// End after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
}

/// What agents and customers share.
pub struct Stage {
    tenant: String,
    publisher: Publisher,
    link: Link,
    texts: Vec<String>,
    stop: CancellationToken,
}

impl Stage {
    /// Publishes a fact as any program does.
    async fn say(&self, fact: &str, scope: &str, mut body: Value) -> Result<(), Lost> {
        let id = clock::new_id();
        body["id"] = json!(id);
        let properties = lapin::BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(id.to_string().into())
            .with_type(format!("{fact}.v1").into());
        let key = if scope.is_empty() { fact.to_owned() } else { format!("{fact}.{scope}") };
        self.publisher
            .send(vec![Wire { exchange: topology::FRONT, key, body: body.to_string().into_bytes(), properties }])
            .await
    }

    /// A pause as people make them, in seconds; ends early at the stop.
    async fn pause(&self, least: f64, most: f64) {
        let wait = std::time::Duration::from_secs_f64(least + fastrand::f64() * (most - least));
        tokio::select! { () = self.stop.cancelled() => {}, () = tokio::time::sleep(wait) => {} }
    }

    fn sentence(&self) -> String {
        fastrand::choice(&self.texts).cloned().unwrap_or_else(|| "Hello?".into())
    }
}

/// Now, as facts write it.
fn now() -> String {
    clock::wall().to_string()
}

/// Plays until stopped, with the live view.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = db::pool(config.database(), "texthub demo", 3).map_err(|e| anyhow::anyhow!("{e}"))?;
    let client = pool.get().await?;
    let rows = client.query(AGENTS, &[&asked.tenant]).await?;
    anyhow::ensure!(!rows.is_empty(), "tenant {} has no agents; run `texthub apply` with its file first", asked.tenant);
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let rows = client
        .query(
            "select id, channel, coalesce(number, ''), coalesce(carrier, '') from points_of_contact
             where tenant = $1 and ended_at is null and (kind is null or kind <> 'short') order by id",
            &[&asked.tenant],
        )
        .await?;
    let points: Vec<customers::Point> = rows
        .iter()
        .map(|row| customers::Point { id: row.get(0), channel: row.get(1), number: row.get(2), carrier: row.get(3) })
        .collect();
    anyhow::ensure!(!points.is_empty(), "tenant {} has no points of contact", asked.tenant);
    drop(client);
    let link = Link::connect(config.amqp(), "texthub demo").await?;
    let publisher = Publisher::open(&link).await?;
    let stop = CancellationToken::new();
    end_at(&stop, asked.seconds);
    let stage =
        Arc::new(Stage { tenant: asked.tenant.clone(), publisher, link, texts: texts(asked)?, stop: stop.clone() });
    agents::enter(&stage, &names).await?;
    let playing = tokio::spawn(customers::play(Arc::clone(&stage), points, asked.pace));
    let shown = super::watch::show(&pool, Some(&asked.tenant), &stop).await;
    stop.cancel();
    let _ = playing.await;
    anyhow::ensure!(stage.link.is_up(), "the broker went away");
    agents::leave(&stage, &names).await;
    stage.link.close().await;
    shown
}

fn end_at(stop: &CancellationToken, seconds: Option<u64>) {
    let stop = stop.clone();
    tokio::spawn(async move {
        let end = async {
            match seconds {
                Some(seconds) => tokio::time::sleep(std::time::Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        let told = async {
            match &mut term {
                Some(term) => term.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = told => {}, () = end => {} }
        stop.cancel();
    });
}

fn texts(asked: &Asked) -> anyhow::Result<Vec<String>> {
    let Some(path) = &asked.texts else { return Ok(customers::SENTENCES.lines().map(str::to_owned).collect()) };
    let read = std::fs::read_to_string(path).map_err(|e| anyhow::anyhow!("cannot read {}: {e}", path.display()))?;
    let texts: Vec<String> = read.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect();
    anyhow::ensure!(!texts.is_empty(), "{} holds no text", path.display());
    Ok(texts)
}
