//! What the tests stand on: a fake panel, real storage servers, a faulty store, one world.

pub(crate) mod age_key;
pub mod archive;
pub mod fake_panel;
pub(crate) mod faulty_store;
pub(crate) mod held;
pub(crate) mod members;
pub(crate) mod schema;
pub(crate) mod servers;
pub(crate) mod terminal;
pub(crate) mod world;
