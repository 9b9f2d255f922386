//! From URL and options to a store.
