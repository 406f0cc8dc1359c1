//! `texthub apply FILE`: a tenant as a file. Every mistake is told with its line and what to write instead; where there
//! is none, what differs is written in one transaction.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use texthub::failure::Failure;
use texthub::tenant::apply::{Applied, Change, What, apply};
use texthub::tenant::check;
use texthub::tenant::reader::Mistake;

/// What to apply, and how.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// The tenant file; docs/tenant-file.md tells its keys.
    file: PathBuf,
    /// Print the difference and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// End what is not in the file; rooms that live on it go on.
    #[arg(long)]
    prune: bool,
    /// Print the difference, or the mistakes, as JSON.
    #[arg(long)]
    json: bool,
}

/// Applies it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let name = asked.file.display().to_string();
    let text = std::fs::read_to_string(&asked.file).map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
    let file = match check::read(&text) {
        Ok(file) => file,
        Err(mistakes) => return refused(asked, &name, &mistakes),
    };
    let config = super::config()?;
    let pool = super::pool_to_write(&config).await?;
    let mut client = pool.get().await?;
    let mut tries = 0;
    let applied = loop {
        let tx = client.transaction().await?;
        match apply(&tx, &file, asked.prune).await {
            Ok(applied) => {
                if asked.dry_run || matches!(applied, Applied::Mistaken(_)) {
                    tx.rollback().await?;
                } else {
                    tx.commit().await?;
                }
                break applied;
            }
            // live routing holds rows for moments: a deadlock with it is tried again
            Err(Failure::Retry(_)) if tries < 5 => tries += 1,
            Err(failure) => anyhow::bail!("nothing was written: {failure}"),
        }
    };
    match applied {
        Applied::Mistaken(mistakes) => refused(asked, &name, &mistakes),
        Applied::Done(changes) => {
            print(asked, &changes);
            Ok(())
        }
    }
}

fn refused(asked: &Asked, name: &str, mistakes: &[Mistake]) -> anyhow::Result<()> {
    if asked.json {
        let list: Vec<Value> = mistakes
            .iter()
            .map(|m| json!({"file": name, "line": m.line, "what": m.what, "instead": m.instead}))
            .collect();
        println!("{:#}", json!({"applied": false, "mistakes": list}));
    } else {
        for mistake in mistakes {
            eprintln!("{}", mistake.sentence(name));
        }
    }
    let count = mistakes.len();
    anyhow::bail!("{count} mistake{} in {name}; nothing was written", if count == 1 { "" } else { "s" })
}

fn print(asked: &Asked, changes: &[Change]) {
    if asked.json {
        println!("{:#}", json!({"applied": !asked.dry_run, "changes": changes}));
        return;
    }
    if changes.is_empty() {
        println!("nothing to change");
        return;
    }
    for change in changes {
        let sign = match change.what {
            What::Added => '+',
            What::Changed => '~',
            What::Ended => '-',
        };
        println!("{sign} {} {}", change.section, change.id);
        for (key, (was, becomes)) in &change.keys {
            match change.what {
                What::Added if becomes.is_null() => {}
                What::Added => println!("    {key} = {becomes}"),
                _ => println!("    {key} = {becomes}  (was {was})"),
            }
        }
    }
    let done = if asked.dry_run { "would change; nothing was written" } else { "changed" };
    println!("{} {done}", changes.len());
}
