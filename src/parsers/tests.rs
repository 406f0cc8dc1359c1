//! The short run that needs no engine: beginnings, cut, spliced and spoilt by chance. `TEXTHUB_SEED` runs one again.

use std::panic::catch_unwind;

use super::*;

/// Inputs for each parser.
const RUNS: usize = 1_500;

/// What parsers stumble over.
const TOKENS: [&[u8]; 16] = [
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"{",
    b"[[",
    b"\"",
    b"\\u0000",
    b"99999999999999999999",
    b"-1",
    b"1e999",
    b"%00",
    b"\x1b",
    b"\r\n",
    b"+",
    "\u{200d}".as_bytes(),
    "\u{1f469}".as_bytes(),
];

fn spoilt(chance: &mut fastrand::Rng, seeds: &[Vec<u8>], longest: usize) -> Vec<u8> {
    let mut bytes = chance.choice(seeds).cloned().unwrap_or_default();
    for _ in 0..chance.usize(0..6) {
        let at = chance.usize(0..=bytes.len());
        match chance.u8(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.u8(0..8),
            1 if at < bytes.len() => bytes[at] = chance.u8(..),
            2 => bytes.truncate(at),
            3 => _ = bytes.drain(at..(at + chance.usize(0..16)).min(bytes.len())),
            4 => {
                let other = chance.choice(seeds).cloned().unwrap_or_default();
                let from = chance.usize(0..=other.len());
                bytes.splice(at..at, other[from..].iter().take(200).copied());
            }
            _ => {
                let token = TOKENS[chance.usize(0..TOKENS.len())];
                bytes.splice(at..at, token.repeat(chance.usize(1..4)));
            }
        }
    }
    bytes.truncate(longest);
    bytes
}

/// No parser panics, whatever it is given.
#[test]
fn spoilt_bytes_of_every_kind_are_read_without_a_panic() {
    let seed = crate::config::Config::given("TEXTHUB_SEED")
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    for parser in PARSERS {
        let (mut chance, seeds) = (fastrand::Rng::with_seed(seed), seeds::of(parser.name));
        assert!(!seeds.is_empty(), "{} has nothing to begin with", parser.name);
        for seed in &seeds {
            assert!(seed.len() <= parser.longest, "{}: a seed of {} bytes", parser.name, seed.len());
            (parser.run)(seed);
        }
        for _ in 0..RUNS {
            let bytes = spoilt(&mut chance, &seeds, parser.longest);
            let read = catch_unwind(|| (parser.run)(&bytes));
            assert!(read.is_ok(), "{} (TEXTHUB_SEED={seed}): {}", parser.name, bytes.escape_ascii());
        }
    }
}

#[test]
fn every_fact_that_is_said_to_the_hub_has_its_reader() {
    let names: Vec<&str> = FACTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, heard::SAID_TO_THE_HUB);
    assert_eq!(seeds::of("facts").len(), names.len(), "each has an example");
}
