//! Twilio's Programmable Messaging (API of 2010-04-01), and whoever speaks as it does: others by their own
//! `url`. Sends a form, hears forms; a webhook is Twilio's where `X-Twilio-Signature` says so. Statuses that are not known
//! are passed over, parameters that are not known are kept, senders need not be in E.164.
//! Sources: twilio.com/docs/messaging/api/message-resource, …/usage/security, …/api/errors.

mod client;
pub mod signature;
mod webhook;

pub use client::Client;

use super::kind::{Can, Form, Key, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "twilio",
    title: "Twilio, SignalWire and others of that shape",
    keys: &[
        Key {
            name: "account",
            form: Form::Text(64),
            is_required: true,
            meaning: "the account's SID, as in the API's path",
        },
        Key {
            name: "token_file",
            form: Form::SecretFile,
            is_required: true,
            meaning: "file with the auth token: signs webhooks, and signs in where there is no `key`",
        },
        Key {
            name: "token_next_file",
            form: Form::SecretFile,
            is_required: false,
            meaning: "file with the token that comes next: during a rotation webhooks signed by either are taken",
        },
        Key { name: "key", form: Form::Text(64), is_required: false, meaning: "SID of an API key to sign in with" },
        Key {
            name: "key_secret_file",
            form: Form::SecretFile,
            is_required: false,
            meaning: "file with that key's secret",
        },
        Key {
            name: "messaging_service",
            form: Form::Text(64),
            is_required: false,
            meaning: "SID of a messaging service to send by",
        },
        Key {
            name: "path",
            form: Form::Text(100),
            is_required: false,
            meaning: "before `/2010-04-01` in the path, as `/api/laml` of SignalWire",
        },
    ],
    can: Can {
        texts_in: "whole",
        receipts: "one for all parts",
        signature: "HMAC-SHA1 or HMAC-SHA256 over the public URL",
        media: "in and out",
    },
};
