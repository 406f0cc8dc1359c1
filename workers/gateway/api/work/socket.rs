//! The socket: a snapshot, then what changes, in numbers that grow. A connection holds a small buffer and a tray of shared
//! events; one that does not keep up is cut off (1013) and resumes. A gateway that ends tells its clients to move (1001),
//! and a sign-in that was ended ends its sockets (1008).

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use texthub::access::caller::Caller;
use texthub::access::problem::{Problem, Reason};
use texthub::access::rights::Right;
use texthub::access::site;
use texthub::desk::event::Event;
use texthub::desk::outbox::{Out, Tray};
use texthub::desk::shape::Desk;
use texthub::facts::ids::Slug;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;
use uuid::Uuid;

use super::super::signing::me;
use super::super::{Gateway, Query};
use super::Snapshot;
use super::reads::noted;
use crate::gateway::live::Asks;

/// A ping is due.
const PINGS: Duration = Duration::from_secs(20);
/// Pings between two looks at whether the sign-in still stands.
const LOOKS: u32 = 3;
/// How long a client has to say what it has.
const SAYS: Duration = Duration::from_millis(100);
/// No message takes longer to be taken, by whoever takes at all.
const TAKES: Duration = Duration::from_secs(15);
/// What a client sends is small.
const LARGEST: usize = 4096;
/// Of the buffer that is read into; the default is 128 KiB a connection.
const BUFFER: usize = 1024;

/// What a socket follows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Followed {
    /// `tenant`: all of the tenant's live contacts as summaries, beside one's own.
    #[param(inline)]
    watch: Option<Watch>,
    /// Of a reconnect: the stream of the last snapshot. The same as the first message `since`, a moment earlier.
    stream: Option<Uuid>,
    /// And the number of the last event.
    seq: Option<u64>,
}

/// What is watched.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Watch {
    Tenant,
}

/// The socket. Messages are JSON objects; the server sends {type: "snapshot", stream, seq, snapshot}, then events as the
/// schema `Event` has them, each with its `seq`; {type: "resumed", stream, seq} instead of a snapshot where it could go on;
/// {type: "move"} before a gateway ends. A client that reconnects sends {type: "since", stream, seq} first. Close codes: 1001
/// go elsewhere, 1008 the sign-in is over, 1013 too slow.
#[utoipa::path(get, path = "/socket", tag = "work", operation_id = "socket", params(Followed),
    responses((status = 101, description = "The socket is open; messages are of this form", body = Event),
              (status = 400, description = "No WebSocket", body = Problem, content_type = "application/problem+json")))]
pub async fn socket(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(followed): Query<Followed>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    if caller.sign_in.is_some() {
        site::must_be_ours(&gateway.api, &headers)?;
    } else {
        site::must_not_be_others(&gateway.api, &headers)?;
    }
    let watch = followed.watch.is_some();
    if watch {
        caller.must(Right::Live)?;
    }
    // whoever may watch need not be an agent at work
    let agent = caller.agent.clone().filter(|_| caller.may(Right::Work));
    if agent.is_none() && !watch {
        caller.must_be_agent()?;
    }
    let upgrade =
        upgrade.map_err(|_| Problem::saying(Reason::BadRequest, "This address takes WebSocket connections alone."))?;
    if gateway.live.moving.is_cancelled() {
        return Err(Reason::NotNow.into());
    }
    let since = followed.stream.zip(followed.seq);
    let sockets = gateway.live.sockets.clone();
    let upgrade =
        upgrade.read_buffer_size(BUFFER).write_buffer_size(0).max_message_size(LARGEST).max_frame_size(LARGEST);
    Ok(upgrade.on_upgrade(move |socket| {
        sockets.track_future(async move {
            metrics::gauge!("texthub_sockets").increment(1.0);
            let mut connection = Connection { socket, gateway, caller, agent, watch, pings: 0, is_answered: true };
            let close = connection.serve(since).await;
            connection.close(close).await;
            metrics::gauge!("texthub_sockets").decrement(1.0);
            metrics::counter!("texthub_sockets_closed_total", "why" => close.word()).increment(1);
        })
    }))
}

/// Why a connection ends.
#[derive(Clone, Copy)]
enum End {
    /// The client went, or is not there any more.
    Gone,
    Move,
    SignedOut,
    Slow,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Move => "move",
            Self::SignedOut => "signed_out",
            Self::Slow => "slow",
        }
    }
}

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    /// It comes back.
    Since { stream: Uuid, seq: u64 },
    #[serde(other)]
    Other,
}

/// What a client begins with.
#[derive(Serialize)]
struct Begins {
    #[serde(rename = "type")]
    kind: &'static str,
    stream: Uuid,
    seq: u64,
    snapshot: Snapshot,
}

struct Connection {
    socket: WebSocket,
    gateway: Gateway,
    caller: Caller,
    agent: Option<Slug>,
    watch: bool,
    pings: u32,
    /// Something came since the last ping.
    is_answered: bool,
}

