//! `panel trim`: what is to stay on the panel.

use std::num::NonZeroU32;

use crate::model::outcome::Mode;

/// How far a panel's backups are thinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrimJob {
    /// So many completed backups of a server stay.
    pub keep: NonZeroU32,
    /// In how many verified copies one must be held before it goes.
    pub min_copies: NonZeroU32,
    /// Whether anything is deleted.
    pub mode: Mode,
}
