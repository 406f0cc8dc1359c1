//! Whose turn it is to be sent: a pure decision over the rows of a batch. A text waits for its predecessors in the room,
//! nothing leaves for somebody who opted out, and what may have left before is not sent again.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::quiet::HELD;
use super::sending::Sms;
use crate::facts::ids::{FactId, RoomId, SmsId};
use crate::facts::said::SmsStatus;

/// How long a text is tried before it waits as a row.
pub const TRIED_FOR: SignedDuration = SignedDuration::from_secs(60);
/// And how often at most, below the bound of every worker's later tries.
pub const MOST_TRIES: u32 = 15;
/// How long a call may take at most; a claim older than this was left by a process that is gone.
pub const CALL_LASTS: SignedDuration = SignedDuration::from_secs(60);

/// What a claim looks at, for one message.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its row.
    pub sms: &'a Sms,
    /// The message's id.
    pub id: FactId,
    /// Later tries before this one.
    pub attempt: u32,
    /// The broker delivered the message before.
    pub is_redelivered: bool,
    /// The customer is opted out.
    pub is_opted_out: bool,
    /// Nobody may text this number: the word why.
    pub unfit: Option<&'static str>,
    /// Quiet hours where its recipient is: until when.
    pub quiet: Option<Timestamp>,
    /// Its carrier is paused or unusable: the word why.
    pub paused: Option<&'static str>,
    /// The carrier takes our id, so that a repeat is harmless.
    pub takes_our_id: bool,
}

