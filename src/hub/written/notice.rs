//! Notices: a program texts a customer. In an open room the text is a line of it and moves the session's deadline, as
//! every text does; where none is open it opens one and closes it at once, so that the transcript has it and nobody's slot
//! is taken. Consent, quiet hours and numbers hold as for outreach.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Line, media};
use crate::application::calls::News;
use crate::application::texts::{self, Sent};
use crate::application::{self, Application, calls, twilio};
use crate::facts::envelope::Publication;
use crate::facts::ids::{FactId, RoomId, Slug};
use crate::facts::purpose::Purpose;
use crate::facts::said::{Author, SmsStatus};
use crate::failure::Failure;
use crate::hub::inbound::expiry;
use crate::hub::refusal::Refusal;
use crate::hub::room::{self, Closing, Ends, Room};
use crate::hub::session;
use crate::hub::written::reply::Posted;
use crate::hub::{consent, contact, entry, outbound, sql};
use crate::sms::number::recipient;
use crate::sms::quiet;
use crate::sms::quiet::rows::Asking;
use crate::tenant::point_of_contact::{self, PointOfContact};

/// Why such a room is opened, and closed.
const NOTICE: &str = "notice";

/// An asked notice.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// Whose.
    pub tenant: &'a Slug,
    /// Which application asked.
    pub application: Option<&'a Slug>,
    /// From which of our numbers.
    pub from: &'a str,
    /// Of a short code: its country, where it is named.
    pub from_country: Option<&'a str>,
    /// The customer's number.
    pub to: &'a str,
    /// What it is for, where somebody says so.
    pub purpose: Option<Purpose>,
    /// The fact that brought the text that it answers.
    pub answers: Option<FactId>,
    /// Where the application hears what became of it.
    pub status_url: Option<&'a str>,
    /// What.
    pub line: Line<'a>,
    /// The trace it belongs to.
    pub traceparent: Option<&'a str>,
}

/// Posts one notice; an application's is kept among its texts, done or refused.
pub async fn post(tx: &Transaction<'_>, now: Timestamp, ask: &Notice<'_>) -> Result<Posted, Failure> {
    let by = match ask.application {
        None => None,
        Some(id) => match application::of_slug(tx, ask.tenant, id).await? {
            Some(application) => Some(application),
            None => return Ok(Posted::Refused(Refusal::UnknownApplication, Vec::new())),
        },
    };
    let mut posted = judged(tx, now, ask, by.as_ref()).await?;
    if let (Some(by), Posted::Refused(why, said)) = (&by, &mut posted) {
        let ends = Ends {
            tenant: ask.tenant.clone(),
            channel: "sms".into(),
            our_number: entry::words(ask.from),
            our_country: String::new(),
            customer_number: entry::words(ask.to),
        };
        texts::keep(tx, now, by, &sent(ask, &ends, Err(why.word()))).await?;
        said.extend(tell(tx, now, ask, by, *why).await?);
    }
    Ok(posted)
}

/// Whoever hears what becomes of the text hears that it was refused: the application may have left before that was known.
async fn tell(
    tx: &Transaction<'_>,
    now: Timestamp,
    ask: &Notice<'_>,
    by: &Application,
    why: Refusal,
) -> Result<Vec<Publication>, Failure> {
    if ask.status_url.or(by.status_url.as_deref()).is_none() {
        return Ok(Vec::new());
    }
    let news = News {
        tenant: by.tenant.clone(),
        application: by.id.clone(),
        sid: ask.line.id,
        status: twilio::status(SmsStatus::Failed),
        error: Some(twilio::error(why.word())),
        opt_out_type: None,
        cause: ask.line.id,
    };
    Ok(calls::ask(tx, now, &[news]).await?.into_values().flatten().collect())
}

fn sent<'a>(ask: &'a Notice<'_>, ends: &'a Ends, line: Result<(RoomId, i32), &'static str>) -> Sent<'a> {
    Sent { id: ask.line.id, is_reply: ask.answers.is_some(), ends, line, sms_id: None, status_url: ask.status_url }
}

async fn judged(
    tx: &Transaction<'_>,
    now: Timestamp,
    ask: &Notice<'_>,
    by: Option<&Application>,
) -> Result<Posted, Failure> {
    match fits(tx, ask, by).await? {
        Ok(point) => into_room(tx, now, ask, &point, by).await,
        Err(why) => Ok(Posted::Refused(why, Vec::new())),
    }
}

