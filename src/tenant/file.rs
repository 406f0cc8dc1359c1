//! The tenant file: TOML to values that know their line, every mistake of form collected. What the values mean to each
//! other is `check`'s business; nothing is read from the database here.

use std::ops::RangeInclusive;

use toml::de::DeTable;

use super::consent::Consent;
use super::reader::{At, Mistake, Part, Reader, article, line_of};
use crate::facts::ids::Slug;

mod applications;
mod carriers;
mod chat;
mod paces;
mod quiet_hours;
mod sign_in_providers;
mod unanswered;
mod widening;

pub use applications::Application;
pub use carriers::Carrier;
pub use chat::QuickReply;
pub use paces::Pace;
pub use quiet_hours::QuietHours;
pub use sign_in_providers::SignInProvider;
pub use unanswered::Unanswered;

/// A tenant's file. What is required and missing (`None`) has been reported.
#[derive(Clone, Debug, Default)]
pub struct TenantFile {
    /// Parts could not be read: what the rest means to each other cannot be judged.
    pub is_broken: bool,
    /// Slug of the tenant.
    pub tenant: Option<At<Slug>>,
    /// Name on screen and in automatic texts.
    pub name: Option<At<String>>,
    /// The switch.
    pub sms_messaging: Option<At<bool>>,
    /// IANA name.
    pub time_zone: Option<At<String>>,
    /// Automatic texts: stop, start, help.
    pub texts: [Option<At<String>>; 3],
    /// Quiet hours; what is left out has its default.
    pub quiet_hours: QuietHours,
    /// How long a text is tried, and what becomes of one whose answer was lost.
    pub unanswered: Unanswered,
    /// `[consent]`.
    pub consent: Consent,
    /// Slots that a contact takes, where the file says it: by SMS, by chat.
    pub slots: [Option<i32>; 2],
    /// Lines of `[texts]`, `[[skills]]` and the like, with the keyword.
    pub sections: Vec<At<&'static str>>,
    /// What is needed of agents.
    pub skills: Vec<Skill>,
    /// Who shares a limit.
    pub teams: Vec<Team>,
    /// People.
    pub agents: Vec<Agent>,
    /// Numbers and chat entrances.
    pub points: Vec<Point>,
    /// Connections that texts leave by.
    pub carriers: Vec<Carrier>,
    /// Why agents may be unavailable; none: any code.
    pub codes: Vec<Code>,
    /// How fast texts may leave.
    pub paces: Vec<Pace>,
    /// Programs that send texts by the gateway.
    pub applications: Vec<Application>,
    /// Where people may sign in by OpenID Connect.
    pub sign_in_providers: Vec<SignInProvider>,
    /// Words that agents send often.
    pub quick_replies: Vec<QuickReply>,
}

impl TenantFile {
    /// Slots that a contact of the channel takes.
    #[must_use]
    pub fn slots_of(&self, channel: &str) -> i32 {
        let [sms, chat] = self.slots;
        if channel == "chat" { chat } else { sms }.unwrap_or(1)
    }
}

/// `[[skills]]`.
#[derive(Clone, Debug)]
pub struct Skill {
    /// Slug.
    pub id: Option<At<Slug>>,
    /// `sms` or `chat`.
    pub channel: Option<At<String>>,
    /// Initial priority of its contacts.
    pub priority: i32,
    /// Points that a waiting contact gains each minute.
    pub priority_per_min: i32,
    /// Where that ends.
    pub priority_max: i32,
    /// `best_proficiency`, `longest_idle` or `least_busy`.
    pub agent_choice: Option<At<String>>,
    /// (seconds waited, worst proficiency that may then have a contact), rising; empty: any may.
    pub widening: Vec<(i32, i32)>,
    /// Offers are accepted as they are made.
    pub accept_by_itself: bool,
    /// Seconds to answer an offer.
    pub offer_timeout_s: i32,
    /// Seconds of wrap-up; absent: none.
    pub wrap_up_s: Option<i32>,
    /// Seconds a contact may wait.
    pub max_wait_s: i32,
    /// Goes to the customer then.
    pub max_wait_text: Option<At<String>>,
    /// Where the contact waits on then; absent: it is closed as abandoned.
    pub overflow_skill: Option<At<Slug>>,
    /// Seconds in which an agent answers a customer's text, else its contact is queued again.
    pub response_s: Option<i32>,
    /// Seconds after which the agent is reminded.
    pub response_reminder_s: Option<At<i32>>,
    /// Codes of which one may be chosen at the end; none: any.
    pub dispositions: Vec<At<Slug>>,
    /// One must be chosen.
    pub disposition_required: Option<At<bool>>,
    /// Stands for a required one that nobody chose.
    pub default_disposition: Option<At<Slug>>,
}

