//! AWS End User Messaging SMS: `SendTextMessage` out, signed by Signature Version 4; customers' texts and events by SNS
//! in, over HTTPS. A webhook is AWS' where SNS' signature says so, of a topic that is configured. Sources: the API's
//! reference (pinpoint-sms-voice-v2), docs.aws.amazon.com/sms-voice (two-way messages, event types), …/sns (HTTP
//! endpoints, verifying signatures), …/IAM (Signature Version 4).

mod certificate;
mod client;
mod sigv4;
mod sns;
mod webhook;

pub use client::Client;

use super::kind::{Can, Form, Key, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "aws",
    title: "AWS End User Messaging SMS",
    keys: &[
        Key { name: "region", form: Form::Text(32), is_required: true, meaning: "the region, as us-east-1" },
        Key { name: "key", form: Form::Text(128), is_required: true, meaning: "id of the access key to sign in with" },
        Key { name: "secret_file", form: Form::SecretFile, is_required: true, meaning: "file with that key's secret" },
        Key {
            name: "session_file",
            form: Form::SecretFile,
            is_required: false,
            meaning: "file with the session's token, where the key is a temporary one",
        },
        Key {
            name: "topic",
            form: Form::Text(300),
            is_required: true,
            meaning: "ARN of the SNS topic of customers' texts; another one's messages are not taken",
        },
        Key {
            name: "events_topic",
            form: Form::Text(300),
            is_required: false,
            meaning: "ARN of the SNS topic of events, where it is another one",
        },
        Key {
            name: "configuration_set",
            form: Form::Text(256),
            is_required: false,
            meaning: "configuration set to send by; it says where events go",
        },
        Key {
            name: "message_type",
            form: Form::Word(&["transactional", "promotional"]),
            is_required: false,
            meaning: "transactional (the default) or promotional",
        },
        Key {
            name: "sns_url",
            form: Form::Url,
            is_required: false,
            meaning: "for tests: where SNS is, on this machine alone; otherwise its host in the topic's region",
        },
    ],
    can: Can {
        texts_in: "whole",
        receipts: "one for all parts",
        signature: "SNS: RSA with SHA-256 or SHA-1, two hours",
        media: "no",
    },
};
