//! Keys of age that the tests make for themselves.

use std::path::PathBuf;

use age::secrecy::ExposeSecret as _;

use crate::support::world::World;

/// A key pair, in the world's folder where a file is wanted.
#[derive(Debug)]
pub(crate) struct AgeKey {
    pub(crate) public: String,
    pub(crate) private: String,
}

impl AgeKey {
    /// A new one.
    pub(crate) fn new() -> Self {
        let identity = age::x25519::Identity::generate();
        Self {
            public: identity.to_public().to_string(),
            private: identity.to_string().expose_secret().to_owned(),
        }
    }

    /// The public key as people are shown it.
    pub(crate) fn short(&self) -> String {
        let end = self.public.len() - 6;
        format!(
            "{}…{}",
            self.public.get(..10).unwrap(),
            self.public.get(end..).unwrap()
        )
    }

    /// Enough of the private key for it to be known when seen.
    pub(crate) fn told_by(&self) -> &str {
        self.private.get(20..40).unwrap()
    }

    /// As `age-keygen` writes it.
    pub(crate) fn file(&self, world: &World, name: &str) -> PathBuf {
        let path = world.path(name);
        let text = format!(
            "# created: 2026-11-22T03:00:00Z\n# public key: {}\n{}\n",
            self.public, self.private
        );
        std::fs::write(&path, text).unwrap();
        path
    }
}
