//! The facts that flows say to themselves, and those that should have come and did not.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use crate::facts::due::{FlowDue, FlowTexted, WebhookAnswered, WebhookAsked};
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{CallId, ContactId, FactId, RoomId, Slug};
use crate::failure::Failure;
use crate::hub::contact::Contact;
use crate::hub::sql;

/// Runs whose timer is late, and contacts in a flow that no run knows (said again by the sweep, with ids of its own).
pub async fn overdue(tx: &Transaction<'_>, before: Timestamp, limit: i64) -> Result<Vec<(String, Late)>, Failure> {
    let rows = sql::rows(
        tx,
        "(select r.contact_id, r.tenant, r.room_id, r.generation, r.due_at, null::integer
          from flow_runs r where r.ended_at is null and r.due_at < $1 order by r.due_at limit $2)
         union all
         (select c.id, c.tenant, c.room_id, 0, c.opened_at, o.next_seq - 1
          from contacts c join rooms o on o.id = c.room_id
          where c.state = 'prequeue' and c.opened_at < $1
            and not exists (select 1 from flow_runs r where r.contact_id = c.id)
          order by c.opened_at limit $2)",
        &[&before, &limit],
    )
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let late = Late {
                contact_id: row.get(0),
                tenant: row.get(1),
                room_id: row.get(2),
                generation: row.get(3),
                due_at: row.get(4),
                seq: row.get(5),
            };
            (format!("{} {}", late.contact_id, late.generation), late)
        })
        .collect())
}

/// See [`overdue`].
#[derive(Clone, Debug)]
pub struct Late {
    contact_id: ContactId,
    tenant: Slug,
    room_id: RoomId,
    generation: i32,
    due_at: Timestamp,
    /// Of its last entry, where it never began.
    seq: Option<i32>,
}

impl Late {
    /// The fact that should have come, under an id of its own.
    #[must_use]
    pub fn say(self, now: Timestamp, id: FactId) -> Publication {
        let scope = self.tenant.to_string();
        let (contact_id, tenant, room_id) = (self.contact_id, self.tenant, self.room_id);
        if let Some(seq) = self.seq {
            Publication::of(&FlowTexted { id, cause_id: id, at: now, tenant, contact_id, room_id, seq }, scope)
        } else {
            let (generation, due_at) = (self.generation, self.due_at);
            Publication::of(&FlowDue { id, cause_id: id, at: now, tenant, contact_id, generation, due_at }, scope)
        }
    }
}

/// That a customer wrote in a room whose contact is in a flow.
#[must_use]
pub fn say_texted(now: Timestamp, cause: FactId, contact: &Contact, seq: i32) -> Publication {
    let said = FlowTexted {
        id: cause.derive(FlowTexted::NAME, 0),
        cause_id: cause,
        at: now,
        tenant: contact.tenant.clone(),
        contact_id: contact.id,
        room_id: contact.room_id,
        seq,
    };
    Publication::of(&said, contact.tenant.as_str())
}

/// The timer of a run.
#[must_use]
pub fn say_due(now: Timestamp, cause: FactId, contact: &Contact, generation: i32, due_at: Timestamp) -> Publication {
    let said = FlowDue {
        id: cause.derive(FlowDue::NAME, 0),
        cause_id: cause,
        at: now,
        tenant: contact.tenant.clone(),
        contact_id: contact.id,
        generation,
        due_at,
    };
    Publication::of(&said, contact.tenant.as_str()).at(due_at)
}

/// The ask for a call.
#[must_use]
pub fn say_asked(now: Timestamp, cause: FactId, contact: &Contact, call_id: CallId) -> Publication {
    let (id, tenant) = (FactId(call_id.0).derive(WebhookAsked::NAME, 0), contact.tenant.clone());
    let said = WebhookAsked { id, cause_id: cause, at: now, tenant, call_id, contact_id: contact.id };
    Publication::of(&said, contact.tenant.as_str())
}

/// That a call is settled; a call is settled once, so the fact's id follows from the call's.
#[must_use]
pub fn say_answered(now: Timestamp, cause: FactId, asked: &WebhookAsked) -> Publication {
    let id = FactId(asked.call_id.0).derive(WebhookAnswered::NAME, 0);
    let (tenant, call_id, contact_id) = (asked.tenant.clone(), asked.call_id, asked.contact_id);
    let said = WebhookAnswered { id, cause_id: cause, at: now, tenant, call_id, contact_id };
    Publication::of(&said, asked.tenant.as_str())
}
