//! The role `carrier-simulator`: the simulated mobile network for as long as the process lives; what it says goes to the
//! exchange `texthub` with confirms, over whichever link to the broker stands. Unconfirmed is said again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use texthub::amqp::Lost;
use texthub::config::Config;
use texthub::retry::Waits;
use texthub::runtime::supervisor::{Host, Role};
use texthub::sms::carrier::simulator::{Said, Settings, start};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Most facts on their way.
const WINDOW: usize = 256;

/// The network's outbox, once it is started; one link at a time empties it.
type Outbox = Arc<Mutex<Option<mpsc::Receiver<Said>>>>;

/// The role, with its settings.
pub fn role(config: &Config) -> Role {
    let (listen, folder) = (config.simulator_listen.clone(), PathBuf::from(&config.simulator_record));
    let outbox = Outbox::default();
    Role::task("carrier-simulator", move |host| {
        let (listen, folder, outbox) = (listen.clone(), folder.clone(), Arc::clone(&outbox));
        Box::pin(async move { run(host, &listen, folder, outbox).await })
    })
}

/// Starts the network. It is never told to stop: it outlives the links, and its record is whole at any moment.
async fn open(listen: &str, folder: &Path) -> Result<mpsc::Receiver<Said>, String> {
    let address = tokio::net::lookup_host(listen).await.ok().and_then(|mut found| found.next());
    let listen = address.ok_or_else(|| format!("TEXTHUB_SIMULATOR_LISTEN: {listen} is no address"))?;
    let (said, waiting) = mpsc::channel(WINDOW);
    let settings = Settings { listen, folder: folder.to_owned() };
    let running =
        start(settings, said, CancellationToken::new()).await.map_err(|error| format!("{listen}: {error}"))?;
    tracing::info!(address = %running.address, "carrier simulator");
    Ok(waiting)
}

async fn run(host: Host, listen: &str, folder: PathBuf, outbox: Outbox) -> Result<(), Lost> {
    let mut outbox = outbox.lock().await;
    let mut waits = Waits::new(Duration::from_secs(1), Duration::from_secs(10));
    while outbox.is_none() {
        match open(listen, &folder).await {
            Ok(waiting) => *outbox = Some(waiting),
            // the other roles of this process have no part in it
            Err(why) => {
                tracing::error!(reason = why, "the carrier simulator cannot start; texts wait for it");
                tokio::select! { () = host.stop.cancelled() => return Ok(()), () = waits.next() => {} }
            }
        }
    }
    let Some(waiting) = outbox.as_mut() else { return Ok(()) };
    let mut under_way: JoinSet<Result<(), Lost>> = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = host.stop.cancelled() => return Ok(()),
            Some(told) = under_way.join_next() => told.unwrap_or_else(|error| Err(Lost(error.to_string())))?,
            said = waiting.recv(), if under_way.len() < WINDOW => {
                let Some(Said { publication, confirmed }) = said else { return Ok(()) };
                let (publisher, partitions) = (host.publisher.clone(), host.partitions);
                under_way.spawn(async move {
                    publisher.hand_in(&[publication], partitions).await?;
                    let _ = confirmed.send(());
                    Ok(())
                });
            }
        }
    }
}
