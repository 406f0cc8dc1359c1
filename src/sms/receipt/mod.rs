//! What carriers report about parts, and what that makes of whole texts. The fold is pure and goes message by message,
//! so that a batch comes to the same as its messages one by one: a receipt finds the parts known by then, or is kept
//! and joined when the submission comes. Statements load and store around it.

pub mod rows;
pub mod spelling;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use crate::facts::ids::{FactId, Slug, SmsId};
use crate::facts::said::{SmsStatus, SubmittedPart};
use crate::sms::sending::Sms;
use crate::sms::status;

use spelling::Rule;

/// A receipt as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its fact.
    pub id: FactId,
    /// Which connection reported it.
    pub carrier: Slug,
    /// About which id.
    pub carrier_sms_id: String,
    /// The carrier's word.
    pub status: SmsStatus,
    /// The carrier's code.
    pub error: Option<String>,
    /// Which part, where the carrier says so.
    pub part: Option<i32>,
    /// How its id may differ from the part's, in this order.
    pub id_rules: Vec<Rule>,
    /// The text's two ends, ours first, where the carrier says so.
    pub ends: Option<Ends>,
    /// When the carrier reported it.
    pub reported_at: Timestamp,
    /// Which text it is about, once known.
    pub sms_id: Option<SmsId>,
}

/// Our number and the customer's.
pub type Ends = (String, String);

/// A part under its carrier's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The carrier's id; empty where nobody knows it.
    pub carrier_sms_id: String,
    /// Where it is.
    pub status: SmsStatus,
    /// The carrier's code, where it failed.
    pub error: Option<String>,
}

/// One text with its parts.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its row.
    pub sms: Sms,
    /// By number, from 1.
    pub parts: BTreeMap<i32, Part>,
}

/// Texts, parts and receipts of a batch, as they are and as they become.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Texts by id.
    pub texts: HashMap<SmsId, Text>,
    /// Receipts in the order of their coming: those that waited, then the batch's.
    pub receipts: Vec<Receipt>,
    /// Ends between which a text is under way right now.
    pub busy: HashSet<(Slug, Ends)>,
    /// Texts that changed in any way.
    pub changed: HashSet<SmsId>,
}

impl Text {
    /// Its state is unknown, and so is the id of a part.
    fn lacks_an_id(&self, carrier: &Slug, ends: &Ends) -> bool {
        let sms = &self.sms;
        sms.state == SmsStatus::Unknown
            && (&sms.carrier, &sms.our_number, &sms.customer_number) == (carrier, &ends.0, &ends.1)
            && (self.parts.is_empty() || self.parts.values().any(|part| part.carrier_sms_id.is_empty()))
    }
}

impl Ledger {
    /// What `send_sms` found out about a text, with the parts that the carrier took. Whether the text's state is news:
    /// it moved just now, or it is the one that was told.
    pub fn answered(&mut self, id: SmsId, parts: &[SubmittedPart], told: SmsStatus) -> bool {
        let Some(text) = self.texts.get_mut(&id) else { return false };
        let before = text.sms.state;
        for part in parts {
            text.parts.entry(part.part).or_insert_with(|| {
                self.changed.insert(id);
                Part { carrier_sms_id: part.carrier_sms_id.clone(), status: SmsStatus::Submitted, error: None }
            });
        }
        text.sms.state = before.forward(told);
        if text.sms.state != before {
            self.changed.insert(id);
        }
        for at in 0..self.receipts.len() {
            if self.receipts[at].sms_id.is_none() && self.join(at, Some(id)).is_none() && self.adopt(at, Some(id)) {
                self.join(at, Some(id));
            }
        }
        self.texts.get(&id).is_some_and(|text| text.sms.state != before || text.sms.state == told)
    }

    /// A receipt came. The text whose state it moved, where it did.
    pub fn reported(&mut self, receipt: Receipt) -> Option<SmsId> {
        self.receipts.push(receipt);
        let at = self.receipts.len() - 1;
        let moved = self.join(at, None);
        if self.receipts[at].sms_id.is_none() && self.adopt(at, None) { self.join(at, None) } else { moved }
    }

