//! What a connection does to a text before it leaves, and what its parts cost: by its row, or by a tenant file.

use std::path::Path;

use serde_json::{Map, Value, json};
use texthub::sms::leaving::Manner;
use texthub::sms::price::Price;
use texthub::tenant::check;

use super::Text;

/// The manner of the connection that was named; as it is without one where none was.
pub async fn manner(asked: &Text) -> anyhow::Result<Manner> {
    let Some(carrier) = &asked.carrier else { return Ok(Manner::default()) };
    let settings = match &asked.file {
        Some(path) => of_file(path, carrier)?,
        None => of_row(carrier).await?,
    };
    let settings = settings.ok_or_else(|| anyhow::anyhow!("there is no carrier {carrier}"))?;
    Ok(Manner::of(&settings))
}

fn of_file(path: &Path, carrier: &str) -> anyhow::Result<Option<Map<String, Value>>> {
    let name = path.display().to_string();
    let file = check::read(&std::fs::read_to_string(path)?).map_err(|mistakes| {
        let all: Vec<String> = mistakes.iter().map(|mistake| mistake.sentence(&name)).collect();
        anyhow::anyhow!("{}", all.join("\n"))
    })?;
    let found = file.carriers.into_iter().find(|c| c.id.as_ref().is_some_and(|at| at.value.as_str() == carrier));
    Ok(found.map(|carrier| carrier.settings))
}

async fn of_row(carrier: &str) -> anyhow::Result<Option<Map<String, Value>>> {
    let pool = super::super::pool(&super::super::config()?)?;
    let row = pool.get().await?.query_opt("select settings from carriers where id = $1", &[&carrier]).await?;
    Ok(row.map(|row| row.get::<_, Value>(0).as_object().cloned().unwrap_or_default()))
}

impl Text {
    /// Of so many parts, by this manner.
    pub(super) fn price(&self, manner: &Manner, parts: usize) -> Option<Price> {
        manner.prices.of_part(self.to.as_deref().unwrap_or_default()).map(|price| price.times(parts))
    }
}

/// As in transcripts; null where there is none.
pub fn document(price: Option<&Price>) -> Value {
    let words = price.map(ToString::to_string);
    words
        .as_deref()
        .and_then(|words| words.split_once(' '))
        .map_or(Value::Null, |(amount, currency)| json!({"amount": amount, "currency": currency}))
}

/// After a comma, where there is one.
pub fn told(price: Option<&Price>) -> String {
    price.map(|price| format!(", {price}")).unwrap_or_default()
}
