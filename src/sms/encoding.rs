//! How a text travels: the GSM 03.38 alphabet where every character is in it, else UTF-16, and its parts. Nothing is
//! replaced by look-alikes here (`smart.rs` does), and no octets are made here (`octets.rs` does).
//!
//! Counting: the number of parts is the least that the code units need, as carriers bill. Cutting: never within an escape
//! or a surrogate pair; and a cut that would fall within a grapheme cluster (a flag, a family, a letter with its marks)
//! moves back to the cluster's beginning wherever the text still fits the same number of parts. So what is seen never
//! costs. The alphabet is data, made by `scripts/gsm_alphabet.py`.

use std::sync::LazyLock;

use unicode_segmentation::GraphemeCursor;

use crate::facts::words::Alphabet;

static ALPHABET: &str = include_str!("data/gsm0338.tsv");

/// In a code of the tables below: stands behind the escape.
const ESCAPED: u8 = 0x80;
/// In `CODES`: in neither table.
const NONE: u8 = 0xFF;
/// Leads to the extension table; no character of a text.
pub const ESCAPE: u8 = 0x1B;

/// The codes of the alphabet's characters, by code point; a septet, and `ESCAPED`.
static CODES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut codes = Vec::new();
    for (code, c) in ALPHABET.lines().filter_map(row) {
        let at = c as usize;
        codes.resize(codes.len().max(at + 1), NONE);
        codes[at] = code;
    }
    codes
});

/// The other way round.
static CHARACTERS: LazyLock<[Option<char>; 256]> = LazyLock::new(|| {
    let mut characters = [None; 256];
    for (code, c) in ALPHABET.lines().filter_map(row) {
        characters[usize::from(code)] = Some(c);
    }
    characters
});

fn row(line: &str) -> Option<(u8, char)> {
    let mut columns = line.split('\t');
    let table = match columns.next()? {
        "basic" => 0,
        "extension" => ESCAPED,
        _ => return None,
    };
    let septet = u8::from_str_radix(columns.next()?, 16).ok()?;
    let code_point = u32::from_str_radix(columns.next()?, 16).ok()?;
    char::from_u32(code_point).map(|c| (table | septet, c))
}

/// A character of the alphabet: whether it needs the escape, and its septet.
#[must_use]
pub fn septet(c: char) -> Option<(bool, u8)> {
    let code = CODES.get(c as usize).copied().filter(|code| *code != NONE)?;
    Some((code & ESCAPED != 0, code & !ESCAPED))
}

/// The character of a septet (0 to 127), of the extension table where it stood behind an escape.
#[must_use]
pub fn character(is_escaped: bool, septet: u8) -> Option<char> {
    let table = if is_escaped { ESCAPED } else { 0 };
    CHARACTERS[usize::from(septet & !ESCAPED | table)]
}

/// The alphabet of a text on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// GSM 03.38 default alphabet and extension: 160 septets, or 153 in each of several parts.
    Gsm7,
    /// UTF-16 code units: 70, or 67 in each of several parts.
    Ucs2,
}

impl From<Alphabet> for Encoding {
    fn from(alphabet: Alphabet) -> Self {
        match alphabet {
            Alphabet::Gsm7 => Self::Gsm7,
            Alphabet::Ucs2 => Self::Ucs2,
        }
    }
}

impl From<Encoding> for Alphabet {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Gsm7 => Self::Gsm7,
            Encoding::Ucs2 => Self::Ucs2,
        }
    }
}

/// The width of the number that holds the parts of a text together, and so the length of their header
/// (3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8). Carriers bill by the narrow one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reference {
    /// 0 to 255: a header of 6 octets.
    #[default]
    Narrow,
    /// 0 to 65,535: a header of 7 octets.
    Wide,
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
        if culprits(text).next().is_none() { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// Most units in a text of one part, and in each of several: a part is 140 octets, header included.
    #[must_use]
    pub fn limits(self, reference: Reference) -> (usize, usize) {
        match (self, reference) {
            (Self::Gsm7, Reference::Narrow) => (160, 153),
            (Self::Gsm7, Reference::Wide) => (160, 152),
            (Self::Ucs2, Reference::Narrow) => (70, 67),
            (Self::Ucs2, Reference::Wide) => (70, 66),
        }
    }

    /// Septets or UTF-16 code units of a text; a character that the alphabet lacks counts one.
    #[must_use]
    pub fn units(self, text: &str) -> usize {
        text.chars().map(|c| self.units_of(c)).sum()
    }

    fn units_of(self, c: char) -> usize {
        match self {
            Self::Gsm7 => septet(c).map_or(1, |(is_escaped, _)| if is_escaped { 2 } else { 1 }),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

/// The characters that force a text out of the GSM alphabet, with their places (characters before them).
pub fn culprits(text: &str) -> impl Iterator<Item = (usize, char)> {
    text.chars().enumerate().filter(|(_, c)| septet(*c).is_none())
}

/// A text cut into its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// One for all parts.
    pub encoding: Encoding,
    /// In order; together they are the text. An empty text is one empty part.
    pub parts: Vec<&'a str>,
}

/// The encoding and the parts of a text, as carriers bill them.
#[must_use]
pub fn parts(text: &str) -> Parts<'_> {
    parts_by(text, Reference::Narrow)
}

/// The same with a reference of either width.
#[must_use]
pub fn parts_by(text: &str, reference: Reference) -> Parts<'_> {
    parts_in(text, Encoding::of(text), reference)
}