/// What a claim decides, for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Send,
    /// Later: the word why.
    Wait(&'static str),
    /// Not before then: held, why, and in nobody's way.
    Until(Timestamp, &'static str),
    /// It has waited long enough: as a row from now on.
    Hold(&'static str),
    /// Never: consent was withdrawn.
    OptedOut,
    /// Never: the number is none to be texted.
    Refuse(&'static str),
    /// It may have left before; nobody knows.
    Unanswered,
    /// It is further already: say what is known.
    Known,
}

/// Decides for each message, in the order of the batch. `unsent` are all unsent texts of the rooms concerned.
#[must_use]
pub fn decide(now: Timestamp, asked: &[Asked<'_>], unsent: &[(RoomId, i32, SmsId)]) -> Vec<Turn> {
    let mut rooms: HashMap<RoomId, Vec<(i32, SmsId)>> = HashMap::new();
    for (room, seq, id) in unsent {
        rooms.entry(*room).or_default().push((*seq, *id));
    }
    // in this batch, and no longer in the way of what follows
    let (mut settled, mut met) = (HashSet::new(), HashSet::new());
    let mut turns = Vec::with_capacity(asked.len());
    for message in asked {
        let sms = message.sms;
        let before = rooms.get(&sms.room_id).map_or(&[][..], Vec::as_slice);
        let is_next = before.iter().all(|(seq, id)| *seq >= sms.seq || settled.contains(id));
        let turn = if met.insert(sms.id) { decide_one(now, message, is_next) } else { Turn::Wait("sent_beside") };
        if matches!(turn, Turn::Send | Turn::OptedOut | Turn::Refuse(_) | Turn::Until(..) | Turn::Unanswered) {
            settled.insert(sms.id);
        }
        turns.push(turn);
    }
    turns
}

fn decide_one(now: Timestamp, asked: &Asked<'_>, is_next: bool) -> Turn {
    let sms = asked.sms;
    match sms.state {
        SmsStatus::Requested => {}
        // requested anew; the one under which it was held is a repeat
        SmsStatus::Held if sms.held_by != Some(asked.id) => {}
        SmsStatus::Sending => {
            let is_left = sms.claimed_at.is_none_or(|at| now.duration_since(at) > CALL_LASTS);
            return match (asked.is_redelivered || is_left, asked.takes_our_id) {
                (true, true) => Turn::Send,
                (true, false) => Turn::Unanswered,
                (false, _) => Turn::Wait("being_sent"),
            };
        }
        _ => return Turn::Known,
    }
    if asked.is_opted_out && !sms.is_confirmation {
        return Turn::OptedOut;
    }
    if let Some(word) = asked.unfit {
        return Turn::Refuse(word);
    }
    if let Some(until) = asked.quiet {
        return Turn::Until(until, HELD);
    }
    let why = match (is_next, asked.paused) {
        (true, None) => return Turn::Send,
        (_, Some(why)) => why,
        (false, None) => "predecessor",
    };
    if is_over(now, sms, asked.attempt) { Turn::Hold(why) } else { Turn::Wait(why) }
}

/// Whether a text was tried long enough to wait as a row.
#[must_use]
pub fn is_over(now: Timestamp, sms: &Sms, attempt: u32) -> bool {
    attempt >= MOST_TRIES || sms.tries_since.is_some_and(|since| now.duration_since(since) >= TRIED_FOR)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::facts::ids::{EntryId, Slug};

    const FACT: FactId = FactId(Uuid::from_u128(77));

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn sms(nr: u128, room: u128, seq: i32, state: SmsStatus) -> Sms {
        Sms {
            id: SmsId(Uuid::from_u128(nr)),
            tenant: Slug::new("bears").unwrap(),
            room_id: RoomId(Uuid::from_u128(room)),
            entry_id: EntryId(Uuid::from_u128(nr)),
            seq,
            our_number: "+15550100001".to_owned(),
            our_country: String::new(),
            customer_number: "+15550100100".to_owned(),
            carrier: Slug::new("simulator").unwrap(),
            state,
            reason: None,
            is_confirmation: false,
            claimed_at: None,
            tries_since: None,
            held_by: None,
            is_bulk: false,
            not_before: None,
            submitted_at: None,
            final_at: None,
        }
    }

    fn asked(sms: &Sms) -> Asked<'_> {
        Asked {
            sms,
            id: FACT,
            attempt: 0,
            is_redelivered: false,
            is_opted_out: false,
            unfit: None,
            quiet: None,
            paused: None,
            takes_our_id: false,
        }
    }

    fn unsent(texts: &[&Sms]) -> Vec<(RoomId, i32, SmsId)> {
        texts.iter().map(|s| (s.room_id, s.seq, s.id)).collect()
    }

    #[test]
    fn texts_of_a_room_go_in_order_and_wait_for_what_is_elsewhere() {
        let (a, b, c) = (
            sms(1, 9, 1, SmsStatus::Requested),
            sms(2, 9, 2, SmsStatus::Requested),
            sms(3, 9, 3, SmsStatus::Requested),
        );
        let all = unsent(&[&a, &b, &c]);
        assert_eq!(decide(at(0), &[asked(&a), asked(&b), asked(&c)], &all), [Turn::Send; 3]);
        assert_eq!(
            decide(at(0), &[asked(&b), asked(&c)], &all),
            [Turn::Wait("predecessor"); 2],
            "the first is elsewhere"
        );
        assert_eq!(
            decide(at(0), &[asked(&b), asked(&a)], &all),
            [Turn::Wait("predecessor"), Turn::Send],
            "out of order"
        );
        let other = sms(4, 8, 5, SmsStatus::Requested);
        assert_eq!(decide(at(0), &[asked(&other)], &unsent(&[&a, &other])), [Turn::Send], "another room");
    }

    #[test]
    fn one_that_waits_holds_back_those_behind_it_and_one_that_is_over_does_not() {
        let (mut a, b) = (sms(1, 9, 1, SmsStatus::Requested), sms(2, 9, 2, SmsStatus::Requested));
        let all = unsent(&[&a, &b]);
        let paused = Asked { paused: Some("carrier_busy"), ..asked(&a) };
        assert_eq!(decide(at(0), &[paused, asked(&b)], &all), [Turn::Wait("carrier_busy"), Turn::Wait("predecessor")]);
        a.state = SmsStatus::Sending;
        let redelivered = Asked { is_redelivered: true, ..asked(&a) };
        assert_eq!(decide(at(0), &[redelivered, asked(&b)], &all), [Turn::Unanswered, Turn::Send]);
    }

    #[test]
    fn consent_withdrawn_stops_all_but_the_confirmation() {
        fn out(sms: &Sms) -> Asked<'_> {
            Asked { is_opted_out: true, ..asked(sms) }
        }
        let mut a = sms(1, 9, 1, SmsStatus::Requested);
        assert_eq!(decide(at(0), &[out(&a)], &unsent(&[&a])), [Turn::OptedOut]);
        a.is_confirmation = true;
        assert_eq!(decide(at(0), &[out(&a)], &unsent(&[&a])), [Turn::Send]);
    }

    #[test]
    fn what_may_have_left_is_never_sent_again_unless_the_carrier_takes_our_id() {
        let mut a = sms(1, 9, 1, SmsStatus::Sending);
        a.claimed_at = Some(at(0));
        let all = unsent(&[&a]);
        let redelivered = Asked { is_redelivered: true, ..asked(&a) };
        assert_eq!(decide(at(1), &[redelivered], &all), [Turn::Unanswered]);
        assert_eq!(decide(at(1), &[Asked { takes_our_id: true, ..redelivered }], &all), [Turn::Send]);
        assert_eq!(decide(at(1), &[asked(&a)], &all), [Turn::Wait("being_sent")], "somebody else is at it");
        assert_eq!(decide(at(61), &[asked(&a)], &all), [Turn::Unanswered], "whoever was at it is gone");
        for state in [SmsStatus::Submitted, SmsStatus::Unknown, SmsStatus::Delivered, SmsStatus::Failed] {
            a.state = state;
            assert_eq!(decide(at(61), &[Asked { is_redelivered: true, ..asked(&a) }], &all), [Turn::Known]);
        }
    }

    #[test]
    fn redelivered_and_never_tried_is_sent() {
        let a = sms(1, 9, 1, SmsStatus::Requested);
        assert_eq!(decide(at(0), &[Asked { is_redelivered: true, ..asked(&a) }], &unsent(&[&a])), [Turn::Send]);
    }

    #[test]
    fn a_minute_of_waiting_ends_as_a_row() {
        let mut a = sms(1, 9, 1, SmsStatus::Requested);
        a.tries_since = Some(at(0));
        let paused = |sms| vec![Asked { paused: Some("carrier_busy"), ..asked(sms) }];
        assert_eq!(decide(at(59), &paused(&a), &unsent(&[&a])), [Turn::Wait("carrier_busy")]);
        assert_eq!(decide(at(60), &paused(&a), &unsent(&[&a])), [Turn::Hold("carrier_busy")]);
        let often = vec![Asked { attempt: MOST_TRIES, ..paused(&a)[0] }];
        assert_eq!(decide(at(1), &often, &unsent(&[&a])), [Turn::Hold("carrier_busy")]);
    }

    #[test]
    fn a_held_text_is_tried_again_when_it_is_requested_anew_but_not_by_a_repeat() {
        let mut a = sms(1, 9, 1, SmsStatus::Held);
        a.held_by = Some(FACT);
        assert_eq!(decide(at(0), &[asked(&a)], &unsent(&[&a])), [Turn::Known]);
        let anew = Asked { id: FactId(Uuid::from_u128(78)), ..asked(&a) };
        assert_eq!(decide(at(0), &[anew], &unsent(&[&a])), [Turn::Send]);
        assert_eq!(decide(at(0), &[Asked { is_opted_out: true, ..anew }], &unsent(&[&a])), [Turn::OptedOut]);
    }

    #[test]
    fn the_same_text_asked_for_twice_in_a_batch_is_sent_once() {
        let a = sms(1, 9, 1, SmsStatus::Requested);
        assert_eq!(decide(at(0), &[asked(&a), asked(&a)], &unsent(&[&a])), [Turn::Send, Turn::Wait("sent_beside")]);
    }
}
