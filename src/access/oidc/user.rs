//! Which user somebody is whom a provider vouches for: the one who is bound to its subject, else at the first sign-in the
//! one whom the tenant's file says the claims name. A name leads to a user once; from then on only the subject does.

use deadpool_postgres::Transaction;
use serde_json::{Map, Value};

use super::Provider;
use super::talk::Identity;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// The e-mail address that the provider has verified.
fn address(claims: &Map<String, Value>) -> Option<(String, String)> {
    let is_verified = matches!(claims.get("email_verified"), Some(Value::Bool(true)))
        || claims.get("email_verified").and_then(Value::as_str) == Some("true");
    let email = claims.get("email").and_then(Value::as_str).filter(|_| is_verified)?;
    let (local, domain) = email.rsplit_once('@')?;
    Some((local.to_lowercase(), domain.to_lowercase()))
}

/// Whether the claims are of somebody who may sign in here at all.
fn may_enter(provider: &Provider, claims: &Map<String, Value>) -> bool {
    provider.domains.is_empty() || address(claims).is_some_and(|(_, domain)| provider.domains.contains(&domain))
}

/// The user whom the claims name; dots of addresses are dashes of slugs.
fn named(provider: &Provider, claims: &Map<String, Value>) -> Option<Slug> {
    let name = match &provider.user_claim {
        Some(claim) => claims.get(claim)?.as_str()?.to_lowercase(),
        None => address(claims).filter(|_| !provider.domains.is_empty())?.0.replace('.', "-"),
    };
    Slug::new(&name).ok()
}

/// The user, bound from now on; none where there is none for them.
///
/// # Errors
/// Contention or a database that is away.
pub async fn of_identity(
    tx: &Transaction<'_>,
    tenant: &Slug,
    provider: &Provider,
    identity: &Identity,
) -> Result<Option<Slug>, Failure> {
    if !may_enter(provider, &identity.claims) {
        return Ok(None);
    }
    let bound = "
        select id, ended_at is null as stands from users
        where tenant = $1 and oidc_provider = $2 and oidc_subject = $3";
    if let Some(row) = sql::row(tx, bound, &[tenant, &provider.id, &identity.subject]).await? {
        return Ok(Some(row.get("id")).filter(|_| row.get("stands")));
    }
    let Some(user) = named(provider, &identity.claims) else { return Ok(None) };
    let bind = "
        update users set oidc_provider = $3, oidc_subject = $4
        where tenant = $1 and id = $2 and oidc_subject is null and ended_at is null";
    let is_bound = sql::touch(tx, bind, &[tenant, &user, &provider.id, &identity.subject]).await? == 1;
    Ok(Some(user).filter(|_| is_bound))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn provider(domains: &[&str], user_claim: Option<&str>) -> Provider {
        Provider {
            id: Slug::new("company").unwrap(),
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: None,
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            user_claim: user_claim.map(str::to_owned),
        }
    }

    fn claims(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn an_address_names_a_user_only_where_it_is_verified_and_of_a_domain_of_the_tenant_s() {
        let ours = provider(&["bears.example"], None);
        let of = |value: &Value| {
            let claims = claims(value);
            may_enter(&ours, &claims).then(|| named(&ours, &claims)).flatten().map(|slug| slug.to_string())
        };
        let papa = json!({"email": "Papa.Bear@Bears.example", "email_verified": true});
        assert_eq!(of(&papa).as_deref(), Some("papa-bear"));
        for stranger in [
            json!({"email": "papa@bears.example", "email_verified": false}),
            json!({"email": "papa@bears.example"}),
            json!({"email": "papa@evil.example", "email_verified": true}),
            json!({"email": "papa@evil.example@bears.example.org", "email_verified": true}),
            json!({"email": "bears.example", "email_verified": true}),
            json!({}),
        ] {
            assert_eq!(of(&stranger), None, "{stranger}");
        }
        let anybody = provider(&[], None);
        assert_eq!(named(&anybody, &claims(&json!({"email": "papa@evil.example", "email_verified": true}))), None);
    }

    #[test]
    fn a_claim_names_a_user_as_it_stands() {
        let by_claim = provider(&[], Some("preferred_username"));
        let name = |value: Value| named(&by_claim, &claims(&value)).map(|slug| slug.to_string());
        assert_eq!(name(json!({"preferred_username": "Papa"})).as_deref(), Some("papa"));
        assert_eq!(name(json!({"preferred_username": "papa bear"})), None);
        assert_eq!(name(json!({"email": "papa@bears.example", "email_verified": true})), None);
    }
}
