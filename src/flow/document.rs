//! The document of a flow, as people write it: JSON, unknown fields refused, every name a word of its own. What the parts
//! mean to each other is `check`'s business.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calendar::Calendar;

/// A flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// For people.
    pub name: String,
    /// The node where a contact begins.
    pub start: String,
    /// Variables with the values that they begin with; conditions and texts name them as `vars.…`.
    #[serde(default)]
    pub variables: BTreeMap<String, Value>,
    /// Business hours, named by `hours` nodes and as `hours.…`.
    #[serde(default)]
    pub calendars: BTreeMap<String, Calendar>,
    /// The nodes by their names.
    pub nodes: BTreeMap<String, Node>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Node {
    /// Sends a text; at most once in a session.
    Send(Send),
    /// Asks and waits for a reply.
    Ask(Ask),
    /// Open or closed.
    Hours(Hours),
    /// The first condition that holds.
    Branch(Branch),
    /// Sets variables.
    Set(Set),
    /// Queues the contact for an agent.
    RequestAgent(RequestAgent),
    /// Waits.
    Wait(Wait),
    /// Goes on with another flow, at its start.
    TransferFlow(TransferFlow),
    /// Calls a program over HTTP.
    Webhook(Webhook),
    /// Ends the contact.
    End(End),
}

/// See [`Node::Send`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// A template of 1 to 1,600 characters.
    pub text: String,
    /// Where it goes on.
    pub next: String,
}

/// See [`Node::Ask`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The question: a template.
    pub text: String,
    /// The variable that keeps the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Seconds to reply in, 5 to 86400.
    pub timeout_s: u32,
    /// How often it asks again where a reply fits no branch, 0 to 5.
    #[serde(default)]
    pub retries: u32,
    /// What it says then; without it the question once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_text: Option<String>,
    /// Tried in order.
    #[serde(default)]
    pub branches: Vec<Reply>,
    /// Where a reply leads that fits no branch, after the retries.
    pub otherwise: String,
    /// Where silence leads.
    pub timed_out: String,
}

/// A branch of an `ask`: keywords, a condition, or both (then either will do).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The whole reply, without regard to case and spaces around it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// A condition in CEL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Where it leads.
    pub next: String,
}

/// See [`Node::Hours`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// One of `calendars`.
    pub calendar: String,
    /// Where it goes on within business hours.
    pub open: String,
    /// Where outside of them.
    pub closed: String,
}

/// See [`Node::Branch`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Tried in order.
    pub branches: Vec<Case>,
    /// Where it goes on when none holds.
    pub otherwise: String,
}

/// A condition and where it leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// In CEL.
    pub when: String,
    /// Where it leads.
    pub next: String,
}

/// See [`Node::Set`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Variable and its new value, in CEL; all of them see the old values.
    pub set: BTreeMap<String, String>,
    /// Where it goes on.
    pub next: String,
}

/// See [`Node::RequestAgent`]. Its exit "answered" needs no name: the flow is over when an agent accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestAgent {
    /// Slug of the skill.
    pub skill: String,
    /// In place of the skill's own priority, -1000 to 1000; higher first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Which proficiencies will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proficiency: Option<Range>,
    /// `last_agent` (who had this customer last), or an agent's slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<String>,
    /// Seconds in which the contact is kept for the preferred agent, 1 to 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_s: Option<u32>,
    /// What happens after so many seconds of waiting, in rising order; the contact keeps its place in the queue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waited: Vec<Waited>,
    /// Where it goes on, instead of queueing, when no agent of the skill is logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nobody_logged_in: Option<String>,
    /// Where it goes on, instead of queueing, when the queue is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_longer_than: Option<Longer>,
}

/// Proficiencies, 1 best to 20.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The best that will do.
    pub best: i32,
    /// The worst that will do.
    pub worst: i32,
}

/// An exit by time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waited {
    /// Since this node was reached, 1 to 86400.
    pub seconds: u32,
    /// Where it goes on.
    pub next: String,
}

