//! `texthub bench`: the real pipeline with real texts through `RabbitMQ`, beside a raw loop in the same run (consume, one
//! batched insert, confirmed publish, acknowledge). Works in a tenant of its own, which it ends when done; starts the
//! roles itself where nobody consumes.

mod desks;
mod ground;
mod latency;
mod matching;
mod raw;
mod throughput;

pub use latency::listen;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use deadpool_postgres::Pool;
use serde_json::json;
use texthub::amqp::connection::Link;

/// What to measure, and how much of it.
#[derive(Args)]
pub struct Asked {
    /// A file of texts, one a line (a tab separates a label, if any); by default sentences of our own.
    #[arg(long)]
    texts: Option<PathBuf>,
    /// Texts of each throughput round.
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// Rounds; each measures both, the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Customers among whom the texts of a throughput round are spread.
    #[arg(long, default_value_t = 500)]
    customers: usize,
    /// Seconds of each latency measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Texts a second of the latency measurement; by default a tenth of the rate of the rounds.
    #[arg(long)]
    rate: Option<f64>,
    /// Measure what an assignment costs instead, among many agents and in long queues.
    #[arg(long)]
    matching: bool,
    /// Measure instead from the publication of a text to an agent's socket, with 20 and with so many agents connected.
    #[arg(long)]
    desks: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Sentences for when no file is named.
const OWN: &[&str] = &[
    "Hello, which shop near Elm Street has your porridge?",
    "The tin I bought yesterday was too hot to open. Who do I talk to?",
    "ok",
    "Thank you! That was quick.",
    "Can you tell me whether the oat version contains milk? My youngest cannot have any, and the label is smudged on mine.",
    "Where is my order",
    "Not this size, the middle one please",
    "It's 3 for 2 this week, isn't it? The poster at the till said so but I was charged for all three of them again.",
];

/// Measures and reports.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = texthub::runtime::db::pool(config.database(), "texthub bench", 8).map_err(|e| anyhow::anyhow!("{e}"))?;
    if asked.matching {
        return matching::run(&pool, config.partitions, asked.json).await;
    }
    if let Some(desks) = asked.desks {
        return desks::run(&config, &pool, desks, asked).await;
    }
    let texts = texts(asked)?;
    let link = Link::connect(config.amqp(), "texthub bench").await?;
    let roles = ground::ensure_roles(&config, &link).await?;
    let say = |line: &str| {
        if !asked.json {
            println!("{line}");
        }
    };
    let (mut rates, mut raws, mut ratios) = (vec![], vec![], vec![]);
    for round in 1..=asked.rounds {
        let ground = ground::Ground::prepare(&pool, asked.customers.div_ceil(12).max(1), config.partitions).await?;
        let (rate, publications) =
            throughput::measure(&link, &pool, &ground, &texts, asked.count, asked.customers).await?;
        let raw = raw::throughput(&link, &pool, &texts, asked.count, asked.customers, publications).await?;
        ground.end(&pool).await?;
        say(&format!(
            "round {round}: inbound {rate:.0}/s, raw {raw:.0}/s ({publications:.2} publications a text), ratio {:.2}",
            rate / raw
        ));
        rates.push(rate);
        raws.push(raw);
        ratios.push(rate / raw);
    }
    let (rate, raw, ratio) = (median(&mut rates), median(&mut raws), median(&mut ratios));
    let per_second = asked.rate.unwrap_or(rate / 10.0).max(1.0);
    let late = latencies(asked, &link, &pool, &texts, per_second, config.partitions).await?;
    if asked.json {
        let inbound = json!({"rate": rate.round(), "raw": raw.round(), "ratio": hundredths(ratio)});
        let hardest = json!({"recorded_ms": pair(late.hardest.recorded), "offer_ms": pair(late.hardest.offer)});
        let report = json!({"inbound": inbound, "recorded_ms": pair(late.mixed.recorded), "offer_ms": pair(late.mixed.offer),
            "raw_hops_ms": pair(late.hops), "latency_rate": per_second.round(), "each_of_a_new_customer": hardest});
        println!("{report:#}");
    }
    if let Some(roles) = roles {
        roles.stop().await;
    }
    link.close().await;
    Ok(())
}

/// Milliseconds, each (p50, p99).
struct Latencies {
    hops: (f64, f64),
    mixed: latency::Found,
    hardest: latency::Found,
}

/// Two raw hops; the texts of the throughput rounds at a tenth of their rate; then the hardest case, where no text joins
/// another's conversation.
async fn latencies(
    asked: &Asked,
    link: &Link,
    pool: &Pool,
    texts: &[String],
    per_second: f64,
    partitions: u32,
) -> anyhow::Result<Latencies> {
    let span = Duration::from_secs(asked.seconds);
    let hops = raw::two_hops(link, texts, per_second, span).await?;
    let say = |line: String| {
        if !asked.json {
            println!("{line}");
        }
    };
    say(format!("two raw hops at {per_second:.0} texts/s: p50 {:.1} ms, p99 {:.1} ms", hops.0, hops.1));
    let of = async |texts_each: usize, what: String| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive count")]
        let contacts = (per_second * span.as_secs_f64()) as usize / texts_each;
        let ground = ground::Ground::prepare(pool, contacts / 12 + 10, partitions).await?;
        let found = latency::measure(link, &ground, texts, per_second, span, texts_each).await?;
        ground.end(pool).await?;
        say(what);
        say(format!("  publish to recorded: p50 {:.1} ms, p99 {:.1} ms", found.recorded.0, found.recorded.1));
        let (p50, p99) = found.offer;
        say(format!("  publish to offer:    p50 {p50:.1} ms, p99 {p99:.1} ms, {:.2} of two raw hops", p99 / hops.1));
        anyhow::Ok(found)
    };
    let each = (asked.count / asked.customers.max(1)).max(1);
    let mixed = of(each, format!("at that rate, {each} texts of each customer, as in the rounds:")).await?;
    let hardest = of(1, "at that rate, each text of a new customer:".into()).await?;
    Ok(Latencies { hops, mixed, hardest })
}

fn pair((p50, p99): (f64, f64)) -> serde_json::Value {
    json!({"p50": hundredths(p50), "p99": hundredths(p99)})
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn texts(asked: &Asked) -> anyhow::Result<Vec<String>> {
    let Some(path) = &asked.texts else { return Ok(OWN.iter().map(|t| (*t).to_owned()).collect()) };
    let read = std::fs::read_to_string(path).map_err(|e| anyhow::anyhow!("cannot read {}: {e}", path.display()))?;
    let texts: Vec<String> = read
        .lines()
        .map(|line| line.split_once('\t').map_or(line, |(_, text)| text).to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    anyhow::ensure!(!texts.is_empty(), "{} holds no text", path.display());
    Ok(texts)
}

/// The middle one.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// p50 and p99 of some milliseconds.
fn percentiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let at = |q: f64| {
        values
            .get(((values.len() as f64 * q) as usize).min(values.len().saturating_sub(1)))
            .copied()
            .unwrap_or(f64::NAN)
    };
    (at(0.5), at(0.99))
}
