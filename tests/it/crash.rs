//! Killed at any moment, run again, nothing lost and nothing false.
//!
//! [`effects`] breaks every effect on a store in every way and drops runs at any await, in this
//! process; [`killed`] kills the real binary; [`together`] runs two of them at once; [`full`] takes
//! the ledger's disk away.

pub(crate) mod scene;

mod binary;
mod effects;
mod full;
mod killed;
mod together;
