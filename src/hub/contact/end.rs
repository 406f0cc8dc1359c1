//! How contacts end, whatever ends them: pending offer rescinded, session ended, room closed, then wrap-up or the close
//! with its slot freed, all in the caller's transaction and set-based. Transcripts need no step.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use crate::facts::due::{AgentDue, WrapUpDue};
use crate::facts::envelope::{Fact, Publication};
use crate::facts::heard::AgentState;
use crate::facts::ids::{ContactId, FactId, OfferId, RoomId, SessionId, Slug};
use crate::facts::said::{AgentFreed, ContactClosed, ContactOutcome, Durations, OfferOutcome};
use crate::failure::Failure;
use crate::hub::offer::{self, Pending};
use crate::hub::room::{self, Closing, Ends};
use crate::hub::session::{self, Session};
use crate::hub::slot::{self, Hold, Standing};
use crate::hub::sql;

/// An end that is asked for. The contact and its room are locked by the caller.
#[derive(Clone, Debug)]
pub struct Ending {
    /// By which fact.
    pub cause: FactId,
    /// Which contact.
    pub contact_id: ContactId,
    /// How; none: answered where somebody accepted, else abandoned.
    pub outcome: Option<ContactOutcome>,
    /// Why, in a word.
    pub reason: String,
    /// The chosen code.
    pub disposition: Option<String>,
    /// A closing note.
    pub note: Option<String>,
    /// Who asked for it, as kind:name.
    pub by: Option<String>,
    /// No wrap-up, whatever the skill says.
    pub is_final: bool,
}

struct Ended<'a> {
    ask: &'a Ending,
    tenant: Slug,
    room_id: RoomId,
    state: String,
    queued_at: Timestamp,
    /// What it holds of its agent.
    hold: Option<Hold>,
    accepted_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    outcome: ContactOutcome,
    reason: Option<String>,
    disposition: Option<String>,
    ends: Ends,
    is_room_open: bool,
    session: Option<Session>,
    offer: Option<Pending>,
    wrap_up_until: Option<Timestamp>,
}

impl Ended<'_> {
    /// The offer of a transfer: it holds a slot beside the contact's.
    fn handed(&self) -> Option<&Pending> {
        self.offer.as_ref().filter(|offer| offer.from_agent.is_some())
    }
}

/// Ends contacts; what is said stands beside each asked end. None: the contact is unknown or over already.
pub async fn end(
    tx: &Transaction<'_>,
    now: Timestamp,
    asked: &[Ending],
) -> Result<Vec<Option<Vec<Publication>>>, Failure> {
    let loaded = load(tx, now, asked).await?;
    let offers: Vec<(OfferId, FactId, &str)> =
        loaded.iter().filter_map(|e| e.offer.as_ref().map(|o| (o.id, e.ask.cause, e.ask.reason.as_str()))).collect();
    offer::settle(tx, now, OfferOutcome::Rescinded, &offers).await?;
    let sessions: Vec<(SessionId, &str)> =
        loaded.iter().filter_map(|e| e.session.as_ref().map(|s| (s.id, e.outcome.as_str()))).collect();
    session::end(tx, now, &sessions).await?;
    let closings: Vec<Closing> = loaded
        .iter()
        .filter(|e| e.is_room_open)
        .map(|e| Closing { id: e.room_id, cause: e.ask.cause, reason: e.ask.reason.clone(), outcome: Some(e.outcome) })
        .collect();
    room::close(tx, now, &closings).await?;
    write(tx, now, &loaded).await?;
    let freed: Vec<Hold> = loaded
        .iter()
        .filter(|e| e.wrap_up_until.is_none())
        .filter_map(|e| e.hold.clone())
        .chain(loaded.iter().filter_map(|e| e.handed().map(Pending::hold)))
        .collect();
    let standings: HashMap<(Slug, Slug), Standing> =
        slot::release(tx, &freed).await?.into_iter().map(|s| ((s.tenant.clone(), s.agent.clone()), s)).collect();
    let mut said: HashMap<ContactId, Vec<Publication>> =
        loaded.iter().map(|e| (e.ask.contact_id, say(now, e, &standings))).collect();
    Ok(asked.iter().map(|ask| said.remove(&ask.contact_id)).collect())
}

