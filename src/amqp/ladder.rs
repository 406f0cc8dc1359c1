//! The ladder of waits: fixed-TTL queues, consumed by nobody. A message takes the longest rung not above its remainder,
//! so it never arrives late by more than the last rung's rounding; early means the next rung.

use jiff::Timestamp;

/// The rungs in ms, rising, with their names: powers of two from 250 ms, and the two commonest spans.
pub const RUNGS: &[(i64, &str)] = &[
    (250, "wait.250ms"),
    (500, "wait.500ms"),
    (1_000, "wait.1s"),
    (2_000, "wait.2s"),
    (4_000, "wait.4s"),
    (8_000, "wait.8s"),
    (16_000, "wait.16s"),
    (30_000, "wait.30s"),
    (32_000, "wait.32s"),
    (64_000, "wait.64s"),
    (128_000, "wait.128s"),
    (256_000, "wait.256s"),
    (512_000, "wait.512s"),
    (1_024_000, "wait.1024s"),
    (2_048_000, "wait.2048s"),
    (4_096_000, "wait.4096s"),
    (7_200_000, "wait.7200s"),
    (8_192_000, "wait.8192s"),
];

/// The rung for what is due in `due - now`; none when it is due. The remainder is rounded up to 250 ms.
#[must_use]
pub fn rung(now: Timestamp, due: Timestamp) -> Option<&'static str> {
    let remainder = i64::try_from(due.duration_since(now).as_millis()).unwrap_or(i64::MAX);
    if remainder <= 0 {
        return None;
    }
    let rounded = remainder.saturating_add(249) / 250 * 250;
    RUNGS.iter().rev().find(|(ms, _)| *ms <= rounded).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn of(ms: i64) -> Option<&'static str> {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        rung(now, now + SignedDuration::from_millis(ms))
    }

    #[test]
    fn the_longest_rung_not_above_the_remainder_is_taken() {
        assert_eq!(of(0), None);
        assert_eq!(of(-5), None);
        assert_eq!(of(1), Some("wait.250ms"));
        assert_eq!(of(251), Some("wait.500ms"));
        assert_eq!(of(29_999), Some("wait.30s"));
        assert_eq!(of(31_000), Some("wait.30s"));
        assert_eq!(of(7_200_000), Some("wait.7200s"));
        assert_eq!(of(7_199_000), Some("wait.4096s"));
        assert_eq!(of(1_000_000_000), Some("wait.8192s"));
    }

    #[test]
    fn climbing_down_never_ends_before_the_due_time_and_takes_few_rungs() {
        for start in [1, 999, 7_199_999, 3_600_000, 86_400_000] {
            let (mut left, mut hops) = (start, 0);
            while let Some(name) = of(left) {
                left -= RUNGS.iter().find(|r| r.1 == name).unwrap().0;
                hops += 1;
                assert!(left > -250, "{start} ended {left} ms early or late");
            }
            assert!(hops < 30, "{start} took {hops}");
        }
    }
}
