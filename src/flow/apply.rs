//! What a step asks for, done: texts written and requested, the contact queued or moved within the queue, calls asked,
//! the contact ended. In the caller's transaction, under the locks of room and contact.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::document::Outcome;
use super::step::{Call, Effect, Request};
use super::{said, store};
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{CallId, EntryId, FactId, Slug, SmsId};
use crate::facts::said::{Author, ContactOutcome, ContactQueued, Direction};
use crate::failure::Failure;
use crate::hub::contact::{self, Contact, Ending};
use crate::hub::entry::{self, Entry};
use crate::hub::outbound::{self, Outbound};
use crate::hub::room::Room;
use crate::hub::{consent, sql};
use crate::tenant::point_of_contact::PointOfContact;

/// Where effects happen.
pub struct Scene<'s, 't> {
    /// The caller's.
    pub tx: &'s Transaction<'t>,
    /// The moment.
    pub now: Timestamp,
    /// By which fact.
    pub cause: FactId,
    /// Locked.
    pub room: Room,
    /// Locked.
    pub contact: Contact,
    /// Of the room.
    pub point: Option<PointOfContact>,
}

impl Scene<'_, '_> {
    /// Does them in order; what is to be said.
    pub async fn apply(&mut self, effects: Vec<Effect>) -> Result<Vec<Publication>, Failure> {
        let mut said = Vec::new();
        for (nth, effect) in (0_u32..).zip(effects) {
            match effect {
                Effect::Say(text) => said.extend(self.say(nth, text).await?),
                Effect::Queue(request) => said.extend(self.queue(nth, &request).await?),
                Effect::Call(call) => said.push(self.call(nth, &call).await?),
                Effect::End(outcome) => said.extend(self.end(outcome).await?),
            }
        }
        Ok(said)
    }

    /// An automatic text. Each has a cause of its own, so that one fact may lead to several.
    async fn say(&mut self, nth: u32, text: String) -> Result<Vec<Publication>, Failure> {
        let ends = self.room.ends.clone();
        let is_sms = ends.channel == "sms";
        let carrier = self.point.as_ref().and_then(|point| point.carrier.clone()).filter(|_| is_sms);
        if is_sms {
            let party = (ends.tenant.as_str(), ends.our_number.as_str(), ends.customer_number.as_str());
            if carrier.is_none() || consent::opted_out(self.tx, &[party]).await?.contains(&true) {
                return Ok(Vec::new());
            }
        }
        let text = entry::words(&text);
        let cause = self.cause.derive("flow.text", nth);
        let sms_id = carrier.as_ref().map(|_| SmsId(cause.row("sms", 0)));
        let line = Entry {
            room_id: self.room.id,
            seq: self.room.next_seq,
            id: EntryId(cause.row("entry", 0)),
            contact_id: Some(self.contact.id),
            direction: Direction::Outbound,
            author: Author::Hub,
            agent: None,
            kind: "text",
            parts: entry::parts_of(&text),
            text: text.clone(),
            flags: None,
            media: None,
            at: self.now,
            written_at: self.now,
            sms_id,
            deadline_at: None,
            caused_by: cause,
            ordinal: 0,
        };
        self.room.next_seq += 1;
        entry::append(self.tx, &[&line]).await?;
        let mut said = vec![entry::say(&line, &ends)];
        if let (Some(id), Some(carrier)) = (sms_id, carrier) {
            let (room_id, entry_id, seq) = (line.room_id, line.id, line.seq);
            let outbound =
                Outbound { id, room_id, entry_id, seq, ends, carrier, text, is_confirmation: false, caused_by: cause };
            outbound::request(self.tx, self.now, &[&outbound]).await?;
            said.push(outbound::say(self.now, &outbound));
        }
        Ok(said)
    }

    /// Into the queue, or to another place in it; the original time of queueing stays. Nothing is said where nothing
    /// changes.
    async fn queue(&mut self, nth: u32, request: &Request) -> Result<Option<Publication>, Failure> {
        let row = sql::row(
            self.tx,
            "with wanted as (
               select coalesce(k.id, c.skill) as skill,
                      coalesce($4::integer, k.priority, c.priority) as priority,
                      coalesce((select a.id from agents a where a.tenant = c.tenant and a.id = $5 and a.ended_at is null),
                               c.preferred_agent) as prefer
               from contacts c left join skills k on k.tenant = c.tenant and k.id = coalesce($3, c.skill) and k.ended_at is null
               where c.id = $1)
             update contacts c set state = 'queued', skill = w.skill, priority = w.priority, preferred_agent = w.prefer,
               flow_best = $6, flow_worst = $7, flow_hold_until = $8,
               queued_at = case when c.state = 'prequeue' then $2 else c.queued_at end,
               waiting_since = case when c.state = 'prequeue' then $2 else c.waiting_since end
             from wanted w
             where c.id = $1 and c.state in ('prequeue', 'queued')
               and (c.state, c.skill, c.priority, c.preferred_agent, c.flow_best, c.flow_worst, c.flow_hold_until)
                 is distinct from ('queued', w.skill, w.priority, w.prefer, $6, $7, $8)
             returning c.skill, c.priority, c.queued_at",
            &[
                &self.contact.id,
                &self.now,
                &request.skill,
                &request.priority,
                &request.prefer,
                &request.proficiency.map(|range| range.best),
                &request.proficiency.map(|range| range.worst),
                &request.hold_until,
            ],
        )
        .await?;
        let Some(row) = row else { return Ok(None) };
        self.contact.state = "queued".into();
        self.contact.skill = row.get::<_, Slug>(0);
        self.contact.priority = row.get(1);
        self.contact.queued_at = row.get(2);
        let said = ContactQueued {
            id: self.cause.derive(ContactQueued::NAME, nth),
            cause_id: self.cause,
            at: self.now,
            tenant: self.contact.tenant.clone(),
            contact_id: self.contact.id,
            room_id: self.room.id,
            skill: self.contact.skill.clone(),
            priority: self.contact.priority,
            queued_at: self.contact.queued_at,
        };
        Ok(Some(Publication::of(&said, self.contact.tenant.as_str())))
    }

    async fn call(&self, nth: u32, call: &Call) -> Result<Publication, Failure> {
        let id = CallId(self.cause.row("flow call", nth));
        store::ask(self.tx, self.now, &self.contact, id, call).await?;
        Ok(said::say_asked(self.now, self.cause, &self.contact, id))
    }

    async fn end(&mut self, outcome: Outcome) -> Result<Vec<Publication>, Failure> {
        let outcome = match outcome {
            Outcome::Answered => ContactOutcome::Answered,
            Outcome::Abandoned => ContactOutcome::Abandoned,
        };
        let ending = Ending {
            cause: self.cause,
            contact_id: self.contact.id,
            outcome: Some(outcome),
            reason: "flow_ended".into(),
            disposition: None,
            note: None,
            by: None,
            is_final: true,
        };
        self.contact.state = "closed".into();
        Ok(contact::end(self.tx, self.now, &[ending]).await?.into_iter().flatten().flatten().collect())
    }
}
