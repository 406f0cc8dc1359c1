//! Applications against the rest of the file: accounts are one application's each, numbers are points of contact for SMS.

use std::collections::BTreeMap;

use super::super::file::{Application, Point, TenantFile};
use super::super::reader::nearest;
use super::Check;
use crate::facts::ids::Slug;

impl Check<'_> {
    pub(super) fn applications(&mut self) {
        let file = self.file;
        self.twice("application", file.applications.iter().filter_map(|a| a.id.as_ref()));
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for account in file.applications.iter().filter_map(|a| a.account.as_ref()) {
            if let Some(line) = first.get(account.value.as_str()) {
                let what = format!("{} is the account of the application on line {line} already", account.value);
                self.say(account.line, what, "give each an account of its own");
            } else {
                first.insert(&account.value, account.line);
            }
        }
        for number in file.applications.iter().filter_map(|a| a.numbers.as_ref()).flatten() {
            if point_of(file, &number.value).is_some() {
                continue;
            }
            let known = by_sms(file).flat_map(|point| {
                let id = point.id.as_ref().map(|id| id.value.as_str());
                id.into_iter().chain(point.number.as_ref().map(|number| number.value.as_str()))
            });
            let instead = match nearest(&number.value, known) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "name a point of contact whose channel is sms, or its number".into(),
            };
            self.say(number.line, format!("there is no number {:?} in this file", number.value), instead);
        }
    }
}

fn by_sms(file: &TenantFile) -> impl Iterator<Item = &Point> {
    file.points.iter().filter(|point| point.channel.as_ref().is_some_and(|channel| channel.value == "sms"))
}

/// The point of contact of a slug or a number.
fn point_of<'f>(file: &'f TenantFile, named: &str) -> Option<&'f Slug> {
    let is_it = |point: &&Point| {
        point.id.as_ref().is_some_and(|id| id.value.as_str() == named)
            || point.number.as_ref().is_some_and(|number| number.value == named)
    };
    by_sms(file).find(is_it).and_then(|point| point.id.as_ref()).map(|id| &id.value)
}

/// The points of contact that an application may use, each once and in one order; none: all.
pub(in super::super) fn points_of<'f>(file: &'f TenantFile, application: &Application) -> Option<Vec<&'f Slug>> {
    let named = application.numbers.as_ref()?;
    let mut points: Vec<&Slug> = named.iter().filter_map(|number| point_of(file, &number.value)).collect();
    points.sort_unstable();
    points.dedup();
    Some(points)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    const BEARS: &str = include_str!("../../../examples/three-bears.toml");

    fn with(more: &str) -> String {
        let account = "account = \"AC00000000000000000000000000000001\"";
        format!("{BEARS}\n[[applications]]\nid = \"shop\"\n{account}\ntoken_file = \"/run/secrets/shop\"\n{more}")
    }

    #[test]
    fn numbers_are_points_of_contact_once_each() {
        let file = read(&with("numbers = [\"+15550100002\", \"orders\", \"+15550100001\"]")).unwrap();
        let points = points_of(&file, &file.applications[0]).unwrap();
        assert_eq!(points.iter().map(|slug| slug.as_str()).collect::<Vec<_>>(), ["orders", "orders-north"]);
        let all = read(&with("")).unwrap();
        assert_eq!(points_of(&all, &all.applications[0]), None);
    }

    #[test]
    fn each_mistake_is_named_with_what_to_write_instead() {
        let again =
            "[[applications]]\nid = \"shop\"\naccount = \"AC00000000000000000000000000000001\"\ntoken_file = \"/t\"";
        for (more, words) in [
            ("numbers = [\"order\"]", "there is no number \"order\" in this file; did you mean \"orders\"?"),
            ("numbers = [\"website\"]", "there is no number \"website\" in this file; name a point of contact"),
            ("numbers = []", "numbers is an empty list; write numbers = ["),
            ("inbound_url = \"shop.example\"", "inbound_url is no address; write inbound_url = \"https://"),
            ("purpose = \"fun\"", "purpose \"fun\" is not known; write purpose = \"conversational\" or"),
            ("tokens = 1", "the application has no key tokens; keys here are"),
            (again, "the application shop stands on line"),
            (again, "is the account of the application on line"),
        ] {
            let mistakes = read(&with(more)).unwrap_err();
            let said: Vec<String> = mistakes.iter().map(|mistake| mistake.sentence("f")).collect();
            assert!(said.iter().any(|sentence| sentence.contains(words)), "{words}: {said:?}");
        }
        let short = with("").replace("AC00000000000000000000000000000001", "AC1");
        assert!(read(&short).unwrap_err()[0].what.contains("is no account"));
    }
}
