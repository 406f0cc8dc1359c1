//! What an application sent, and what it was to hear, as rows: found by their SID, listed newest first.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Application;
use crate::facts::ids::{FactId, RoomId, Slug, SmsId};
use crate::facts::said::SmsStatus;
use crate::failure::Failure;
use crate::hub::room::Ends;
use crate::hub::sql;

/// A text that an application sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// By which fact.
    pub id: FactId,
    /// It answers a customer's text.
    pub is_reply: bool,
    /// Between whom.
    pub ends: &'a Ends,
    /// Its line in a transcript, or the stable word why there is none.
    pub line: Result<(RoomId, i32), &'static str>,
    /// Its row on the way to a carrier.
    pub sms_id: Option<SmsId>,
    /// Who hears what becomes of it.
    pub status_url: Option<&'a str>,
}

/// Keeps them, each with whose it is.
///
/// # Errors
/// Contention or a database that is away.
pub async fn keep(tx: &Transaction<'_>, now: Timestamp, kept: &[(&Application, Sent<'_>)]) -> Result<(), Failure> {
    if kept.is_empty() {
        return Ok(());
    }
    let tenants: Vec<&Slug> = kept.iter().map(|(by, _)| &by.tenant).collect();
    let applications: Vec<&Slug> = kept.iter().map(|(by, _)| &by.id).collect();
    let ids: Vec<FactId> = kept.iter().map(|(_, sent)| sent.id).collect();
    let direction = |sent: &Sent<'_>| if sent.is_reply { "outbound-reply" } else { "outbound-api" };
    let directions: Vec<&str> = kept.iter().map(|(_, sent)| direction(sent)).collect();
    let ours: Vec<&str> = kept.iter().map(|(_, sent)| sent.ends.our_number.as_str()).collect();
    let countries: Vec<&str> = kept.iter().map(|(_, sent)| sent.ends.our_country.as_str()).collect();
    let customers: Vec<&str> = kept.iter().map(|(_, sent)| sent.ends.customer_number.as_str()).collect();
    let rooms: Vec<Option<RoomId>> = kept.iter().map(|(_, sent)| Some(sent.line.ok()?.0)).collect();
    let seqs: Vec<Option<i32>> = kept.iter().map(|(_, sent)| Some(sent.line.ok()?.1)).collect();
    let sms: Vec<Option<SmsId>> = kept.iter().map(|(_, sent)| sent.sms_id).collect();
    let refusals: Vec<Option<&str>> = kept.iter().map(|(_, sent)| sent.line.err()).collect();
    let urls: Vec<Option<&str>> = kept.iter().map(|(by, sent)| sent.status_url.or(by.status_url.as_deref())).collect();
    sql::touch(
        tx,
        "insert into application_texts (tenant, application, sid, direction, our_number, our_country, customer_number,
                                        room_id, seq, sms_id, refusal, status_url, at)
         select k.*, $13 from unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                                     $8::uuid[], $9::integer[], $10::uuid[], $11::text[], $12::text[]) as k
         on conflict (tenant, application, sid) do nothing",
        &[
            &tenants,
            &applications,
            &ids,
            &directions,
            &ours,
            &countries,
            &customers,
            &rooms,
            &seqs,
            &sms,
            &refusals,
            &urls,
            &now,
        ],
    )
    .await?;
    Ok(())
}

/// A text as an application sees it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The id of the fact that brought it.
    pub id: Uuid,
    /// `inbound`, `outbound-api` or `outbound-reply`.
    pub direction: String,
    /// Our number.
    pub our_number: String,
    /// The customer's.
    pub customer_number: String,
    /// What was written; empty where it was refused.
    pub text: String,
    /// How many parts it has on the network.
    pub parts: i32,
    /// How many media go along.
    pub media: i32,
    /// The stable word why it was refused.
    pub refusal: Option<String>,
    /// Of one that was to leave: where it is, and why.
    pub state: Option<(SmsStatus, Option<String>)>,
    /// When it was recorded.
    pub at: Timestamp,
    /// When a carrier took it.
    pub sent_at: Option<Timestamp>,
    /// When it was over.
    pub over_at: Option<Timestamp>,
}

impl Shown {
    /// A customer wrote it.
    #[must_use]
    pub fn is_inbound(&self) -> bool {
        self.direction == "inbound"
    }
}

const SHOWN: &str = "select t.sid, t.direction, t.our_number, t.customer_number, coalesce(e.text, ''), coalesce(e.parts, 0),
       case when jsonb_typeof(e.media) = 'array' then jsonb_array_length(e.media) else 0 end, t.refusal, s.state, s.reason,
       t.at, s.submitted_at, s.final_at
     from application_texts t
     left join entries e on e.room_id = t.room_id and e.seq = t.seq
     left join sms s on s.id = t.sms_id
     where t.tenant = $1 and t.application = $2";

fn shown(row: &Row) -> Shown {
    let state: Option<&str> = row.get(8);
    Shown {
        id: row.get(0),
        direction: row.get(1),
        our_number: row.get(2),
        customer_number: row.get(3),
        text: row.get(4),
        parts: row.get(5),
        media: row.get(6),
        refusal: row.get(7),
        state: state.and_then(|state| state.parse().ok()).map(|state| (state, row.get(9))),
        at: row.get(10),
        sent_at: row.get(11),
        over_at: row.get(12),
    }
}

/// One text of an application's.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of_id(tx: &Transaction<'_>, by: &Application, id: Uuid) -> Result<Option<Shown>, Failure> {
    let text = format!("{SHOWN} and t.sid = $3");
    Ok(sql::row(tx, &text, &[&by.tenant, &by.id, &id]).await?.as_ref().map(shown))
}

/// Which texts of an application.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// From this number.
    pub from: Option<String>,
    /// To this number.
    pub to: Option<String>,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub before: Option<Timestamp>,
    /// Those after this one in the order of the list.
    pub after: Option<(Timestamp, Uuid)>,
}

/// The newest of them first, at most so many.
///
/// # Errors
/// Contention or a database that is away.
pub async fn newest(tx: &Transaction<'_>, by: &Application, wanted: &Wanted, most: i64) -> Result<Vec<Shown>, Failure> {
    let (after, after_id) = wanted.after.unzip();
    let text = format!(
        "{SHOWN} and ($3::text is null or case when t.direction = 'inbound' then t.customer_number else t.our_number end = $3)
           and ($4::text is null or case when t.direction = 'inbound' then t.our_number else t.customer_number end = $4)
           and ($5::timestamptz is null or t.at >= $5) and ($6::timestamptz is null or t.at < $6)
           and ($7::timestamptz is null or (t.at, t.sid) < ($7, $8::uuid))
         order by t.at desc, t.sid desc limit $9"
    );
    let rows = sql::rows(
        tx,
        &text,
        &[&by.tenant, &by.id, &wanted.from, &wanted.to, &wanted.since, &wanted.before, &after, &after_id, &most],
    )
    .await?;
    Ok(rows.iter().map(shown).collect())
}
