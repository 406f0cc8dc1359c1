//! Smart encoding: characters that only look like ones of the GSM alphabet (curly quotes, dashes, ellipses, spaces that
//! do not break, what is not seen at all) are written as those, but only if the whole text then fits the alphabet and has
//! no part more than before. A text with a link or a one-time code is left as it is: there, each character counts.
//! Whoever asks gets both texts, and keeps both.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::encoding::{self, Encoding};

static TABLE: &str = include_str!("data/lookalikes.tsv");

/// Where the accents that stand apart are.
const MARKS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';

/// What is written instead, by a character and, where its accent stands apart, by that.
static LOOKALIKES: LazyLock<HashMap<(char, Option<char>), String>> =
    LazyLock::new(|| TABLE.lines().filter_map(row).collect());

fn row(line: &str) -> Option<((char, Option<char>), String)> {
    let mut columns = line.split('\t').map(|column| {
        let points =
            column.split_whitespace().map(|point| u32::from_str_radix(point, 16).ok().and_then(char::from_u32));
        points.collect::<Option<Vec<char>>>()
    });
    let (from, to) = (columns.next()??, columns.next()??);
    Some(((*from.first()?, from.get(1).copied()), to.into_iter().collect()))
}

/// What smart encoding made of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The text fits the GSM alphabet now.
    Applied,
    /// It did before.
    NotNeeded,
    /// Some characters have no look-alike in the alphabet.
    DoesNotFit,
    /// It would have more parts than before, or nothing would be left of it.
    NoGain,
    /// It holds a link or an address.
    Link,
    /// It holds a one-time code.
    Code,
}

impl Verdict {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Applied, Self::NotNeeded, Self::DoesNotFit, Self::NoGain, Self::Link, Self::Code];

    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::NotNeeded => "not_needed",
            Self::DoesNotFit => "does_not_fit",
            Self::NoGain => "no_gain",
            Self::Link => "link",
            Self::Code => "code",
        }
    }

    /// For people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Applied => "the whole text fits the GSM alphabet",
            Self::NotNeeded => "the text is in the GSM alphabet as it is",
            Self::DoesNotFit => "left as it is: not every character has a look-alike in the GSM alphabet",
            Self::NoGain => "left as it is: it would have more parts, or be empty",
            Self::Link => "left as it is: it holds a link or an address",
            Self::Code => "left as it is: it holds a one-time code",
        }
    }
}

/// A text before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smart<'a> {
    /// As it was written.
    pub original: &'a str,
    /// As it is to be sent; the same unless applied.
    pub sent: Cow<'a, str>,
    /// What was done, or why not.
    pub verdict: Verdict,
}

/// Writes look-alikes where that brings the whole text into the GSM alphabet.
#[must_use]
pub fn smart(text: &str) -> Smart<'_> {
    let left = |verdict| Smart { original: text, sent: Cow::Borrowed(text), verdict };
    if Encoding::of(text) == Encoding::Gsm7 {
        return left(Verdict::NotNeeded);
    }
    let Some(sent) = written(text) else { return left(Verdict::DoesNotFit) };
    // also one that leaving out what is not seen would make
    if [text, &sent].iter().any(|text| text.split_whitespace().any(is_link)) {
        return left(Verdict::Link);
    }
    if holds_code(text) || holds_code(&sent) {
        return left(Verdict::Code);
    }
    if sent.trim().is_empty() || encoding::parts(&sent).parts.len() > encoding::parts(text).parts.len() {
        return left(Verdict::NoGain);
    }
    Smart { original: text, sent: Cow::Owned(sent), verdict: Verdict::Applied }
}

/// The text in the GSM alphabet; none where a character has no look-alike.
fn written(text: &str) -> Option<String> {
    let (mut written, mut rest) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = rest.next() {
        let accent = rest.peek().filter(|&&next| MARKS.contains(&next));
        let with_accent = accent.and_then(|accent| LOOKALIKES.get(&(c, Some(*accent))));
        if let Some(whole) = with_accent {
            written.push_str(whole);
            rest.next();
        } else if encoding::septet(c).is_some() {
            written.push(c);
        } else {
            written.push_str(LOOKALIKES.get(&(c, None))?);
        }
    }
    Some(written)
}

/// Whether a word leads somewhere: a scheme, or labels with dots of which the last is a word (`mill.example`, also in
/// an address). What was written without a space after its full stop is taken for one, to be on the safe side.
fn is_link(word: &str) -> bool {
    let lower = word.to_lowercase();
    if lower.contains("://") || ["mailto:", "tel:", "sms:", "www."].iter().any(|scheme| lower.contains(scheme)) {
        return true;
    }
    let of_host = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '\u{ad}' | '\u{2010}'..='\u{2015}');
    lower.split(|c| !of_host(c)).any(|host| {
        let mut labels = host.trim_matches('.').rsplit('.');
        let is_word =
            labels.next().is_some_and(|last| last.chars().count() > 1 && last.chars().all(char::is_alphabetic));
        let mut before = labels.peekable();
        is_word && before.peek().is_some() && before.all(|label| !label.is_empty())
    })
}

