//! transfer.asked, park.asked, unpark.asked, takeover.asked → the contact changes hands, or `command.refused`. Whoever asks
//! is told at once; slots, room, session and note move in one transaction, and a repeat is answered the same.

use deadpool_postgres::Transaction;
use texthub::facts::envelope::{Message, Publication};
use texthub::facts::heard::{By, ParkAsked, TakeoverAsked, TransferAsked, UnparkAsked};
use texthub::facts::ids::{ContactId, Slug};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::moving::{self, Asked, Moved, Target};
use texthub::hub::refusal::{self, Refusal, Refused};
use texthub::runtime::worker::{Context, Outcome, Single};

heard! {
    /// What moves a contact.
    pub enum Move {
        TransferAsked(TransferAsked),
        ParkAsked(ParkAsked),
        UnparkAsked(UnparkAsked),
        TakeoverAsked(TakeoverAsked),
    }
}

/// The worker.
pub struct MoveContact;

impl Single for MoveContact {
    const NAME: &'static str = "move_contact";
    type Fact = Move;

    fn tenant(fact: &Move) -> Option<&Slug> {
        Some(common(fact).0)
    }

    async fn handle(&self, tx: &Transaction<'_>, ctx: &Context, message: &Message<Move>) -> Result<Outcome, Failure> {
        let (tenant, by, contact_id, note) = common(&message.body);
        let traceparent = message.traceparent.as_deref();
        let asked = Asked { id: message.id, tenant, by, contact_id, note, traceparent };
        let moved = match &message.body {
            Move::TransferAsked(transfer) => match target(transfer) {
                Some(target) => moving::transfer(tx, ctx.now, &asked, target).await?,
                None => Refusal::NoTarget.into(),
            },
            Move::ParkAsked(_) => moving::park(tx, ctx.now, &asked).await?,
            Move::UnparkAsked(_) => moving::unpark(tx, ctx.now, &asked).await?,
            Move::TakeoverAsked(takeover) => moving::takeover(tx, ctx.now, &asked, takeover.agent.as_ref()).await?,
        };
        let said: Vec<Publication> = match moved {
            Moved::Done(said) => said,
            Moved::Refused(why, mut said) => {
                let refused = Refused { id: message.id, fact: message.fact, tenant, why };
                said.extend(refusal::refuse(tx, ctx.now, &[refused]).await?);
                said
            }
        };
        Ok(Outcome::Done(said.into_iter().map(|p| p.traced(traceparent)).collect()))
    }
}

/// What all of them have.
fn common(asked: &Move) -> (&Slug, &By, ContactId, Option<&str>) {
    match asked {
        Move::TransferAsked(asked) => (&asked.tenant, &asked.by, asked.contact_id, asked.note.as_deref()),
        Move::ParkAsked(asked) => (&asked.tenant, &asked.by, asked.contact_id, asked.note.as_deref()),
        Move::UnparkAsked(asked) => (&asked.tenant, &asked.by, asked.contact_id, None),
        Move::TakeoverAsked(asked) => (&asked.tenant, &asked.by, asked.contact_id, asked.note.as_deref()),
    }
}

fn target(transfer: &TransferAsked) -> Option<Target<'_>> {
    match (&transfer.agent, &transfer.skill) {
        (Some(agent), None) => Some(Target::Agent(agent)),
        (None, Some(skill)) => Some(Target::Skill(skill)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
