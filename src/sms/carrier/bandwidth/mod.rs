//! Bandwidth's Messaging API v2: JSON out, answered with 202; lists of events in. Bandwidth signs nothing: a webhook is its
//! own where it signs in with the user and the password that the application's callbacks are set to.
//! Sources: dev.bandwidth.com/docs/messaging (webhooks, errors).

mod client;
mod webhook;

pub use client::Client;

use super::kind::{Can, Form, Key, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "bandwidth",
    title: "Bandwidth",
    keys: &[
        Key {
            name: "account",
            form: Form::Text(64),
            is_required: true,
            meaning: "the account's id, as in the API's path",
        },
        Key {
            name: "application",
            form: Form::Text(64),
            is_required: true,
            meaning: "id of the messaging application",
        },
        Key { name: "user", form: Form::Text(100), is_required: true, meaning: "the API's user, to sign in with" },
        Key {
            name: "password_file",
            form: Form::SecretFile,
            is_required: true,
            meaning: "file with that user's password",
        },
        Key {
            name: "callback_user",
            form: Form::Text(100),
            is_required: true,
            meaning: "the user that the application's callbacks sign in with",
        },
        Key {
            name: "callback_password_file",
            form: Form::SecretFile,
            is_required: true,
            meaning: "file with that user's password",
        },
        Key {
            name: "callback_password_next_file",
            form: Form::SecretFile,
            is_required: false,
            meaning: "file with the password that comes next: during a rotation callbacks by either are taken",
        },
    ],
    can: Can {
        texts_in: "whole",
        receipts: "one for all parts",
        signature: "none; user and password",
        media: "in and out",
    },
};
