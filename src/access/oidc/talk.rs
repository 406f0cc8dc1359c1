//! What is said with a provider: discovery, the address that the browser is sent to (code flow with PKCE, state and
//! nonce), and the exchange of the code for an ID token whose signature, issuer, audience, nonce and times are checked.
//! All of it goes by the guarded client: a provider in a private network must be allowed by the operator.

use std::time::Duration;

use axum::http::{Request, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use serde_json::{Map, Value};

use super::{Provider, Start};
use crate::outside::{Outside, Word};

/// For one call to the provider.
const WITHIN: Duration = Duration::from_secs(10);
/// With a public key alone: a signature by our own secret would prove nothing to anybody else.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

type Ready =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Why a sign-in by a provider came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The provider cannot be reached, or does not answer as one.
    #[error("not now: {0}")]
    NotNow(String),
    /// It does not vouch for anybody.
    #[error("refused: {0}")]
    Refused(String),
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreached(Word);

/// Whom a provider vouches for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who, for this provider, for ever.
    pub subject: String,
    /// What it says of them.
    pub claims: Map<String, Value>,
}

/// Where a browser goes.
#[derive(Debug)]
pub struct Leaving {
    /// The provider's page.
    pub url: String,
    /// To be kept until it comes back.
    pub start: Start,
}

async fn send(outside: Outside, request: HttpRequest) -> Result<HttpResponse, Unreached> {
    outside.exchange(request, WITHIN).await.map_err(Unreached)
}

async fn discovered(outside: &Outside, provider: &Provider) -> Result<CoreProviderMetadata, Trouble> {
    let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(|error| Trouble::NotNow(error.to_string()))?;
    let http = |request| send(outside.clone(), request);
    CoreProviderMetadata::discover_async(issuer, &http).await.map_err(|error| Trouble::NotNow(error.to_string()))
}

/// A client of what was discovered; the secret is read from its file each time.
fn client(provider: &Provider, metadata: CoreProviderMetadata, redirect: &str) -> Result<Ready, Trouble> {
    let secret = match &provider.client_secret_file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|error| Trouble::NotNow(format!("cannot read {path}: {error}")))?;
            Some(ClientSecret::new(text.trim_end().to_owned()))
        }
        None => None,
    };
    let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|error| Trouble::NotNow(error.to_string()))?;
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(provider.client_id.clone()), secret);
    Ok(client.set_redirect_uri(redirect))
}

/// Where to send a browser that wants to sign in.
///
/// # Errors
/// `Trouble::NotNow`.
pub async fn leave(outside: &Outside, provider: &Provider, redirect: &str, state: &str) -> Result<Leaving, Trouble> {
    let client = client(provider, discovered(outside, provider).await?, redirect)?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let state = state.to_owned();
    let (url, _, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || CsrfToken::new(state), Nonce::new_random)
        .add_scope(Scope::new("email".to_owned()))
        .add_scope(Scope::new("profile".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let start =
        Start { provider: provider.id.clone(), nonce: nonce.secret().clone(), verifier: verifier.secret().clone() };
    Ok(Leaving { url: url.to_string(), start })
}

/// Whom the provider vouches for by a code.
///
/// # Errors
/// See [`Trouble`].
pub async fn come_back(
    outside: &Outside,
    provider: &Provider,
    redirect: &str,
    start: Start,
    code: String,
) -> Result<Identity, Trouble> {
    let metadata = discovered(outside, provider).await?;
    let info = metadata.userinfo_endpoint().map(|url| url.as_str().to_owned());
    let client = client(provider, metadata, redirect)?;
    let http = |request| send(outside.clone(), request);
    let refused = |what: &str| Trouble::Refused(what.to_owned());
    let asked = client.exchange_code(AuthorizationCode::new(code)).map_err(|_| refused("no token endpoint"))?;
    let answer = asked.set_pkce_verifier(PkceCodeVerifier::new(start.verifier)).request_async(&http).await;
    let answer = answer.map_err(|error| Trouble::Refused(format!("the code was not taken: {error}")))?;
    let token = answer.id_token().ok_or_else(|| refused("no ID token"))?;
    verify(&client, token, answer.access_token(), &Nonce::new(start.nonce))?;
    let mut identity = payload(token).ok_or_else(|| refused("an ID token without a subject"))?;
    // in the code flow much of it is there alone (OpenID Connect Core 5.4)
    if let Some(url) = info {
        identity.claims.extend(claims_of(outside, &url, answer.access_token(), &identity.subject).await?);
    }
    Ok(identity)
}

fn verify(client: &Ready, token: &CoreIdToken, access: &AccessToken, nonce: &Nonce) -> Result<(), Trouble> {
    let refused = |error: &dyn std::fmt::Display| Trouble::Refused(format!("the ID token does not hold: {error}"));
    let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS.iter().cloned());
    let claims = token.claims(&verifier, nonce).map_err(|error| refused(&error))?;
    if let Some(expected) = claims.access_token_hash() {
        let algorithm = token.signing_alg().map_err(|error| refused(&error))?;
        let key = token.signing_key(&verifier).map_err(|error| refused(&error))?;
        let actual = AccessTokenHash::from_token(access, algorithm, key).map_err(|error| refused(&error))?;
        if actual != *expected {
            return Err(refused(&"it is for another access token"));
        }
    }
    Ok(())
}

/// What stands in a token that was verified.
fn payload(token: &CoreIdToken) -> Option<Identity> {
    let text = token.to_string();
    let bytes = URL_SAFE_NO_PAD.decode(text.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&bytes).ok()?;
    Some(Identity { subject: claims.get("sub")?.as_str()?.to_owned(), claims })
}

/// What the provider says beside its token; of another subject it counts for nothing (OpenID Connect Core 5.3.2).
async fn claims_of(
    outside: &Outside,
    url: &str,
    token: &AccessToken,
    subject: &str,
) -> Result<Map<String, Value>, Trouble> {
    let request = Request::get(url)
        .header(header::AUTHORIZATION, format!("Bearer {}", token.secret()))
        .header(header::ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|error| Trouble::NotNow(error.to_string()))?;
    let answer = outside.exchange(request, WITHIN).await.map_err(|word| Trouble::NotNow(word.to_owned()))?;
    let claims: Map<String, Value> = serde_json::from_slice(answer.body()).unwrap_or_default();
    let is_theirs = claims.get("sub").and_then(Value::as_str) == Some(subject);
    Ok(if answer.status().is_success() && is_theirs { claims } else { Map::new() })
}
