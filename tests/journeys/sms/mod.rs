//! Texts out: consent, sending, receipts.

mod consent;
mod leaves_once;
mod media;
mod proof;
mod quiet_hours;
mod twilio;
