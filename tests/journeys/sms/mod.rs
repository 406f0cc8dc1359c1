//! Texts out: consent, sending, receipts.

mod consent;
mod leaves_once;
mod proof;
mod quiet_hours;
mod smpp;
mod twilio;
