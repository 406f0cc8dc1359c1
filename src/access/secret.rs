//! Random secrets of sign-ins and tokens. Handed out once as `<tenant>.<43 characters>`: the tenant stands in front, so
//! that even the look-up is bound to it; kept as SHA-256 alone (256 random bits need no slow hash).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::problem::{Problem, Reason};
use crate::facts::ids::Slug;

/// In front of API tokens, so that scanners of sources find one that was left there.
pub const TOKEN: &str = "thk_";

/// A secret as it is handed out, and what is kept of it.
#[derive(Debug)]
pub struct Minted {
    /// For whom it is made; shown once.
    pub secret: SecretString,
    /// What the row holds.
    pub sha256: Vec<u8>,
}

/// A secret that somebody claims to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// In which tenant.
    pub tenant: Slug,
    /// Of all of it.
    pub sha256: Vec<u8>,
}

/// So many random bytes.
///
/// # Errors
/// A machine that has none.
pub fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Problem::from(Reason::Failed))?;
    Ok(bytes)
}

/// 256 random bits as 43 characters that a URL may hold.
///
/// # Errors
/// A machine without randomness.
pub fn word() -> Result<String, Problem> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// SHA-256 of a text.
#[must_use]
pub fn sha256(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

/// A new secret of a tenant, `prefix` in front.
///
/// # Errors
/// A machine without randomness.
pub fn mint(prefix: &str, tenant: &Slug) -> Result<Minted, Problem> {
    let secret = format!("{prefix}{tenant}.{}", word()?);
    let sha256 = sha256(&secret);
    Ok(Minted { secret: SecretString::from(secret), sha256 })
}

impl Claimed {
    /// Reads one of this prefix.
    #[must_use]
    pub fn read(prefix: &str, text: &str) -> Option<Self> {
        let (tenant, secret) = text.strip_prefix(prefix)?.split_once('.')?;
        let is_formed =
            secret.len() == 43 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let tenant = Slug::new(tenant).ok().filter(|_| is_formed)?;
        Some(Self { tenant, sha256: sha256(text) })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_read_back_and_none_is_like_another() {
        let tenant = Slug::new("three-bears").unwrap();
        let (one, two) = (mint(TOKEN, &tenant).unwrap(), mint(TOKEN, &tenant).unwrap());
        let text = one.secret.expose_secret();
        assert_eq!(Claimed::read(TOKEN, text), Some(Claimed { tenant, sha256: one.sha256.clone() }));
        assert!(one.sha256 != two.sha256);
        for wrong in ["", "thk_", "thk_three-bears", "thk_three-bears.x", &text[4..], &text.replace('.', "_")] {
            assert_eq!(Claimed::read(TOKEN, wrong), None, "{wrong}");
        }
    }
}
