//! Row ↔ model.
