//! Outreach: an agent texts a customer first. It joins the agent's own room, takes over a waiting contact, or opens a
//! room with the session running from this first text; every slot comes through the one reserve function. Each refusal
//! has its reason (DESIGN 10).

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Line, media};
use crate::facts::envelope::Publication;
use crate::facts::ids::{ContactId, FactId, RoomId, SessionId, Slug};
use crate::facts::purpose::Purpose;
use crate::facts::said::OfferOutcome;
use crate::failure::Failure;
use crate::hub::contact::{self, Contact};
use crate::hub::inbound::expiry;
use crate::hub::moving;
use crate::hub::offer;
use crate::hub::refusal::Refusal;
use crate::hub::room::{self, Ends, Room};
use crate::hub::session::{self, Session};
use crate::hub::slot::{self, Asks};
use crate::hub::written::reply::Posted;
use crate::hub::{consent, entry, outbound, sql};
use crate::sms::number::recipient;
use crate::sms::quiet::rows::Asking;
use crate::sms::quiet::{self, Decision};
use crate::tenant::point_of_contact::{self, PointOfContact};

/// An asked outreach.
#[derive(Clone, Debug)]
pub struct Outreach<'a> {
    /// Whose.
    pub tenant: &'a Slug,
    /// The customer's number.
    pub to: &'a str,
    /// From which of our numbers.
    pub our_number: Option<&'a str>,
    /// Under which skill.
    pub skill: Option<&'a Slug>,
    /// What it is for, where its author says so.
    pub purpose: Option<Purpose>,
    /// What.
    pub line: Line<'a>,
    /// The trace it belongs to.
    pub traceparent: Option<&'a str>,
}

/// Posts one outreach.
pub async fn post(tx: &Transaction<'_>, now: Timestamp, ask: &Outreach<'_>) -> Result<Posted, Failure> {
    if let Some(why) = agent_cannot(tx, ask).await? {
        return Ok(Posted::Refused(why, Vec::new()));
    }
    if let Some(why) = recipient::unfit(ask.to) {
        return Ok(Posted::Refused(why.into(), Vec::new()));
    }
    if !ask.line.has_fine_length() {
        return Ok(Posted::Refused(Refusal::TextLength, Vec::new()));
    }
    let point = match point(tx, ask).await? {
        Ok(point) => point,
        Err(why) => return Ok(Posted::Refused(why, Vec::new())),
    };
    if let Some(why) = media::refusal(tx, &ask.line, point.carrier.as_ref()).await? {
        return Ok(Posted::Refused(why, Vec::new()));
    }
    let party = (ask.tenant.as_str(), point.number.as_str(), ask.to);
    if consent::opted_out(tx, &[party]).await?.contains(&true) {
        return Ok(Posted::Refused(Refusal::OptedOut, Vec::new()));
    }
    into_room(tx, now, ask, &point).await
}

async fn agent_cannot(tx: &Transaction<'_>, ask: &Outreach<'_>) -> Result<Option<Refusal>, Failure> {
    let row = sql::row(
        tx,
        "select t.sms_messaging, a.state from tenants t
         left join agents a on a.tenant = t.id and a.id = $2 and a.ended_at is null
         where t.id = $1",
        &[ask.tenant, ask.line.agent],
    )
    .await?;
    Ok(match row.map(|row| (row.get::<_, bool>(0), row.get::<_, Option<String>>(1))) {
        None => Some(Refusal::UnknownTenant),
        Some((false, _)) => Some(Refusal::DisabledTenant),
        Some((true, None)) => Some(Refusal::UnknownAgent),
        Some((true, Some(state))) if state == "logged_out" => Some(Refusal::LoggedOut),
        Some(_) => None,
    })
}

