//! The only asker of the time. Decisions about rows use the database's clock (`Context::now`), never this one.

use jiff::Timestamp;

/// This machine's wall clock, for what stands outside the hub: simulated phones and carriers, logs.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::now()
}
