//! The role `carrier-simulator` over HTTP: POST /messages (submit), POST /inbound (a phone texts), GET /record,
//! GET and PUT /faults, GET /healthz, and a phone as a page under /. What it took is in its record before it answers. It keeps no secrets and asks
//! for none: bind it to loopback or a private network.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{self, ConnectInfo, Query};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::faults::{Faults, happens};
use super::line::{Lines, Scissors};
use super::receipts::{Receipt, Said, Waiting, plan, publish, say, send};
use super::record::{Inbound, Record, Submission};
use super::{Refusal, Submit, Submitted, phone};
use crate::facts::envelope::{Publication, conversation};
use crate::facts::heard::SmsReceived;
use crate::facts::ids::SmsId;
use crate::facts::ids::{FactId, Slug};
use crate::facts::said::SubmittedPart;
use crate::runtime::clock;
use crate::sms::number::Address;

/// Where it listens and keeps its record.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder of `record.jsonl` and `faults.json`.
    pub folder: PathBuf,
}

/// A started simulator.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Ends after the token was cancelled.
    pub done: JoinHandle<()>,
}

pub(super) struct State {
    pub waiting: Waiting,
    record: Mutex<Record>,
    faults: Mutex<Faults>,
    folder: PathBuf,
    outbox: mpsc::Sender<Said>,
}

impl State {
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the record, sends what receipts are pending, and listens until `stop`. What it says goes to `outbox`.
///
/// # Errors
/// The address is taken, or the folder cannot be written or read.
pub async fn start(settings: Settings, outbox: mpsc::Sender<Said>, stop: CancellationToken) -> io::Result<Running> {
    let record = Record::open(&settings.folder)?;
    let faults = match std::fs::read(settings.folder.join("faults.json")) {
        Ok(kept) => serde_json::from_slice(&kept).map_err(io::Error::other)?,
        Err(_) => Faults::default(),
    };
    let waiting = Waiting::default();
    waiting.add(record.pending());
    let state = Arc::new(State {
        waiting,
        record: record.into(),
        faults: faults.into(),
        folder: settings.folder,
        outbox: outbox.clone(),
    });
    let listener = TcpListener::bind(settings.listen).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/messages", post(submit))
        .route("/inbound", post(inbound))
        .route("/record", get(record_since))
        .route("/faults", get(faults_now).put(set_faults))
        .route("/healthz", get(|| async { "ok" }))
        .merge(phone::routes())
        .with_state(Arc::clone(&state));
    let done = tokio::spawn(async move {
        let listening =
            axum::serve(Lines(listener, stop.clone()), router.into_make_service_with_connect_info::<Scissors>());
        tokio::select! {
            () = send(state, outbox, stop.clone()) => {}
            ended = listening => if let Err(error) = ended { tracing::error!(%error, "the simulator stopped listening") },
            () = stop.cancelled() => {}
        }
    });
    Ok(Running { address, done })
}

type Shared = extract::State<Arc<State>>;

async fn submit(
    extract::State(state): Shared,
    ConnectInfo(line): ConnectInfo<Scissors>,
    Json(submit): Json<Submit>,
) -> Response {
    let faults = state.faults().clone();
    tokio::time::sleep(Duration::from_millis(faults.delay_ms)).await;
    if let Some(refusal) = refuse(&submit, &faults) {
        return refusal;
    }
    let (submission, early) = match take(&state, submit, &faults) {
        Ok(taken) => taken,
        Err(error) => {
            tracing::error!(%error, "the simulator's record cannot be written");
            return refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the record cannot be written");
        }
    };
    for receipt in early {
        if !say(&state.outbox, &receipt).await {
            state.waiting.add([receipt]);
        } else if let Err(error) = state.record().receipts_sent(vec![receipt.id()]) {
            tracing::error!(%error, "the simulator's record cannot be written; receipts may be sent again");
        }
    }
    if happens(faults.answer_withheld) {
        pending::<()>().await;
    }
    if happens(faults.answer_dropped) {
        line.cut();
    }
    let parts = (1..)
        .zip(submission.carrier_sms_ids)
        .map(|(part, carrier_sms_id)| SubmittedPart { part, carrier_sms_id })
        .collect();
    (StatusCode::CREATED, Json(Submitted { parts })).into_response()
}

/// What is answered instead of taking a text.
fn refuse(submit: &Submit, faults: &Faults) -> Option<Response> {
    if submit.parts == 0 || submit.parts > 255 {
        return Some(refused(StatusCode::BAD_REQUEST, "bad_request", "parts must be 1 to 255"));
    }
    if happens(faults.throttled) {
        let mut response = refused(StatusCode::TOO_MANY_REQUESTS, "throttled", "too many submissions");
        if faults.retry_after_s > 0 {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(faults.retry_after_s));
        }
        return Some(response);
    }
    if happens(faults.unavailable) {
        return Some(refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not taken; try again"));
    }
    let is_number = Address::of(&submit.to, None).is_number();
    if !is_number || faults.refused_numbers.contains(&submit.to) || happens(faults.refused) {
        return Some(refused(StatusCode::UNPROCESSABLE_ENTITY, "invalid_number", "no such phone"));
    }
    None
}

/// Records a submission with its receipts. Those that are early are handed back, to be said before the answer.
fn take(state: &State, submit: Submit, faults: &Faults) -> io::Result<(Submission, Vec<Receipt>)> {
    let mut record = state.record();
    let at = clock::wall();
    let nr = record.submissions.len() as u64 + 1;
    // of our id and the place in the record: two takings of one text have different ids, as with a real carrier
    let id = |part| Uuid::new_v5(&submit.sms_id.0, format!("{nr}/{part}").as_bytes()).simple().to_string();
    let carrier_sms_ids: Vec<String> = (1..=submit.parts).map(id).collect();
    let receipts = plan(&submit, &carrier_sms_ids, at, &faults.receipts);
    let submission = Submission { nr, at, submit, carrier_sms_ids, receipts };
    record.take(submission.clone())?;
    let (early, later): (Vec<_>, Vec<_>) = submission.receipts.iter().cloned().partition(|receipt| receipt.early);
    state.waiting.add(later);
    Ok((submission, early))
}

/// Body of `POST /inbound`: a phone texts.
#[derive(Debug, Deserialize)]
struct Texted {
    #[serde(default)]
    carrier: Option<Slug>,
    #[serde(default)]
    carrier_sms_id: Option<String>,
    from: String,
    #[serde(default)]
    from_country: Option<String>,
    to: String,
    #[serde(default)]
    to_country: Option<String>,
    text: String,
}

/// Answers 202 only once `sms.received` is confirmed.
async fn inbound(extract::State(state): Shared, Json(texted): Json<Texted>) -> Response {
    let at = clock::wall();
    let Ok(carrier) = texted.carrier.map_or_else(|| Slug::new("simulator"), Ok) else {
        return refused(StatusCode::BAD_REQUEST, "bad_request", "carrier must be a slug");
    };
    let kept = {
        let mut record = state.record();
        let (from, to, text, nr) = (&texted.from, &texted.to, &texted.text, record.inbound() + 1);
        let own =
            || Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{nr} {at} {from} {to}").as_bytes()).simple().to_string();
        let carrier_sms_id = texted.carrier_sms_id.unwrap_or_else(own);
        // the content too: under a restarted counter another text is a text of its own
        let id = FactId::of_carrier("sms.received", &carrier, &format!("{carrier_sms_id}/{from}/{to}/{text}"));
        record.heard(Inbound { id, at, carrier_sms_id })
    };
    let Ok(kept) = kept else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the record cannot be written");
    };
    let scope = conversation(&texted.to, texted.to_country.as_deref().unwrap_or_default(), &texted.from);
    let body = SmsReceived {
        id: kept.id,
        carrier,
        carrier_sms_id: Some(kept.carrier_sms_id.clone()),
        from: texted.from,
        to: texted.to,
        from_country: texted.from_country,
        to_country: texted.to_country,
        text: texted.text,
        media: None,
        received_at: kept.at,
    };
    if publish(&state.outbox, Publication::to_the_hub(&body, scope)).await {
        (StatusCode::ACCEPTED, Json(kept)).into_response()
    } else {
        refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the broker did not confirm; send the same carrier_sms_id again",
        )
    }
}

