//! Retry or Reject: the one place where errors of libraries are classified. Workers use `?` and nothing else.

use tokio_postgres::error::SqlState;

use crate::facts::envelope::Reason;

/// Why a batch could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Serialization, deadlock or lock time-out: the batch again.
    #[error("contention: {0}")]
    Retry(String),
    /// The database cannot be reached: hold the batch, then consume again only when it answers.
    #[error("database away: {0}")]
    Away(String),
    /// One message of the batch cannot be handled, ever.
    #[error("{0}")]
    Reject(Reason),
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::Reject(reason)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            let source = std::error::Error::source(&error);
            return if error.is_closed() || source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>) {
                Self::Away(error.to_string())
            } else {
                // a value of ours that the driver could not convert
                Self::Reject(Reason::new("broken_invariant", error.to_string()))
            };
        };
        let code = db.code();
        let retried = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::QUERY_CANCELED,
            // two tries of the same fact raced; the second one finds the first one's rows
            SqlState::UNIQUE_VIOLATION,
            // of statements that go together, an earlier one failed and its answer was not read yet
            SqlState::IN_FAILED_SQL_TRANSACTION,
        ];
        if retried.contains(code) {
            return Self::Retry(format!("{} {}", code.code(), db.message()));
        }
        // data, constraints, what our triggers raise, too large for an index: the message's own fault, or our defect
        if ["22", "23", "P0", "54"].iter().any(|class| code.code().starts_with(class)) {
            // no detail: it may quote a row
            return Self::Reject(Reason::new(
                "broken_invariant",
                format!("SQLSTATE {}: {}", code.code(), db.message()),
            ));
        }
        // a standby, missing rights, a schema of another version, no disk: no fault of the message
        Self::Away(format!("{} {}", code.code(), db.message()))
    }
}

impl From<deadpool_postgres::PoolError> for Failure {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(inner) => Self::Away(inner.to_string()),
            other => Self::Away(other.to_string()),
        }
    }
}
