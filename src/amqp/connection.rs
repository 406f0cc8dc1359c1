//! Two connections per process: one consumes, one publishes (publishers get blocked by the broker's alarms, pure
//! consumers do not). While the broker is blocked, nobody takes new messages.

use futures_util::StreamExt;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::sync::watch;

use super::{Lost, patiently};

/// Largest frame, in bytes, where the URL names none. lapin keeps room for 32 of them each way and connection: with the
/// 128 KiB that the broker would take, an idle role holds 16 MiB more.
const FRAME_MAX: u32 = 65_536;

/// The two connections and whether the broker is blocked.
pub struct Link {
    consume: Connection,
    publish: Connection,
    blocked: watch::Receiver<bool>,
}

impl Link {
    /// Connects twice.
    ///
    /// # Errors
    /// `Lost` where the broker does not answer or refuses.
    pub async fn connect(url: &str, name: &str) -> Result<Self, Lost> {
        let mut uri: AMQPUri = url
            .parse()
            .map_err(|_| Lost("TEXTHUB_AMQP_URL cannot be read; write amqp://user:password@host:port/vhost".into()))?;
        uri.query.frame_max.get_or_insert(FRAME_MAX);
        let open = |part: &str| {
            let properties = ConnectionProperties::default().with_connection_name(format!("{name} {part}").into());
            let uri = uri.clone();
            async move { patiently("connect", Connection::connect_uri(uri, properties)).await }
        };
        let publish = open("publish").await?;
        let consume = open("consume").await?;
        let (say, blocked) = watch::channel(false);
        let mut events = Box::pin(publish.events_listener());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::ConnectionBlocked(reason) => {
                        tracing::error!(reason, "the broker is blocked: free its memory or disk");
                        metrics::gauge!("texthub_broker_blocked").set(1.0);
                        let _ = say.send(true);
                    }
                    Event::ConnectionUnblocked => {
                        metrics::gauge!("texthub_broker_blocked").set(0.0);
                        let _ = say.send(false);
                    }
                    _ => {}
                }
            }
        });
        Ok(Self { consume, publish, blocked })
    }

    /// An AMQP channel to consume on.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn consuming(&self) -> Result<Channel, Lost> {
        patiently("channel", self.consume.create_channel()).await
    }

    /// An AMQP channel to publish on.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn publishing(&self) -> Result<Channel, Lost> {
        patiently("channel", self.publish.create_channel()).await
    }

    /// Whether the broker is blocked.
    #[must_use]
    pub fn blocked(&self) -> watch::Receiver<bool> {
        self.blocked.clone()
    }

    /// Both still stand.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.consume.status().connected() && self.publish.status().connected()
    }

    /// Closes both.
    pub async fn close(&self) {
        let _ = patiently("close", self.consume.close(200, "bye".into())).await;
        let _ = patiently("close", self.publish.close(200, "bye".into())).await;
    }
}
