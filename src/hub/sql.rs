//! Statements through the connection's cache of prepared ones: one round trip each on the hot path.

use deadpool_postgres::Transaction;
use futures_util::future::try_join_all;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::failure::Failure;

/// Rows of a statement.
pub async fn rows(tx: &Transaction<'_>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.query(&statement, params).await?)
}

/// The row of a statement, where there is one.
pub async fn row(tx: &Transaction<'_>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Failure> {
    Ok(rows(tx, sql, params).await?.into_iter().next())
}

/// Rows of statements that need no answer of each other, in one round trip. They run in their order, and all are prepared
/// before the first is sent.
pub async fn together<const N: usize>(
    tx: &Transaction<'_>,
    asked: [(&str, &[&(dyn ToSql + Sync)]); N],
) -> Result<Vec<Vec<Row>>, Failure> {
    let mut statements = Vec::with_capacity(N);
    for (sql, _) in asked {
        statements.push(tx.prepare_cached(sql).await?);
    }
    let answers = statements.iter().zip(asked).map(|(statement, (_, params))| tx.query(statement, params));
    Ok(try_join_all(answers).await?)
}

/// How many rows a statement touched.
pub async fn touch(tx: &Transaction<'_>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Failure> {
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.execute(&statement, params).await?)
}
