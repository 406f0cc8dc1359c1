//! Web chat: visitors on a page of the tenant's own, who write and hear through the gateway and nothing else.

mod limits;
mod stream;
mod visits;

use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::stack::{PATIENCE, Process, Stack};

pub const PAGE: &str = "https://shop.example";

/// The tenant of the example with its chat on a page of a shop, and another tenant with a chat on the same page.
pub fn tenants(stack: &Stack) {
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")).unwrap();
    let origins = "origins = [\"http://127.0.0.1:8090\", \"http://localhost:8090\"]";
    assert!(example.contains(origins));
    let bears = example.replace(origins, &format!("origins = [\"{PAGE}\"]"));
    stack.command(&["apply", &stack.file("bears.toml", &bears)]).success();
    let foxes = format!(
        "tenant = \"foxes\"\nname = \"Foxes\"\nsms_messaging = true\ntime_zone = \"UTC\"\n\
         [[skills]]\nid = \"hunt\"\nchannel = \"chat\"\n[[teams]]\nid = \"earth\"\n\
         [[agents]]\nid = \"fox\"\nteam = \"earth\"\nskills = {{ hunt = 1 }}\n\
         [[points_of_contact]]\nid = \"website\"\nchannel = \"chat\"\nskill = \"hunt\"\norigins = [\"{PAGE}\"]\n\
         [[points_of_contact]]\nid = \"nowhere\"\nchannel = \"chat\"\nskill = \"hunt\"\n"
    );
    stack.command(&["apply", &stack.file("foxes.toml", &foxes)]).success();
}

/// All of it in one process, but the gateway, which is a process of its own.
pub async fn stack() -> (Stack, Process, Process) {
    let stack = Stack::new().await;
    tenants(&stack);
    #[rustfmt::skip]
    let roles = ["receive_sms", "route_contact", "settle_offer", "post_reply", "expire_session", "wrap_up", "track_agent",
                 "move_contact", "reconcile", "send_sms", "record_receipt"];
    let (hub, gateway) = tokio::join!(stack.start(&roles), stack.start(&["gateway"]));
    (stack, hub, gateway)
}

/// A chat as a page has it.
#[derive(Clone, Debug)]
pub struct Door {
    http: Client,
    pub base: String,
    pub origin: String,
}

impl Door {
    pub fn at(gateway: &Process, path: &str) -> Self {
        let http = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { http, base: format!("{}/chat/v1/{path}", gateway.url()), origin: PAGE.to_owned() }
    }

    pub fn bears(gateway: &Process) -> Self {
        Self::at(gateway, "three-bears/website")
    }

    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).header("origin", &self.origin)
    }

    pub async fn visit(&self) -> Visitor {
        let answer = self.ask(Method::POST, "/visits").json(&json!({"language": "en"})).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(answer.headers()["access-control-allow-origin"], PAGE);
        let begun: Value = answer.json().await.unwrap();
        let word = |name: &str| begun[name].as_str().unwrap().to_owned();
        Visitor { door: self.clone(), id: word("visitor"), token: word("token") }
    }
}

/// A visitor with a token.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub door: Door,
    pub id: String,
    pub token: String,
}

impl Visitor {
    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.door.ask(method, path).bearer_auth(&self.token)
    }

    /// Hands a text in: the status.
    pub async fn hand_in(&self, id: Uuid, text: &str) -> StatusCode {
        let body = json!({"id": id, "text": text});
        self.ask(Method::POST, "/texts").json(&body).send().await.unwrap().status()
    }

    /// Writes; the id of the text.
    pub async fn write(&self, text: &str) -> Uuid {
        let id = Uuid::new_v4();
        assert_eq!(self.hand_in(id, text).await, StatusCode::ACCEPTED, "{text}");
        id
    }

    pub async fn leave(&self) {
        let answer = self.ask(Method::POST, "/leave").json(&json!({"id": Uuid::new_v4()})).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
    }

    /// Begins to hear, from the beginning or since an event.
    pub async fn hear(&self, since: Option<&str>) -> Stream {
        let request = self.ask(Method::GET, &format!("/events?since={}", since.unwrap_or_default()));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        Stream { answer, buffer: String::new(), events: Vec::new() }
    }
}

/// An event as it came.
#[derive(Clone, Debug)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub retry: Option<u64>,
    pub data: Value,
}

/// A stream of events, and all that came.
pub struct Stream {
    answer: reqwest::Response,
    buffer: String,
    pub events: Vec<Event>,
}

impl Stream {
    /// The next event; none when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    line.map(|value| value.trim_start().to_owned())
                };
                let Some(name) = field("event") else { continue };
                let event = Event {
                    name,
                    id: field("id").unwrap_or_default(),
                    retry: field("retry").and_then(|ms| ms.parse().ok()),
                    data: serde_json::from_str(&field("data").unwrap_or_default()).unwrap(),
                };
                self.events.push(event.clone());
                return Some(event);
            }
            match tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("an event within patience") {
                Ok(Some(chunk)) => self.buffer.push_str(std::str::from_utf8(&chunk).unwrap()),
                _ => return None,
            }
        }
    }

    /// Awaits an event; what comes before it is kept.
    pub async fn until(&mut self, what: &str, is_it: impl Fn(&Event) -> bool) -> Event {
        let began = Instant::now();
        while let Some(event) = self.next().await {
            if is_it(&event) {
                return event;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {:?}", self.events);
        }
        panic!("the stream ended before {what}: {:?}", self.events)
    }

    pub async fn text(&mut self, text: &str) -> Event {
        self.until(text, |event| event.name == "text" && event.data["text"] == text).await
    }

    pub async fn state(&mut self, state: &str) -> Event {
        self.until(state, |event| event.name == "state" && event.data["state"] == state).await
    }

    /// Texts that came so far.
    pub fn texts(&self) -> Vec<String> {
        let texts = self.events.iter().filter(|event| event.name == "text");
        texts.map(|event| event.data["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Nothing comes for a moment.
    pub async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(400), self.next()).await.is_err()
    }
}
