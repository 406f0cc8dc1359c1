//! Texts as the mobile network sees them: numbers, encoding and parts, keywords, states, carriers.

pub mod carrier;
pub mod encoding;
pub mod keywords;
pub mod number;
pub mod receipt;
pub mod sending;
pub mod status;
pub mod turn;
