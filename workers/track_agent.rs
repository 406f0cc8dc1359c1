//! agent.moved, agent.seen, agent.due → agent.changed. An older move loses; becoming unavailable gives pending offers
//! back; a vanished agent's offers return at once and the rooms after the grace. A next state waits for the last slot.

use deadpool_postgres::Transaction;
use jiff::{Timestamp, Unit};
use texthub::facts::due::AgentDue;
use texthub::facts::envelope::{Message, Publication};
use texthub::facts::heard::{AgentMoved, AgentSeen, AgentState, When};
use texthub::facts::ids::Slug;
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::presence::{self, Move};
use texthub::hub::refusal::{self, Refusal, Refused};
use texthub::runtime::worker::{Context, Outcome, Single};

heard! {
    /// What tells of agents.
    pub enum Tracked { AgentMoved(AgentMoved), AgentSeen(AgentSeen), AgentDue(AgentDue) }
}

/// The worker.
pub struct TrackAgent;

impl Single for TrackAgent {
    const NAME: &'static str = "track_agent";
    type Fact = Tracked;

    fn tenant(fact: &Tracked) -> Option<&Slug> {
        Some(match fact {
            Tracked::AgentMoved(fact) => &fact.tenant,
            Tracked::AgentSeen(fact) => &fact.tenant,
            Tracked::AgentDue(fact) => &fact.tenant,
        })
    }

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        message: &Message<Tracked>,
    ) -> Result<Outcome, Failure> {
        let said = match &message.body {
            Tracked::AgentMoved(moved) => move_to(tx, ctx, message, moved).await?,
            Tracked::AgentSeen(seen) => {
                presence::seen(tx, ctx.now, message.id, &seen.tenant, &seen.agents, micros(seen.until)).await?
            }
            Tracked::AgentDue(due) => match presence::lock(tx, &due.tenant, &due.agent).await? {
                Some(row) if row.next_state.is_some() && row.slots_used == 0 => {
                    presence::turn(tx, ctx.now, message.id, due, &row).await?
                }
                // a pass's reminder has the due time of the row; any other one is of a lease that began anew
                Some(row) if row.timer_due_at == Some(due.due_at) => {
                    presence::due(tx, ctx.now, message.id, due, &row).await?
                }
                _ => Vec::new(),
            },
        };
        let trace = message.traceparent.as_deref();
        Ok(Outcome::Done(said.into_iter().map(|p| p.traced(trace)).collect()))
    }
}

async fn move_to(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Tracked>,
    moved: &AgentMoved,
) -> Result<Vec<Publication>, Failure> {
    let presence = presence::lock(tx, &moved.tenant, &moved.agent).await?;
    let Some(presence) = presence.filter(|row| row.is_live || moved.state == AgentState::LoggedOut) else {
        let why = Refusal::UnknownAgent;
        let refused = Refused { id: message.id, fact: message.fact, tenant: &moved.tenant, why };
        return refusal::refuse(tx, ctx.now, &[refused]).await;
    };
    if moved.moved_at < presence.moved_at {
        return Ok(Vec::new());
    }
    if let Some(code) = moved.code.as_ref().filter(|_| moved.state == AgentState::Unavailable)
        && !presence::knows_code(tx, &moved.tenant, code).await?
    {
        let why = Refusal::UnknownCode;
        let refused = Refused { id: message.id, fact: message.fact, tenant: &moved.tenant, why };
        return refusal::refuse(tx, ctx.now, &[refused]).await;
    }
    // a client's clock may be ahead: its next move must not lose to this one
    let moved_at = micros(moved.moved_at).min(ctx.now);
    let change = Move {
        cause: message.id,
        tenant: &moved.tenant,
        agent: &moved.agent,
        state: moved.state,
        code: moved.code.as_ref().map(Slug::as_str),
        moved_at,
        // whoever has a lease keeps it without being told so
        until: moved.until.map(micros).or(presence.lease_until.filter(|until| *until > ctx.now)),
    };
    if moved.when == Some(When::Free) && moved.state != AgentState::Available && presence.state != "logged_out" {
        return presence::plan(tx, ctx.now, &change).await;
    }
    presence::change(tx, ctx.now, &change).await
}

/// As the database keeps it, so that a timer's due time can be compared with the row's.
fn micros(at: Timestamp) -> Timestamp {
    at.round(Unit::Microsecond).unwrap_or(at)
}

#[cfg(test)]
mod tests;
