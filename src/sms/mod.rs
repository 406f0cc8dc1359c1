//! Texts as the mobile network sees them: numbers, encoding and parts, keywords, states, carriers.

pub mod number;
