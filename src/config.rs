//! Settings: the only reader of flags, environment and file.

pub mod file;
