//! What a customer's text does: it joins the open room or opens one, is written to the transcript, queues a contact
//! where the room has none, and moves the deadline of a live session. STOP and its kin, and a visitor's leaving, are
//! in files of their own. A session past its deadline is expired here, in the same transaction, and a new room opened.

mod flood;
mod keyword;
mod left;
mod parked;
mod plain;
mod told;

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;

use super::consent::Party;
use super::contact::{self, Contact, Ending};
use super::entry::{self, Entry};
use super::memory;
use super::room::{self, Ends, Room};
use super::sender::{self, Withheld};
use super::session::{self, Session};
use super::sql;
use crate::facts::envelope::{Publication, Reason};
use crate::facts::ids::{ContactId, EntryId, FactId, RoomId, Slug};
use crate::facts::said::{Author, ContactOutcome, Direction};
use crate::failure::Failure;
use crate::sms::keywords::Keyword;
use crate::tenant::point_of_contact::PointOfContact;

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text for an agent.
    Text,
    /// STOP, START, HELP or YES, exactly.
    Keyword(Keyword),
    /// A visitor left the chat.
    Left,
}

/// A text on its way into a room.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its place in the batch.
    pub index: usize,
    /// Of the fact that brought it.
    pub id: FactId,
    /// Between whom.
    pub ends: Ends,
    /// To which point of contact.
    pub point: PointOfContact,
    /// What was written; storable.
    pub text: String,
    /// What was mended.
    pub flags: Option<Value>,
    /// Links.
    pub media: Option<Value>,
    /// When the carrier took it; at most now.
    pub received_at: Timestamp,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its sender is blocked.
    pub withheld: Option<Withheld>,
}

impl Arrival {
    /// Whose consent it is about.
    #[must_use]
    pub fn party(&self) -> Party<'_> {
        (self.ends.tenant.as_str(), &self.ends.our_number, &self.ends.customer_number)
    }
}

/// What became of an arrival: publications (to be kept where they do not follow from rows), or a reason to set it aside.
pub type Fate = Result<Recorded, Reason>;

/// See [`Fate`].
#[derive(Debug)]
pub struct Recorded {
    /// What to say.
    pub said: Vec<Publication>,
    /// They follow from more than its own entry, room and contact: keep them for a repeat.
    pub is_kept: bool,
}

/// Records the texts of blocked senders: they open, join and answer nothing, but a word about consent counts.
pub async fn record_blocked(tx: &Transaction<'_>, now: Timestamp, blocked: &[Arrival]) -> Result<(), Failure> {
    for arrival in blocked {
        if let Kind::Keyword(word) = arrival.kind {
            keyword::of_blocked(tx, now, arrival, word).await?;
        }
    }
    sender::withhold(tx, now, Withheld::Blocked, &blocked.iter().collect::<Vec<_>>()).await
}

/// A conversation as it stands, under its room's lock.
#[derive(Clone, Debug, Default)]
struct Conversation {
    room: Option<Room>,
    is_new: bool,
    session: Option<Session>,
    contact: Option<Contact>,
    /// Who has the wrap-up of the conversation before.
    wrapping_agent: Option<Slug>,
    /// Said for the arrival that found the session past its deadline, or the contact parked.
    beside: Option<(FactId, Vec<Publication>)>,
    /// Texts within the flood limit's span before this wave, where it matters.
    recent: Option<i64>,
    /// Texts of this wave so far.
    heard: i64,
}

/// What these facts said when they were recorded, for repeats: from what was kept, else from their rows.
pub async fn say_again(
    tx: &Transaction<'_>,
    worker: &str,
    ids: &[FactId],
) -> Result<HashMap<FactId, Vec<Publication>>, Failure> {
    let mut said = plain::say_again(tx, ids).await?;
    said.extend(memory::said_of(tx, worker, ids).await?);
    Ok(said)
}

/// Splits arrivals so that within a wave each conversation has either plain texts or one arrival of another kind.
#[must_use]
pub fn waves(arrivals: Vec<Arrival>) -> Vec<Vec<Arrival>> {
    let mut waves = Vec::new();
    let mut rest = arrivals;
    while !rest.is_empty() {
        let mut plain: HashSet<Ends> = HashSet::new();
        let mut shut: HashSet<Ends> = HashSet::new();
        let (mut wave, mut later) = (Vec::new(), Vec::new());
        for arrival in rest {
            let ends = arrival.ends.clone();
            if shut.contains(&ends) || (arrival.kind != Kind::Text && plain.contains(&ends)) {
                shut.insert(ends);
                later.push(arrival);
                continue;
            }
            if arrival.kind == Kind::Text {
                plain.insert(ends)
            } else {
                shut.insert(ends)
            };
            wave.push(arrival);
        }
        waves.push(wave);
        rest = later;
    }
    waves
}

