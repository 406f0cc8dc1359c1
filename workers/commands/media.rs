//! `texthub media`: what came with customers' texts: the list with what became of each, and the contents of one.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Table;
use serde_json::Value;
use texthub::facts::ids::MediaId;
use texthub::facts::media::MediaState;
use texthub::media::{self, kinds};
use uuid::Uuid;

/// What to do about media.
#[derive(Subcommand, Clone, Debug)]
pub enum Asked {
    /// Show a tenant's media, the newest first.
    List(List),
    /// Write the contents of one to standard output, or to a file.
    Get(Get),
}

/// Which media, and how.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// Whose; needed where there are several.
    #[arg(long)]
    tenant: Option<String>,
    /// Only those in this state.
    #[arg(long)]
    state: Option<State>,
    /// The newest so many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
    last: i64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// See [`MediaState`].
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Waiting,
    Stored,
    Refused,
    Failed,
}

/// Which medium, and where to.
#[derive(Args, Clone, Debug)]
pub struct Get {
    /// Its id, as in transcripts.
    id: Uuid,
    /// Write to this file, or into this folder under the medium's id; never over one that is there.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// Does it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    match asked {
        Asked::List(asked) => list(asked).await,
        Asked::Get(asked) => get(asked).await,
    }
}

async fn list(asked: &List) -> anyhow::Result<()> {
    let pool = super::pool(&super::config()?)?;
    let tenant = super::transcripts::tenant(&pool, asked.tenant.as_deref()).await?;
    let state = asked.state.map(|state| match state {
        State::Waiting => MediaState::Waiting,
        State::Stored => MediaState::Stored,
        State::Refused => MediaState::Refused,
        State::Failed => MediaState::Failed,
    });
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let found = media::newest(&tx, &tenant, state, asked.last).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    if asked.json {
        println!("{:#}", Value::Array(found));
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["MEDIUM", "AT", "ROOM", "TOLD AS", "STATE", "REASON", "TYPE", "BYTES", "TRIES"]);
    for medium in &found {
        let word = |name: &str| medium[name].as_str().unwrap_or("-").replace(char::is_control, " ");
        let number = |name: &str| medium[name].as_i64().map_or_else(|| "-".to_owned(), |number| number.to_string());
        table.add_row([
            word("id"),
            word("at"),
            word("room_id"),
            word("type"),
            word("state"),
            word("reason"),
            word("stored_type"),
            number("size"),
            number("tries"),
        ]);
    }
    println!("{}", if found.is_empty() { "no media".to_owned() } else { table.to_string() });
    Ok(())
}

async fn get(asked: &Get) -> anyhow::Result<()> {
    let stdout = std::io::stdout();
    let is_shown = asked.output.is_none() && stdout.is_terminal();
    anyhow::ensure!(
        !is_shown,
        "a terminal does not show media; redirect, as in `texthub media get ID > file`, or say --output"
    );
    let pool = super::pool(&super::config()?)?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let found = media::contents(&tx, MediaId(asked.id)).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let Some((bytes, name)) = found else {
        anyhow::bail!("there is no stored medium {}; `texthub media list` tells what became of each", asked.id)
    };
    let Some(output) = &asked.output else { return Ok(stdout.lock().write_all(&bytes)?) };
    let path = if output.is_dir() {
        output.join(format!("{}.{}", asked.id, kinds::extension(&name).unwrap_or("bin")))
    } else {
        output.clone()
    };
    let file = std::fs::File::create_new(&path);
    file.and_then(|mut file| file.write_all(&bytes)).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    println!("{}: {name}, {} bytes", path.display(), bytes.len());
    Ok(())
}
