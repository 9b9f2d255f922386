//! The SQLite file that records what is mirrored: one writer; one method is one transaction.

pub mod lock;
pub mod rows;
pub mod schema;
