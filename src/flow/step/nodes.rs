//! What each kind of node does when a run reaches it, and what becomes of replies, waits and answers at it.

use jiff::{SignedDuration, Timestamp};

use super::{
    Ask, CALL_GRACE_S, Call, Effect, Event, Map, Node, Phase, Request, RequestAgent, Stepping, Value, Webhook,
};
use crate::flow::condition::weight;
use crate::flow::values;

impl Stepping<'_> {
    /// One node.
    pub(super) fn enter(&mut self) {
        let Some(node) = self.node() else {
            self.run.note("no_such_node");
            return self.give_up();
        };
        match node {
            Node::Send(send) => {
                self.say("/text", "");
                self.run.go(&send.next);
            }
            // another flow handed a contact over that is queued already: whatever it writes now is for the agent
            Node::Ask(ask) if self.looks.is_queued || self.has_queued() => {
                self.run.note("asked_while_queued");
                self.run.go(&ask.timed_out);
            }
            Node::Ask(ask) => {
                self.say("/text", "");
                self.run.phase = Phase::Asking;
                self.run.due_at = Some(self.after(ask.timeout_s.into()));
            }
            Node::Hours(hours) => {
                let calendar = self.flow().and_then(|flow| flow.hours.get(&hours.calendar));
                let is_open = calendar.is_some_and(|hours| hours.is_open(self.looks.now, &self.looks.zone));
                self.run.go(if is_open { &hours.open } else { &hours.closed });
            }
            Node::Branch(branch) => {
                let places = (0..branch.branches.len()).map(|nth| self.place(&format!("/branches/{nth}/when")));
                let held = self.first(places).and_then(|nth| branch.branches.get(nth));
                self.run.go(held.map_or(&branch.otherwise, |case| &case.next));
            }
            Node::Set(set) => {
                let values = self.values();
                let value = |name: &String| self.evaluate(&self.place(&format!("/set/{name}")), &values);
                let found: Vec<(&String, Result<Value, &str>)> =
                    set.set.keys().map(|name| (name, value(name))).collect();
                for (name, value) in found {
                    match value {
                        Ok(value) => drop(self.keep(name, value)),
                        Err(word) => self.run.note(word),
                    }
                }
                self.run.go(&set.next);
            }
            Node::RequestAgent(request) => self.request_agent(request),
            Node::Wait(wait) => {
                self.run.phase = Phase::Waiting;
                self.run.due_at = Some(self.after(wait.seconds.into()));
            }
            Node::TransferFlow(transfer) => self.transfer(&transfer.flow),
            Node::Webhook(webhook) => self.call(webhook),
            Node::End(end) => {
                self.effects.push(Effect::End(end.outcome));
                self.run.phase = Phase::Over;
                self.run.due_at = None;
            }
        }
    }

    /// The newest version of another flow, from its start; variables of the same name keep their values.
    fn transfer(&mut self, to: &str) {
        let Some((version, flow)) = self.flows.get(to) else {
            self.run.note("no_such_flow");
            return self.give_up();
        };
        let mut variables: Map<String, Value> = flow.document.variables.clone().into_iter().collect();
        for (name, value) in &mut variables {
            if let Some(kept) = self.run.variables.get(name) {
                *value = kept.clone();
            }
        }
        to.clone_into(&mut self.run.flow);
        self.run.version = *version;
        self.run.variables = variables;
        self.run.go(&flow.document.start);
    }

    pub(super) fn reply(&mut self, ask: &Ask) {
        if let Some(name) = &ask.store {
            self.keep(name, Value::String(self.run.text.clone()));
        }
        let word = values::word(&self.run.text);
        let values = self.values();
        let fits = (0..ask.branches.len()).find(|nth| {
            let branch = &ask.branches[*nth];
            let place = self.place(&format!("/branches/{nth}/when"));
            branch.keywords.iter().any(|keyword| values::word(keyword) == word)
                || branch.when.is_some() && self.evaluate(&place, &values) == Ok(Value::Bool(true))
        });
        if let Some(nth) = fits {
            // somebody understood: the brake is released
            self.run.in_a_row = 0;
            self.run.go(&ask.branches[nth].next);
        } else if ask.branches.is_empty() || self.run.tries >= ask.retries {
            self.run.go(&ask.otherwise);
        } else {
            self.run.tries += 1;
            let place = if ask.retry_text.is_some() { "/retry_text" } else { "/text" };
            let rule = format!("#{}", self.run.tries);
            self.say(place, &rule);
            self.run.due_at = Some(self.after(ask.timeout_s.into()));
        }
    }

    fn request_agent(&mut self, node: &RequestAgent) {
        let queue = self.looks.queues.get(&node.skill).copied().unwrap_or_default();
        if let Some(next) = node.nobody_logged_in.as_ref().filter(|_| queue.logged_in == 0) {
            return self.run.go(next);
        }
        if let Some(longer) = node.queue_longer_than.as_ref().filter(|longer| queue.length > longer.contacts) {
            return self.run.go(&longer.next);
        }
        let prefer = match node.prefer.as_deref() {
            Some("last_agent") => self.looks.customer.get("last_agent").and_then(Value::as_str).map(str::to_owned),
            prefer => prefer.map(str::to_owned),
        };
        let here = format!("{}/{}", self.run.flow, self.run.node);
        if self.run.requested != here || self.run.since.is_none() {
            self.run.requested = here;
            self.run.since = Some(self.looks.now);
            self.run.waited = 0;
        }
        // coming back, the hold is the first one's: it does not begin anew
        let hold_until = prefer.as_ref().and(node.hold_s).zip(self.run.since).map(|(hold, since)| later(since, hold));
        self.effects.push(Effect::Queue(Request {
            skill: Some(node.skill.clone()),
            priority: node.priority,
            proficiency: node.proficiency,
            prefer,
            hold_until,
        }));
        self.wait_on(node);
    }

    /// Until the next exit by time; where there is none, the flow has done its part.
    fn wait_on(&mut self, node: &RequestAgent) {
        let due = node.waited.get(self.run.waited).zip(self.run.since).map(|(exit, since)| later(since, exit.seconds));
        self.run.phase = if due.is_some() { Phase::Queued } else { Phase::Over };
        self.run.due_at = due;
    }

    /// An exit by time; each is taken once.
    pub(super) fn waited(&mut self, node: &RequestAgent) {
        let Some(exit) = node.waited.get(self.run.waited) else { return self.wait_on(node) };
        self.run.waited += 1;
        self.run.go(&exit.next);
    }

    fn call(&mut self, webhook: &Webhook) {
        let (mut body, values) = (Map::new(), self.values());
        for name in webhook.body.keys() {
            match self.evaluate(&self.place(&format!("/body/{name}")), &values) {
                Ok(value) => drop(body.insert(name.clone(), value)),
                Err(word) => self.run.note(word),
            }
        }
        self.run.call += 1;
        self.effects.push(Effect::Call(Call {
            number: self.run.call,
            url: webhook.url.clone(),
            method: webhook.method,
            body,
            timeout_ms: webhook.timeout_ms,
        }));
        self.run.phase = Phase::Calling;
        self.run.due_at = Some(self.after(i64::from(webhook.timeout_ms / 1_000) + CALL_GRACE_S));
    }

    pub(super) fn answered(&mut self, webhook: &Webhook, answer: Result<Value, String>) {
        let next = match answer {
            Ok(value) if weight(&value) > 4_096 => {
                self.run.note("answer_too_large");
                &webhook.failed
            }
            Ok(value) => match &webhook.store {
                Some(name) if !self.keep(name, value) => &webhook.failed,
                _ => &webhook.next,
            },
            Err(word) => {
                self.run.note(&word);
                &webhook.failed
            }
        };
        self.run.go(next);
    }
}

fn later(since: Timestamp, seconds: u32) -> Timestamp {
    since.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
}

impl Event {
    /// The customer's words in it.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Began(text) | Self::Texted(text) => Some(text),
            Self::Due | Self::Answered(..) => None,
        }
    }
}
