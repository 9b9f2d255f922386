//! The vocabulary: pure values, no I/O, no async, no clock.

pub mod backup;
pub mod checksum;
pub mod choice;
pub mod content;
pub mod finding;
pub mod fingerprint;
pub mod holding;
pub mod ids;
pub mod key;
pub mod mark;
pub mod mask;
pub mod member;
pub mod outcome;
pub mod recipient;
pub mod removal;
pub mod retention;
pub mod retry;
pub mod secret;
pub mod selector;
pub mod server;
pub mod sidecar;
pub mod slots;
pub mod subset;
pub mod suspicion;
pub mod text;
