//! How a text travels: the GSM 03.38 alphabet where every character is in it, else UCS-2, and its parts. Escapes and
//! surrogate pairs are never split; the count equals what carriers bill. Nothing is replaced by look-alikes here.
//! The alphabet is data, made by `scripts/gsm_alphabet.py`.

use std::sync::LazyLock;

static ALPHABET: &str = include_str!("data/gsm0338.tsv");

/// Every character of the alphabet, in order, with its septets: 2 where it needs the escape.
static SEPTETS: LazyLock<Vec<(char, usize)>> = LazyLock::new(|| {
    let mut septets: Vec<(char, usize)> = ALPHABET.lines().filter_map(row).collect();
    septets.sort_unstable();
    septets
});

fn row(line: &str) -> Option<(char, usize)> {
    let mut columns = line.split('\t');
    let septets = match columns.next()? {
        "basic" => 1,
        "extension" => 2,
        _ => return None,
    };
    let code_point = u32::from_str_radix(columns.nth(1)?, 16).ok()?;
    char::from_u32(code_point).map(|c| (c, septets))
}

/// The alphabet of a text on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// GSM 03.38 default alphabet and extension: 160 septets, or 153 in each of several parts.
    Gsm7,
    /// UTF-16 code units: 70, or 67 in each of several parts.
    Ucs2,
}

impl Encoding {
    /// As in JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
        }
    }

    /// The alphabet that a text needs. The escape character itself is in neither table.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.chars().all(|c| septets(c).is_some()) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// Most units in a text of one part, and in each of several (a header of 6 octets takes the rest).
    #[must_use]
    pub fn limits(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }

    fn units(self, c: char) -> usize {
        match self {
            Self::Gsm7 => septets(c).unwrap_or(1),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

fn septets(c: char) -> Option<usize> {
    SEPTETS.binary_search_by_key(&c, |(known, _)| *known).ok().map(|at| SEPTETS[at].1)
}

/// A text cut into its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// One for all parts.
    pub encoding: Encoding,
    /// In order; together they are the text. An empty text is one empty part.
    pub parts: Vec<&'a str>,
}

/// The encoding and the parts of a text.
#[must_use]
pub fn parts(text: &str) -> Parts<'_> {
    let encoding = Encoding::of(text);
    let (single, several) = encoding.limits();
    if text.chars().map(|c| encoding.units(c)).sum::<usize>() <= single {
        return Parts { encoding, parts: vec![text] };
    }
    let (mut parts, mut start, mut used) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        let units = encoding.units(c);
        if used + units > several {
            parts.push(&text[start..at]);
            (start, used) = (at, 0);
        }
        used += units;
    }
    parts.push(&text[start..]);
    Parts { encoding, parts }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        text: String,
        encoding: String,
        parts: Vec<usize>,
    }

    #[test]
    fn the_alphabet_is_whole() {
        assert_eq!(SEPTETS.iter().filter(|(_, n)| *n == 1).count(), 127);
        assert_eq!(SEPTETS.iter().filter(|(_, n)| *n == 2).count(), 10);
        assert_eq!((septets('Ç'), septets('ç'), septets('\u{1b}'), septets('€')), (Some(1), None, None, Some(2)));
    }

    #[test]
    fn parts_equal_those_of_a_foreign_implementation() {
        let golden: Vec<Golden> = serde_json::from_str(include_str!("../../tests/data/parts.json")).unwrap();
        assert!(golden.len() > 150);
        for row in golden {
            let ours = parts(&row.text);
            let lengths: Vec<usize> = ours.parts.iter().map(|p| p.chars().count()).collect();
            assert_eq!((ours.encoding.as_str(), lengths), (row.encoding.as_str(), row.parts), "{:?}", row.text);
        }
    }

    #[test]
    fn an_escape_and_a_surrogate_pair_go_to_the_next_part_whole() {
        assert_eq!(parts(&format!("{0}€{0}", "a".repeat(152))).parts.len(), 3);
        assert_eq!(parts(&format!("{0}😀{0}", "a".repeat(66))).parts.len(), 3);
        assert_eq!(parts("").parts, [""]);
    }

    proptest! {
        #[test]
        fn parts_hold_the_whole_text_within_their_limits(text in "\\PC{0,500}|[a-z€{}]{0,700}") {
            let cut = parts(&text);
            prop_assert_eq!(cut.parts.concat(), &*text);
            let (single, several) = cut.encoding.limits();
            let most = if cut.parts.len() == 1 { single } else { several };
            for part in cut.parts {
                prop_assert!(part.chars().map(|c| cut.encoding.units(c)).sum::<usize>() <= most);
            }
        }
    }
}
