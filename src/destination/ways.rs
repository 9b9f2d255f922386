//! The clients of one store: those of every day, and others that a probe may find better.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::destination::error::Error;
use crate::destination::open::Handles;

/// Builds clients, without talking to the store.
type Build = Box<dyn Fn() -> Result<Handles, Error> + Send + Sync>;

/// Clients that are built when they are first tried, which may be never, and used once they
/// proved good.
pub(super) struct Spare {
    build: Build,
    built: OnceLock<Handles>,
    is_used: AtomicBool,
}

impl Spare {
    /// Clients that were not built yet.
    pub(super) fn new(build: impl Fn() -> Result<Handles, Error> + Send + Sync + 'static) -> Self {
        Self {
            build: Box::new(build),
            built: OnceLock::new(),
            is_used: AtomicBool::new(false),
        }
    }

    /// The clients, to be tried.
    ///
    /// # Errors
    /// Why they can't be built.
    pub(super) fn handles(&self) -> Result<&Handles, Error> {
        if let Some(built) = self.built.get() {
            return Ok(built);
        }
        let handles = (self.build)()?;
        Ok(self.built.get_or_init(|| handles))
    }

    /// They proved good: from now on they are used.
    pub(super) fn put_to_use(&self) {
        self.is_used.store(true, Ordering::Release);
    }

    /// They proved bad after all.
    ///
    /// Says whether they were in use.
    pub(super) fn give_up(&self) -> bool {
        self.is_used.swap(false, Ordering::AcqRel)
    }

    fn used(&self) -> Option<&Handles> {
        self.built
            .get()
            .filter(|_| self.is_used.load(Ordering::Acquire))
    }
}

/// The clients of one store.
pub(super) struct Ways {
    pub(super) usual: Handles,
    /// For everything, without upload checksums: where these are on by our default alone, and the
    /// store may refuse them.
    pub(super) without_checksum: Option<Spare>,
    /// For the parts of uploads, under a checksum that costs less: where nobody else can change them
    /// on their way, and if the store says it back.
    pub(super) cheap_parts: Option<Spare>,
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ways")
            .field("usual", &self.usual)
            .field("without_checksum", &self.without_checksum.is_some())
            .field("cheap_parts", &self.cheap_parts.is_some())
            .finish()
    }
}

impl From<Handles> for Ways {
    fn from(usual: Handles) -> Self {
        Self {
            usual,
            without_checksum: None,
            cheap_parts: None,
        }
    }
}

impl Ways {
    /// The clients for everything but parts.
    pub(super) fn handles(&self) -> &Handles {
        let plain = self.without_checksum.as_ref().and_then(Spare::used);
        plain.unwrap_or(&self.usual)
    }

    /// The clients for uploads in parts, from their beginning to their end.
    pub(super) fn for_parts(&self) -> &Handles {
        let cheap = self.cheap_parts.as_ref().and_then(Spare::used);
        cheap.unwrap_or_else(|| self.handles())
    }
}
