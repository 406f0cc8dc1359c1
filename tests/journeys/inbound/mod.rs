//! What comes in, good and bad.

mod bad_input;
mod unicode;
