//! Lists of consent from elsewhere, as CSV (RFC 4180, UTF-8): every row is checked, every mistake told with its line, and
//! the id of an entry follows from its row, so that the same list again changes nothing. Pure; writing is `note`'s.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Basis, ConsentKind, Noted, Proof, Scope};
use crate::facts::ids::{FactId, Slug};
use crate::sms::number::{is_e164, is_short_code};

/// The columns that are known; the first two must be there.
pub const COLUMNS: &[&str] = &[
    "customer_number",
    "kind",
    "our_number",
    "scope",
    "at",
    "basis",
    "disclosure",
    "evidence",
    "url",
    "ip",
    "user_agent",
];
/// Namespace of ids that are derived from rows.
const ROWS: Uuid = Uuid::from_u128(0x2b0c_51de_90a7_5f36_8f13_77d1_04be_6a52);
/// Most characters of a field.
const LONGEST: usize = 4_000;

/// A row that can be noted.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it stands, from 1.
    pub line: usize,
    customer_number: String,
    our_number: String,
    kind: ConsentKind,
    scope: Scope,
    effective_at: Option<Timestamp>,
    proof: Proof,
    caused_by: FactId,
}

impl Row {
    /// As a word for the ledger.
    #[must_use]
    pub fn noted<'a>(&'a self, tenant: &'a str, actor: &'a str) -> Noted<'a> {
        Noted {
            scope: self.scope,
            method: super::Method::Import,
            actor: actor.into(),
            keyword: None,
            proof: self.proof.clone(),
            effective_at: self.effective_at,
            ..Noted::by_keyword((tenant, &self.our_number, &self.customer_number), self.kind, "", self.caused_by)
        }
    }
}

/// A mistake and its line.
pub type Mistake = (usize, String);

