//! What a visitor gets to see: the texts of its own rooms in their order, and how the chat stands. Notes are left out here,
//! in the query, and so is all that is not the visitor's: every read names tenant, point of contact and visitor.

use std::collections::{BTreeSet, HashMap};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::door::Door;
use crate::facts::ids::{ContactId, RoomId, Slug};
use crate::failure::Failure;
use crate::hub::sql;

/// Most lines of a room in one read.
const PAGE: i64 = 200;
/// Most rooms that a visitor is caught up with.
const ROOMS: i64 = 10;

/// Up to where somebody has seen: the last line of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which room.
    pub room: RoomId,
    /// The line's number in it.
    pub seq: i32,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.room, self.seq)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (room, seq) = text.split_once('.').ok_or(())?;
        Ok(Self { room: room.parse().map_err(|_| ())?, seq: seq.parse().map_err(|_| ())? })
    }
}

/// Who wrote a line, as visitors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The visitor.
    Visitor,
    /// An agent.
    Agent,
    /// The company, by itself.
    Company,
}

/// A line that the visitor sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Line {
    /// Of the visitor's own: the id that it was handed in under; else the line's own.
    pub id: Uuid,
    /// Who wrote it.
    pub author: Author,
    /// The agent's name on screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was written.
    pub text: String,
    /// When it was recorded.
    #[schema(value_type = String, format = "date-time")]
    pub at: Timestamp,
    #[serde(skip)]
    #[schema(ignore)]
    /// Who of the agents.
    pub agent: Option<Slug>,
    #[serde(skip)]
    #[schema(ignore)]
    /// Its place.
    pub cursor: Cursor,
}

/// How a chat stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Standing {
    /// `idle`: nothing was written yet; `automatic`: a flow answers; `waiting` for an agent; `active`; `over`.
    pub state: &'static str,
    /// Of the agent who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it is over: `timed_out`, `left`, `nobody_came`, `ended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip)]
    #[schema(ignore)]
    /// The room it is about.
    pub room: Option<RoomId>,
    #[serde(skip)]
    #[schema(ignore)]
    /// The contact that lives in it.
    pub contact: Option<ContactId>,
}

/// What is new to a visitor.
#[derive(Clone, Debug)]
pub struct View {
    /// In their order.
    pub lines: Vec<Line>,
    /// How it stands now.
    pub standing: Standing,
    /// There is more: read again from the last line.
    pub is_cut: bool,
}

struct Room {
    id: RoomId,
    closed_at: Option<Timestamp>,
    close_reason: Option<String>,
    outcome: Option<String>,
    agent: Option<Slug>,
}

/// What a visitor has not seen: since a line, else all of the newest room.
///
/// # Errors
/// Contention or a database that is away.
pub async fn read(tx: &Transaction<'_>, door: &Door, visitor: Uuid, since: Option<Cursor>) -> Result<View, Failure> {
    // newest first
    let mut rooms = rooms(tx, door, visitor).await?;
    let Some(newest) = rooms.first() else {
        let standing = Standing { state: "idle", name: None, reason: None, room: None, contact: None };
        return Ok(View { lines: Vec::new(), standing, is_cut: false });
    };
    let (mut standing, agent) = standing(tx, newest).await?;
    // a place in a room that is not the visitor's own is none
    let known =
        since.and_then(|cursor| rooms.iter().position(|room| room.id == cursor.room).map(|at| (at, cursor.seq)));
    rooms.truncate(known.map_or(1, |(at, _)| at + 1));
    let (mut lines, mut is_cut) = (Vec::new(), false);
    for (nr, room) in rooms.iter().rev().enumerate() {
        let after = known.filter(|_| nr == 0).map_or(0, |(_, seq)| seq);
        let page = page(tx, room.id, after).await?;
        is_cut = i64::try_from(page.len()).is_ok_and(|lines| lines == PAGE);
        lines.extend(page);
        if is_cut {
            break;
        }
    }
    let agents: BTreeSet<&Slug> = lines.iter().filter_map(|line| line.agent.as_ref()).chain(&agent).collect();
    let names = names(tx, &door.tenant, &agents).await?;
    let name =
        |agent: &Option<Slug>| agent.as_ref().map(|agent| names.get(agent).cloned().unwrap_or_else(|| name_of(agent)));
    standing.name = name(&agent);
    for line in &mut lines {
        line.name = name(&line.agent);
    }
    Ok(View { lines, standing, is_cut })
}

