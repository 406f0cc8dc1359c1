//! libFuzzer on the parser that `TEXTHUB_FUZZ` names; without the engine's flags it is built for nothing. What a parser
//! is given, and how long that may be, says `texthub::parsers`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use texthub::parsers::{PARSERS, Parser, seeds};

/// Without a name, every name and longest input is told; with TEXTHUB_FUZZ_SEEDS, the beginnings go to that folder first.
static PARSER: LazyLock<Parser> = LazyLock::new(|| {
    let name = std::env::var("TEXTHUB_FUZZ").unwrap_or_default();
    let Some(parser) = PARSERS.iter().find(|parser| parser.name == name) else {
        for parser in PARSERS {
            println!("{} {}", parser.name, parser.longest);
        }
        std::process::exit(i32::from(!name.is_empty()));
    };
    if let Ok(folder) = std::env::var("TEXTHUB_FUZZ_SEEDS") {
        for (nth, seed) in seeds::of(parser.name).iter().enumerate() {
            let path = format!("{folder}/seed-{nth}");
            if let Err(error) = std::fs::write(&path, seed) {
                eprintln!("{path}: {error}");
                std::process::exit(1);
            }
        }
        std::process::exit(0);
    }
    *parser
});

fuzz_target!(
    init: {
        LazyLock::force(&PARSER);
    },
    |bytes: &[u8]| -> Corpus {
        if bytes.len() > PARSER.longest {
            return Corpus::Reject;
        }
        (PARSER.run)(bytes);
        Corpus::Keep
    }
);
