//! Signing in and out by password, and what a user may change of themselves.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use texthub::access::api::Api;
use texthub::access::attempts::Try;
use texthub::access::audit::{self, Note};
use texthub::access::caller::{AnyCaller, Caller, Who};
use texthub::access::problem::{Problem, Reason};
use texthub::access::rights::{Roles, Scopes};
use texthub::access::{password, sign_in, site, users};
use texthub::facts::ids::Slug;
use texthub::hub::sql;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, Whence};
use crate::gateway::Gateway;

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(post_sign_in))
        .routes(routes!(post_sign_out))
        .routes(routes!(get_me, patch_me))
        .routes(routes!(post_password))
}

/// Who wants to sign in.
#[derive(Deserialize, ToSchema)]
struct Asked {
    /// Slug of the tenant.
    #[schema(value_type = String, example = "three-bears")]
    tenant: Slug,
    /// Slug of the user.
    #[schema(value_type = String, example = "goldilocks")]
    user: Slug,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// The tenant whose rows these are.
#[derive(Clone, Serialize, ToSchema)]
pub struct MyTenant {
    #[schema(example = "three-bears")]
    id: String,
    #[schema(example = "Three Bears Porridge")]
    name: String,
    /// An IANA name.
    #[schema(example = "America/New_York")]
    time_zone: String,
}

/// Who is signed in.
#[derive(Clone, Serialize, ToSchema)]
pub struct MyUser {
    /// A slug; of a token `token:` and its id.
    #[schema(example = "goldilocks")]
    id: String,
    #[schema(example = "Goldilocks")]
    name: String,
    /// Of the screen.
    #[schema(example = "en")]
    language: String,
    roles: Roles,
}

/// Who calls, and what they may do.
#[derive(Clone, Serialize, ToSchema)]
pub struct Me {
    /// Whose rows they see.
    pub tenant: MyTenant,
    user: MyUser,
    /// The agent of the tenant's file that they are.
    #[schema(value_type = Option<String>)]
    agent: Option<Slug>,
    /// What follows from the roles, or a token's scopes.
    rights: Scopes,
    /// Nothing but `POST /me/password` is allowed before a new password was chosen.
    password_due: bool,
}

const ME: &str = "
    select t.id as tenant, t.name as tenant_name, t.time_zone, coalesce(u.name, k.name) as name,
           coalesce(u.language, 'en') as language
    from tenants t
    left join users u on u.tenant = t.id and u.id = $2
    left join api_tokens k on k.tenant = t.id and k.id = $3
    where t.id = $1";

/// Who calls.
pub async fn me(api: &Api, caller: &Caller) -> Result<Me, Problem> {
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let (user, token) = match &caller.user {
        Who::User(user) => (Some(user), None),
        Who::Token(id) => (None, Some(id)),
    };
    let row = sql::row(&tx, ME, &[&caller.tenant, &user, &token]).await?.ok_or(Reason::NotSignedIn)?;
    Ok(Me {
        tenant: MyTenant { id: row.get("tenant"), name: row.get("tenant_name"), time_zone: row.get("time_zone") },
        user: MyUser {
            id: caller.user.to_string(),
            name: row.get("name"),
            language: row.get("language"),
            roles: caller.roles.clone(),
        },
        agent: caller.agent.clone(),
        rights: caller.scopes.clone(),
        password_due: caller.is_password_due,
    })
}

/// Sign in by password; the cookie that comes with the answer is the sign-in.
#[utoipa::path(post, path = "/sign-in", tag = "me", security(()), request_body = Asked, responses(
    (status = OK, body = Me, headers(("set-cookie" = String, description = "The sign-in: HttpOnly, SameSite=Strict"))),
    (status = UNAUTHORIZED, body = Problem, content_type = "application/problem+json", description = "Tenant, user or password is wrong"),
))]
async fn post_sign_in(
    State(api): State<Api>,
    Whence(address): Whence,
    headers: HeaderMap,
    Json(asked): Json<Asked>,
) -> Result<impl IntoResponse, Problem> {
    site::must_not_be_others(&api, &headers)?;
    let tried = Try::of(&asked.tenant, &asked.user, address);
    let mut db = api.db(&asked.tenant).await?;
    let tx = db.begin().await?;
    let wait = tried.begin(&tx).await?;
    let phc = users::password(&tx, &asked.tenant, &asked.user).await?;
    tx.commit().await?;
    drop(db);
    if let Some(seconds) = wait {
        return Err(Problem::wait(seconds));
    }
    let is_right = api.hashing().is_right(asked.password, phc).await?;
    let mut db = api.db(&asked.tenant).await?;
    let tx = db.begin().await?;
    if !is_right {
        note_failure(&tx, &asked.tenant, &asked.user, address).await?;
        tx.commit().await?;
        return Err(Reason::WrongPassword.into());
    }
    tried.succeed(&tx).await?;
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let beginning =
        sign_in::Beginning { tenant: &asked.tenant, user: &asked.user, method: "password", user_agent, address };
    let secret = sign_in::begin(&tx, &beginning).await?;
    let note = Note { what: "sign_in", on: None, detail: None };
    audit::note_of(&tx, &asked.tenant, asked.user.as_str(), address, &note).await?;
    let caller = Caller::of_sign_in(&tx, secret.expose_secret(), address).await?;
    tx.commit().await?;
    drop(db);
    let me = me(&api, &caller).await?;
    Ok((AppendHeaders([(header::SET_COOKIE, site::cookie(&api, secret.expose_secret()))]), Json(me)))
}

