//! A contact has waited as long as its skill allows: a text, if the skill has one, then on to the overflow skill in its
//! old place, else closed as abandoned. Each skill lets a contact overflow once, so no circle of skills keeps it. The wait
//! goes on while it is offered: an offer that comes to nothing past the maximum ends it, so no row of offers keeps it either.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{COLUMNS, Contact, Ending, Handed, end, from_row, hand_back};
use crate::facts::envelope::Publication;
use crate::facts::ids::{ContactId, FactId, Slug};
use crate::facts::said::{ContactOutcome, Handing, OfferOutcome};
use crate::failure::Failure;
use crate::hub::automatic::{self, Line};
use crate::hub::offer::{self, Pending};
use crate::hub::{room, sql};

/// Why the wait ended.
const WAITED: &str = "waited_too_long";

/// What the skill of a waiting contact wants after its maximum.
struct Wanted {
    /// For the customer.
    text: Option<String>,
    /// A living skill of the same channel.
    overflow: Option<Slug>,
}

/// Reads it; none while the maximum is not reached. Nothing is left to want where the contact was here before.
async fn wanted(tx: &Transaction<'_>, now: Timestamp, contact: &Contact) -> Result<Option<Wanted>, Failure> {
    let row = sql::row(
        tx,
        "select k.max_wait_text, o.id, c.skill = any(c.overflowed)
         from contacts c
         join skills k on k.tenant = c.tenant and k.id = c.skill
         left join skills o on o.tenant = k.tenant and o.id = k.overflow_skill and o.id <> k.id
           and o.channel = c.channel and o.ended_at is null
         where c.id = $1 and c.waiting_since + make_interval(secs => k.max_wait_s) <= $2",
        &[&contact.id, &now],
    )
    .await?;
    Ok(row.map(|row| {
        let is_back = row.get::<_, bool>(2);
        Wanted {
            text: row.get::<_, Option<_>>(0).filter(|_| !is_back),
            overflow: row.get::<_, Option<_>>(1).filter(|_| !is_back),
        }
    }))
}

/// The maximum wait of a locked queued contact is due. Early, it says nothing: the sweep finds it again.
pub async fn waited(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    contact: &Contact,
) -> Result<Vec<Publication>, Failure> {
    let Some(wanted) = wanted(tx, now, contact).await? else { return Ok(Vec::new()) };
    let mut said = Vec::new();
    if let (Some(text), Some(mut room)) = (&wanted.text, room::of_ids(tx, &[contact.room_id]).await?.pop()) {
        let carrier = automatic::carrier_of(tx, &room).await?;
        // one cause may end the waits of several
        let cause = cause.derive_of("max_wait_text", contact.id.0);
        let line = Line { cause, contact_id: contact.id, carrier: carrier.as_ref(), text };
        said.extend(automatic::say(tx, now, &mut room, &line).await?);
    }
    said.extend(match &wanted.overflow {
        Some(skill) => overflow(tx, now, cause, contact, skill).await?,
        None => abandon(tx, now, cause, contact).await?,
    });
    Ok(said)
}

/// Ends pending offers without an accept, as [`offer::give_back`] does. A contact whose maximum wait is over by then waits
/// no longer: what its skill wants happens at once, before it is offered again. The contacts are locked by the caller; one
/// whose room somebody else holds is left to the sweep.
pub async fn give_back(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    outcome: OfferOutcome,
    reason: &str,
    offers: &[Pending],
) -> Result<Vec<Publication>, Failure> {
    let mut said = offer::give_back(tx, now, cause, outcome, reason, offers).await?;
    let ids: Vec<ContactId> = offers.iter().map(|offer| offer.contact_id).collect();
    for contact in lock_overdue(tx, now, &ids).await? {
        said.extend(waited(tx, now, cause, &contact).await?);
    }
    Ok(said)
}

/// Of these contacts, those that wait past their maximum. Agents may be locked already, so no lock is waited for.
async fn lock_overdue(tx: &Transaction<'_>, now: Timestamp, ids: &[ContactId]) -> Result<Vec<Contact>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select {COLUMNS} from contacts c
         join rooms r on r.id = c.room_id
         join skills k on k.tenant = c.tenant and k.id = c.skill
         where c.id = any($1) and c.state = 'queued' and c.waiting_since + make_interval(secs => k.max_wait_s) <= $2
         order by c.id for update of c, r skip locked"
    );
    Ok(sql::rows(tx, &sql, &[&ids, &now]).await?.iter().map(from_row).collect())
}

async fn overflow(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    contact: &Contact,
    skill: &Slug,
) -> Result<Vec<Publication>, Failure> {
    let left = "update contacts set overflowed = overflowed || skill where id = $1";
    sql::touch(tx, left, &[&contact.id]).await?;
    let moved =
        Handed { contact, how: Handing::Requeued, agent: None, from_agent: None, skill: Some(skill), reason: WAITED };
    hand_back(tx, now, cause, &moved, contact.preferred_agent.as_ref()).await
}

async fn abandon(
    tx: &Transaction<'_>,
    now: Timestamp,
    cause: FactId,
    contact: &Contact,
) -> Result<Vec<Publication>, Failure> {
    let ending = Ending {
        cause,
        contact_id: contact.id,
        outcome: Some(ContactOutcome::Abandoned),
        reason: WAITED.into(),
        disposition: None,
        note: None,
        by: None,
        is_final: true,
    };
    Ok(end(tx, now, &[ending]).await?.into_iter().flatten().flatten().collect())
}
