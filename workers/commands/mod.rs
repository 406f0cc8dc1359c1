//! The commands: what people and scripts ask for. 0 done, 1 refused or failed, 2 wrong usage.

pub mod apply;
pub mod asyncapi;
pub mod audit;
pub mod bench;
pub mod carriers;
pub mod dead;
pub mod demo;
pub mod dev;
pub mod end;
pub mod flow;
pub mod health;
pub mod partitions;
pub mod replay;
pub mod run;
pub mod setup;
pub mod simulate;
pub mod sms;
pub mod transcripts;
pub mod watch;
pub mod why;

use deadpool_postgres::Pool;
use texthub::config::Config;
use texthub::runtime::db;

/// The settings, or the mistakes in them.
pub fn config() -> anyhow::Result<Config> {
    Config::read().map_err(|mistakes| anyhow::anyhow!("{mistakes}"))
}

/// A pool for a command.
pub fn pool(config: &Config) -> anyhow::Result<Pool> {
    db::pool(config.database(), "texthub command", 2).map_err(|error| anyhow::anyhow!("{error}"))
}
