//! Who may do what: users and their roles, sign-ins, API tokens, and the audit log of what they did. The gateway's side
//! of Postgres too: every query of a caller runs in a transaction that is bound to the caller's tenant.

pub mod api;
pub mod attempts;
pub mod audit;
pub mod caller;
pub mod oidc;
pub mod password;
pub mod problem;
pub mod rights;
pub mod secret;
pub mod sign_in;
pub mod site;
pub mod tokens;
pub mod users;
