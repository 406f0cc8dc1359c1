//! Somebody at a desk, by the gateway's API alone: REST by token, and a socket whose events are put together into what a
//! desk would show. What must not happen on the way (a hole, a double, a step back) is noted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use texthub::access::secret;
use texthub::facts::ids::Slug;
use texthub::runtime::clock;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::stack::{PATIENCE, Process, Stack};

/// Somebody with a token.
#[derive(Clone)]
pub struct Browser {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Browser {
    /// With a token of its own: as an agent, with these scopes.
    pub async fn new(stack: &Stack, gateway: &Process, tenant: &str, agent: Option<&str>, scopes: &[&str]) -> Self {
        let minted = secret::mint(secret::TOKEN, &Slug::new(tenant).unwrap()).unwrap();
        let client = stack.database.pool.get().await.unwrap();
        client
            .execute(
                "insert into api_tokens (tenant, id, name, token_sha256, scopes, agent, created_by)
                 values ($1, $2, 'a test', $3, $4, $5, 'test')",
                &[&tenant, &clock::new_id(), &minted.sha256, &scopes, &agent],
            )
            .await
            .unwrap();
        let token = minted.secret.expose_secret().to_owned();
        Self { http: stack.http.clone(), base: gateway.url(), token }
    }

    /// The same at another gateway.
    pub fn at(&self, gateway: &Process) -> Self {
        Self { base: gateway.url(), ..self.clone() }
    }

    /// A request; its status and body.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    /// A command under a new id.
    pub async fn command(&self, path: &str, mut body: Value) -> (u16, Value) {
        if body.get("id").is_none() {
            body["id"] = json!(clock::new_id());
        }
        self.ask(Method::POST, path, Some(&body)).await
    }

    /// A command that is done.
    #[track_caller]
    pub fn done(answer: &(u16, Value)) {
        assert!(answer.0 == 200 && answer.1["outcome"] == "done", "{answer:?}");
    }

    /// Opens a socket that begins, or goes on with what it has.
    pub async fn socket(&self, query: &str, model: Model) -> Socket {
        self.try_socket(query, model).await.unwrap()
    }

    /// The same; none where nobody listens.
    pub async fn try_socket(&self, query: &str, model: Model) -> Option<Socket> {
        let mut request = format!("{}/api/v1/socket{query}", self.base.replacen("http", "ws", 1)).into_client_request();
        let headers = request.as_mut().unwrap().headers_mut();
        headers.insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        let (mut line, _) = connect_async(request.unwrap()).await.ok()?;
        let first = match &model.stream {
            Some(stream) => json!({"type": "since", "stream": stream, "seq": model.seq}),
            None => json!({"type": "begin"}),
        };
        line.send(Message::text(first.to_string())).await.ok()?;
        Some(Socket { line, model, heard: Vec::new() })
    }
}

/// What a desk would show.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Of the last snapshot.
    pub stream: Option<String>,
    /// Of the last event.
    pub seq: u64,
    /// By id.
    pub contacts: BTreeMap<String, Value>,
    /// By id.
    pub offers: BTreeMap<String, Value>,
    /// As it stands.
    pub agent: Value,
    /// What must not happen.
    pub faults: Vec<String>,
    /// How often it began and went on.
    pub snapshots: usize,
    /// How often it went on.
    pub resumed: usize,
}

impl Model {
    /// Takes a message in.
    pub fn take(&mut self, message: &Value) {
        let seq = message["seq"].as_u64().unwrap_or_default();
        let kind = message["type"].as_str().unwrap_or_default();
        match kind {
            "snapshot" => return self.begin(message),
            "resumed" => {
                self.resumed += 1;
                return;
            }
            "move" => return,
            _ => {}
        }
        if seq <= self.seq {
            self.faults.push(format!("{kind} {seq} after {}", self.seq));
        }
        self.seq = seq;
        let id = message["contact_id"].as_str().unwrap_or_default().to_owned();
        match kind {
            "offer" => {
                let offer = message["offer"].clone();
                self.offers.insert(offer["offer_id"].as_str().unwrap().to_owned(), offer);
            }
            "offer_gone" => {
                self.offers.remove(message["offer_id"].as_str().unwrap());
            }
            "contact" => {
                let contact = message["contact"].clone();
                self.contacts.insert(contact["contact_id"].as_str().unwrap().to_owned(), contact);
            }
            "contact_gone" => {
                let known = self.contacts.remove(&id);
                self.faults.extend(known.is_none().then(|| format!("{id} is gone and was not there")));
            }
            "entry" => self.entry(&id, message),
            "entry_state" => self.state(message),
            "session" => {
                if let Some(contact) = self.contacts.get_mut(&id) {
                    contact["session"]["deadline_at"] = message["deadline_at"].clone();
                }
            }
            "agent" => self.agent = message["agent"].clone(),
            _ => {}
        }
    }

