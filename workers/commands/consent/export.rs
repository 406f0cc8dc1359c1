//! The whole proof as JSON lines or CSV, page by page in one reading of the database.

use std::io::Write as _;

use serde_json::Value;
use texthub::records::consent as ledger;
use tokio_postgres::IsolationLevel;

use super::{Whose, cell, customer};

/// How it is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Jsonl,
    /// RFC 4180.
    Csv,
}

/// Entries that are read at once.
const PAGE: i64 = 1_000;
const COLUMNS: &[&str] = &[
    "nr",
    "id",
    "tenant",
    "customer_number",
    "our_number",
    "kind",
    "scope",
    "method",
    "actor",
    "keyword",
    "changed",
    "source",
    "disclosure",
    "disclosure_sha256",
    "basis",
    "evidence",
    "effective_at",
    "at",
    "caused_by",
];

/// Writes it to standard output.
pub async fn run(whose: &Whose, number: Option<&str>, format: Format) -> anyhow::Result<()> {
    let pool = super::super::pool(&super::super::config()?)?;
    let tenant = whose.tenant(&pool).await?;
    let number = number.map(customer).transpose()?;
    let mut client = pool.get().await?;
    let tx = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if matches!(format, Format::Csv) {
        write!(out, "{}\r\n", COLUMNS.join(","))?;
    }
    let mut after = 0;
    loop {
        let page = ledger::entries(&tx, &tenant, number, after, PAGE).await.map_err(|f| anyhow::anyhow!("{f}"))?;
        let Some(last) = page.last() else { break };
        after = last["nr"].as_i64().unwrap_or(i64::MAX);
        for entry in &page {
            match format {
                Format::Jsonl => writeln!(out, "{entry}")?,
                Format::Csv => write!(out, "{}\r\n", record(entry))?,
            }
        }
    }
    Ok(out.flush()?)
}

fn record(entry: &Value) -> String {
    let fields: Vec<String> = COLUMNS.iter().map(|column| quoted(&cell(&entry[*column]))).collect();
    fields.join(",")
}

/// As CSV wants it; what a spreadsheet would take for a formula gets an apostrophe in front, but for numbers with +.
fn quoted(field: &str) -> String {
    let is_number = field.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
    let field = if is_formula { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    #[test]
    fn fields_are_quoted_and_no_formula_leaves() {
        for (field, written) in [
            ("plain", "plain"),
            ("a,\"b\"\n", "\"a,\"\"b\"\"\n\""),
            ("+15550100100", "+15550100100"),
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
        ] {
            assert_eq!(super::quoted(field), written);
        }
    }
}
