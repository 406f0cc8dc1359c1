//! The words by which a customer opts out, opts in again or asks for help. Only a text that is nothing but such a word
//! counts: capitals, surrounding punctuation and the width of spaces apart. Near-misses are not judged here.

/// What a word asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
    /// Who is this?
    Help,
}

/// A word and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// What it asks for.
    pub wish: Wish,
    /// As listed, in capitals.
    pub word: &'static str,
}

/// 47 CFR 64.1200(a)(10) names stop, quit, end, revoke, opt out, cancel, unsubscribe; the rest are carriers' words.
const STOP: &[&str] = &[
    "STOP",
    "STOPALL",
    "STOP ALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
    "OPT OUT",
    "ARRET",
    "ARRÊT",
];
/// YES is none: it answers questions.
const START: &[&str] = &["START", "UNSTOP"];
const HELP: &[&str] = &["HELP", "INFO"];

/// The keyword that a whole text is, if it is one.
#[must_use]
pub fn keyword(text: &str) -> Option<Keyword> {
    // longer than any word with room for punctuation: no need to look
    if text.len() > 200 {
        return None;
    }
    let bare = text.trim_matches(is_apart).to_uppercase();
    let words: Vec<&str> = bare.split(|c: char| c.is_whitespace() || is_hyphen(c)).filter(|w| !w.is_empty()).collect();
    let said = words.join(" ");
    [(Wish::Stop, STOP), (Wish::Start, START), (Wish::Help, HELP)]
        .into_iter()
        .find_map(|(wish, list)| list.iter().find(|word| **word == said).map(|word| Keyword { wish, word }))
}

fn is_hyphen(c: char) -> bool {
    c == '-' || ('\u{2010}'..='\u{2015}').contains(&c)
}

/// Spaces and punctuation around a word.
fn is_apart(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || c.is_ascii_punctuation()
        || matches!(c, '¡' | '¿' | '«' | '»' | '·' | '\u{FEFF}' | '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{303F}' | '\u{FF01}'..='\u{FF0F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_word_alone_counts_however_it_is_dressed() {
        for text in ["STOP", "stop", " Stop. ", "«stop»", "STOP!!!", "\"stop\"", "Stop\n", "\u{200b}stop", "“STOP”"]
        {
            assert_eq!(keyword(text), Some(Keyword { wish: Wish::Stop, word: "STOP" }), "{text:?}");
        }
        for text in ["opt out", "Opt-Out", "OPT  OUT.", "opt‑out"] {
            assert_eq!(keyword(text).map(|k| k.word), Some("OPT OUT"), "{text:?}");
        }
        assert_eq!(keyword("arrêt").map(|k| k.wish), Some(Wish::Stop));
        assert_eq!(keyword("Unstop").map(|k| k.wish), Some(Wish::Start));
        assert_eq!(keyword("help?").map(|k| k.wish), Some(Wish::Help));
    }

    #[test]
    fn every_listed_word_counts() {
        for (wish, list) in [(Wish::Stop, STOP), (Wish::Start, START), (Wish::Help, HELP)] {
            for word in list {
                assert_eq!(keyword(&word.to_lowercase()), Some(Keyword { wish, word }));
            }
        }
    }

    #[test]
    fn nothing_but_the_word_counts() {
        let others = [
            "",
            "stop please",
            "please stop",
            "stopp",
            "yes",
            "YES",
            "s t o p",
            "non-stop",
            "the end",
            "end of it",
            "stop stop",
            "st.op",
            "1",
        ];
        for text in others {
            assert_eq!(keyword(text), None, "{text:?}");
        }
        assert_eq!(keyword(&"stop ".repeat(100)), None);
    }
}
