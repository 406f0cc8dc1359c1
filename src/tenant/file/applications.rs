//! `[[applications]]`: programs that send texts by the gateway.

use super::super::reader::{At, Part, Reader, article};
use crate::facts::ids::Slug;
use crate::facts::purpose::Purpose;
use crate::outside;

/// `[[applications]]`.
#[derive(Clone, Debug)]
pub struct Application {
    /// Slug.
    pub id: Option<At<Slug>>,
    /// What it signs in with.
    pub account: Option<At<String>>,
    /// The file with its token.
    pub token_file: Option<At<String>>,
    /// The file with the token that comes next.
    pub token_next_file: Option<At<String>>,
    /// Points of contact or their numbers; absent: all.
    pub numbers: Option<Vec<At<String>>>,
    /// What its texts are for.
    pub purpose: Purpose,
    /// Where it hears customers' texts.
    pub inbound_url: Option<At<String>>,
    /// Where it hears what became of its own.
    pub status_url: Option<At<String>>,
}

impl Reader<'_> {
    pub(super) fn application(&mut self, part: Part<'_>) -> Application {
        #[rustfmt::skip]
        self.known(part, &["id", "account", "token_file", "token_next_file", "numbers", "purpose", "inbound_url", "status_url"]);
        let purposes = Purpose::ALL.map(Purpose::as_str);
        let purpose = part.table.get("purpose").and_then(|_| self.word(part, "purpose", &purposes));
        Application {
            id: self.slug(part, "id"),
            account: self.account(part),
            token_file: self
                .required(part, "token_file", "\"/run/secrets/…\": a file that holds the token alone")
                .and_then(|at| self.sized(at, "token_file", 1000)),
            token_next_file: self.text(part, "token_next_file").and_then(|at| self.sized(at, "token_next_file", 1000)),
            numbers: self.numbers(part),
            purpose: purpose.and_then(|at| Purpose::of(&at.value)).unwrap_or(Purpose::Informational),
            inbound_url: self.web_address(part, "inbound_url"),
            status_url: self.web_address(part, "status_url"),
        }
    }

    fn account(&mut self, part: Part<'_>) -> Option<At<String>> {
        const EXAMPLE: &str = "\"AC\" and 32 of 0-9 and a-f";
        let at = self.required(part, "account", EXAMPLE)?;
        if is_account(&at.value) {
            return Some(at);
        }
        self.say(at.line, &format!("{:?} is no account", at.value), &format!("write account = {EXAMPLE}"));
        None
    }

    fn web_address(&mut self, part: Part<'_>, key: &str) -> Option<At<String>> {
        let at = self.text(part, key)?;
        if outside::is_address(&at.value) {
            return Some(at);
        }
        let instead = format!("write {key} = \"https://host/path\" or leave it out");
        self.say(at.line, &format!("{key} is no address"), &instead);
        None
    }

    /// A list of texts; none where the key is not there.
    fn numbers(&mut self, part: Part<'_>) -> Option<Vec<At<String>>> {
        const INSTEAD: &str = "write numbers = [\"+15550100\", \"a-point-of-contact\"], or leave it out for all";
        let value = part.table.get("numbers")?;
        let array = value.get_ref().as_array().filter(|array| !array.is_empty());
        let Some(array) = array else {
            let what = if value.get_ref().is_array() { "an empty list" } else { article(value.get_ref()) };
            self.say(self.line(value), &format!("numbers is {what}"), INSTEAD);
            return None;
        };
        let mut numbers = Vec::new();
        for element in array {
            let line = self.line(element);
            match element.get_ref().as_str() {
                Some(text) => numbers.push(At { value: text.to_owned(), line }),
                None => self.say(line, &format!("numbers holds {}", article(element.get_ref())), INSTEAD),
            }
        }
        Some(numbers)
    }
}

/// `AC` and 32 digits of lower-case hex, as clients expect.
fn is_account(text: &str) -> bool {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.strip_prefix("AC").is_some_and(|rest| rest.len() == 32 && rest.bytes().all(is_hex))
}
