//! Whoever is asked before what can't be undone.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::model::ids::ServerId;
use crate::plan::to_panel::Files;

/// What is said where nobody can be asked.
pub const NOBODY_THERE: &str =
    "there is no terminal to ask at: give --yes if that is what you want";

/// Something that can't be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// It in a few words, after "agreed to".
    pub words: &'static str,
    /// It in full, from "This will" on, fit to be shown.
    pub question: String,
    /// What is to be typed in agreement.
    pub answer: String,
    /// What that is, after "Type".
    pub asked_for: &'static str,
}

impl Deed {
    /// What a restore does to the files of a server that has so many names in its root.
    pub fn on_files(server_name: &str, server: ServerId, names: usize, files: Files) -> Self {
        let words = match files {
            Files::Keep => "overwrite files of the server",
            Files::Truncate => "delete all files of the server",
        };
        let there = match names {
            1 => "1 file or folder".to_owned(),
            names => format!("{names} files and folders"),
        };
        Self {
            words,
            question: format!(
                "This will {words} {server_name} ({server}), which has {there} in its root."
            ),
            answer: server_name.to_owned(),
            asked_for: "the server's name",
        }
    }
}

/// An answer to a [`Deed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Do it.
    Given,
    /// Something else was typed.
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
