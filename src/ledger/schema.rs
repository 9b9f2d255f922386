//! Applies `migrations/`, refuses a newer schema.
