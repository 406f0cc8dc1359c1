//! The pool of connections to Postgres, and the migrations under a lock. Every wait has an end.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, PoolError, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::NoTls;

use crate::failure::Failure;

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Nobody else may migrate meanwhile: an arbitrary number of our own.
const MIGRATING: i64 = 0x7465_7874_6875_6201;

/// The hot path's statements are set-based on small sets and find their rows by index. A generic plan is made once, and
/// by what the tables held then: made while a table was small, a sequential scan or a hash of all of it would stay when it
/// has grown. So plans here do not depend on how full a table is; commands that count whole tables take this back.
const PLANS: &str = "set plan_cache_mode = force_generic_plan; set jit = off;
    set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off";

/// A pool of at most `size` connections.
///
/// # Errors
/// A sentence where the URL is none.
pub fn pool(url: &str, name: &str, size: usize) -> Result<Pool, String> {
    let mut config: tokio_postgres::Config = url.parse().map_err(|error| format!("TEXTHUB_DATABASE_URL: {error}"))?;
    config.application_name(name).connect_timeout(Duration::from_secs(5)).keepalives_idle(Duration::from_secs(30));
    config.options(
        "-c statement_timeout=20s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s -c timezone=UTC",
    );
    let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    let wait = Some(Duration::from_secs(10));
    Pool::builder(manager)
        .max_size(size)
        // the connection used last has its plans and its catalogue at hand
        .queue_mode(QueueMode::Lifo)
        .timeouts(Timeouts { wait, create: wait, recycle: wait })
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(PLANS).await.map_err(HookError::Backend) })
        }))
        .build()
        .map_err(|error| error.to_string())
}

/// Brings the schema to this program's version: one process at a time.
///
/// # Errors
/// A sentence: the database is away, or a migration was changed after it ran.
pub async fn migrate(pool: &Pool) -> Result<u32, String> {
    let mut client = pool.get().await.map_err(|error| error.to_string())?;
    let set = "set statement_timeout = 0; set lock_timeout = 0";
    client.batch_execute(set).await.map_err(|error| error.to_string())?;
    client.execute("select pg_advisory_lock($1)", &[&MIGRATING]).await.map_err(|error| error.to_string())?;
    let report = migrations::migrations::runner().run_async(&mut **client).await;
    let unlocked = client.execute("select pg_advisory_unlock($1)", &[&MIGRATING]).await;
    // its settings are not for anybody else
    let _gone = deadpool_postgres::Object::take(client);
    let report = report.map_err(|error| error.to_string())?;
    unlocked.map_err(|error| error.to_string())?;
    Ok(u32::try_from(report.applied_migrations().len()).unwrap_or(u32::MAX))
}

/// The newest migration of this program.
#[must_use]
pub fn newest() -> i32 {
    let all = migrations::migrations::runner();
    i32::try_from(all.get_migrations().iter().map(|m| i64::from(m.version())).max().unwrap_or(0)).unwrap_or(i32::MAX)
}

/// The newest migration of the database; 0 where none ran.
///
/// # Errors
/// The database is away.
pub async fn version(pool: &Pool) -> Result<i32, Failure> {
    let client = pool.get().await?;
    let row = client
        .query_one("select case when to_regclass('refinery_schema_history') is null then 0 else 1 end", &[])
        .await?;
    if row.get::<_, i32>(0) == 0 {
        return Ok(0);
    }
    let row = client.query_one("select coalesce(max(version), 0)::int from refinery_schema_history", &[]).await?;
    Ok(row.get(0))
}

/// Whether Postgres answers, and takes writes.
///
/// # Errors
/// It is away, a standby, out of disk.
pub async fn answers(pool: &Pool) -> Result<(), PoolError> {
    let client = pool.get().await?;
    client.simple_query("update settings set value = value where name = 'partitions'").await?;
    Ok(())
}

/// The database's clock, for commands: when their transaction began.
///
/// # Errors
/// A database that is away.
pub async fn now(tx: &deadpool_postgres::Transaction<'_>) -> Result<jiff::Timestamp, Failure> {
    Ok(tx.query_one("select now()", &[]).await?.get(0))
}
