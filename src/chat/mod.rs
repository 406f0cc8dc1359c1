//! Web chat: visitors without accounts, who they may be, how fast they may come and write, and what they get to see. It
//! reads the hub's tables and writes its own; what visitors do is said to the hub by `chat.received` and `chat.left`.

pub mod board;
pub mod door;
pub mod listen;
pub mod origin;
pub mod pace;
pub mod view;
pub mod visit;

/// Whether this is a language as pages name it: a code of BCP 47 with or without a region, as `en`, `pt-BR`.
#[must_use]
pub fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_word = |part: &str, least, most| {
        (least..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let first = parts.next().unwrap_or_default();
    is_word(first, 2, 3) && first.bytes().all(|byte| byte.is_ascii_lowercase()) && {
        let rest: Vec<&str> = parts.collect();
        rest.len() <= 2 && rest.iter().all(|part| is_word(part, 2, 8))
    }
}
