//! `[consent]` and `[texts]` of the tenant file: how wide a STOP reaches, what asks for a double opt-in, answers in other languages, and
//! the flood limit of a sender.

use serde_json::{Map, Value};

use super::reader::{At, Part, Reader};
use crate::sms::keywords;

/// What a STOP reaches, by the word in the file.
const SCOPES: &[&str] = &["number", "tenant"];
/// Answers that may be in other languages.
const TEXTS: &[&str] = &["stop", "start", "help"];

/// The section; where it is left out, its defaults.
#[derive(Clone, Debug)]
pub struct Consent {
    scope: Option<At<String>>,
    ask: Option<At<String>>,
    /// By language and text.
    texts: Map<String, Value>,
    /// More texts of one sender to one number within the span open and queue nothing.
    pub flood_texts: i32,
    /// The span, in seconds.
    pub flood_s: i32,
}

impl Default for Consent {
    fn default() -> Self {
        Self { scope: None, ask: None, texts: Map::new(), flood_texts: 60, flood_s: 300 }
    }
}

impl Consent {
    /// `number` or `tenant`.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.scope.as_ref().map_or("number", |at| at.value.as_str())
    }

    /// What asks for a double opt-in.
    #[must_use]
    pub fn ask(&self, name: &str) -> String {
        let default = || format!("{name}: reply YES to get our texts, STOP to get none.");
        self.ask.as_ref().map_or_else(default, |at| at.value.clone())
    }

    /// Answers in other languages; none: null.
    #[must_use]
    pub fn texts(&self) -> Value {
        if self.texts.is_empty() { Value::Null } else { Value::Object(self.texts.clone()) }
    }
}

impl Reader<'_> {
    /// `[texts]`: answers to STOP, START and HELP.
    pub(super) fn texts(&mut self, top: Part<'_>) -> [Option<At<String>>; 3] {
        const INSTEAD: &str = "write [texts] with stop, start and help under it";
        let Some(part) = self.table(top, "texts", "[texts]", INSTEAD) else { return [const { None }; 3] };
        self.known(part, &["stop", "start", "help"]);
        ["stop", "start", "help"].map(|key| self.text(part, key).and_then(|at| self.sized(at, key, 1600)))
    }

    pub(super) fn consent(&mut self, top: Part<'_>) -> Consent {
        const INSTEAD: &str = "write [consent] with scope = \"number\" or \"tenant\" under it";
        let Some(part) = self.table(top, "consent", "[consent]", INSTEAD) else { return Consent::default() };
        self.known(part, &["scope", "ask", "texts", "flood_texts", "flood_s"]);
        Consent {
            scope: part.table.get("scope").and_then(|_| self.word(part, "scope", SCOPES)),
            ask: self.text(part, "ask").and_then(|at| self.sized(at, "ask", 1600)),
            texts: self.other_texts(part),
            flood_texts: self.number(part, "flood_texts", 1..=10_000).unwrap_or(60),
            flood_s: self.number(part, "flood_s", 1..=86_400).unwrap_or(300),
        }
    }

    fn other_texts(&mut self, part: Part<'_>) -> Map<String, Value> {
        const INSTEAD: &str = "write [consent.texts.fr] with stop, start or help under it";
        let mut all = Map::new();
        let Some(part) = self.table(part, "texts", "[consent.texts]", INSTEAD) else { return all };
        let languages: Vec<&str> = keywords::languages().collect();
        self.known(part, &languages);
        for language in languages {
            let Some(part) = self.table(part, language, "the language", INSTEAD) else { continue };
            self.known(part, &["stop", "start", "help"]);
            let mut texts = Map::new();
            for name in TEXTS {
                let text = self.text(part, name).and_then(|at| self.sized(at, name, 1600));
                texts.extend(text.map(|at| ((*name).to_owned(), Value::String(at.value))));
            }
            if !texts.is_empty() {
                all.insert(language.to_owned(), Value::Object(texts));
            }
        }
        all
    }
}
