//! The workers that play together: which facts each hears, and how each handles a batch in transactions of its own. The
//! carrier is a die: it takes a text, refuses it, has no time, or its answer is lost.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use texthub::facts::envelope::{Decode, Message};
use texthub::facts::ids::FactId;
use texthub::facts::said::SubmittedPart;
use texthub::failure::Failure;
use texthub::runtime::single::Each;
use texthub::runtime::worker::{Caller, Claim, Context, Outcome, Worker};
use texthub::sms::carrier::Sent;

use crate::expire_session::ExpireSession;
use crate::move_contact::MoveContact;
use crate::post_reply::PostReply;
use crate::receive_sms::ReceiveSms;
use crate::record_receipt::RecordReceipt;
use crate::route_contact::RouteContact;
use crate::run_flow::RunFlow;
use crate::send_sms::SendSms;
use crate::settle_offer::SettleOffer;
use crate::support::trial::{attempt, decoded};
use crate::track_agent::TrackAgent;
use crate::wrap_up::WrapUp;

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    ReceiveSms,
    RouteContact,
    SettleOffer,
    PostReply,
    SendSms,
    RecordReceipt,
    ExpireSession,
    WrapUp,
    TrackAgent,
    MoveContact,
    RunFlow,
}

impl Who {
    const ALL: [Self; 11] = [
        Self::ReceiveSms,
        Self::RouteContact,
        Self::SettleOffer,
        Self::PostReply,
        Self::SendSms,
        Self::RecordReceipt,
        Self::ExpireSession,
        Self::WrapUp,
        Self::TrackAgent,
        Self::MoveContact,
        Self::RunFlow,
    ];

    fn facts(self) -> &'static [&'static str] {
        fn of<W: Worker>(_: &W) -> &'static [&'static str] {
            <W::Fact as Decode>::FACTS
        }
        match self {
            Self::ReceiveSms => of(&ReceiveSms),
            Self::RouteContact => of(&RouteContact),
            Self::SettleOffer => of(&Each(SettleOffer)),
            Self::PostReply => of(&PostReply),
            Self::SendSms => <<SendSms as Caller>::Fact as Decode>::FACTS,
            Self::RecordReceipt => of(&RecordReceipt),
            Self::ExpireSession => of(&ExpireSession),
            Self::WrapUp => of(&Each(WrapUp)),
            Self::TrackAgent => of(&Each(TrackAgent)),
            Self::MoveContact => of(&Each(MoveContact)),
            Self::RunFlow => of(&Each(RunFlow::default())),
        }
    }

    /// Who hears a fact.
    pub fn hearing(fact: &str) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |who| who.facts().contains(&fact))
    }

    /// Whether it remembers what it said for an id: then every repeat says the same.
    pub fn remembers(self) -> bool {
        !matches!(self, Self::RouteContact | Self::SendSms | Self::RecordReceipt | Self::ExpireSession)
    }
}

/// A message under way to a worker.
#[derive(Clone, Debug)]
pub struct Flying {
    pub who: Who,
    pub fact: String,
    pub id: FactId,
    pub body: Vec<u8>,
    pub due: Option<Timestamp>,
    pub is_redelivered: bool,
    pub attempt: u32,
    /// What the carrier will do, where it is a text to send.
    pub sent: Option<Sent>,
}

impl Flying {
    fn message<F: Decode>(&self) -> Message<F> {
        Message { is_redelivered: self.is_redelivered, attempt: self.attempt, ..decoded(&self.fact, &self.body) }
    }
}

/// What a carrier may do with a text.
pub fn carriers_mood(chance: &mut fastrand::Rng, id: FactId) -> Sent {
    match chance.u8(..10) {
        0 => Sent::Refused("30007".to_owned()),
        1 => Sent::NotNow(None, "busy".to_owned()),
        2 => Sent::Unanswered("time_out".to_owned()),
        _ => Sent::Accepted(vec![SubmittedPart { part: 1, carrier_sms_id: id.to_string() }]),
    }
}

/// Handles messages of one worker as its runner does.
pub async fn play(
    (sender, flows): (&SendSms, &Each<RunFlow>),
    pool: &Pool,
    now: Timestamp,
    who: Who,
    some: &[Flying],
) -> Result<Vec<Outcome>, Failure> {
    match who {
        Who::ReceiveSms => by(&ReceiveSms, pool, now, some).await,
        Who::RouteContact => by(&RouteContact, pool, now, some).await,
        Who::SettleOffer => by(&Each(SettleOffer), pool, now, some).await,
        Who::PostReply => by(&PostReply, pool, now, some).await,
        Who::SendSms => send(sender, pool, now, some).await,
        Who::RecordReceipt => by(&RecordReceipt, pool, now, some).await,
        Who::ExpireSession => by(&ExpireSession, pool, now, some).await,
        Who::WrapUp => by(&Each(WrapUp), pool, now, some).await,
        Who::TrackAgent => by(&Each(TrackAgent), pool, now, some).await,
        Who::MoveContact => by(&Each(MoveContact), pool, now, some).await,
        Who::RunFlow => by(flows, pool, now, some).await,
    }
}

async fn by<W: Worker>(worker: &W, pool: &Pool, now: Timestamp, some: &[Flying]) -> Result<Vec<Outcome>, Failure> {
    let batch: Vec<Message<W::Fact>> = some.iter().map(Flying::message).collect();
    attempt(worker, pool, now, &batch).await
}

async fn send(sender: &SendSms, pool: &Pool, now: Timestamp, some: &[Flying]) -> Result<Vec<Outcome>, Failure> {
    let batch: Vec<Message<<SendSms as Caller>::Fact>> = some.iter().map(Flying::message).collect();
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let claims = sender.claim(&tx, &Context { now }, &batch).await?;
    tx.commit().await?;
    let (mut outcomes, mut answers) = (vec![Outcome::silent(); batch.len()], Vec::new());
    for (index, claim) in claims.into_iter().enumerate() {
        match claim {
            Claim::Settled(outcome) => outcomes[index] = outcome,
            Claim::Call(job) => answers.push((index, job, some[index].sent.clone().unwrap())),
        }
    }
    let tx = client.transaction().await?;
    for (index, outcome) in sender.settle(&tx, &Context { now }, &batch, &answers).await? {
        outcomes[index] = outcome;
    }
    tx.commit().await?;
    Ok(outcomes)
}
