//! `[quiet_hours]`: the tenant's policy. Read to the policy itself, with the lines of what may be wrong between its parts.

use std::collections::BTreeMap;

use crate::facts::purpose::Purpose;
use crate::sms::quiet::policy::{Own, Policy};
use crate::sms::quiet::week::{DAYS, minutes};
use crate::tenant::reader::{At, Part, Reader, article};

/// The section.
#[derive(Clone, Debug, Default)]
pub struct QuietHours {
    /// What it says.
    pub policy: Policy,
    /// Places with hours of their own, with their lines.
    pub places: Vec<At<String>>,
}

const INSTEAD: &str = "write [quiet_hours] with on, exempt, outreach, from, to or days under it";
const PURPOSES: &[&str] = &["conversational", "informational", "promotional"];

impl Reader<'_> {
    pub(super) fn quiet_hours(&mut self, top: Part<'_>) -> QuietHours {
        let Some(part) = self.table(top, "quiet_hours", "[quiet_hours]", INSTEAD) else { return QuietHours::default() };
        self.known(part, &["on", "exempt", "outreach", "from", "to", "days", "places"]);
        let default = Policy::default();
        let on = part.table.contains_key("on").then(|| self.switch(part, "on")).flatten();
        let exempt = self.words(part, "exempt", PURPOSES);
        let exempt = exempt.map(|words| words.iter().filter_map(|word| Purpose::of(word)).collect());
        let outreach = part.table.contains_key("outreach").then(|| self.word(part, "outreach", PURPOSES)).flatten();
        let (places, by_place) = self.places(part);
        QuietHours {
            policy: Policy {
                on: on.is_none_or(|at| at.value),
                exempt: exempt.unwrap_or(default.exempt),
                outreach: outreach.and_then(|at| Purpose::of(&at.value)).unwrap_or(default.outreach),
                own: self.own(part),
                places: by_place,
            },
            places,
        }
    }

    fn places(&mut self, part: Part<'_>) -> (Vec<At<String>>, BTreeMap<String, Own>) {
        const INSTEAD: &str =
            "write [quiet_hours.places.DE] with from, to or days under it, or [quiet_hours.places.US-KY]";
        let Some(part) = self.table(part, "places", "[quiet_hours.places]", INSTEAD) else { return Default::default() };
        let (mut places, mut found) = (Vec::new(), BTreeMap::new());
        for (key, value) in part.table {
            let (name, line) = (key.get_ref().to_string(), self.line(value));
            let Some(table) = value.get_ref().as_table() else {
                self.say(line, &format!("{name} is {}", article(value.get_ref())), INSTEAD);
                continue;
            };
            let part = Part { what: "the place", line, table };
            self.known(part, &["from", "to", "days"]);
            places.push(At { value: name.clone(), line });
            found.insert(name, self.own(part));
        }
        (places, found)
    }

    /// `from`, `to` and `days`: hours that are some.
    fn own(&mut self, part: Part<'_>) -> Own {
        let (from, to) = (self.hour(part, "from"), self.hour(part, "to"));
        let own = Own { from, to, days: self.words(part, "days", &DAYS) };
        if !own.week().is_ever() {
            let line = part.table.get("to").or(part.table.get("days")).map_or(part.line, |value| self.line(value));
            self.say(
                line,
                "these hours never come",
                "write from before to, as \"09:00\" and \"18:00\", and a day or more",
            );
        }
        own
    }

    fn hour(&mut self, part: Part<'_>, key: &str) -> Option<String> {
        let at = self.text(part, key)?;
        if minutes(&at.value).is_none() {
            self.say(
                at.line,
                &format!("{key} {:?} is no time of day", at.value),
                "write hours and minutes, as \"09:00\"",
            );
            return None;
        }
        Some(at.value)
    }

    /// A list of words; none where the key is not there.
    fn words(&mut self, part: Part<'_>, key: &str, words: &[&str]) -> Option<Vec<String>> {
        let value = part.table.get(key)?;
        let line = self.line(value);
        let instead = format!("write {key} = [\"{}\"], or some of these", words.join("\", \""));
        let Some(array) = value.get_ref().as_array() else {
            self.say(line, &format!("{key} is {}", article(value.get_ref())), &instead);
            return None;
        };
        let mut found: Vec<String> = Vec::new();
        for element in array {
            match element.get_ref().as_str().filter(|word| words.contains(word)) {
                Some(word) => found.push(word.to_owned()),
                None => self.say(self.line(element), &format!("{key} holds what is not known"), &instead),
            }
        }
        // one order, whatever the file's: applied again it is no change
        found.sort_by_key(|word| words.iter().position(|known| known == word));
        found.dedup();
        Some(found)
    }
}