/// `[[codes]]`.
#[derive(Clone, Debug)]
pub struct Code {
    /// Slug.
    pub id: Option<At<Slug>>,
    /// On screen.
    pub name: Option<At<String>>,
    /// Minutes after which who is still unavailable is logged out.
    pub max_minutes: i32,
}

/// `[[teams]]`.
#[derive(Clone, Debug)]
pub struct Team {
    /// Slug.
    pub id: Option<At<Slug>>,
    /// Most slots of each agent in use.
    pub session_limit: i32,
    /// Most contacts by SMS of each agent; absent: the session limit alone.
    pub sms_limit: Option<i32>,
    /// Most by chat.
    pub chat_limit: Option<i32>,
}

/// `[[agents]]`.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Slug.
    pub id: Option<At<Slug>>,
    /// Slug of the team.
    pub team: Option<At<Slug>>,
    /// The agent's own limit.
    pub session_limit: Option<i32>,
    /// The agent's own limit of contacts by SMS.
    pub sms_limit: Option<i32>,
    /// The agent's own by chat.
    pub chat_limit: Option<i32>,
    /// Skill and proficiency.
    pub skills: Vec<(At<Slug>, i32)>,
}

/// `[[points_of_contact]]`.
#[derive(Clone, Debug)]
pub struct Point {
    /// Line of its heading.
    pub line: usize,
    /// The keys that stand there, rightly filled or not.
    pub written: Vec<String>,
    /// Slug.
    pub id: Option<At<Slug>>,
    /// `sms` or `chat`.
    pub channel: Option<At<String>>,
    /// Our number.
    pub number: Option<At<String>>,
    /// `long`, `toll_free`, `short`; `alphanumeric`, which is refused.
    pub kind: Option<At<String>>,
    /// ISO 3166, two letters.
    pub country: Option<At<String>>,
    /// Slug of the carrier.
    pub carrier: Option<At<Slug>>,
    /// Slug of the skill.
    pub skill: Option<At<Slug>>,
    /// Seconds from the last text to the deadline.
    pub session_timeout_s: Option<i32>,
    /// Id of the flow that its contacts begin in.
    pub flow: Option<At<Slug>>,
    /// Chat: whose pages may talk to it.
    pub origins: Vec<At<String>>,
}

const AGENT_CHOICES: &[&str] = &["best_proficiency", "longest_idle", "least_busy"];
const NUMBER_KINDS: &[&str] = &["long", "toll_free", "short", "alphanumeric"];
const CHANNELS: &[&str] = &["sms", "chat"];
const LIMITS: RangeInclusive<i32> = 1..=12;
const MONTH_S: i32 = 2_592_000;

/// Reads a file's text, as far as it goes, and what is wrong with its form.
#[must_use]
pub fn read(text: &str) -> (TenantFile, Vec<Mistake>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<Mistake> = errors
        .iter()
        .map(|error| Mistake {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            what: format!("no TOML: {}", error.message()),
            instead: "write `key = value` lines, texts in double quotes, each key once in its table".into(),
        })
        .collect();
    let is_broken = !errors.is_empty();
    let mut reader = Reader { text, mistakes: &mut mistakes, is_broken };
    let file = reader.file(root.get_ref());
    (file, mistakes)
}

