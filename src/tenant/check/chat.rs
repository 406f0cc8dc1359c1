//! Points of contact for chat, and quick replies, against the rest of the file.

use super::super::file::Point;
use super::Check;
use crate::facts::ids::Slug;

impl Check<'_> {
    pub(super) fn chat(&mut self, point: &Point) {
        let lines = [
            ("number", point.number.as_ref().map(|at| at.line)),
            ("kind", point.kind.as_ref().map(|at| at.line)),
            ("country", point.country.as_ref().map(|at| at.line)),
            ("carrier", point.carrier.as_ref().map(|at| at.line)),
        ];
        for (key, line) in lines {
            if let Some(line) = line {
                self.say(
                    line,
                    format!("a chat point of contact has no {key}"),
                    "take it out, or write channel = \"sms\"",
                );
            }
        }
    }

    /// Only chat has pages that it is on.
    pub(super) fn no_origins(&mut self, point: &Point) {
        if let Some(origin) = point.origins.first() {
            let instead = "take it out, or write channel = \"chat\"";
            self.say(origin.line, "an sms point of contact has no origins", instead);
        }
    }

    pub(super) fn quick_replies(&mut self) {
        let file = self.file;
        self.twice("quick reply", file.quick_replies.iter().filter_map(|reply| reply.id.as_ref()));
        let skills: Vec<&Slug> = file.skills.iter().filter_map(|s| s.id.as_ref()).map(|id| &id.value).collect();
        for skill in file.quick_replies.iter().filter_map(|reply| reply.skill.as_ref()) {
            self.knows("skill", "skills", skill, &skills);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    const BEARS: &str = include_str!("../../../examples/three-bears.toml");

    fn said(more: &str) -> Vec<String> {
        let mistakes = read(&format!("{BEARS}\n{more}")).err().unwrap_or_default();
        mistakes.iter().map(|mistake| mistake.sentence("f")).collect()
    }

    #[test]
    fn quick_replies_and_origins_are_taken() {
        let file = read(&format!(
            "{BEARS}\n[[quick_replies]]\nid = \"bye\"\ntitle = \"Bye\"\ntext = \"Bye!\"\nskill = \"porridge-chat\"\nlanguage = \"pt-BR\"\n\
             [[points_of_contact]]\nid = \"shop\"\nchannel = \"chat\"\nskill = \"porridge-chat\"\n\
             origins = [\"https://b.example\", \"https://a.example\", \"https://b.example\"]"
        ))
        .unwrap();
        let shop = file.points.iter().find(|point| point.id.as_ref().unwrap().value.as_str() == "shop").unwrap();
        let origins: Vec<&str> = shop.origins.iter().map(|origin| origin.value.as_str()).collect();
        assert_eq!(origins, ["https://a.example", "https://b.example"]);
        assert_eq!(file.quick_replies.last().unwrap().language.as_ref().unwrap().value, "pt-BR");
    }

    #[test]
    fn each_mistake_is_named_with_what_to_write_instead() {
        let reply = "[[quick_replies]]\nid = \"hours\"\ntitle = \"Hours\"\ntext = \"We open at 7.\"";
        let point = "[[points_of_contact]]\nid = \"shop\"\nchannel = \"chat\"\nskill = \"porridge-chat\"";
        for (more, words) in [
            (
                format!("{reply}\nskill = \"porridge-chad\""),
                "there is no skill porridge-chad in this file; did you mean",
            ),
            (format!("{reply}\n{reply}"), "the quick reply hours stands on line"),
            (format!("{reply}\nlanguage = \"Klingon\""), "\"Klingon\" is no language; write language = \"en\""),
            (reply.replace("text", "txt"), "the quick reply lacks text; write text ="),
            (format!("{point}\norigins = \"https://a.example\""), "origins is a text; write origins = ["),
            (format!("{point}\norigins = [1]"), "origins holds a number; write origins = ["),
            (format!("{point}\norigins = [\"*\"]"), "\"*\" is no origin; write origins = ["),
            (format!("{point}\norigins = [\"https://a.example/\"]"), "browsers write it; write \"https://a.example\""),
        ] {
            let said = said(&more);
            assert!(said.iter().any(|sentence| sentence.contains(words)), "{words}: {said:?}");
        }
        let sms = BEARS.replacen("kind = \"long\"", "kind = \"long\"\norigins = [\"https://a.example\"]", 1);
        assert!(read(&sms).unwrap_err()[0].what.contains("an sms point of contact has no origins"));
    }
}
