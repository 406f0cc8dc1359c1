//! Texts as the mobile network sees them: numbers, encoding and parts, keywords, states, carriers.

pub mod carrier;
pub mod doubt;
pub mod encoding;
pub mod header;
pub mod joining;
pub mod keywords;
pub mod number;
pub mod octets;
pub mod pace;
pub mod quiet;
pub mod receipt;
pub mod sending;
pub mod smart;
pub mod status;
pub mod turn;
