//! Paces hold in any span, for whatever asks; live conversation goes first, no tenant's bulk holds up another's, and
//! nothing waits for ever.

use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
}

fn key(pace: &str) -> BucketKey {
    ("bears".to_owned(), pace.to_owned(), String::new())
}

fn pace(per_minute: Option<i32>, per_day: Option<i32>) -> Pace {
    Pace { id: "main".into(), per_minute, per_day, ..Pace::default() }
}

fn ask(is_live: bool, segments: i32) -> Asking {
    Asking { tenant: "bears".into(), is_live, segments, buckets: vec![key("main")] }
}

/// What is decided at a time, and what is left then.
struct Clock {
    pace: Pace,
    factor: f64,
    bucket: Option<Bucket>,
}

impl Clock {
    fn new(pace: Pace) -> Self {
        Self { pace, factor: 1.0, bucket: None }
    }

    fn ask(&mut self, now: Timestamp, asked: &[Asking]) -> Vec<Pacing> {
        let working = Working::new(now, self.bucket.take(), &self.pace, self.factor, &TimeZone::UTC);
        let mut buckets = HashMap::from([(key("main"), working)]);
        let answers = decide(now, asked, &mut buckets);
        self.bucket = buckets.remove(&key("main")).map(|working| working.bucket);
        answers
    }
}

#[test]
fn bulk_gets_places_one_after_another_and_goes_then() {
    let mut clock = Clock::new(pace(Some(60), None));
    let answers = clock.ask(at(0), &vec![ask(false, 1); 4]);
    let until = |seconds: i64| Pacing::Until(at(seconds * 1000), PACED);
    assert_eq!(answers, [Pacing::Go, until(1), until(2), until(3)]);
    assert_eq!(clock.ask(at(1000), &[ask(false, 1)]), [Pacing::Go]);
    assert_eq!(clock.ask(at(1500), &[ask(false, 1)]), [until(4)], "behind those that wait");
    assert_eq!(clock.ask(at(2000), &[ask(false, 1)]), [Pacing::Go]);
}

#[test]
fn live_conversation_goes_first_and_bulk_stands_back_while_it_waits() {
    let mut clock = Clock::new(pace(Some(60), None));
    let answers = clock.ask(at(0), &[ask(false, 1), ask(true, 1)]);
    assert_eq!(answers, [Pacing::Until(at(1000), PACED), Pacing::Go]);
    assert_eq!(clock.ask(at(500), &[ask(true, 1)]), [Pacing::Soon]);
    assert_eq!(clock.ask(at(1000), &[ask(false, 1)]), [Pacing::Until(at(2000), PACED)], "what came is the live one's");
    assert_eq!(clock.ask(at(1000), &[ask(true, 1)]), [Pacing::Go]);
}

#[test]
fn a_long_text_goes_and_those_behind_it_pay() {
    let mut clock = Clock::new(pace(Some(60), None));
    assert_eq!(clock.ask(at(0), &[ask(true, 6), ask(true, 1)]), [Pacing::Go, Pacing::Soon]);
    assert_eq!(clock.ask(at(5900), &[ask(true, 1)]), [Pacing::Soon]);
    assert_eq!(clock.ask(at(6000), &[ask(true, 1)]), [Pacing::Go]);
}

#[test]
fn a_full_day_waits_for_the_next_by_the_zones_midnight() {
    let zone = TimeZone::get("America/Los_Angeles").unwrap();
    let local =
        |civil: &str| civil.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap().timestamp();
    let noon = local("2026-11-24T12:00");
    let pace = pace(None, Some(2));
    let mut buckets = HashMap::from([(key("main"), Working::new(noon, None, &pace, 1.0, &zone))]);
    let answers = decide(noon, &[ask(true, 2), ask(true, 1)], &mut buckets);
    let midnight = local("2026-11-25T00:00");
    assert_eq!(answers, [Pacing::Go, Pacing::Until(midnight, DAY_IS_FULL)]);
    let bucket = buckets.remove(&key("main")).unwrap().bucket;
    let mut buckets = HashMap::from([(key("main"), Working::new(midnight, Some(bucket), &pace, 1.0, &zone))]);
    assert_eq!(
        decide(midnight, &[ask(true, 5)], &mut buckets),
        [Pacing::Go],
        "longer than a day's count: on a fresh one"
    );
}

