//! Telnyx Messaging, API v2: JSON out and in. A webhook is Telnyx's where its Ed25519 signature over `timestamp|body` says
//! so and the stamp is at most five minutes old. Statuses that are not known are passed over, fields that are not known
//! are kept. Sources: developers.telnyx.com/docs/messaging/messages (receiving-webhooks, error-codes),
//! …/docs/development/api-fundamentals/idempotency.

mod client;
mod webhook;

pub use client::Client;

use super::kind::{Can, Form, Key, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "telnyx",
    title: "Telnyx",
    keys: &[
        Key { name: "key_file", form: Form::SecretFile, is_required: true, meaning: "file with the API key (v2)" },
        Key {
            name: "public_key",
            form: Form::Text(64),
            is_required: true,
            meaning: "the account's public key, as the portal shows it: it checks webhooks",
        },
        Key {
            name: "public_key_next",
            form: Form::Text(64),
            is_required: false,
            meaning: "the public key that comes next: during a rotation webhooks signed by either are taken",
        },
        Key {
            name: "profile",
            form: Form::Text(64),
            is_required: false,
            meaning: "id of a messaging profile to send by",
        },
    ],
    can: Can {
        texts_in: "whole",
        receipts: "one for all parts",
        signature: "Ed25519 over the body, five minutes",
        media: "in and out",
    },
};