/// Locks the open rooms of these arrivals.
pub async fn lock_rooms(tx: &Transaction<'_>, arrivals: &[Arrival]) -> Result<Vec<Room>, Failure> {
    let ends: HashSet<&Ends> = arrivals.iter().map(|a| &a.ends).collect();
    room::lock_open(tx, &ends.into_iter().collect::<Vec<_>>()).await
}

/// Records one wave: what became of each arrival, by its index in the batch. `rooms` holds the open rooms of (at least)
/// these arrivals where they were locked before.
pub async fn record(
    tx: &Transaction<'_>,
    now: Timestamp,
    wave: &[Arrival],
    rooms: Option<Vec<Room>>,
) -> Result<Vec<(usize, Fate)>, Failure> {
    let rooms = match rooms {
        Some(rooms) => rooms,
        None => lock_rooms(tx, wave).await?,
    };
    let mut conversations = load(tx, now, wave, rooms).await?;
    if expire_overdue(tx, now, wave, &mut conversations).await? {
        find_wrapping(tx, &mut conversations).await?;
    }
    flood::count_rest(tx, now, wave, &mut conversations).await?;
    if conversations.values().any(|conversation| conversation.parked_by().is_some()) {
        Box::pin(parked::wake(tx, now, wave, &mut conversations)).await?;
    }
    let mut results = plain::record(tx, now, wave, &mut conversations).await?;
    for arrival in wave.iter().filter(|a| a.kind != Kind::Text) {
        let conversation = conversations.entry(arrival.ends.clone()).or_default();
        let result = match arrival.kind {
            Kind::Keyword(word) => keyword::record(tx, now, arrival, word, conversation).await?,
            Kind::Left | Kind::Text => left::record(tx, now, arrival, conversation).await?,
        };
        results.push((arrival.index, result));
    }
    told::add(tx, now, wave, &mut results).await?;
    Ok(results)
}

/// The conversations of a wave as they stand, read in one round trip once their rooms are locked.
async fn load(
    tx: &Transaction<'_>,
    now: Timestamp,
    wave: &[Arrival],
    rooms: Vec<Room>,
) -> Result<HashMap<Ends, Conversation>, Failure> {
    let mut conversations: HashMap<Ends, Conversation> =
        wave.iter().map(|a| (a.ends.clone(), Conversation::default())).collect();
    for room in rooms {
        if let Some(conversation) = conversations.get_mut(&room.ends) {
            conversation.room = Some(room);
        }
    }
    let ids: Vec<RoomId> = conversations.values().filter_map(|c| c.room.as_ref()).map(|r| r.id).collect();
    let opening: Vec<Ends> = conversations.iter().filter(|(_, c)| c.room.is_none()).map(|(e, _)| e.clone()).collect();
    let counted = flood::to_count(wave, &conversations);
    let (living, wrapping, recent) = tokio::try_join!(
        biased;
        contact::lock_with_sessions(tx, &ids),
        wrapping_of(tx, &opening),
        sender::recent(tx, now, &counted),
    )?;
    flood::note(&mut conversations, &counted, &recent);
    let mut living: HashMap<RoomId, (Contact, Option<Session>)> =
        living.into_iter().map(|(contact, session)| (contact.room_id, (contact, session))).collect();
    for conversation in conversations.values_mut() {
        let found = conversation.room.as_ref().and_then(|room| living.remove(&room.id));
        (conversation.contact, conversation.session) =
            found.map_or((None, None), |(contact, session)| (Some(contact), session));
    }
    note_wrapping(&mut conversations, wrapping);
    Ok(conversations)
}

/// The row decides, not whether the timer has fired (DESIGN 10): a text at or past the deadline opens a new room. Whether
/// there was any.
async fn expire_overdue(
    tx: &Transaction<'_>,
    now: Timestamp,
    wave: &[Arrival],
    conversations: &mut HashMap<Ends, Conversation>,
) -> Result<bool, Failure> {
    let mut seen: HashSet<&Ends> = HashSet::new();
    let mut endings = Vec::new();
    let mut found = Vec::new();
    for arrival in wave.iter().filter(|a| seen.insert(&a.ends)) {
        let Some(session) = conversations.get(&arrival.ends).and_then(|c| c.session.as_ref()) else { continue };
        if arrival.received_at < session.deadline_at {
            continue;
        }
        if !arrival.point.is_live {
            // this arrival is set aside, and what is set aside says nothing: the timer will end the session
            conversations.insert(arrival.ends.clone(), Conversation::default());
            continue;
        }
        endings.push(expiry(arrival.id, session.contact_id));
        found.push(arrival);
    }
    if endings.is_empty() {
        return Ok(false);
    }
    for (arrival, said) in found.iter().zip(contact::end(tx, now, &endings).await?) {
        let over = Conversation { beside: said.map(|said| (arrival.id, said)), ..Conversation::default() };
        conversations.insert(arrival.ends.clone(), over);
    }
    Ok(true)
}

