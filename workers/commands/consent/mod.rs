//! `texthub consent`: who is out, asked or in; the whole proof; lists from elsewhere; opting out and in by hand; asking;
//! forgetting; and judging texts by the words. docs/consent.md tells how to use it.

mod export;
mod import;
mod judge;
mod noting;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::Table;
use deadpool_postgres::{Pool, Transaction};
use serde_json::Value;
use texthub::facts::ids::Slug;
use texthub::failure::Failure;
use texthub::hub::consent::ConsentKind;
use texthub::records::consent as ledger;
use texthub::sms::number::{is_e164, is_short_code};

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Asked {
    /// List who is out, or was asked and has not answered, newest first.
    List {
        #[command(flatten)]
        whose: Whose,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a customer's entries of the ledger, oldest first.
    Show {
        /// The customer's number.
        number: String,
        #[command(flatten)]
        whose: Whose,
        /// As JSON, with the whole proof.
        #[arg(long)]
        json: bool,
    },
    /// Write the whole proof of a customer, or of a tenant, oldest first.
    Export {
        #[command(flatten)]
        whose: Whose,
        /// This customer's alone.
        #[arg(long)]
        customer: Option<String>,
        /// JSON lines, or CSV with a line of names.
        #[arg(long, value_enum, default_value_t)]
        format: export::Format,
    },
    /// Take a list from elsewhere: CSV with `customer_number` and `kind`; all mistakes are told, and then nothing is written.
    Import {
        /// The list.
        file: PathBuf,
        #[command(flatten)]
        whose: Whose,
        /// Check it and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Who brings it; by default `operator:` and the login's name.
        #[arg(long)]
        by: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Opt a customer out by hand: of one of our numbers, or of all.
    OptOut(noting::Word),
    /// Opt a customer in by hand, with the proof.
    OptIn(noting::Word),
    /// Ask a customer for a double opt-in by one text; YES completes it.
    Ask(noting::Ask),
    /// Forget a customer: the ledger keeps a keyed hash, and the block goes on holding for it.
    Forget {
        /// The customer's number, or a visitor's id.
        number: String,
        #[command(flatten)]
        whose: Whose,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Count the keywords and near-misses in a file of texts, a line each.
    Judge(judge::Judged),
}

/// Whose ledger.
#[derive(Args, Clone, Debug, Default)]
pub struct Whose {
    /// The tenant; needed where there are several.
    #[arg(long)]
    tenant: Option<String>,
}

impl Whose {
    async fn tenant(&self, pool: &Pool) -> anyhow::Result<Slug> {
        super::transcripts::tenant(pool, self.tenant.as_deref()).await
    }
}

/// Does it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    match asked {
        Asked::List { whose, limit, json } => list(whose, *limit, *json).await,
        Asked::Show { number, whose, json } => show(whose, number, *json).await,
        Asked::Export { whose, customer, format } => export::run(whose, customer.as_deref(), *format).await,
        Asked::Import { file, whose, dry_run, by, json } => {
            import::run(whose, file, *dry_run, by.as_deref(), *json).await
        }
        Asked::OptOut(word) => noting::note(word, ConsentKind::OptOut).await,
        Asked::OptIn(word) => noting::note(word, ConsentKind::OptIn).await,
        Asked::Ask(ask) => noting::ask(ask).await,
        Asked::Forget { number, whose, yes } => noting::forget(whose, number, *yes).await,
        Asked::Judge(judged) => judge::run(judged),
    }
}

async fn list(whose: &Whose, limit: i64, is_json: bool) -> anyhow::Result<()> {
    let pool = super::pool(&super::config()?)?;
    let tenant = whose.tenant(&pool).await?;
    let found = reading(&pool, async |tx| ledger::standing(tx, &tenant, limit).await).await?;
    if is_json {
        println!("{:#}", Value::Array(found));
        return Ok(());
    }
    let columns = ["customer_number", "our_number", "state", "scope", "since"];
    print(&columns, &found, "nobody is out or was asked");
    Ok(())
}

async fn show(whose: &Whose, number: &str, is_json: bool) -> anyhow::Result<()> {
    let pool = super::pool(&super::config()?)?;
    let tenant = whose.tenant(&pool).await?;
    let number = customer(number)?;
    let found = reading(&pool, async |tx| ledger::entries(tx, &tenant, Some(number), 0, i64::MAX).await).await?;
    if is_json {
        println!("{:#}", Value::Array(found));
        return Ok(());
    }
    let columns = ["at", "kind", "our_number", "scope", "method", "actor", "keyword", "changed"];
    print(&columns, &found, "the ledger has nothing of this customer");
    Ok(())
}

/// A number as the ledger holds customers.
fn customer(number: &str) -> anyhow::Result<&str> {
    anyhow::ensure!(is_e164(number) || is_short_code(number), "{number:?} is no number: write + and 7 to 15 digits");
    Ok(number)
}

async fn reading<T>(pool: &Pool, read: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Failure>) -> anyhow::Result<T> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    read(&tx).await.map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// A value as one cell.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A table of some columns.
pub(super) fn print(columns: &[&str], rows: &[Value], none: &str) {
    if rows.is_empty() {
        println!("{none}");
        return;
    }
    let mut table = Table::new();
    let header = columns.iter().map(|column| column.to_uppercase().replace('_', " "));
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(&row[*column])));
    }
    println!("{table}");
}
