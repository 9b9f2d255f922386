//! The JSON as panels send it; private to the panel module.
