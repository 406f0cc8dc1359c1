//! What applications are to be told, as rows: written in the transaction that brings the news, each word about a text
//! once, so that nothing is lost with a message. A word waits for the ones before it about the same text.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Application, COLUMNS, twilio};
use crate::facts::due::ApplicationDue;
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{CallId, FactId, Slug, SmsId};
use crate::facts::said::SmsStatus;
use crate::failure::Failure;
use crate::hub::sql;

/// The word for a customer's text; the others are statuses.
pub const RECEIVED: &str = "received";

/// Something to tell.
#[derive(Clone, Debug)]
pub struct News {
    /// Whose application.
    pub tenant: Slug,
    /// Which.
    pub application: Slug,
    /// The text's SID without its letters.
    pub sid: FactId,
    /// [`RECEIVED`], or a status.
    pub status: &'static str,
    /// Why it failed, as Twilio's number.
    pub error: Option<i32>,
    /// STOP, START or HELP, where the text was one.
    pub opt_out_type: Option<&'static str>,
    /// The fact that brings the news.
    pub cause: FactId,
}

impl News {
    fn id(&self) -> CallId {
        let Self { tenant, application, status, .. } = self;
        CallId(Uuid::new_v5(&self.sid.0, format!("{tenant}/{application}/{status}").as_bytes()))
    }
}

/// Writes what is to be told; of what was not written before, the fact that has it told, by its cause.
///
/// # Errors
/// Contention or a database that is away.
pub async fn ask(
    tx: &Transaction<'_>,
    now: Timestamp,
    news: &[News],
) -> Result<HashMap<FactId, Vec<Publication>>, Failure> {
    if news.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<CallId> = news.iter().map(News::id).collect();
    let tenants: Vec<&Slug> = news.iter().map(|n| &n.tenant).collect();
    let applications: Vec<&Slug> = news.iter().map(|n| &n.application).collect();
    let sids: Vec<FactId> = news.iter().map(|n| n.sid).collect();
    let statuses: Vec<&str> = news.iter().map(|n| n.status).collect();
    let errors: Vec<Option<i32>> = news.iter().map(|n| n.error).collect();
    let words: Vec<Option<&str>> = news.iter().map(|n| n.opt_out_type).collect();
    let rows = sql::rows(
        tx,
        "insert into application_calls (id, tenant, application, sid, status, error, opt_out_type, state, asked_at, due_at)
         select id, tenant, application, sid, status, error, word, 'asked', $8, $8
         from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::int[], $7::text[])
           with ordinality as n (id, tenant, application, sid, status, error, word, nr)
         order by nr on conflict do nothing returning id",
        &[&ids, &tenants, &applications, &sids, &statuses, &errors, &words, &now],
    )
    .await?;
    let new: Vec<CallId> = rows.iter().map(|row| row.get(0)).collect();
    let mut said: HashMap<FactId, Vec<Publication>> = HashMap::new();
    for (news, id) in news.iter().zip(ids).filter(|(_, id)| new.contains(id)) {
        let due = say(now, news.cause, (&news.tenant, &news.application, id), 1, now);
        said.entry(news.cause).or_default().push(due);
    }
    Ok(said)
}

/// The fact that has a row told at its time.
#[must_use]
pub fn say(
    now: Timestamp,
    cause: FactId,
    (tenant, application, call_id): (&Slug, &Slug, CallId),
    generation: i32,
    due_at: Timestamp,
) -> Publication {
    let fact = ApplicationDue {
        id: FactId(call_id.0).derive(ApplicationDue::NAME, generation.unsigned_abs()),
        cause_id: cause,
        at: now,
        tenant: tenant.clone(),
        application: application.clone(),
        call_id,
        generation,
        due_at,
    };
    Publication::of(&fact, tenant.as_str()).at(due_at)
}