/// From which number: the one named, the skill's, or the only one there is.
async fn point(tx: &Transaction<'_>, ask: &Outreach<'_>) -> Result<Result<PointOfContact, Refusal>, Failure> {
    let of_skill = ask.skill.filter(|_| ask.our_number.is_none());
    let mut points = point_of_contact::live_of_tenant(tx, ask.tenant, ask.our_number, of_skill).await?;
    if points.is_empty() || (points.len() > 1 && ask.our_number.is_none() && ask.skill.is_none()) {
        return Ok(Err(Refusal::NoNumber));
    }
    let mut point = points.swap_remove(0);
    if let Some(skill) = ask.skill.filter(|skill| **skill != point.skill) {
        let row = sql::row(
            tx,
            "select priority from skills where tenant = $1 and id = $2 and channel = 'sms' and ended_at is null",
            &[ask.tenant, skill],
        )
        .await?;
        let Some(row) = row else { return Ok(Err(Refusal::NotFound)) };
        point.skill = skill.clone();
        point.priority = row.get(0);
    }
    Ok(Ok(point))
}

async fn into_room(
    tx: &Transaction<'_>,
    now: Timestamp,
    ask: &Outreach<'_>,
    point: &PointOfContact,
) -> Result<Posted, Failure> {
    let ends = ends_of(ask, point);
    let mut said = Vec::new();
    let mut found = room::lock_open(tx, &[&ends]).await?.pop();
    let ids: Vec<RoomId> = found.iter().map(|r| r.id).collect();
    let mut session = session::lock_of_rooms(tx, &ids).await?.pop();
    let mut living = contact::lock_of_rooms(tx, &ids).await?.pop();
    if let Some(over) = session.as_ref().filter(|s| s.deadline_at <= now) {
        let ended = contact::end(tx, now, &[expiry(ask.line.id, over.contact_id)]).await?;
        said.extend(ended.into_iter().flatten().flatten());
        (found, session, living) = (None, None, None);
    }
    let decision = decide(tx, now, ask, found.as_ref()).await?;
    if decision.as_ref().is_some_and(|decision| decision.never().is_some()) {
        return Ok(Posted::Refused(Refusal::NoHours, said));
    }
    let agent = ask.line.agent;
    let holds = living.as_ref().map(|c| (c.state.as_str(), c.agent.as_ref() == Some(agent)));
    // what the contact takes of the agent, or has taken already
    let mut slots = living.as_ref().map_or(1, |contact| contact.slots);
    match holds {
        Some(("active", true)) => {}
        Some(("offered", true)) => said.extend(accept_own(tx, now, ask, living.as_ref()).await?),
        Some(("active" | "offered", _)) => return Ok(Posted::Refused(Refusal::HeldByOther, said)),
        // the agent's own parked one is taken back
        Some(("parked", _)) if found.as_ref().is_none_or(|room| room.agent.as_ref() != Some(agent)) => {
            return Ok(Posted::Refused(Refusal::HeldByOther, said));
        }
        _ => {
            slots = match slot::reserve_one(tx, now, Asks::LoggedIn, (ask.tenant, agent), &ends.channel).await? {
                Ok(slots) => slots,
                Err(no) => return Ok(Posted::Refused(moving::why_no_slot(no, Refusal::LoggedOut), said)),
            };
        }
    }
    let is_new = found.is_none();
    let mut room = found.unwrap_or_else(|| new_room(now, ask, point, ends));
    let contact = Contact { slots, ..living.clone().unwrap_or_else(|| new_contact(now, ask, point, &room)) };
    let starts = session.is_none();
    let session = session.unwrap_or_else(|| new_session(now, ask, point, &room, &contact));
    let (line, text) = ask.line.entry(now, &mut room, Some(contact.id), Some(&session), Some(point));
    if is_new {
        room::open(tx, &[&room], &[ask.traceparent]).await?;
        said.push(room::say_opened(&room, "outreach"));
    } else {
        room::assign(tx, &[(room.id, agent)]).await?;
    }
    said.extend(take(tx, now, ask, living.as_ref(), &contact).await?);
    entry::append(tx, &[&line]).await?;
    outbound::request(tx, now, &text.iter().collect::<Vec<_>>()).await?;
    quiet::rows::keep(tx, &text.iter().map(|text| text.id).zip(&decision).collect::<Vec<_>>()).await?;
    if starts {
        said.extend(session::start(tx, now, ask.line.id, &session, ask.traceparent).await?);
    } else {
        session::extend(tx, &[(room.id, session::after(now, session.timeout_s))]).await?;
    }
    said.push(entry::say(&line, &room.ends));
    said.extend(text.iter().map(|text| super::say(now, text, decision.as_ref())));
    Ok(Posted::Done(said))
}

