//! Texts out: consent, sending, receipts.

mod consent;
mod leaves_once;
mod quiet_hours;
mod twilio;
