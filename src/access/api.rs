//! What every request to the gateway's API works with: the pool, the broker while it is there, and transactions that are
//! bound to one tenant.

use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{Object, Pool, Transaction};

use super::password::Hashing;
use super::problem::{Problem, Reason};
use crate::amqp::publisher::Publisher;
use crate::config::Config;
use crate::facts::ids::Slug;
use crate::outside::Outside;
use crate::outside::addresses::Allowed;
use crate::runtime::supervisor::Host;

/// The Postgres role that callers' transactions run as: no login, only the rights it needs, under row-level security.
pub const ROLE: &str = "texthub_gateway";

/// Shared by all requests of a process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// From the first moment that all was there: Postgres is asked even while the broker is away.
    pool: Mutex<Option<Pool>>,
    broker: Mutex<Option<Broker>>,
    public_url: String,
    proxies: Allowed,
    hashing: Hashing,
    outside: Outside,
}

/// Facts leave by it.
#[derive(Clone)]
pub struct Broker {
    /// With confirms.
    pub publisher: Publisher,
    /// P of the installation.
    pub partitions: u32,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

impl Api {
    /// For a process of these settings; nothing is there yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self(Arc::new(Inner {
            pool: Mutex::default(),
            broker: Mutex::default(),
            public_url: config.public_url.clone(),
            proxies: config.trusted_proxies.clone(),
            hashing: Hashing::default(),
            outside: Outside::new(config.webhook_private.clone()),
        }))
    }

    /// The link stands, or no longer does.
    pub fn stand(&self, host: Option<&Host>) {
        let broker = host.map(|host| Broker { publisher: host.publisher.clone(), partitions: host.partitions });
        *self.0.broker.lock().unwrap_or_else(PoisonError::into_inner) = broker;
        if let Some(host) = host {
            self.reach(&host.pool);
        }
    }

    /// Postgres is reached by this pool.
    pub fn reach(&self, pool: &Pool) {
        *self.0.pool.lock().unwrap_or_else(PoisonError::into_inner) = Some(pool.clone());
    }

    /// Where facts leave.
    ///
    /// # Errors
    /// `not_now` while the broker is away.
    pub fn broker(&self) -> Result<Broker, Problem> {
        let broker = self.0.broker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        broker.ok_or_else(|| Problem::saying(Reason::NotNow, "The message broker is away; try again in a moment."))
    }

    /// A connection for queries about one tenant.
    ///
    /// # Errors
    /// `not_now` before all was there once, or while Postgres is away.
    pub async fn db(&self, tenant: &Slug) -> Result<Db, Problem> {
        let pool = self.0.pool.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let client = pool.ok_or(Reason::NotNow)?.get().await?;
        Ok(Db { client, tenant: tenant.clone() })
    }

    /// Under which people call the gateway, without a slash at its end; empty: as they say themselves.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.0.public_url
    }

    /// Whether people call by HTTPS, as far as the settings say.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.public_url.starts_with("https://")
    }

    /// Where passwords are hashed.
    #[must_use]
    pub fn hashing(&self) -> &Hashing {
        &self.0.hashing
    }

    /// By which providers of sign-in are called.
    #[must_use]
    pub fn outside(&self) -> &Outside {
        &self.0.outside
    }

    /// Proxies whose word about the caller's address is taken.
    #[must_use]
    pub fn proxies(&self) -> &Allowed {
        &self.0.proxies
    }
}

/// A connection that is asked about one tenant alone.
pub struct Db {
    client: Object,
    tenant: Slug,
}

impl Db {
    /// Begins a transaction as [`ROLE`], bound to the tenant: a query without the tenant in its condition sees no
    /// stranger's row. Dropped, it leaves nothing.
    ///
    /// # Errors
    /// `not_now`: Postgres is away.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Problem> {
        let tx = self.client.transaction().await?;
        bind(&tx, &self.tenant).await?;
        Ok(tx)
    }
}

/// Binds a transaction to a tenant, to its end.
///
/// # Errors
/// `not_now`: Postgres is away.
pub async fn bind(tx: &Transaction<'_>, tenant: &Slug) -> Result<(), Problem> {
    // a slug holds no quote
    let text = format!("set local role {ROLE}; select set_config('texthub.tenant', '{tenant}', true)");
    Ok(tx.batch_execute(&text).await?)
}
