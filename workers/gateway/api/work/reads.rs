//! Reads of the work half: a desk, rooms with their transcripts, a customer's earlier rooms, live contacts, colleagues. Who
//! reads a transcript is noted in the audit log, in the transaction that reads it.

use axum::extract::State;
use deadpool_postgres::Transaction;
use serde::Deserialize;
use texthub::access::audit;
use texthub::access::caller::Caller;
use texthub::access::problem::{Problem, Reason};
use texthub::access::rights::Right;
use texthub::desk::read;
use texthub::desk::shape::{Colleague, Contact, ENTRIES, Entry, Room};
use texthub::facts::ids::{RoomId, Slug};
use texthub::runtime::clock;
use utoipa::IntoParams;
use uuid::Uuid;

use super::super::signing::me;
use super::super::{Gateway, Json, Path, Query};
use super::Snapshot;

/// Everything that the caller's desk begins with; the socket sends the same.
#[utoipa::path(get, path = "/desk", tag = "work", operation_id = "desk",
    responses((status = 200, description = "The desk", body = Snapshot)))]
pub async fn desk(State(gateway): State<Gateway>, caller: Caller) -> Result<Json<Snapshot>, Problem> {
    let agent = caller.agent.as_ref().filter(|_| caller.may(Right::Work));
    // whoever looks after agents need not be one
    if agent.is_none() && !caller.may(Right::Live) {
        caller.must_be_agent()?;
    }
    let mut db = gateway.api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let desk = read::desk(&tx, clock::near(), &caller.tenant, agent).await?;
    let rooms: Vec<Uuid> = desk.contacts.iter().map(|contact| contact.room_id).collect();
    noted(&tx, &caller, &rooms).await?;
    tx.commit().await?;
    drop(db);
    Ok(Json(Snapshot::new(me(&gateway.api, &caller).await?, desk)))
}

/// Whoever reads the transcript of a room: all of them by right, else an agent's own and those of the agent's customers.
async fn must_read(tx: &Transaction<'_>, caller: &Caller, room: RoomId) -> Result<(), Problem> {
    if caller.may(Right::Transcripts) {
        return Ok(());
    }
    let agent = caller.must_be_agent()?;
    // a stranger's room and one that is not there look the same
    if read::may_read(tx, &caller.tenant, agent, room).await? { Ok(()) } else { Err(Reason::NotFound.into()) }
}

/// Notes in the audit log that the transcripts of these rooms are read.
pub async fn noted(tx: &Transaction<'_>, caller: &Caller, rooms: &[Uuid]) -> Result<(), Problem> {
    let rooms: Vec<String> = rooms.iter().map(Uuid::to_string).collect();
    Ok(audit::note_each(tx, caller, "transcript_read", "room", &rooms).await?)
}

/// A room with its newest entries.
#[utoipa::path(get, path = "/rooms/{room_id}", tag = "work", operation_id = "room",
    params(("room_id" = Uuid, Path, description = "The room")),
    responses((status = 200, description = "The room", body = Room)))]
pub async fn room(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(room_id): Path<Uuid>,
) -> Result<Json<Room>, Problem> {
    let mut db = gateway.api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    must_read(&tx, &caller, RoomId(room_id)).await?;
    let room = read::room(&tx, &caller.tenant, RoomId(room_id)).await?.ok_or(Reason::NotFound)?;
    noted(&tx, &caller, &[room_id]).await?;
    tx.commit().await?;
    Ok(Json(room))
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Those before this number; else the newest.
    #[param(minimum = 1)]
    before: Option<i32>,
    /// How many, 1 to 200; else 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// Earlier entries of a room, in their order.
#[utoipa::path(get, path = "/rooms/{room_id}/entries", tag = "work", operation_id = "entries",
    params(("room_id" = Uuid, Path, description = "The room"), Page),
    responses((status = 200, description = "The entries", body = Vec<Entry>)))]
pub async fn entries(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(room_id): Path<Uuid>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Entry>>, Problem> {
    let limit = within(page.limit, ENTRIES, 200)?;
    let before = page.before.unwrap_or(i32::MAX);
    if before < 1 {
        return Err(Problem::field("before", "a number from 1"));
    }
    let mut db = gateway.api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    must_read(&tx, &caller, RoomId(room_id)).await?;
    // whoever may read all may still name a stranger's
    read::conversation_of(&tx, &caller.tenant, RoomId(room_id)).await?.ok_or(Reason::NotFound)?;
    let entries = read::page(&tx, RoomId(room_id), before, limit).await?;
    noted(&tx, &caller, &[room_id]).await?;
    tx.commit().await?;
    Ok(Json(entries))
}

fn within(given: Option<i64>, default: i64, most: i64) -> Result<i64, Problem> {
    match given.unwrap_or(default) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(Problem::field("limit", &format!("a number from 1 to {most}"))),
    }
}

/// How many rooms.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Rooms {
    /// 1 to 100; else 10.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// A customer's closed rooms, the newest first, without their entries.
#[utoipa::path(get, path = "/customers/{number}/rooms", tag = "work", operation_id = "roomsOfCustomer",
    params(("number" = String, Path, description = "The customer's number, or the visitor"), Rooms),
    responses((status = 200, description = "The rooms", body = Vec<Room>)))]
pub async fn rooms_of_customer(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(number): Path<String>,
    Query(rooms): Query<Rooms>,
) -> Result<Json<Vec<Room>>, Problem> {
    if !caller.may(Right::Transcripts) {
        caller.must_be_agent()?;
    }
    let limit = within(rooms.limit, 10, 100)?;
    if number.contains('\0') || number.len() > 100 {
        return Err(Reason::NotFound.into());
    }
    let mut db = gateway.api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    Ok(Json(read::of_customer(&tx, &caller.tenant, &number, limit).await?))
}

/// Which of the live contacts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// In this state alone.
    #[param(value_type = Option<String>)]
    state: Option<read::State>,
    /// Of this skill.
    #[param(value_type = Option<String>)]
    skill: Option<Slug>,
    /// With this agent.
    #[param(value_type = Option<String>)]
    agent: Option<Slug>,
}

/// All live contacts of the tenant as summaries, the longest in the hub first: for supervisors.
#[utoipa::path(get, path = "/contacts", tag = "work", operation_id = "contacts", params(Wanted),
    responses((status = 200, description = "The contacts", body = Vec<Contact>)))]
pub async fn contacts(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<Contact>>, Problem> {
    caller.must(Right::Live)?;
    let mut db = gateway.api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let found = read::live(&tx, &caller.tenant).await?;
    let fits = |contact: &Contact, state: read::State| {
        wanted.state.is_none_or(|wanted| wanted == state)
            && wanted.skill.as_ref().is_none_or(|skill| *skill == contact.skill)
            && wanted.agent.as_ref().is_none_or(|agent| contact.agent.as_ref() == Some(agent))
    };
    let summaries = found.iter().map(|found| (found.summary(), found.state));
    Ok(Json(summaries.filter(|(contact, state)| fits(contact, *state)).map(|(contact, _)| contact).collect()))
}

/// Everybody whom a contact could be handed to.
#[utoipa::path(get, path = "/agents", tag = "work", operation_id = "agents",
    responses((status = 200, description = "The agents", body = Vec<Colleague>)))]
pub async fn agents(State(gateway): State<Gateway>, caller: Caller) -> Result<Json<Vec<Colleague>>, Problem> {
    if !caller.may(Right::Live) {
        caller.must(Right::Work)?;
    }
    let mut db = gateway.api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    Ok(Json(read::colleagues(&tx, &caller.tenant).await?))
}
