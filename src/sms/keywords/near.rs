//! Near-misses: texts that look like a withdrawal of consent without being a keyword. A phrase of the lists, a keyword
//! among polite words, or a keyword with a typing error; never a substring. They act on nothing: an agent decides.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::{Lists, WORDS, Wish, keyword};

/// A longer text is not judged: a story that says "stop" somewhere, or an advertisement that says how to.
const MOST_WORDS: usize = 40;
/// Most words around a keyword: "could you please just stop it now, thanks".
const MOST_POLITE: usize = 8;
/// A keyword of fewer letters is too near to too many words.
const SHORTEST: usize = 4;
/// From so many letters on two errors are allowed.
const LONG: usize = 9;

/// What the lists of one language come to.
struct Near {
    lists: &'static Lists,
    polite: HashSet<&'static str>,
    never: HashSet<&'static str>,
    /// Phrases by their first word.
    phrases: HashMap<&'static str, Vec<Vec<&'static str>>>,
}

static NEAR: LazyLock<Vec<Near>> = LazyLock::new(|| {
    let of = |lists: &'static Lists| {
        let mut phrases: HashMap<&str, Vec<Vec<&str>>> = HashMap::new();
        for phrase in &lists.near {
            let words: Vec<&str> = phrase.split(' ').collect();
            if let Some(first) = words.first() {
                phrases.entry(first).or_default().push(words.clone());
            }
        }
        let set = |words: &'static [String]| words.iter().map(String::as_str).collect();
        Near { lists, polite: set(&lists.polite), never: set(&lists.never), phrases }
    };
    WORDS.language.iter().chain([&WORDS.everywhere]).map(of).collect()
});

/// Whether a text that is no keyword looks like a withdrawal of consent by this customer.
#[must_use]
pub fn is_near_miss(text: &str, customer_number: &str) -> bool {
    let bare: String = text.chars().filter(|c| !matches!(c, '\'' | '’' | '`')).flat_map(char::to_uppercase).collect();
    let words: Vec<&str> = bare.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() || words.len() > MOST_WORDS || is_opt_out(text, customer_number) {
        return false;
    }
    let counting: Vec<&Near> = NEAR.iter().filter(|near| near.lists.counts_for(customer_number)).collect();
    has_phrase(&counting, &words) || (words.len() <= MOST_POLITE && is_wrapped(&counting, &words, customer_number))
}

fn is_opt_out(text: &str, customer_number: &str) -> bool {
    keyword(text, customer_number).is_some_and(|keyword| keyword.wish != Wish::Yes)
}

fn has_phrase(counting: &[&Near], words: &[&str]) -> bool {
    (0..words.len()).any(|from| {
        let phrases = counting.iter().filter_map(|near| near.phrases.get(words[from])).flatten();
        phrases.into_iter().any(|phrase| phrase.len() > 1 && words[from..].starts_with(phrase))
    })
}

/// A keyword, one with a typing error, or a listed word among words of courtesy.
fn is_wrapped(counting: &[&Near], words: &[&str], customer_number: &str) -> bool {
    let mut core: Vec<&str> =
        words.iter().copied().filter(|word| !counting.iter().any(|near| near.polite.contains(word))).collect();
    core.dedup();
    if core.is_empty() {
        return false;
    }
    let is_stop = keyword(&core.join(" "), customer_number).is_some_and(|keyword| keyword.wish == Wish::Stop);
    let [word] = core[..] else { return is_stop };
    let is_listed = || {
        let mut phrases = counting.iter().filter_map(|near| near.phrases.get(word)).flatten();
        phrases.any(|phrase| phrase.len() == 1)
    };
    is_stop || is_listed() || has_typing_error(counting, word)
}

fn has_typing_error(counting: &[&Near], word: &str) -> bool {
    if word.chars().count() < SHORTEST || counting.iter().any(|near| near.never.contains(word)) {
        return false;
    }
    let listed = counting.iter().flat_map(|near| &near.lists.stop);
    listed.filter(|stop| !stop.contains(' ')).any(|stop| {
        let letters = stop.chars().count();
        let bound = if letters >= LONG { 2 } else { 1 };
        letters >= SHORTEST && (1..=bound).contains(&strsim::osa_distance(stop, word))
    })
}
