//! One suite that every kind of destination passes.