async fn load<'a>(tx: &Transaction<'_>, now: Timestamp, asked: &'a [Ending]) -> Result<Vec<Ended<'a>>, Failure> {
    let ids: Vec<ContactId> = asked.iter().map(|a| a.contact_id).collect();
    let mut offers: HashMap<ContactId, Pending> =
        offer::pending_of_contacts(tx, &ids).await?.into_iter().map(|o| (o.contact_id, o)).collect();
    let rows = sql::rows(
        tx,
        "select c.id, c.tenant, c.room_id, c.state, c.queued_at, c.agent, c.accepted_at, c.ended_at, c.outcome,
                c.reason, c.disposition, k.wrap_up_s, r.closed_at is null,
                r.tenant, r.channel, r.our_number, r.our_country, r.customer_number,
                s.id, s.agent, s.timeout_s, s.deadline_at, s.timer_gen, s.timer_due_at,
                case when k.disposition_required and c.accepted_at is not null then k.default_disposition end,
                c.channel, c.slots
         from contacts c
         join rooms r on r.id = c.room_id
         join skills k on k.tenant = c.tenant and k.id = c.skill
         left join sessions s on s.room_id = c.room_id and s.contact_id = c.id and s.ended_at is null
         where c.id = any($1) and c.state <> 'closed'
         order by c.id",
        &[&ids],
    )
    .await?;
    let mut loaded: Vec<Ended<'a>> = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: ContactId = row.get(0);
        let Some(ask) = asked.iter().find(|a| a.contact_id == id) else { continue };
        let accepted_at: Option<Timestamp> = row.get(6);
        let state: String = row.get(3);
        let kept: Option<ContactOutcome> = row.get::<_, Option<&str>>(8).and_then(|o| o.parse().ok());
        let own = if accepted_at.is_some() { ContactOutcome::Answered } else { ContactOutcome::Abandoned };
        let wraps = state == "active" && !ask.is_final && ask.disposition.is_none();
        let wrap_up = row.get::<_, Option<i32>>(11).filter(|seconds| wraps && *seconds > 0);
        loaded.push(Ended {
            ask,
            tenant: row.get(1),
            room_id: row.get(2),
            queued_at: row.get(4),
            hold: hold_of(row),
            accepted_at,
            ended_at: row.get(7),
            // what the end of the conversation decided stands through wrap-up
            outcome: kept.or(ask.outcome).unwrap_or(own),
            reason: row.get::<_, Option<String>>(9).or_else(|| Some(ask.reason.clone())),
            // a required one that nobody chose by the end is the skill's default
            disposition: ask
                .disposition
                .clone()
                .or_else(|| row.get(10))
                .or_else(|| row.get::<_, Option<String>>(24).filter(|_| wrap_up.is_none())),
            is_room_open: row.get(12),
            ends: Ends::of_row(row, 13),
            session: session_of(row, &ask.contact_id),
            offer: offers.remove(&id),
            wrap_up_until: wrap_up.map(|seconds| session::after(now, seconds)),
            state,
        });
    }
    Ok(loaded)
}

fn hold_of(row: &tokio_postgres::Row) -> Option<Hold> {
    let agent = row.get::<_, Option<Slug>>(5)?;
    Some(Hold { tenant: row.get(1), agent, channel: row.get(25), contacts: 1, slots: row.get(26) })
}

fn session_of(row: &tokio_postgres::Row, contact_id: &ContactId) -> Option<Session> {
    Some(Session {
        id: row.get::<_, Option<SessionId>>(18)?,
        tenant: row.get(1),
        room_id: row.get(2),
        contact_id: *contact_id,
        agent: row.get(19),
        timeout_s: row.get(20),
        deadline_at: row.get(21),
        timer_gen: row.get(22),
        timer_due_at: row.get(23),
    })
}

async fn write(tx: &Transaction<'_>, now: Timestamp, loaded: &[Ended<'_>]) -> Result<(), Failure> {
    let ids: Vec<ContactId> = loaded.iter().map(|e| e.ask.contact_id).collect();
    let causes: Vec<FactId> = loaded.iter().map(|e| e.ask.cause).collect();
    let outcomes: Vec<&str> = loaded.iter().map(|e| e.outcome.as_str()).collect();
    let reasons: Vec<Option<&str>> = loaded.iter().map(|e| e.reason.as_deref()).collect();
    let dispositions: Vec<Option<&str>> = loaded.iter().map(|e| e.disposition.as_deref()).collect();
    let notes: Vec<Option<&str>> = loaded.iter().map(|e| e.ask.note.as_deref()).collect();
    let untils: Vec<Option<Timestamp>> = loaded.iter().map(|e| e.wrap_up_until).collect();
    let bys: Vec<Option<&str>> = loaded.iter().map(|e| e.ask.by.as_deref()).collect();
    sql::touch(
        tx,
        "update contacts c
         set state = case when e.until is null then 'closed' else 'wrap_up' end,
             closed_at = case when e.until is null then $8::timestamptz end,
             wrap_up_until = coalesce(e.until, c.wrap_up_until),
             ended_at = coalesce(c.ended_at, $8), closed_by = e.cause, outcome = e.outcome, reason = e.reason,
             disposition = e.disposition, note = coalesce(e.note, c.note), ended_by = coalesce(c.ended_by, e.by)
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $9::text[])
           as e (id, cause, outcome, reason, disposition, note, until, by)
         where c.id = e.id and c.state <> 'closed'",
        &[&ids, &causes, &outcomes, &reasons, &dispositions, &notes, &untils, &now, &bys],
    )
    .await?;
    Ok(())
}

