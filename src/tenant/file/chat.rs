//! What web chat needs of a tenant file: the origins of a point of contact, and `[[quick_replies]]`.

use super::super::reader::{At, Part, Reader, article};
use crate::chat::origin;
use crate::facts::ids::Slug;

/// `[[quick_replies]]`: words that agents send often.
#[derive(Clone, Debug)]
pub struct QuickReply {
    /// Slug; what is typed after `/`.
    pub id: Option<At<Slug>>,
    /// On screen.
    pub title: Option<At<String>>,
    /// What is put into the composer.
    pub text: Option<At<String>>,
    /// Only for contacts of this skill.
    pub skill: Option<At<Slug>>,
    /// Only in this language.
    pub language: Option<At<String>>,
}

impl Reader<'_> {
    pub(super) fn quick_reply(&mut self, part: Part<'_>) -> QuickReply {
        self.known(part, &["id", "title", "text", "skill", "language"]);
        QuickReply {
            id: self.slug(part, "id"),
            title: self.required(part, "title", "\"Opening hours\"").and_then(|at| self.sized(at, "title", 100)),
            text: self.required(part, "text", "\"We are open …\"").and_then(|at| self.sized(at, "text", 1600)),
            skill: part.table.get("skill").and_then(|_| self.slug(part, "skill")),
            language: self.language(part),
        }
    }

    fn language(&mut self, part: Part<'_>) -> Option<At<String>> {
        let at = self.text(part, "language")?;
        if crate::chat::is_language(&at.value) {
            return Some(at);
        }
        let instead = "write language = \"en\", or another one's code of BCP 47, as \"pt-BR\"";
        self.say(at.line, &format!("{:?} is no language", at.value), instead);
        None
    }

    /// Whose pages may talk to a chat; empty where the key is not there.
    pub(super) fn origins(&mut self, part: Part<'_>) -> Vec<At<String>> {
        const INSTEAD: &str = "write origins = [\"https://www.example.com\"], or [] for none";
        let Some(value) = part.table.get("origins") else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.say(self.line(value), &format!("origins is {}", article(value.get_ref())), INSTEAD);
            return Vec::new();
        };
        let mut origins: Vec<At<String>> = Vec::new();
        for element in array {
            let line = self.line(element);
            let Some(text) = element.get_ref().as_str() else {
                self.say(line, &format!("origins holds {}", article(element.get_ref())), INSTEAD);
                continue;
            };
            match origin::canonical(text) {
                Some(canonical) if canonical == text => origins.push(At { value: canonical, line }),
                Some(canonical) => {
                    let what = format!("{text:?} is not an origin as browsers write it");
                    self.say(line, &what, &format!("write {canonical:?}"));
                }
                None => self.say(line, &format!("{text:?} is no origin"), INSTEAD),
            }
        }
        origins.sort_by(|a, b| a.value.cmp(&b.value));
        origins.dedup_by(|a, b| a.value == b.value);
        origins
    }
}
