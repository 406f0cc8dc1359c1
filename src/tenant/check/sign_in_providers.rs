//! Providers of sign-in: each once, and none by which a stranger's address could name a user.

use super::Check;

impl Check<'_> {
    pub(super) fn sign_in_providers(&mut self) {
        let file = self.file;
        self.twice("provider of sign-in", file.sign_in_providers.iter().filter_map(|provider| provider.id.as_ref()));
        for provider in &file.sign_in_providers {
            if provider.id.as_ref().is_some_and(|id| id.value.as_str() == "password") {
                self.say(provider.line, "a provider of sign-in is called password", "give it another id");
            }
            if provider.domains.is_empty() && provider.user_claim.is_none() {
                let what =
                    "the provider of sign-in has neither domains nor user_claim: anybody's address would name a user";
                self.say(
                    provider.line,
                    what,
                    "write domains = [\"example.com\"], or user_claim = \"preferred_username\"",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    const BEARS: &str = include_str!("../../../examples/three-bears.toml");
    const PROVIDER: &str = "
        [[sign_in_providers]]
        id = \"company\"
        name = \"Company login\"
        issuer = \"https://login.example.com\"
        client_id = \"texthub\"";

    #[test]
    fn a_provider_of_sign_in_is_read() {
        let file = read(&format!("{BEARS}{PROVIDER}\ndomains = [\"Bears.example\"]")).unwrap();
        let provider = &file.sign_in_providers[0];
        assert_eq!(provider.domains[0].value, "bears.example");
        assert_eq!(provider.issuer.as_ref().unwrap().value, "https://login.example.com");
    }

    #[test]
    fn each_mistake_of_a_provider_is_named_with_what_to_write_instead() {
        for (from, to, more, words) in [
            ("", "", "", "neither domains nor user_claim"),
            ("", "", "domains = [\"@example.com\"]", "domains holds what is no domain"),
            ("", "", "domains = \"example.com\"", "domains is a text"),
            ("\"company\"", "\"password\"", "user_claim = \"u\"", "is called password"),
            ("https://login", "login", "user_claim = \"u\"", "issuer is no address"),
            ("client_id = \"texthub\"", "", "user_claim = \"u\"", "lacks client_id"),
        ] {
            let provider = if from.is_empty() { PROVIDER.to_owned() } else { PROVIDER.replace(from, to) };
            let mistakes = read(&format!("{BEARS}{provider}\n{more}")).unwrap_err();
            let said: Vec<String> = mistakes.iter().map(|mistake| mistake.sentence("f")).collect();
            assert!(said.iter().any(|sentence| sentence.contains(words)), "{words}: {said:?}");
        }
    }
}
