//! What the tests stand on: a fake panel, real storage servers, a faulty store, one world.
