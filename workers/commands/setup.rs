//! `texthub migrate`: brings the schema to this program's version.

use texthub::runtime::db;

/// Migrates.
pub async fn migrate() -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = super::pool(&config)?;
    let applied = db::migrate(&pool).await.map_err(|error| anyhow::anyhow!("migrate: {error}"))?;
    println!("schema at version {} ({applied} applied)", db::newest());
    Ok(())
}