/// Of a user of a tenant that are there; whoever else was tried leaves no line.
async fn note_failure(
    tx: &deadpool_postgres::Transaction<'_>,
    tenant: &Slug,
    user: &Slug,
    address: Option<std::net::IpAddr>,
) -> Result<(), Problem> {
    if users::one(tx, tenant, user).await?.is_some() {
        let note = Note { what: "sign_in_failed", on: Some(("user", user.as_str())), detail: None };
        audit::note_of(tx, tenant, "nobody", address, &note).await?;
    }
    Ok(())
}

/// End this sign-in.
#[utoipa::path(post, path = "/sign-out", tag = "me", responses((status = NO_CONTENT)))]
async fn post_sign_out(State(api): State<Api>, AnyCaller(caller): AnyCaller) -> Result<impl IntoResponse, Problem> {
    let user = caller.must_be_user()?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    if let Some(id) = caller.sign_in {
        sign_in::revoke(&tx, &caller.tenant, user, id).await?;
    }
    audit::note(&tx, &caller, &Note { what: "sign_out", on: None, detail: None }).await?;
    tx.commit().await?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, site::cookie(&api, ""))])))
}

/// Who I am, and what I may do.
#[utoipa::path(get, path = "/me", tag = "me", responses((status = OK, body = Me)))]
async fn get_me(State(api): State<Api>, AnyCaller(caller): AnyCaller) -> Result<Json<Me>, Problem> {
    Ok(Json(me(&api, &caller).await?))
}

/// What a user changes of themselves; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Mine {
    /// On screen, 1 to 100 characters.
    name: Option<String>,
    /// Of the screen, as `en` or `pt-BR`.
    language: Option<String>,
}

/// Change my name or language.
#[utoipa::path(patch, path = "/me", tag = "me", request_body = Mine, responses((status = OK, body = Me)))]
async fn patch_me(State(api): State<Api>, caller: Caller, Json(mine): Json<Mine>) -> Result<Json<Me>, Problem> {
    let user = caller.must_be_user()?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let change =
        users::Change { name: mine.name.as_deref(), language: mine.language.as_deref(), ..users::Change::default() };
    users::change(&tx, &caller.tenant, user, &change).await?;
    audit::note(&tx, &caller, &Note { what: "profile_changed", on: Some(("user", user.as_str())), detail: None })
        .await?;
    tx.commit().await?;
    Ok(Json(me(&api, &caller).await?))
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The one in use.
    #[schema(value_type = String, format = Password)]
    old: SecretString,
    /// 12 to 128 characters of any kind.
    #[schema(value_type = String, format = Password)]
    new: SecretString,
}

/// Choose a new password; my other sign-ins end.
#[utoipa::path(post, path = "/me/password", tag = "me", request_body = NewPassword, responses(
    (status = NO_CONTENT),
    (status = UNAUTHORIZED, body = Problem, content_type = "application/problem+json", description = "Not signed in, or the old password is wrong"),
))]
async fn post_password(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Json(asked): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let user = caller.must_be_user()?.clone();
    let tried = Try::of(&caller.tenant, &user, caller.address);
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    let wait = tried.begin(&tx).await?;
    let phc = users::password(&tx, &caller.tenant, &user).await?;
    let name = users::one(&tx, &caller.tenant, &user).await?.map_or_else(String::new, |user| user.name);
    tx.commit().await?;
    drop(db);
    if let Some(seconds) = wait {
        return Err(Problem::wait(seconds));
    }
    let (old, new) = (asked.old.expose_secret().to_owned(), asked.new.expose_secret());
    if !api.hashing().is_right(asked.old, phc).await? {
        let mut db = api.db(&caller.tenant).await?;
        let tx = db.begin().await?;
        note_failure(&tx, &caller.tenant, &user, caller.address).await?;
        tx.commit().await?;
        return Err(Reason::WrongPassword.into());
    }
    password::judge(new, &[user.as_str(), &name, caller.tenant.as_str()]).map_err(|why| Problem::field("new", why))?;
    if old == new {
        return Err(Problem::field("new", "is the old one; choose another"));
    }
    let phc = api.hashing().hash(asked.new).await?;
    let mut db = api.db(&caller.tenant).await?;
    let tx = db.begin().await?;
    tried.succeed(&tx).await?;
    users::set_password(&tx, &caller.tenant, &user, &phc).await?;
    sign_in::revoke_all(&tx, &caller.tenant, &user, caller.sign_in).await?;
    audit::note(&tx, &caller, &Note { what: "password_changed", on: Some(("user", user.as_str())), detail: None })
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