/// Applications that hear these customers' texts (each by the fact that brought it, with its word about consent): the
/// texts are theirs from now on, too.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of_texts(
    tx: &Transaction<'_>,
    now: Timestamp,
    texts: &[(FactId, Option<&'static str>)],
) -> Result<HashMap<FactId, Vec<Publication>>, Failure> {
    let ids: Vec<FactId> = texts.iter().map(|(id, _)| *id).collect();
    let rows = sql::rows(
        tx,
        "insert into application_texts (tenant, application, sid, direction, our_number, our_country, customer_number,
                                        room_id, seq, at)
         select r.tenant, a.id, e.caused_by, 'inbound', r.our_number, r.our_country, r.customer_number, e.room_id, e.seq, e.at
         from entries e join rooms r on r.id = e.room_id
         join applications a on a.tenant = r.tenant and a.ended_at is null and a.inbound_url is not null
           and (a.numbers is null or a.numbers ? r.point_of_contact)
         where e.caused_by = any($1) and e.ordinal = 0 and e.direction = 'inbound' and r.channel = 'sms'
         order by e.room_id, e.seq, a.id
         on conflict do nothing returning tenant, application, sid",
        &[&ids],
    )
    .await?;
    let mut news: Vec<News> = rows
        .iter()
        .map(|row| {
            let sid: FactId = row.get(2);
            let opt_out_type = texts.iter().find(|(id, _)| *id == sid).and_then(|(_, word)| *word);
            let (tenant, application) = (row.get(0), row.get(1));
            News { tenant, application, sid, status: RECEIVED, error: None, opt_out_type, cause: sid }
        })
        .collect();
    let place = |id: FactId| texts.iter().position(|(text, _)| *text == id);
    news.sort_by_key(|news| place(news.sid));
    ask(tx, now, &news).await
}

/// What became of these texts, told to the applications that sent them: which, where it is now, why, and by which fact.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of_changed(
    tx: &Transaction<'_>,
    now: Timestamp,
    changed: &[(SmsId, SmsStatus, Option<String>, FactId)],
) -> Result<HashMap<FactId, Vec<Publication>>, Failure> {
    let told = [SmsStatus::Submitted, SmsStatus::Delivered, SmsStatus::Undelivered, SmsStatus::Failed];
    let changed: Vec<_> = changed.iter().filter(|(_, status, ..)| told.contains(status)).collect();
    if changed.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<SmsId> = changed.iter().map(|(id, ..)| *id).collect();
    let rows = sql::rows(
        tx,
        "select sms_id, tenant, application, sid from application_texts
         where sms_id = any($1) and status_url is not null",
        &[&ids],
    )
    .await?;
    let sent: HashMap<SmsId, &Row> = rows.iter().map(|row| (row.get(0), row)).collect();
    let news: Vec<News> = changed
        .into_iter()
        .filter_map(|(id, status, why, cause)| {
            let row = sent.get(id)?;
            let failed = matches!(status, SmsStatus::Undelivered | SmsStatus::Failed);
            Some(News {
                tenant: row.get(1),
                application: row.get(2),
                sid: row.get(3),
                status: twilio::status(*status),
                error: failed.then(|| twilio::error(why.as_deref().unwrap_or_default())),
                opt_out_type: None,
                cause: *cause,
            })
        })
        .collect();
    ask(tx, now, &news).await
}

