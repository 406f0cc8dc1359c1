//! Journeys: whole stories through real servers, a folder per area.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "tests")]

mod access;
mod chat;
mod faults;
mod flows;
mod gateway;
mod hub;
mod inbound;
mod records;
mod runtime;
mod sms;
mod strangers;
mod support;
mod tenant;
