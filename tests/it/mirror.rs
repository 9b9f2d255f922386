//! Mirroring from the fake panel to real stores.
