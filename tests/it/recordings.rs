//! Answers of a real panel, parsed.