/// A row with all that its call needs.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which.
    pub id: CallId,
    /// The text's SID without its letters.
    pub sid: FactId,
    /// [`RECEIVED`], or a status.
    pub status: String,
    /// Why it failed, as Twilio's number.
    pub error: Option<i32>,
    /// STOP, START or HELP, where the text was one.
    pub opt_out_type: Option<String>,
    /// asked, calling, done or failed.
    pub state: String,
    /// Since when it is to be told.
    pub asked_at: Timestamp,
    /// When it was claimed last.
    pub claimed_at: Option<Timestamp>,
    /// Tries before.
    pub tries: i32,
    /// The number of the message that counts.
    pub generation: i32,
    /// When it is due.
    pub due_at: Timestamp,
    /// Why the last try came to nothing.
    pub reason: Option<String>,
    /// What its answer asked the hub for.
    pub said: Option<Value>,
    /// A word about the same text that comes first is not over.
    pub waits: bool,
    /// Whom.
    pub application: Application,
    /// It has ended.
    pub is_ended: bool,
    /// Until when it is left alone.
    pub paused_until: Option<Timestamp>,
    /// Calls in a row that came to nothing.
    pub failures: i32,
    /// Our number.
    pub our_number: String,
    /// Of a short code: its country, else empty.
    pub our_country: String,
    /// The customer's number.
    pub customer_number: String,
    /// Who hears what becomes of the application's own text.
    pub status_url: Option<String>,
    /// What was written, with its links and how many parts it has.
    pub text: Option<(String, Option<Value>, i32)>,
}

impl Call {
    /// Where it is to be told; none: nobody hears it any more.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        if self.is_ended {
            return None;
        }
        let url = if self.status == RECEIVED { &self.application.inbound_url } else { &self.status_url };
        url.as_deref()
    }
}

/// Rows by id, locked in the order in which they were written; what is not there is missing.
///
/// # Errors
/// Contention or a database that is away.
pub async fn lock(tx: &Transaction<'_>, ids: &[CallId]) -> Result<Vec<Call>, Failure> {
    let text = format!(
        "select {COLUMNS}, c.id as call_id, c.sid, c.status, c.error, c.opt_out_type, c.state, c.asked_at, c.claimed_at,
                c.tries, c.generation, c.due_at, c.reason, c.said,
                exists (select 1 from application_calls p where p.tenant = c.tenant and p.application = c.application
                  and p.sid = c.sid and p.nr < c.nr and p.state in ('asked', 'calling')) as waits,
                a.ended_at is not null as is_ended, a.paused_until, a.failures, t.our_number, t.our_country,
                t.customer_number, t.status_url, e.text, e.media, e.parts
         from application_calls c
         join applications a on a.tenant = c.tenant and a.id = c.application
         join application_texts t on t.tenant = c.tenant and t.application = c.application and t.sid = c.sid
         left join entries e on e.room_id = t.room_id and e.seq = t.seq
         where c.id = any($1) order by c.nr for update of c"
    );
    let rows = sql::rows(tx, &text, &[&ids]).await?;
    Ok(rows.iter().map(of_row).collect())
}

fn of_row(row: &Row) -> Call {
    let text: Option<String> = row.get("text");
    Call {
        application: Application::of_row(row, 0),
        id: row.get("call_id"),
        sid: row.get("sid"),
        status: row.get("status"),
        error: row.get("error"),
        opt_out_type: row.get("opt_out_type"),
        state: row.get("state"),
        asked_at: row.get("asked_at"),
        claimed_at: row.get("claimed_at"),
        tries: row.get("tries"),
        generation: row.get("generation"),
        due_at: row.get("due_at"),
        reason: row.get("reason"),
        said: row.get("said"),
        waits: row.get("waits"),
        is_ended: row.get("is_ended"),
        paused_until: row.get("paused_until"),
        failures: row.get("failures"),
        our_number: row.get("our_number"),
        our_country: row.get("our_country"),
        customer_number: row.get("customer_number"),
        status_url: row.get("status_url"),
        text: text.map(|text| (text, row.get("media"), row.get("parts"))),
    }
}

/// A step of a row.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which.
    pub id: CallId,
    /// To which state.
    pub state: &'static str,
    /// Since when it is to be told.
    pub asked_at: Timestamp,
    /// Tries so far.
    pub tries: i32,
    /// The number of the message that counts from now on.
    pub generation: i32,
    /// When it is due.
    pub due_at: Timestamp,
    /// Why the last try came to nothing.
    pub reason: Option<String>,
    /// What its answer asked the hub for.
    pub said: Option<Value>,
}

