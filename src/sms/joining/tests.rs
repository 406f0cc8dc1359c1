//! Parts of a text come back as the text: in any order, repeated, and cut anywhere; and whatever is wrong is told.

use proptest::prelude::*;

use super::*;
use crate::sms::encoding::{Reference, parts_by};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn key(reference: u16, total: u8) -> Key {
    let [connector, source, destination] = ["sim", "+15550100100", "+15550100001"].map(str::to_owned);
    Key { connector, source, destination, reference, total }
}

fn gsm(part: u8, text: &str) -> Piece<u32> {
    Piece { part, encoding: Encoding::Gsm7, octets: octets::encode(text, Encoding::Gsm7).unwrap(), mark: part.into() }
}

fn bounds() -> Bounds {
    Bounds { wait: SignedDuration::from_secs(60), octets_each: 1_000, octets: 2_000, texts: 10 }
}

fn collector() -> Collector<u32> {
    Collector::new(bounds())
}

#[test]
fn parts_in_any_order_are_one_text() {
    let mut all = collector();
    assert_eq!(all.take(at(0), key(1, 3), gsm(3, "three")), (Taken::New, vec![]));
    assert_eq!(all.take(at(1), key(1, 3), gsm(1, "one ")), (Taken::New, vec![]));
    let (taken, given) = all.take(at(2), key(1, 3), gsm(2, "two "));
    let [text] = &given[..] else { panic!("{given:?}") };
    assert_eq!(
        (taken, text.given, text.text.as_str(), &text.marks[..]),
        (Taken::New, Given::Whole, "one two three", &[1, 2, 3][..])
    );
    assert_eq!((text.first_at, text.is_exact, text.missing.is_empty()), (at(0), true, true));
    assert_eq!((all.octets(), all.texts()), (0, 1));
}

#[test]
fn an_escape_and_a_surrogate_pair_that_were_cut_are_whole_again() {
    let mut all = collector();
    let raw = |part, encoding, octets: &[u8]| Piece { part, encoding, octets: octets.to_vec(), mark: 0 };
    all.take(at(0), key(1, 2), raw(2, Encoding::Gsm7, b"e5"));
    let (_, given) = all.take(at(0), key(1, 2), raw(1, Encoding::Gsm7, b"a\x1b"));
    assert_eq!((given[0].text.as_str(), given[0].is_exact), ("a€5", true));
    all.take(at(0), key(2, 2), raw(1, Encoding::Ucs2, &[0, b'a', 0xD8, 0x3D, 0xDE]));
    let (_, given) = all.take(at(0), key(2, 2), raw(2, Encoding::Ucs2, &[0, 0, b'b']));
    assert_eq!((given[0].text.as_str(), given[0].is_exact), ("a😀b", true));
    all.take(at(0), key(3, 2), raw(1, Encoding::Gsm7, b"gsm "));
    let (_, given) = all.take(at(0), key(3, 2), raw(2, Encoding::Ucs2, &[0x04, 0x4F]));
    assert_eq!(given[0].text, "gsm я", "parts of either alphabet are read each in its own");
}

#[test]
fn past_the_time_limit_what_is_there_is_given_out_with_its_gaps() {
    let mut all = collector();
    all.take(at(0), key(1, 5), gsm(2, "two"));
    all.take(at(59), key(1, 5), gsm(4, "four"));
    assert_eq!((all.next_due(), all.due(at(59))), (Some(at(60)), vec![]));
    let given = all.due(at(60));
    assert_eq!((given[0].text.as_str(), given[0].given), ("[…]two[…]four[…]", Given::Late));
    assert_eq!((&given[0].missing[..], &given[0].marks[..]), (&[1, 3, 5][..], &[2, 4][..]));
    assert_eq!(all.take(at(70), key(1, 5), gsm(2, "two")), (Taken::Repeat, vec![]), "known for as long again");
    // what comes too late is a text of its own, not lost
    assert_eq!(all.take(at(80), key(1, 5), gsm(1, "one")).0, Taken::New);
    assert_eq!(all.due(at(140))[0].text, "one[…]");
    all.due(at(1_000));
    assert_eq!((all.texts(), all.octets(), all.next_due()), (0, 0, None));
}

#[test]
fn a_repeat_is_told_before_and_after_its_text_is_given_out() {
    let mut all = collector();
    all.take(at(0), key(1, 2), gsm(1, "one "));
    assert_eq!(all.take(at(1), key(1, 2), gsm(1, "one ")), (Taken::Repeat, vec![]));
    assert_eq!(all.take(at(2), key(1, 2), gsm(2, "two")).1[0].text, "one two");
    assert_eq!(all.take(at(3), key(1, 2), gsm(2, "two")), (Taken::Repeat, vec![]));
    all.due(at(62));
    assert_eq!(all.texts(), 0, "and forgotten");
}

#[test]
fn a_number_used_again_interrupts_and_loses_nothing() {
    let mut all = collector();
    all.take(at(0), key(1, 2), gsm(1, "first "));
    let (taken, given) = all.take(at(1), key(1, 2), gsm(1, "second "));
    assert_eq!((taken, given[0].given, given[0].text.as_str()), (Taken::New, Given::Interrupted, "first [\u{2026}]"));
    let (_, given) = all.take(at(2), key(1, 2), gsm(2, "text"));
    assert_eq!((given[0].given, given[0].text.as_str()), (Given::Whole, "second text"));
    // after a whole one, the number begins anew
    assert!(all.take(at(3), key(1, 2), gsm(1, "third ")).1.is_empty());
    assert_eq!(all.take(at(4), key(1, 2), gsm(2, "time")).1[0].text, "third time");
}

