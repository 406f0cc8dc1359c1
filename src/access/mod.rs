//! Who may do what: users and their roles, sign-ins, API tokens, and the audit log of what they did. The gateway's side
//! of Postgres too: every query of a caller runs in a transaction that is bound to the caller's tenant.

pub mod api;
pub mod caller;
pub mod problem;
pub mod rights;
pub mod secret;
pub mod site;