    fn begin(&mut self, message: &Value) {
        let all = |list: &Value, key: &str| -> BTreeMap<String, Value> {
            let one = |item: &Value| (item[key].as_str().unwrap().to_owned(), item.clone());
            list.as_array().unwrap().iter().map(one).collect()
        };
        let snapshot = &message["snapshot"];
        *self = Self {
            stream: message["stream"].as_str().map(str::to_owned),
            seq: message["seq"].as_u64().unwrap(),
            contacts: all(&snapshot["contacts"], "contact_id"),
            offers: all(&snapshot["offers"], "offer_id"),
            agent: snapshot["agent"].clone(),
            faults: std::mem::take(&mut self.faults),
            snapshots: self.snapshots + 1,
            resumed: self.resumed,
        };
    }

    fn entry(&mut self, id: &str, message: &Value) {
        let Some(contact) = self.contacts.get_mut(id) else {
            self.faults.push(format!("an entry of {id}, which is not there"));
            return;
        };
        if !message["deadline_at"].is_null() {
            contact["session"]["deadline_at"] = message["deadline_at"].clone();
        }
        contact["waiting_since"] = message["waiting_since"].clone();
        let last = contact["entries"].as_array().unwrap().last().map_or(0, |entry| entry["seq"].as_i64().unwrap());
        if message["entry"]["seq"] != last + 1 {
            self.faults.push(format!("entry {} after {last}", message["entry"]["seq"]));
        }
        contact["entries"].as_array_mut().unwrap().push(message["entry"].clone());
    }

    fn state(&mut self, message: &Value) {
        let entries = self.contacts.values_mut().filter_map(|contact| contact["entries"].as_array_mut()).flatten();
        for entry in entries.filter(|entry| entry["entry_id"] == message["entry_id"]) {
            entry["state"] = message["state"].clone();
        }
    }

    /// All texts of a contact, in their order.
    pub fn texts(&self, contact: &str) -> Vec<String> {
        let entries = self.contacts.get(contact).and_then(|contact| contact["entries"].as_array());
        entries.into_iter().flatten().map(|entry| entry["text"].as_str().unwrap().to_owned()).collect()
    }

    /// The id of its only offer.
    pub fn the_offer(&self) -> String {
        assert_eq!(self.offers.len(), 1, "{:?}", self.offers);
        self.offers.keys().next().unwrap().clone()
    }

    /// Its only contact.
    pub fn the_contact(&self) -> &Value {
        assert_eq!(self.contacts.len(), 1, "{:?}", self.contacts);
        self.contacts.values().next().unwrap()
    }
}

/// An open socket and what it has told.
pub struct Socket {
    line: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What a desk would show.
    pub model: Model,
    /// Messages in their order.
    pub heard: Vec<Value>,
}

impl Socket {
    /// The next message, taken in; none where the line is closed: then its close code.
    pub async fn next(&mut self) -> Result<(), u16> {
        loop {
            match self.line.next().await {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    self.model.take(&message);
                    self.heard.push(message);
                    return Ok(());
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Takes messages in until it holds.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Model) -> bool) {
        let began = Instant::now();
        while !holds(&self.model) {
            let left = PATIENCE.checked_sub(began.elapsed()).unwrap_or_default();
            let next = tokio::time::timeout(left, self.next()).await;
            assert!(
                matches!(next, Ok(Ok(()))),
                "{what}: {next:?}; {:?}",
                self.heard.iter().rev().take(5).collect::<Vec<_>>()
            );
        }
    }

    /// Takes in what comes, until nothing has for so long.
    pub async fn drain(&mut self, quiet: Duration) {
        while let Ok(Ok(())) = tokio::time::timeout(quiet, self.next()).await {}
    }

    /// How many messages of this type came.
    pub fn count(&self, kind: &str) -> usize {
        self.heard.iter().filter(|message| message["type"] == kind).count()
    }

    /// Cuts the line without a word; what it knew.
    pub fn cut(self) -> Model {
        self.model
    }
}
