//! Who calls: read from the cookie of a sign-in or the token in `Authorization`, looked up within the tenant that it
//! names. An axum extractor; a handler that has a `Caller` has somebody who is signed in.

use std::net::IpAddr;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::api::Api;
use super::problem::{Problem, Reason};
use super::rights::{Right, Roles, Scopes};
use super::secret::{self, Claimed};
use super::site;
use crate::facts::ids::Slug;
use crate::hub::sql;

/// A user or a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Signed in.
    User(Slug),
    /// A program, by the id of its token.
    Token(Uuid),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Token(id) => write!(f, "token:{id}"),
        }
    }
}

/// Who calls, and what they may do.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose rows they may see.
    pub tenant: Slug,
    /// Who it is.
    pub user: Who,
    /// The agent of the tenant's file that they are, where they are one.
    pub agent: Option<Slug>,
    /// A user's; a token has none.
    pub roles: Roles,
    /// What follows from the roles; a token's own.
    pub scopes: Scopes,
    /// The sign-in, where it is one.
    pub sign_in: Option<Uuid>,
    /// Whence, as far as it is known.
    pub address: Option<IpAddr>,
    /// The password was set by somebody else: nothing but a new one is allowed.
    pub is_password_due: bool,
    claimed: Claimed,
}

impl Caller {
    /// Whether they have a right.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.scopes.0.contains(&right)
    }

    /// They must have a right.
    ///
    /// # Errors
    /// `not_allowed`.
    pub fn must(&self, right: Right) -> Result<(), Problem> {
        if self.may(right) { Ok(()) } else { Err(Reason::NotAllowed.into()) }
    }

    /// They must be an agent at work.
    ///
    /// # Errors
    /// `not_allowed`.
    pub fn must_be_agent(&self) -> Result<&Slug, Problem> {
        self.must(Right::Work)?;
        self.agent.as_ref().ok_or_else(|| Problem::saying(Reason::NotAllowed, "You are no agent of this tenant."))
    }

    /// They must be a user, not a program.
    ///
    /// # Errors
    /// `not_allowed`.
    pub fn must_be_user(&self) -> Result<&Slug, Problem> {
        match &self.user {
            Who::User(user) => Ok(user),
            Who::Token(_) => Err(Problem::saying(Reason::NotAllowed, "This is for people, not for tokens.")),
        }
    }

    /// The caller of a sign-in that has just begun.
    ///
    /// # Errors
    /// `not_signed_in`: it has ended again.
    pub async fn of_sign_in(tx: &Transaction<'_>, secret: &str, address: Option<IpAddr>) -> Result<Self, Problem> {
        let claimed = Claimed::read("", secret).ok_or(Reason::NotSignedIn)?;
        found(tx, &claimed, false, address).await?.ok_or_else(|| Reason::NotSignedIn.into())
    }

    /// The same caller as things are now: for what lives longer than a request.
    ///
    /// # Errors
    /// `not_signed_in`: ended, expired or revoked meanwhile.
    pub async fn again(&self, api: &Api) -> Result<Self, Problem> {
        let is_token = matches!(self.user, Who::Token(_));
        let mut db = api.db(&self.tenant).await?;
        let tx = db.begin().await?;
        let found = found(&tx, &self.claimed, is_token, self.address).await?;
        tx.commit().await?;
        found.ok_or_else(|| Reason::NotSignedIn.into())
    }
}

/// A caller whose password may still be due: for the few routes that set a new one.
#[derive(Clone, Debug)]
pub struct AnyCaller(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for AnyCaller
where
    Api: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let api = Api::from_ref(state);
        let (claimed, is_token) = claimed(&api, &parts.headers).ok_or(Reason::NotSignedIn)?;
        if !is_token && !is_safe(&parts.method) {
            site::must_be_ours(&api, &parts.headers)?;
        }
        let address = site::address(&api, parts);
        let mut db = api.db(&claimed.tenant).await?;
        let tx = db.begin().await?;
        let caller = found(&tx, &claimed, is_token, address).await?;
        tx.commit().await?;
        caller.map(AnyCaller).ok_or_else(|| Reason::NotSignedIn.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Api: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let AnyCaller(caller) = AnyCaller::from_request_parts(parts, state).await?;
        if caller.is_password_due { Err(Reason::PasswordDue.into()) } else { Ok(caller) }
    }
}

fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// The secret that a request holds, and whether it is a token's. A token goes before a cookie.
fn claimed(api: &Api, headers: &HeaderMap) -> Option<(Claimed, bool)> {
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = given.to_str().ok()?.split_once(' ')?;
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        return is_bearer.then(|| Claimed::read(secret::TOKEN, token.trim())).flatten().map(|claimed| (claimed, true));
    }
    let value = site::cookie_value(headers, site::cookie_name(api))?;
    Claimed::read("", value).map(|claimed| (claimed, false))
}

const SIGN_IN: &str = "
    select s.id, u.id as user_id, u.roles, u.must_change and s.method = 'password' as must_change, a.id as agent,
           s.seen_at < now() - interval '1 minute' as is_stale
    from sign_ins s
    join users u on u.tenant = s.tenant and u.id = s.user_id and u.ended_at is null
    left join agents a on a.tenant = u.tenant and a.id = coalesce(u.agent, u.id) and a.ended_at is null
    where s.tenant = $1 and s.token_sha256 = $2 and s.revoked_at is null
      and s.ends_at > now() and s.seen_at > now() - interval '12 hours'";

const TOKEN: &str = "
    select t.id, t.scopes, a.id as agent, coalesce(t.used_at < now() - interval '1 minute', true) as is_stale
    from api_tokens t
    left join agents a on a.tenant = t.tenant and a.id = t.agent and a.ended_at is null
    where t.tenant = $1 and t.token_sha256 = $2 and t.revoked_at is null
      and (t.expires_at is null or t.expires_at > now())";

/// Looks the secret up; what was not seen for a minute is marked as seen.
async fn found(
    tx: &Transaction<'_>,
    claimed: &Claimed,
    is_token: bool,
    address: Option<IpAddr>,
) -> Result<Option<Caller>, Problem> {
    let text = if is_token { TOKEN } else { SIGN_IN };
    let Some(row) = sql::row(tx, text, &[&claimed.tenant, &claimed.sha256]).await? else { return Ok(None) };
    let id: Uuid = row.get("id");
    if row.get("is_stale") {
        let seen = if is_token {
            "update api_tokens set used_at = now() where tenant = $1 and id = $2"
        } else {
            "update sign_ins set seen_at = now() where tenant = $1 and id = $2"
        };
        sql::touch(tx, seen, &[&claimed.tenant, &id]).await?;
    }
    let (user, roles, scopes) = if is_token {
        let scopes: Vec<String> = row.get("scopes");
        (Who::Token(id), Roles::default(), Scopes::of(&scopes))
    } else {
        let roles: Vec<String> = row.get("roles");
        let roles = Roles::of(&roles);
        (Who::User(row.get("user_id")), roles.clone(), roles.scopes())
    };
    Ok(Some(Caller {
        tenant: claimed.tenant.clone(),
        user,
        agent: row.get("agent"),
        roles,
        scopes,
        sign_in: (!is_token).then_some(id),
        address,
        is_password_due: !is_token && row.get("must_change"),
        claimed: claimed.clone(),
    }))
}
