//! What a local directory needs beyond the store: its root, modes, leftovers.
