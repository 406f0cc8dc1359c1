//! Routing flows: a tenant's script for what happens to a contact before an agent has it. A flow is a JSON graph of nodes
//! (`document`), checked whole before it is published (`check`), with CEL conditions (`condition`) and templates
//! (`template`). `step` is pure: state, event and look-ups in, new state and effects out, so that the worker and
//! `texthub flow simulate` share it. What is stored is in `store`, what is looked up in `looks`.

pub mod apply;
pub mod calendar;
pub mod calls;
pub mod check;
pub mod condition;
pub mod document;
pub mod graph;
pub mod looks;
pub mod said;
pub mod simulate;
pub mod step;
pub mod store;
pub mod template;
pub mod values;
