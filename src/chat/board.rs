//! Who waits for news: the streams of one gateway, by conversation. A fact only wakes; what is new is read from the
//! rows, so that a fact that came twice, late or never makes no difference. One that waits costs a few hundred bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::view::Standing;
use crate::facts::ids::{RoomId, Slug};

/// Most streams of one visitor in one process: tabs.
const TABS: usize = 6;
/// Most streams of one process.
const MOST: usize = 20_000;

/// What a stream has last seen of its chat, to tell whether it missed something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The open room.
    pub room: Option<RoomId>,
    /// The next line's number in it.
    pub next_seq: i32,
    /// State and agent of its contact.
    pub contact: Option<(String, Option<Slug>)>,
}

#[derive(Debug)]
struct Waiting {
    tenant: Slug,
    point: Slug,
    visitor: String,
    streams: Vec<Arc<Notify>>,
    seen: Option<Seen>,
    about: [Option<Uuid>; 2],
}

#[derive(Debug, Default)]
struct Inner {
    by_scope: HashMap<String, Waiting>,
    /// Rooms and contacts of those who wait: facts of a tenant's scope name these alone.
    about: HashMap<Uuid, String>,
    streams: usize,
}

/// All streams of a process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Board {
    inner: Arc<Mutex<Inner>>,
    closing: CancellationToken,
    gone: Arc<Notify>,
}

/// A conversation that somebody waits for, as the look for missed news asks for it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As keys have it.
    pub scope: String,
    /// The point of contact.
    pub point: Slug,
    /// The visitor.
    pub visitor: String,
}

/// One stream's place; given up when dropped.
#[derive(Debug)]
pub struct Seat {
    board: Board,
    scope: String,
    news: Arc<Notify>,
}

impl Board {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a stream, unless this visitor has too many, the process is full, or it closes.
    #[must_use]
    pub fn sit(&self, tenant: &Slug, point: &Slug, visitor: Uuid) -> Option<Seat> {
        let visitor = visitor.to_string();
        let scope = format!("{point}-{visitor}");
        let news = Arc::new(Notify::new());
        let mut inner = self.lock();
        if inner.streams >= MOST || self.closing.is_cancelled() {
            return None;
        }
        let (tenant, point) = (tenant.clone(), point.clone());
        let waiting = inner.by_scope.entry(scope.clone()).or_insert_with(|| Waiting {
            tenant,
            point,
            visitor,
            streams: Vec::with_capacity(1),
            seen: None,
            about: [None; 2],
        });
        if waiting.streams.len() >= TABS {
            return None;
        }
        waiting.streams.push(Arc::clone(&news));
        inner.streams += 1;
        metrics::gauge!("texthub_chat_streams").increment(1.0);
        Some(Seat { board: self.clone(), scope, news })
    }

    /// Something was said in a conversation.
    pub fn wake(&self, scope: &str) {
        if let Some(waiting) = self.lock().by_scope.get(scope) {
            waiting.streams.iter().for_each(|news| news.notify_one());
        }
    }

    /// Something was said about a room or a contact.
    pub fn wake_about(&self, id: Uuid) {
        let scope = self.lock().about.get(&id).cloned();
        if let Some(scope) = scope {
            self.wake(&scope);
        }
    }

    /// Tenants of whom somebody waits.
    #[must_use]
    pub fn tenants(&self) -> Vec<Slug> {
        let mut tenants: Vec<Slug> = self.lock().by_scope.values().map(|waiting| waiting.tenant.clone()).collect();
        tenants.sort_unstable();
        tenants.dedup();
        tenants
    }

    /// Conversations of a tenant that somebody waits for.
    #[must_use]
    pub fn of_tenant(&self, tenant: &Slug) -> Vec<Asked> {
        let inner = self.lock();
        let theirs = inner.by_scope.iter().filter(|(_, waiting)| waiting.tenant == *tenant);
        let asked = theirs.map(|(scope, waiting)| Asked {
            scope: scope.clone(),
            point: waiting.point.clone(),
            visitor: waiting.visitor.clone(),
        });
        asked.collect()
    }