/// From which point of contact it may leave, or why it may not; quiet hours apart, which depend on the room.
///
/// # Errors
/// Contention or a database that is away.
pub async fn fits(
    tx: &Transaction<'_>,
    ask: &Notice<'_>,
    by: Option<&Application>,
) -> Result<Result<PointOfContact, Refusal>, Failure> {
    let refused = |why| Ok(Err(why));
    let tenant = sql::row(tx, "select sms_messaging from tenants where id = $1", &[ask.tenant]).await?;
    match tenant.map(|row| row.get::<_, bool>(0)) {
        None => return refused(Refusal::UnknownTenant),
        Some(false) => return refused(Refusal::DisabledTenant),
        Some(true) => {}
    }
    if let Some(why) = recipient::unfit(ask.to) {
        return refused(why.into());
    }
    if !ask.line.has_fine_length() {
        return refused(Refusal::TextLength);
    }
    let Some(point) = point(tx, ask, by).await? else { return refused(Refusal::NoNumber) };
    if let Some(why) = media::refusal(tx, &ask.line, point.carrier.as_ref()).await? {
        return refused(why);
    }
    let party = (ask.tenant.as_str(), point.number.as_str(), ask.to);
    if consent::opted_out(tx, &[party]).await?.contains(&true) {
        return refused(Refusal::OptedOut);
    }
    Ok(Ok(point))
}

/// The point of contact of the number it is to come from, where it may.
async fn point(
    tx: &Transaction<'_>,
    ask: &Notice<'_>,
    by: Option<&Application>,
) -> Result<Option<PointOfContact>, Failure> {
    let number = entry::words(ask.from);
    let mut points = point_of_contact::live_of_tenant(tx, ask.tenant, Some(&number), None).await?;
    points.retain(|point| {
        let is_there = point.number_country.is_empty()
            || ask.from_country.is_none_or(|country| country.eq_ignore_ascii_case(&point.number_country));
        is_there && by.is_none_or(|by| by.may_use(&point.id))
    });
    // a short code that is ours in several countries, none of them named, is not one number
    Ok(points.pop().filter(|_| points.is_empty()))
}

async fn into_room(
    tx: &Transaction<'_>,
    now: Timestamp,
    ask: &Notice<'_>,
    point: &PointOfContact,
    by: Option<&Application>,
) -> Result<Posted, Failure> {
    let cause = ask.line.id;
    let ends = Ends {
        tenant: ask.tenant.clone(),
        channel: "sms".into(),
        our_number: point.number.clone(),
        our_country: point.number_country.clone(),
        customer_number: ask.to.to_owned(),
    };
    let mut said = Vec::new();
    let mut found = room::lock_open(tx, &[&ends]).await?.pop();
    let ids: Vec<RoomId> = found.iter().map(|r| r.id).collect();
    let mut session = session::lock_of_rooms(tx, &ids).await?.pop();
    let mut living = contact::lock_of_rooms(tx, &ids).await?.pop();
    if let Some(over) = session.as_ref().filter(|s| s.deadline_at <= now) {
        let ended = contact::end(tx, now, &[expiry(cause, over.contact_id)]).await?;
        said.extend(ended.into_iter().flatten().flatten());
        (found, session, living) = (None, None, None);
    }
    let by_default = if ask.answers.is_some() { Purpose::Conversational } else { Purpose::Informational };
    let named = Some(ask.purpose.unwrap_or(by_default));
    let asking = Asking { tenant: ask.tenant, room_id: found.as_ref().map(|room| room.id), to: ask.to, named };
    let decision = quiet::rows::at_request(tx, now, &[asking]).await?.pop().flatten();
    if decision.as_ref().is_some_and(|decision| decision.never().is_some()) {
        return Ok(Posted::Refused(Refusal::NoHours, said));
    }
    let is_new = found.is_none();
    let mut room = found.unwrap_or_else(|| new_room(now, ask, point, ends));
    let contact = living.take().map(|contact| contact.id);
    let (mut line, text) = ask.line.entry(now, &mut room, contact, session.as_ref(), Some(point));
    (line.author, line.agent) = (Author::Program, None);
    if is_new {
        room::open(tx, &[&room], &[ask.traceparent]).await?;
        said.push(room::say_opened(&room, NOTICE));
    }
    entry::append(tx, &[&line]).await?;
    outbound::request(tx, now, &text.iter().collect::<Vec<_>>()).await?;
    quiet::rows::keep(tx, &text.iter().map(|text| text.id).zip(&decision).collect::<Vec<_>>()).await?;
    if let Some(session) = &session {
        session::extend(tx, &[(room.id, session::after(now, session.timeout_s))]).await?;
    }
    if let Some(by) = by {
        let sent = Sent { sms_id: line.sms_id, ..sent(ask, &room.ends, Ok((room.id, line.seq))) };
        texts::keep(tx, now, by, &sent).await?;
    }
    said.push(entry::say(&line, &room.ends));
    said.extend(text.iter().map(|text| super::say(now, text, decision.as_ref())));
    if is_new {
        let closing = Closing { id: room.id, cause, reason: NOTICE.into(), outcome: None };
        room::close(tx, now, &[closing]).await?;
        said.push(room::say_closed(now, cause, room.id, &room.ends, NOTICE));
    }
    Ok(Posted::Done(said))
}

fn new_room(now: Timestamp, ask: &Notice<'_>, point: &PointOfContact, ends: Ends) -> Room {
    Room {
        id: RoomId(ask.line.id.row("room", 0)),
        ends,
        point_of_contact: point.id.clone(),
        opened_at: now,
        closed_at: None,
        outcome: None,
        next_seq: 1,
        agent: None,
        caused_by: ask.line.id,
    }
}