#[derive(Debug, Deserialize)]
struct Since {
    /// After this `nr`.
    #[serde(default)]
    since: u64,
    #[serde(default)]
    limit: Option<usize>,
    /// That one text alone, however often it was taken.
    #[serde(default)]
    sms_id: Option<SmsId>,
    /// Those to this phone alone.
    #[serde(default)]
    to: Option<String>,
}

#[derive(Serialize)]
struct Page {
    submissions: Vec<Submission>,
    /// In all.
    total: usize,
}

async fn record_since(extract::State(state): Shared, Query(asked): Query<Since>) -> Json<Page> {
    let record = state.record();
    let from = usize::try_from(asked.since).unwrap_or(usize::MAX);
    let asked_for = |s: &&Submission| {
        asked.sms_id.is_none_or(|id| s.submit.sms_id == id) && asked.to.as_ref().is_none_or(|to| s.submit.to == *to)
    };
    let submissions =
        record.submissions.iter().skip(from).filter(asked_for).take(asked.limit.unwrap_or(1000)).cloned().collect();
    Json(Page { submissions, total: record.submissions.len() })
}

async fn faults_now(extract::State(state): Shared) -> Json<Faults> {
    Json(state.faults().clone())
}

async fn set_faults(extract::State(state): Shared, Json(faults): Json<Faults>) -> Response {
    let mistakes = faults.mistakes();
    if !mistakes.is_empty() {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "bad_request", &mistakes.join("; "));
    }
    let kept = serde_json::to_vec_pretty(&faults).map_err(io::Error::other);
    if kept.and_then(|kept| std::fs::write(state.folder.join("faults.json"), kept)).is_err() {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the faults cannot be kept");
    }
    *state.faults() = faults.clone();
    Json(faults).into_response()
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(Refusal { code: code.to_owned(), message: message.to_owned() })).into_response()
}
