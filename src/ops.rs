//! Commands: gather → plan → act → record → report.

pub mod config;
pub mod list;
pub mod mirror;
pub mod status;
