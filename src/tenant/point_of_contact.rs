//! Points of contact: our published numbers (and chat entrances) with skill, carrier and timers. Found by the number a
//! customer wrote to; the tenant follows from it.

use deadpool_postgres::Transaction;
use serde_json::Value;
use tokio_postgres::Row;

use crate::facts::ids::{RoomId, Slug};
use crate::failure::Failure;
use crate::hub::consent::Scope;
use crate::hub::sql;

/// A point of contact with what receiving and outreach need of its tenant and skill.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "columns of a row")]
pub struct PointOfContact {
    /// Whose.
    pub tenant: Slug,
    /// Its slug.
    pub id: Slug,
    /// `sms` or `chat`.
    pub channel: String,
    /// Our number; empty for chat.
    pub number: String,
    /// Of a short code: its country, else empty.
    pub number_country: String,
    /// By which connection texts leave.
    pub carrier: Option<Slug>,
    /// The default skill.
    pub skill: Slug,
    /// The skill's initial priority.
    pub priority: i32,
    /// Seconds from the last text to the deadline.
    pub session_timeout_s: i32,
    /// Not ended, nor its skill.
    pub is_live: bool,
    /// Its number is live in several countries, and none was named: only where numbers were asked for.
    pub is_ambiguous: bool,
    /// The tenant's switch.
    pub sms_messaging: bool,
    /// The automatic texts of STOP, START and HELP.
    pub texts: [String; 3],
    /// The flow that its contacts begin in.
    pub flow: Option<Slug>,
    /// How wide a customer's STOP reaches.
    pub consent_scope: Scope,
    /// The carrier answers STOP, START and HELP itself.
    pub is_provider_managed: bool,
    /// Answers in other languages, by language and `stop`, `start`, `help`, `ask`.
    pub other_texts: Option<Value>,
    /// What asks for a double opt-in.
    pub ask_text: String,
    /// More texts of one sender within the span open and queue nothing.
    pub flood_texts: i32,
    /// The span, in seconds.
    pub flood_s: i32,
    /// The tenant has blocked some sender.
    pub has_blocked: bool,
    /// Some application of the tenant's hears of customers' texts.
    pub has_listener: bool,
}

impl PointOfContact {
    /// The automatic text of STOP, START, HELP (0, 1, 2) in a language, where the tenant has one in it, else the tenant's.
    #[must_use]
    pub fn text_in(&self, which: usize, language: Option<&str>) -> String {
        let name = ["stop", "start", "help"][which];
        let other =
            self.other_texts.as_ref().zip(language).and_then(|(texts, language)| texts.get(language)?.get(name));
        other.and_then(Value::as_str).map_or_else(|| self.texts[which].clone(), str::to_owned)
    }
}

const COLUMNS: &str =
    "p.tenant, p.id, p.channel, coalesce(p.number, ''), case when p.kind = 'short' then p.country else '' end,
    p.carrier, p.skill, k.priority, p.session_timeout_s, p.ended_at is null and k.ended_at is null, t.sms_messaging,
    t.stop_text, t.start_text, t.help_text, p.flow, t.consent_scope, coalesce(c.opt_outs = 'provider', false),
    t.consent_texts, t.ask_text, t.flood_texts, t.flood_s,
    exists (select 1 from blocked_senders b where b.tenant = p.tenant),
    exists (select 1 from applications a where a.tenant = p.tenant and a.inbound_url is not null and a.ended_at is null)";

const JOINS: &str = "join tenants t on t.id = p.tenant join skills k on k.tenant = p.tenant and k.id = p.skill
    left join carriers c on c.id = p.carrier";

fn from_row(row: &Row) -> PointOfContact {
    PointOfContact {
        tenant: row.get(0),
        id: row.get(1),
        channel: row.get(2),
        number: row.get(3),
        number_country: row.get(4),
        carrier: row.get(5),
        skill: row.get(6),
        priority: row.get(7),
        session_timeout_s: row.get(8),
        is_live: row.get(9),
        is_ambiguous: false,
        sms_messaging: row.get(10),
        texts: [row.get(11), row.get(12), row.get(13)],
        flow: row.get(14),
        consent_scope: if row.get::<_, &str>(15) == "tenant" { Scope::Brand } else { Scope::Number },
        is_provider_managed: row.get(16),
        other_texts: row.get(17),
        ask_text: row.get(18),
        flood_texts: row.get(19),
        flood_s: row.get(20),
        has_blocked: row.get(21),
        has_listener: row.get(22),
    }
}

