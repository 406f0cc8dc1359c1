//! Journeys: whole stories through real servers, a folder per area.

mod sms;
mod support;