    /// The answer to a text was lost, and with it the id: a receipt of an id that nobody knows is about the one unknown
    /// text between its two numbers, where there is exactly one and none is under way. Whether it was given the id.
    fn adopt(&mut self, at: usize, only: Option<SmsId>) -> bool {
        let receipt = &self.receipts[at];
        let Some(ends) = &receipt.ends else { return false };
        if receipt.sms_id.is_some() || self.busy.contains(&(receipt.carrier.clone(), ends.clone())) {
            return false;
        }
        let mut unknown = self.texts.values_mut().filter(|text| text.lacks_an_id(&receipt.carrier, ends));
        let (Some(text), None) = (unknown.next(), unknown.next()) else { return false };
        if only.is_some_and(|id| id != text.sms.id) {
            return false;
        }
        let number =
            text.parts.iter().find(|(_, part)| part.carrier_sms_id.is_empty()).map_or(1, |(number, _)| *number);
        let part = Part { carrier_sms_id: receipt.carrier_sms_id.clone(), status: SmsStatus::Submitted, error: None };
        text.parts.insert(number, part);
        self.changed.insert(text.sms.id);
        true
    }

    /// Joins a receipt to its parts, if they are known (and of this text, where one is given); the text it moved.
    fn join(&mut self, at: usize, only: Option<SmsId>) -> Option<SmsId> {
        let receipt = &mut self.receipts[at];
        let (rules, reported) = (&receipt.id_rules, &receipt.carrier_sms_id);
        let rank = |part: &Part| spelling::rank(rules, &part.carrier_sms_id, reported);
        // the first rule wins, then the newest text: small carriers restart their counters
        let (best, text) = self
            .texts
            .values_mut()
            .filter(|text| only.is_none_or(|id| id == text.sms.id) && text.sms.carrier == receipt.carrier)
            .filter_map(|text| text.parts.values().filter_map(rank).min().map(|best| (best, text)))
            .max_by_key(|(best, text)| (Reverse(*best), text.sms.claimed_at, text.sms.id))?;
        receipt.sms_id = Some(text.sms.id);
        let id = text.sms.id;
        let of_number = receipt.part.and_then(|number| text.parts.get(&number));
        let named = of_number.is_some_and(|part| rank(part) == Some(best));
        for (number, part) in &mut text.parts {
            // one id for all parts is told apart by the number, where the carrier gives one
            if rank(part) != Some(best) || named && receipt.part != Some(*number) {
                continue;
            }
            let forward = part.status.forward(receipt.status);
            if forward != part.status {
                part.status = forward;
                part.error.clone_from(&receipt.error);
                self.changed.insert(id);
            }
        }
        let all = status::fold(text.parts.values().map(|part| part.status))?;
        let forward = text.sms.state.forward(all);
        if forward == text.sms.state {
            return None;
        }
        self.changed.insert(id);
        text.sms.state = forward;
        text.sms.reason = text.parts.values().find(|part| part.status == forward).and_then(|part| part.error.clone());
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use SmsStatus::{Delivered, Failed, Held, Sending, Submitted, Undelivered, Unknown};
    use uuid::Uuid;

    use super::*;
    use crate::facts::ids::{EntryId, RoomId};

    fn carrier() -> Slug {
        Slug::new("mobile").unwrap()
    }

    fn id(nr: u128) -> SmsId {
        SmsId(Uuid::from_u128(nr))
    }

    fn ledger(texts: &[(u128, SmsStatus)]) -> Ledger {
        let text = |nr: u128, state| Text {
            sms: Sms {
                id: id(nr),
                tenant: Slug::new("bears").unwrap(),
                room_id: RoomId(Uuid::from_u128(9)),
                entry_id: EntryId(Uuid::from_u128(nr)),
                seq: 1,
                our_number: "+15550100001".to_owned(),
                our_country: String::new(),
                customer_number: "+15550100100".to_owned(),
                carrier: carrier(),
                state,
                reason: None,
                is_confirmation: false,
                claimed_at: Timestamp::from_second(i64::try_from(nr).unwrap()).ok(),
                tries_since: None,
                held_by: None,
                is_bulk: false,
                not_before: None,
                submitted_at: None,
                final_at: None,
            },
            parts: BTreeMap::new(),
        };
        Ledger { texts: texts.iter().map(|(nr, state)| (id(*nr), text(*nr, *state))).collect(), ..Ledger::default() }
    }

    fn parts(ids: &[&str]) -> Vec<SubmittedPart> {
        (1..).zip(ids).map(|(part, id)| SubmittedPart { part, carrier_sms_id: (*id).to_owned() }).collect()
    }

    fn receipt(nr: u128, carrier_sms_id: &str, status: SmsStatus) -> Receipt {
        Receipt {
            id: FactId(Uuid::from_u128(nr)),
            carrier: carrier(),
            carrier_sms_id: carrier_sms_id.to_owned(),
            status,
            error: (status == Failed).then(|| "e1".to_owned()),
            part: None,
            id_rules: vec![Rule::Exact],
            ends: None,
            reported_at: Timestamp::UNIX_EPOCH,
            sms_id: None,
        }
    }

    fn state(ledger: &Ledger, nr: u128) -> SmsStatus {
        ledger.texts[&id(nr)].sms.state
    }

    #[test]
    fn a_text_is_delivered_once_all_its_parts_are_and_a_failed_part_is_never_painted_over() {
        let mut all = ledger(&[(1, Submitted), (2, Submitted)]);
        assert!(all.answered(id(1), &parts(&["a", "b"]), Submitted), "what was just answered is news");
        assert_eq!(all.reported(receipt(1, "a", Delivered)), None);
        assert_eq!(all.reported(receipt(2, "b", Delivered)), Some(id(1)));
        all.answered(id(2), &parts(&["c", "d"]), Submitted);
        assert_eq!(all.reported(receipt(3, "c", Failed)), Some(id(2)));
        assert_eq!(all.reported(receipt(4, "d", Delivered)), None);
        assert_eq!((state(&all, 1), state(&all, 2)), (Delivered, Failed));
        assert_eq!(all.texts[&id(2)].sms.reason.as_deref(), Some("e1"));
    }

    #[test]
    fn a_receipt_that_comes_first_is_kept_and_joined_by_the_submission() {
        let mut all = ledger(&[(1, Sending)]);
        assert_eq!(all.reported(receipt(1, "a", Delivered)), None);
        assert_eq!(all.receipts[0].sms_id, None);
        assert!(all.answered(id(1), &parts(&["a"]), Submitted));
        assert_eq!((state(&all, 1), all.receipts[0].sms_id), (Delivered, Some(id(1))));
    }

    #[test]
    fn repeated_reordered_and_foreign_receipts_move_nothing() {
        let mut all = ledger(&[(1, Submitted)]);
        all.answered(id(1), &parts(&["a"]), Submitted);
        assert_eq!(all.reported(receipt(1, "a", Undelivered)), Some(id(1)));
        for late in [Undelivered, Submitted, Delivered, Failed] {
            assert_eq!(all.reported(receipt(2, "a", late)), None);
        }
        assert_eq!(all.reported(receipt(3, "stranger", Delivered)), None);
        assert_eq!(state(&all, 1), Undelivered);
    }

    #[test]
    fn an_unknown_text_gives_way_and_a_late_unanswered_does_not_push_back() {
        let mut all = ledger(&[(1, Unknown), (2, Delivered), (3, Held)]);
        assert!(all.answered(id(1), &[], Unknown));
        assert!(all.answered(id(1), &parts(&["a"]), Submitted));
        assert_eq!(state(&all, 1), Submitted);
        assert!(!all.answered(id(2), &[], Unknown));
        assert_eq!(state(&all, 2), Delivered);
        assert!(all.answered(id(3), &[], Held));
        assert!(!all.answered(id(2), &[], Held), "it has left meanwhile");
        assert!(!all.answered(id(4), &[], Submitted), "nobody knows it");
    }

    #[test]
    fn under_a_restarted_counter_the_newest_text_wins() {
        let mut all = ledger(&[(1, Submitted), (2, Submitted)]);
        all.answered(id(1), &parts(&["7"]), Submitted);
        all.answered(id(2), &parts(&["7"]), Submitted);
        assert_eq!(all.reported(receipt(1, "7", Delivered)), Some(id(2)));
        assert_eq!(state(&all, 1), Submitted);
    }

    #[test]
    fn another_spelling_finds_its_text_before_and_after_and_an_exact_one_goes_before() {
        let spelled =
            |nr, id: &str| Receipt { id_rules: spelling::rules(spelling::WORDS), ..receipt(nr, id, Delivered) };
        let mut all = ledger(&[(1, Submitted), (2, Submitted), (3, Sending)]);
        all.answered(id(1), &parts(&["10"]), Submitted);
        all.answered(id(2), &parts(&["00A"]), Submitted);
        assert_eq!(all.reported(receipt(1, "a", Delivered)), None, "exact alone where nothing else is said");
        assert_eq!(all.reported(spelled(2, "10")), Some(id(1)), "not the newer 0xA");
        assert_eq!(all.reported(spelled(3, "a")), Some(id(2)));
        assert_eq!(all.reported(spelled(4, "439041101")), None);
        all.answered(id(3), &parts(&["1A2B3C4D"]), Submitted);
        assert_eq!((state(&all, 3), all.receipts.last().unwrap().sms_id), (Delivered, Some(id(3))));
    }

    #[test]
    fn a_part_of_which_nobody_knows_keeps_the_text_from_being_delivered() {
        let mut all = ledger(&[(1, Unknown)]);
        assert!(all.answered(id(1), &parts(&["a", ""]), Unknown));
        assert_eq!(all.reported(receipt(1, "a", Delivered)), Some(id(1)));
        assert_eq!(state(&all, 1), Submitted);
    }

    #[test]
    fn a_receipt_that_nobody_knows_is_about_the_one_unknown_text_between_its_numbers() {
        let between = |nr, id: &str, customer: &str| Receipt {
            ends: Some(("+15550100001".to_owned(), customer.to_owned())),
            ..receipt(nr, id, Delivered)
        };
        let mut all = ledger(&[(1, Unknown), (2, Submitted)]);
        all.answered(id(2), &parts(&["b"]), Submitted);
        assert_eq!(all.reported(receipt(1, "x", Delivered)), None, "between nobody knows whom");
        assert_eq!(all.reported(between(2, "x", "+15550100999")), None, "another customer");
        assert_eq!(all.reported(between(3, "b", "+15550100100")), Some(id(2)), "a known id goes before");
        assert_eq!(all.reported(between(4, "x", "+15550100100")), Some(id(1)));
        assert_eq!((state(&all, 1), all.texts[&id(1)].parts[&1].carrier_sms_id.as_str()), (Delivered, "x"));
        assert_eq!(all.reported(between(5, "y", "+15550100100")), None, "it has its id now");

        let mut two = ledger(&[(1, Unknown), (2, Unknown)]);
        assert_eq!(two.reported(between(1, "x", "+15550100100")), None, "nobody knows which");
        let mut busy = ledger(&[(1, Unknown)]);
        busy.busy.insert((carrier(), ("+15550100001".to_owned(), "+15550100100".to_owned())));
        assert_eq!(busy.reported(between(1, "x", "+15550100100")), None, "it may be about the one under way");

        let mut early = ledger(&[(1, Sending)]);
        assert_eq!(early.reported(between(1, "x", "+15550100100")), None);
        early.answered(id(1), &[], Unknown);
        assert_eq!(state(&early, 1), Delivered, "it came before it was known that the answer is lost");
        let mut long = ledger(&[(1, Unknown)]);
        long.answered(id(1), &parts(&["", ""]), Unknown);
        assert_eq!(long.reported(between(1, "x", "+15550100100")), Some(id(1)));
        assert_eq!(state(&long, 1), Submitted, "of the other part nobody knows");
    }

    #[test]
    fn one_id_for_all_parts_is_told_apart_by_the_number_where_there_is_one() {
        let mut all = ledger(&[(1, Submitted), (2, Submitted)]);
        all.answered(id(1), &parts(&["a", "a"]), Submitted);
        assert_eq!(all.reported(Receipt { part: Some(1), ..receipt(1, "a", Delivered) }), None);
        assert_eq!(all.reported(Receipt { part: Some(2), ..receipt(2, "a", Delivered) }), Some(id(1)));
        all.answered(id(2), &parts(&["b", "b"]), Submitted);
        assert_eq!(all.reported(receipt(3, "b", Delivered)), Some(id(2)), "without a number it is about all");
    }
}
