//! Applications as rows, and their accounts: each is one application's in the whole installation.

use deadpool_postgres::Transaction;
use serde_json::{Value, json};

use super::super::check::applications::points_of;
use super::super::file::{Application, TenantFile};
use super::super::reader::{At, Mistake};
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// A row as the file wants it.
pub(super) fn row(file: &TenantFile, a: &Application) -> Value {
    let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    json!({
        "account": text(&a.account), "token_file": text(&a.token_file), "token_next_file": text(&a.token_next_file),
        "numbers": points_of(file, a), "purpose": a.purpose.as_str(), "inbound_url": text(&a.inbound_url),
        "status_url": text(&a.status_url),
    })
}

/// Accounts that are another tenant's, or of an application that is not in the file and stays.
pub(super) async fn taken(
    tx: &Transaction<'_>,
    tenant: &Slug,
    file: &TenantFile,
    prunes: bool,
) -> Result<Vec<Mistake>, Failure> {
    let mut mistakes = Vec::new();
    for account in file.applications.iter().filter_map(|a| a.account.as_ref()) {
        let text = "select tenant, id from applications where account = $1 and ended_at is null";
        let Some(row) = sql::row(tx, text, &[&account.value]).await? else { continue };
        let (owner, id): (Slug, Slug) = (row.get(0), row.get(1));
        let stays = !prunes && file.applications.iter().all(|a| a.id.as_ref().is_none_or(|at| at.value != id));
        let (what, instead) = if owner != *tenant {
            (format!("{} is another tenant's account", account.value), "choose another account".to_owned())
        } else if stays {
            let what = format!("{} is the account of {id}, which is not in this file", account.value);
            (what, format!("add {id} to the file with another account, or end it by --prune"))
        } else {
            continue;
        };
        mistakes.push(Mistake { line: account.line, what, instead });
    }
    Ok(mistakes)
}
