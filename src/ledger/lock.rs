//! One writer at a time, by an OS file lock.
