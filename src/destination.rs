//! A root in an object store that holds copies.

pub mod local;
pub mod open;
pub mod upload;
