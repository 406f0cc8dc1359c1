//! Users: whoever logs in. Added and changed by administrators and by the operator's command; never deleted, only ended.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;

use super::password::ONE_TIME_HOURS;
use super::problem::{Problem, Reason};
use super::rights::Roles;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// Longest name, in characters.
pub const NAME: std::ops::RangeInclusive<usize> = 1..=100;

/// A user as administrators see them.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct User {
    /// A slug, and the name to sign in with.
    #[schema(value_type = String, example = "goldilocks")]
    pub id: Slug,
    /// On screen.
    #[schema(example = "Goldilocks")]
    pub name: String,
    /// What they are.
    pub roles: Roles,
    /// The agent of the tenant's file that they are; null where there is none.
    #[schema(value_type = Option<String>)]
    pub agent: Option<Slug>,
    /// Of the screen, as `en` or `de`.
    #[schema(example = "en")]
    pub language: String,
    /// Whether they have a password at all.
    pub has_password: bool,
    /// Whether they must choose a new one.
    pub must_change: bool,
    /// The tenant's provider of sign-in that knows them.
    pub provider: Option<String>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The last sign of life; null: never yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
    /// Since when they are none any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

const SELECT: &str = "
    select u.id, u.name, u.roles, a.id as agent, u.language, u.password_hash is not null as has_password, u.must_change,
           u.oidc_provider, u.created_at, u.ended_at,
           (select max(s.seen_at) from sign_ins s where s.tenant = u.tenant and s.user_id = u.id) as seen_at
    from users u left join agents a on a.tenant = u.tenant and a.id = coalesce(u.agent, u.id) and a.ended_at is null
    where u.tenant = $1";

fn of_row(row: &Row) -> User {
    let roles: Vec<String> = row.get("roles");
    User {
        id: row.get("id"),
        name: row.get("name"),
        roles: Roles::of(&roles),
        agent: row.get("agent"),
        language: row.get("language"),
        has_password: row.get("has_password"),
        must_change: row.get("must_change"),
        provider: row.get("oidc_provider"),
        created_at: row.get("created_at"),
        seen_at: row.get("seen_at"),
        ended_at: row.get("ended_at"),
    }
}

/// All users of a tenant, those who ended too, by their slugs.
///
/// # Errors
/// Contention or a database that is away.
pub async fn all(tx: &Transaction<'_>, tenant: &Slug) -> Result<Vec<User>, Failure> {
    Ok(sql::rows(tx, &format!("{SELECT} order by u.id"), &[tenant]).await?.iter().map(of_row).collect())
}

/// One user.
///
/// # Errors
/// Contention or a database that is away.
pub async fn one(tx: &Transaction<'_>, tenant: &Slug, id: &Slug) -> Result<Option<User>, Failure> {
    Ok(sql::row(tx, &format!("{SELECT} and u.id = $2"), &[tenant, id]).await?.as_ref().map(of_row))
}

/// A user to add.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// The slug.
    pub id: &'a Slug,
    /// On screen.
    pub name: &'a str,
    /// At least one.
    pub roles: &'a Roles,
    /// The agent that they are; none: the one of their own name.
    pub agent: Option<&'a Slug>,
    /// Of the screen.
    pub language: &'a str,
}

/// Adds a user without a password.
///
/// # Errors
/// `exists`, `invalid`; a database that is away.
pub async fn add(tx: &Transaction<'_>, tenant: &Slug, new: &New<'_>) -> Result<(), Problem> {
    well_formed(Some(new.name), Some(new.roles), Some(new.language))?;
    if let Some(agent) = new.agent {
        must_be_agent(tx, tenant, agent).await?;
    }
    let text = "
        insert into users (tenant, id, name, roles, agent, language) values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant, id) do nothing";
    let added =
        sql::touch(tx, text, &[tenant, new.id, &new.name, &new.roles.words(), &new.agent, &new.language]).await?;
    if added == 1 { Ok(()) } else { Err(Problem::saying(Reason::Exists, "There is a user of this name already.")) }
}

/// What changes of a user; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    /// On screen.
    pub name: Option<&'a str>,
    /// At least one.
    pub roles: Option<&'a Roles>,
    /// The agent that they are; `Some(None)`: the one of their own name.
    pub agent: Option<Option<&'a Slug>>,
    /// Of the screen.
    pub language: Option<&'a str>,
    /// Whether they are none any more.
    pub is_ended: Option<bool>,
}

