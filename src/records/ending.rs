//! Ends that an operator asks for: which contacts live, the fact that asks for the end of one, and what became of it.
//! The end itself is the worker's, the same as any other's.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use crate::facts::envelope::{Publication, To};
use crate::facts::heard::{By, ContactEnded, Hearable};
use crate::facts::ids::{ContactId, FactId, Slug};
use crate::failure::Failure;
use crate::hub::sql;

/// Which contacts.
#[derive(Clone, Debug)]
pub enum Of {
    /// Active with this agent, or parked by this agent; one that is only offered is nobody's yet.
    Agent(Slug),
    /// Of this skill.
    Skill(Slug),
    /// All of the tenant.
    Tenant,
}

/// A contact, as it stood when it was read.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which.
    pub id: ContactId,
    /// Whose.
    pub tenant: Slug,
    /// prequeue, queued, offered, active, parked, `wrap_up`, closed.
    pub state: String,
    /// With whom.
    pub agent: Option<Slug>,
    /// What is needed.
    pub skill: Slug,
    /// Since when.
    pub queued_at: Timestamp,
}

impl Found {
    /// Its conversation is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "wrap_up" | "closed")
    }
}

fn from_row(row: &tokio_postgres::Row) -> Found {
    Found {
        id: row.get(0),
        tenant: row.get(1),
        state: row.get(2),
        agent: row.get(3),
        skill: row.get(4),
        queued_at: row.get(5),
    }
}

/// One contact, whatever its state.
///
/// # Errors
/// A database that is away.
pub async fn one(tx: &Transaction<'_>, id: ContactId) -> Result<Option<Found>, Failure> {
    let text = "select id, tenant, state, agent, skill, queued_at from contacts where id = $1";
    Ok(sql::row(tx, text, &[&id]).await?.as_ref().map(from_row))
}

/// The living contacts of an agent, a skill or a tenant, longest waiting first.
///
/// # Errors
/// A database that is away.
pub async fn living(tx: &Transaction<'_>, tenant: &Slug, of: &Of) -> Result<Vec<Found>, Failure> {
    let (agent, skill) = match of {
        Of::Agent(agent) => (Some(agent), None),
        Of::Skill(skill) => (None, Some(skill)),
        Of::Tenant => (None, None),
    };
    let rows = sql::rows(
        tx,
        "select c.id, c.tenant, c.state, coalesce(c.agent, r.agent), c.skill, c.queued_at
         from contacts c join rooms r on r.id = c.room_id
         where c.tenant = $1 and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked')
           and ($2::text is null or (c.state = 'active' and c.agent = $2) or (c.state = 'parked' and r.agent = $2))
           and ($3::text is null or c.skill = $3)
         order by c.queued_at, c.id",
        &[tenant, &agent, &skill],
    )
    .await?;
    Ok(rows.iter().map(from_row).collect())
}

/// The fact that asks for the end of one contact, said to the workers.
#[must_use]
pub fn ask(id: FactId, contact: &Found, by: By, reason: &str) -> Publication {
    let fact = ContactEnded {
        id,
        tenant: contact.tenant.clone(),
        contact_id: contact.id,
        by,
        reason: reason.to_owned(),
        disposition: None,
    };
    Publication { to: To::Work, ..Publication::to_the_hub(&fact, contact.tenant.as_str()) }
}

/// What became of an asked end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// It is done.
    Ended,
    /// The stable word, and the sentence.
    Refused(String, String),
    /// The stable word, and what to do about it.
    SetAside(String, String),
}

/// What became of asked ends; those that no worker has handled yet are missing.
///
/// # Errors
/// A database that is away.
pub async fn became(tx: &Transaction<'_>, ids: &[FactId]) -> Result<HashMap<FactId, Became>, Failure> {
    let rows = sql::rows(
        tx,
        "select h.id, r.reason, r.sentence from heard h
         left join refusals r on r.refused_id = h.id and r.refused = h.fact
         where h.id = any($1) and h.fact = $2",
        &[&ids, &ContactEnded::NAME],
    )
    .await?;
    let became = |row: &tokio_postgres::Row| match (row.get(1), row.get(2)) {
        (Some(reason), Some(sentence)) => Became::Refused(reason, sentence),
        _ => Became::Ended,
    };
    let mut all: HashMap<FactId, Became> = rows.iter().map(|row| (row.get(0), became(row))).collect();
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let text = "select message_id, reason, coalesce(detail, '') from dead_letters where message_id = any($1)";
    for row in sql::rows(tx, text, &[&texts]).await? {
        if let Ok(id) = row.get::<_, &str>(0).parse() {
            all.entry(id).or_insert(Became::SetAside(row.get(1), row.get(2)));
        }
    }
    Ok(all)
}
