//! Contacts as they stand: by id, by room, or all that agents hold or are offered, in one statement.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::desk::shape::{Composer, Contact, Entry, Offer, Session};
use crate::facts::ids::{ContactId, RoomId, Slug};
use crate::facts::said::Channel;
use crate::failure::Failure;
use crate::hub::sql;

/// Which contacts are looked at: all that any of these names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looked<'a> {
    /// By id.
    pub contacts: &'a [ContactId],
    /// By room.
    pub rooms: &'a [RoomId],
    /// What these agents hold, parked or are offered.
    pub agents: &'a [Slug],
    /// Everything of the tenant that is not closed.
    pub live: bool,
}

/// Where a contact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words speak for themselves")]
pub enum State {
    Prequeue,
    Queued,
    Offered,
    Active,
    WrapUp,
    Parked,
    Closed,
}

impl State {
    /// As in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prequeue => "prequeue",
            Self::Queued => "queued",
            Self::Offered => "offered",
            Self::Active => "active",
            Self::WrapUp => "wrap_up",
            Self::Parked => "parked",
            Self::Closed => "closed",
        }
    }

    fn of(word: &str) -> Self {
        let all = [Self::Prequeue, Self::Queued, Self::Offered, Self::Active, Self::WrapUp, Self::Parked];
        all.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Closed)
    }
}

/// A contact, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Which.
    pub contact_id: ContactId,
    /// Where.
    pub room_id: RoomId,
    /// Where it is.
    pub state: State,
    /// Whose; of an offered one: to whom; of a parked one: who parked it.
    pub agent: Option<Slug>,
    /// The number of the room's newest entry.
    pub last_seq: i32,
    /// The timer, while it runs.
    pub session: Option<Session>,
    /// Since when a text of the customer waits.
    pub waiting_since: Option<Timestamp>,
    /// How a closed one ended.
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<String>,
    skill: Slug,
    channel: Channel,
    our_number: String,
    customer_number: String,
    customer_name: Option<String>,
    queued_at: Timestamp,
    accepted_at: Option<Timestamp>,
    wrap_up_until: Option<Timestamp>,
    has_opted_out: bool,
    offer: Option<Pending>,
}

#[derive(Clone, Debug, PartialEq)]
struct Pending {
    id: Uuid,
    agent: Slug,
    made_at: Timestamp,
    lapses_at: Timestamp,
    skill: Option<Slug>,
    from_agent: Option<Slug>,
    last_text: Option<String>,
}

impl Found {
    /// Who answers for it: whose it is, or who parked it.
    #[must_use]
    pub fn holder(&self) -> Option<&Slug> {
        self.agent.as_ref().filter(|_| matches!(self.state, State::Active | State::WrapUp | State::Parked))
    }

    /// What is offered of it, and to whom.
    #[must_use]
    pub fn offered(&self) -> Option<(&Slug, Offer)> {
        let pending = self.offer.as_ref()?;
        let offer = Offer {
            offer_id: pending.id,
            contact_id: self.contact_id.0,
            room_id: self.room_id.0,
            skill: pending.skill.clone().unwrap_or_else(|| self.skill.clone()),
            channel: self.channel,
            our_number: self.our_number.clone(),
            customer_number: self.customer_number.clone(),
            customer_name: self.customer_name.clone(),
            queued_at: self.queued_at,
            made_at: pending.made_at,
            lapses_at: pending.lapses_at,
            from_agent: pending.from_agent.clone(),
            last_text: pending.last_text.clone(),
        };
        Some((&pending.agent, offer))
    }

    /// The contact without its entries.
    #[must_use]
    pub fn summary(&self) -> Contact {
        let why = match self.state {
            State::Parked => Some("parked"),
            State::WrapUp | State::Closed => Some("room_closed"),
            State::Active if self.has_opted_out => Some("opted_out"),
            State::Active => None,
            _ => Some("not_active"),
        };
        Contact {
            contact_id: self.contact_id.0,
            room_id: self.room_id.0,
            state: self.state.as_str().to_owned(),
            skill: self.skill.clone(),
            channel: self.channel,
            our_number: self.our_number.clone(),
            customer_number: self.customer_number.clone(),
            customer_name: self.customer_name.clone(),
            queued_at: self.queued_at,
            accepted_at: self.accepted_at,
            agent: self.agent.clone(),
            session: self.session.clone(),
            wrap_up_until: self.wrap_up_until,
            waiting_since: self.waiting_since,
            composer: Composer { can_write: why.is_none(), why },
            last_seq: self.last_seq,
            summary: true,
            entries: Vec::new(),
            more: false,
        }
    }

