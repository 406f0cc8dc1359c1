//! `text_validity_s` and `[unanswered]`: how long a text is tried, and what becomes of one whose answer was lost.

use super::super::reader::{Part, Reader};

/// What the file says of both.
#[derive(Clone, Debug)]
pub struct Unanswered {
    /// Seconds from writing a text until it is not sent any more.
    pub validity_s: i32,
    /// `keep`, `resend` or `fail`.
    pub policy: String,
    /// Seconds until that decides.
    pub after_s: i32,
}

impl Default for Unanswered {
    fn default() -> Self {
        Self { validity_s: 172_800, policy: "keep".to_owned(), after_s: 900 }
    }
}

impl Reader<'_> {
    pub(super) fn unanswered(&mut self, top: Part<'_>) -> Unanswered {
        const INSTEAD: &str = "write [unanswered] with then = \"keep\", \"resend\" or \"fail\" and after_s under it";
        let mut found = Unanswered::default();
        found.validity_s = self.number(top, "text_validity_s", 60..=604_800).unwrap_or(found.validity_s);
        if let Some(part) = self.table(top, "unanswered", "[unanswered]", INSTEAD) {
            self.known(part, &["then", "after_s"]);
            let policy = part.table.contains_key("then").then(|| self.word(part, "then", &["keep", "resend", "fail"]));
            found.policy = policy.flatten().map_or(found.policy, |at| at.value);
            found.after_s = self.number(part, "after_s", 120..=86_400).unwrap_or(found.after_s);
        }
        found
    }
}
