//! Texts out: consent, sending, receipts.

mod consent;