#[test]
fn texts_of_other_keys_do_not_meet() {
    let mut all = collector();
    all.take(at(0), key(1, 2), gsm(1, "a"));
    let others = [
        Key { connector: "other".into(), ..key(1, 2) },
        Key { source: "+15550100101".into(), ..key(1, 2) },
        Key { destination: "+15550100002".into(), ..key(1, 2) },
        key(2, 2),
        key(1, 3),
    ];
    for other in others {
        assert_eq!(all.take(at(0), other, gsm(2, "b")), (Taken::New, vec![]));
    }
    assert_eq!(all.texts(), 6);
}

#[test]
fn a_part_that_is_none_of_the_total_is_given_out_alone() {
    let mut all = collector();
    for (part, total) in [(0, 2), (3, 2), (1, 0)] {
        let (taken, given) = all.take(at(0), key(1, total), gsm(part, "stray"));
        assert_eq!(
            (taken, given[0].given, given[0].text.as_str()),
            (Taken::New, Given::Unnumbered, "stray"),
            "{part}/{total}"
        );
    }
    assert_eq!(all.texts(), 0);
    assert_eq!(all.take(at(0), key(1, 1), gsm(1, "alone")).1[0].given, Given::Whole);
}

#[test]
fn bounds_push_the_oldest_out_as_it_is() {
    let mut all = collector();
    let long = "x".repeat(600);
    all.take(at(0), key(1, 3), gsm(1, &long));
    assert_eq!(all.take(at(0), key(1, 3), gsm(2, &long)).1[0].given, Given::Crowded, "more than a text may have");
    for reference in 2..=4 {
        assert!(all.take(at(0), key(reference, 3), gsm(1, &long)).1.is_empty());
    }
    let (_, given) = all.take(at(0), key(5, 3), gsm(1, &long));
    assert_eq!(given.iter().map(|text| (text.key.reference, text.given)).collect::<Vec<_>>(), [(2, Given::Crowded)]);
    let mut all = collector();
    let given: usize = (0..100).map(|reference| all.take(at(0), key(reference, 2), gsm(1, "a")).1.len()).sum();
    assert_eq!((given, all.texts()), (90, 10));
}

proptest! {
    #[test]
    fn the_parts_of_a_text_are_the_text_in_any_order(
        text in "([a-z €{}\\r\\n]{1,60}|[a-zя]{1,60}|😀|👨‍👩‍👧‍👦){1,20}", is_wide: bool, seed: prop::sample::Index,
        order in Just((0..60_usize).collect::<Vec<_>>()).prop_shuffle(), cut_short in 0_usize..3,
    ) {
        let reference = if is_wide { Reference::Wide } else { Reference::Narrow };
        let cut = parts_by(&text, reference);
        let whole = octets::encode(&text, cut.encoding).unwrap();
        // as we cut it, or as somebody who counts octets alone would
        let pieces: Vec<Vec<u8>> = if cut_short == 0 {
            cut.parts.iter().map(|part| octets::encode(part, cut.encoding).unwrap()).collect()
        } else {
            whole.chunks(whole.len().div_ceil(cut_short * 7).max(1)).map(<[u8]>::to_vec).collect()
        };
        let total = u8::try_from(pieces.len()).unwrap();
        let order: Vec<usize> = order.into_iter().filter(|at| *at < pieces.len()).collect();
        let again = order[seed.index(order.len())];
        let (mut all, mut given, mut last) = (Collector::new(Bounds::default()), Vec::new(), None);
        for nth in order.iter().chain([&again]).copied() {
            let piece = Piece { part: u8::try_from(nth + 1).unwrap(), encoding: cut.encoding, octets: pieces[nth].clone(), mark: nth };
            let (taken, out) = all.take(at(0), key(7, total), piece);
            last = Some(taken);
            given.extend(out);
        }
        prop_assert_eq!((given.len(), last), (1, Some(Taken::Repeat)), "the one beyond the last is a repeat");
        prop_assert_eq!((&given[0].text, given[0].given, given[0].is_exact), (&text, Given::Whole, true));
        prop_assert_eq!(&given[0].marks, &(0..pieces.len()).collect::<Vec<_>>());
    }

    #[test]
    fn whatever_comes_each_piece_is_given_out_once_or_a_repeat(
        arrivals in prop::collection::vec((0_u16..4, 0_u8..4, 0_u8..5, prop::collection::vec(any::<u8>(), 0..300), any::<bool>(), 0_i64..40), 0..120)
    ) {
        let (mut all, mut clock, mut new, mut out) = (collector(), 0, Vec::new(), Vec::new());
        for (mark, (reference, total, part, octets, is_gsm, later)) in arrivals.into_iter().enumerate() {
            clock += later;
            let encoding = if is_gsm { Encoding::Gsm7 } else { Encoding::Ucs2 };
            let (taken, given) = all.take(at(clock), key(reference, total), Piece { part, encoding, octets, mark: u32::try_from(mark).unwrap() });
            new.extend((taken == Taken::New).then_some(u32::try_from(mark).unwrap()));
            out.extend(given.into_iter().flat_map(|text| text.marks));
            prop_assert!(all.octets() <= bounds().octets && all.texts() <= bounds().texts);
            prop_assert!(all.turns.len() == all.held.len());
        }
        out.extend(all.due(at(clock + 60)).into_iter().flat_map(|text| text.marks));
        out.sort_unstable();
        prop_assert_eq!(out, new);
        all.due(at(clock + 120));
        prop_assert_eq!((all.octets(), all.texts(), all.next_due()), (0, 0, None));
    }
}
