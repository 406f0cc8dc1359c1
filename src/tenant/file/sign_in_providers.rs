//! `[[sign_in_providers]]`: where a tenant's people may sign in by OpenID Connect.

use super::super::reader::{At, Part, Reader, article};
use crate::facts::ids::Slug;
use crate::outside;

/// `[[sign_in_providers]]`.
#[derive(Clone, Debug)]
pub struct SignInProvider {
    /// Slug.
    pub id: Option<At<Slug>>,
    /// On screen.
    pub name: Option<At<String>>,
    /// Its address, as its tokens have it.
    pub issuer: Option<At<String>>,
    /// What it knows this installation by.
    pub client_id: Option<At<String>>,
    /// The file with the secret that goes with it; absent: a public client.
    pub client_secret_file: Option<At<String>>,
    /// Domains of e-mail addresses that may sign in; empty: any.
    pub domains: Vec<At<String>>,
    /// The claim that names the user; absent: the e-mail address before its @.
    pub user_claim: Option<At<String>>,
    /// Line of its heading.
    pub line: usize,
}

impl Reader<'_> {
    pub(super) fn sign_in_provider(&mut self, part: Part<'_>) -> SignInProvider {
        self.known(part, &["id", "name", "issuer", "client_id", "client_secret_file", "domains", "user_claim"]);
        SignInProvider {
            id: self.slug(part, "id"),
            name: self.required(part, "name", "\"Company login\"").and_then(|at| self.sized(at, "name", 100)),
            issuer: self.issuer(part),
            client_id: self.required(part, "client_id", "\"texthub\"").and_then(|at| self.sized(at, "client_id", 500)),
            client_secret_file: self
                .text(part, "client_secret_file")
                .and_then(|at| self.sized(at, "client_secret_file", 1000)),
            domains: self.domains(part),
            user_claim: self.text(part, "user_claim").and_then(|at| self.sized(at, "user_claim", 100)),
            line: part.line,
        }
    }

    fn issuer(&mut self, part: Part<'_>) -> Option<At<String>> {
        let at = self.required(part, "issuer", "\"https://login.example.com\"")?;
        if outside::is_address(&at.value) {
            return Some(at);
        }
        self.say(at.line, "issuer is no address", "write issuer = \"https://host/path\", as the provider shows it");
        None
    }

    fn domains(&mut self, part: Part<'_>) -> Vec<At<String>> {
        const INSTEAD: &str = "write domains = [\"example.com\"]";
        let Some(value) = part.table.get("domains") else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.say(self.line(value), &format!("domains is {}", article(value.get_ref())), INSTEAD);
            return Vec::new();
        };
        let mut domains = Vec::new();
        for element in array {
            let line = self.line(element);
            let text = element.get_ref().as_str().map(str::to_ascii_lowercase);
            match text.filter(|text| text.contains('.') && !text.contains(['@', ' ', '/', '*'])) {
                Some(value) => domains.push(At { value, line }),
                None => self.say(line, "domains holds what is no domain", INSTEAD),
            }
        }
        domains
    }
}
