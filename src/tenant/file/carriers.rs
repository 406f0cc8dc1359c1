//! `[[carriers]]`: the keys of each kind, by what the kind says of itself.

use serde_json::{Map, Value};

use super::super::reader::{At, Part, Reader, line_of};
use super::super::rules;
use crate::facts::ids::Slug;
use crate::sms::carrier::kind::{COMMON, Form, Key};
use crate::sms::carrier::{KINDS, kind_of};
use crate::sms::price::Price;

/// `[[carriers]]`.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// Slug, unique in the installation.
    pub id: Option<At<Slug>>,
    /// One of [`KINDS`].
    pub kind: Option<At<String>>,
    /// Where it is, other than by default.
    pub url: Option<String>,
    /// Who answers STOP, START and HELP: `self` or `provider`.
    pub opt_outs: String,
    /// What stands under the other keys.
    pub settings: Map<String, Value>,
}

impl Reader<'_> {
    pub(super) fn carrier(&mut self, part: Part<'_>) -> Carrier {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let id = self.slug(part, "id");
        let kind = self.word(part, "kind", &names);
        let keys: Vec<&Key> = match kind.as_ref().and_then(|at| kind_of(&at.value)) {
            Some(kind) => kind.all_keys().collect(),
            // the others cannot be judged
            None => COMMON.iter().chain(KINDS.iter().flat_map(|kind| kind.keys)).collect(),
        };
        let known: Vec<&str> = ["id", "kind"].into_iter().chain(keys.iter().map(|key| key.name)).collect();
        self.known(part, &known);
        let mut settings = Map::new();
        if kind.is_some() {
            for key in keys {
                settings.extend(self.setting(part, key).map(|value| (key.name.to_owned(), value)));
            }
        }
        let url = settings.remove("url").and_then(|url| url.as_str().map(str::to_owned));
        let opt_outs = settings.remove("opt_outs").and_then(|word| word.as_str().map(str::to_owned));
        Carrier { id, kind, url, opt_outs: opt_outs.unwrap_or_else(|| "self".to_owned()), settings }
    }

    fn setting(&mut self, part: Part<'_>, key: &Key) -> Option<Value> {
        let Some(value) = part.table.get(key.name) else {
            if key.is_required {
                self.missing(part, key.name, example(&key.form));
            }
            return None;
        };
        let line = self.line(value);
        match &key.form {
            Form::Text(most) => {
                self.text(part, key.name).and_then(|at| self.sized(at, key.name, *most)).map(|at| at.value.into())
            }
            Form::SecretFile => {
                self.text(part, key.name).and_then(|at| self.sized(at, key.name, 1000)).map(|at| at.value.into())
            }
            Form::Url => {
                let instead = format!("write {} = \"https://host:port\" or leave it out", key.name);
                self.address(part, key.name, line, &["http://", "https://"], &instead)
            }
            Form::Address(ways) => {
                let instead = format!("write {} = \"{}host:port\"", key.name, ways.first().unwrap_or(&""));
                self.address(part, key.name, line, ways, &instead)
            }
            Form::Word(words) => self.word(part, key.name, words).map(|at| at.value.into()),
            Form::Words(words) => {
                let listed = self.slugs(part, key.name);
                for unknown in listed.iter().filter(|at| !words.contains(&at.value.as_str())) {
                    let what = format!("{:?} is none of the words of {}", unknown.value.as_str(), key.name);
                    self.say(unknown.line, &what, &format!("write some of {}", words.join(", ")));
                }
                Some(listed.iter().map(|at| Value::from(at.value.as_str())).collect())
            }
            Form::Whole(range) => {
                let range = i32::try_from(*range.start()).ok()?..=i32::try_from(*range.end()).ok()?;
                self.number(part, key.name, range).map(Value::from)
            }
            Form::Yes => self.switch(part, key.name).map(|at| at.value.into()),
            Form::Price => self.text(part, key.name).and_then(|at| self.price(&at, key.name)),
            Form::Prices => self.prices(part, key.name),
        }
    }

    fn address(&mut self, part: Part<'_>, key: &str, line: usize, ways: &[&str], instead: &str) -> Option<Value> {
        let at = self.text(part, key)?;
        if ways.iter().any(|way| at.value.starts_with(way)) {
            return Some(at.value.into());
        }
        self.say(line, &format!("{key} is no address"), instead);
        None
    }
}

impl Reader<'_> {
    fn price(&mut self, at: &At<String>, name: &str) -> Option<Value> {
        match at.value.parse::<Price>() {
            Ok(price) => Some(price.to_string().into()),
            Err(wrong) => {
                let what = format!("{name} {:?} is no price: {wrong}", at.value);
                self.say(at.line, &what, "write it as \"0.0079 USD\"");
                None
            }
        }
    }

    fn prices(&mut self, part: Part<'_>, name: &str) -> Option<Value> {
        let instead = "write prices = { US = \"0.0079 USD\" }";
        let table = self.table(part, name, "prices", instead)?;
        let mut prices = Map::new();
        for key in table.table.keys() {
            let country: &str = key.get_ref();
            if rules::country(country).is_none() {
                let line = line_of(self.text, key.span().start);
                let what = format!("{country} is no country");
                self.say(line, &what, "write two capital letters of ISO 3166, as US");
                continue;
            }
            if let Some(at) = self.text(table, country)
                && let Some(price) = self.price(&at, country)
            {
                prices.insert(country.to_owned(), price);
            }
        }
        Some(Value::Object(prices))
    }
}

fn example(form: &Form) -> &'static str {
    match form {
        Form::Text(_) | Form::Word(_) => "\"…\"",
        Form::Url => "\"https://host:port\"",
        Form::Address(ways) if ways.contains(&"smpp://") => "\"smpp://host:2775\"",
        Form::Address(_) => "\"scheme://host:port\"",
        Form::Words(_) => "[\"…\"]",
        Form::SecretFile => "\"/run/secrets/…\": a file that holds the secret alone",
        Form::Whole(_) => "a number",
        Form::Yes => "true",
        Form::Price => "\"0.0079 USD\"",
        Form::Prices => "{ US = \"0.0079 USD\" }",
    }
}
