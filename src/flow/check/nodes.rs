//! What is wrong within single nodes: texts, conditions, ranges, names.

use super::{Check, Document, part};
use crate::flow::document::{Node, RequestAgent, Webhook};

impl Check<'_> {
    pub(super) fn node(&mut self, document: &Document, place: &str, node: &Node) {
        match node {
            Node::Send(node) => self.text(document, &format!("{place}/text"), &node.text),
            Node::Ask(node) => {
                self.text(document, &format!("{place}/text"), &node.text);
                if let Some(text) = &node.retry_text {
                    self.text(document, &format!("{place}/retry_text"), text);
                }
                self.stores(document, place, node.store.as_deref());
                self.within(format!("{place}/timeout_s"), node.timeout_s.into(), 5..=86_400);
                self.within(format!("{place}/retries"), node.retries.into(), 0..=5);
                for (nth, branch) in node.branches.iter().enumerate() {
                    let place = format!("{place}/branches/{nth}");
                    match &branch.when {
                        Some(when) => self.condition(document, format!("{place}/when"), when),
                        None if branch.keywords.is_empty() => {
                            self.say(
                                place,
                                "it has neither keywords nor a condition",
                                "write one of them, or take it out",
                            );
                        }
                        None => {}
                    }
                }
            }
            Node::Hours(node) => {
                let calendars = document.calendars.keys().map(String::as_str);
                self.is_among("calendar", &format!("{place}/calendar"), &node.calendar, calendars);
            }
            Node::Branch(node) => {
                for (nth, case) in node.branches.iter().enumerate() {
                    self.condition(document, format!("{place}/branches/{nth}/when"), &case.when);
                }
            }
            Node::Set(node) => {
                for (name, source) in &node.set {
                    let place = format!("{place}/set/{}", part(name));
                    self.is_among("variable", &place, name, document.variables.keys().map(String::as_str));
                    self.condition(document, place, source);
                }
            }
            Node::RequestAgent(node) => self.request_agent(place, node),
            Node::Wait(node) => self.within(format!("{place}/seconds"), node.seconds.into(), 1..=86_400),
            Node::TransferFlow(node) => self.is_known("flow", &format!("{place}/flow"), &node.flow),
            Node::Webhook(node) => self.webhook(document, place, node),
            Node::End(_) => {}
        }
    }

    fn stores(&mut self, document: &Document, place: &str, store: Option<&str>) {
        if let Some(name) = store {
            self.is_among("variable", &format!("{place}/store"), name, document.variables.keys().map(String::as_str));
        }
    }

    fn request_agent(&mut self, place: &str, node: &RequestAgent) {
        self.is_known("skill", &format!("{place}/skill"), &node.skill);
        if let Some(priority) = node.priority {
            self.within(format!("{place}/priority"), priority.into(), -1_000..=1_000);
        }
        if let Some(range) = node.proficiency {
            self.within(format!("{place}/proficiency/best"), range.best.into(), 1..=20);
            self.within(format!("{place}/proficiency/worst"), range.worst.into(), i64::from(range.best)..=20);
        }
        if let Some(prefer) = node.prefer.as_deref().filter(|prefer| *prefer != "last_agent") {
            self.is_known("agent", &format!("{place}/prefer"), prefer);
        }
        if let Some(hold) = node.hold_s {
            self.within(format!("{place}/hold_s"), hold.into(), 1..=600);
            if node.prefer.is_none() {
                self.say(
                    format!("{place}/hold_s"),
                    "there is nobody to hold it for",
                    "write prefer, too, or take it out",
                );
            }
        }
        let mut before = 0;
        for (nth, waited) in node.waited.iter().enumerate() {
            self.within(format!("{place}/waited/{nth}/seconds"), waited.seconds.into(), before + 1..=86_400);
            before = waited.seconds.into();
        }
        if let Some(longer) = &node.queue_longer_than {
            self.within(format!("{place}/queue_longer_than/contacts"), longer.contacts, 0..=1_000_000);
        }
    }

    fn webhook(&mut self, document: &Document, place: &str, node: &Webhook) {
        self.stores(document, place, node.store.as_deref());
        self.within(format!("{place}/timeout_ms"), node.timeout_ms.into(), 100..=10_000);
        for (name, source) in &node.body {
            if name.is_empty() || name.len() > 64 || name.contains(['/', '~']) {
                self.say(
                    format!("{place}/body/{}", part(name)),
                    format!("{name:?} is no name"),
                    "use at most 64 signs, without / and ~",
                );
            }
            self.condition(document, format!("{place}/body/{}", part(name)), source);
        }
        let fine = reqwest::Url::parse(&node.url).is_ok_and(|url| {
            ["http", "https"].contains(&url.scheme())
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        });
        if !fine || node.url.len() > 2_000 {
            let instead = "write https://host/path, without a name and a password";
            self.say(format!("{place}/url"), "it is no address of the web", instead);
        }
    }
}
