//! Passwords: which may be chosen (NIST SP 800-63B 5.1.1, OWASP ASVS 2.1), and how they are kept: Argon2id with OWASP's
//! parameters (19 MiB, two passes, one lane), on threads of their own and few at once, so that nobody fills the machine by
//! trying. One that is nobody's takes as long to be wrong as one that is somebody's.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::problem::{Problem, Reason};
use super::secret;

/// Fewest and most characters.
pub const LENGTH: std::ops::RangeInclusive<usize> = 12..=128;
/// Most hashes under way at once: 19 MiB each.
const AT_ONCE: usize = 4;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a password that somebody else set may be used, in hours.
pub const ONE_TIME_HOURS: i32 = 72;

static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("data/passwords.txt").lines().skip(1).collect());

/// What is wrong with a password that somebody chooses; `names` are the user's own and the tenant's.
///
/// # Errors
/// A sentence that says what to choose instead.
pub fn judge(password: &str, names: &[&str]) -> Result<(), &'static str> {
    if !LENGTH.contains(&password.chars().count()) {
        return Err("has 12 to 128 characters; any will do, spaces too");
    }
    let lower = password.to_lowercase();
    let words = names.iter().flat_map(|name| name.split(|c: char| !c.is_alphanumeric())).chain(names.iter().copied());
    let mut words = words.map(str::to_lowercase).filter(|word| word.chars().count() >= 4);
    if words.any(|word| lower.contains(&word)) {
        return Err("holds a name of yours or of your company's; choose another");
    }
    let core = lower.trim_matches(|c: char| !c.is_alphabetic());
    if [lower.as_str(), core, period(&lower), period(core)].iter().any(|word| COMMON.contains(word))
        || period(&lower).chars().count() <= 3
    {
        return Err("is one of the commonest, or one of them with something around it; choose another");
    }
    Ok(())
}

/// What a text repeats, as `abc` in `abcabcab`; all of it where it repeats nothing.
fn period(text: &str) -> &str {
    let fits = |end: usize| text[end..].bytes().zip(text.bytes()).all(|(a, b)| a == b);
    let mut ends = text.char_indices().map(|(at, _)| at).filter(|at| *at > 0 && at * 2 <= text.len());
    ends.find(|end| fits(*end)).map_or(text, |end| &text[..end])
}

/// A password that the machine makes, to be used once: 100 bits in letters and digits that nobody mixes up.
///
/// # Errors
/// A machine without randomness.
pub fn one_time() -> Result<SecretString, Problem> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random = secret::random::<20>()?;
    let mut text = String::with_capacity(23);
    for (nr, byte) in random.into_iter().enumerate() {
        if nr > 0 && nr % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    Ok(text.into())
}

/// Where passwords are hashed; cheap to clone.
#[derive(Clone, Debug)]
pub struct Hashing {
    places: Arc<Semaphore>,
    patience: Duration,
    /// Nobody's.
    nobody: Arc<OnceLock<String>>,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), patience: PATIENCE, nobody: Arc::default() }
    }
}

impl Hashing {
    /// The PHC string of a password.
    ///
    /// # Errors
    /// `not_now`: too many at once.
    pub async fn hash(&self, password: SecretString) -> Result<String, Problem> {
        let _place = self.place().await?;
        blocking(move || hash(&password)).await?
    }

    /// Whether it is the one behind a PHC string. Without one it is wrong, after as long.
    ///
    /// # Errors
    /// `not_now`: too many at once.
    pub async fn is_right(&self, password: SecretString, phc: Option<String>) -> Result<bool, Problem> {
        let _place = self.place().await?;
        let nobody = Arc::clone(&self.nobody);
        blocking(move || {
            let phc = match phc {
                Some(phc) => phc,
                None => nobody_s(&nobody)?,
            };
            let parsed = PasswordHash::new(&phc).map_err(|_| Problem::from(Reason::Failed))?;
            Ok(Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok())
        })
        .await?
    }

    async fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let place = timeout(self.patience, self.places.acquire()).await;
        place.ok().and_then(Result::ok).ok_or_else(|| Reason::NotNow.into())
    }
}

fn hash(password: &SecretString) -> Result<String, Problem> {
    let hashed = Argon2::default().hash_password(password.expose_secret().as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|_| Reason::Failed.into())
}

fn nobody_s(kept: &OnceLock<String>) -> Result<String, Problem> {
    if let Some(phc) = kept.get() {
        return Ok(phc.clone());
    }
    let phc = hash(&secret::word()?.into())?;
    Ok(kept.get_or_init(|| phc).clone())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Reason::Failed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_passwords_of_any_kind_may_be_chosen() {
        let long = "é".repeat(64);
        for good in [
            "correct horse battery",
            "        pale moon",
            "vier-und-zwanzig-brezn",
            "ñandú corre libre",
            "Zq7!rT2#mK9$",
        ] {
            assert_eq!(judge(good, &["goldilocks", "Three Bears"]), Ok(()), "{good}");
        }
        assert_eq!(judge(&format!("{long}and a half"), &[]), Ok(()));
        assert!(judge("eleven char", &[]).is_err() && judge(&"ab c".repeat(33), &[]).is_err());
    }

    #[test]
    fn the_commonest_and_those_with_a_name_may_not() {
        for common in [
            "1qaz2wsx3edc",
            "Password1234",
            "passwordpassword",
            "qwerty!!!2024",
            "aaaaaaaaaaaa",
            "121212121212",
            "qwertyuiop123",
        ] {
            assert!(judge(common, &[]).unwrap_err().contains("commonest"), "{common}");
        }
        for own in ["goldilocks-4-ever", "xxGOLDIlocks!!", "i love three bears", "threebears rule"] {
            assert!(judge(own, &["goldilocks", "Three Bears", "threebears"]).is_err(), "{own}");
        }
    }

    #[test]
    fn a_one_time_password_may_be_typed_and_is_never_the_same() {
        let (one, two) = (one_time().unwrap(), one_time().unwrap());
        assert_eq!(one.expose_secret().len(), 23);
        assert_eq!(judge(one.expose_secret(), &[]), Ok(()));
        assert_ne!(one.expose_secret(), two.expose_secret());
    }

    #[tokio::test]
    async fn a_hash_is_of_owasp_s_parameters_and_knows_its_password() {
        let hashing = Hashing::default();
        let phc = hashing.hash("correct horse battery".to_owned().into()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        let is_right = async |text: &str| hashing.is_right(text.to_owned().into(), Some(phc.clone())).await.unwrap();
        assert!(is_right("correct horse battery").await && !is_right("correct horse batterz").await);
        assert!(!hashing.is_right("anything at all".to_owned().into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn no_more_than_a_few_are_hashed_at_once() {
        let hashing = Hashing { patience: Duration::from_millis(1), ..Hashing::default() };
        let held = hashing.places.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        let refused = hashing.hash("correct horse battery".to_owned().into()).await.unwrap_err();
        assert_eq!(refused.reason, "not_now");
        drop(held);
    }
}
