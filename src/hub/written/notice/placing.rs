//! Notices that may leave, into rooms: one statement each for rooms, entries, texts, deadlines and applications' texts.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Notice, sent};
use crate::application::Application;
use crate::application::texts::{self, Sent};
use crate::facts::envelope::Publication;
use crate::facts::ids::{FactId, RoomId};
use crate::facts::purpose::Purpose;
use crate::facts::said::Author;
use crate::failure::Failure;
use crate::hub::contact::Contact;
use crate::hub::entry::Entry;
use crate::hub::inbound::expiry;
use crate::hub::outbound::Outbound;
use crate::hub::refusal::Refusal;
use crate::hub::room::{self, Closing, Ends, Room};
use crate::hub::session::{self, Session};
use crate::hub::written::reply::Posted;
use crate::hub::{contact, entry, outbound};
use crate::sms::quiet::rows::Asking;
use crate::sms::quiet::{self, Decision};
use crate::tenant::point_of_contact::PointOfContact;

/// Why such a room is opened, and closed.
const NOTICE: &str = "notice";

/// A notice that may leave; each of another conversation.
pub(super) struct Fit<'a> {
    /// Its place.
    pub(super) nth: usize,
    /// What is asked.
    pub(super) ask: &'a Notice<'a>,
    /// By which application.
    pub(super) by: Option<&'a Application>,
    /// From where.
    pub(super) point: PointOfContact,
}

impl Fit<'_> {
    fn ends(&self) -> Ends {
        Ends {
            tenant: self.ask.tenant.clone(),
            channel: "sms".into(),
            our_number: self.point.number.clone(),
            our_country: self.point.number_country.clone(),
            customer_number: self.ask.to.to_owned(),
        }
    }

    fn new_room(&self, now: Timestamp, ends: Ends) -> Room {
        Room {
            id: RoomId(self.ask.line.id.row("room", 0)),
            ends,
            point_of_contact: self.point.id.clone(),
            opened_at: now,
            closed_at: None,
            outcome: None,
            next_seq: 1,
            agent: None,
            caused_by: self.ask.line.id,
        }
    }

    fn asking<'s>(&'s self, room: Option<&Room>) -> Asking<'s> {
        let by_default = if self.ask.answers.is_some() { Purpose::Conversational } else { Purpose::Informational };
        let named = Some(self.ask.purpose.unwrap_or(by_default));
        Asking { tenant: self.ask.tenant, room_id: room.map(|room| room.id), to: self.ask.to, named }
    }
}

/// What stands open between the ends of notices.
#[derive(Default)]
struct Open {
    rooms: HashMap<Ends, Room>,
    sessions: HashMap<RoomId, Session>,
    contacts: HashMap<RoomId, Contact>,
}

impl Open {
    /// All of it, locked; what is past its deadline is ended, and said of the notice that found it.
    async fn lock(
        tx: &Transaction<'_>,
        now: Timestamp,
        causes: &HashMap<Ends, FactId>,
    ) -> Result<(Self, HashMap<FactId, Vec<Publication>>), Failure> {
        let found = room::lock_open(tx, &causes.keys().collect::<Vec<_>>()).await?;
        let ids: Vec<RoomId> = found.iter().map(|room| room.id).collect();
        let sessions = session::lock_of_rooms(tx, &ids).await?;
        let contacts = contact::lock_of_rooms(tx, &ids).await?;
        let mut open = Self {
            rooms: found.into_iter().map(|room| (room.ends.clone(), room)).collect(),
            sessions: sessions.into_iter().map(|session| (session.room_id, session)).collect(),
            contacts: contacts.into_iter().map(|contact| (contact.room_id, contact)).collect(),
        };
        let over: Vec<(FactId, &Session)> = open
            .rooms
            .values()
            .filter_map(|room| Some((*causes.get(&room.ends)?, open.sessions.get(&room.id)?)))
            .filter(|(_, session)| session.deadline_at <= now)
            .collect();
        if over.is_empty() {
            return Ok((open, HashMap::new()));
        }
        let endings: Vec<_> = over.iter().map(|(cause, session)| expiry(*cause, session.contact_id)).collect();
        let ended = contact::end(tx, now, &endings).await?;
        let gone: Vec<RoomId> = over.iter().map(|(_, session)| session.room_id).collect();
        let said = over.iter().zip(ended).filter_map(|((cause, _), said)| Some((*cause, said?))).collect();
        open.rooms.retain(|_, room| !gone.contains(&room.id));
        open.sessions.retain(|id, _| !gone.contains(id));
        open.contacts.retain(|id, _| !gone.contains(id));
        Ok((open, said))
    }
}