/// Takes steps of locked rows.
///
/// # Errors
/// Contention or a database that is away.
pub async fn take(tx: &Transaction<'_>, now: Timestamp, steps: &[Step]) -> Result<(), Failure> {
    if steps.is_empty() {
        return Ok(());
    }
    let ids: Vec<CallId> = steps.iter().map(|step| step.id).collect();
    let states: Vec<&str> = steps.iter().map(|step| step.state).collect();
    let asked: Vec<Timestamp> = steps.iter().map(|step| step.asked_at).collect();
    let tries: Vec<i32> = steps.iter().map(|step| step.tries).collect();
    let generations: Vec<i32> = steps.iter().map(|step| step.generation).collect();
    let due: Vec<Timestamp> = steps.iter().map(|step| step.due_at).collect();
    let reasons: Vec<Option<&str>> = steps.iter().map(|step| step.reason.as_deref()).collect();
    let said: Vec<Option<&Value>> = steps.iter().map(|step| step.said.as_ref()).collect();
    sql::touch(
        tx,
        "update application_calls c set state = s.state, asked_at = s.asked_at, tries = s.tries,
                generation = s.generation, due_at = s.due_at, reason = s.reason, said = s.said,
                claimed_at = case when s.state = 'calling' then $9 else c.claimed_at end,
                settled_at = case when s.state in ('done', 'failed') then $9 end
         from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::int[], $5::int[], $6::timestamptz[], $7::text[],
                     $8::jsonb[]) as s (id, state, asked_at, tries, generation, due_at, reason, said)
         where c.id = s.id",
        &[&ids, &states, &asked, &tries, &generations, &due, &reasons, &said, &now],
    )
    .await?;
    Ok(())
}

/// Notes how calls of applications went: failures in a row, and until when each is left alone.
///
/// # Errors
/// Contention or a database that is away.
pub async fn note(tx: &Transaction<'_>, noted: &[(&Slug, &Slug, i32, Option<Timestamp>)]) -> Result<(), Failure> {
    if noted.is_empty() {
        return Ok(());
    }
    let tenants: Vec<&Slug> = noted.iter().map(|(tenant, ..)| *tenant).collect();
    let ids: Vec<&Slug> = noted.iter().map(|(_, id, ..)| *id).collect();
    let failures: Vec<i32> = noted.iter().map(|(.., failures, _)| *failures).collect();
    let paused: Vec<Option<Timestamp>> = noted.iter().map(|(.., paused)| *paused).collect();
    sql::touch(
        tx,
        "update applications a set failures = n.failures, paused_until = n.paused
         from (select * from unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[])
                 as n (tenant, id, failures, paused) order by tenant, id) n
         where a.tenant = n.tenant and a.id = n.id and (a.failures, a.paused_until) is distinct from (n.failures, n.paused)",
        &[&tenants, &ids, &failures, &paused],
    )
    .await?;
    Ok(())
}

/// Rows that nobody has told long after their time: their messages are lost. Put off, so that each is said once.
///
/// # Errors
/// Contention or a database that is away.
pub async fn overdue(tx: &Transaction<'_>, now: Timestamp, before: Timestamp) -> Result<Vec<Publication>, Failure> {
    let rows = sql::rows(
        tx,
        "with late as (
           select id from application_calls where state in ('asked', 'calling') and due_at < $2
           order by due_at limit 500 for update skip locked)
         update application_calls c set due_at = $1 from late where c.id = late.id
         returning c.tenant, c.application, c.id, c.generation",
        &[&now, &before],
    )
    .await?;
    let said = |row: &Row| {
        let (tenant, application, id): (Slug, Slug, CallId) = (row.get(0), row.get(1), row.get(2));
        say(now, FactId(id.0), (&tenant, &application, id), row.get(3), now)
    };
    Ok(rows.iter().map(said).collect())
}