/// The same in an encoding that is wider than the text needs.
#[must_use]
pub fn parts_in(text: &str, encoding: Encoding, reference: Reference) -> Parts<'_> {
    let (single, several) = encoding.limits(reference);
    if encoding.units(text) <= single {
        return Parts { encoding, parts: vec![text] };
    }
    let earliest = earliest(text, encoding, several);
    let (mut parts, mut start) = (Vec::with_capacity(earliest.len()), 0);
    // what is left after each cut must fit the parts that are left
    for &least in earliest.iter().rev().skip(1) {
        let full = full(text, start, encoding, several);
        let cut = cluster(text, full);
        let cut = if cut > start && cut >= least { cut } else { full };
        parts.push(&text[start..cut]);
        start = cut;
    }
    Parts { encoding, parts }
}

/// For 0, 1, 2 … parts: the first place from which the rest of the text fits so many. The last entry is 0.
fn earliest(text: &str, encoding: Encoding, most: usize) -> Vec<usize> {
    let (mut places, mut used, mut start) = (vec![text.len()], 0, text.len());
    for (at, c) in text.char_indices().rev() {
        let units = encoding.units_of(c);
        if used + units > most {
            places.push(start);
            used = 0;
        }
        used += units;
        start = at;
    }
    places.push(start);
    places
}

/// The end of the longest part that begins at a place.
fn full(text: &str, start: usize, encoding: Encoding, most: usize) -> usize {
    let mut used = 0;
    let over = text[start..].char_indices().find(|(_, c)| {
        used += encoding.units_of(*c);
        used > most
    });
    over.map_or(text.len(), |(at, _)| start + at)
}