/// An exit by length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Longer {
    /// More than so many contacts wait already.
    pub contacts: i64,
    /// Where it goes on.
    pub next: String,
}

/// See [`Node::Wait`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// 1 to 86400.
    pub seconds: u32,
    /// Where it goes on.
    pub next: String,
}

/// See [`Node::TransferFlow`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferFlow {
    /// Id of a published flow of the same tenant; its newest version is taken.
    pub flow: String,
}

/// See [`Node::Webhook`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `http` or `https`, as it stands here: nothing is filled in.
    pub url: String,
    /// GET carries `body` as a query, POST as a JSON object.
    #[serde(default)]
    pub method: Method,
    /// Names and values, these in CEL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub body: BTreeMap<String, String>,
    /// The variable that keeps the answer: JSON of at most 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Milliseconds until it is given up, 100 to 10000.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u32,
    /// Where it goes on after an answer of 2xx.
    pub next: String,
    /// Where after anything else.
    pub failed: String,
}

fn five_seconds() -> u32 {
    5_000
}

/// See [`Webhook::method`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Method {
    /// A query.
    #[serde(rename = "GET")]
    Get,
    /// A body.
    #[default]
    #[serde(rename = "POST")]
    Post,
}

/// See [`Node::End`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How it counts.
    #[serde(default)]
    pub outcome: Outcome,
}

/// See [`End::outcome`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The flow itself was the answer.
    Answered,
    /// The customer got nobody.
    #[default]
    Abandoned,
}

impl Node {
    /// Every exit: where it stands below the node (a JSON pointer), and the name of the node that it leads to.
    #[must_use]
    pub fn exits(&self) -> Vec<(String, &str)> {
        let at = |place: &str| place.to_owned();
        match self {
            Self::Send(node) => vec![(at("/next"), &node.next)],
            Self::Ask(node) => {
                let mut exits: Vec<(String, &str)> = node
                    .branches
                    .iter()
                    .enumerate()
                    .map(|(nth, branch)| (format!("/branches/{nth}/next"), branch.next.as_str()))
                    .collect();
                exits.push((at("/otherwise"), &node.otherwise));
                exits.push((at("/timed_out"), &node.timed_out));
                exits
            }
            Self::Hours(node) => vec![(at("/open"), &node.open), (at("/closed"), &node.closed)],
            Self::Branch(node) => {
                let cases = node.branches.iter().enumerate();
                let mut exits: Vec<(String, &str)> =
                    cases.map(|(nth, case)| (format!("/branches/{nth}/next"), case.next.as_str())).collect();
                exits.push((at("/otherwise"), &node.otherwise));
                exits
            }
            Self::Set(node) => vec![(at("/next"), &node.next)],
            Self::RequestAgent(node) => {
                let mut exits = node.later();
                exits.extend(node.at_once());
                exits
            }
            Self::Wait(node) => vec![(at("/next"), &node.next)],
            Self::Webhook(node) => vec![(at("/next"), &node.next), (at("/failed"), &node.failed)],
            Self::TransferFlow(_) | Self::End(_) => Vec::new(),
        }
    }

    /// Those of its exits that are taken in the moment in which it is reached.
    #[must_use]
    pub fn exits_at_once(&self) -> Vec<(String, &str)> {
        match self {
            Self::Ask(_) | Self::Wait(_) => Vec::new(),
            Self::RequestAgent(node) => node.at_once(),
            node => node.exits(),
        }
    }
}

impl RequestAgent {
    /// The exits by time.
    #[must_use]
    pub fn later(&self) -> Vec<(String, &str)> {
        let exits = self.waited.iter().enumerate();
        exits.map(|(nth, exit)| (format!("/waited/{nth}/next"), exit.next.as_str())).collect()
    }

    fn at_once(&self) -> Vec<(String, &str)> {
        let nobody = self.nobody_logged_in.iter().map(|next| ("/nobody_logged_in".to_owned(), next.as_str()));
        let longer =
            self.queue_longer_than.iter().map(|exit| ("/queue_longer_than/next".to_owned(), exit.next.as_str()));
        nobody.chain(longer).collect()
    }
}
