//! What is wrong with a flow, all of it together: each mistake with its place (a JSON pointer), what it is, and what to
//! write instead. What passes comes out compiled. Pure; what the database knows (skills, agents, other flows) is handed in.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::calendar::Hours;
use super::condition::{Condition, Language, Name, weight, with_room};
use super::document::{Document, Node};
use super::graph;
use super::step;
use super::template::Texts;
use super::values;
use crate::facts::ids::Slug;
use crate::tenant::reader::nearest;

/// Most bytes of a document.
pub const MAX_DOCUMENT: usize = 256 * 1024;
/// Most nodes.
pub const MAX_NODES: usize = 500;
/// Most conditions and values in CEL.
pub const MAX_CONDITIONS: usize = 2_000;
/// Most variables.
pub const MAX_VARIABLES: usize = 50;

/// A mistake in a flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Mistake {
    /// A JSON pointer into the document; empty: the whole of it.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

/// What there is outside of the document; none: not looked at.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Slugs of live skills.
    pub skills: Option<BTreeSet<String>>,
    /// Slugs of live agents.
    pub agents: Option<BTreeSet<String>>,
    /// Ids of published flows, this one among them.
    pub flows: Option<BTreeSet<String>>,
}

/// A flow that was checked: its document with everything in it compiled, by place.
#[derive(Debug)]
pub struct Flow {
    /// As it was written.
    pub document: Document,
    /// Conditions and values.
    pub conditions: BTreeMap<String, Condition>,
    /// Templates.
    pub texts: Texts,
    /// Business hours.
    pub hours: BTreeMap<String, Hours>,
    /// Skills that conditions and texts read as `queue.…`.
    pub queues: BTreeSet<String>,
}

/// Reads and checks a document.
///
/// # Errors
/// Every mistake, by place.
pub fn flow(text: &str, known: &Known) -> Result<Flow, Vec<Mistake>> {
    with_room(|| checked(text, known))
}

fn checked(text: &str, known: &Known) -> Result<Flow, Vec<Mistake>> {
    if text.len() > MAX_DOCUMENT {
        let what = format!("it has {} bytes, at most {MAX_DOCUMENT} are allowed", text.len());
        return Err(vec![mistake("", what, "take several flows, and hand over by transfer_flow")]);
    }
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let what = format!("no JSON: {error}");
            return Err(vec![mistake("", what, "mend it at this line and column")]);
        }
    };
    let mut check = Check {
        known,
        mistakes: Vec::new(),
        conditions: BTreeMap::new(),
        texts: Texts::default(),
        hours: BTreeMap::new(),
        queues: BTreeSet::new(),
        language: Language::default(),
    };
    let document = check.form(value);
    if let Some(document) = &document {
        check.meaning(document);
    }
    check.mistakes.sort();
    check.mistakes.dedup();
    match document {
        Some(document) if check.mistakes.is_empty() => Ok(Flow {
            document,
            conditions: check.conditions,
            texts: check.texts,
            hours: check.hours,
            queues: check.queues,
        }),
        _ => Err(check.mistakes),
    }
}

fn mistake(place: impl Into<String>, what: impl Into<String>, instead: impl Into<String>) -> Mistake {
    Mistake { place: place.into(), what: what.into(), instead: instead.into() }
}

/// A name as a part of a JSON pointer.
fn part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

struct Check<'k> {
    known: &'k Known,
    mistakes: Vec<Mistake>,
    conditions: BTreeMap<String, Condition>,
    texts: Texts,
    hours: BTreeMap<String, Hours>,
    queues: BTreeSet<String>,
    language: Language,
}

