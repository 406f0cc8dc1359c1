//! Commands on their way: published with confirms to the hub's work exchange, then their outcome awaited for a moment: the
//! gateway's own queue tells that something came of one, the tables tell what. A repeat is answered from them, too.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use texthub::access::caller::{Caller, Who};
use texthub::access::problem::{Problem, Reason};
use texthub::desk::read::{self, Outcome};
use texthub::facts::envelope::{Publication, To};
use texthub::facts::heard::Hearable;
use texthub::facts::ids::FactId;
use texthub::hub::refusal::Refusal;
use texthub::runtime::clock::Stopwatch;
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{Gateway, Json};
use crate::gateway::live::Word;

/// How long an answer awaits the hub's word.
const AWAITS: Duration = Duration::from_secs(3);
/// Between two looks at the tables where nothing is heard: a broker or a worker that is away.
const LOOKS: Duration = Duration::from_millis(500);

/// What became of a command.
#[derive(Debug, Serialize, ToSchema)]
pub struct Handed {
    /// The command's.
    pub id: Uuid,
    /// done, or accepted: the hub has it and has not said; the socket tells.
    pub outcome: Fate,
}

/// Done, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The hub did it.
    Done,
    /// It will, or refuse.
    Accepted,
}

impl IntoResponse for Handed {
    fn into_response(self) -> Response {
        let status = if self.outcome == Fate::Done { StatusCode::OK } else { StatusCode::ACCEPTED };
        (status, Json(self)).into_response()
    }
}

/// Hands a command to the hub and awaits what becomes of it.
pub async fn hand_in<F: Hearable + Serialize>(
    gateway: &Gateway,
    caller: &Caller,
    fact: &F,
    scope: &str,
) -> Result<Handed, Problem> {
    let id = fact.id();
    let broker = gateway.api.broker()?;
    if let Some(known) = looked_up(gateway, caller, id).await? {
        return answer(id, known);
    }
    let hearing = gateway.live.now().map(|live| live.hear_of(id));
    let mut said = Publication { to: To::Work, ..Publication::to_the_hub(fact, scope) };
    // a refusal that comes late finds its way to whoever asked, whichever gateway they are connected to
    let by = caller.agent.as_ref().map_or_else(|| caller.user.to_string(), ToString::to_string);
    said.add("asked_by", json!(by));
    broker.publisher.hand_in(&[said], broker.partitions).await?;
    let began = Stopwatch::start();
    let mut hearing = hearing;
    while let Some(left) = AWAITS.checked_sub(began.elapsed()) {
        let wait = left.min(LOOKS);
        match hearing.as_mut() {
            Some(heard) => match timeout(wait, &mut heard.heard).await {
                Ok(Ok(Word::Refused(no))) => return Err(refused(&no.reason, &no.sentence)),
                Ok(_) => hearing = None,
                Err(_) => {}
            },
            None => tokio::time::sleep(wait).await,
        }
        if let Some(known) = looked_up(gateway, caller, id).await? {
            return answer(id, known);
        }
    }
    Ok(Handed { id: id.0, outcome: Fate::Accepted })
}

async fn looked_up(gateway: &Gateway, caller: &Caller, id: FactId) -> Result<Option<Outcome>, Problem> {
    let mut db = gateway.api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    Ok(read::outcome(&tx, &caller.tenant, id).await?)
}

fn answer(id: FactId, outcome: Outcome) -> Result<Handed, Problem> {
    match outcome {
        Outcome::Done => Ok(Handed { id: id.0, outcome: Fate::Done }),
        Outcome::Refused { reason, sentence } => Err(refused(&reason, &sentence)),
        Outcome::SetAside(reason) if reason == "id_reused" => {
            Err(Problem::saying(Reason::Exists, "This id came before with other content; take a new one."))
        }
        Outcome::SetAside(_) => Err(Problem::saying(
            Reason::Invalid,
            "The hub could not take this; an operator finds it among the dead letters.",
        )),
    }
}

/// The hub's word, where this program knows it: it may be older than the worker that said it.
fn refused(reason: &str, sentence: &str) -> Problem {
    match Refusal::ALL.iter().find(|refusal| refusal.word() == reason) {
        Some(refusal) => (*refusal).into(),
        None => Problem::saying(Reason::Exists, sentence),
    }
}

/// Who asks, as facts about anybody's contacts name it.
pub fn name(caller: &Caller) -> String {
    match &caller.user {
        Who::User(user) => user.to_string(),
        Who::Token(id) => format!("token:{id}"),
    }
}
