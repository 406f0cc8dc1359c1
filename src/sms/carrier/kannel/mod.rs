//! Kannel, the open SMS gateway, over its smsbox: a text goes to `sendsms` by POST with the fields in `X-Kannel-` headers,
//! and comes by the `get-url` of an `sms-service`. Kannel signs nothing: a webhook is its own where it signs in with the
//! connection's id and a token, both written into the address that Kannel is given. Kannel gives a text no id, so ours is
//! in the address that its receipts are asked for.
//! Sources: Kannel 1.4.5's user guide (sms-service, sendsms, delivery reports), and what its smsbox does when it is asked.

pub(crate) mod client;
pub(crate) mod webhook;

pub use client::Client;

use super::kind::{Can, Form, Key, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "kannel",
    title: "Kannel",
    keys: &[
        Key {
            name: "url",
            form: Form::Url,
            is_required: true,
            meaning: "where the smsbox listens, its `sendsms-port`; the path is added",
        },
        Key { name: "user", form: Form::Text(100), is_required: true, meaning: "`username` of the `sendsms-user`" },
        Key {
            name: "password_file",
            form: Form::SecretFile,
            is_required: true,
            meaning: "file with that user's password",
        },
        Key {
            name: "token_file",
            form: Form::SecretFile,
            is_required: true,
            meaning: "file with the token that Kannel signs in with here: letters, digits, `-`, `_`, `.` and `~`",
        },
        Key {
            name: "token_next_file",
            form: Form::SecretFile,
            is_required: false,
            meaning: "file with the token that comes next: during a rotation webhooks by either are taken",
        },
    ],
    can: Can {
        texts_in: "whole, joined by Kannel; parts that it gave up on are joined here",
        receipts: "one for all parts",
        signature: "none; user and token",
        media: "no",
    },
};
