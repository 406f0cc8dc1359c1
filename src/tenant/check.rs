//! What is wrong between the parts of a tenant file: slugs used twice or unknown, channels that do not fit, numbers that
//! no such country has. Pure; what only the database knows (who owns a number) is `apply`'s business.

use std::collections::BTreeMap;

use super::file::{self, Point, TenantFile};
use super::reader::{At, Mistake, nearest};
use super::rules;
use crate::facts::ids::Slug;
use crate::sms::number::{is_e164, is_short_code};

/// Reads and checks: the file where nothing is wrong, else everything that is, by line.
///
/// # Errors
/// Every mistake.
pub fn read(text: &str) -> Result<TenantFile, Vec<Mistake>> {
    let (file, mut mistakes) = file::read(text);
    if !file.is_broken {
        mistakes.extend(check(&file));
    }
    mistakes.sort();
    mistakes.dedup();
    if mistakes.is_empty() { Ok(file) } else { Err(mistakes) }
}

/// What is wrong between the parts.
#[must_use]
pub fn check(file: &TenantFile) -> Vec<Mistake> {
    let mut check = Check { file, mistakes: Vec::new() };
    check.switch();
    check.time_zone();
    check.twice("skill", file.skills.iter().filter_map(|s| s.id.as_ref()));
    check.twice("team", file.teams.iter().filter_map(|t| t.id.as_ref()));
    check.twice("agent", file.agents.iter().filter_map(|a| a.id.as_ref()));
    check.twice("point of contact", file.points.iter().filter_map(|p| p.id.as_ref()));
    check.twice("carrier", file.carriers.iter().filter_map(|c| c.id.as_ref()));
    check.agents();
    for point in &file.points {
        check.point(point);
    }
    check.numbers_twice();
    check.mistakes
}

struct Check<'f> {
    file: &'f TenantFile,
    mistakes: Vec<Mistake>,
}