/// Words that stand beside one-time codes.
const CODE_WORDS: [&str; 17] = [
    "code",
    "codes",
    "passcode",
    "password",
    "passwort",
    "pin",
    "otp",
    "tan",
    "2fa",
    "token",
    "verification",
    "verify",
    "one-time",
    "código",
    "codigo",
    "codice",
    "kod",
];

/// Whether a text holds a word for codes and four to ten letters and digits with a digit, or the form that binds a code to
/// a site (`@mill.example #123456`).
fn holds_code(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words = || lower.split(|c: char| !c.is_alphanumeric() && c != '-');
    let is_code = |word: &str| {
        let word = word.replace('-', "");
        (4..=10).contains(&word.chars().count()) && word.chars().any(char::is_numeric)
    };
    let is_bound = || lower.lines().any(|line| line.starts_with('@') && line.contains('#'));
    (words().any(|word| CODE_WORDS.contains(&word)) && words().any(is_code)) || is_bound()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(text: &str) -> Verdict {
        let smart = smart(text);
        assert!(smart.verdict == Verdict::Applied || smart.sent == text, "{text:?}");
        assert_eq!(smart.original, text);
        smart.verdict
    }

    #[test]
    fn look_alikes_are_written_where_the_whole_text_fits_then() {
        for (text, sent) in [
            ("it’s “fine” – ok…", "it's \"fine\" - ok..."),
            ("\u{feff}three\u{a0}tins\u{200b}, please", "three tins, please"),
            ("cafe\u{301} a\u{30a}", "café å"),
            ("１２３！", "123!"),
            ("10\u{2212}3 `x`", "10-3 'x'"),
            ("a\u{2028}b\tc", "a\nb c"),
        ] {
            assert_eq!((smart(text).sent.as_ref(), smart(text).verdict), (sent, Verdict::Applied));
        }
        assert_eq!(verdict("it's fine"), Verdict::NotNeeded);
        assert_eq!(verdict("it’s fine 😀"), Verdict::DoesNotFit);
        assert_eq!(verdict("it’s ça"), Verdict::DoesNotFit, "no letter becomes another");
    }

    #[test]
    fn no_part_more_and_nothing_empty() {
        assert_eq!(verdict(&"…".repeat(70)), Verdict::NoGain);
        assert_eq!(verdict("\u{200b}\u{feff}"), Verdict::NoGain);
        assert_eq!(verdict(&"…".repeat(53)), Verdict::Applied);
    }

    #[test]
    fn links_and_codes_are_left_as_they_are() {
        for text in [
            "see https://mill.example/a–b",
            "it’s at mill.example",
            "it’s at Mill.Example/x?y.",
            "write to otter@mill.example – soon",
            "it’s www.mill",
            "it’s bär.example, go",
            "it’s mill\u{200b}.example",
            "it’s mill．example",
        ] {
            assert_eq!(verdict(text), Verdict::Link, "{text}");
        }
        for text in ["it’s your code: 123456", "Your PIN – 4711", "it’s the code G-123456", "here’s\n@mill #123456"]
        {
            assert_eq!(verdict(text), Verdict::Code, "{text}");
        }
        for text in ["it’s 12.30, e.g. now… or not...ok", "it’s 3.50", "order 4471 isn’t here", "it’s a code", "hm…"]
        {
            assert_eq!(verdict(text), Verdict::Applied, "{text}");
        }
    }

    #[test]
    fn the_table_leads_into_the_alphabet_and_changes_nothing_that_is_in_it() {
        let rows: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(LOOKALIKES.len() == rows.len() && rows.len() > 150);
        for ((c, accent), instead) in LOOKALIKES.iter() {
            assert_eq!(Encoding::of(instead), Encoding::Gsm7);
            assert!(accent.is_none_or(|accent| MARKS.contains(&accent)));
            assert!(accent.is_some() || encoding::septet(*c).is_none(), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_fits_and_takes_no_part_more(text in "[a-z’“”…–\u{a0}\u{200b}e\u{301}😀]{0,200}|\\PC{0,100}") {
            let smart = smart(&text);
            if smart.verdict == Verdict::Applied {
                    prop_assert_eq!(Encoding::of(&smart.sent), Encoding::Gsm7);
                    prop_assert!(encoding::parts(&smart.sent).parts.len() <= encoding::parts(&text).parts.len());
            } else {
                prop_assert_eq!(&*smart.sent, &*text);
            }
        }
    }
}
