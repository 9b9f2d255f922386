//! nestegg keeps verified offsite copies of the backups that a Pterodactyl or Pelican panel makes.
//!
//! Data flows one way: `config → panel → plan → transfer → destination → ledger → report`.
//! Modules are listed in reading order; `tests/it/architecture.rs` holds who may import whom.

pub mod model;

pub mod config;
pub mod env;

pub mod plan;

pub mod panel;

pub mod destination;

pub mod ledger;

pub mod transfer;

pub mod report;

pub mod ops;

pub mod cli;
pub mod exit;
