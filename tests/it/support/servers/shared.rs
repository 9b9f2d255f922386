//! One server for all tests of the process, started by the first that asks.

use std::sync::OnceLock;

/// Holds a server, or why it could not be started: every test that needs it then fails with that.
#[derive(Debug)]
pub(crate) struct Shared<T>(OnceLock<Result<T, String>>);

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(crate) fn get(&self, start: impl FnOnce() -> Result<T, String>) -> &T {
        match self.0.get_or_init(start) {
            Ok(server) => server,
            Err(why) => panic!("{why}"),
        }
    }
}
