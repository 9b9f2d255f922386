//! Killed at any moment, run again, nothing lost and nothing false.
