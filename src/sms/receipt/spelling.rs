//! Carriers spell the id in a receipt otherwise than in the answer to the text: in another case, with or without leading
//! zeros, in decimal what was hex. Which of that a connection tries, and in which order, comes with the receipt; the
//! spelling that comes first wins. Pure. In the database both are found by one folded form (see `rows`).

/// A way in which two ids may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Letter by letter.
    Exact,
    /// But for the case of letters.
    Case,
    /// But for case and leading zeros.
    Zeros,
    /// The receipt says in decimal what the answer said in hex.
    Decimal,
    /// The receipt says in hex what the answer said in decimal.
    Hex,
}

/// The rules' words, in the order in which they are tried where nothing else is said.
pub const WORDS: &[&str] = &["exact", "case", "zeros", "decimal", "hex"];

/// The rules of these words; a word that is none is passed over, and without any the id must be exact.
#[must_use]
pub fn rules<T: AsRef<str>>(words: &[T]) -> Vec<Rule> {
    let rules: Vec<Rule> = words.iter().filter_map(|word| rule(word.as_ref())).collect();
    if rules.is_empty() { vec![Rule::Exact] } else { rules }
}

fn rule(word: &str) -> Option<Rule> {
    Some(match word {
        "exact" => Rule::Exact,
        "case" => Rule::Case,
        "zeros" => Rule::Zeros,
        "decimal" => Rule::Decimal,
        "hex" => Rule::Hex,
        _ => return None,
    })
}

impl Rule {
    /// As in the tenant file and in facts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Case => "case",
            Self::Zeros => "zeros",
            Self::Decimal => "decimal",
            Self::Hex => "hex",
        }
    }

    fn holds(self, answered: &str, reported: &str) -> bool {
        match self {
            Self::Exact => answered == reported,
            Self::Case => answered.eq_ignore_ascii_case(reported),
            Self::Zeros => {
                let (answered, reported) = (answered.trim_start_matches('0'), reported.trim_start_matches('0'));
                !answered.is_empty() && answered.eq_ignore_ascii_case(reported)
            }
            Self::Decimal => number(answered, 16).is_some_and(|n| Some(n) == number(reported, 10)),
            Self::Hex => number(answered, 10).is_some_and(|n| Some(n) == number(reported, 16)),
        }
    }
}

/// By which of the rules the ids are one: its place among them.
#[must_use]
pub fn rank(rules: &[Rule], answered: &str, reported: &str) -> Option<usize> {
    rules.iter().position(|rule| rule.holds(answered, reported))
}

/// Every id under whose folded form the other side of this one may stand: itself, and as a number of the other base.
#[must_use]
pub fn keys(id: &str) -> Vec<String> {
    let other = [number(id, 16).map(|n| n.to_string()), number(id, 10).map(|n| format!("{n:x}"))];
    std::iter::once(id.to_owned()).chain(other.into_iter().flatten()).collect()
}

/// More than nothing, in digits alone.
fn number(id: &str, base: u32) -> Option<u128> {
    let is_digits = id.chars().all(|c| c.is_digit(base));
    u128::from_str_radix(id, base).ok().filter(|n| is_digits && *n > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by(answered: &str, reported: &str) -> Option<&'static str> {
        let all = rules(WORDS);
        rank(&all, answered, reported).map(|at| all[at].word())
    }

    #[test]
    fn each_rule_takes_what_it_says_and_no_more() {
        assert_eq!(by("a1b2", "a1b2"), Some("exact"));
        assert_eq!(by("n40029", "N40029"), Some("case"));
        assert_eq!(by("0000a1", "A1"), Some("zeros"));
        assert_eq!(by("1A2B3C4D", "439041101"), Some("decimal"));
        assert_eq!(by("439041101", "1a2b3c4d"), Some("hex"));
        assert_eq!(by("000F", "15"), Some("decimal"));
        for (answered, reported) in [("12", "13"), ("0", "000"), ("", ""), ("+1", "1"), ("a", "b"), ("-5", "5")] {
            assert!(answered.is_empty() || by(answered, reported).is_none(), "{answered} {reported}");
        }
        assert_eq!(rank(&rules(&["exact"]), "a", "A"), None, "what is not asked for is not tried");
        assert_eq!(rules::<&str>(&[]), [Rule::Exact]);
        assert_eq!(rules(&["hex", "sideways", "exact"]), [Rule::Hex, Rule::Exact]);
    }

    #[test]
    fn the_order_decides_where_two_hold() {
        // "10" is itself, and 0x10 is 16
        assert_eq!(rank(&rules(&["exact", "decimal"]), "10", "10"), Some(0));
        assert_eq!(rank(&rules(&["decimal", "exact"]), "10", "16"), Some(0));
        assert_eq!(rank(&rules(&["decimal", "exact"]), "10", "10"), Some(1));
    }

    /// As the database folds.
    fn fold(id: &str) -> String {
        id.to_ascii_lowercase().trim_start_matches('0').to_owned()
    }

    proptest! {
        #[test]
        fn whatever_a_rule_takes_is_found_by_the_keys_of_either_side(n: u64, zeros in 0_usize..5, upper: bool, way in 0_usize..4) {
            let n = u128::from(n) + 1;
            let case = |text: String| if upper { text.to_uppercase() } else { text };
            let padded = |text: String| format!("{}{text}", "0".repeat(zeros));
            let (answered, reported) = match way {
                0 => (case(format!("{n:x}")), padded(n.to_string())),
                1 => (padded(n.to_string()), case(format!("{n:x}"))),
                2 => (padded(format!("{n:x}")), case(format!("{n:x}"))),
                _ => (case(format!("id-{n}")), format!("id-{n}")),
            };
            prop_assert!(rank(&rules(WORDS), &answered, &reported).is_some());
            prop_assert!(keys(&reported).iter().any(|key| fold(key) == fold(&answered)));
            prop_assert!(keys(&answered).iter().any(|key| fold(key) == fold(&reported)));
        }

        #[test]
        fn any_ids_are_compared(answered in "\\PC{0,40}", reported in "\\PC{0,40}") {
            let _ = rank(&rules(WORDS), &answered, &reported);
            prop_assert!(keys(&reported).len() <= 3);
        }
    }
}
