//! Texts as templates: `{{ vars.name }}` and `{% if %}`, nothing else. No loops, no assignment, no multiplication, so
//! that what comes out cannot outgrow what stands there; fuel and a longest text bound the rest. Nothing is escaped, and
//! a template reads nothing but the values it is handed.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::condition::{MAX_TEXT, Name};

/// Most bytes of a source.
pub const MAX_SOURCE: usize = 4_096;
/// Instructions of one rendering.
const FUEL: u64 = 50_000;

/// The environment of all templates.
#[derive(Clone, Debug)]
pub struct Texts(Environment<'static>);

impl Default for Texts {
    fn default() -> Self {
        let mut env = Environment::empty();
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(20);
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.add_filter("upper", |text: String| text.to_uppercase());
        env.add_filter("lower", |text: String| text.to_lowercase());
        env.add_filter("default", |value: minijinja::Value, other: String| {
            let text = value.to_string();
            if value.is_undefined() || value.is_none() || text.is_empty() { other } else { text }
        });
        Self(env)
    }
}

impl Texts {
    /// Takes a template under a name; the names that it reads.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn add(&mut self, name: &str, source: &str) -> Result<Vec<Name>, String> {
        if source.trim().is_empty() {
            return Err("it is empty".into());
        }
        if source.len() > MAX_SOURCE {
            return Err(format!("it has {} bytes, at most {MAX_SOURCE} are allowed", source.len()));
        }
        plain(source)?;
        self.0
            .add_template_owned(name.to_owned(), source.to_owned())
            .map_err(|error| format!("it is no template: {}", error.detail().unwrap_or("a brace is left open")))?;
        let template = self.0.get_template(name).map_err(|error| error.to_string())?;
        let mut names: Vec<Name> = template
            .undeclared_variables(true)
            .into_iter()
            .map(|path| match path.split_once('.') {
                Some((root, rest)) => (root.to_owned(), Some(rest.split('.').next().unwrap_or_default().to_owned())),
                None => (path, None),
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Fills a template in: 1 to 1,600 characters, cut where there are more; none where nothing came out.
    #[must_use]
    pub fn render(&self, name: &str, values: &Map<String, Value>) -> Option<String> {
        let template = self.0.get_template(name).ok()?;
        let text = template.render(into_template(&Value::Object(values.clone()))).ok()?;
        let text: String = text.chars().filter(|c| *c != '\0').take(MAX_TEXT).collect();
        (!text.trim().is_empty()).then_some(text)
    }
}

fn into_template(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(is) => (*is).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or(0.0).into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(into_template).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            minijinja::Value::from_pairs(fields.iter().map(|(name, value)| (name.clone(), into_template(value))))
        }
    }
}

/// Refuses every tag but conditions, and what could multiply a text.
fn plain(source: &str) -> Result<(), String> {
    if source.contains("{#") {
        return Err("it has a comment".into());
    }
    let mut rest = source;
    while let Some(at) = rest.find("{%").into_iter().chain(rest.find("{{")).min() {
        let is_tag = rest[at..].starts_with("{%");
        let inner = &rest[at + 2..];
        let close = if is_tag { "%}" } else { "}}" };
        let Some(end) = inner.find(close) else { return Err(format!("a {close} is missing")) };
        let inside = inner[..end].trim_matches(['-', '+', ' ', '\n', '\t', '\r']);
        let word = inside.split_whitespace().next().unwrap_or_default();
        if is_tag && !["if", "elif", "else", "endif"].contains(&word) {
            return Err(format!("{{% {word} %}} is not among if, elif, else and endif"));
        }
        // what looks like a tag within a string could hide a real one from this look
        if ["{%", "{{", "{#"].iter().any(|open| inside.contains(open)) {
            return Err("a brace is left open, or stands in a string".into());
        }
        if inside.contains('*') {
            return Err("a text multiplies nothing; set a variable instead".into());
        }
        if inside.matches(['(', '[', '{']).count() > 20 {
            return Err("it is nested too deep".into());
        }
        rest = &inner[end + 2..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(source: &str) -> Result<Option<String>, String> {
        let Value::Object(values) = json!({"vars": {"name": "<Goldi>", "empty": "", "long": "y".repeat(1_600)},
                                           "contact": {"channel": "sms"}})
        else {
            unreachable!()
        };
        let mut texts = Texts::default();
        texts.add("t", source)?;
        Ok(texts.render("t", &values))
    }

    #[test]
    fn names_are_filled_in_as_they_are() {
        assert_eq!(rendered("Hi {{ vars.name }}!"), Ok(Some("Hi <Goldi>!".into())));
        assert_eq!(rendered("{{ vars.empty | default('you') }}"), Ok(Some("you".into())));
        assert_eq!(rendered("{% if contact.channel == 'sms' %}SMS{% else %}chat{% endif %}"), Ok(Some("SMS".into())));
        assert_eq!(rendered("{{ vars.nothing.at.all }}"), Ok(None), "nothing came out");
    }

    #[test]
    fn what_could_grow_or_run_long_is_refused() {
        let hostile = [
            "{{ 'a' * 1000000000 }}",
            "{% set a = 'a' %}{% set a = a ~ a %}x",
            "{% for i in range(100000000) %}x{% endfor %}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{% include 'other' %}",
            "{{ ((((((((((((((((((((((1)))))))))))))))))))))) }}",
            "{{ open",
            "   ",
            // tags hidden behind what looks like tags
            "{{ '}}{% if ' }}{% set a = 'a' %}{% set a = a ~ a %}{{ a }}",
            "{# {% if #}{% set a = 'a' %}x",
            "{{ '}}{{ ' }}{% for i in range(9) %}x{% endfor %}{{ 1 }}",
        ];
        for source in hostile {
            assert!(rendered(source).is_err(), "{source}");
        }
        assert!(rendered(&"x".repeat(5_000)).is_err());
    }

    #[test]
    fn the_longest_that_is_allowed_is_cut() {
        let text = rendered(&"{{ vars.long }}".repeat(200)).unwrap().unwrap();
        assert_eq!(text.chars().count(), MAX_TEXT);
    }

    #[test]
    fn names_are_told_with_their_fields() {
        let names = Texts::default().add("t", "{{ vars.name }} {{ text }} {% if queue.sms.length > 3 %}x{% endif %}");
        let expected = [("queue", Some("sms")), ("text", None), ("vars", Some("name"))];
        assert_eq!(names, Ok(expected.map(|(root, field)| (root.to_owned(), field.map(str::to_owned))).to_vec()));
    }
}
