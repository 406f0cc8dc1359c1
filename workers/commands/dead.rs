//! `texthub dead`: the messages that were set aside. Lists name ids and reasons; only `show` prints a body.

use clap::{Args, Subcommand};
use comfy_table::Table;
use serde_json::{Value, json};
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::records::dead::{self, Letter, Of, Replayed, masked};
use uuid::Uuid;

/// What to do with them.
#[derive(Subcommand, Clone, Debug)]
pub enum Asked {
    /// List them, newest first.
    List {
        #[command(flatten)]
        which: Which,
        /// Those replayed or dropped, too.
        #[arg(long)]
        all: bool,
        /// At most so many.
        #[arg(long)]
        limit: Option<i64>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one, with its body.
    Show {
        /// Its id, or the message's.
        id: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send them to their workers again.
    Replay {
        /// Their ids, or the messages'.
        #[arg(required_unless_present_any = ["reason", "worker"])]
        ids: Vec<String>,
        #[command(flatten)]
        which: Which,
    },
    /// Mark them as dropped: nobody will handle them; their rows stay.
    Drop {
        /// Their ids, or the messages'.
        #[arg(required_unless_present_any = ["reason", "worker"])]
        ids: Vec<String>,
        #[command(flatten)]
        which: Which,
    },
}

/// Which letters.
#[derive(Args, Clone, Debug, Default)]
pub struct Which {
    /// Set aside for this reason.
    #[arg(long)]
    reason: Option<String>,
    /// Set aside by this worker.
    #[arg(long)]
    worker: Option<String>,
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
}

impl Which {
    fn of(&self, ids: &[String]) -> Of {
        let which = self.clone();
        Of { ids: ids.to_vec(), reason: which.reason, worker: which.worker, tenant: which.tenant, ..Of::default() }
    }
}

/// Does it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    match asked {
        Asked::List { which, all, limit, json } => {
            let letters = find(&Of { settled: *all, limit: *limit, ..which.of(&[]) }).await?;
            list(&letters, *json);
            Ok(())
        }
        Asked::Show { id, json } => {
            let letters = find(&Of { ids: vec![id.clone()], settled: true, ..Of::default() }).await?;
            anyhow::ensure!(!letters.is_empty(), "there is no dead letter {id}");
            show(&letters, *json);
            Ok(())
        }
        Asked::Replay { ids, which } => replay(&which.of(ids)).await,
        Asked::Drop { ids, which } => drop(&which.of(ids)).await,
    }
}

async fn find(of: &Of) -> anyhow::Result<Vec<Letter>> {
    let pool = super::pool(&super::config()?)?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    dead::find(&tx, of).await.map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// For a list: what outsiders chose is masked where it may be a number.
fn brief(letter: &Letter) -> Value {
    json!({
        "id": letter.id, "message_id": letter.message_id.as_deref().map(masked),
        "fact": letter.fact.as_deref().map(masked), "worker": letter.worker,
        "reason": letter.reason, "detail": letter.detail, "tenant": letter.tenant, "at": letter.at.to_string(),
        "times": letter.times, "state": letter.state,
    })
}

fn list(letters: &[Letter], is_json: bool) {
    if is_json {
        println!("{:#}", Value::Array(letters.iter().map(brief).collect()));
        return;
    }
    if letters.is_empty() {
        println!("no dead letters");
        return;
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["ID", "AT", "WORKER", "FACT", "REASON", "TIMES", "STATE"]);
    for letter in letters {
        table.add_row([
            letter.id.to_string(),
            letter.at.to_string(),
            letter.worker.clone(),
            letter.fact.as_deref().map_or_else(|| "-".into(), masked),
            letter.reason.clone(),
            letter.times.to_string(),
            letter.state.clone(),
        ]);
    }
    println!("{table}");
}

fn show(letters: &[Letter], is_json: bool) {
    if is_json {
        let mut shown: Vec<Value> = letters.iter().map(whole).collect();
        let one = if shown.len() == 1 { shown.pop() } else { None };
        println!("{:#}", one.unwrap_or(Value::Array(shown)));
        return;
    }
    for letter in letters {
        let body = String::from_utf8_lossy(&letter.body);
        println!("id       {}\nmessage  {}", letter.id, letter.message_id.as_deref().unwrap_or("-"));
        println!("worker   {}\nfact     {}", letter.worker, letter.fact.as_deref().unwrap_or("-"));
        println!("reason   {}: {}", letter.reason, letter.detail.as_deref().unwrap_or("-"));
        println!("at       {} ({} times)\nstate    {}\nbody     {body}\n", letter.at, letter.times, letter.state);
    }
}

/// The letter with its body, as JSON where it is some.
fn whole(letter: &Letter) -> Value {
    let mut value = brief(letter);
    value["message_id"] = json!(letter.message_id);
    value["fact"] = json!(letter.fact);
    let text = || json!(String::from_utf8_lossy(&letter.body));
    value["body"] = serde_json::from_slice(&letter.body).unwrap_or_else(|_| text());
    value
}

async fn replay(of: &Of) -> anyhow::Result<()> {
    let letters = find(of).await?;
    anyhow::ensure!(!letters.is_empty(), "there is no such open dead letter");
    let config = super::config()?;
    let pool = super::pool(&config)?;
    let link = Link::connect(config.amqp(), "texthub dead replay").await?;
    let publisher = Publisher::open(&link).await?;
    let mut gone = 0;
    // oldest first: the order in which they came
    for letter in letters.iter().rev() {
        match dead::replay(&pool, &publisher, letter).await {
            Ok(Replayed::Yes) => gone += 1,
            Ok(Replayed::Returned) => eprintln!("{}: it went out, and was set aside again or settled", letter.id),
            Ok(Replayed::Settled) => eprintln!("{}: somebody else has replayed or dropped it", letter.id),
            Ok(Replayed::NoKey) => eprintln!("{}: nobody can tell which fact it is; it can only be dropped", letter.id),
            Err(failure) => eprintln!("{}: {failure}; it stays open", letter.id),
        }
    }
    link.close().await;
    println!("{gone} replayed");
    anyhow::ensure!(gone == letters.len(), "{} of {} were not replayed", letters.len() - gone, letters.len());
    Ok(())
}

async fn drop(of: &Of) -> anyhow::Result<()> {
    let ids: Vec<Uuid> = find(of).await?.iter().map(|letter| letter.id).collect();
    anyhow::ensure!(!ids.is_empty(), "there is no such open dead letter");
    let pool = super::pool(&super::config()?)?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let count = dead::drop(&tx, &ids).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    tx.commit().await?;
    println!("{count} dropped");
    Ok(())
}