    /// The contact with its newest entries.
    #[must_use]
    pub fn whole(&self, entries: Vec<Entry>) -> Contact {
        let more = entries.first().is_some_and(|entry| entry.seq > 1);
        // read after the contact itself, so there may be more of them by now
        let last_seq = entries.last().map_or(self.last_seq, |entry| entry.seq.max(self.last_seq));
        Contact { summary: false, entries, more, last_seq, ..self.summary() }
    }
}

/// The statement, with fences of `limit` that keep it at the rows it is asked for: $1 tenant, $2 contacts, $3 rooms, $4 agents, $5 all that live.
pub const CONTACTS: &str = "with asked (id) as (
       select unnest($2::uuid[])
       union select c.id from unnest($3::uuid[]) as w (room)
             cross join lateral (select c.id from contacts c where c.room_id = w.room limit 100) c
       union select c.id from unnest($4::text[]) as w (agent)
             cross join lateral (
               select c.id from contacts c
               where c.tenant = $1 and c.agent = w.agent and c.state in ('offered', 'active', 'wrap_up') limit 100) c
       union select c.id from (select c.id, c.room_id from contacts c
                               where cardinality($4::text[]) > 0 and c.tenant = $1 and c.state = 'parked' offset 0) c
             cross join lateral (select r.agent from rooms r where r.id = c.room_id limit 1) r
             where r.agent = any($4)
       union select o.contact_id from unnest($4::text[]) as w (agent)
             cross join lateral (
               select o.contact_id from offers o
               where o.tenant = $1 and o.agent = w.agent and o.state = 'pending' limit 100) o
       union select c.id from (select r.id from rooms r where $5 and r.tenant = $1 and r.closed_at is null offset 0) r
             cross join lateral (
               select c.id from contacts c
               where c.room_id = r.id and c.state in ('prequeue', 'queued', 'offered', 'active', 'parked') limit 1) c
       union select c.id from contacts c
             where $5 and c.tenant = $1 and c.state = 'wrap_up' and c.state in ('offered', 'active', 'wrap_up'))
     select c.id, c.room_id, c.state, case when c.state = 'parked' then r.agent else c.agent end, r.next_seq - 1,
            s.id, s.deadline_at, s.timeout_s, w.at, c.outcome, c.reason, c.skill, c.channel, r.our_number,
            r.customer_number, c.queued_at, c.accepted_at, c.wrap_up_until,
            c.channel = 'sms' and exists (
              select 1 from opt_outs o where o.tenant = c.tenant and o.customer_number = r.customer_number
                and (o.scope in ('brand', 'all') or o.our_number = r.our_number)),
            o.id, o.agent, o.made_at, o.lapses_at, o.skill, o.from_agent, t.text, n.name
     from asked a
     cross join lateral (select c.* from contacts c where c.id = a.id and c.tenant = $1 limit 1) c
     cross join lateral (select r.* from rooms r where r.id = c.room_id and r.tenant = $1 limit 1) r
     left join lateral (
       select n.name from customers n where n.tenant = $1 and n.customer_number = r.customer_number limit 1) n on true
     left join lateral (
       select s.id, s.deadline_at, s.timeout_s from sessions s
       where s.room_id = c.room_id and s.contact_id = c.id and s.ended_at is null limit 1) s on true
     left join lateral (
       select o.id, o.agent, o.made_at, o.lapses_at, o.skill, o.from_agent from offers o
       where o.contact_id = c.id and o.state = 'pending' limit 1) o on true
     left join lateral (
       select e.at from entries e
       where c.state not in ('wrap_up', 'closed') and e.room_id = c.room_id and e.author = 'customer' and e.seq > coalesce((
         select w.seq from entries w where w.room_id = c.room_id and w.author = 'agent' and w.kind = 'text'
         order by w.seq desc limit 1), 0)
       order by e.seq limit 1) w on true
     left join lateral (
       select e.text from entries e where o.id is not null and e.room_id = c.room_id and e.author = 'customer'
       order by e.seq desc limit 1) t on true
     order by c.queued_at, c.id";

