//! The commands: what people and scripts ask for. 0 done, 1 refused or failed, 2 wrong usage.

pub mod apply;
pub mod asyncapi;
pub mod audit;
pub mod bench;
pub mod block;
pub mod carriers;
pub mod consent;
pub mod dead;
pub mod demo;
pub mod dev;
pub mod end;
pub mod flow;
pub mod health;
pub mod media;
pub mod openapi;
pub mod partitions;
pub mod replay;
pub mod run;
pub mod setup;
pub mod simulate;
pub mod sms;
pub mod transcripts;
pub mod users;
pub mod watch;
pub mod why;

use deadpool_postgres::Pool;
use texthub::config::Config;
use texthub::hub::consent::key;
use texthub::runtime::db;

/// The settings, or the mistakes in them. The key of forgotten customers is this process's from here on.
pub fn config() -> anyhow::Result<Config> {
    let config = Config::read().map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
    key::install(config.consent_key.clone());
    Ok(config)
}

/// A pool for a command.
pub fn pool(config: &Config) -> anyhow::Result<Pool> {
    db::pool(config.database(), "texthub command", 2).map_err(|error| anyhow::anyhow!("{error}"))
}

/// A pool for a command that writes: the schema must be this program's.
pub async fn pool_to_write(config: &Config) -> anyhow::Result<Pool> {
    let pool = pool(config)?;
    anyhow::ensure!(
        db::version(&pool).await.is_ok_and(|version| version == db::newest()),
        "the schema is not at this program's version; run `texthub migrate` first"
    );
    Ok(pool)
}

/// Who does it: as given, else the login's name, as an operator.
pub fn actor(by: Option<&str>) -> String {
    let operator = || format!("operator:{}", Config::given("USER").unwrap_or_else(|| "unknown".into()));
    by.map_or_else(operator, str::to_owned)
}
