//! `texthub sms number`: what a number is by its form and by the numbering plan, and whether it may be texted. Needs no
//! servers and keeps nothing.

use std::io::{BufRead as _, Write as _};

use clap::Args;
use serde_json::{Value, json};
use texthub::sms::number::{Address, plan, recipient};

/// A number, or many.
#[derive(Args, Clone, Debug)]
pub struct Number {
    /// The number; without it, lines of standard input: a number each, and after a tab the country for it.
    number: Option<String>,
    /// By whose rules numbers without + are read: two letters, as US.
    #[arg(long)]
    country: Option<String>,
    /// Print JSON, a line for each.
    #[arg(long)]
    json: bool,
}

/// Tells it.
pub fn run(asked: &Number) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut tell = |number: &str, country: Option<&str>| {
        let told = document(number, country);
        if asked.json { writeln!(out, "{told}") } else { writeln!(out, "{}", sentence(&told)) }
    };
    if let Some(number) = &asked.number {
        tell(number, asked.country.as_deref())?;
    } else {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let (number, country) = line.split_once('\t').map_or((line.as_str(), None), |(n, c)| (n, Some(c)));
            tell(number, country.or(asked.country.as_deref()))?;
        }
    }
    Ok(out.flush()?)
}

/// The answer as data.
fn document(text: &str, country: Option<&str>) -> Value {
    let address = Address::written(text, country);
    let mut told = json!({"number": text, "form": address.form()});
    if let Address::ShortCode { country, .. } = &address {
        told["country"] = json!(Some(country).filter(|c| !c.is_empty()));
    } else if let Some(plan) = plan::of_written(text, country) {
        told["e164"] = plan.e164.into();
        told["is_possible"] = plan.is_possible.into();
        told["is_valid"] = plan.is_valid.into();
        told["kind"] = plan.kind.as_str().into();
        told["country"] = plan.country.into();
    }
    let to = told["e164"].as_str().unwrap_or(text);
    told["refused"] = json!(recipient::unfit(to).map(recipient::Unfit::word));
    told
}

/// The answer for people.
fn sentence(told: &Value) -> String {
    let word = |key: &str| told[key].as_str().unwrap_or("-").to_owned();
    let validity = match told["is_valid"].as_bool() {
        Some(true) => "in an assigned range",
        Some(false) => "in no assigned range",
        None => "not of a numbering plan",
    };
    let refused =
        told["refused"].as_str().map_or_else(|| "may be texted".to_owned(), |word| format!("refused: {word}"));
    let number = told["e164"].as_str().or(told["number"].as_str()).unwrap_or_default();
    let (form, kind, country) = (word("form"), word("kind"), word("country"));
    format!("{number}  {form}, country {country}, kind {kind}, {validity}; {refused}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_form_plan_and_refusal() {
        let told = document("+447911123456", None);
        assert_eq!((&told["country"], &told["kind"], &told["refused"]), (&json!("GG"), &json!("mobile"), &Value::Null));
        let code = document("12345", Some("US"));
        assert_eq!(
            (&code["form"], &code["country"], &code["e164"]),
            (&json!("short_code"), &json!("US"), &Value::Null)
        );
        assert_eq!(document("(900) 555-0123", Some("US"))["refused"], "premium_number");
        assert_eq!(document("911", Some("US"))["refused"], "emergency_number");
        assert!(sentence(&code).contains("short_code, country US"), "{}", sentence(&code));
    }
}
