//! `texthub consent import`: a list, whole or not at all; the same list again changes nothing.

use std::path::Path;

use serde_json::json;
use texthub::failure::Failure;
use texthub::hub::consent::import::{self, Mistake};
use texthub::hub::consent::note;
use texthub::records::consent as ledger;
use texthub::runtime::db;

use super::Whose;

/// Rows that are noted at once.
const GO: usize = 500;

/// Reads, checks and writes it.
pub async fn run(whose: &Whose, file: &Path, is_dry: bool, by: Option<&str>, is_json: bool) -> anyhow::Result<()> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
    let pool = super::super::pool_to_write(&super::super::config()?).await?;
    let tenant = whose.tenant(&pool).await?;
    let actor = super::super::actor(by);
    let (ours, now) =
        super::reading(&pool, async |tx| Ok((ledger::our_numbers(tx, &tenant).await?, db::now(tx).await?))).await?;
    let rows = match import::read(&text, &tenant, &ours, now) {
        Ok(rows) => rows,
        Err(mistakes) => return refused(&name, &mistakes, is_json),
    };
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let count = async || -> Result<i64, Failure> {
        let row =
            texthub::hub::sql::row(&tx, "select count(*) from consent_entries where tenant = $1", &[&tenant]).await?;
        Ok(row.map_or(0, |row| row.get(0)))
    };
    let failed = |failure: Failure| anyhow::anyhow!("nothing was written: {failure}");
    let before = count().await.map_err(failed)?;
    for some in rows.chunks(GO) {
        let noted: Vec<_> = some.iter().map(|row| row.noted(tenant.as_str(), &actor)).collect();
        note(&tx, now, &noted).await.map_err(failed)?;
    }
    let added = count().await.map_err(failed)? - before;
    if is_dry {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    if is_json {
        println!("{:#}", json!({"imported": !is_dry, "rows": rows.len(), "added": added, "mistakes": []}));
    } else {
        let done = if is_dry { "would be added; nothing was written" } else { "added" };
        println!("{} rows: {added} {done}, the others were there", rows.len());
    }
    Ok(())
}

fn refused(name: &str, mistakes: &[Mistake], is_json: bool) -> anyhow::Result<()> {
    if is_json {
        let list: Vec<_> = mistakes.iter().map(|(line, what)| json!({"line": line, "what": what})).collect();
        println!("{:#}", json!({"imported": false, "mistakes": list}));
    } else {
        for (line, what) in mistakes {
            eprintln!("{name}:{line}: {what}");
        }
    }
    let count = mistakes.len();
    anyhow::bail!("{count} mistake{} in {name}; nothing was written", if count == 1 { "" } else { "s" })
}
