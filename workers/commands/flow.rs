//! `texthub flow`: checks a flow, publishes a version of it, lists versions, and shows the conversation that a customer
//! would have. Checking and simulating need no database.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use comfy_table::Table;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};
use texthub::facts::ids::Slug;
use texthub::flow::check::{self, Flow, Known, Mistake};
use texthub::flow::simulate::{self, World};
use texthub::flow::step::Flows;
use texthub::flow::store;
use texthub::flow::values::Queue;
use texthub::runtime::clock;

/// What to do with flows.
#[derive(Subcommand, Clone, Debug)]
pub enum Asked {
    /// Tell everything that is wrong with a flow, each with its place.
    Check {
        /// The flow, as JSON; docs/flows.md tells its keys.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Publish the next version of a flow: contacts that begin from now on begin in it.
    Publish {
        /// The flow, as JSON.
        file: PathBuf,
        /// Whose.
        #[arg(long)]
        tenant: Slug,
        /// Slug of the flow; points of contact name it as `flow`.
        #[arg(long)]
        id: Slug,
        /// Who publishes it, for the history.
        #[arg(long)]
        by: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the versions of a tenant's flows, or print one.
    History {
        /// Whose.
        #[arg(long)]
        tenant: Slug,
        /// Of one flow.
        #[arg(long)]
        id: Option<Slug>,
        /// Print the document of this version.
        #[arg(long, requires = "id")]
        show: Option<i32>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the conversation that a customer would have, by a clock of its own.
    Simulate(Simulated),
}

/// A simulated conversation.
#[derive(Args, Clone, Debug)]
pub struct Simulated {
    /// The flow, as JSON.
    file: PathBuf,
    /// When it begins: `Sunday 03:00` (the next one), or `2026-12-24 17:30`.
    #[arg(long)]
    at: Option<String>,
    /// What the customer writes; again for each further reply.
    #[arg(long)]
    say: Vec<String>,
    /// The tenant's time zone.
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    /// The customer's number.
    #[arg(long, default_value = "+15550100100")]
    customer: String,
    /// Who had the customer last.
    #[arg(long)]
    last_agent: Option<String>,
    /// Contacts that wait in every queue already.
    #[arg(long, default_value_t = 0)]
    waiting: i64,
    /// Agents of every skill that are logged in.
    #[arg(long, default_value_t = 1)]
    logged_in: i64,
    /// Seconds in the queue after which an agent accepts; without it nobody does.
    #[arg(long)]
    answered_after: Option<u32>,
    /// What programs answer, as JSON, in order; none left: they fail.
    #[arg(long)]
    answer: Vec<String>,
    /// Another flow that this one hands over to, as id=FILE.
    #[arg(long)]
    with: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    match asked {
        Asked::Check { file, json } => check(file, *json),
        Asked::Publish { file, tenant, id, by, json } => publish(file, tenant, id, by.as_deref(), *json).await,
        Asked::History { tenant, id, show, json } => history(tenant, id.as_ref(), *show, *json).await,
        Asked::Simulate(simulated) => {
            let today = clock::wall().to_zoned(zone(&simulated.time_zone)?);
            let folder = PathBuf::new();
            print!("{}", simulate(simulated, &folder, &today)?);
            Ok(())
        }
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).map_err(|error| anyhow::anyhow!("cannot read {}: {error}", file.display()))
}

fn zone(name: &str) -> anyhow::Result<TimeZone> {
    TimeZone::get(name).map_err(|_| anyhow::anyhow!("there is no time zone {name:?}; write one as Europe/Berlin"))
}

fn check(file: &Path, is_json: bool) -> anyhow::Result<()> {
    match check::flow(&read(file)?, &Known::default()) {
        Ok(flow) => {
            if is_json {
                println!("{:#}", json!({"valid": true, "nodes": flow.document.nodes.len(), "mistakes": []}));
            } else {
                println!("{}: {} nodes, nothing wrong", file.display(), flow.document.nodes.len());
            }
            Ok(())
        }
        Err(mistakes) => refused(file, &mistakes, is_json),
    }
}

async fn publish(file: &Path, tenant: &Slug, id: &Slug, by: Option<&str>, is_json: bool) -> anyhow::Result<()> {
    let text = read(file)?;
    let config = super::config()?;
    let pool = super::pool(&config)?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let Some(mut known) = store::known(&tx, tenant).await? else {
        anyhow::bail!("there is no tenant {tenant}; apply its file first")
    };
    // a flow may hand over to itself
    known.flows.get_or_insert_default().insert(id.to_string());
    if let Err(mistakes) = check::flow(&text, &known) {
        return refused(file, &mistakes, is_json);
    }
    let now: Timestamp = tx.query_one("select now()", &[]).await?.get(0);
    let version = store::publish(&tx, now, tenant, id, &serde_json::from_str(&text)?, by).await?;
    tx.commit().await?;
    if is_json {
        println!("{:#}", json!({"tenant": tenant, "id": id, "version": version}));
    } else {
        println!(
            "{id} of {tenant}: version {version} is published; write flow = \"{id}\" at a point of contact to use it"
        );
    }
    Ok(())
}

async fn history(tenant: &Slug, id: Option<&Slug>, show: Option<i32>, is_json: bool) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = super::pool(&config)?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let versions = store::history(&tx, tenant, id).await?;
    if let Some(number) = show {
        let found = versions.iter().find(|version| version.version == number);
        let found = found.ok_or_else(|| anyhow::anyhow!("there is no version {number} of this flow"))?;
        println!("{:#}", found.document);
        return Ok(());
    }
    if is_json {
        let list: Vec<Value> = versions
            .iter()
            .map(|v| {
                json!({"id": v.id, "version": v.version, "published_at": v.published_at, "published_by": v.published_by,
                       "contacts": v.living})
            })
            .collect();
        println!("{:#}", Value::Array(list));
        return Ok(());
    }
    let mut table = Table::new();
    table.set_header(["flow", "version", "published", "by", "contacts in it"]);
    for v in &versions {
        let by = v.published_by.clone().unwrap_or_default();
        let at = v.published_at.strftime("%F %T").to_string();
        table.add_row([v.id.clone(), v.version.to_string(), at, by, v.living.to_string()]);
    }
    println!("{table}");
    Ok(())
}

fn refused(file: &Path, mistakes: &[Mistake], is_json: bool) -> anyhow::Result<()> {
    if is_json {
        println!("{:#}", json!({"valid": false, "mistakes": mistakes}));
    } else {
        for mistake in mistakes {
            let place = if mistake.place.is_empty() { "/" } else { &mistake.place };
            eprintln!("{} {place}: {}; {}", file.display(), mistake.what, mistake.instead);
        }
    }
    let count = mistakes.len();
    anyhow::bail!("{count} mistake{} in {}", if count == 1 { "" } else { "s" }, file.display())
}

fn loaded(file: &Path) -> anyhow::Result<Arc<Flow>> {
    match check::flow(&read(file)?, &Known::default()) {
        Ok(flow) => Ok(Arc::new(flow)),
        Err(mistakes) => {
            refused(file, &mistakes, false)?;
            anyhow::bail!("unreachable: refused")
        }
    }
}

/// The conversation as text; files are looked for in a folder.
fn simulate(asked: &Simulated, folder: &Path, today: &Zoned) -> anyhow::Result<String> {
    let at = match &asked.at {
        Some(text) => simulate::moment(text, today)
            .ok_or_else(|| anyhow::anyhow!("{text:?} is no moment; write \"Sunday 03:00\" or \"2026-12-24 17:30\""))?,
        None => today.clone(),
    };
    let mut flows: Flows = BTreeMap::new();
    flows.insert("this".into(), (1, loaded(&folder.join(&asked.file))?));
    for other in &asked.with {
        let (id, file) =
            other.split_once('=').ok_or_else(|| anyhow::anyhow!("{other:?}: write the other flow as id=FILE"))?;
        Slug::new(id)?;
        flows.insert(id.to_owned(), (1, loaded(&folder.join(file))?));
    }
    let answers: Result<Vec<Value>, _> = asked.answer.iter().map(|answer| serde_json::from_str(answer)).collect();
    let queue = Queue { length: asked.waiting, estimated_wait_s: 0, logged_in: asked.logged_in, ready: 0 };
    let world = World {
        at: at.timestamp(),
        zone: at.time_zone().clone(),
        says: asked.say.clone(),
        customer: asked.customer.clone(),
        last_agent: asked.last_agent.clone(),
        queue,
        answered_after_s: asked.answered_after,
        answers: answers.map_err(|error| anyhow::anyhow!("--answer is no JSON: {error}"))?,
    };
    let (lines, notes) = simulate::simulate(&flows, "this", &world);
    if asked.json {
        let lines: Vec<Value> =
            lines.iter().map(|line| json!({"at": line.at.timestamp(), "who": line.who, "what": line.what})).collect();
        return Ok(format!("{:#}\n", json!({"lines": lines, "notes": notes})));
    }
    let mut text = simulate::print(&lines);
    for note in notes {
        let _ = writeln!(text, "note: {note}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
