//! What was typed, nothing more; `run` picks the op.

pub mod progress;