/// Names on screen, of those agents who are users.
async fn names(
    tx: &Transaction<'_>,
    tenant: &Slug,
    agents: &BTreeSet<&Slug>,
) -> Result<HashMap<Slug, String>, Failure> {
    if agents.is_empty() {
        return Ok(HashMap::new());
    }
    let agents: Vec<&&Slug> = agents.iter().collect();
    let users = "select coalesce(agent, id), name from users
         where tenant = $1 and ended_at is null and coalesce(agent, id) = any($2) order by agent nulls last";
    let rows = sql::rows(tx, users, &[tenant, &agents]).await?;
    Ok(rows.iter().rev().map(|row| (row.get(0), row.get(1))).collect())
}

async fn rooms(tx: &Transaction<'_>, door: &Door, visitor: Uuid) -> Result<Vec<Room>, Failure> {
    let rows = sql::rows(
        tx,
        "(select id, closed_at, close_reason, outcome, agent from rooms
          where tenant = $1 and our_number = $2 and our_country = '' and customer_number = $3 and channel = 'chat'
            and closed_at is null)
         union all
         (select id, closed_at, close_reason, outcome, agent from rooms
          where tenant = $1 and customer_number = $3 and our_number = $2 and channel = 'chat' and closed_at is not null
          order by opened_at desc, id limit $4)",
        &[&door.tenant, &door.point, &visitor.to_string(), &ROOMS],
    )
    .await?;
    let of_row = |row: &tokio_postgres::Row| Room {
        id: row.get(0),
        closed_at: row.get(1),
        close_reason: row.get(2),
        outcome: row.get(3),
        agent: row.get(4),
    };
    Ok(rows.iter().map(of_row).collect())
}

async fn page(tx: &Transaction<'_>, room: RoomId, after: i32) -> Result<Vec<Line>, Failure> {
    let rows = sql::rows(
        tx,
        "select seq, case when author = 'customer' then caused_by else id end, author, agent, text, at
         from entries where room_id = $1 and seq > $2 and kind = 'text' order by seq limit $3",
        &[&room, &after, &PAGE],
    )
    .await?;
    let line = |row: &tokio_postgres::Row| Line {
        id: row.get(1),
        author: match row.get::<_, &str>(2) {
            "customer" => Author::Visitor,
            "agent" => Author::Agent,
            _ => Author::Company,
        },
        name: None,
        agent: row.get(3),
        text: row.get(4),
        at: row.get(5),
        cursor: Cursor { room, seq: row.get(0) },
    };
    Ok(rows.iter().map(line).collect())
}

/// How it stands, and who of the agents has it.
async fn standing(tx: &Transaction<'_>, room: &Room) -> Result<(Standing, Option<Slug>), Failure> {
    let mut standing = Standing { state: "over", name: None, reason: None, room: Some(room.id), contact: None };
    if room.closed_at.is_some() {
        standing.reason = Some(match (room.outcome.as_deref(), room.close_reason.as_deref()) {
            (_, Some("visitor_left")) => "left",
            (Some("expired"), _) => "timed_out",
            (Some("abandoned"), _) => "nobody_came",
            _ => "ended",
        });
        return Ok((standing, None));
    }
    let row = sql::row(
        tx,
        "select id, state from contacts
         where room_id = $1 and state in ('prequeue', 'queued', 'offered', 'active', 'parked')",
        &[&room.id],
    )
    .await?;
    let state: Option<String> = row.as_ref().map(|row| row.get(1));
    standing.contact = row.map(|row| row.get(0));
    standing.state = match state.as_deref() {
        Some("active") => "active",
        // laid aside: who has it comes back to it
        Some("parked") if room.agent.is_some() => "active",
        Some("queued" | "offered" | "parked") => "waiting",
        _ => "automatic",
    };
    let agent = room.agent.clone().filter(|_| standing.state == "active");
    Ok((standing, agent))
}

/// The name on screen of an agent who is no user: of `mama-bear`, Mama Bear.
#[must_use]
pub fn name_of(agent: &Slug) -> String {
    let words = agent.as_str().split(['-', '_']).filter(|word| !word.is_empty());
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    words.map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let cursor = Cursor { room: RoomId(Uuid::from_u128(7)), seq: 12 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for no_cursor in ["", "12", "x.12", "00000000-0000-0000-0000-000000000007.x"] {
            assert_eq!(no_cursor.parse::<Cursor>(), Err(()), "{no_cursor}");
        }
    }

    #[test]
    fn agents_have_names() {
        let name = |slug: &str| name_of(&Slug::new(slug).unwrap());
        assert_eq!(
            (name("mama-bear").as_str(), name("eve_2").as_str(), name("a--b").as_str()),
            ("Mama Bear", "Eve 2", "A B")
        );
    }
}
