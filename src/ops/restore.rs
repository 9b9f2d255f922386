//! `nestegg restore`: a verified archive to where it is needed.
//!
//! Gather (the ledger's copies, or the sidecars'), choose (which backup, and its copies in order),
//! act (each target in a file of its own), report. The ledger is only read, and no destination that
//! copies are read from is written to.

pub mod chosen;
pub mod disk;
pub mod drill;
pub mod extract;
pub mod file;
pub mod inventory;
pub mod panel;
pub mod server;
pub mod sheet;
pub mod source;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::config::Settings;
use crate::config::settings::restore::RestoreSettings;
use crate::destination::JournalError;
use crate::destination::OpenUpload;
use crate::destination::UploadJournal;
use crate::env::Env;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::restore::panel::consent::Asker;
use crate::ops::restore::panel::consent::NobodyThere;
use crate::transfer::Shared;
use crate::transfer::limit::Throttle;
use crate::transfer::observer::Observer;
use crate::transfer::unseal::Identities;

/// All that a restore may touch.
#[derive(Debug)]
pub struct Restore<'s> {
    /// The settings: destinations, the panel of `--to-panel`, the ledger's place.
    pub settings: &'s Settings,
    /// What is asked for.
    pub wanted: &'s RestoreSettings,
    /// Clock, cancellation, waits, throttle and observer of every transfer.
    pub shared: Shared,
    /// Waits and sizes of everything else.
    pub tuning: Tuning,
    /// The private keys for encrypted copies.
    pub identities: Identities,
    /// Who is asked before what can't be undone.
    pub asker: Arc<dyn Asker>,
}

impl<'s> Restore<'s> {
    /// Reads the identity files; nothing else is touched.
    ///
    /// # Errors
    /// [`Error::Identities`].
    pub fn new(
        settings: &'s Settings,
        wanted: &'s RestoreSettings,
        env: Env,
        observer: Arc<dyn Observer>,
        tuning: Tuning,
    ) -> Result<Self, Error> {
        let identities = Identities::read(&wanted.identities)?;
        Ok(Self {
            settings,
            wanted,
            shared: Shared {
                env,
                tuning: tuning.transfer.clone(),
                throttle: wanted.limit_rate.map_or_else(Throttle::none, Throttle::new),
                journal: Arc::new(NoJournal),
                observer,
            },
            tuning,
            identities,
            asker: Arc::new(NobodyThere),
        })
    }
}

/// Uploads of a restore are written down nowhere: it does not write the ledger.
///
/// What a killed one leaves open in a bucket is the bucket's to clear away.
#[derive(Debug)]
pub struct NoJournal;

impl UploadJournal for NoJournal {
    fn opened<'a>(&'a self, _upload: &'a OpenUpload) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn closed<'a>(&'a self, _upload: &'a OpenUpload) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}
