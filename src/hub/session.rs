//! Sessions: the window customer ↔ our number with its deadline. A text only moves `deadline_at` (a HOT update); one
//! timer message is under way at a time, and its generation stands on the row and in the message.

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use super::sql;
use crate::facts::due::SessionDue;
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{ContactId, FactId, RoomId, SessionId, Slug};
use crate::facts::said::{SessionExpired, SessionExtended, SessionStarted};
use crate::failure::Failure;

/// A live session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub tenant: Slug,
    /// Where.
    pub room_id: RoomId,
    /// Of what.
    pub contact_id: ContactId,
    /// Whose contact.
    pub agent: Slug,
    /// Seconds from the last text to the deadline.
    pub timeout_s: i32,
    /// When it ends unless something is written.
    pub deadline_at: Timestamp,
    /// The armed timer's number.
    pub timer_gen: i32,
    /// What it was armed for; the deadline may have moved since.
    pub timer_due_at: Timestamp,
}

/// `now` and a span of seconds.
#[must_use]
pub fn after(now: Timestamp, seconds: i32) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}

pub(super) const COLUMNS: &str =
    "s.id, s.tenant, s.room_id, s.contact_id, s.agent, s.timeout_s, s.deadline_at, s.timer_gen, s.timer_due_at";

/// From the columns that begin at `at`.
pub(super) fn from_row(row: &Row, at: usize) -> Session {
    Session {
        id: row.get(at),
        tenant: row.get(at + 1),
        room_id: row.get(at + 2),
        contact_id: row.get(at + 3),
        agent: row.get(at + 4),
        timeout_s: row.get(at + 5),
        deadline_at: row.get(at + 6),
        timer_gen: row.get(at + 7),
        timer_due_at: row.get(at + 8),
    }
}

/// Locks the live sessions of locked rooms.
pub async fn lock_of_rooms(tx: &Transaction<'_>, rooms: &[RoomId]) -> Result<Vec<Session>, Failure> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select {COLUMNS} from sessions s where s.room_id = any($1) and s.ended_at is null order by s.id for update"
    );
    Ok(sql::rows(tx, &sql, &[&rooms]).await?.iter().map(|row| from_row(row, 0)).collect())
}

/// Starts the session of a locked room with generation 1; says it and arms its timer.
pub async fn start(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    session: &Session,
    traceparent: Option<&str>,
) -> Result<Vec<Publication>, Failure> {
    sql::touch(
        tx,
        "insert into sessions (id, tenant, room_id, contact_id, agent, started_at, timeout_s, deadline_at, timer_gen,
                               timer_due_at, traceparent)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &[
            &session.id,
            &session.tenant,
            &session.room_id,
            &session.contact_id,
            &session.agent,
            &now,
            &session.timeout_s,
            &session.deadline_at,
            &session.timer_gen,
            &session.timer_due_at,
            &traceparent,
        ],
    )
    .await?;
    let said = SessionStarted {
        id: cause.derive(SessionStarted::NAME, 0),
        cause_id: cause,
        at: now,
        tenant: session.tenant.clone(),
        session_id: session.id,
        room_id: session.room_id,
        contact_id: session.contact_id,
        agent: session.agent.clone(),
        deadline_at: session.deadline_at,
    };
    Ok(vec![Publication::of(&said, session.tenant.as_str()), arm(now, session).traced(traceparent)])
}

/// The timer message of a session's current generation; id and due time follow from the arming, so that a repeat is the
/// same message even when the deadline has moved since.
#[must_use]
pub fn arm(now: Timestamp, session: &Session) -> Publication {
    let root = FactId(session.id.0);
    let generation = session.timer_gen;
    let said = SessionDue {
        id: root.derive(SessionDue::NAME, generation.unsigned_abs()),
        cause_id: root,
        at: now,
        tenant: session.tenant.clone(),
        session_id: session.id,
        room_id: session.room_id,
        generation,
        due_at: session.timer_due_at,
    };
    Publication::of(&said, session.tenant.as_str()).at(session.timer_due_at)
}

