//! A desk as the gateway sees one: a socket that begins, is sent away or cut, and resumes. Texts carry a number, by which
//! it is noted when each arrived first, and whether one came twice.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use texthub::runtime::clock::Stopwatch;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// In front of a text's number.
const MARK: &str = "bench ";

/// When texts were published and when they came to a socket, in seconds.
pub struct Arrivals {
    clock: Stopwatch,
    texts: Mutex<Vec<(f64, Option<f64>)>>,
    begun: AtomicUsize,
    doubled: AtomicUsize,
}

impl Default for Arrivals {
    fn default() -> Self {
        let (begun, doubled) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { clock: Stopwatch::start(), texts: Mutex::default(), begun, doubled }
    }
}

impl Arrivals {
    fn texts(&self) -> std::sync::MutexGuard<'_, Vec<(f64, Option<f64>)>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Desks that had their first snapshot.
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// Texts so far.
    pub fn published(&self) -> usize {
        self.texts().len()
    }

    /// The next text.
    pub fn publish(&self) -> String {
        let at = self.clock.elapsed().as_secs_f64();
        let mut texts = self.texts();
        texts.push((at, None));
        format!("{MARK}{}", texts.len() - 1)
    }

    /// Texts from this one on that have not come.
    pub fn missing(&self, first: usize) -> usize {
        self.texts()[first..].iter().filter(|text| text.1.is_none()).count()
    }

    /// Milliseconds of the texts from this one on that came, and how many came twice since this was asked last.
    pub fn since(&self, first: usize) -> (Vec<f64>, usize) {
        let texts = self.texts();
        let ms = texts[first..].iter().filter_map(|(published, came)| came.map(|came| (came - published) * 1000.0));
        (ms.collect(), self.doubled.swap(0, Ordering::Relaxed))
    }

    fn came(&self, text: &str) -> Option<usize> {
        let nr: usize = text.strip_prefix(MARK)?.parse().ok()?;
        let at = self.clock.elapsed().as_secs_f64();
        let mut texts = self.texts();
        let known = texts.get_mut(nr)?;
        known.1.get_or_insert(at);
        Some(nr)
    }
}

/// Follows for ever.
pub async fn desk(url: &str, token: &str, arrivals: &Arrivals) {
    let mut had: Option<(Value, Value)> = None;
    let mut seen: HashSet<usize> = HashSet::new();
    loop {
        if follow(url, token, arrivals, &mut had, &mut seen).await.is_none() {
            // as desks do: not all at once
            tokio::time::sleep(Duration::from_millis(fastrand::u64(50..1_000))).await;
        }
    }
}

async fn follow(
    url: &str,
    token: &str,
    arrivals: &Arrivals,
    had: &mut Option<(Value, Value)>,
    seen: &mut HashSet<usize>,
) -> Option<()> {
    let mut request = format!("{}/api/v1/socket", url.replacen("http", "ws", 1)).into_client_request().ok()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().ok()?);
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let (mut line, _) = connect_async_with_config(request, Some(config), true).await.ok()?;
    let first = match had {
        Some((stream, seq)) => json!({"type": "since", "stream": stream, "seq": seq}),
        None => json!({"type": "begin"}),
    };
    line.send(Message::text(first.to_string())).await.ok()?;
    loop {
        let Message::Text(text) = line.next().await?.ok()? else { continue };
        let message: Value = serde_json::from_str(&text).ok()?;
        match message["type"].as_str()? {
            "snapshot" => {
                if had.is_none() {
                    arrivals.begun.fetch_add(1, Ordering::Relaxed);
                }
                *had = Some((message["stream"].clone(), message["seq"].clone()));
                let contacts = message["snapshot"]["contacts"].as_array()?;
                for entry in contacts.iter().filter_map(|contact| contact["entries"].as_array()).flatten() {
                    seen.extend(arrivals.came(entry["text"].as_str()?));
                }
            }
            "entry" => {
                if let Some(nr) = arrivals.came(message["entry"]["text"].as_str()?)
                    && !seen.insert(nr)
                {
                    arrivals.doubled.fetch_add(1, Ordering::Relaxed);
                }
            }
            _ => {}
        }
        if let (Some(had), Some(seq)) = (had.as_mut(), message.get("seq")) {
            had.1 = seq.clone();
        }
    }
}