/// Contacts as they stand; closed ones too, where they are named.
///
/// # Errors
/// A database that is away.
pub async fn contacts(tx: &Transaction<'_>, tenant: &Slug, looked: &Looked<'_>) -> Result<Vec<Found>, Failure> {
    let is_nothing = looked.contacts.is_empty() && looked.rooms.is_empty() && looked.agents.is_empty();
    if is_nothing && !looked.live {
        return Ok(Vec::new());
    }
    let rows =
        sql::rows(tx, CONTACTS, &[tenant, &looked.contacts, &looked.rooms, &looked.agents, &looked.live]).await?;
    Ok(rows.iter().map(found).collect())
}

/// All of a tenant's contacts that are not closed, the longest waiting first.
///
/// # Errors
/// A database that is away.
pub async fn live(tx: &Transaction<'_>, tenant: &Slug) -> Result<Vec<Found>, Failure> {
    contacts(tx, tenant, &Looked { live: true, ..Looked::default() }).await
}

fn found(row: &Row) -> Found {
    let session = row.get::<_, Option<Uuid>>(5).map(|session_id| Session {
        session_id,
        deadline_at: row.get(6),
        timeout_s: row.get(7),
    });
    let offer = row.get::<_, Option<Uuid>>(19).map(|id| Pending {
        id,
        agent: row.get(20),
        made_at: row.get(21),
        lapses_at: row.get(22),
        skill: row.get(23),
        from_agent: row.get(24),
        last_text: row.get(25),
    });
    Found {
        contact_id: row.get(0),
        room_id: row.get(1),
        state: State::of(row.get(2)),
        agent: row.get(3),
        last_seq: row.get(4),
        session,
        waiting_since: row.get(8),
        outcome: row.get(9),
        reason: row.get(10),
        skill: row.get(11),
        channel: row.get::<_, &str>(12).parse().unwrap_or(Channel::Sms),
        our_number: row.get(13),
        customer_number: row.get(14),
        customer_name: row.get(26),
        queued_at: row.get(15),
        accepted_at: row.get(16),
        wrap_up_until: row.get(17),
        has_opted_out: row.get(18),
        offer,
    }
}

#[cfg(test)]
impl Found {
    /// One of a test's own: its number, where it is, whose, and how many entries it has.
    pub(crate) fn sample(nr: u128, state: State, agent: Option<&str>, last_seq: i32) -> Self {
        let at = Timestamp::UNIX_EPOCH;
        let slug = |text: &str| Slug::new(text).unwrap();
        let session = Session { session_id: Uuid::from_u128(nr), deadline_at: at, timeout_s: 7200 };
        Self {
            contact_id: ContactId(Uuid::from_u128(nr)),
            room_id: RoomId(Uuid::from_u128(1000 + nr)),
            state,
            agent: agent.map(slug),
            last_seq,
            session: (state == State::Active).then_some(session),
            waiting_since: None,
            outcome: None,
            reason: None,
            skill: slug("sms"),
            channel: Channel::Sms,
            our_number: "+15550100001".into(),
            customer_number: format!("+155501{nr:05}"),
            customer_name: None,
            queued_at: at,
            accepted_at: None,
            wrap_up_until: None,
            has_opted_out: false,
            offer: None,
        }
    }

    /// The same, offered to an agent.
    pub(crate) fn offered_to(mut self, agent: &str, offer: u128) -> Self {
        let at = Timestamp::UNIX_EPOCH;
        let agent = Slug::new(agent).unwrap();
        let (skill, from_agent, last_text) = (None, None, None);
        let id = Uuid::from_u128(offer);
        self.offer = Some(Pending { id, agent, made_at: at, lapses_at: at, skill, from_agent, last_text });
        self
    }
}
