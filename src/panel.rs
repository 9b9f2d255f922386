//! The panel's client API: list servers, list backups, mint a download link.

pub mod pace;
pub mod page;
pub mod wire;
