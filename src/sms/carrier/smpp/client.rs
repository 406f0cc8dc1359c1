//! Sends a text by its connection's binds: its parts, each under its own id, and what their answers come to for the whole.
//! The first part goes alone, so that a refused text leaves nothing behind; what is refused for now while other parts were
//! taken is tried again within the call.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rusmpp_core::pdus::owned::SubmitSm;

use super::super::kind::Settings;
use super::super::{Carrier, Outgoing, Sent, Surroundings};
use super::binds::{Group, NoBind, Registry};
use super::plan::Plan;
use super::session::Answer;
use super::status::{self, Meaning};
use super::text::{self, References};
use crate::facts::said::SubmittedPart;
use crate::retry::Waits;

/// How often a part is tried whose siblings were taken.
const TRIES: usize = 6;

/// One connection; clones share its binds.
#[derive(Clone, Debug)]
pub struct Client {
    plan: Arc<Plan>,
    registry: Registry,
    references: Arc<References>,
}

/// What became of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
enum One {
    Taken(String),
    NotNow(String),
    TooFast(String),
    Account(String),
    Refused(String),
    Unanswered(&'static str),
}

impl Client {
    /// A client by its settings; it binds when it is used first.
    ///
    /// # Errors
    /// A sentence: what is missing or not possible.
    pub fn new(url: Option<&str>, settings: &Settings, around: &Surroundings) -> Result<Self, String> {
        let plan = Arc::new(Plan::new(url, settings)?);
        Ok(Self { plan, registry: around.smpp.clone(), references: Arc::default() })
    }

    /// Has the binds made for both ways.
    pub fn receive_too(&self) {
        self.registry.group(&self.plan, true);
    }

    /// Submissions under way on all binds.
    #[must_use]
    pub fn window(&self) -> usize {
        self.plan.window * self.plan.binds
    }

    async fn one(&self, group: &Group, turn: usize, part: SubmitSm) -> One {
        let one = match group.ask(turn, part.into()).await {
            Ok(Answer::Status(code, id)) => match (status::meaning(code), id) {
                (Meaning::Taken, Some(id)) => One::Taken(id),
                (Meaning::Taken, None) => One::Unanswered("answer_unreadable"),
                (Meaning::TooFast, _) => One::TooFast(status::word(code)),
                (Meaning::NotNow, _) => One::NotNow(status::word(code)),
                (Meaning::Account, _) => One::Account(status::word(code)),
                (Meaning::Refused, _) => One::Refused(status::word(code)),
            },
            Ok(Answer::NotWritten) => One::NotNow("no_bind".to_owned()),
            Ok(Answer::Lost(why)) => One::Unanswered(why),
            Err(NoBind::Down(why)) => One::NotNow(why),
            Err(NoBind::Refused(code)) => One::Account(code),
        };
        let outcome = match &one {
            One::Taken(_) => "taken",
            One::TooFast(_) => "throttled",
            One::NotNow(_) => "not_now",
            One::Account(_) => "account",
            One::Refused(_) => "refused",
            One::Unanswered(_) => "unanswered",
        };
        let carrier = self.plan.carrier.to_string();
        metrics::counter!("texthub_smpp_submits_total", "carrier" => carrier, "outcome" => outcome).increment(1);
        one
    }
}

impl Carrier for Client {
    const TAKES_OUR_ID: bool = false;

    async fn send(&self, text: &Outgoing) -> Sent {
        let parts = match text::submissions(&self.plan, &self.references, text) {
            Ok(parts) => parts,
            Err(why) => return Sent::Refused(why.to_owned()),
        };
        let group = self.registry.group(&self.plan, false);
        let turn = group.turn();
        let Some((first, rest)) = parts.split_first() else { return Sent::Refused("empty".to_owned()) };
        let mut done = vec![self.one(&group, turn, first.clone()).await];
        if matches!(done[0], One::Unanswered(_)) {
            // the others have not left, and never will
            done.extend(rest.iter().map(|_| One::NotNow("not_sent".to_owned())));
        }
        if !matches!(done[0], One::Taken(_)) || rest.is_empty() {
            return whole(&done);
        }
        done.extend(join_all(rest.iter().map(|part| self.one(&group, turn, part.clone()))).await);
        let mut waits = Waits::new(Duration::from_millis(500), Duration::from_secs(4));
        for _ in 1..TRIES {
            let waiting: Vec<usize> =
                (0..done.len()).filter(|at| matches!(done[*at], One::NotNow(_) | One::TooFast(_))).collect();
            if waiting.is_empty() {
                break;
            }
            waits.next().await;
            let again = join_all(waiting.iter().map(|at| self.one(&group, turn, parts[*at].clone()))).await;
            for (at, one) in waiting.into_iter().zip(again) {
                done[at] = one;
            }
        }
        whole(&done)
    }
}

/// What the parts' answers come to.
fn whole(parts: &[One]) -> Sent {
    let numbered = || (1..).zip(parts);
    let taken: Vec<SubmittedPart> = numbered()
        .filter_map(|(part, one)| match one {
            One::Taken(id) => Some(SubmittedPart { part, carrier_sms_id: id.clone() }),
            _ => None,
        })
        .collect();
    if taken.len() == parts.len() {
        return Sent::Accepted(taken);
    }
    if let [one] = parts {
        return match one.clone() {
            One::NotNow(why) => Sent::NotNow(None, why),
            One::TooFast(why) => Sent::TooFast(None, why),
            One::Account(code) => Sent::Account(code),
            One::Refused(code) => Sent::Refused(code),
            One::Taken(_) => Sent::Accepted(taken),
            One::Unanswered(why) => Sent::Unanswered(why.to_owned()),
        };
    }
    let without_id = numbered()
        .filter(|(_, one)| !matches!(one, One::Taken(_)))
        .map(|(part, _)| SubmittedPart { part, carrier_sms_id: String::new() });
    let why = parts.iter().find_map(|one| match one {
        One::Taken(_) => None,
        One::Unanswered(why) => Some((*why).to_owned()),
        One::NotNow(why) | One::TooFast(why) | One::Account(why) | One::Refused(why) => Some(why.clone()),
    });
    let mut all: Vec<SubmittedPart> = taken.iter().cloned().chain(without_id).collect();
    all.sort_by_key(|part| part.part);
    Sent::Partly(all, why.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(id: &str) -> One {
        One::Taken(id.to_owned())
    }

    #[test]
    fn the_whole_is_what_its_parts_are() {
        let part = |part, id: &str| SubmittedPart { part, carrier_sms_id: id.to_owned() };
        assert_eq!(whole(&[taken("a"), taken("b")]), Sent::Accepted(vec![part(1, "a"), part(2, "b")]));
        assert_eq!(whole(&[One::NotNow("w".into())]), Sent::NotNow(None, "w".into()));
        assert_eq!(whole(&[One::TooFast("w".into())]), Sent::TooFast(None, "w".into()));
        assert_eq!(whole(&[One::Account("w".into())]), Sent::Account("w".into()));
        assert_eq!(whole(&[One::Refused("w".into())]), Sent::Refused("w".into()));
        assert_eq!(whole(&[One::Unanswered("w")]), Sent::Unanswered("w".into()));
        for (other, why) in
            [(One::Unanswered("w"), "w"), (One::NotNow("n".into()), "n"), (One::Refused("r".into()), "r")]
        {
            let partly = Sent::Partly(vec![part(1, "a"), part(2, ""), part(3, "c")], why.into());
            assert_eq!(whole(&[taken("a"), other, taken("c")]), partly);
        }
    }
}