/// Reads a list of a tenant with these numbers; `now` bounds its times.
///
/// # Errors
/// Every mistake.
pub fn read(text: &str, tenant: &Slug, ours: &[String], now: Timestamp) -> Result<Vec<Row>, Vec<Mistake>> {
    let mut records =
        split(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|mistake| vec![mistake])?.into_iter();
    let header: Vec<String> = records.next().map(|(_, header)| header).unwrap_or_default();
    let header: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
    let mut mistakes: Vec<Mistake> = Vec::new();
    for name in &header {
        if !COLUMNS.contains(&name.as_str()) {
            mistakes.push((1, format!("there is no column {name:?}; columns are {}", COLUMNS.join(", "))));
        } else if header.iter().filter(|other| *other == name).count() > 1 {
            mistakes.push((1, format!("the column {name} stands twice")));
        }
    }
    for needed in &COLUMNS[..2] {
        if !header.iter().any(|name| name == needed) {
            mistakes.push((1, format!("the first line lacks the column {needed}")));
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut rows = Vec::new();
    for (line, fields) in records {
        if fields.len() != header.len() {
            mistakes.push((line, format!("{} fields, and the first line has {}", fields.len(), header.len())));
            continue;
        }
        let of = |name: &str| {
            let place = header.iter().position(|column| column == name)?;
            Some(fields[place].trim()).filter(|field| !field.is_empty())
        };
        match row(line, tenant, now, &of) {
            Ok(row) if row.our_number.is_empty() || ours.contains(&row.our_number) => rows.push(row),
            Ok(row) => mistakes.push((line, format!("{:?} is no number of {tenant}", row.our_number))),
            Err(wrong) => mistakes.extend(wrong.into_iter().map(|what| (line, what))),
        }
    }
    if mistakes.is_empty() { Ok(rows) } else { Err(mistakes) }
}

fn row<'f>(
    line: usize,
    tenant: &Slug,
    now: Timestamp,
    of: &dyn Fn(&str) -> Option<&'f str>,
) -> Result<Row, Vec<String>> {
    let mut wrong = Vec::new();
    let customer_number = of("customer_number").unwrap_or_default();
    if !is_e164(customer_number) && !is_short_code(customer_number) {
        wrong.push("customer_number is no number: write + and 7 to 15 digits".to_owned());
    }
    let kind = word::<ConsentKind>("kind", of("kind"), &mut wrong);
    let scope = match of("scope") {
        Some(scope) => word("scope", Some(scope), &mut wrong),
        None => Some(if of("our_number").is_some() { Scope::Number } else { Scope::Brand }),
    };
    match (scope, of("our_number")) {
        (Some(Scope::Number), None) => wrong.push("scope number needs our_number".to_owned()),
        (Some(Scope::Brand | Scope::All), None) if kind == Some(ConsentKind::Asked) => {
            wrong.push("opt_in_asked needs our_number: the one that asked".to_owned());
        }
        _ => {}
    }
    let effective_at = of("at").and_then(|at| match at.parse::<Timestamp>() {
        Ok(at) if at <= now => Some(at),
        Ok(_) => {
            wrong.push("at lies ahead".to_owned());
            None
        }
        Err(_) => {
            wrong.push("at is no time: write it as 2026-01-31T12:00:00Z".to_owned());
            None
        }
    });
    let basis = of("basis").and_then(|basis| word::<Basis>("basis", Some(basis), &mut wrong));
    for name in COLUMNS {
        let field = of(name).unwrap_or_default();
        if field.chars().count() > LONGEST || field.contains('\0') {
            wrong.push(format!("{name} has more than {LONGEST} characters, or NUL"));
        }
    }
    let (Some(kind), Some(scope), true) = (kind, scope, wrong.is_empty()) else { return Err(wrong) };
    let source: Map<String, Value> =
        ["url", "ip", "user_agent"].iter().filter_map(|name| Some(((*name).to_owned(), of(name)?.into()))).collect();
    let fields: Vec<&str> = COLUMNS.iter().map(|name| of(name).unwrap_or_default()).collect();
    let identity = format!("{tenant}\0{}", fields.join("\0"));
    Ok(Row {
        line,
        customer_number: customer_number.to_owned(),
        our_number: of("our_number").unwrap_or_default().to_owned(),
        kind,
        scope,
        effective_at,
        proof: Proof {
            source: Some(Value::Object(source)).filter(|source| source.as_object().is_some_and(|s| !s.is_empty())),
            disclosure: of("disclosure").map(str::to_owned),
            basis,
            evidence: of("evidence").map(str::to_owned),
        },
        caused_by: FactId(Uuid::new_v5(&ROWS, identity.as_bytes())),
    })
}

fn word<T: std::str::FromStr<Err = String>>(name: &str, field: Option<&str>, wrong: &mut Vec<String>) -> Option<T> {
    match field.unwrap_or_default().parse() {
        Ok(word) => Some(word),
        Err(what) => {
            wrong.push(format!("{name}: {what}"));
            None
        }
    }
}

/// Records with the line each begins on; empty lines are passed over.
fn split(text: &str) -> Result<Vec<(usize, Vec<String>)>, Mistake> {
    let mut records: Vec<(usize, Vec<String>)> = Vec::new();
    let (mut line, mut begun) = (1, 1);
    let (mut field, mut fields, mut is_quoted) = (String::new(), Vec::new(), false);
    let mut chars = text.chars().peekable();
    loop {
        let next = chars.next();
        match next {
            Some('"') if is_quoted => {
                if chars.next_if_eq(&'"').is_some() {
                    field.push('"');
                } else {
                    is_quoted = false;
                }
            }
            Some('"') if field.is_empty() => is_quoted = true,
            Some('"') => return Err((line, "a quote within a field that is not quoted".to_owned())),
            None if is_quoted => return Err((begun, "the quoted field has no end".to_owned())),
            Some(',') if !is_quoted => fields.push(std::mem::take(&mut field)),
            Some('\r') if !is_quoted && chars.peek() == Some(&'\n') => {}
            Some('\n') | None if !is_quoted => {
                fields.push(std::mem::take(&mut field));
                let record = std::mem::take(&mut fields);
                if record.len() > 1 || !record[0].trim().is_empty() {
                    records.push((begun, record));
                }
                begun = line + 1;
            }
            Some(c) => field.push(c),
            None => {}
        }
        match next {
            Some('\n') => line += 1,
            Some(_) => {}
            None => return Ok(records),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<Row>, Vec<Mistake>> {
        read(
            text,
            &Slug::new("bears").unwrap(),
            &["+15550100001".to_owned()],
            Timestamp::from_second(1_800_000_000).unwrap(),
        )
    }

    #[test]
    fn a_list_is_read_with_its_proof_and_its_ids_follow_from_its_rows() {
        let text = "customer_number,kind,our_number,at,disclosure,ip\r\n\
                    +15550100100,opt_in,+15550100001,2026-01-01T00:00:00Z,\"We text, \"\"weekly\"\".\nReply STOP.\",192.0.2.1\r\n\
                    \r\n+15550100101,opt_out,,,,\n";
        let rows = list(text).unwrap();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(rows[0].proof.disclosure.as_deref(), Some("We text, \"weekly\".\nReply STOP."));
        assert_eq!(rows[0].proof.source, Some(serde_json::json!({"ip": "192.0.2.1"})));
        assert_eq!((rows[0].scope, rows[1].scope), (Scope::Number, Scope::Brand));
        let again = list(&format!("\u{feff}{text}")).unwrap();
        assert_eq!(rows[0].caused_by, again[0].caused_by);
        assert_ne!(rows[0].caused_by, rows[1].caused_by);
    }

    #[test]
    fn all_mistakes_are_told_with_their_lines() {
        let text = "customer_number,kind,our_number,scope,at\n555,opt_out,,,\n+15550100100,maybe,,number,soon\n\
                    +15550100100,opt_in,,,2100-01-01T00:00:00Z\nx\n+15550100100,opt_in_asked,,,\n+15550100100,opt_out,+15550100009,,\n";
        let mistakes = list(text).unwrap_err();
        let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.0).collect();
        assert_eq!(lines, [3, 3, 3, 4, 5, 6, 7], "{mistakes:?}");
        for (text, what) in [
            ("number,kind\n", "no column"),
            ("kind\n", "lacks the column customer_number"),
            ("kind,kind\n", "twice"),
            ("customer_number,kind\n\"+1", "no end"),
            ("customer_number,kind\na\"b,c", "a quote"),
        ] {
            let mistakes = list(text).unwrap_err();
            assert!(mistakes.iter().any(|mistake| mistake.1.contains(what)), "{text}: {mistakes:?}");
        }
    }
}