/// Moves the deadlines of rooms' live sessions forward, never back.
pub async fn extend(tx: &Transaction<'_>, moved: &[(RoomId, Timestamp)]) -> Result<(), Failure> {
    if moved.is_empty() {
        return Ok(());
    }
    let (rooms, deadlines): (Vec<RoomId>, Vec<Timestamp>) = moved.iter().copied().unzip();
    sql::touch(
        tx,
        "update sessions s set deadline_at = greatest(s.deadline_at, m.deadline_at)
         from unnest($1::uuid[], $2::timestamptz[]) as m (room_id, deadline_at)
         where s.room_id = m.room_id and s.ended_at is null",
        &[&rooms, &deadlines],
    )
    .await?;
    Ok(())
}

/// Gives a locked live session to another agent: as an accept does, it sets the deadline to now + timeout. Says so.
pub async fn hand_over(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    session: &Session,
    agent: &Slug,
) -> Result<Publication, Failure> {
    let deadline_at = after(now, session.timeout_s).max(session.deadline_at);
    sql::touch(
        tx,
        "update sessions set agent = $2, deadline_at = $3 where id = $1 and ended_at is null",
        &[&session.id, agent, &deadline_at],
    )
    .await?;
    let said = SessionExtended {
        id: cause.derive_of(SessionExtended::NAME, session.id.0),
        cause_id: cause,
        at: now,
        tenant: session.tenant.clone(),
        session_id: session.id,
        room_id: session.room_id,
        contact_id: session.contact_id,
        agent: agent.clone(),
        deadline_at,
    };
    Ok(Publication::of(&said, session.tenant.as_str()))
}

/// Puts sessions on their next generation, armed for the deadline they have now: (session, generation, due).
pub async fn rearm(tx: &Transaction<'_>, armed: &[(SessionId, i32, Timestamp)]) -> Result<(), Failure> {
    if armed.is_empty() {
        return Ok(());
    }
    let ids: Vec<SessionId> = armed.iter().map(|a| a.0).collect();
    let generations: Vec<i32> = armed.iter().map(|a| a.1).collect();
    let dues: Vec<Timestamp> = armed.iter().map(|a| a.2).collect();
    sql::touch(
        tx,
        "update sessions s set timer_gen = a.generation, timer_due_at = a.due_at
         from unnest($1::uuid[], $2::int[], $3::timestamptz[]) as a (id, generation, due_at)
         where s.id = a.id and s.ended_at is null",
        &[&ids, &generations, &dues],
    )
    .await?;
    Ok(())
}

/// Ends sessions that still live: (session, reason).
pub async fn end(tx: &Transaction<'_>, now: Timestamp, ended: &[(SessionId, &str)]) -> Result<(), Failure> {
    if ended.is_empty() {
        return Ok(());
    }
    let (ids, reasons): (Vec<SessionId>, Vec<&str>) = ended.iter().copied().unzip();
    sql::touch(
        tx,
        "update sessions s set ended_at = $3, end_reason = e.reason
         from unnest($1::uuid[], $2::text[]) as e (id, reason) where s.id = e.id and s.ended_at is null",
        &[&ids, &reasons, &now],
    )
    .await?;
    Ok(())
}

/// The fact that tells of an expiry.
#[must_use]
pub fn say_expired(now: Timestamp, cause: FactId, session: &Session) -> Publication {
    let said = SessionExpired {
        id: cause.derive_of(SessionExpired::NAME, session.id.0),
        cause_id: cause,
        at: now,
        tenant: session.tenant.clone(),
        session_id: session.id,
        room_id: session.room_id,
        contact_id: session.contact_id,
        agent: session.agent.clone(),
        deadline_at: session.deadline_at,
    };
    Publication::of(&said, session.tenant.as_str())
}
