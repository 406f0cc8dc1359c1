//! session.due → session.expired, or armed again. The row's deadline decides by the database's clock, under the lock:
//! ahead → the remainder is armed under the next generation; past → expired. Equal generations act; one behind and
//! redelivered says the row's generation again; any other is stale, so repeats never multiply.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use texthub::facts::due::SessionDue;
use texthub::facts::envelope::{Message, Publication};
use texthub::facts::ids::{FactId, RoomId, SessionId};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::contact;
use texthub::hub::inbound::expiry;
use texthub::hub::memory::{self, Kept};
use texthub::hub::room;
use texthub::hub::session::{self, Session};
use texthub::runtime::worker::{Context, Outcome, Worker};

heard! {
    /// The timer.
    pub enum Due { SessionDue(SessionDue) }
}

/// The worker.
pub struct ExpireSession;

impl Worker for ExpireSession {
    const NAME: &'static str = "expire_session";
    type Fact = Due;

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Due>],
    ) -> Result<Vec<Outcome>, Failure> {
        let rooms: HashSet<RoomId> =
            batch.iter().map(|Message { body: Due::SessionDue(due), .. }| due.room_id).collect();
        let rooms: Vec<RoomId> = rooms.into_iter().collect();
        room::lock(tx, &rooms).await?;
        contact::lock_of_rooms(tx, &rooms).await?;
        let mut live: HashMap<SessionId, Session> =
            session::lock_of_rooms(tx, &rooms).await?.into_iter().map(|s| (s.id, s)).collect();
        let mut said: HashMap<FactId, Vec<Publication>> = HashMap::new();
        let mut armed: Vec<(SessionId, i32, Timestamp)> = Vec::new();
        let mut past: Vec<(&Message<Due>, Session)> = Vec::new();
        let mut gone: Vec<FactId> = Vec::new();
        for message in batch {
            let Due::SessionDue(due) = &message.body;
            let Some(session) = live.get_mut(&due.session_id) else {
                gone.push(message.id);
                continue;
            };
            if session.timer_gen == due.generation + 1 && message.is_redelivered {
                said.insert(message.id, vec![session::arm(ctx.now, session)]);
            } else if session.timer_gen == due.generation && session.deadline_at <= ctx.now {
                past.extend(live.remove(&due.session_id).map(|session| (message, session)));
            } else if session.timer_gen == due.generation {
                session.timer_gen += 1;
                session.timer_due_at = session.deadline_at;
                armed.push((session.id, session.timer_gen, session.deadline_at));
                said.insert(message.id, vec![session::arm(ctx.now, session)]);
            }
        }
        session::rearm(tx, &armed).await?;
        expire(tx, ctx, &past, &mut said).await?;
        said.extend(memory::said_of(tx, Self::NAME, &gone).await?);
        Ok(batch
            .iter()
            .map(|m| {
                let said = said.remove(&m.id).unwrap_or_default();
                Outcome::Done(said.into_iter().map(|p| p.traced(m.traceparent.as_deref())).collect())
            })
            .collect())
    }
}

/// Ends the contacts of sessions past their deadline, set-based, and keeps what is said for a repeat.
async fn expire(
    tx: &Transaction<'_>,
    ctx: &Context,
    past: &[(&Message<Due>, Session)],
    said: &mut HashMap<FactId, Vec<Publication>>,
) -> Result<(), Failure> {
    if past.is_empty() {
        return Ok(());
    }
    let endings: Vec<_> = past.iter().map(|(message, session)| expiry(message.id, session.contact_id)).collect();
    let ended = contact::end(tx, ctx.now, &endings).await?;
    let ended: Vec<Vec<Publication>> = ended.into_iter().map(Option::unwrap_or_default).collect();
    let kept: Vec<Kept<'_>> = past
        .iter()
        .zip(&ended)
        .map(|((message, session), said)| Kept {
            id: message.id,
            fact: message.fact,
            tenant: &session.tenant,
            digest: &message.digest,
            said,
        })
        .collect();
    memory::keep(tx, ctx.now, ExpireSession::NAME, &kept).await?;
    for ((message, _), ended) in past.iter().zip(ended) {
        said.insert(message.id, ended);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