/// Changes a user. A tenant keeps an administrator.
///
/// # Errors
/// `not_found`, `invalid`; a database that is away.
pub async fn change(tx: &Transaction<'_>, tenant: &Slug, id: &Slug, change: &Change<'_>) -> Result<(), Problem> {
    well_formed(change.name, change.roles, change.language)?;
    if let Some(Some(agent)) = change.agent {
        must_be_agent(tx, tenant, agent).await?;
    }
    let administrators = "
        select id from users where tenant = $1 and 'administrator' = any(roles) and ended_at is null
        order by id for update";
    let before = sql::rows(tx, administrators, &[tenant]).await?.len();
    let text = "
        update users set name = coalesce($3, name), roles = coalesce($4, roles),
            agent = case when $5 then $6 else agent end, language = coalesce($7, language),
            ended_at = case when $8 then coalesce(ended_at, now()) when not $8 then null else ended_at end
        where tenant = $1 and id = $2";
    let roles = change.roles.map(Roles::words);
    let (is_agent, agent) = (change.agent.is_some(), change.agent.flatten());
    let changed = sql::touch(
        tx,
        text,
        &[tenant, id, &change.name, &roles, &is_agent, &agent, &change.language, &change.is_ended],
    )
    .await?;
    if changed == 0 {
        return Err(Reason::NotFound.into());
    }
    if before > 0 && sql::rows(tx, administrators, &[tenant]).await?.is_empty() {
        let sentence = "This is the last administrator of the tenant; make another user one first.";
        return Err(Problem::saying(Reason::Invalid, sentence));
    }
    Ok(())
}

/// Sets a password that somebody else chose: to be changed at the first sign-in, and good for three days.
///
/// # Errors
/// `not_found`; a database that is away.
pub async fn set_one_time(tx: &Transaction<'_>, tenant: &Slug, id: &Slug, phc: &str) -> Result<(), Problem> {
    let text = "
        update users set password_hash = $3, must_change = true, password_until = now() + make_interval(hours => $4)
        where tenant = $1 and id = $2 and ended_at is null";
    let set = sql::touch(tx, text, &[tenant, id, &phc, &ONE_TIME_HOURS]).await?;
    if set == 1 { Ok(()) } else { Err(Reason::NotFound.into()) }
}

/// Sets the password that a user chose.
///
/// # Errors
/// Contention or a database that is away.
pub async fn set_password(tx: &Transaction<'_>, tenant: &Slug, id: &Slug, phc: &str) -> Result<(), Failure> {
    let text = "
        update users set password_hash = $3, must_change = false, password_until = null
        where tenant = $1 and id = $2";
    sql::touch(tx, text, &[tenant, id, &phc]).await?;
    Ok(())
}

/// The PHC string of a user who may sign in by password now.
///
/// # Errors
/// Contention or a database that is away.
pub async fn password(tx: &Transaction<'_>, tenant: &Slug, id: &Slug) -> Result<Option<String>, Failure> {
    let text = "
        select password_hash from users
        where tenant = $1 and id = $2 and ended_at is null and (password_until is null or password_until > now())";
    Ok(sql::row(tx, text, &[tenant, id]).await?.and_then(|row| row.get(0)))
}

fn well_formed(name: Option<&str>, roles: Option<&Roles>, language: Option<&str>) -> Result<(), Problem> {
    if name.is_some_and(|name| !NAME.contains(&name.chars().count()) || name.chars().any(char::is_control)) {
        return Err(Problem::field("name", "has 1 to 100 characters"));
    }
    if roles.is_some_and(|roles| roles.0.is_empty()) {
        return Err(Problem::field("roles", "name at least one"));
    }
    let is_language = |text: &str| {
        let (language, region) = text.split_once('-').unwrap_or((text, "XX"));
        language.len() == 2
            && language.bytes().all(|b| b.is_ascii_lowercase())
            && region.len() == 2
            && region.bytes().all(|b| b.is_ascii_uppercase())
    };
    if language.is_some_and(|language| !is_language(language)) {
        return Err(Problem::field("language", "is as en, de or pt-BR"));
    }
    Ok(())
}

/// The agent is there.
pub(super) async fn must_be_agent(tx: &Transaction<'_>, tenant: &Slug, agent: &Slug) -> Result<(), Problem> {
    let text = "select 1 from agents where tenant = $1 and id = $2 and ended_at is null";
    let found = sql::row(tx, text, &[tenant, agent]).await?;
    found.map(|_| ()).ok_or_else(|| Problem::field("agent", "is no agent of this tenant's file"))
}
