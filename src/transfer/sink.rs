//! Where restored archives go: sinks that show nothing, or not all of it, before the proof.

pub mod file;
pub mod stream;
