//! What a kind of carrier is: its name, the keys of its `[[carriers]]` in the tenant file, and what it can. The tenant
//! file is checked by these, the documentation's tables are compared with them, and an adapter reads its settings by them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::facts::ids::Slug;
use crate::sms::leaving::Manner;

/// What stands under a key.
#[derive(Clone, Debug)]
pub enum Form {
    /// A text of at most so many characters.
    Text(usize),
    /// `http://…` or `https://…`.
    Url,
    /// An address that begins in one of these ways.
    Address(&'static [&'static str]),
    /// A file that holds a secret; its name ends in `_file`. Read where it is used, never kept.
    SecretFile,
    /// One of these.
    Word(&'static [&'static str]),
    /// A list of some of these.
    Words(&'static [&'static str]),
    /// A whole number.
    Whole(RangeInclusive<i64>),
    /// true or false.
    Yes,
    /// An amount and a currency: `0.0079 USD`.
    Price,
    /// A table of these by country, two letters of ISO 3166.
    Prices,
}

/// A key of `[[carriers]]`.
#[derive(Clone, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What stands there.
    pub form: Form,
    /// It must be there.
    pub is_required: bool,
    /// For the documentation.
    pub meaning: &'static str,
}

/// What a carrier can, for the README's table.
#[derive(Clone, Copy, Debug)]
pub struct Can {
    /// Texts of customers, and how long ones come.
    pub texts_in: &'static str,
    /// What becomes of texts.
    pub receipts: &'static str,
    /// How what comes is known to be the carrier's.
    pub signature: &'static str,
    /// Media out and in.
    pub media: &'static str,
}

/// A kind of carrier.
#[derive(Clone, Debug)]
pub struct Kind {
    /// As in `carriers.kind`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Its own keys, beside `id`, `kind` and [`COMMON`].
    pub keys: &'static [Key],
    /// For the table.
    pub can: Can,
}

impl Kind {
    /// Every key that may stand there, beside `id` and `kind`; a common one of the kind's own is the kind's.
    pub fn all_keys(&self) -> impl Iterator<Item = &'static Key> {
        let keys = self.keys;
        COMMON.iter().filter(move |common| keys.iter().all(|key| key.name != common.name)).chain(keys)
    }
}

/// Keys of every kind.
pub const COMMON: &[Key] = &[
    Key {
        name: "url",
        form: Form::Url,
        is_required: false,
        meaning: "where it is, other than where its kind usually is",
    },
    Key {
        name: "window",
        form: Form::Whole(1..=1000),
        is_required: false,
        meaning: "most texts that one process has under way at once; default 16",
    },
    Key {
        name: "opt_outs",
        form: Form::Word(&["self", "provider"]),
        is_required: false,
        meaning: "who answers STOP, START and HELP: self (the default), or provider where the carrier does",
    },
    Key {
        name: "smart_encoding",
        form: Form::Yes,
        is_required: false,
        meaning: "look-alikes are written in the GSM alphabet where the whole text then fits; default false",
    },
    Key {
        name: "price_per_part",
        form: Form::Price,
        is_required: false,
        meaning: "what a part costs, as \"0.0079 USD\", where `prices` does not say",
    },
    Key {
        name: "prices",
        form: Form::Prices,
        is_required: false,
        meaning: "the same by country of the recipient, as { US = \"0.0079 USD\", DE = \"0.07 EUR\" }",
    },
];

/// The settings of one connection, secrets read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Slug of the connection.
    pub carrier: Slug,
    values: Map<String, Value>,
    secrets: BTreeMap<String, SecretString>,
}

impl Settings {
    /// The settings with their secrets.
    ///
    /// # Errors
    /// A sentence: a file that cannot be read or is empty.
    pub fn read(kind: &Kind, carrier: &Slug, values: &Map<String, Value>) -> Result<Self, String> {
        let mut secrets = BTreeMap::new();
        for key in kind.all_keys().filter(|key| matches!(key.form, Form::SecretFile)) {
            let Some(path) = values.get(key.name).and_then(Value::as_str) else { continue };
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{}: cannot read {path}: {error}", key.name))?;
            let text = text.trim_end_matches(['\n', '\r']);
            if text.is_empty() {
                return Err(format!("{}: {path} is empty", key.name));
            }
            secrets.insert(key.name.to_owned(), SecretString::from(text));
        }
        Ok(Self { carrier: carrier.clone(), values: values.clone(), secrets })
    }

    /// The same with a secret in hand instead of a file's.
    #[must_use]
    pub(crate) fn with_secret(mut self, key: &str, secret: &str) -> Self {
        self.secrets.insert(key.to_owned(), SecretString::from(secret));
        self
    }

    /// The text or word under a key.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }

    /// The same of a key that must be there.
    ///
    /// # Errors
    /// A sentence.
    pub fn required(&self, key: &str) -> Result<&str, String> {
        self.text(key).ok_or_else(|| format!("the carrier {} lacks {key}; write it in the tenant file", self.carrier))
    }

    /// What this connection does to texts.
    #[must_use]
    pub fn manner(&self) -> Manner {
        Manner::of(&self.values)
    }

    /// The number under a key.
    #[must_use]
    pub fn whole(&self, key: &str) -> Option<i64> {
        self.values.get(key).and_then(Value::as_i64)
    }

    /// The words of the list under a key.
    #[must_use]
    pub fn words(&self, key: &str) -> Option<Vec<&str>> {
        self.values.get(key)?.as_array().map(|words| words.iter().filter_map(Value::as_str).collect())
    }

    /// All that is no secret.
    pub(super) fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn yes(&self, key: &str) -> bool {
        self.values.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The secret in the file under a key (`token_file`).
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<&SecretString> {
        self.secrets.get(key)
    }

    /// The same of a key that must be there.
    ///
    /// # Errors
    /// A sentence.
    pub fn required_secret(&self, key: &str) -> Result<&SecretString, String> {
        self.secret(key).ok_or_else(|| format!("the carrier {} lacks {key}; write it in the tenant file", self.carrier))
    }

    /// The secrets under these keys, those that are there: the one in use and its successor during a rotation.
    #[must_use]
    pub fn secrets(&self, keys: &[&str]) -> Vec<SecretString> {
        keys.iter().filter_map(|key| self.secret(key).cloned()).collect()
    }

    /// Tells whether secrets have changed.
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        let mut digest = Sha256::new();
        for (name, secret) in &self.secrets {
            let secret = secret.expose_secret();
            digest.update(name.len().to_le_bytes());
            digest.update(name);
            digest.update(secret.len().to_le_bytes());
            digest.update(secret);
        }
        digest.finalize().to_vec()
    }

    /// Most texts under way at once.
    #[must_use]
    pub fn window(&self) -> usize {
        self.whole("window").and_then(|n| usize::try_from(n).ok()).unwrap_or(16)
    }
}