fn ends_of(ask: &Outreach<'_>, point: &PointOfContact) -> Ends {
    Ends {
        tenant: ask.tenant.clone(),
        channel: "sms".into(),
        our_number: point.number.clone(),
        our_country: point.number_country.clone(),
        customer_number: ask.to.to_owned(),
    }
}

/// Quiet hours of this text.
async fn decide(
    tx: &Transaction<'_>,
    now: Timestamp,
    ask: &Outreach<'_>,
    room: Option<&Room>,
) -> Result<Option<Decision>, Failure> {
    let room_id = room.map(|room| room.id);
    let asking = Asking { tenant: ask.tenant, room_id, to: ask.to, named: ask.purpose };
    Ok(quiet::rows::at_request(tx, now, &[asking]).await?.pop().flatten())
}

/// The contact is the agent's from now on: a new one, one that waited or was parked, or it was already.
async fn take(
    tx: &Transaction<'_>,
    now: Timestamp,
    ask: &Outreach<'_>,
    living: Option<&Contact>,
    contact: &Contact,
) -> Result<Vec<Publication>, Failure> {
    let (cause, agent) = (ask.line.id, ask.line.agent);
    match living.map(|c| c.state.as_str()) {
        None => {
            contact::add(tx, now, &[contact]).await?;
            Ok(Vec::new())
        }
        Some("active") => Ok(Vec::new()),
        Some(state) => {
            let is_parked = state == "parked";
            let mut said: Vec<Publication> =
                is_parked.then(|| moving::say_unparked(now, cause, contact, agent)).into_iter().collect();
            said.extend(contact::activate(tx, now, cause, contact.id, agent, contact.slots).await?);
            Ok(said)
        }
    }
}

/// Whoever texts a customer that is just offered to them has accepted; the slot is held by the offer already.
async fn accept_own(
    tx: &Transaction<'_>,
    now: Timestamp,
    ask: &Outreach<'_>,
    contact: Option<&Contact>,
) -> Result<Vec<Publication>, Failure> {
    let pending = offer::pending_of_agent(tx, ask.tenant, ask.line.agent).await?;
    let Some(offer) = pending.into_iter().find(|o| contact.is_some_and(|c| c.id == o.contact_id)) else {
        return Ok(Vec::new());
    };
    let cause: FactId = ask.line.id;
    offer::settle(tx, now, OfferOutcome::Accepted, &[(offer.id, cause, "outreach")]).await?;
    Ok(vec![offer::say_settled(now, cause, &offer.over(), OfferOutcome::Accepted, "outreach")])
}

fn new_room(now: Timestamp, ask: &Outreach<'_>, point: &PointOfContact, ends: Ends) -> Room {
    Room {
        id: RoomId(ask.line.id.row("room", 0)),
        ends,
        point_of_contact: point.id.clone(),
        opened_at: now,
        closed_at: None,
        outcome: None,
        next_seq: 1,
        agent: Some(ask.line.agent.clone()),
        caused_by: ask.line.id,
    }
}

fn new_contact(now: Timestamp, ask: &Outreach<'_>, point: &PointOfContact, room: &Room) -> Contact {
    Contact {
        id: ContactId(ask.line.id.row("contact", 0)),
        tenant: ask.tenant.clone(),
        room_id: room.id,
        channel: "sms".into(),
        skill: point.skill.clone(),
        state: "active".into(),
        priority: point.priority,
        queued_at: now,
        agent: Some(ask.line.agent.clone()),
        preferred_agent: None,
        caused_by: ask.line.id,
        slots: 1,
    }
}

fn new_session(now: Timestamp, ask: &Outreach<'_>, point: &PointOfContact, room: &Room, contact: &Contact) -> Session {
    let deadline_at = session::after(now, point.session_timeout_s);
    Session {
        id: SessionId(ask.line.id.row("session", 0)),
        tenant: ask.tenant.clone(),
        room_id: room.id,
        contact_id: contact.id,
        agent: ask.line.agent.clone(),
        timeout_s: point.session_timeout_s,
        deadline_at,
        timer_gen: 1,
        timer_due_at: deadline_at,
    }
}
