//! Whether a copy was removed by retention, or is being removed.

/// What `prune` did about the copy of one backup at one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Intended by a run that was killed, or refused by the store: what is there is not a copy, and the
    /// next `prune` finishes it.
    Begun,
    /// Both of its objects are gone.
    Done,
}