impl Check<'_> {
    fn say(&mut self, line: usize, what: impl Into<String>, instead: impl Into<String>) {
        self.mistakes.push(Mistake { line, what: what.into(), instead: instead.into() });
    }

    fn switch(&mut self) {
        let Some(switch) = self.file.sms_messaging.as_ref().filter(|switch| !switch.value) else { return };
        for section in &self.file.sections {
            let what = format!("[{}] stands in a file whose sms_messaging is false (line {})", section.value, switch.line);
            let instead = "write sms_messaging = true, or take this out: nothing is configured while messaging is off";
            self.say(section.line, what, instead);
        }
    }

    fn time_zone(&mut self) {
        let Some(zone) = &self.file.time_zone else { return };
        if jiff::tz::TimeZone::get(&zone.value).is_ok() {
            return;
        }
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let instead = match nearest(&zone.value, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "write a name of the IANA time zones, as in \"America/New_York\" or \"Europe/Berlin\"".into(),
        };
        self.say(zone.line, format!("there is no time zone {:?}", zone.value), instead);
    }

    fn twice<'a>(&mut self, what: &str, ids: impl Iterator<Item = &'a At<Slug>>) {
        let mut first: BTreeMap<&Slug, usize> = BTreeMap::new();
        for id in ids {
            if let Some(line) = first.get(&id.value) {
                let sentence = format!("the {what} {} stands on line {line} already", id.value);
                self.say(id.line, sentence, "give each an id of its own, or take one out");
            } else {
                first.insert(&id.value, id.line);
            }
        }
    }

    /// Whether a slug is among those of the file; else the mistake.
    fn knows(&mut self, what: &str, list: &str, id: &At<Slug>, known: &[&Slug]) {
        if known.contains(&&id.value) {
            return;
        }
        let instead = match nearest(id.value.as_str(), known.iter().map(|slug| slug.as_str())) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("add it under [[{list}]], or name one that is there"),
        };
        self.say(id.line, format!("there is no {what} {} in this file", id.value), instead);
    }

    fn agents(&mut self) {
        let file = self.file;
        let teams: Vec<&Slug> = file.teams.iter().filter_map(|t| t.id.as_ref()).map(|id| &id.value).collect();
        let skills: Vec<&Slug> = file.skills.iter().filter_map(|s| s.id.as_ref()).map(|id| &id.value).collect();
        for agent in &file.agents {
            if let Some(team) = &agent.team {
                self.knows("team", "teams", team, &teams);
            }
            for (skill, _) in &agent.skills {
                self.knows("skill", "skills", skill, &skills);
            }
        }
    }

    fn point(&mut self, point: &Point) {
        let file = self.file;
        if let Some(skill) = &point.skill {
            let skills: Vec<&Slug> = file.skills.iter().filter_map(|s| s.id.as_ref()).map(|id| &id.value).collect();
            self.knows("skill", "skills", skill, &skills);
            self.channels_fit(point, skill);
        }
        if let Some(carrier) = &point.carrier {
            let carriers: Vec<&Slug> = file.carriers.iter().filter_map(|c| c.id.as_ref()).map(|id| &id.value).collect();
            self.knows("carrier", "carriers", carrier, &carriers);
        }
        match point.channel.as_ref().map(|channel| channel.value.as_str()) {
            Some("sms") => self.sms(point),
            Some("chat") => self.chat(point),
            _ => {}
        }
    }

    fn channels_fit(&mut self, point: &Point, skill: &At<Slug>) {
        let named = self.file.skills.iter().find(|s| s.id.as_ref().is_some_and(|id| id.value == skill.value));
        let (Some(theirs), Some(ours)) = (named.and_then(|s| s.channel.as_ref()), &point.channel) else { return };
        if theirs.value != ours.value {
            let what = format!(
                "the skill {} is for {}, the point of contact for {}",
                skill.value, theirs.value, ours.value
            );
            self.say(skill.line, what, format!("name a skill whose channel is {}", ours.value));
        }
    }

    fn chat(&mut self, point: &Point) {
        let lines = [
            ("number", point.number.as_ref().map(|at| at.line)),
            ("kind", point.kind.as_ref().map(|at| at.line)),
            ("country", point.country.as_ref().map(|at| at.line)),
            ("carrier", point.carrier.as_ref().map(|at| at.line)),
        ];
        for (key, line) in lines {
            if let Some(line) = line {
                self.say(line, format!("a chat point of contact has no {key}"), "take it out, or write channel = \"sms\"");
            }
        }
    }

    fn sms(&mut self, point: &Point) {
        let needed = [
            ("number", "\"+15550100\""),
            ("kind", "\"long\", \"toll_free\" or \"short\""),
            ("country", "\"US\""),
            ("carrier", "the id of one of [[carriers]]"),
        ];
        for (key, example) in needed.into_iter().filter(|needed| !point.written.iter().any(|key| key == needed.0)) {
            self.say(point.line, format!("the point of contact for sms lacks {key}"), format!("write {key} = {example}"));
        }
        let Some(country) = self.country(point) else { return };
        let (Some(kind), Some(number)) = (&point.kind, &point.number) else { return };
        let rule = rules::rule(country.id);
        if !rule.kinds.contains(&kind.value) {
            let what = format!("no {} numbers for sms in {} ({})", kind.value, country.name, country.id);
            self.say(kind.line, what, format!("write kind = \"{}\"", rule.kinds.join("\" or \"")));
        }
        self.number(&kind.value, number, country, rule);
    }

    fn country(&mut self, point: &Point) -> Option<rules::Country> {
        let written = point.country.as_ref()?;
        let found = rules::country(&written.value);
        if found.is_none() {
            let by_name = rules::countries().iter().find(|c| c.name.eq_ignore_ascii_case(&written.value));
            let capital = rules::country(&written.value.to_ascii_uppercase());
            let by_code = point.number.as_ref().and_then(|n| by_calling_code(&n.value));
            let instead = match capital.or(by_name.copied()).or(by_code) {
                Some(country) => format!("write country = {:?}, if you mean {}", country.id, country.name),
                None => "write its two letters by ISO 3166, as in \"US\" or \"GB\"".into(),
            };
            self.say(written.line, format!("there is no country {:?}", written.value), instead);
        }
        found
    }

    fn number(&mut self, kind: &str, number: &At<String>, country: rules::Country, rule: &rules::Rule) {
        let (text, line) = (number.value.as_str(), number.line);
        if kind == "short" {
            let (least, most) = rule.short_code_digits.unwrap_or((3, 8));
            if !is_short_code(text) || !(least..=most).contains(&text.len()) {
                let instead = format!("write {least} to {most} digits without +, or another kind");
                self.say(line, format!("{text:?} is no short code of {}", country.name), instead);
            }
        } else if !is_e164(text) {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let guess = if digits.starts_with(country.calling_code) { digits } else { country.calling_code.to_owned() + &digits };
            let guess = format!("+{guess}");
            let instead = if is_e164(&guess) && is_written_as_number(text) {
                format!("write + and country code first, as in {guess:?}")
            } else {
                format!("write + and 7 to 15 digits, beginning with +{}; a short code has kind = \"short\"", country.calling_code)
            };
            self.say(line, format!("{text:?} is no E.164 number"), instead);
        } else if !text[1..].starts_with(country.calling_code) {
            let what = format!("{text:?} is no number of {}, which begin with +{}", country.name, country.calling_code);
            let instead = match by_calling_code(text) {
                Some(other) => format!("mend the number or the country (+{} is {:?})", other.calling_code, other.id),
                None => "mend the number or the country".into(),
            };
            self.say(line, what, instead);
        }
    }

    fn numbers_twice(&mut self) {
        let mut first: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for point in &self.file.points {
            let Some(number) = &point.number else { continue };
            let is_short = point.kind.as_ref().is_some_and(|kind| kind.value == "short");
            let country = point.country.as_ref().filter(|_| is_short).map_or("", |country| &country.value);
            if let Some(line) = first.get(&(number.value.as_str(), country)) {
                let what = format!("{:?} is the number of the point of contact on line {line} already", number.value);
                self.mistakes.push(Mistake { line: number.line, what, instead: "give each a number of its own".into() });
            } else {
                first.insert((&number.value, country), number.line);
            }
        }
    }
}

