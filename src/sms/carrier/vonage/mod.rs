//! Vonage's SMS API (rest.nexmo.com): a form out, which is answered with 200 whatever came of it, one entry per part;
//! form, JSON or query in. A webhook is Vonage's where its parameter `sig` says so and its stamp is not too old. Long
//! texts of customers come in parts, which the hub joins. Numbers go without plus.
//! Sources: developer.vonage.com/en/messaging/sms (guides, concepts/signing-messages), …/en/api-errors/sms.

mod client;
mod signature;
mod webhook;

pub use client::Client;

use super::kind::{Can, Form, Key, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "vonage",
    title: "Vonage SMS API (Nexmo)",
    keys: &[
        Key { name: "key", form: Form::Text(64), is_required: true, meaning: "the API key" },
        Key { name: "secret_file", form: Form::SecretFile, is_required: true, meaning: "file with the API secret" },
        Key {
            name: "signature_file",
            form: Form::SecretFile,
            is_required: true,
            meaning: "file with the signature secret: it checks webhooks",
        },
        Key {
            name: "signature_next_file",
            form: Form::SecretFile,
            is_required: false,
            meaning: "file with the signature secret that comes next: during a rotation webhooks signed by either are taken",
        },
        Key {
            name: "signature_method",
            form: Form::Word(signature::WORDS),
            is_required: false,
            meaning: "HMAC of the account's settings: md5, sha1, sha256 (the default) or sha512",
        },
    ],
    can: Can {
        texts_in: "in parts, joined here",
        receipts: "per part",
        signature: "HMAC over all parameters, a day and an hour",
        media: "no",
    },
};
