//! What the tests stand on: a fake panel, real storage servers, a faulty store, one world.

pub mod archive;
pub(crate) mod faulty_store;
pub(crate) mod servers;
