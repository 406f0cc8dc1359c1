//! transfer.asked, park.asked, unpark.asked, takeover.asked → `command.refused`: this version moves no contacts, and
//! whoever asks is told so at once. Nothing changes, and a repeat is refused the same.

use deadpool_postgres::Transaction;
use texthub::facts::envelope::Message;
use texthub::facts::heard::{ParkAsked, TakeoverAsked, TransferAsked, UnparkAsked};
use texthub::facts::ids::Slug;
use texthub::failure::Failure;
use texthub::heard;
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

    async fn handle(&self, tx: &Transaction<'_>, ctx: &Context, message: &Message<Move>) -> Result<Outcome, Failure> {
        let tenant: &Slug = match &message.body {
            Move::TransferAsked(asked) => &asked.tenant,
            Move::ParkAsked(asked) => &asked.tenant,
            Move::UnparkAsked(asked) => &asked.tenant,
            Move::TakeoverAsked(asked) => &asked.tenant,
        };
        let refused = Refused { id: message.id, fact: message.fact, tenant, why: Refusal::NotSupported };
        Ok(Outcome::Done(refusal::refuse(tx, ctx.now, &[refused]).await?))
    }
}
