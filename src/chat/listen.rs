//! How a gateway hears that a chat goes on: a queue of its own on the exchange `texthub`, gone with it. Keys tell whose
//! conversation it is; a body is opened only of facts whose key names the tenant alone. Announcements are not kept for who
//! is not there, so now and then the rows are asked whether something was missed.

use std::time::Duration;

use deadpool_postgres::{Pool, Transaction};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use serde::Deserialize;
use uuid::Uuid;

use super::board::{Asked, Board, Seen};
use crate::amqp::topology::FRONT;
use crate::amqp::{Lost, patiently};
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;
use crate::runtime::supervisor::Host;

/// Facts whose key names the conversation.
const BY_KEY: &[&str] = &["room.opened", "room.closed", "entry.appended"];
/// Facts whose body names the room or the contact.
const BY_BODY: &[&str] = &["contact.queued", "contact.moved", "offer.settled", "session.started"];
/// How often the rows are asked.
const LOOKS: Duration = Duration::from_secs(20);
/// Most that wait in the queue; older ones give way, and the look finds what they told.
const KEPT: i32 = 10_000;
/// Conversations asked for in one statement.
const PAGE: usize = 1_000;

#[derive(Deserialize)]
struct About {
    room_id: Option<Uuid>,
    contact_id: Option<Uuid>,
}

/// Wakes who waits, until told to stop.
///
/// # Errors
/// `Lost`: the supervisor rebuilds everything, and the first look finds what was said meanwhile.
pub async fn listen(host: &Host, board: &Board) -> Result<(), Lost> {
    let channel = host.link.consuming().await?;
    let mut consumer = consumer(&channel).await?;
    let mut looks = tokio::time::interval(LOOKS);
    loop {
        tokio::select! {
            biased;
            () = host.stop.cancelled() => return Ok(()),
            delivery = consumer.next() => {
                let ended = || Lost("the stream of deliveries ended".into());
                heard(board, &delivery.ok_or_else(ended)??);
            }
            _ = looks.tick() => {
                if let Err(failure) = look(&host.pool, board).await {
                    tracing::warn!(reason = %failure, "chats could not be looked at; the next look will do");
                }
            }
        }
    }
}

async fn consumer(channel: &Channel) -> Result<Consumer, Lost> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(KEPT));
    let options = QueueDeclareOptions::exclusive();
    let queue = patiently("queue", channel.queue_declare("".into(), options, arguments)).await?;
    let name = queue.name().clone();
    for fact in BY_KEY.iter().chain(BY_BODY) {
        let (key, options) = (format!("{fact}.#"), QueueBindOptions::default());
        let bound = channel.queue_bind(name.clone(), FRONT.into(), key.into(), options, FieldTable::default());
        patiently("bind", bound).await?;
    }
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    patiently("consume", channel.basic_consume(name, "".into(), options, FieldTable::default())).await
}

fn heard(board: &Board, delivery: &Delivery) {
    let mut words = delivery.routing_key.as_str().splitn(3, '.');
    let (Some(noun), Some(verb), Some(scope)) = (words.next(), words.next(), words.next()) else { return };
    if BY_KEY.iter().any(|fact| fact.split_once('.') == Some((noun, verb))) {
        board.wake(scope);
    } else if let Ok(about) = serde_json::from_slice::<About>(&delivery.data) {
        for id in [about.room_id, about.contact_id].into_iter().flatten() {
            board.wake_about(id);
        }
    }
}

/// Asks the rows how the chats stand that somebody waits for.
async fn look(pool: &Pool, board: &Board) -> Result<(), Failure> {
    for tenant in board.tenants() {
        for asked in board.of_tenant(&tenant).chunks(PAGE) {
            let mut client = pool.get().await?;
            let tx = client.transaction().await?;
            look_at(&tx, &tenant, asked, board).await?;
            tx.rollback().await?;
        }
    }
    Ok(())
}

async fn look_at(tx: &Transaction<'_>, tenant: &Slug, asked: &[Asked], board: &Board) -> Result<(), Failure> {
    let points: Vec<&Slug> = asked.iter().map(|a| &a.point).collect();
    let visitors: Vec<&str> = asked.iter().map(|a| a.visitor.as_str()).collect();
    let rows = sql::rows(
        tx,
        "select r.id, r.next_seq, c.state, r.agent
         from unnest($2::text[], $3::text[]) with ordinality as a (point, visitor, nr)
         left join rooms r on r.tenant = $1 and r.our_number = a.point and r.our_country = ''
           and r.customer_number = a.visitor and r.channel = 'chat' and r.closed_at is null
         left join contacts c on c.room_id = r.id and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked')
         order by a.nr",
        &[tenant, &points, &visitors],
    )
    .await?;
    for (asked, row) in asked.iter().zip(&rows) {
        let state: Option<String> = row.get(2);
        let found = Seen {
            room: row.get(0),
            next_seq: row.get::<_, Option<i32>>(1).unwrap_or_default(),
            contact: state.map(|state| (state, row.get(3))),
        };
        board.found(&asked.scope, found);
    }
    Ok(())
}
