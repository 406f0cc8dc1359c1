//! Texts out: consent, sending, receipts.

mod applications;
mod consent;
mod leaves_once;
mod proof;
mod quiet_hours;
mod twilio;
