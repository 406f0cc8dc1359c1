//! `texthub sms`: numbers, in a file beside this one, and `sms parts`: how a text would travel: its encoding, its parts as
//! carriers bill them, the characters that force it out of the GSM alphabet, what smart encoding would make of it, and what
//! that costs by a connection. Needs no servers but to look at a connection's row, and keeps nothing.

mod number;
mod price;
mod when;

use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::Table;
use serde_json::{Value, json};
use texthub::sms::encoding::{self, Encoding, Parts, Reference};
use texthub::sms::leaving::Manner;
use texthub::sms::octets;
use texthub::sms::smart::{self, Smart};

/// Most octets of a text on standard input.
const LONGEST: u64 = 1 << 20;

/// What to tell of texts.
#[derive(Subcommand, Clone, Debug)]
pub enum Asked {
    /// Show encoding and parts of a text.
    Parts(Text),
    /// Tell what a number is, by its form and the numbering plan, and whether it may be texted.
    Number(number::Number),
    /// Tell whether a text may arrive at a number now, by quiet hours, and else from when on.
    When(when::When),
}

/// A text, and how it is sent.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub struct Text {
    /// The text; without it, standard input without its last line break.
    #[arg(conflicts_with = "lines")]
    text: Option<String>,
    /// Cut the text that smart encoding makes of it.
    #[arg(long)]
    smart: bool,
    /// As this connection sends it: its smart encoding, and its price. By the database, or by --file.
    #[arg(long)]
    carrier: Option<String>,
    /// The recipient's number, for the price of its country.
    #[arg(long, requires = "carrier")]
    to: Option<String>,
    /// The tenant file that has the connection.
    #[arg(long, requires = "carrier")]
    file: Option<PathBuf>,
    /// Leave room for a reference of 16 bits in each of several parts, not 8.
    #[arg(long)]
    wide_reference: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Read a JSON string from each line of standard input, and print a line of JSON for each.
    #[arg(long)]
    lines: bool,
    /// In JSON, the octets of each part too, as hex: GSM one septet to an octet, else UTF-16.
    #[arg(long)]
    octets: bool,
}

/// Tells it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let asked = match asked {
        Asked::Parts(asked) => asked,
        Asked::Number(asked) => return number::run(asked),
        Asked::When(asked) => return when::run(asked),
    };
    let manner = price::manner(asked).await?;
    let asked = &Text { smart: asked.smart || manner.is_smart, ..asked.clone() };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if asked.lines {
        for (nth, line) in std::io::stdin().lock().lines().enumerate() {
            let text: String = serde_json::from_str(&line?)
                .map_err(|error| anyhow::anyhow!("line {}: a JSON string is needed: {error}", nth + 1))?;
            writeln!(out, "{}", document(&text, asked, &manner))?;
        }
        return Ok(out.flush()?);
    }
    let text = match &asked.text {
        Some(text) => text.clone(),
        None => read()?,
    };
    if asked.json {
        writeln!(out, "{:#}", document(&text, asked, &manner))?;
    } else {
        writeln!(out, "{}", told(&text, asked, &manner))?;
    }
    Ok(out.flush()?)
}

fn read() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text)?;
    anyhow::ensure!(text.len() as u64 <= LONGEST, "a text is at most {LONGEST} octets");
    let cut = text.strip_suffix('\n').unwrap_or(&text);
    Ok(cut.strip_suffix('\r').unwrap_or(cut).to_owned())
}

impl Text {
    fn reference(&self) -> Reference {
        if self.wide_reference { Reference::Wide } else { Reference::Narrow }
    }

    fn cut<'a>(&self, text: &'a str) -> Parts<'a> {
        encoding::parts_by(text, self.reference())
    }

    /// The text that is cut.
    fn sent<'a>(&self, text: &'a str, smart: &'a Smart<'_>) -> &'a str {
        if self.smart { &smart.sent } else { text }
    }
}

/// The answer as data.
fn document(text: &str, asked: &Text, manner: &Manner) -> Value {
    let smart = smart::smart(text);
    let sent = asked.sent(text, &smart);
    let cut = asked.cut(sent);
    let parts: Vec<Value> = cut.parts.iter().map(|part| of_part(part, cut.encoding, asked.octets)).collect();
    let culprits: Vec<Value> = culprits(sent)
        .into_iter()
        .map(|(c, places)| json!({"character": c, "code_point": code_point(c), "at": places}))
        .collect();
    let after = if smart.sent == sent { cut.clone() } else { asked.cut(&smart.sent) };
    let price = |parts: usize| price::document(asked.price(manner, parts).as_ref());
    json!({
        "text": sent, "encoding": cut.encoding.as_str(), "units": cut.encoding.units(sent), "parts": parts,
        "culprits": culprits, "price": price(cut.parts.len()),
        "smart": {
            "verdict": smart.verdict.as_str(), "text": smart.sent, "encoding": after.encoding.as_str(),
            "parts": after.parts.len(), "price": price(after.parts.len()),
        },
    })
}

fn of_part(part: &str, encoding: Encoding, with_octets: bool) -> Value {
    let mut value = json!({"text": part, "units": encoding.units(part)});
    if with_octets {
        let hex = |octet: u8| [octet >> 4, octet & 15].map(|half| char::from(b"0123456789abcdef"[usize::from(half)]));
        let octets = octets::encode(part, encoding).unwrap_or_default();
        value["octets"] = octets.into_iter().flat_map(hex).collect::<String>().into();
    }
    value
}

/// Each character that is not in the GSM alphabet, with its places, from 0.
fn culprits(text: &str) -> BTreeMap<char, Vec<usize>> {
    let mut all: BTreeMap<char, Vec<usize>> = BTreeMap::new();
    for (at, c) in encoding::culprits(text) {
        all.entry(c).or_default().push(at);
    }
    all
}

fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// A part in one line: what is not seen, by its code.
fn shown(part: &str) -> String {
    let one = |c: char| match c {
        '\'' | '"' => c.to_string(),
        c => c.escape_debug().to_string(),
    };
    part.chars().map(one).collect()
}

fn many(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// The answer for people.
fn told(text: &str, asked: &Text, manner: &Manner) -> String {
    let smart = smart::smart(text);
    let sent = asked.sent(text, &smart);
    let cut = asked.cut(sent);
    let (single, several) = cut.encoding.limits(asked.reference());
    let most = if cut.parts.len() == 1 { single } else { several };
    let (name, unit) = match cut.encoding {
        Encoding::Gsm7 => ("GSM 03.38", "septets"),
        Encoding::Ucs2 => ("UCS-2", "code units"),
    };
    let price = |parts: usize| price::told(asked.price(manner, parts).as_ref());
    let count = cut.parts.len();
    let head = format!("{name}, {} of at most {most} {unit}{}", many(count, "part"), price(count));
    let header = ["PART", "UNITS", "TEXT"];
    let rows = cut
        .parts
        .iter()
        .enumerate()
        .map(|(nth, part)| vec![(nth + 1).to_string(), cut.encoding.units(part).to_string(), shown(part)]);
    let mut told = vec![head, table(&header, rows)];
    if cut.encoding == Encoding::Ucs2 {
        let rows = culprits(sent).into_iter().map(|(c, places)| {
            let first = (places[0] + 1).to_string();
            vec![c.escape_debug().to_string(), code_point(c), first, places.len().to_string()]
        });
        let header = ["CHARACTER", "CODE POINT", "FIRST PLACE", "TIMES"];
        told.push(format!("not in the GSM alphabet:\n{}", table(&header, rows)));
    }
    let after = asked.cut(&smart.sent);
    let count = after.parts.len();
    let (verdict, encoding) = (smart.verdict.sentence(), after.encoding.as_str());
    told.push(format!("smart encoding: {verdict}; {encoding}, {}{}", many(count, "part"), price(count)));
    told.join("\n\n")
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(subcommand)]
        asked: Asked,
    }

    fn asked(words: &[&str]) -> Text {
        match Command::try_parse_from([&["sms", "parts"], words].concat()).unwrap().asked {
            Asked::Parts(asked) => asked,
            other @ (Asked::Number(_) | Asked::When(_)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_tells_encoding_parts_culprits_and_what_smart_encoding_would_do() {
        let text = format!("it’s {}", "a".repeat(80));
        let plain = document(&text, &asked(&["--octets"]), &Manner::default());
        assert_eq!((&plain["encoding"], &plain["units"]), (&json!("ucs2"), &json!(85)));
        assert_eq!(plain["parts"][1]["units"], 18);
        assert_eq!(plain["parts"][0]["octets"].as_str().unwrap()[..16], *"0069007420190073");
        assert_eq!(plain["culprits"], json!([{"character": "’", "code_point": "U+2019", "at": [2]}]));
        assert_eq!((&plain["smart"]["verdict"], &plain["smart"]["parts"]), (&json!("applied"), &json!(1)));
        let smart = document(&text, &asked(&["--smart"]), &Manner::default());
        assert_eq!((&smart["encoding"], smart["parts"].as_array().unwrap().len()), (&json!("gsm7"), 1));
        assert_eq!(smart["text"], text.replace('’', "'"));
    }

    #[test]
    fn it_tells_people_the_same() {
        let told = told("it’s 2 €", &asked(&[]), &Manner::default());
        for line in ["UCS-2, 1 part of at most 70 code units", "U+2019", "smart encoding: the whole text fits"] {
            assert!(told.contains(line), "{told}");
        }
        assert_eq!(shown("it's\n\"e\u{301}\u{200b}"), "it's\\n\"e\\u{301}\\u{200b}");
        let wide = super::told(&"a".repeat(306), &asked(&["--wide-reference"]), &Manner::default());
        assert!(wide.starts_with("GSM 03.38, 3 parts of at most 152 septets"), "{wide}");
    }

    #[tokio::test]
    async fn a_connection_tells_what_it_sends_and_what_that_costs() {
        let path = std::env::temp_dir().join(format!("texthub-prices-{}", texthub::runtime::clock::new_id()));
        let example = include_str!("../../examples/three-bears.toml");
        let priced =
            "[[carriers]]\nsmart_encoding = true\nprices = { US = \"0.0079 USD\" }\nprice_per_part = \"0.05 EUR\"";
        std::fs::write(&path, example.replacen("[[carriers]]", priced, 1)).unwrap();
        let file = path.to_str().unwrap();
        let of = |to: &str| asked(&["--carrier", "sim", "--file", file, "--to", to]);
        let text = format!("it’s {}", "a".repeat(80));
        let manner = price::manner(&of("+12125552368")).await.unwrap();
        assert!(manner.is_smart);
        let told = told(&text, &of("+12125552368"), &manner);
        assert!(told.starts_with("UCS-2, 2 parts of at most 67 code units, 0.0158 USD\n"), "{told}");
        assert!(told.ends_with("gsm7, 1 part, 0.0079 USD"), "{told}");
        let document = document(&text, &of("+4915112345678"), &manner);
        assert_eq!(document["price"], json!({"amount": "0.1", "currency": "EUR"}));
        assert_eq!(document["smart"]["price"], json!({"amount": "0.05", "currency": "EUR"}));
        let none = asked(&["--carrier", "nobody", "--file", file]);
        assert!(price::manner(&none).await.is_err());
        std::fs::remove_file(path).unwrap();
    }
}
