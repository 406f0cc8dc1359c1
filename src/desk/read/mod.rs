//! The queries behind desks: set-based over many agents or contacts at once, by index, each of one moment of its own. The
//! caller's transaction is bound to its tenant; the tenant is named here all the same.

mod agents;
mod contacts;
mod entries;
mod outcomes;
mod rooms;
mod setup;

pub use agents::{AGENTS, agents, colleagues, queues};
pub use contacts::{CONTACTS, Found, Looked, State, contacts, live};
pub use entries::{After, NEWEST, changed, newest, page};
pub use outcomes::{Outcome, Settled, asked_by, outcome, settled};
pub use rooms::{conversation_of, may_read, of_customer, room};
pub use setup::setup;

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::shape::Desk;
use crate::facts::ids::Slug;
use crate::failure::Failure;

/// What a desk begins with: of an agent, or of a user who is none.
///
/// # Errors
/// A database that is away.
pub async fn desk(tx: &Transaction<'_>, now: Timestamp, tenant: &Slug, agent: Option<&Slug>) -> Result<Desk, Failure> {
    let whom: &[Slug] = agent.map(std::slice::from_ref).unwrap_or_default();
    let looked = Looked { agents: whom, ..Looked::default() };
    let (standing, found, setup) =
        tokio::try_join!(agents(tx, now, tenant, whom), contacts(tx, tenant, &looked), setup(tx, tenant),)?;
    let mine: Vec<&Found> = found.iter().filter(|found| found.holder() == agent && agent.is_some()).collect();
    let wanted: Vec<After> = mine.iter().map(|found| After { room_id: found.room_id, seq: 0 }).collect();
    let mut entries = newest(tx, &wanted).await?;
    let contacts = mine.iter().map(|found| found.whole(entries.remove(&found.room_id).unwrap_or_default())).collect();
    let offers = found.iter().filter_map(Found::offered).filter(|(whom, _)| Some(*whom) == agent).map(|(_, o)| o);
    Ok(Desk { now, agent: standing.into_iter().next(), offers: offers.collect(), contacts, setup })
}
