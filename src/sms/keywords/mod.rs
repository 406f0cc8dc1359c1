//! The words by which a customer opts out, opts in again, asks for help or says yes, by language and country: data
//! (words.toml). Only a text that is nothing but such a word counts: capitals, surrounding punctuation and the width of
//! spaces apart. What only looks like a withdrawal is judged in `near.rs`; whether a yes was asked for is the ledger's.

mod near;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

pub use near::is_near_miss;

use crate::tenant::rules;

/// The flag of an entry that looks like a withdrawal of consent and acts on nothing by itself.
pub const MAYBE_OPT_OUT: &str = "maybe_opt_out";

/// What a word asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
    /// Who is this?
    Help,
    /// An answer: an opt-in where one was asked for, else a text like any other.
    Yes,
}

/// A word and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// What it asks for.
    pub wish: Wish,
    /// As listed, in capitals.
    pub word: &'static str,
    /// Of which language, ISO 639; none: it counts everywhere.
    pub language: Option<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
struct Words {
    everywhere: Lists,
    #[serde(default)]
    language: Vec<Lists>,
}

/// The lists of a language, in capitals.
#[derive(Debug, Default, Deserialize)]
struct Lists {
    #[serde(default)]
    id: String,
    #[serde(default)]
    countries: Vec<String>,
    stop: Vec<String>,
    #[serde(default)]
    start: Vec<String>,
    #[serde(default)]
    help: Vec<String>,
    #[serde(default)]
    yes: Vec<String>,
    #[serde(default)]
    polite: Vec<String>,
    #[serde(default)]
    near: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
}

impl Lists {
    /// The language, where it is one.
    fn language(&self) -> Option<&str> {
        Some(self.id.as_str()).filter(|id| !id.is_empty())
    }

    /// Whether it counts for a customer's number: in its countries, or everywhere.
    fn counts_for(&self, number: &str) -> bool {
        let Some(digits) = number.strip_prefix('+') else { return self.countries.is_empty() };
        let mut codes = self.countries.iter().filter_map(|id| rules::country(id)).map(|country| country.calling_code);
        self.countries.is_empty() || codes.any(|code| digits.starts_with(code))
    }
}

// that it can be read is a test's business
static WORDS: LazyLock<Words> = LazyLock::new(|| toml::from_str(include_str!("words.toml")).unwrap_or_default());

/// Every keyword by its word, the languages' own before those that count everywhere.
static EXACT: LazyLock<HashMap<&'static str, Vec<(&'static Lists, Keyword)>>> = LazyLock::new(|| {
    let mut all: HashMap<&str, Vec<(&Lists, Keyword)>> = HashMap::new();
    for lists in WORDS.language.iter().chain([&WORDS.everywhere]) {
        let of = [
            (Wish::Stop, &lists.stop),
            (Wish::Start, &lists.start),
            (Wish::Help, &lists.help),
            (Wish::Yes, &lists.yes),
        ];
        for (wish, words) in of {
            for word in words {
                all.entry(word).or_default().push((lists, Keyword { wish, word, language: lists.language() }));
            }
        }
    }
    all
});

/// Longer than any word with room for punctuation: no need to look.
const LONGEST: usize = 200;

/// The keyword that a whole text of this customer is, if it is one.
#[must_use]
pub fn keyword(text: &str, customer_number: &str) -> Option<Keyword> {
    if text.len() > LONGEST {
        return None;
    }
    let bare = text.trim_matches(is_apart).to_uppercase();
    let words: Vec<&str> = bare.split(|c: char| c.is_whitespace() || is_hyphen(c)).filter(|w| !w.is_empty()).collect();
    let listed = EXACT.get(words.join(" ").as_str())?;
    listed.iter().find(|(lists, _)| lists.counts_for(customer_number)).map(|(_, keyword)| *keyword)
}

/// The language that texts to a customer may be in: the word's, else that of the number's country. Where a calling code has
/// several languages (+1, +41) only the word can tell.
#[must_use]
pub fn language_of(keyword: Keyword, customer_number: &str) -> Option<&'static str> {
    let mut fitting = WORDS.language.iter().filter(|lists| lists.counts_for(customer_number));
    keyword.language.or_else(|| match (fitting.next(), fitting.next()) {
        (Some(only), None) => only.language(),
        _ => None,
    })
}

/// The languages that there are words of.
pub fn languages() -> impl Iterator<Item = &'static str> {
    WORDS.language.iter().filter_map(Lists::language)
}

fn is_hyphen(c: char) -> bool {
    c == '-' || ('\u{2010}'..='\u{2015}').contains(&c)
}

/// Spaces and punctuation around a word.
fn is_apart(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || c.is_ascii_punctuation()
        || matches!(c, '¡' | '¿' | '«' | '»' | '·' | '\u{FEFF}' | '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{303F}' | '\u{FF01}'..='\u{FF0F}')
}

#[cfg(test)]
mod tests;
