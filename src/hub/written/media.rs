//! Media that an agent sends along: links in a form that can be sent, by a carrier that sends them. The carrier fetches
//! them from where they lie; the hub does not.

use std::collections::HashSet;

use deadpool_postgres::Transaction;
use reqwest::Url;

use super::Line;
use crate::facts::heard::Media;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::refusal::Refusal;
use crate::hub::sql;
use crate::sms::carrier;

/// Most media of a text; Twilio's own bound.
const MOST: usize = 10;
/// Longest link, in bytes.
const LONGEST: usize = 2_048;

impl Line<'_> {
    pub(super) fn has_media(&self) -> bool {
        self.media.as_ref().and_then(|links| links.as_array()).is_some_and(|links| !links.is_empty())
    }

    /// Its links cannot be sent by anybody.
    pub(super) fn has_bad_media(&self) -> bool {
        let links: Option<Vec<Media>> =
            self.media.as_ref().map(|links| serde_json::from_value(links.clone()).unwrap_or_default());
        links.is_some_and(|links| links.len() > MOST || !links.iter().all(|link| is_link(&link.url)))
    }

    /// Why its media cannot go by this carrier; none: they can, or there are none.
    pub(super) fn refuses_media(&self, by: Option<&Slug>, without: &HashSet<Slug>) -> Option<Refusal> {
        if !self.has_media() {
            None
        } else if self.has_bad_media() {
            Some(Refusal::BadMedia)
        } else {
            by.is_some_and(|carrier| without.contains(carrier)).then_some(Refusal::NoMedia)
        }
    }
}

fn is_link(link: &str) -> bool {
    let url = Url::parse(link).ok().filter(|_| link.len() <= LONGEST);
    url.is_some_and(|url| ["http", "https"].contains(&url.scheme()) && url.username().is_empty())
}

/// Why the media of a text cannot go by this carrier, if so.
pub(super) async fn refusal(
    tx: &Transaction<'_>,
    line: &Line<'_>,
    by: Option<&Slug>,
) -> Result<Option<Refusal>, Failure> {
    if !line.has_media() {
        return Ok(None);
    }
    let without = without(tx, by.as_slice()).await?;
    Ok(line.refuses_media(by, &without))
}

/// Those of these carriers that send no media.
pub(super) async fn without(tx: &Transaction<'_>, carriers: &[&Slug]) -> Result<HashSet<Slug>, Failure> {
    let rows = sql::rows(tx, "select id, kind from carriers where id = any($1)", &[&carriers]).await?;
    let plain = rows.iter().filter(|row| !carrier::sends_media(row.get("kind")));
    Ok(plain.map(|row| row.get("id")).collect())
}
