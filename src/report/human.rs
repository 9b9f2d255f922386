//! Reports for people: plain lines and tables.
