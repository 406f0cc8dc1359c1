//! What a step asks for, done: texts written and requested, the contact queued or moved within the queue, calls asked,
//! the contact ended. In the caller's transaction, under the locks of room and contact.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::document::Outcome;
use super::step::{Call, Effect, Request};
use super::{said, store};
use crate::facts::envelope::{Fact, Publication};
use crate::facts::ids::{CallId, FactId, Slug};
use crate::facts::said::{ContactOutcome, ContactQueued};
use crate::failure::Failure;
use crate::hub::automatic::{self, Line};
use crate::hub::contact::{self, Contact, Ending};
use crate::hub::room::Room;
use crate::hub::sql;
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
                Effect::Say(text) => said.extend(self.say(nth, &text).await?),
                Effect::Queue(request) => said.extend(self.queue(nth, &request).await?),
                Effect::Call(call) => said.push(self.call(nth, &call).await?),
                Effect::End(outcome) => said.extend(self.end(outcome).await?),
            }
        }
        Ok(said)
    }

    /// An automatic text. Each has a cause of its own, so that one fact may lead to several.
    async fn say(&mut self, nth: u32, text: &str) -> Result<Vec<Publication>, Failure> {
        let cause = self.cause.derive("flow.text", nth);
        let carrier = self.point.as_ref().and_then(|point| point.carrier.as_ref());
        let line = Line { cause, contact_id: self.contact.id, carrier, text };
        automatic::say(self.tx, self.now, &mut self.room, &line).await
    }

    /// Into the queue, or to another place in it; the original time of queueing stays. Nothing is said where nothing
    /// changes.
    async fn queue(&mut self, nth: u32, request: &Request) -> Result<Option<Publication>, Failure> {
        let row = sql::row(
            self.tx,
            "with wanted as (
               select coalesce(k.id, c.skill) as skill,
                      coalesce($4::integer, k.priority, c.priority) as priority,
                      coalesce(a.id, c.preferred_agent) as prefer,
                      -- kept for nobody where the agent is gone
                      case when a.id is not null then $8::timestamptz end as hold_until
               from contacts c
               left join skills k on k.tenant = c.tenant and k.id = coalesce($3, c.skill) and k.channel = c.channel
                 and k.ended_at is null
               left join agents a on a.tenant = c.tenant and a.id = $5 and a.ended_at is null
               where c.id = $1)
             update contacts c set state = 'queued', skill = w.skill, priority = w.priority, preferred_agent = w.prefer,
               flow_best = $6, flow_worst = $7, flow_hold_until = w.hold_until,
               queued_at = case when c.state = 'prequeue' then $2 else c.queued_at end,
               waiting_since = case when c.state = 'prequeue' then $2 else c.waiting_since end
             from wanted w
             where c.id = $1 and c.state in ('prequeue', 'queued')
               and (c.state, c.skill, c.priority, c.preferred_agent, c.flow_best, c.flow_worst, c.flow_hold_until)
                 is distinct from ('queued', w.skill, w.priority, w.prefer, $6, $7, w.hold_until)
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