#[test]
fn no_tenants_bulk_holds_up_anothers() {
    let of = |tenant: &str| Asking { tenant: tenant.into(), ..ask(false, 1) };
    let mut clock = Clock::new(pace(Some(180), None));
    let answers = clock.ask(at(0), &[of("a"), of("a"), of("a"), of("a"), of("b")]);
    let gone: Vec<usize> = (0..5).filter(|index| answers[*index] == Pacing::Go).collect();
    assert_eq!(gone, [0, 1, 4], "one of each in turn");
}

#[test]
fn every_bucket_must_have_something_left_and_none_pays_for_what_stays() {
    let (wide, narrow) = (pace(Some(6000), None), pace(Some(60), None));
    let working = |pace| Working::new(at(0), None, pace, 1.0, &TimeZone::UTC);
    let mut buckets = HashMap::from([(key("wide"), working(&wide)), (key("narrow"), working(&narrow))]);
    let both = Asking { buckets: vec![key("wide"), key("narrow")], ..ask(true, 1) };
    assert_eq!(decide(at(0), &[both.clone(), both], &mut buckets), [Pacing::Go, Pacing::Soon]);
    assert!((buckets[&key("wide")].bucket.left - 99.0).abs() < 1e-9);
}

#[test]
fn too_fast_halves_and_recovers_slowly() {
    let first = Slowed::again(None, at(0), 600);
    assert_eq!((first.factor(at(0)), first.measured), (0.5, 600));
    assert_eq!(Slowed::again(Some(first), at(500), 600), first, "what was under way with it counts once");
    let second = Slowed::again(Some(first), at(60_000), 100);
    assert!((second.factor(at(60_000)) - 0.3).abs() < 1e-9, "half of the 0.6 that it had come to");
    assert_eq!(second.measured, 600);
    assert!((second.factor(at(120_000)) - 0.4).abs() < 1e-9);
    assert!((second.factor(at(600_000)) - 1.0).abs() < 1e-9);
    assert_eq!(Slowed::again(Some(second), at(600_000), 300).measured, 300, "recovered: measured anew");
    let mut slowed = first;
    for second in 0..100 {
        slowed = Slowed::again(Some(slowed), at(second * 1000), 600);
    }
    assert!(slowed.factor >= LEAST);
}

proptest! {
    /// Whatever asks and whenever: in no span does more leave than the pace, a second's worth and one text.
    #[test]
    fn the_pace_holds_in_any_span(
        per_minute in 1..2000i32,
        asked in prop::collection::vec((0..5000i64, prop::collection::vec((any::<bool>(), 1..7i32), 1..20)), 1..40),
    ) {
        let mut clock = Clock::new(pace(Some(per_minute), None));
        let (mut now, mut gone) = (0, Vec::new());
        for (wait, texts) in asked {
            now += wait;
            let texts: Vec<Asking> = texts.into_iter().map(|(is_live, segments)| ask(is_live, segments)).collect();
            let answers = clock.ask(at(now), &texts);
            gone.extend(texts.iter().zip(answers).filter(|(_, answer)| *answer == Pacing::Go).map(|(t, _)| (now, t.segments)));
        }
        let rate = f64::from(per_minute) / 60.0;
        for (first, (from, _)) in gone.iter().enumerate() {
            let mut sum = 0.0;
            for (to, segments) in &gone[first..] {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of a test")]
                let span = (to - from) as f64 / 1000.0;
                sum += f64::from(*segments);
                prop_assert!(sum <= rate * span + rate.max(1.0) + 6.0 + 1e-6, "{sum} in {span} s at {rate}");
            }
        }
    }

    /// Bulk that comes back at the time it was told gets through, however much there is.
    #[test]
    fn whoever_comes_back_in_time_gets_through(per_minute in 1..600i32, count in 1..60usize) {
        let mut clock = Clock::new(pace(Some(per_minute), None));
        let mut due = vec![at(0); count];
        let mut asks = 0;
        while let Some((index, now)) = due.iter().copied().enumerate().min_by_key(|(_, at)| *at) {
            asks += 1;
            prop_assert!(asks <= 3 * count, "{count} texts asked {asks} times");
            match clock.ask(now, &[ask(false, 1)])[0] {
                Pacing::Go => _ = due.swap_remove(index),
                Pacing::Until(until, _) => {
                    prop_assert!(until > now);
                    due[index] = until;
                }
                Pacing::Soon => prop_assert!(false, "bulk"),
            }
        }
    }
}
