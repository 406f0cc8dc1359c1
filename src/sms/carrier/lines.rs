//! The connections of a process: opened by their rows, kept while rows and secrets stay as they are, each with its window
//! of texts under way. A secret's file is looked at again from time to time, so that a rotation needs no restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::kind::Settings;
use super::{Connection, Outgoing, Row, Sent, Surroundings, kind_of};
use crate::facts::ids::Slug;
use crate::runtime::clock::Stopwatch;
use crate::sms::leaving::Manner;

/// How long a connection is used before its secrets are looked at again.
const LOOKS: Duration = Duration::from_secs(5);

/// An open connection with its window.
#[derive(Debug)]
pub struct Line {
    /// Of the carrier.
    pub connection: Connection,
    /// What it does to texts.
    pub manner: Manner,
    window: Semaphore,
}

impl Line {
    /// Hands over one text, once there is room in the window.
    pub async fn send(&self, text: &Outgoing) -> Sent {
        match self.window.acquire().await {
            Ok(_place) => self.connection.send(text).await,
            Err(_) => Sent::NotNow(None, "no_connection".to_owned()),
        }
    }
}

/// What was opened: by which row and secrets, and when that was looked at last.
#[derive(Clone, Debug)]
struct Open {
    row: Row,
    secrets: Vec<u8>,
    looked: Stopwatch,
    /// None: it cannot be used.
    line: Option<Arc<Line>>,
}

/// The connections.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    around: Surroundings,
    open: Arc<Mutex<HashMap<Slug, Open>>>,
}

impl Lines {
    /// None yet.
    #[must_use]
    pub fn new(around: Surroundings) -> Self {
        Self { around, open: Arc::default() }
    }

    /// The line of a row; none, and said, where it cannot be used.
    #[must_use]
    pub fn of(&self, row: &Row) -> Option<Arc<Line>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get(&row.id).filter(|known| known.row == *row && known.looked.elapsed() < LOOKS) {
            return known.line.clone();
        }
        let settings = kind_of(&row.kind)
            .ok_or_else(|| format!("no carrier of the kind {:?} is known", row.kind))
            .and_then(|kind| Settings::read(kind, &row.id, &row.settings));
        let secrets = settings.as_ref().map(Settings::fingerprint).unwrap_or_default();
        if let Some(known) = open.get_mut(&row.id).filter(|known| known.row == *row && known.secrets == secrets)
            && known.line.is_some()
        {
            known.looked = Stopwatch::start();
            return known.line.clone();
        }
        let line = settings.and_then(|settings| {
            let manner = settings.manner();
            Connection::open(row, &settings, &self.around).map(|connection| {
                let window = match &connection {
                    // of each bind
                    Connection::Smpp(client) => client.window(),
                    _ => settings.window(),
                };
                Arc::new(Line { connection, manner, window: Semaphore::new(window) })
            })
        });
        if let Err(error) = &line {
            tracing::error!(carrier = %row.id, error, "a carrier cannot be used; what is for it waits");
        }
        let line = line.ok();
        let known = Open { row: row.clone(), secrets, looked: Stopwatch::start(), line: line.clone() };
        open.insert(row.id.clone(), known);
        line
    }
}
