//! `texthub audit`: every invariant, recounted; status 1 when one is broken, or when an id is unknown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use texthub::records::audit;
use tokio_postgres::IsolationLevel;

/// What to audit.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// A file with ids of facts, one a line: tell what became of each.
    #[arg(long)]
    ids: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Audits.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let pool = super::pool(&super::config()?)?;
    let mut client = pool.get().await?;
    let tx = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
    let wrong = |failure| anyhow::anyhow!("{failure}");
    let findings = audit::audit(&tx).await.map_err(wrong)?;
    let broken = findings.iter().filter(|finding| !finding.broken.is_empty()).count();
    let fates = match &asked.ids {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| anyhow::anyhow!("cannot read {}: {error}", path.display()))?;
            let ids: Vec<String> =
                text.lines().map(|line| line.trim().to_owned()).filter(|id| !id.is_empty()).collect();
            let mut fates = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(5000) {
                fates.extend(audit::fates(&tx, chunk).await.map_err(wrong)?);
            }
            Some(fates)
        }
        None => None,
    };
    let unknown = fates.iter().flatten().filter(|(_, fate)| fate == "unknown").count();
    if asked.json {
        let ids: Option<BTreeMap<&String, &String>> =
            fates.as_ref().map(|fates| fates.iter().map(|(id, fate)| (id, fate)).collect());
        println!("{:#}", json!({"clean": broken == 0 && unknown == 0, "invariants": findings, "ids": ids}));
    } else {
        for finding in &findings {
            println!(
                "{}  {:<32} {}",
                if finding.broken.is_empty() { "ok    " } else { "BROKEN" },
                finding.invariant,
                finding.says
            );
            finding.broken.iter().for_each(|line| println!("          {line}"));
        }
        for (id, fate) in fates.iter().flatten() {
            println!("{id} {fate}");
        }
    }
    anyhow::ensure!(broken == 0, "{broken} of {} invariants are broken", findings.len());
    anyhow::ensure!(
        unknown == 0,
        "{unknown} ids are unknown: neither recorded nor refused nor set aside (a queue may hold them)"
    );
    Ok(())
}