impl Connection {
    async fn serve(&mut self, since: Option<(Uuid, u64)>) -> End {
        let mut since = match since {
            Some(since) => Some(since),
            None => match self.first().await {
                Ok(since) => since,
                Err(end) => return end,
            },
        };
        let moving = self.gateway.live.moving.clone();
        let mut pings = interval_at(Instant::now() + PINGS, PINGS);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let live = tokio::select! {
                live = { let stand = self.gateway.live.clone(); async move { stand.begun().await } } => live,
                () = moving.cancelled() => return End::Move,
                _ = pings.tick() => match self.ping().await {
                    Ok(()) => continue,
                    Err(end) => return end,
                },
                end = self.heard() => match end {
                    Ok(()) => continue,
                    Err(end) => return end,
                },
            };
            let Some(live) = live else { return End::Move };
            let tenant = live.tenant(&self.caller.tenant);
            let (tray, mut taker) = Tray::new(live.number());
            let (id, cut) = (tray.id, taker.cut.clone());
            let asks = Asks { agent: self.agent.clone(), watch: self.watch, tray };
            let went_on = since.take().filter(|(stream, seq)| *stream == live.stream && tenant.resume(&asks, *seq));
            let mut end = Ok(());
            if let Some((stream, seq)) = went_on {
                end = self.send(json!({"type": "resumed", "stream": stream, "seq": seq}).to_string().into()).await;
            } else {
                tenant.ask(asks);
            }
            while end.is_ok() {
                end = tokio::select! {
                    biased;
                    () = moving.cancelled() => Err(End::Move),
                    () = cut.cancelled() => Err(End::Slow),
                    () = live.ended.cancelled() => break,
                    out = taker.take() => self.out(live.stream, out, &cut).await,
                    heard = self.heard() => heard,
                    _ = pings.tick() => self.ping().await,
                };
            }
            tenant.leave(id);
            if let Err(end) = end {
                return end;
            }
        }
    }

    /// What a client that comes back has; who says nothing for a moment has nothing.
    async fn first(&mut self) -> Result<Option<(Uuid, u64)>, End> {
        match timeout(SAYS, self.socket.recv()).await {
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => Err(End::Gone),
            Ok(Some(Ok(Message::Text(text)))) => Ok(match serde_json::from_str(&text) {
                Ok(Said::Since { stream, seq }) => Some((stream, seq)),
                _ => None,
            }),
            Ok(Some(Ok(_))) | Err(_) => Ok(None),
        }
    }

    /// Whatever a client says later is a sign of life and nothing more.
    async fn heard(&mut self) -> Result<(), End> {
        match self.socket.recv().await {
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
            Some(Ok(_)) => {
                self.is_answered = true;
                Ok(())
            }
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if !std::mem::take(&mut self.is_answered) {
            return Err(End::Gone);
        }
        self.pings += 1;
        if self.pings.is_multiple_of(LOOKS) {
            match self.caller.again(&self.gateway.api).await {
                Ok(caller) => {
                    let agent = caller.agent.as_ref().filter(|_| caller.may(Right::Work));
                    let same = agent == self.agent.as_ref() && (!self.watch || caller.may(Right::Live));
                    if !same {
                        return Err(End::SignedOut);
                    }
                    self.caller = caller;
                }
                Err(problem) if problem.status == 401 => return Err(End::SignedOut),
                // Postgres is away: nobody is sent away for that
                Err(_) => {}
            }
        }
        self.message(Message::Ping(Bytes::new())).await
    }

    async fn out(&mut self, stream: Uuid, out: Option<Out>, cut: &CancellationToken) -> Result<(), End> {
        let text = match out {
            None => return Err(End::Slow),
            Some(Out::Event(written)) => written.text.clone(),
            Some(Out::Snapshot(seq, desk)) => match self.snapshot(stream, seq, &desk).await {
                Ok(text) => text,
                // without it nothing that follows makes sense: the client comes back
                Err(_) => return Err(End::Slow),
            },
        };
        tokio::select! {
            () = cut.cancelled() => Err(End::Slow),
            sent = self.send(text) => sent,
        }
    }

    /// With the caller's name and tenant; that these transcripts are read is noted.
    async fn snapshot(&mut self, stream: Uuid, seq: u64, desk: &Desk) -> Result<Utf8Bytes, Problem> {
        let me = me(&self.gateway.api, &self.caller).await?;
        let whole = desk.contacts.iter().filter(|contact| !contact.summary);
        let read: Vec<Uuid> = whole.map(|contact| contact.room_id).collect();
        let mut db = self.gateway.api.db(&self.caller.tenant).await?;
        let tx = db.begin().await?;
        noted(&tx, &self.caller, &read).await?;
        tx.commit().await?;
        let snapshot = Snapshot::new(me, desk.clone());
        let message = Begins { kind: "snapshot", stream, seq, snapshot };
        Ok(serde_json::to_string(&message).unwrap_or_else(|error| unreachable!("our own shape: {error}")).into())
    }

    async fn send(&mut self, text: Utf8Bytes) -> Result<(), End> {
        self.message(Message::Text(text)).await
    }

    async fn message(&mut self, message: Message) -> Result<(), End> {
        match timeout(TAKES, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Slow),
        }
    }

    async fn close(&mut self, end: End) {
        let (code, reason) = match end {
            End::Gone => return,
            End::Move => {
                let _ = self.send(r#"{"type":"move"}"#.into()).await;
                (1001, "this gateway ends; connect again")
            }
            End::SignedOut => (1008, "the sign-in is over"),
            End::Slow => (1013, "too slow; connect again and resume"),
        };
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = timeout(Duration::from_secs(2), self.socket.send(Message::Close(Some(frame)))).await;
    }
}