/// The beginning of the grapheme cluster that a cut at a place would fall into; the place itself where it is none.
fn cluster(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    // with the whole text at hand, it never asks for more
    match cursor.is_boundary(text, 0) {
        Ok(false) => cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(at),
        _ => at,
    }
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

    /// Texts of every kind, with much that must not be cut.
    pub fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z @_£é€{}\\[\r\n]{1,40}",
            "\\PC{1,20}",
            "[я你e\u{301}\u{200d}]{1,30}",
            proptest::sample::select(vec!["😀", "👍🏽", "🇫🇷", "👨‍👩‍👧‍👦", "नमस्ते", "e\u{301}\u{323}", "…", "\r\n"])
                .prop_map(str::to_owned),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    /// The least number of parts: each as full as it can be.
    fn least(text: &str, encoding: Encoding, reference: Reference) -> usize {
        let (single, several) = encoding.limits(reference);
        if encoding.units(text) <= single {
            return 1;
        }
        let (mut count, mut used) = (1, 0);
        for c in text.chars() {
            let units = encoding.units_of(c);
            if used + units > several {
                (count, used) = (count + 1, 0);
            }
            used += units;
        }
        count
    }

    #[test]
    fn the_alphabet_is_whole() {
        let of = |is_escaped| (0..=127).filter_map(|septet| character(is_escaped, septet)).count();
        assert_eq!((of(false), of(true)), (127, 10));
        assert_eq!((septet('Ç'), septet('ç'), septet('\u{1b}')), (Some((false, 9)), None, None));
        assert_eq!(septet('€'), Some((true, 0x65)));
        for c in '\0'..='\u{ffff}' {
            assert!(septet(c).is_none_or(|(is_escaped, septet)| character(is_escaped, septet) == Some(c)));
        }
    }

    #[test]
    fn parts_equal_those_of_a_foreign_implementation() {
        let golden: Vec<Golden> = serde_json::from_str(include_str!("../../tests/data/parts.json")).unwrap();
        assert!(golden.len() > 150);
        for row in golden {
            let ours = parts(&row.text);
            let lengths: Vec<usize> = ours.parts.iter().map(|p| p.chars().count()).collect();
            assert_eq!(
                (ours.encoding.as_str(), lengths.len()),
                (row.encoding.as_str(), row.parts.len()),
                "{:?}",
                row.text
            );
            // it cuts clusters
            if !row.text.contains(['\u{1f3fd}', '🇫', '\r']) {
                assert_eq!(lengths, row.parts, "{:?}", row.text);
            }
        }
    }

    #[test]
    fn an_escape_and_a_surrogate_pair_go_to_the_next_part_whole() {
        assert_eq!(parts(&format!("{0}€{0}", "a".repeat(152))).parts.len(), 3);
        assert_eq!(parts(&format!("{0}😀{0}", "a".repeat(66))).parts.len(), 3);
        assert_eq!(parts("").parts, [""]);
    }

    #[test]
    fn a_wide_reference_takes_a_septet_or_a_code_unit() {
        let lengths = |text: &str, reference| -> Vec<usize> {
            parts_by(text, reference).parts.iter().map(|part| part.chars().count()).collect()
        };
        assert_eq!(lengths(&"a".repeat(306), Reference::Narrow), [153, 153]);
        assert_eq!(lengths(&"a".repeat(306), Reference::Wide), [152, 152, 2]);
        assert_eq!(lengths(&"я".repeat(134), Reference::Narrow), [67, 67]);
        assert_eq!(lengths(&"я".repeat(134), Reference::Wide), [66, 66, 2]);
        assert_eq!(lengths(&"a".repeat(160), Reference::Wide), [160]);
    }

    #[test]
    fn a_cluster_goes_to_the_next_part_whole_unless_that_takes_one_part_more() {
        let family = "👨‍👩‍👧‍👦";
        let roomy = format!("{}{family}{}", "я".repeat(60), "я".repeat(20));
        assert_eq!(parts(&roomy).parts, [&"я".repeat(60), &format!("{family}{}", "я".repeat(20))]);
        let tight = format!("{}{family}{}", "я".repeat(60), "я".repeat(60));
        assert_eq!(parts(&tight).parts.len(), 2);
        assert!(parts(&tight).parts[0].ends_with('\u{200d}'), "131 units leave room for 3 only: cut within");
        let lines = format!("{}\r\n{}", "a".repeat(152), "b".repeat(50));
        assert_eq!(parts(&lines).parts, ["a".repeat(152), format!("\r\n{}", "b".repeat(50))]);
        let marks = format!("e{}", "\u{301}".repeat(200));
        assert_eq!(parts(&marks).parts.len(), 3, "a cluster longer than a part is cut");
    }

    #[test]
    fn culprits_are_told_with_their_places() {
        assert_eq!(culprits("it’s ok…").collect::<Vec<_>>(), [(2, '’'), (7, '…')]);
        assert_eq!(culprits("it's ok {€}").count(), 0);
    }

    proptest! {
        #[test]
        fn parts_hold_the_whole_text_within_their_limits(text in any_text(), is_wide: bool) {
            let reference = if is_wide { Reference::Wide } else { Reference::Narrow };
            let cut = parts_by(&text, reference);
            prop_assert_eq!(cut.parts.concat(), &*text);
            prop_assert_eq!(cut.parts.len(), least(&text, cut.encoding, reference));
            let (single, several) = cut.encoding.limits(reference);
            let most = if cut.parts.len() == 1 { single } else { several };
            for part in &cut.parts {
                prop_assert!(cut.encoding.units(part) <= most);
                prop_assert!(text.is_empty() || !part.is_empty());
            }
        }

        #[test]
        fn a_cut_within_a_cluster_saves_a_part(text in any_text()) {
            let cut = parts(&text);
            let (_, several) = cut.encoding.limits(Reference::Narrow);
            let (mut start, mut left) = (0, cut.parts.len());
            for part in &cut.parts {
                let (end, before) = (start + part.len(), cluster(&text, start + part.len()));
                left -= 1;
                if before < end && before > start {
                    let rest = earliest(&text[before..], cut.encoding, several).len() - 1;
                    prop_assert!(rest > left, "could have been cut before the cluster");
                }
                start = end;
            }
        }
    }
}