/// The end of a contact by its session's deadline.
#[must_use]
pub fn expiry(cause: FactId, contact_id: ContactId) -> Ending {
    Ending {
        cause,
        contact_id,
        outcome: Some(ContactOutcome::Expired),
        reason: "expired".into(),
        disposition: None,
        note: None,
        by: None,
        is_final: false,
    }
}

/// A reply during wrap-up is a new contact that prefers the same agent.
async fn find_wrapping(tx: &Transaction<'_>, conversations: &mut HashMap<Ends, Conversation>) -> Result<(), Failure> {
    let opening: Vec<Ends> = conversations.iter().filter(|(_, c)| c.room.is_none()).map(|(e, _)| e.clone()).collect();
    let wrapping = wrapping_of(tx, &opening).await?;
    note_wrapping(conversations, wrapping);
    Ok(())
}

fn note_wrapping(conversations: &mut HashMap<Ends, Conversation>, wrapping: Vec<(Ends, Option<Slug>)>) {
    for (ends, agent) in wrapping {
        if let Some(conversation) = conversations.get_mut(&ends) {
            conversation.wrapping_agent = agent;
        }
    }
}

/// Who has the wrap-up of conversations between these ends, the newest last.
async fn wrapping_of(tx: &Transaction<'_>, opening: &[Ends]) -> Result<Vec<(Ends, Option<Slug>)>, Failure> {
    if opening.is_empty() {
        return Ok(Vec::new());
    }
    let tenants: Vec<&Slug> = opening.iter().map(|e| &e.tenant).collect();
    let ours: Vec<&str> = opening.iter().map(|e| e.our_number.as_str()).collect();
    let customers: Vec<&str> = opening.iter().map(|e| e.customer_number.as_str()).collect();
    let rows = sql::rows(
        tx,
        // the last few rooms: a keyword's may stand between the one that is being wrapped up and now; the fences of
        // `limit` keep it at them, whatever else is being wrapped up
        "select r.tenant, r.channel, r.our_number, r.our_country, r.customer_number, c.agent
         from unnest($1::text[], $2::text[], $3::text[]) as e (tenant, our_number, customer_number)
         cross join lateral (
           select r.id, r.tenant, r.channel, r.our_number, r.our_country, r.customer_number, r.opened_at
           from rooms r
           where r.tenant = e.tenant and r.customer_number = e.customer_number and r.our_number = e.our_number
             and r.closed_at is not null
           order by r.opened_at desc limit 3) r
         cross join lateral (
           select c.agent from contacts c where c.room_id = r.id and c.state = 'wrap_up' limit 1) c
         order by r.opened_at",
        &[&tenants, &ours, &customers],
    )
    .await?;
    Ok(rows.iter().map(|row| (Ends::of_row(row, 0), row.get(5))).collect())
}

impl Conversation {
    /// Opens a room in memory, for an arrival that found none.
    fn open(&mut self, now: Timestamp, arrival: &Arrival) {
        self.is_new = true;
        self.session = None;
        self.contact = None;
        self.room = Some(Room {
            id: RoomId(arrival.id.row("room", 0)),
            ends: arrival.ends.clone(),
            point_of_contact: arrival.point.id.clone(),
            opened_at: now,
            closed_at: None,
            outcome: None,
            next_seq: 1,
            agent: None,
            caused_by: arrival.id,
        });
    }

    /// The next line of the room.
    fn entry(&mut self, now: Timestamp, arrival: &Arrival) -> Option<Entry> {
        let deadline_at = self.session.as_ref().map(|s| session::after(now, s.timeout_s));
        let contact_id = self.contact.as_ref().map(|c| c.id);
        let room = self.room.as_mut()?;
        let seq = room.next_seq;
        room.next_seq += 1;
        Some(Entry {
            room_id: room.id,
            seq,
            id: EntryId(arrival.id.row("entry", 0)),
            contact_id,
            direction: Direction::Inbound,
            author: Author::Customer,
            agent: None,
            kind: "text",
            parts: entry::parts_of(&arrival.text),
            text: arrival.text.clone(),
            flags: arrival.flags.clone(),
            media: arrival.media.clone(),
            at: now,
            written_at: arrival.received_at,
            sms_id: None,
            deadline_at,
            caused_by: arrival.id,
            ordinal: 0,
        })
    }
}

/// An ended number opens nothing new.
fn disabled() -> Reason {
    Reason::new(
        "number_disabled",
        "this point of contact has ended and the customer has no open room; apply it again and replay",
    )
}
