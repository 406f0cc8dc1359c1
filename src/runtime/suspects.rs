//! Messages suspected of ending their process: under way twice when one ended. Each try of a suspect is noted before it
//! begins, so that the one that ends its process every time is told from its neighbours, who were only prefetched
//! beside it. (Taking less from the queue would spare them the count and cost the order: what a consumer held goes back
//! to the end of the list of returned messages, so whoever takes fewer than were returned turns that list round.)

use deadpool_postgres::Pool;
use lapin::message::Delivery;
use uuid::Uuid;

use crate::amqp::delivery;
use crate::failure::Failure;

/// Deliveries before it is a suspect.
const FROM: i64 = 2;
/// The try at which it is set aside instead: with the deliveries before, its eighth.
const LAST: i32 = 6;

/// It was under way twice when a process ended.
#[must_use]
pub fn is_one(delivery: &Delivery) -> bool {
    delivery::delivery_count(delivery) >= FROM
}

/// Its id, else one that follows from its body: whatever a producer sent, it can be stored.
fn key(delivery: &Delivery) -> Uuid {
    let named = delivery.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
    named.unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, &delivery.data))
}

/// Notes that a suspect is begun; true where that happened too often. A database that is away says no: the message is
/// begun all the same, and waits for it there.
pub async fn is_over(pool: &Pool, worker: &str, delivery: &Delivery) -> bool {
    match begin(pool, worker, key(delivery)).await {
        Ok(tries) => tries >= LAST,
        Err(failure) => {
            tracing::warn!(worker, reason = %failure, "the try of a suspect was not noted");
            false
        }
    }
}

async fn begin(pool: &Pool, worker: &str, message: Uuid) -> Result<i32, Failure> {
    let client = pool.get().await?;
    let sql = "insert into suspects as s (worker, message, tries, at) values ($1, $2, 1, now())
               on conflict (worker, message) do update set tries = s.tries + 1, at = now() returning tries";
    Ok(client.query_one(&client.prepare_cached(sql).await?, &[&worker, &message]).await?.get(0))
}

/// It was handled, and its process lives. What stays behind does no harm.
pub async fn clear(pool: &Pool, worker: &str, delivery: &Delivery) {
    let cleared: Result<(), Failure> = async {
        let client = pool.get().await?;
        let sql = "delete from suspects where worker = $1 and message = $2";
        client.execute(&client.prepare_cached(sql).await?, &[&worker, &key(delivery)]).await?;
        Ok(())
    }
    .await;
    if let Err(failure) = cleared {
        tracing::warn!(worker, reason = %failure, "a suspect was not cleared");
    }
}
