//! SMPP 3.4 as a client (ESME): binds that stand by themselves, texts in and out over them. Windows, reconnecting,
//! reading, cutting and joining are ours; rusmpp writes the PDUs. An SMSC does not take our sms id as a key: a text whose
//! answer is lost is unknown. Never sent is what no bind was up for, what was still unwritten when the line broke, and
//! what the SMSC answered with an error.
//! Source: SMPP Protocol Specification v3.4, issue 1.2.

mod binds;
mod client;
mod dial;
pub(crate) mod inbound;
pub(crate) mod pdu;
pub(crate) mod plan;
mod receipt;
mod repeats;
mod session;
mod status;
mod text;

pub use binds::{Hands, Registry};
pub use client::Client;
pub use inbound::Came;

use super::kind::{Can, Form, Key, Kind};

const fn key(name: &'static str, form: Form, meaning: &'static str) -> Key {
    Key { name, form, is_required: false, meaning }
}

const fn required(name: &'static str, form: Form, meaning: &'static str) -> Key {
    Key { name, form, is_required: true, meaning }
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "smpp",
    title: "SMPP 3.4, to any SMSC",
    keys: &[
        required("url", Form::Address(&["smpp://", "smpps://"]), "the SMSC: `smpp://host:2775`, or `smpps://` for TLS"),
        required("system_id", Form::Text(15), "who we are"),
        required("password_file", Form::SecretFile, "file with the password, at most 8 characters"),
        key("system_type", Form::Text(12), "what kind of system we are, where the SMSC asks for it"),
        key(
            "ca_file",
            Form::SecretFile,
            "file with the certificates (PEM) that vouch for the SMSC; by default those of the machine",
        ),
        key(
            "bind",
            Form::Word(&["transceiver", "split"]),
            "one bind for both ways (the default), or `split`: a transmitter and a receiver",
        ),
        key("binds", Form::Whole(1..=32), "how many of them each process makes; default 1"),
        key(
            "data_coding",
            Form::Word(&["gsm", "latin1", "ascii"]),
            "what data coding 0 means, out and in; default `gsm`",
        ),
        key(
            "concatenation",
            Form::Word(&["udh8", "udh16", "sar", "payload"]),
            "how parts of long texts go out: a header with a reference of 8 bits (the default) or 16, the SAR parameters, or \
             uncut in `message_payload`",
        ),
        key(
            "receipt_ids",
            Form::Words(crate::sms::receipt::spelling::WORDS),
            "how ids in receipts may differ from those of the answers, tried in this order; default: all",
        ),
        key("receipt_zone", Form::Text(60), "time zone of dates in receipts; by default the time of arrival counts"),
        key("country", Form::Text(2), "country of short codes and of national numbers, as `US`"),
        key("source_ton", Form::Whole(0..=6), "type of our long numbers; default 1"),
        key("source_npi", Form::Whole(0..=18), "their plan; default 1"),
        key("short_ton", Form::Whole(0..=6), "type of our short codes; default 3"),
        key("short_npi", Form::Whole(0..=18), "their plan; default 0"),
        key("destination_ton", Form::Whole(0..=6), "type of customers' numbers; default 1"),
        key("destination_npi", Form::Whole(0..=18), "their plan; default 1"),
        key("service_type", Form::Text(5), "the service that texts ask for"),
        key("validity_s", Form::Whole(60..=604_800), "how long the SMSC tries; by default as long as it likes"),
        key(
            "enquire_s",
            Form::Whole(1..=3600),
            "a bind that is silent for so long is asked whether it lives; default 30",
        ),
    ],
    can: Can {
        texts_in: "whole, and in parts by header, SAR or `message_payload`",
        receipts: "one for each part, by TLV or text",
        signature: "none: we connect to the SMSC",
        media: "none",
    },
};
