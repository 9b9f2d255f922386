//! Whoever is asked before what can't be undone.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::model::ids::ServerId;
use crate::plan::to_panel::Files;

/// Something that can't be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The server's name, fit to be shown; to be typed in agreement.
    pub server_name: String,
    /// The server.
    pub server: ServerId,
    /// How many names are in its root.
    pub names: usize,
    /// What becomes of them.
    pub files: Files,
}

impl Deed {
    /// It in a few words.
    pub const fn words(&self) -> &'static str {
        match self.files {
            Files::Keep => "overwrite files of the server",
            Files::Truncate => "delete all files of the server",
        }
    }
}

/// An answer to a [`Deed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Do it.
    Given,
    /// What was typed is not the server's name.
    Declined,
    /// There is nobody to ask.
    NobodyThere,
}

/// Whoever is asked.
pub trait Asker: Send + Sync + fmt::Debug {
    /// Asks.
    fn may(&self, deed: Deed) -> BoxFuture<'_, Consent>;
}

/// Nobody is there to ask.
#[derive(Debug, Clone, Copy)]
pub struct NobodyThere;

impl Asker for NobodyThere {
    fn may(&self, _deed: Deed) -> BoxFuture<'_, Consent> {
        Box::pin(std::future::ready(Consent::NobodyThere))
    }
}

/// Agreed beforehand (`--yes`).
#[derive(Debug, Clone, Copy)]
pub struct Agreed;

impl Asker for Agreed {
    fn may(&self, _deed: Deed) -> BoxFuture<'_, Consent> {
        Box::pin(std::future::ready(Consent::Given))
    }
}