fn is_written_as_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c))
}

/// The country that a number's digits begin with; of those that share a calling code, the first by its letters, but US.
fn by_calling_code(number: &str) -> Option<rules::Country> {
    let digits = number.strip_prefix('+')?;
    if digits.starts_with('1') {
        return rules::country("US");
    }
    rules::countries().iter().find(|country| digits.starts_with(country.calling_code)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEARS: &str = include_str!("../../examples/three-bears.toml");
    const SMALL: &str = r#"tenant = "bears"
name = "Bears"
sms_messaging = true
time_zone = "Europe/Berlin"
[[carriers]]
id = "sim"
kind = "simulator"
[[skills]]
id = "porridge"
channel = "sms"
[[skills]]
id = "talk"
channel = "chat"
[[teams]]
id = "family"
[[agents]]
id = "mama"
team = "family"
skills = { porridge = 1 }
[[points_of_contact]]
id = "main"
channel = "sms"
number = "+4930123456"
kind = "long"
country = "DE"
carrier = "sim"
skill = "porridge"
[[points_of_contact]]
id = "web"
channel = "chat"
skill = "talk"
"#;

    /// What is said of SMALL with one piece replaced by another.
    fn said(piece: &str, by: &str) -> Vec<String> {
        assert!(SMALL.contains(piece), "{piece}");
        let mistakes = read(&SMALL.replacen(piece, by, 1)).err().unwrap_or_default();
        mistakes.iter().map(|mistake| mistake.sentence("f")).collect()
    }

    #[test]
    fn files_without_mistakes_are_taken() {
        for text in [BEARS, SMALL, &SMALL.replace('\n', "\r\n"), &format!("\u{feff}{SMALL}")] {
            assert_eq!(read(text).err(), None);
        }
    }

    #[test]
    fn each_mistake_is_named_with_its_line_and_what_to_write_instead() {
        let point = "number = \"+4930123456\"\nkind = \"long\"\ncountry = \"DE\"";
        for (piece, by, sentence) in [
            ("tenant = \"bears\"\n", "", "f:1: the file lacks tenant; write tenant = \"a-slug\""),
            ("sms_messaging = true\n", "", "f:1: the file lacks sms_messaging; write sms_messaging = true"),
            ("\"bears\"", "\"The Bears\"", "f:1: \"The Bears\" is no slug; use 1 to 64 of a-z, 0-9, _ and -"),
            ("\"Bears\"", "\"\"", "f:2: name has 0 characters; write 1 to 200"),
            ("\"Bears\"", "\"B\\u0000\"", "f:2: name holds the character NUL; leave it out"),
            ("= true", "= \"yes\"", "f:3: sms_messaging is a text; write sms_messaging = true or false"),
            ("Europe/Berlin", "Europe/Berln", "f:4: there is no time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?"),
            ("Europe/Berlin", "CEST summer", "f:4: there is no time zone \"CEST summer\"; write a name of the IANA time"),
            ("\"simulator\"", "\"telegraph\"", "f:7: kind \"telegraph\" is not known; write kind = \"simulator\""),
            ("\"simulator\"", "\"simulator\"\nurl = \"here\"", "f:8: url is no address; write url = \"http://"),
            ("\"sms\"", "\"fax\"", "f:10: channel \"fax\" is not known; write channel = \"sms\" or \"chat\""),
            ("\"sms\"", "\"sms\"\noffer_timeout = 9", "f:11: the skill has no key offer_timeout; did you mean offer_timeout_s?"),
            ("\"sms\"", "\"sms\"\ncolour = 9", "f:11: the skill has no key colour; keys here are id, channel, priority"),
            ("\"sms\"", "\"sms\"\noffer_timeout_s = 0", "f:11: offer_timeout_s is 0; write a whole number from 1 to 600"),
            ("\"sms\"", "\"sms\"\noffer_timeout_s = 601", "f:11: offer_timeout_s is 601; write a whole number from 1"),
            ("\"sms\"", "\"sms\"\nwrap_up_s = 86401", "f:11: wrap_up_s is 86401; write a whole number from 0 to 86400"),
            ("\"sms\"", "\"sms\"\nmax_wait_s = 0", "f:11: max_wait_s is 0; write a whole number from 1 to 2592000"),
            ("\"sms\"", "\"sms\"\npriority = 0.5", "f:11: priority is a number with a fraction; write a whole number"),
            ("\"talk\"", "\"porridge\"", "f:12: the skill porridge stands on line 9 already; give each an id of its own"),
            ("id = \"family\"", "id = \"family\"\nsession_limit = 13", "f:16: session_limit is 13; write a whole number from 1 to 12"),
            ("id = \"family\"", "id = \"family\"\nsession_limit = 0", "f:16: session_limit is 0; write a whole number from 1 to 12"),
            ("team = \"family\"", "team = \"familie\"", "f:18: there is no team familie in this file; did you mean family?"),
            ("team = \"family\"\n", "", "f:16: the agent lacks team; write team = \"a-slug\""),
            ("porridge = 1 }", "porridge = 21 }", "f:19: proficiency porridge is 21; write a whole number from 1 to 20"),
            ("porridge = 1 }", "poridge = 1 }", "f:19: there is no skill poridge in this file; did you mean porridge?"),
            ("{ porridge = 1 }", "[\"porridge\"]", "f:19: skills is a list; write skills = { support = 1 }"),
            ("[[agents]]", "[agents]", "f:16: agents is a table; write [[agents]] before each"),
            ("[[agents]]", "[[agent]]", "f:16: the file has no key agent; did you mean agents?"),
            ("skill = \"porridge\"", "skill = \"talk\"", "f:27: the skill talk is for chat, the point of contact for sms; name"),
            ("skill = \"talk\"", "skill = \"walk\"", "f:31: there is no skill walk in this file; did you mean talk?"),
            ("skill = \"talk\"", "skill = \"talk\"\nkind = \"long\"", "f:32: a chat point of contact has no kind; take it out"),
            ("carrier = \"sim\"", "carrier = \"twilio\"", "f:26: there is no carrier twilio in this file; add it under [[carriers]]"),
            ("carrier = \"sim\"\n", "", "f:20: the point of contact for sms lacks carrier; write carrier = "),
            ("\"+4930123456\"", "4930123456", "f:23: number is a number; write it in double quotes"),
            ("+4930123456", "030 123456", "f:23: \"030 123456\" is no E.164 number; write + and "),
            ("+4930123456", "49 30 123456", "f:23: \"49 30 123456\" is no E.164 number; write + and country code first, as in \"+4930123456\""),
            ("+4930123456", "thirty", "f:23: \"thirty\" is no E.164 number; write + and 7 to 15 digits, beginning with +49"),
            ("+4930123456", "+33123456789", "f:23: \"+33123456789\" is no number of Germany, which begin with +49; mend the number or the country (+33 is \"FR\")"),
            ("\"DE\"", "\"UK\"", "f:25: there is no country \"UK\"; write country = \"DE\", if you mean Germany"),
            ("\"DE\"", "\"germany\"", "f:25: there is no country \"germany\"; write country = \"DE\", if you mean Germany"),
            ("\"long\"", "\"toll_free\"", "f:24: no toll_free numbers for sms in Germany (DE); write kind = \"long\""),
            ("\"long\"", "\"mobile\"", "f:24: kind \"mobile\" is not known; write kind = \"long\" or \"toll_free\" or \"short\""),
            (point, "number = \"1234\"\nkind = \"short\"\ncountry = \"US\"", "f:23: \"1234\" is no short code of United States; write 5 to 6 digits"),
            (point, "number = \"12345\"\nkind = \"short\"\ncountry = \"GB\"", "f:24: no short numbers for sms in United Kingdom (GB); write kind = \"long\""),
            ("skill = \"talk\"", "skill = \"talk\"\nsession_timeout_s = 0", "f:32: session_timeout_s is 0; write a whole number"),
            ("tenant = \"bears\"", "tenant = bears", "f:1: no TOML: "),
        ] {
            let said = said(piece, by);
            assert!(said.iter().any(|s| s.starts_with(sentence)), "{by:?}\n wanted {sentence}\n got    {said:#?}");
        }
    }

    #[test]
    fn one_number_belongs_to_one_point_but_a_short_code_to_one_of_each_country() {
        let second = |number: &str, kind: &str, country: &str| {
            let point = format!(
                "\n[[points_of_contact]]\nid = \"{country}\"\nchannel = \"sms\"\nnumber = \"{number}\"\nkind = \"{kind}\"\n\
                 country = \"{country}\"\ncarrier = \"sim\"\nskill = \"porridge\"\n"
            );
            point.to_lowercase().replace(&format!("country = \"{}\"", country.to_lowercase()), &format!("country = \"{country}\""))
        };
        let mistakes = read(&format!("{SMALL}{}", second("+4930123456", "long", "DE"))).unwrap_err();
        assert_eq!(mistakes.len(), 1);
        assert!(mistakes[0].what.contains("is the number of the point of contact on line 23 already"), "{mistakes:?}");
        let codes = format!("{SMALL}{}{}", second("12345", "short", "US"), second("12345", "short", "CA"));
        assert_eq!(read(&codes).err(), None);
    }

    #[test]
    fn all_mistakes_come_at_once_in_the_order_of_lines() {
        let text = SMALL.replace("Europe/Berlin", "Mars").replace("porridge = 1 }", "soup = 40 }").replace("\"DE\"", "\"FR\"");
        let mistakes = read(&text).unwrap_err();
        let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [4, 19, 23], "{mistakes:#?}");
    }

    #[test]
    fn nothing_is_configured_while_messaging_is_off() {
        let head: String = SMALL.lines().take(4).map(|line| format!("{line}\n")).collect();
        assert_eq!(read(&head.replace("= true", "= false")).err(), None);
        let mistakes = read(&SMALL.replace("= true", "= false")).unwrap_err();
        assert_eq!(mistakes.iter().map(|m| m.line).collect::<Vec<_>>(), [5, 8, 13, 15, 20], "{mistakes:#?}");
        assert!(mistakes[0].what.starts_with("[carriers] stands in a file whose sms_messaging is false"), "{mistakes:?}");
    }

    #[test]
    fn no_text_whatever_breaks_the_reader() {
        for cut in 0..SMALL.len() {
            let _ = read(&SMALL[..cut]);
            let _ = read(&SMALL[cut..]);
        }
    }
}