impl Check<'_> {
    fn say(&mut self, place: impl Into<String>, what: impl Into<String>, instead: impl Into<String>) {
        self.mistakes.push(mistake(place, what, instead));
    }

    fn read<T: DeserializeOwned>(&mut self, place: &str, value: Value, instead: &str) -> Option<T> {
        match serde_json::from_value(value) {
            Ok(read) => Some(read),
            Err(error) => {
                self.say(place, error.to_string(), instead);
                None
            }
        }
    }

    /// The document, each node read by itself so that every mistake of form is found; a node that cannot be read leaves
    /// the rest without a judgement on the whole, so there is none then.
    fn form(&mut self, value: Value) -> Option<Document> {
        let Value::Object(mut fields) = value else {
            self.say("", "it is no JSON object", "write { \"name\": …, \"start\": …, \"nodes\": { … } }");
            return None;
        };
        let nodes = match fields.remove("nodes") {
            Some(Value::Object(nodes)) if !nodes.is_empty() => nodes,
            _ => {
                self.say("/nodes", "there are no nodes", "write \"nodes\": { \"first\": { \"type\": … } }");
                Map::new()
            }
        };
        if nodes.len() > MAX_NODES {
            let what = format!("there are {} nodes, at most {MAX_NODES} are allowed", nodes.len());
            self.say("/nodes", what, "take several flows, and hand over by transfer_flow");
            return None;
        }
        fields.insert("nodes".into(), Value::Object(Map::new()));
        let head: Option<Document> = self.read("", Value::Object(fields), "docs/flows.md tells the keys of a flow");
        let before = self.mistakes.len();
        let mut read = BTreeMap::new();
        for (name, node) in nodes {
            let instead = "docs/flows.md tells the keys of each node; every exit must be named";
            if let Some(node) = self.read::<Node>(&format!("/nodes/{}", part(&name)), node, instead) {
                read.insert(name, node);
            }
        }
        head.filter(|_| self.mistakes.len() == before).map(|head| Document { nodes: read, ..head })
    }

    fn meaning(&mut self, document: &Document) {
        for (name, calendar) in &document.calendars {
            match Hours::of(calendar) {
                Ok(hours) => drop(self.hours.insert(name.clone(), hours)),
                Err(wrong) => {
                    for (place, what, instead) in wrong {
                        self.say(format!("/calendars/{}{place}", part(name)), what, instead);
                    }
                }
            }
        }
        self.variables(document);
        self.leads_to(document, "/start", &document.start);
        for (name, node) in &document.nodes {
            let place = format!("/nodes/{}", part(name));
            if Slug::new(name).is_err() {
                self.say(&place, format!("{name:?} is no name of a node"), "use 1 to 64 of a-z, 0-9, _ and -");
            }
            for (exit, to) in node.exits() {
                self.leads_to(document, &format!("{place}{exit}"), to);
            }
            self.node(document, &place, node);
        }
        self.graph(document);
    }

    fn variables(&mut self, document: &Document) {
        if document.variables.len() > MAX_VARIABLES {
            let what = format!("there are {} variables, at most {MAX_VARIABLES} are allowed", document.variables.len());
            self.say("/variables", what, "take fewer");
        }
        let together: usize = document.variables.values().map(weight).sum();
        if together > step::MAX_VARIABLES {
            let what =
                format!("their values take {together} bytes together, at most {} are allowed", step::MAX_VARIABLES);
            self.say("/variables", what, "take shorter ones");
        }
        for (name, value) in &document.variables {
            let place = format!("/variables/{}", part(name));
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
                && name.len() <= 64;
            if !is_name {
                self.say(&place, format!("{name:?} is no name"), "use letters, digits and _, a letter first");
            }
            if weight(value) > 4_096 {
                self.say(&place, "its value is larger than 4 KiB", "take a shorter one");
            }
        }
    }

    fn leads_to(&mut self, document: &Document, place: &str, to: &str) {
        self.is_among("node", place, to, document.nodes.keys().map(String::as_str));
    }

    fn is_among<'n>(&mut self, what: &str, place: &str, name: &str, known: impl Iterator<Item = &'n str> + Clone) {
        if known.clone().any(|other| other == name) {
            return;
        }
        let instead = match nearest(name, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("name a {what} that there is"),
        };
        self.say(place, format!("there is no {what} {name:?}"), instead);
    }

    fn is_known(&mut self, what: &str, place: &str, name: &str) {
        let known = match what {
            "skill" => &self.known.skills,
            "agent" => &self.known.agents,
            _ => &self.known.flows,
        };
        if let Some(known) = known {
            self.is_among(what, place, name, known.iter().map(String::as_str));
        }
    }

    fn within(&mut self, place: String, value: i64, range: std::ops::RangeInclusive<i64>) {
        if !range.contains(&value) {
            let what = format!("{value} is out of range");
            self.say(place, what, format!("write {} to {}", range.start(), range.end()));
        }
    }

    fn condition(&mut self, document: &Document, place: String, source: &str) {
        if self.conditions.len() >= MAX_CONDITIONS {
            let what = format!("there are more than {MAX_CONDITIONS} conditions");
            return self.say("/nodes", what, "take several flows, and hand over by transfer_flow");
        }
        match self.language.compile(source) {
            Ok((condition, names)) => {
                self.names(document, &place, &names);
                self.conditions.insert(place, condition);
            }
            Err(what) => self.say(place, what, "docs/flows.md tells what a condition may hold"),
        }
    }

    fn text(&mut self, document: &Document, place: &str, source: &str) {
        match self.texts.add(place, source) {
            Ok(names) => self.names(document, place, &names),
            Err(what) => self.say(place, what, "docs/flows.md tells what a text may hold"),
        }
    }

    fn names(&mut self, document: &Document, place: &str, names: &[Name]) {
        for (root, field) in names {
            let Some(fields) = values::fields(root) else {
                self.is_among("value", place, root, values::ROOTS.iter().map(|root| root.0));
                continue;
            };
            let Some(field) = field else { continue };
            match root.as_str() {
                "vars" => self.is_among("variable", place, field, document.variables.keys().map(String::as_str)),
                "hours" => self.is_among("calendar", place, field, document.calendars.keys().map(String::as_str)),
                "queue" => {
                    self.is_known("skill", place, field);
                    self.queues.insert(field.clone());
                }
                root => self.is_among(&format!("field of {root}"), place, field, fields.iter().copied()),
            }
        }
    }

    fn graph(&mut self, document: &Document) {
        let reached = graph::reached(document, [document.start.as_str()]);
        for name in document.nodes.keys().filter(|name| !reached.contains(name.as_str())) {
            let place = format!("/nodes/{}", part(name));
            self.say(place, "no way leads to this node from the start", "lead an exit to it, or take it out");
        }
        for circle in graph::circles(document) {
            let what = format!("it goes round without waiting: {}", circle.join(" → "));
            self.say(format!("/nodes/{}", part(circle[0])), what, "put an ask or a wait into the circle");
        }
        for name in graph::reached_while_queued(document) {
            if let Some(Node::Ask(_)) = document.nodes.get(name) {
                let what = "it is reached while the contact is queued, when a reply is for the agent";
                self.say(format!("/nodes/{}", part(name)), what, "ask before you request an agent");
            }
        }
    }
}

mod nodes;
#[cfg(test)]
mod tests;
