//! The door of a chat: a point of contact with channel chat that lives, and the pages that may stand before it.

use deadpool_postgres::Transaction;
use serde_json::Value;

use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// A point of contact for chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Whose.
    pub tenant: Slug,
    /// Its slug.
    pub point: Slug,
    /// The tenant's name on screen.
    pub name: String,
    /// Origins of the pages that may talk to it.
    pub origins: Vec<String>,
}

impl Door {
    /// Whether pages of this origin may talk to it.
    #[must_use]
    pub fn lets_in(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == origin)
    }

    /// The scope of a visitor's conversation, as facts' keys have it.
    #[must_use]
    pub fn scope(&self, visitor: &str) -> String {
        format!("{}-{visitor}", self.point)
    }
}

/// The one of these slugs, where there is one that lives.
///
/// # Errors
/// Contention or a database that is away.
pub async fn find(tx: &Transaction<'_>, tenant: &Slug, point: &Slug) -> Result<Option<Door>, Failure> {
    let row = sql::row(
        tx,
        "select t.name, p.origins from points_of_contact p
         join tenants t on t.id = p.tenant
         where p.tenant = $1 and p.id = $2 and p.channel = 'chat' and p.ended_at is null",
        &[tenant, point],
    )
    .await?;
    Ok(row.map(|row| Door {
        tenant: tenant.clone(),
        point: point.clone(),
        name: row.get(0),
        origins: row
            .get::<_, Value>(1)
            .as_array()
            .map_or_else(Vec::new, |all| all.iter().filter_map(|origin| origin.as_str().map(str::to_owned)).collect()),
    }))
}
