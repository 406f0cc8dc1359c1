//! `texthub carriers`: the connections with what waits for each, and the end of a pause that a refused account began.

use clap::Subcommand;
use comfy_table::Table;
use serde_json::json;
use texthub::facts::ids::Slug;
use tokio_postgres::Row;

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Asked {
    /// Show every connection: kind, whether it is paused and why, how many texts wait for it.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send by a connection again whose account was refused; the texts that wait leave within a minute.
    Resume {
        /// Its slug.
        carrier: Slug,
    },
}

const LIST: &str = "
    select c.tenant, c.id, c.kind, to_char(c.paused_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as paused_at,
           c.paused_why, (select count(*) from sms s where s.carrier = c.id and s.state in ('requested', 'held')) as waiting
    from carriers c where c.ended_at is null order by c.tenant, c.id";

/// Does it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let client = super::pool(&super::config()?)?.get().await?;
    match asked {
        Asked::List { json } => list(&client.query(LIST, &[]).await?, *json),
        Asked::Resume { carrier } => {
            let resume =
                "update carriers set paused_at = null, paused_why = null where id = $1 and paused_at is not null";
            let resumed = client.execute(resume, &[carrier]).await?;
            anyhow::ensure!(resumed == 1, "{carrier} is not paused; `texthub carriers list` shows which are");
            println!("{carrier} is resumed");
        }
    }
    Ok(())
}

fn list(rows: &[Row], as_json: bool) {
    let text = |row: &Row, column: &str| row.get::<_, Option<String>>(column);
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "tenant": text(row, "tenant"), "carrier": text(row, "id"), "kind": text(row, "kind"),
                    "paused_at": text(row, "paused_at"), "paused_why": text(row, "paused_why"),
                    "waiting": row.get::<_, i64>("waiting"),
                })
            })
            .collect();
        println!("{}", json!(rows));
        return;
    }
    let mut table = Table::new();
    table.set_header(["tenant", "carrier", "kind", "paused since", "why", "texts waiting"]);
    for row in rows {
        let cell = |column| text(row, column).unwrap_or_default();
        let waiting = row.get::<_, i64>("waiting").to_string();
        table.add_row([cell("tenant"), cell("id"), cell("kind"), cell("paused_at"), cell("paused_why"), waiting]);
    }
    println!("{table}");
}