/// What is to be written.
#[derive(Default)]
struct Written<'a> {
    opened: Vec<Room>,
    traceparents: Vec<Option<&'a str>>,
    entries: Vec<Entry>,
    texts: Vec<Outbound>,
    decided: Vec<Decision>,
    decided_of: Vec<usize>,
    deadlines: Vec<(RoomId, Timestamp)>,
    closings: Vec<Closing>,
    /// Of applications: whose, and the ends, room and line of each.
    kept: Vec<(&'a Fit<'a>, Ends, Entry)>,
}

impl Written<'_> {
    async fn write(&self, tx: &Transaction<'_>, now: Timestamp) -> Result<(), Failure> {
        room::open(tx, &self.opened.iter().collect::<Vec<_>>(), &self.traceparents).await?;
        entry::append(tx, &self.entries.iter().collect::<Vec<_>>()).await?;
        outbound::request(tx, now, &self.texts.iter().collect::<Vec<_>>()).await?;
        let decided = self.decided_of.iter().map(|nth| self.texts[*nth].id).zip(&self.decided);
        quiet::rows::keep(tx, &decided.collect::<Vec<_>>()).await?;
        session::extend(tx, &self.deadlines).await?;
        let kept = self.kept.iter().filter_map(|(fit, ends, line)| {
            let sent = Sent { sms_id: line.sms_id, ..sent(fit.ask, ends, Ok((line.room_id, line.seq))) };
            Some((fit.by?, sent))
        });
        texts::keep(tx, now, &kept.collect::<Vec<_>>()).await?;
        room::close(tx, now, &self.closings).await
    }
}

/// Writes them; what became of each, by its place.
pub(super) async fn into_rooms(
    tx: &Transaction<'_>,
    now: Timestamp,
    fits: &[Fit<'_>],
) -> Result<Vec<(usize, Posted)>, Failure> {
    if fits.is_empty() {
        return Ok(Vec::new());
    }
    let causes = fits.iter().map(|fit| (fit.ends(), fit.ask.line.id)).collect();
    let (mut open, mut said_first) = Open::lock(tx, now, &causes).await?;
    let asked: Vec<Asking<'_>> = fits.iter().map(|fit| fit.asking(open.rooms.get(&fit.ends()))).collect();
    let decisions = quiet::rows::at_request(tx, now, &asked).await?;
    let mut written = Written::default();
    let mut posted = Vec::with_capacity(fits.len());
    for (fit, decision) in fits.iter().zip(decisions) {
        let said = said_first.remove(&fit.ask.line.id).unwrap_or_default();
        posted.push((fit.nth, place(now, fit, &mut open, decision, &mut written, said)));
    }
    written.write(tx, now).await?;
    Ok(posted)
}

fn place<'a>(
    now: Timestamp,
    fit: &'a Fit<'a>,
    open: &mut Open,
    decision: Option<Decision>,
    written: &mut Written<'a>,
    mut said: Vec<Publication>,
) -> Posted {
    if decision.as_ref().is_some_and(|decision| decision.never().is_some()) {
        return Posted::Refused(Refusal::NoHours, said);
    }
    let ends = fit.ends();
    let found = open.rooms.remove(&ends);
    let is_new = found.is_none();
    let mut room = found.unwrap_or_else(|| fit.new_room(now, ends));
    let session = open.sessions.get(&room.id);
    let contact = open.contacts.get(&room.id).map(|contact| contact.id);
    let (mut line, text) = fit.ask.line.entry(now, &mut room, contact, session, Some(&fit.point));
    (line.author, line.agent) = (Author::Program, None);
    if is_new {
        said.push(room::say_opened(&room, NOTICE));
    }
    said.push(entry::say(&line, &room.ends));
    said.extend(text.iter().map(|text| super::super::say(now, text, decision.as_ref())));
    if let Some(session) = session {
        written.deadlines.push((room.id, session::after(now, session.timeout_s)));
    }
    if is_new {
        let cause = fit.ask.line.id;
        written.closings.push(Closing { id: room.id, cause, reason: NOTICE.into(), outcome: None });
        said.push(room::say_closed(now, cause, room.id, &room.ends, NOTICE));
    }
    if fit.by.is_some() {
        written.kept.push((fit, room.ends.clone(), line.clone()));
    }
    written.entries.push(line);
    if let Some(text) = text {
        if let Some(decision) = decision {
            written.decided_of.push(written.texts.len());
            written.decided.push(decision);
        }
        written.texts.push(text);
    }
    if is_new {
        written.opened.push(room);
        written.traceparents.push(fit.ask.traceparent);
    }
    Posted::Done(said)
}
