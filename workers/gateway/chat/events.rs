//! What a visitor hears: its own room as server-sent events. `text` is a line, whose id resumes behind it; `state` is how
//! the chat stands; `move` comes before this gateway ends the stream, and asks to come back. What is new is read from the
//! rows, so that nothing is missed or comes twice, however often the stream is begun.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;
use texthub::access::problem::{Problem, Reason};
use texthub::chat::board::Seat;
use texthub::chat::door::Door;
use texthub::chat::view::{self, Cursor, Standing, View};
use texthub::runtime::clock::Stopwatch;
use tokio::time::sleep;
use uuid::Uuid;

use super::Chat;
use super::door::{Entered, Token};
use crate::gateway::api::Query;

/// How often a silent stream says that it is there.
const BEATS: Duration = Duration::from_secs(20);
/// How long a stream lasts, a third more at most: then the token is looked at again, perhaps by another gateway.
const LASTS: Duration = Duration::from_secs(3_600);
/// After a read that failed.
const AGAIN: Duration = Duration::from_millis(1_000);

/// From where.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// The id of the last event that was seen; left out: the whole of the newest room. `Last-Event-ID` does the same.
    #[serde(default)]
    since: Option<String>,
}

/// Streams the visitor's own room.
///
/// Events: `text` with a line, `state` with how the chat stands, `move` before the stream ends.
#[utoipa::path(get, path = "/{tenant}/{point_of_contact}/events", tag = "chat", security(("visitor" = [])),
    params(("tenant" = String, Path, description = "Slug of the tenant"),
           ("point_of_contact" = String, Path, description = "Slug of a point of contact for chat"), Since),
    responses((status = 200, description = "Server-sent events", content_type = "text/event-stream", body = String)))]
pub async fn events(
    State(chat): State<Chat>,
    entered: Entered,
    Token(token): Token,
    Query(Since { since }): Query<Since>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let since = match since.or(last).filter(|since| !since.is_empty()) {
        Some(since) => Some(since.parse().map_err(|()| Problem::field("since", "the id of an event"))?),
        None => None,
    };
    let visit = chat.visit(&entered.door, &token).await?;
    let door = &entered.door;
    let seat = chat
        .board
        .sit(&door.tenant, &door.point, visit.visitor)
        .ok_or_else(|| if chat.board.closing().is_cancelled() { Reason::NotNow.into() } else { Problem::wait(5) })?;
    let lasts = LASTS + LASTS.mul_f64(fastrand::f64() / 3.0);
    let showing = Showing {
        door: Arc::clone(door),
        visitor: visit.visitor,
        seat,
        since,
        standing: None,
        is_due: true,
        is_over: false,
        began: Stopwatch::start(),
        lasts,
        chat,
    };
    let batches = stream::unfold(showing, |mut showing| async {
        let events = showing.next().await?;
        Some((stream::iter(events.into_iter().map(Ok::<_, std::convert::Infallible>)), showing))
    });
    let events = Sse::new(batches.flatten()).keep_alive(KeepAlive::new().interval(BEATS));
    // proxies are to hand on each event as it comes
    Ok(([(HeaderName::from_static("x-accel-buffering"), "no")], events).into_response())
}

/// One stream.
struct Showing {
    chat: Chat,
    door: Arc<Door>,
    visitor: Uuid,
    seat: Seat,
    since: Option<Cursor>,
    standing: Option<Standing>,
    is_due: bool,
    is_over: bool,
    began: Stopwatch,
    lasts: Duration,
}

impl Showing {
    /// The next events, once there are some; none when the stream is over.
    async fn next(&mut self) -> Option<Vec<Event>> {
        while !self.is_over {
            if !self.is_due {
                let left = self.lasts.saturating_sub(self.began.elapsed());
                tokio::select! {
                    biased;
                    () = self.chat.board.closing().cancelled() => return Some(vec![self.goodbye()]),
                    () = self.seat.news() => {}
                    () = sleep(left) => return Some(vec![self.goodbye()]),
                }
            }
            match self.read().await {
                Ok(view) => {
                    self.is_due = view.is_cut;
                    let events = self.events(view);
                    if !events.is_empty() {
                        return Some(events);
                    }
                }
                Err(problem) => {
                    tracing::debug!(reason = problem.reason, "a stream's read failed; it is tried again");
                    self.is_due = true;
                    tokio::select! {
                        () = self.chat.board.closing().cancelled() => return Some(vec![self.goodbye()]),
                        () = sleep(AGAIN.mul_f64(0.5 + fastrand::f64())) => {}
                    }
                }
            }
        }
        None
    }

    async fn read(&self) -> Result<View, Problem> {
        let _permit = self.chat.reads.acquire().await.map_err(|_| Reason::NotNow)?;
        let mut db = self.chat.api.db(&self.door.tenant).await?;
        let tx = db.begin().await?;
        let view = view::read(&tx, &self.door, self.visitor, self.since).await?;
        tx.commit().await?;
        Ok(view)
    }

    fn events(&mut self, view: View) -> Vec<Event> {
        let mut events = Vec::new();
        for line in view.lines {
            self.since = Some(line.cursor);
            let event = Event::default().event("text").id(line.cursor.to_string());
            events.extend(event.json_data(&line));
        }
        if !view.is_cut && self.standing.as_ref() != Some(&view.standing) {
            self.seat.note(&view.standing);
            let event = Event::default().event("state");
            // the first one says how long to wait before a stream that broke is begun again
            let event = if self.standing.is_none() { event.retry(Duration::from_secs(2)) } else { event };
            events.extend(event.json_data(&view.standing));
            self.standing = Some(view.standing);
        }
        events
    }

    fn goodbye(&mut self) -> Event {
        self.is_over = true;
        // not all at once
        let wait = Duration::from_millis(fastrand::u64(250..3_000));
        Event::default().event("move").retry(wait).data("{}")
    }
}
