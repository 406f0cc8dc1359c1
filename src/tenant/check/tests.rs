//! The tenant file: each mistake with its line and its advice, all at once.

use super::*;

const BEARS: &str = include_str!("../../../examples/three-bears.toml");
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
fn paces_limit_something_and_name_what_is_there() {
    let pace = |more: &str| {
        said("[[skills]]\nid = \"porridge\"", &format!("[[paces]]\nid = \"p\"\n{more}\n[[skills]]\nid = \"porridge\""))
    };
    assert!(
        pace("segments_per_minute = 60\ncarrier = \"sim\"\npoints_of_contact = [\"main\"]\neach = true").is_empty()
    );
    let wrong = [
        ("each = true", "the pace limits nothing"),
        ("segments_per_minute = 0", "segments_per_minute is 0"),
        ("segments_per_day = 5\ncarrier = \"other\"", "no carrier other"),
        ("segments_per_day = 5\npoints_of_contact = [\"web\"]", "no point of contact with a number web"),
        ("segments_per_day = 5\nday_zone = \"Berlin\"", "no time zone \"Berlin\""),
    ];
    for (more, words) in wrong {
        let said = pace(more);
        assert!(said.len() == 1 && said[0].contains(words), "{more}: {said:?}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_mistake_is_named_with_its_line_and_what_to_write_instead() {
    let point = "number = \"+4930123456\"\nkind = \"long\"\ncountry = \"DE\"";
    let skill = "id = \"porridge\"\nchannel = \"sms\"";
    let with = |more: &str| format!("{skill}\n{more}");
    let answers = with("response_s = 60\nresponse_reminder_s = 60");
    let required = with("disposition_required = true");
    let unlisted = with("dispositions = [\"solved\"]\ndefault_disposition = \"other\"");
    let unquoted = with("dispositions = [1]");
    for (piece, by, sentence) in [
        (
            skill,
            answers.as_str(),
            "f:12: response_reminder_s is not before response_s; write response_s, with more seconds, or take the reminder out",
        ),
        (
            skill,
            &required,
            "f:11: disposition_required stands without a default; write default_disposition, for when nobody chooses one",
        ),
        (
            skill,
            &unlisted,
            "f:12: the default other is not among the dispositions; add it to dispositions, or name one of them",
        ),
        (skill, &unquoted, "f:11: dispositions holds a number; write each in double quotes"),
        ("[[teams]]", "[[codes]]\nid = \"lunch\"\n[[teams]]", "f:14: the code lacks name; write name = \"Lunch\""),
        ("tenant = \"bears\"\n", "", "f:1: the file lacks tenant; write tenant = \"a-slug\""),
        ("sms_messaging = true\n", "", "f:1: the file lacks sms_messaging; write sms_messaging = true"),
        ("\"bears\"", "\"The Bears\"", "f:1: \"The Bears\" is no slug; use 1 to 64 of a-z, 0-9, _ and -"),
        ("\"Bears\"", "\"\"", "f:2: name has 0 characters; write 1 to 200"),
        ("\"Bears\"", "\"B\\u0000\"", "f:2: name holds the character NUL; leave it out"),
        ("= true", "= \"yes\"", "f:3: sms_messaging is a text; write sms_messaging = true or false"),
        (
            "Europe/Berlin",
            "Europe/Berln",
            "f:4: there is no time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?",
        ),
        ("Europe/Berlin", "CEST summer", "f:4: there is no time zone \"CEST summer\"; write a name of the IANA time"),
        ("\"simulator\"", "\"telegraph\"", "f:7: kind \"telegraph\" is not known; write kind = \"simulator\""),
        ("\"simulator\"", "\"simulator\"\nurl = \"here\"", "f:8: url is no address; write url = \"https://"),
        ("\"sms\"", "\"fax\"", "f:10: channel \"fax\" is not known; write channel = \"sms\" or \"chat\""),
        (
            "\"sms\"",
            "\"sms\"\noffer_timeout = 9",
            "f:11: the skill has no key offer_timeout; did you mean offer_timeout_s?",
        ),
        ("\"sms\"", "\"sms\"\ncolour = 9", "f:11: the skill has no key colour; keys here are id, channel, priority"),
        ("\"sms\"", "\"sms\"\noffer_timeout_s = 4", "f:11: offer_timeout_s is 4; write a whole number from 5 to 600"),
        ("\"sms\"", "\"sms\"\noffer_timeout_s = 601", "f:11: offer_timeout_s is 601; write a whole number from 5"),
        ("\"sms\"", "\"sms\"\nwrap_up_s = 86401", "f:11: wrap_up_s is 86401; write a whole number from 0 to 86400"),
        ("\"sms\"", "\"sms\"\nmax_wait_s = 0", "f:11: max_wait_s is 0; write a whole number from 1 to 2592000"),
        (
            "\"sms\"",
            "\"sms\"\noverflow_skill = \"porridge\"",
            "f:11: the skill porridge overflows into itself; name another skill",
        ),
        (
            "\"sms\"",
            "\"sms\"\noverflow_skill = \"talk\"",
            "f:11: the overflow skill talk is for chat, this one for sms; name a skill whose channel is sms",
        ),
        (
            "\"sms\"",
            "\"sms\"\noverflow_skill = \"poridge\"",
            "f:11: there is no skill poridge in this file; did you mean porridge?",
        ),
        ("\"sms\"", "\"sms\"\nmax_wait_text = \" \"", "f:11: max_wait_text has 0 characters; write 1 to 1600"),
        ("\"sms\"", "\"sms\"\npriority = 0.5", "f:11: priority is a number with a fraction; write a whole number"),
        ("\"talk\"", "\"porridge\"", "f:12: the skill porridge stands on line 9 already; give each an id of its own"),
        (
            "id = \"family\"",
            "id = \"family\"\nsession_limit = 13",
            "f:16: session_limit is 13; write a whole number from 1 to 12",
        ),
        (
            "id = \"family\"",
            "id = \"family\"\nsession_limit = 0",
            "f:16: session_limit is 0; write a whole number from 1 to 12",
        ),
        (
            "id = \"family\"",
            "id = \"family\"\nchat_limit = 0",
            "f:16: chat_limit is 0; write a whole number from 1 to 12",
        ),
        (
            "team = \"family\"",
            "team = \"family\"\nsms_limit = 13",
            "f:19: sms_limit is 13; write a whole number from 1 to 12",
        ),
        (
            "[[carriers]]",
            "[channels.chat]\nslots = 13\n[[carriers]]",
            "f:6: slots is 13; write a whole number from 1 to 12",
        ),
        (
            "[[carriers]]",
            "[channels.email]\nslots = 2\n[[carriers]]",
            "f:5: [channels] has no key email; keys here are sms, chat",
        ),
        (
            "[[carriers]]",
            "[channels.chat]\nslot = 2\n[[carriers]]",
            "f:6: the channel has no key slot; did you mean slots?",
        ),
        (
            "[[carriers]]",
            "[channels]\nchat = 2\n[[carriers]]",
            "f:6: chat is no table; write [channels.chat] with slots = 2 under it, or [channels.sms]",
        ),
        (
            "[[carriers]]",
            "[channels.sms]\nslots = 6\n[[carriers]]",
            "f:21: mama can never have a contact of porridge: it takes 6 slots, the session limit is 5; write a \
             session_limit of 6 or more, fewer slots under [channels.sms], or take the skill out",
        ),
        (
            "team = \"family\"",
            "team = \"familie\"",
            "f:18: there is no team familie in this file; did you mean family?",
        ),
        ("team = \"family\"\n", "", "f:16: the agent lacks team; write team = \"a-slug\""),
        ("porridge = 1 }", "porridge = 21 }", "f:19: proficiency porridge is 21; write a whole number from 1 to 20"),
        ("porridge = 1 }", "poridge = 1 }", "f:19: there is no skill poridge in this file; did you mean porridge?"),
        ("{ porridge = 1 }", "[\"porridge\"]", "f:19: skills is a list; write skills = { support = 1 }"),
        ("[[agents]]", "[agents]", "f:16: agents is a table; write [[agents]] before each"),
        ("[[agents]]", "[[agent]]", "f:16: the file has no key agent; did you mean agents?"),
        (
            "skill = \"porridge\"",
            "skill = \"talk\"",
            "f:27: the skill talk is for chat, the point of contact for sms; name",
        ),
        ("skill = \"talk\"", "skill = \"walk\"", "f:31: there is no skill walk in this file; did you mean talk?"),
        (
            "skill = \"talk\"",
            "skill = \"talk\"\nkind = \"long\"",
            "f:32: a chat point of contact has no kind; take it out",
        ),
        (
            "carrier = \"sim\"",
            "carrier = \"twilio\"",
            "f:26: there is no carrier twilio in this file; add it under [[carriers]]",
        ),
        ("carrier = \"sim\"\n", "", "f:20: the point of contact for sms lacks carrier; write carrier = "),
        ("\"+4930123456\"", "4930123456", "f:23: number is a number; write it in double quotes"),
        ("+4930123456", "030 123456", "f:23: \"030 123456\" is no E.164 number; write + and "),
        (
            "+4930123456",
            "49 30 123456",
            "f:23: \"49 30 123456\" is no E.164 number; write + and country code first, as in \"+4930123456\"",
        ),
        (
            "+4930123456",
            "thirty",
            "f:23: \"thirty\" is no E.164 number; write + and 7 to 15 digits, beginning with +49",
        ),
        (
            "+4930123456",
            "+33123456789",
            "f:23: \"+33123456789\" is no number of Germany, which begin with +49; mend the number or the country (+33 is \"FR\")",
        ),
        ("\"DE\"", "\"UK\"", "f:25: there is no country \"UK\"; write country = \"DE\", if you mean Germany"),
        ("\"DE\"", "\"germany\"", "f:25: there is no country \"germany\"; write country = \"DE\", if you mean Germany"),
        ("\"long\"", "\"toll_free\"", "f:24: no toll_free numbers for sms in Germany (DE); write kind = \"long\""),
        (
            "\"long\"",
            "\"mobile\"",
            "f:24: kind \"mobile\" is not known; write kind = \"long\" or \"toll_free\" or \"short\" or \"alphanumeric\"",
        ),
        (
            "\"long\"",
            "\"alphanumeric\"",
            "f:24: alphanumeric senders only send in Germany (DE): customers cannot answer them; write kind = \"long\"",
        ),
        (
            point,
            "number = \"1234\"\nkind = \"short\"\ncountry = \"US\"",
            "f:23: \"1234\" is no short code of United States; write 5 to 6 digits",
        ),
        (
            point,
            "number = \"12345\"\nkind = \"short\"\ncountry = \"GB\"",
            "f:24: no short numbers for sms in United Kingdom (GB); write kind = \"long\"",
        ),
        (
            "skill = \"talk\"",
            "skill = \"talk\"\nsession_timeout_s = 0",
            "f:32: session_timeout_s is 0; write a whole number",
        ),
        (
            "[[carriers]]",
            "[quiet_hours]\nquiet = false\n[[carriers]]",
            "f:6: [quiet_hours] has no key quiet; keys here are on, exempt",
        ),
        ("[[carriers]]", "[quiet_hours]\nfrom = \"9\"\n[[carriers]]", "f:6: from \"9\" is no time of day; write hours"),
        (
            "[[carriers]]",
            "[quiet_hours]\nfrom = \"18:00\"\nto = \"09:00\"\n[[carriers]]",
            "f:7: these hours never come; write from before to",
        ),
        ("[[carriers]]", "[quiet_hours]\ndays = []\n[[carriers]]", "f:6: these hours never come"),
        (
            "[[carriers]]",
            "[quiet_hours]\nexempt = [\"sales\"]\n[[carriers]]",
            "f:6: exempt holds what is not known; write exempt = [\"conversational\", \"informational\"",
        ),
        (
            "[[carriers]]",
            "[quiet_hours.places.UK]\nfrom = \"09:00\"\n[[carriers]]",
            "f:5: there is no place \"UK\"; write two letters",
        ),
        (
            "[[carriers]]",
            "[quiet_hours.places.US-ZZ]\nfrom = \"09:00\"\n[[carriers]]",
            "f:5: there is no place \"US-ZZ\"; write two letters",
        ),
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
        point
            .to_lowercase()
            .replace(&format!("country = \"{}\"", country.to_lowercase()), &format!("country = \"{country}\""))
    };
    let mistakes = read(&format!("{SMALL}{}", second("+4930123456", "long", "DE"))).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].what.contains("is the number of the point of contact on line 23 already"), "{mistakes:?}");
    let codes = format!("{SMALL}{}{}", second("12345", "short", "US"), second("12345", "short", "CA"));
    assert_eq!(read(&codes).err(), None);
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_lines() {
    let text =
        SMALL.replace("Europe/Berlin", "Mars").replace("porridge = 1 }", "soup = 40 }").replace("\"DE\"", "\"FR\"");
    let mistakes = read(&text).unwrap_err();
    let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [4, 19, 23], "{mistakes:#?}");
}

