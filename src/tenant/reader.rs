//! Reads one TOML table after another: values with their lines, and every mistake of form in words that say what to
//! write instead. Knows nothing of tenants.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::facts::ids::Slug;

/// A value and its line.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// What stands there.
    pub value: T,
    /// From 1.
    pub line: usize,
}

/// Something wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl Mistake {
    /// As people read it: `file:line: what is wrong; what to write instead`.
    #[must_use]
    pub fn sentence(&self, file: &str) -> String {
        format!("{file}:{}: {}; {}", self.line, self.what, self.instead)
    }
}

/// The line, from 1, of a place in a text.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Collects mistakes on its way.
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) mistakes: &'t mut Vec<Mistake>,
    /// What is missing may stand in the part that could not be read: not reported.
    pub(super) is_broken: bool,
}

/// A table with the word for it in sentences.
#[derive(Clone, Copy)]
pub(super) struct Part<'t> {
    pub(super) what: &'static str,
    pub(super) line: usize,
    pub(super) table: &'t DeTable<'t>,
}

impl Reader<'_> {
    pub(super) fn list<T>(
        &mut self,
        top: Part<'_>,
        key: &'static str,
        what: &'static str,
        item: fn(&mut Self, Part<'_>) -> T,
    ) -> Vec<T> {
        let Some(value) = top.table.get(key) else { return Vec::new() };
        let instead = format!("write [[{key}]] before each");
        let Some(array) = value.get_ref().as_array() else {
            self.say(self.line(value), &format!("{key} is {}", article(value.get_ref())), &instead);
            return Vec::new();
        };
        let mut items = Vec::new();
        for element in array {
            let line = self.line(element);
            match element.get_ref().as_table() {
                Some(table) => items.push(item(self, Part { what, line, table })),
                None => self.say(line, &format!("{key} holds {}", article(element.get_ref())), &instead),
            }
        }
        items
    }

    /// A table under a key, where the key is there.
    pub(super) fn table<'t>(
        &mut self,
        part: Part<'t>,
        key: &str,
        what: &'static str,
        instead: &str,
    ) -> Option<Part<'t>> {
        let value = part.table.get(key)?;
        let line = self.line(value);
        let Some(table) = value.get_ref().as_table() else {
            self.say(line, &format!("{key} is no table"), instead);
            return None;
        };
        Some(Part { what, line, table })
    }

    pub(super) fn say(&mut self, line: usize, what: &str, instead: &str) {
        self.mistakes.push(Mistake { line, what: what.to_owned(), instead: instead.to_owned() });
    }

    pub(super) fn line(&self, value: &Spanned<DeValue<'_>>) -> usize {
        line_of(self.text, value.span().start)
    }

    pub(super) fn known(&mut self, part: Part<'_>, keys: &[&str]) {
        for key in part.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let instead = match nearest(key.get_ref(), keys.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("keys here are {}", keys.join(", ")),
            };
            let line = line_of(self.text, key.span().start);
            self.say(line, &format!("{} has no key {}", part.what, key.get_ref()), &instead);
        }
    }

    pub(super) fn missing(&mut self, part: Part<'_>, key: &str, example: &str) {
        if !self.is_broken {
            self.say(part.line, &format!("{} lacks {key}", part.what), &format!("write {key} = {example}"));
        }
    }

    pub(super) fn text(&mut self, part: Part<'_>, key: &str) -> Option<At<String>> {
        let value = part.table.get(key)?;
        let line = self.line(value);
        let Some(text) = value.get_ref().as_str() else {
            let what = format!("{key} is {}", article(value.get_ref()));
            self.say(line, &what, &format!("write it in double quotes: {key} = \"…\""));
            return None;
        };
        if text.contains('\0') {
            self.say(line, &format!("{key} holds the character NUL"), "leave it out");
            return None;
        }
        Some(At { value: text.to_owned(), line })
    }

    pub(super) fn sized(&mut self, at: At<String>, key: &str, most: usize) -> Option<At<String>> {
        let length = at.value.trim().chars().count();
        if (1..=most).contains(&length) {
            return Some(at);
        }
        self.say(at.line, &format!("{key} has {length} characters"), &format!("write 1 to {most}"));
        None
    }

    pub(super) fn required(&mut self, part: Part<'_>, key: &str, example: &str) -> Option<At<String>> {
        if !part.table.contains_key(key) {
            self.missing(part, key, example);
        }
        self.text(part, key)
    }

    pub(super) fn slug(&mut self, part: Part<'_>, key: &str) -> Option<At<Slug>> {
        let at = self.required(part, key, "\"a-slug\"")?;
        self.as_slug(&at.value, at.line)
    }

    pub(super) fn as_slug(&mut self, text: &str, line: usize) -> Option<At<Slug>> {
        match Slug::new(text) {
            Ok(value) => Some(At { value, line }),
            Err(error) => {
                let sentence = error.to_string();
                let (what, instead) = sentence.split_once(": ").unwrap_or((&sentence, "write another"));
                self.say(line, what, instead);
                None
            }
        }
    }

    pub(super) fn word(&mut self, part: Part<'_>, key: &str, words: &[&str]) -> Option<At<String>> {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let at = self.required(part, key, &quoted.join(" or "))?;
        if words.contains(&at.value.as_str()) {
            return Some(at);
        }
        let instead = format!("write {key} = {}", quoted.join(" or "));
        self.say(at.line, &format!("{key} {:?} is not known", at.value), &instead);
        None
    }

    /// A list of slugs, empty where the key is not there.
    pub(super) fn slugs(&mut self, part: Part<'_>, key: &str) -> Vec<At<Slug>> {
        let Some(value) = part.table.get(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            let what = format!("{key} is {}", article(value.get_ref()));
            self.say(self.line(value), &what, &format!("write {key} = [\"a-slug\", \"another\"]"));
            return Vec::new();
        };
        let mut slugs = Vec::new();
        for element in array {
            let line = self.line(element);
            if let Some(text) = element.get_ref().as_str() {
                slugs.extend(self.as_slug(text, line));
            } else {
                let what = format!("{key} holds {}", article(element.get_ref()));
                self.say(line, &what, "write each in double quotes");
            }
        }
        slugs
    }

    pub(super) fn switch(&mut self, part: Part<'_>, key: &str) -> Option<At<bool>> {
        let Some(value) = part.table.get(key) else {
            self.missing(part, key, "true");
            return None;
        };
        let line = self.line(value);
        let Some(is_on) = value.get_ref().as_bool() else {
            self.say(line, &format!("{key} is {}", article(value.get_ref())), &format!("write {key} = true or false"));
            return None;
        };
        Some(At { value: is_on, line })
    }

    /// A switch that may be left out, and is off then.
    pub(super) fn yes(&mut self, part: Part<'_>, key: &str) -> bool {
        part.table.contains_key(key) && self.switch(part, key).is_some_and(|at| at.value)
    }

    pub(super) fn number(&mut self, part: Part<'_>, key: &str, range: RangeInclusive<i32>) -> Option<i32> {
        self.as_number(part.table.get(key)?, key, &range)
    }

    pub(super) fn as_number(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        name: &str,
        range: &RangeInclusive<i32>,
    ) -> Option<i32> {
        let integer = value.get_ref().as_integer();
        let number = integer.and_then(|n| i32::from_str_radix(n.as_str(), n.radix()).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let found = integer.map_or_else(|| article(value.get_ref()).to_owned(), |n| n.as_str().to_owned());
        let instead = format!("write a whole number from {} to {}", range.start(), range.end());
        self.say(self.line(value), &format!("{name} is {found}"), &instead);
        None
    }
}

/// What a value is, in words.
pub(super) fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The word that was probably meant.
#[must_use]
pub fn nearest<'w>(written: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let bound = (written.chars().count() / 3).clamp(1, 4);
    words
        .map(|word| (strsim::osa_distance(written, word), word))
        .filter(|near| near.0 <= bound)
        .min()
        .map(|near| near.1)
}
