//! The role `smpp`: keeps a bind for both ways to every connection of that kind, and hands in what comes by them. An SMSC
//! is answered with success only once the broker has confirmed; until then, and while the broker is away, it is told to try
//! again. `send_sms` in the same process sends by the same binds; elsewhere it has transmitters of its own. Reads the
//! database, writes none of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use texthub::amqp::publisher::Publisher;
use texthub::facts::envelope::Publication;
use texthub::facts::ids::Slug;
use texthub::runtime::clock;
use texthub::runtime::supervisor::{Host, Role};
use texthub::sms::carrier::heard::{self, Heard};
use texthub::sms::carrier::lines::Lines;
use texthub::sms::carrier::smpp::{Came, Hands, KIND};
use texthub::sms::carrier::{Connection, Row, Surroundings};
use texthub::sms::sending;
use tokio::time::sleep;

/// How often the connections are looked at: new, changed, removed ones, and their secrets.
const LOOKS: Duration = Duration::from_secs(2);

/// The role.
pub fn role(around: Surroundings) -> Role {
    let (lines, registry) = (Lines::new(around.clone()), around.smpp);
    let parting = registry.clone();
    Role::task(KIND.name, move |host: Host| {
        let (lines, registry) = (lines.clone(), registry.clone());
        Box::pin(async move {
            registry.take_by(Some(hands(host.publisher.clone(), host.partitions)));
            while !host.stop.is_cancelled() {
                match carriers(&host.pool).await {
                    Ok(rows) => {
                        let known: BTreeSet<Slug> = rows.iter().map(|row| row.id.clone()).collect();
                        for line in rows.iter().filter_map(|row| lines.of(row)) {
                            if let Connection::Smpp(client) = &line.connection {
                                client.receive_too();
                            }
                        }
                        registry.keep(&known);
                    }
                    Err(error) => tracing::warn!(error, "the SMPP connections cannot be looked at"),
                }
                tokio::select! {
                    () = host.stop.cancelled() => {}
                    () = sleep(LOOKS) => {}
                }
            }
            registry.take_by(None);
            Ok(())
        })
    })
    .parting(move || {
        let registry = parting.clone();
        Box::pin(async move { registry.close().await })
    })
}

async fn carriers(pool: &Pool) -> Result<Vec<Row>, String> {
    let mut client = pool.get().await.map_err(|error| error.to_string())?;
    let tx = client.transaction().await.map_err(|error| error.to_string())?;
    let rows = sending::carriers_of_kind(&tx, KIND.name).await.map_err(|failure| failure.to_string())?;
    let _ = tx.rollback().await;
    Ok(rows)
}

/// Takes what came: confirmed by the broker, all of it.
fn hands(publisher: Publisher, partitions: u32) -> Hands {
    Arc::new(move |carrier, came| {
        let publisher = publisher.clone();
        Box::pin(async move {
            let facts: Vec<Publication> = came.into_iter().flat_map(|came| facts(&carrier, came)).collect();
            publisher.hand_in(&facts, partitions).await.is_ok()
        })
    })
}

fn facts(carrier: &Slug, came: Came) -> Vec<Publication> {
    let said = |heard: Heard| heard::facts(carrier, clock::near(), &[heard]);
    match came {
        Came::Text(text) => said(Heard::Text(text)),
        Came::Part(part) => said(Heard::Part(part)),
        Came::Receipt { report, rules, ends } => {
            let mut facts = said(Heard::Receipt(report));
            let words: Vec<&str> = rules.iter().map(|rule| rule.word()).collect();
            for fact in &mut facts {
                fact.add("id_rules", serde_json::json!(words));
                if !ends.0.is_empty() && !ends.1.is_empty() {
                    fact.add("our_number", ends.0.as_str().into());
                    fact.add("customer_number", ends.1.as_str().into());
                }
            }
            facts
        }
        Came::Unreadable { octets, why } => {
            tracing::error!(carrier = %carrier, why, "an SMSC's PDU cannot be read; it is among the dead letters");
            vec![heard::unreadable_octets(carrier, &octets, why)]
        }
        Came::Nothing(_) => Vec::new(),
    }
}