fn say(now: Timestamp, ended: &Ended<'_>, standings: &HashMap<(Slug, Slug), Standing>) -> Vec<Publication> {
    let cause = ended.ask.cause;
    let mut said = Vec::new();
    if let Some(offer) = &ended.offer {
        said.push(offer::say_settled(now, cause, &offer.over(), OfferOutcome::Rescinded, &ended.ask.reason));
    }
    if let Some(session) = ended.session.as_ref().filter(|_| ended.outcome == ContactOutcome::Expired) {
        said.push(session::say_expired(now, cause, session));
    }
    if ended.is_room_open {
        said.push(room::say_closed(now, cause, ended.room_id, &ended.ends, &ended.ask.reason));
    }
    if let Some(due_at) = ended.wrap_up_until {
        said.push(say_wrap_up_due(now, ended, due_at));
        return said;
    }
    said.push(say_closed(now, ended));
    let agent = ended.hold.as_ref().map(|hold| &hold.agent);
    if let Some(standing) = agent.and_then(|agent| standings.get(&(ended.tenant.clone(), agent.clone()))) {
        said.extend(say_freed(now, cause, standing));
    }
    said
}

fn say_wrap_up_due(now: Timestamp, ended: &Ended<'_>, due_at: Timestamp) -> Publication {
    let cause = ended.ask.cause;
    let due = WrapUpDue {
        id: cause.derive_of(WrapUpDue::NAME, ended.ask.contact_id.0),
        cause_id: cause,
        at: now,
        tenant: ended.tenant.clone(),
        contact_id: ended.ask.contact_id,
        due_at,
    };
    Publication::of(&due, ended.tenant.as_str()).at(due_at)
}

fn say_closed(now: Timestamp, ended: &Ended<'_>) -> Publication {
    let cause = ended.ask.cause;
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64().max(0.0);
    let over = ended.ended_at.unwrap_or(now);
    let said = ContactClosed {
        id: cause.derive_of(ContactClosed::NAME, ended.ask.contact_id.0),
        cause_id: cause,
        at: now,
        tenant: ended.tenant.clone(),
        contact_id: ended.ask.contact_id,
        room_id: ended.room_id,
        outcome: ended.outcome,
        disposition: ended.disposition.clone(),
        reason: ended.reason.clone(),
        durations: Durations {
            waited_s: seconds(ended.queued_at, ended.accepted_at.unwrap_or(over)),
            handled_s: ended.accepted_at.map_or(0.0, |accepted| seconds(accepted, over)),
            wrap_up_s: if ended.state == "wrap_up" { seconds(over, now) } else { 0.0 },
        },
    };
    Publication::of(&said, ended.ends.scope())
}

/// The fact that tells of a freed slot; where it was the last one of an agent who is about to leave, the ask to do so, too.
#[must_use]
pub fn say_freed(now: Timestamp, cause: FactId, standing: &Standing) -> Vec<Publication> {
    let freed = AgentFreed {
        id: cause.derive(AgentFreed::NAME, 0),
        cause_id: cause,
        at: now,
        tenant: standing.tenant.clone(),
        agent: standing.agent.clone(),
        state: state_of(&standing.state),
        code: standing.code.clone(),
        slots_used: standing.slots_used,
        limit: standing.limit,
        sms_used: standing.sms.used,
        sms_limit: standing.sms.limit,
        chat_used: standing.chat.used,
        chat_limit: standing.chat.limit,
    };
    let mut said = vec![Publication::of(&freed, standing.tenant.as_str())];
    if standing.next_state.is_some() && standing.slots_used == 0 {
        let due = AgentDue {
            id: cause.derive("agent.due of the next state", 0),
            cause_id: cause,
            at: now,
            tenant: standing.tenant.clone(),
            agent: standing.agent.clone(),
            due_at: now,
        };
        said.push(Publication::of(&due, standing.tenant.as_str()));
    }
    said
}

/// The column's word as a word of the contract.
#[must_use]
pub fn state_of(word: &str) -> AgentState {
    match word {
        "available" => AgentState::Available,
        "unavailable" => AgentState::Unavailable,
        _ => AgentState::LoggedOut,
    }
}
