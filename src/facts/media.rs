//! Facts about media of customers' texts: asked for by the hub of itself, settled for desks and programs to hear.

use jiff::Timestamp;

use super::heard::Hearable;
use super::ids::{EntryId, FactId, MediaId, RoomId};

super::closed::words! {
    /// Where a medium of a customer's text is: waiting until it is fetched, then one of the others for good.
    MediaState { Waiting = "waiting", Stored = "stored", Refused = "refused", Failed = "failed" }
}

super::facts! {
    /// A medium that came with a text is to be fetched; its link is in its row.
    MediaAsked = "media.asked" to Work {
        /// The medium's row.
        media_id: MediaId,
    }
    /// A medium of a customer's text was fetched, or will not be.
    MediaSettled = "media.settled" to Announce {
        /// Which.
        media_id: MediaId,
        /// Where.
        room_id: RoomId,
        /// With which text.
        entry_id: EntryId,
        /// Of the text's links, from 1.
        nr: i32,
        /// stored, refused or failed.
        state: MediaState,
        /// Why it is not stored.
        #[serde(default, skip_serializing_if = "Option::is_none")] reason: Option<String>,
        /// MIME type that its contents bear out.
        #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")] media_type: Option<String>,
        /// In bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")] size: Option<i64>,
        /// SHA-256 of the contents, as hex.
        #[serde(default, skip_serializing_if = "Option::is_none")] sha256: Option<String>,
    }
}

impl Hearable for MediaAsked {
    const NAME: &'static str = <Self as super::envelope::Fact>::NAME;
    const FIELDS: &'static [&'static str] = &["id", "cause_id", "at", "tenant", "media_id"];
    fn id(&self) -> FactId {
        self.id
    }
    fn times(&self) -> Vec<Timestamp> {
        vec![self.at]
    }
}
