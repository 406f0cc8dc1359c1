//! What is wrong between the parts of a tenant file: slugs used twice or unknown, channels that do not fit, numbers that
//! no such country has. Pure; what only the database knows (who owns a number) is `apply`'s business.

use std::collections::BTreeMap;

use super::file::{self, Agent, Pace, Point, Skill, TenantFile};
use super::reader::{At, Mistake, nearest};
use super::rules;
use crate::facts::ids::Slug;
use crate::sms::number::Address;
use crate::sms::quiet::place::is_state;

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
    check.zone(file.time_zone.as_ref());
    for pace in &file.paces {
        check.pace(pace);
    }
    check.twice("skill", file.skills.iter().filter_map(|s| s.id.as_ref()));
    check.twice("team", file.teams.iter().filter_map(|t| t.id.as_ref()));
    check.twice("agent", file.agents.iter().filter_map(|a| a.id.as_ref()));
    check.twice("point of contact", file.points.iter().filter_map(|p| p.id.as_ref()));
    check.twice("carrier", file.carriers.iter().filter_map(|c| c.id.as_ref()));
    check.twice("pace", file.paces.iter().filter_map(|p| p.id.as_ref()));
    check.twice("code", file.codes.iter().filter_map(|c| c.id.as_ref()));
    check.skills();
    check.agents();
    for point in &file.points {
        check.point(point);
    }
    check.numbers_twice();
    check.quiet_places();
    check.applications();
    check.quick_replies();
    check.sign_in_providers();
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
            let what =
                format!("[{}] stands in a file whose sms_messaging is false (line {})", section.value, switch.line);
            let instead = "write sms_messaging = true, or take this out: nothing is configured while messaging is off";
            self.say(section.line, what, instead);
        }
    }

    fn zone(&mut self, zone: Option<&At<String>>) {
        let Some(zone) = zone else { return };
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

    /// Who overflows does so to another skill of the file, of the same channel.
    fn overflow(&mut self, skill: &Skill) {
        let file = self.file;
        let Some(to) = &skill.overflow_skill else { return };
        let known: Vec<&Slug> = file.skills.iter().filter_map(|s| s.id.as_ref()).map(|id| &id.value).collect();
        self.knows("skill", "skills", to, &known);
        let is_itself = skill.id.as_ref().is_some_and(|id| id.value == to.value);
        let theirs = file.skills.iter().find(|s| s.id.as_ref().is_some_and(|id| id.value == to.value));
        let theirs = theirs.and_then(|s| s.channel.as_ref()).map(|at| &at.value);
        let ours = skill.channel.as_ref().map(|at| &at.value);
        if is_itself {
            self.say(to.line, format!("the skill {} overflows into itself", to.value), "name another skill");
        } else if let (Some(ours), Some(theirs)) = (ours, theirs)
            && ours != theirs
        {
            let what = format!("the overflow skill {} is for {theirs}, this one for {ours}", to.value);
            self.say(to.line, what, format!("name a skill whose channel is {ours}"));
        }
    }

    fn skills(&mut self) {
        for skill in &self.file.skills {
            self.overflow(skill);
            if let Some(reminder) = &skill.response_reminder_s
                && skill.response_s.is_none_or(|seconds| seconds <= reminder.value)
            {
                let instead = "write response_s, with more seconds, or take the reminder out";
                self.say(reminder.line, "response_reminder_s is not before response_s", instead);
            }
            let codes: Vec<&Slug> = skill.dispositions.iter().map(|at| &at.value).collect();
            match (&skill.disposition_required, &skill.default_disposition) {
                (Some(required), None) if required.value => {
                    let instead = "write default_disposition, for when nobody chooses one";
                    self.say(required.line, "disposition_required stands without a default", instead);
                }
                (_, Some(default)) if !codes.is_empty() && !codes.contains(&&default.value) => {
                    let what = format!("the default {} is not among the dispositions", default.value);
                    self.say(default.line, what, "add it to dispositions, or name one of them");
                }
                _ => {}
            }
        }
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
                self.fits(agent, skill);
            }
        }
    }

    /// A contact of the skill takes no more slots than the agent has.
    fn fits(&mut self, agent: &Agent, skill: &At<Slug>) {
        let file = self.file;
        let named = file.skills.iter().find(|s| s.id.as_ref().is_some_and(|id| id.value == skill.value));
        let Some(channel) = named.and_then(|s| s.channel.as_ref()).map(|at| &at.value) else { return };
        let team = agent.team.as_ref().map(|team| &team.value);
        let of_team = file.teams.iter().find(|t| team.is_some() && t.id.as_ref().map(|id| &id.value) == team);
        let limit = agent.session_limit.or_else(|| of_team.map(|team| team.session_limit));
        let slots = file.slots_of(channel);
        if let (Some(limit), Some(id)) = (limit.filter(|limit| slots > *limit), &agent.id) {
            let what = format!(
                "{} can never have a contact of {}: it takes {slots} slots, the session limit is {limit}",
                id.value, skill.value
            );
            let instead = format!(
                "write a session_limit of {slots} or more, fewer slots under [channels.{channel}], or take the skill out"
            );
            self.say(skill.line, what, instead);
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
            let what =
                format!("the skill {} is for {}, the point of contact for {}", skill.value, theirs.value, ours.value);
            self.say(skill.line, what, format!("name a skill whose channel is {}", ours.value));
        }
    }

    fn sms(&mut self, point: &Point) {
        self.no_origins(point);
        let needed = [
            ("number", "\"+15550100\""),
            ("kind", "\"long\", \"toll_free\" or \"short\""),
            ("country", "\"US\""),
            ("carrier", "the id of one of [[carriers]]"),
        ];
        for (key, example) in needed.into_iter().filter(|needed| !point.written.iter().any(|key| key == needed.0)) {
            self.say(
                point.line,
                format!("the point of contact for sms lacks {key}"),
                format!("write {key} = {example}"),
            );
        }
        let Some(country) = self.country(point) else { return };
        let (Some(kind), Some(number)) = (&point.kind, &point.number) else { return };
        self.kind(point, kind, country);
        self.number(&kind.value, number, country);
    }

    /// A point of contact hears its customers: only a kind of number that receives is one.
    fn kind(&mut self, point: &Point, kind: &At<String>, country: rules::Country) {
        let file = self.file;
        let named = point.carrier.as_ref().map(|at| &at.value);
        let carrier = file.carriers.iter().find(|c| named.is_some() && c.id.as_ref().map(|at| &at.value) == named);
        let carrier = carrier.and_then(|c| c.kind.as_ref()).map(|at| at.value.as_str());
        let (rule, is_own) = rules::rule(carrier, country.id);
        let by = carrier.filter(|_| is_own).map_or_else(String::new, |carrier| format!(" by {carrier}"));
        let what = match rule.way(&kind.value) {
            Some(rules::Way::TwoWay) => return,
            Some(rules::Way::OneWay) => {
                let place = format!("{} ({}){by}", country.name, country.id);
                format!("{} senders only send in {place}: customers cannot answer them", kind.value)
            }
            None => format!("no {} numbers for sms in {} ({}){by}", kind.value, country.name, country.id),
        };
        self.say(kind.line, what, format!("write kind = \"{}\"", rule.two_way().join("\" or \"")));
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

    fn number(&mut self, kind: &str, number: &At<String>, country: rules::Country) {
        let (text, line) = (number.value.as_str(), number.line);
        let address = Address::of(text, Some(country.id));
        if kind == "alphanumeric" {
            return; // refused by its kind
        }
        if kind == "short" {
            let (least, most) = rules::short_code_digits(country.id);
            if !matches!(address, Address::ShortCode { .. }) || !(least..=most).contains(&text.len()) {
                let instead = format!("write {least} to {most} digits without +, or another kind");
                self.say(line, format!("{text:?} is no short code of {}", country.name), instead);
            }
        } else if !matches!(address, Address::E164(_)) {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let guess = if digits.starts_with(country.calling_code) {
                digits
            } else {
                country.calling_code.to_owned() + &digits
            };
            let guess = format!("+{guess}");
            let is_one = matches!(Address::of(&guess, None), Address::E164(_));
            let instead = if is_one && is_written_as_number(text) {
                format!("write + and country code first, as in {guess:?}")
            } else {
                format!(
                    "write + and 7 to 15 digits, beginning with +{}; a short code has kind = \"short\"",
                    country.calling_code
                )
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

    fn pace(&mut self, pace: &Pace) {
        self.zone(pace.day_zone.as_ref());
        if let Some(carrier) = &pace.carrier {
            let carriers: Vec<&Slug> =
                self.file.carriers.iter().filter_map(|c| c.id.as_ref()).map(|id| &id.value).collect();
            self.knows("carrier", "carriers", carrier, &carriers);
        }
        let points = self.file.points.iter().filter(|point| point.number.is_some());
        let points: Vec<&Slug> = points.filter_map(|p| p.id.as_ref()).map(|id| &id.value).collect();
        for point in &pace.points {
            self.knows("point of contact with a number", "points_of_contact", point, &points);
        }
    }

    fn quiet_places(&mut self) {
        for place in &self.file.quiet_hours.places {
            if rules::country(&place.value).is_none() && !is_state(&place.value) {
                let instead = "write two letters of ISO 3166, as DE, or a state of the US, as US-KY";
                self.mistakes.push(Mistake {
                    line: place.line,
                    what: format!("there is no place {:?}", place.value),
                    instead: instead.into(),
                });
            }
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
                self.mistakes.push(Mistake {
                    line: number.line,
                    what,
                    instead: "give each a number of its own".into(),
                });
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

pub(super) mod applications;
mod chat;
mod sign_in_providers;
#[cfg(test)]
mod tests;
