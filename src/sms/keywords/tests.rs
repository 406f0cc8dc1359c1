//! The lists themselves, what counts where, and what only looks like a withdrawal.

use super::*;

const US: &str = "+15550100001";
const DE: &str = "+4915112345678";

fn wish(text: &str, number: &str) -> Option<Wish> {
    keyword(text, number).map(|keyword| keyword.wish)
}

/// 47 CFR 64.1200(a)(10), and the defaults of Twilio, Telnyx and AWS (docs/consent.md names the pages).
const LAW: &[&str] = &["stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"];
const TWILIO: &[&str] = &["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"];
const TELNYX: &[&str] = &["STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"];
const AWS: &[&str] = &["ARRET", "CANCEL", "END", "OPT-OUT", "OPTOUT", "QUIT", "REMOVE", "STOP", "TD", "UNSUBSCRIBE"];

#[test]
fn every_word_of_the_law_and_of_every_provider_is_honoured_everywhere() {
    for word in [LAW, TWILIO, TELNYX, AWS].concat() {
        for number in [US, DE, "+81312345678", "12345"] {
            assert_eq!(wish(word, number), Some(Wish::Stop), "{word} of {number}");
            assert_eq!(wish(&format!("{}. ", word.to_lowercase()), number), Some(Wish::Stop), "{word}");
        }
    }
    for (word, asked) in [("START", Wish::Start), ("UNSTOP", Wish::Start), ("HELP", Wish::Help), ("INFO", Wish::Help)] {
        assert_eq!(wish(word, DE), Some(asked));
    }
    assert_eq!(wish("Yes", US), Some(Wish::Yes));
}

#[test]
fn the_data_can_be_read_and_every_word_of_it_counts_in_its_countries() {
    assert!(languages().count() >= 10, "words.toml");
    for lists in &WORDS.language {
        for id in &lists.countries {
            let number = format!("+{}5550100001", rules::country(id).unwrap_or_else(|| panic!("{id}")).calling_code);
            for word in &lists.stop {
                assert_eq!(wish(&word.to_lowercase(), &number), Some(Wish::Stop), "{word} in {id}");
            }
            for word in &lists.yes {
                assert_eq!(wish(word, &number), Some(Wish::Yes), "{word} in {id}");
            }
        }
        assert!(lists.never.iter().all(|word| !lists.stop.contains(word)), "{}", lists.id);
    }
    let all = WORDS.language.iter().chain([&WORDS.everywhere]);
    for word in all.flat_map(|l| [&l.stop, &l.start, &l.help, &l.yes, &l.near, &l.polite, &l.never]).flatten() {
        assert_eq!(word.to_uppercase(), *word, "written in capitals");
        assert!(word.chars().all(|c| c.is_alphanumeric() || c == ' '), "{word}");
    }
}

#[test]
fn a_listed_word_alone_counts_however_it_is_dressed() {
    for text in ["STOP", "stop", " Stop. ", "«stop»", "STOP!!!", "\"stop\"", "Stop\n", "\u{200b}stop", "“STOP”"] {
        assert_eq!(keyword(text, US).map(|k| (k.wish, k.word)), Some((Wish::Stop, "STOP")), "{text:?}");
    }
    for text in ["opt out", "Opt-Out", "OPT  OUT.", "opt‑out"] {
        assert_eq!(keyword(text, US).map(|k| k.word), Some("OPT OUT"), "{text:?}");
    }
}

#[test]
fn a_word_of_a_language_counts_in_its_countries_alone() {
    assert_eq!(
        (wish("alto", US), wish("alto", "+34612345678"), wish("alto", DE)),
        (Some(Wish::Stop), Some(Wish::Stop), None)
    );
    assert_eq!((wish("Stopp", DE), wish("stopp", US)), (Some(Wish::Stop), None));
    assert_eq!((wish("ja", DE), wish("ja", US), wish("ja", "12345")), (Some(Wish::Yes), None, None));
    assert_eq!((wish("peru", "+358401234567"), wish("Peru", US)), (Some(Wish::Stop), None));
}

#[test]
fn the_language_is_the_words_else_that_of_the_numbers_country() {
    let of = |text, number| language_of(keyword(text, number).unwrap(), number);
    assert_eq!(of("arrêt", US), Some("fr"));
    assert_eq!((of("stop", US), of("stop", "+41791234567")), (None, None), "several are spoken there");
    assert_eq!((of("stop", DE), of("stop", "+48501234567")), (Some("de"), Some("pl")));
}

#[test]
fn nothing_but_the_word_counts() {
    let others = [
        "",
        "stop please",
        "please stop",
        "stopp",
        "s t o p",
        "non-stop",
        "the end",
        "end of it",
        "stop stop",
        "st.op",
        "1",
    ];
    for text in others {
        assert_eq!(keyword(text, US), None, "{text:?}");
    }
    assert_eq!(keyword(&"stop ".repeat(100), US), None);
}

#[test]
fn what_looks_like_a_withdrawal_is_flagged() {
    let near = [
        "stop please",
        "Please, stop.",
        "pls stop texting me",
        "no mas",
        "stpo",
        "stopp",
        "STOP STOP STOP",
        "unsubscibe me",
        "unsubcribe",
        "unsub pls",
        "please unsubscribe from these alerts",
        "I want to cancel my subscription",
        "remove me from your list",
        "I said don't text me anymore!!",
        "I have asked you three times now to stop texting me, this is harassment",
        "Take me off your list",
        "no me manden más mensajes",
        "SVP ARRETEZ",
    ];
    for text in near {
        assert!(is_near_miss(text, US), "{text:?}");
    }
    assert!(is_near_miss("Bitte keine SMS mehr!", DE) && !is_near_miss("Bitte keine SMS mehr!", US));
}

#[test]
fn what_only_holds_such_a_word_is_not() {
    let others = [
        "",
        "stop",
        "yes",
        "help",
        "the bus stop is by the shop",
        "step",
        "quite",
        "can you stop by on friday",
        "the end of the month is fine",
        "it stopped working",
        "please cancel my order of tuesday and send two bowls",
        "don't stop",
        "nonstop",
        "shop",
        "thanks",
        "please",
        "where is the remote",
        "Win a bowl of porridge! Text BOWL to 55501. Unsub STOP",
    ];
    for text in others {
        assert!(!is_near_miss(text, US), "{text:?}");
    }
    assert!(!is_near_miss(&format!("{} stop texting", "word ".repeat(60)), US));
}

/// `TEXTHUB_CORPUS` names a folder with uci-sms-spam.tsv; without it there is nothing to judge.
#[test]
fn no_line_of_the_corpus_is_taken_for_an_opt_out_and_few_are_flagged() {
    let Some(folder) = crate::config::Config::given("TEXTHUB_CORPUS") else { return };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join("uci-sms-spam.tsv")).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).map(|line| line.split_once('\t').unwrap().1).collect();
    assert!(lines.len() > 5_000);
    for number in [US, DE, "+34612345678", "+33612345678"] {
        let exact = lines.iter().filter(|line| wish(line, number) == Some(Wish::Stop)).count();
        assert_eq!(exact, 0, "none is nothing but such a word");
        let near = lines.iter().filter(|line| is_near_miss(line, number)).count();
        assert!(near * 100 <= lines.len(), "{near} of {} as {number}", lines.len());
    }
}