    /// What the look found of a conversation: its streams are woken where it is not what was found last.
    pub fn found(&self, scope: &str, found: Seen) {
        let mut inner = self.lock();
        let Some(waiting) = inner.by_scope.get_mut(scope) else { return };
        if waiting.seen.as_ref() != Some(&found) {
            waiting.seen = Some(found);
            waiting.streams.iter().for_each(|news| news.notify_one());
        }
    }

    /// How many streams there are.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.lock().streams
    }

    /// Said when the process is about to end: every stream ends, and none begins.
    #[must_use]
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Ends every stream and awaits that they are gone.
    pub async fn close(&self) {
        self.closing.cancel();
        loop {
            let gone = self.gone.notified();
            if self.streams() == 0 {
                return;
            }
            gone.await;
        }
    }
}

impl Seat {
    /// Awaits news; what came since the last time counts.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// By which ids facts name this chat now.
    pub fn note(&self, standing: &Standing) {
        let about = [standing.room.map(|room| room.0), standing.contact.map(|contact| contact.0)];
        let mut inner = self.board.lock();
        let Some(waiting) = inner.by_scope.get_mut(&self.scope) else { return };
        let before = std::mem::replace(&mut waiting.about, about);
        if before != about {
            before.into_iter().flatten().for_each(|id| drop(inner.about.remove(&id)));
            inner.about.extend(about.into_iter().flatten().map(|id| (id, self.scope.clone())));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.board.lock();
        inner.streams -= 1;
        metrics::gauge!("texthub_chat_streams").decrement(1.0);
        if let Some(waiting) = inner.by_scope.get_mut(&self.scope) {
            waiting.streams.retain(|news| !Arc::ptr_eq(news, &self.news));
            if waiting.streams.is_empty()
                && let Some(waiting) = inner.by_scope.remove(&self.scope)
            {
                waiting.about.into_iter().flatten().for_each(|id| drop(inner.about.remove(&id)));
            }
        }
        if inner.streams == 0 {
            self.board.gone.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn slug(text: &str) -> Slug {
        Slug::new(text).unwrap()
    }

    fn standing(room: u128) -> Standing {
        let room = Some(RoomId(Uuid::from_u128(room)));
        Standing { state: "waiting", name: None, reason: None, room, contact: None }
    }

    #[test]
    fn only_whose_conversation_it_is_wakes_by_scope_or_by_id() {
        let board = Board::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sit = |visitor| board.sit(&slug("bears"), &slug("web"), visitor).unwrap();
        let (a, b, c) = (sit(one), sit(one), sit(other));
        board.wake(&format!("web-{one}"));
        assert!(a.news().now_or_never().is_some() && b.news().now_or_never().is_some());
        assert!(c.news().now_or_never().is_none() && a.news().now_or_never().is_none());
        c.note(&standing(7));
        board.wake_about(Uuid::from_u128(7));
        assert!(c.news().now_or_never().is_some() && a.news().now_or_never().is_none());
        c.note(&standing(8));
        board.wake_about(Uuid::from_u128(7));
        assert!(c.news().now_or_never().is_none(), "a room that is over");
        drop((a, b, c));
        let inner = board.inner.lock().unwrap();
        assert!(inner.by_scope.is_empty() && inner.about.is_empty() && inner.streams == 0, "nothing is left behind");
    }

    #[test]
    fn a_look_wakes_where_something_else_is_found() {
        let board = Board::default();
        let seat = board.sit(&slug("bears"), &slug("web"), Uuid::from_u128(1)).unwrap();
        let scope = board.of_tenant(&slug("bears"))[0].scope.clone();
        for (found, wakes) in [(1, true), (1, false), (2, true)] {
            board.found(&scope, Seen { next_seq: found, ..Seen::default() });
            assert_eq!(seat.news().now_or_never().is_some(), wakes, "{found}");
        }
    }

    #[tokio::test]
    async fn a_visitor_has_so_many_tabs_and_a_closing_board_no_places() {
        let board = Board::default();
        let sit = || board.sit(&slug("bears"), &slug("web"), Uuid::from_u128(1));
        let tabs: Vec<Seat> = std::iter::from_fn(sit).collect();
        assert_eq!(tabs.len(), TABS);
        let closed = tokio::spawn({
            let board = board.clone();
            async move { board.close().await }
        });
        board.closing().cancelled().await;
        drop(tabs);
        closed.await.unwrap();
        assert!(sit().is_none());
    }
}
