//! Pure decisions: what the panel has, what the ledger knows, policy and now become a plan.

pub mod check;
pub mod drill;
pub mod mirror;
pub mod prune;
pub mod rebuild;
pub mod restore;
pub mod to_panel;
pub mod trim;
pub mod verify;