#[test]
fn nothing_is_configured_while_messaging_is_off() {
    let head: String = SMALL.split_inclusive('\n').take(4).collect();
    assert_eq!(read(&head.replace("= true", "= false")).err(), None);
    let mistakes = read(&SMALL.replace("= true", "= false")).unwrap_err();
    assert_eq!(mistakes.iter().map(|m| m.line).collect::<Vec<_>>(), [5, 8, 14, 16, 20], "{mistakes:#?}");
    assert!(mistakes[0].what.starts_with("[carriers] stands in a file whose sms_messaging is false"), "{mistakes:?}");
}

#[test]
fn no_text_whatever_breaks_the_reader() {
    for cut in 0..SMALL.len() {
        let _ = read(&SMALL[..cut]);
        let _ = read(&SMALL[cut..]);
    }
}

#[test]
fn quiet_hours_are_read_and_what_is_left_out_has_its_default() {
    let written = "[quiet_hours]\non = true\nexempt = [\"informational\", \"conversational\"]\noutreach = \"informational\"\n\
                   from = \"09:00\"\nto = \"18:00\"\ndays = [\"fri\", \"mon\"]\n[quiet_hours.places.US-KY]\nfrom = \"10:00\"\n";
    let file = read(&SMALL.replace("[[carriers]]", &format!("{written}[[carriers]]"))).unwrap();
    let policy = serde_json::to_value(&file.quiet_hours.policy).unwrap();
    assert_eq!(
        policy,
        serde_json::json!({
            "on": true, "exempt": ["conversational", "informational"], "outreach": "informational",
            "from": "09:00", "to": "18:00", "days": ["mon", "fri"], "places": {"US-KY": {"from": "10:00"}},
        })
    );
    assert_eq!(read(SMALL).unwrap().quiet_hours.policy, crate::sms::quiet::policy::Policy::default());
}
