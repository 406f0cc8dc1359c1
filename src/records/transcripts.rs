//! Transcripts: closed rooms with every entry, newest first. A list is one query on an index that holds its order; the
//! entries of the rooms that were found come by their primary key.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// Which rooms.
#[derive(Clone, Debug)]
pub enum Of {
    /// All of the tenant.
    Tenant,
    /// Those with this customer's number or visitor, whichever of our numbers was used.
    Customer(String),
    /// Those on this number of ours.
    OurNumber(String),
    /// Those between this customer's number and this number of ours.
    Between(String, String),
    /// Those where the number was on either side.
    EitherSide(String),
    /// One room, open or closed.
    Room(Uuid),
    /// The room of one contact, open or closed.
    Contact(Uuid),
    /// The room of one session, open or closed.
    Session(Uuid),
}

const COLUMNS: &str =
    "id, tenant, channel, our_number, customer_number, opened_at, closed_at, close_reason, outcome, agents";
/// The links of an entry: what is known of a customer's, else as they were written.
const MEDIA: &str = "case when e.media is not null then coalesce(
    (select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
              'id', m.id, 'url', m.url, 'type', m.type, 'state', m.state, 'reason', m.reason,
              'stored_type', m.stored_type, 'size', m.size, 'sha256', encode(m.sha256, 'hex'))) order by m.nr)
     from media m where m.entry_id = e.id), e.media) end";
const NEWEST: &str = "closed_at is not null order by opened_at desc, id limit $2";

impl Of {
    /// The statement and what it is asked with, beside tenant ($1) and limit ($2).
    fn rooms(&self) -> (String, Vec<&(dyn ToSql + Sync)>) {
        let from = format!("select {COLUMNS} from rooms where tenant = $1");
        let of = |table: &str| format!("{from} and id = (select room_id from {table} where id = $3) limit $2");
        match self {
            Self::Tenant => (format!("{from} and {NEWEST}"), vec![]),
            Self::Customer(number) => (format!("{from} and customer_number = $3 and {NEWEST}"), vec![number]),
            Self::OurNumber(number) => (format!("{from} and our_number = $3 and {NEWEST}"), vec![number]),
            Self::Between(customer, ours) => {
                (format!("{from} and customer_number = $3 and our_number = $4 and {NEWEST}"), vec![customer, ours])
            }
            Self::EitherSide(number) => (
                format!(
                    "(({from} and customer_number = $3 and {NEWEST})
                      union all ({from} and our_number = $3 and customer_number <> $3 and {NEWEST}))
                     order by opened_at desc, id limit $2"
                ),
                vec![number],
            ),
            Self::Room(id) => (format!("{from} and id = $3 limit $2"), vec![id]),
            Self::Contact(id) => (of("contacts"), vec![id]),
            Self::Session(id) => (of("sessions"), vec![id]),
        }
    }

    /// One room is asked for by an id.
    #[must_use]
    pub fn is_one(&self) -> bool {
        matches!(self, Self::Room(_) | Self::Contact(_) | Self::Session(_))
    }

    /// The whole statement, as it is sent.
    #[must_use]
    pub fn statement(&self) -> String {
        format!(
            "select r.*, coalesce(e.entries, '[]') as entries
             from ({}) r
             left join lateral (
               select jsonb_agg(jsonb_build_object(
                        'seq', e.seq, 'author', e.author, 'agent', e.agent, 'kind', e.kind, 'direction', e.direction,
                        'text', e.text, 'at', e.at, 'parts', e.parts, 'flags', e.flags, 'media', {MEDIA},
                        'state', coalesce(s.state, case when e.direction = 'inbound' then 'received' else 'posted' end),
                        'reason', s.reason, 'resent', nullif(s.resent, 0)) order by e.seq) as entries
               from entries e left join sms s on s.id = e.sms_id where e.room_id = r.id) e on true
             order by r.opened_at desc, r.id",
            self.rooms().0
        )
    }
}

/// The newest `limit` transcripts, as the JSON of the contract; entries in their order.
///
/// # Errors
/// A database that is away.
pub async fn newest(tx: &Transaction<'_>, tenant: &Slug, of: &Of, limit: i64) -> Result<Vec<Value>, Failure> {
    let statement = of.statement();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![tenant, &limit];
    params.extend(of.rooms().1);
    let rows = sql::rows(tx, &statement, &params).await?;
    Ok(rows.iter().map(transcript).collect())
}

fn transcript(row: &Row) -> Value {
    let time = |name: &str| row.get::<_, Option<Timestamp>>(name).map(|at| at.to_string());
    let mut entries: Value = row.get("entries");
    for entry in entries.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let at = entry.get("at").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
        entry.insert("at".into(), json!(at.map(|at| at.to_string())));
        entry.retain(|key, value| {
            !value.is_null() || !["agent", "flags", "media", "reason", "resent"].contains(&key.as_str())
        });
    }
    json!({
        "room_id": row.get::<_, Uuid>("id"),
        "tenant": row.get::<_, String>("tenant"),
        "channel": row.get::<_, String>("channel"),
        "our_number": row.get::<_, String>("our_number"),
        "customer_number": row.get::<_, String>("customer_number"),
        "opened_at": time("opened_at"),
        "closed_at": time("closed_at"),
        "outcome": row.get::<_, Option<String>>("outcome"),
        "reason": row.get::<_, Option<String>>("close_reason"),
        "agents": row.get::<_, Vec<String>>("agents"),
        "entries": entries,
    })
}
