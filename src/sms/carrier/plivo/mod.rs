//! Plivo's Messaging API: JSON out, a form in. A webhook is Plivo's where a signature over its address says so: V3 covers
//! what is said, too, V2, which is all that Plivo documents for messages, does not. Numbers go without plus.
//! Sources: plivo.com/docs/messaging (api/message, concepts/signature-validation, troubleshooting/error-codes), how V3 is
//! made up is as Plivo's own SDKs do it.

mod client;
mod signature;
mod webhook;

pub use client::Client;

use super::kind::{Can, Form, Key, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "plivo",
    title: "Plivo",
    keys: &[
        Key { name: "account", form: Form::Text(64), is_required: true, meaning: "the account's auth id" },
        Key {
            name: "token_file",
            form: Form::SecretFile,
            is_required: true,
            meaning: "file with the auth token: signs in, and signs webhooks",
        },
        Key {
            name: "token_next_file",
            form: Form::SecretFile,
            is_required: false,
            meaning: "file with the token that comes next: during a rotation webhooks signed by either are taken",
        },
        Key {
            name: "signature",
            form: Form::Word(&["v2", "v3"]),
            is_required: false,
            meaning: "the least that is taken: v2, the default, which does not cover what is said, or v3, which does",
        },
        Key { name: "powerpack", form: Form::Text(64), is_required: false, meaning: "UUID of a powerpack to send by" },
    ],
    can: Can {
        texts_in: "whole",
        receipts: "one for all parts",
        signature: "HMAC-SHA256 over the public URL, by V3 over the form, too",
        media: "in and out",
    },
};