impl Reader<'_> {
    fn file(&mut self, root: &DeTable<'_>) -> TenantFile {
        let top = Part { what: "the file", line: 1, table: root };
        let sections = ["texts", "consent", "channels", "quiet_hours", "unanswered"];
        #[rustfmt::skip]
        let lists = ["skills", "teams", "agents", "points_of_contact", "carriers", "codes", "paces", "applications", "quick_replies",
                     "sign_in_providers"];
        self.known(
            top,
            &[&["tenant", "name", "sms_messaging", "time_zone", "text_validity_s"][..], &sections[..], &lists[..]]
                .concat(),
        );
        let mut found = Vec::new();
        for section in sections.into_iter().chain(lists) {
            if let Some(value) = root.get(section) {
                found.push(At { value: section, line: self.line(value) });
            }
        }
        TenantFile {
            is_broken: self.is_broken,
            tenant: self.slug(top, "tenant"),
            name: self.required(top, "name", "\"Three Bears\"").and_then(|at| self.sized(at, "name", 200)),
            sms_messaging: self.switch(top, "sms_messaging"),
            time_zone: self.required(top, "time_zone", "\"America/New_York\""),
            texts: self.texts(top),
            consent: self.consent(top),
            slots: self.channels(top),
            quiet_hours: self.quiet_hours(top),
            unanswered: self.unanswered(top),
            sections: found,
            skills: self.list(top, "skills", "the skill", Self::skill),
            teams: self.list(top, "teams", "the team", Self::team),
            agents: self.list(top, "agents", "the agent", Self::agent),
            points: self.list(top, "points_of_contact", "the point of contact", Self::point),
            carriers: self.list(top, "carriers", "the carrier", Self::carrier),
            codes: self.list(top, "codes", "the code", Self::code),
            paces: self.list(top, "paces", "the pace", Self::pace),
            applications: self.list(top, "applications", "the application", Self::application),
            sign_in_providers: self.list(top, "sign_in_providers", "the provider of sign-in", Self::sign_in_provider),
            quick_replies: self.list(top, "quick_replies", "the quick reply", Self::quick_reply),
        }
    }

    fn channels(&mut self, top: Part<'_>) -> [Option<i32>; 2] {
        const INSTEAD: &str = "write [channels.chat] with slots = 2 under it, or [channels.sms]";
        let Some(part) = self.table(top, "channels", "[channels]", INSTEAD) else { return [None; 2] };
        self.known(part, &["sms", "chat"]);
        ["sms", "chat"].map(|channel| {
            let part = self.table(part, channel, "the channel", INSTEAD)?;
            self.known(part, &["slots"]);
            self.number(part, "slots", LIMITS)
        })
    }

    fn skill(&mut self, part: Part<'_>) -> Skill {
        #[rustfmt::skip]
        self.known(part, &["id", "channel", "priority", "priority_per_min", "priority_max", "max_wait_s", "max_wait_text",
                           "overflow_skill", "agent_choice", "widening", "offer_timeout_s", "accept_by_itself", "response_s", "response_reminder_s",
                           "wrap_up_s", "dispositions", "disposition_required", "default_disposition"]);
        let line = part.table.get("response_reminder_s").map_or(part.line, |value| self.line(value));
        Skill {
            id: self.slug(part, "id"),
            channel: self.word(part, "channel", CHANNELS),
            priority: self.number(part, "priority", -1000..=1000).unwrap_or(0),
            priority_per_min: self.number(part, "priority_per_min", 0..=1000).unwrap_or(0),
            priority_max: self.number(part, "priority_max", -1000..=1000).unwrap_or(1000),
            agent_choice: part.table.get("agent_choice").and_then(|_| self.word(part, "agent_choice", AGENT_CHOICES)),
            widening: self.widening(part),
            accept_by_itself: self.yes(part, "accept_by_itself"),
            offer_timeout_s: self.number(part, "offer_timeout_s", 5..=600).unwrap_or(30),
            wrap_up_s: self.number(part, "wrap_up_s", 0..=86_400),
            max_wait_s: self.number(part, "max_wait_s", 1..=MONTH_S).unwrap_or(86_400),
            max_wait_text: self.text(part, "max_wait_text").and_then(|at| self.sized(at, "max_wait_text", 1600)),
            overflow_skill: part
                .table
                .contains_key("overflow_skill")
                .then(|| self.slug(part, "overflow_skill"))
                .flatten(),
            response_s: self.number(part, "response_s", 1..=86_400),
            response_reminder_s: self.number(part, "response_reminder_s", 1..=86_400).map(|value| At { value, line }),
            dispositions: self.slugs(part, "dispositions"),
            disposition_required: part
                .table
                .contains_key("disposition_required")
                .then(|| self.switch(part, "disposition_required"))
                .flatten(),
            default_disposition: part
                .table
                .contains_key("default_disposition")
                .then(|| self.slug(part, "default_disposition"))
                .flatten(),
        }
    }

    fn code(&mut self, part: Part<'_>) -> Code {
        self.known(part, &["id", "name", "max_minutes"]);
        Code {
            id: self.slug(part, "id"),
            name: self.required(part, "name", "\"Lunch\"").and_then(|at| self.sized(at, "name", 100)),
            max_minutes: self.number(part, "max_minutes", 1..=1_440).unwrap_or(120),
        }
    }

    fn team(&mut self, part: Part<'_>) -> Team {
        self.known(part, &["id", "session_limit", "sms_limit", "chat_limit"]);
        Team {
            id: self.slug(part, "id"),
            session_limit: self.number(part, "session_limit", LIMITS).unwrap_or(5),
            sms_limit: self.number(part, "sms_limit", LIMITS),
            chat_limit: self.number(part, "chat_limit", LIMITS),
        }
    }

    fn agent(&mut self, part: Part<'_>) -> Agent {
        self.known(part, &["id", "team", "session_limit", "sms_limit", "chat_limit", "skills"]);
        Agent {
            id: self.slug(part, "id"),
            team: self.slug(part, "team"),
            session_limit: self.number(part, "session_limit", LIMITS),
            sms_limit: self.number(part, "sms_limit", LIMITS),
            chat_limit: self.number(part, "chat_limit", LIMITS),
            skills: self.proficiencies(part),
        }
    }

    fn proficiencies(&mut self, part: Part<'_>) -> Vec<(At<Slug>, i32)> {
        let Some(value) = part.table.get("skills") else { return Vec::new() };
        let line = self.line(value);
        let Some(table) = value.get_ref().as_table() else {
            let what = format!("skills is {}", article(value.get_ref()));
            self.say(line, &what, "write skills = { support = 1 }: each skill's slug with a proficiency, 1 best to 20");
            return Vec::new();
        };
        let mut skills = Vec::new();
        for (key, value) in table {
            let slug = self.as_slug(key.get_ref(), line_of(self.text, key.span().start));
            let proficiency = self.as_number(value, &format!("proficiency {}", key.get_ref()), &(1..=20));
            skills.extend(slug.zip(proficiency));
        }
        skills
    }

    fn point(&mut self, part: Part<'_>) -> Point {
        let sms = ["number", "kind", "country", "carrier"];
        self.known(part, &[&["id", "channel", "skill", "session_timeout_s", "flow", "origins"][..], &sms[..]].concat());
        Point {
            line: part.line,
            written: part.table.keys().map(|key| key.get_ref().to_string()).collect(),
            id: self.slug(part, "id"),
            channel: self.word(part, "channel", CHANNELS),
            number: self.text(part, "number"),
            kind: part.table.get("kind").and_then(|_| self.word(part, "kind", NUMBER_KINDS)),
            country: self.text(part, "country"),
            carrier: part.table.get("carrier").and_then(|_| self.slug(part, "carrier")),
            skill: self.slug(part, "skill"),
            session_timeout_s: self.number(part, "session_timeout_s", 1..=MONTH_S),
            flow: part.table.get("flow").and_then(|_| self.slug(part, "flow")),
            origins: self.origins(part),
        }
    }
}
