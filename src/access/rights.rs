//! Roles of users, the rights that follow from them, and the scopes of API tokens. The table in docs/access.md is this
//! file's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What somebody may do within a tenant. As a word it is a scope of API tokens, where it may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// An agent's own work: state, offers, replies, notes, outreach, own contacts and their transcripts.
    Work,
    /// To see all live contacts and agents.
    Live,
    /// To end, move and take over others' contacts.
    Interfere,
    /// Transcripts of all rooms.
    Transcripts,
    /// Customers' cards.
    Customers,
    /// To add, change and end users.
    Users,
    /// To make and revoke API tokens.
    Tokens,
    /// To read the audit log.
    Audit,
}

impl Right {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Work,
        Self::Live,
        Self::Interfere,
        Self::Transcripts,
        Self::Customers,
        Self::Users,
        Self::Tokens,
        Self::Audit,
    ];

    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Live => "live",
            Self::Interfere => "interfere",
            Self::Transcripts => "transcripts",
            Self::Customers => "customers",
            Self::Users => "users",
            Self::Tokens => "tokens",
            Self::Audit => "audit",
        }
    }

    /// Whether a token may have it: none that would make more users, tokens or a look at who did what.
    #[must_use]
    pub fn is_scope(self) -> bool {
        !matches!(self, Self::Users | Self::Tokens | Self::Audit)
    }
}

/// What a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Works contacts.
    Agent,
    /// Looks after those who do.
    Supervisor,
    /// Looks after users, tokens and the audit log.
    Administrator,
    /// Connects programs.
    Integrator,
}

impl Role {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Agent, Self::Supervisor, Self::Administrator, Self::Integrator];

    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
            Self::Administrator => "administrator",
            Self::Integrator => "integrator",
        }
    }

    /// What follows from it.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        match self {
            Self::Agent => matches!(right, Right::Work | Right::Customers),
            Self::Supervisor => {
                matches!(right, Right::Live | Right::Interfere | Right::Transcripts | Right::Customers)
            }
            Self::Administrator => matches!(right, Right::Users | Right::Tokens | Right::Audit),
            // whoever makes tokens has what they may have
            Self::Integrator => right.is_scope() || right == Right::Tokens,
        }
    }
}

macro_rules! words {
    ($name:ident of $one:ty) => {
        impl $name {
            /// From words, as rows have them; unknown ones give nothing.
            #[must_use]
            pub fn of(words: &[String]) -> Self {
                Self(<$one>::ALL.iter().copied().filter(|one| words.iter().any(|word| word == one.word())).collect())
            }

            /// As rows have them.
            #[must_use]
            pub fn words(&self) -> Vec<&'static str> {
                self.0.iter().map(|one| one.word()).collect()
            }
        }
    };
}

/// A user's roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Roles(pub BTreeSet<Role>);

/// What a token may do at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Scopes(pub BTreeSet<Right>);

words!(Roles of Role);
words!(Scopes of Right);

impl Roles {
    /// Whether one of them has the right.
    #[must_use]
    pub fn have(&self, right: Right) -> bool {
        self.0.iter().any(|role| role.has(right))
    }

    /// All that follows from them.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        Scopes(Right::ALL.iter().copied().filter(|right| self.have(*right)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_its_rights_and_no_others() {
        let rights = |role: Role| Roles([role].into()).scopes().words();
        assert_eq!(rights(Role::Agent), ["work", "customers"]);
        assert_eq!(rights(Role::Supervisor), ["live", "interfere", "transcripts", "customers"]);
        assert_eq!(rights(Role::Administrator), ["users", "tokens", "audit"]);
        assert!(!Role::Integrator.has(Right::Users) && !Role::Integrator.has(Right::Audit));
    }

    #[test]
    fn words_and_json_are_one_spelling_and_unknown_words_give_nothing() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.word());
        }
        for right in Right::ALL {
            assert_eq!(serde_json::to_value(right).unwrap(), right.word());
        }
        let words = ["agent".to_owned(), "root".to_owned()];
        assert_eq!(Roles::of(&words).words(), ["agent"]);
    }
}