/// Those with these numbers (country where the carrier named one): live ones first, then the last one ended. Answers
/// stand in the order asked; a short code that is live in several countries, none of them named, is ambiguous.
pub async fn of_numbers(
    tx: &Transaction<'_>,
    numbers: &[(&str, Option<&str>)],
) -> Result<Vec<Option<PointOfContact>>, Failure> {
    let (digits, countries): (Vec<&str>, Vec<Option<&str>>) = numbers.iter().copied().unzip();
    let sql = format!(
        "select distinct on (q.nth) {COLUMNS}, q.nth, count(*) filter (where p.ended_at is null) over (partition by q.nth) > 1
         from unnest($1::text[], $2::text[]) with ordinality as q (number, country, nth)
         join points_of_contact p on p.number = q.number and p.channel = 'sms'
           and (p.kind <> 'short' or q.country is null or upper(p.country) = upper(q.country))
         {JOINS}
         order by q.nth, (p.ended_at is null) desc, p.ended_at desc nulls last"
    );
    let rows = sql::rows(tx, &sql, &[&digits, &countries]).await?;
    let mut found = in_order(&rows, numbers.len());
    for row in rows.iter().filter(|row| row.get(24)) {
        if let Some(Some(point)) = nth(row).and_then(|nth| found.get_mut(nth)) {
            point.is_ambiguous = true;
        }
    }
    Ok(found)
}

/// Those of chat with these (tenant, slug). Answers stand in the order asked.
pub async fn of_slugs(tx: &Transaction<'_>, slugs: &[(&Slug, &Slug)]) -> Result<Vec<Option<PointOfContact>>, Failure> {
    let found = of_rooms(tx, slugs).await?;
    Ok(found.into_iter().map(|point| point.filter(|p| p.channel == "chat")).collect())
}

fn nth(row: &Row) -> Option<usize> {
    usize::try_from(row.get::<_, i64>(23) - 1).ok()
}

fn in_order(rows: &[Row], count: usize) -> Vec<Option<PointOfContact>> {
    let mut found = vec![None; count];
    for row in rows {
        if let Some(place) = nth(row).and_then(|nth| found.get_mut(nth)) {
            *place = Some(from_row(row));
        }
    }
    found
}

/// The live SMS points of contact of a tenant: one number's, one skill's, or all.
pub async fn live_of_tenant(
    tx: &Transaction<'_>,
    tenant: &Slug,
    number: Option<&str>,
    skill: Option<&Slug>,
) -> Result<Vec<PointOfContact>, Failure> {
    let sql = format!(
        "select {COLUMNS} from points_of_contact p {JOINS}
         where p.tenant = $1 and p.channel = 'sms' and p.ended_at is null and k.ended_at is null
           and ($2::text is null or p.number = $2) and ($3::text is null or p.skill = $3)
         order by p.id"
    );
    let rows = sql::rows(tx, &sql, &[tenant, &number, &skill]).await?;
    Ok(rows.iter().map(from_row).collect())
}

/// Seconds from the last text to the deadline, in a room.
pub async fn timeout_of_room(tx: &Transaction<'_>, room: RoomId) -> Result<i32, Failure> {
    let row = sql::row(
        tx,
        "select p.session_timeout_s from rooms r
         join points_of_contact p on p.tenant = r.tenant and p.id = r.point_of_contact where r.id = $1",
        &[&room],
    )
    .await?;
    Ok(row.map_or(7200, |row| row.get(0)))
}

/// Those of rooms, live or not: (tenant, slug). Answers stand in the order asked.
pub async fn of_rooms(tx: &Transaction<'_>, slugs: &[(&Slug, &Slug)]) -> Result<Vec<Option<PointOfContact>>, Failure> {
    let (tenants, ids): (Vec<&Slug>, Vec<&Slug>) = slugs.iter().copied().unzip();
    let sql = format!(
        "select {COLUMNS}, q.nth
         from unnest($1::text[], $2::text[]) with ordinality as q (tenant, id, nth)
         join points_of_contact p on p.tenant = q.tenant and p.id = q.id
         {JOINS}"
    );
    let rows = sql::rows(tx, &sql, &[&tenants, &ids]).await?;
    Ok(in_order(&rows, slugs.len()))
}
