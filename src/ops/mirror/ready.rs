//! Which destinations a run can use: named in the ledger, probed, and cleared of leftovers.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use crate::destination::Destination;
use crate::destination::OpenUpload;
use crate::env::Env;
use crate::ledger::DestinationRef;
use crate::ledger::UploadEnd;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::ops::Error;
use crate::ops::mirror::book::Book;

/// A destination that answered, and the ledger's name for it; a dry run may have none.
#[derive(Debug)]
pub struct DestinationTarget {
    /// Where.
    pub destination: Destination,
    /// As the ledger knows it.
    pub reference: Option<DestinationRef>,
    /// Whether the ledger is believed about it.
    pub trust: Trust,
    /// How many copies that the ledger recorded were found missing.
    pub missing: AtomicU32,
    /// Why nothing more is tried there in this run.
    pub given_up: OnceLock<Failure>,
    /// How many backups failed there since the last one that worked.
    failed_in_a_row: AtomicU32,
}

/// After this many backups in a row that failed there, a destination counts as dead.
const FAILURES_OF_THE_DEAD: u32 = 3;

impl DestinationTarget {
    /// A destination that only its copies are asked of: nothing is tried there beforehand.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn to_read(book: &Book, destination: Destination) -> Result<Self, Error> {
        let location = destination.location().to_owned();
        let reference = book
            .read(move |ledger| ledger.find_destination(&location))
            .await?;
        Ok(Self::new(destination, reference))
    }

    fn new(destination: Destination, reference: Option<DestinationRef>) -> Self {
        Self {
            destination,
            reference,
            trust: Trust::Ledger,
            missing: AtomicU32::new(0),
            given_up: OnceLock::new(),
            failed_in_a_row: AtomicU32::new(0),
        }
    }

    /// Remembers a failure that the next backup would meet as well, or that has come too often.
    pub fn learn(&self, failure: &Failure) {
        const LASTING: [FailureKind; 3] = [
            FailureKind::Credentials,
            FailureKind::Unreachable,
            FailureKind::NoSpace,
        ];
        if failure.scope != Scope::Destination {
            return;
        }
        let failed = self.failed_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if LASTING.contains(&failure.kind) || failed >= FAILURES_OF_THE_DEAD {
            self.given_up.get_or_init(|| failure.clone());
        }
    }

    /// What to say of copies that the ledger recorded and that are not there, if any.
    pub fn lost(&self) -> Option<Failure> {
        let missing = self.missing.load(Ordering::Relaxed);
        let name = self.destination.name();
        (missing > 0).then(|| Failure {
            scope: Scope::Destination,
            id: name.to_string(),
            kind: FailureKind::Integrity,
            message: format!("copies that the ledger records are not there: {missing}"),
            hint: "another disk may be mounted, or the bucket was emptied; what the panel still has was made anew"
                .to_owned(),
        })
    }

    /// A backup worked there.
    pub fn worked(&self) {
        self.failed_in_a_row.store(0, Ordering::Relaxed);
    }
}

/// Whether the ledger is believed about a destination in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is.
    Ledger,
    /// A copy that it records is not there: another disk may be mounted, or the bucket was emptied.
    /// Every copy is looked for.
    Sidecars,
}

/// Names every destination in the ledger, probes it, and clears what a killed run left there.
///
/// One that can't be used is given up from the start, with the reason.
///
/// # Errors
/// The ledger's.
pub async fn ready(
    book: &Book,
    destinations: Vec<Destination>,
    mode: Mode,
    env: &Env,
) -> Result<Vec<DestinationTarget>, Error> {
    let readied = destinations
        .into_iter()
        .map(|destination| one(book, destination, mode, env));
    join_all(readied).await.into_iter().collect()
}

async fn one(
    book: &Book,
    destination: Destination,
    mode: Mode,
    env: &Env,
) -> Result<DestinationTarget, Error> {
    let (name, location) = (
        destination.name().clone(),
        destination.location().to_owned(),
    );
    let at = location.clone();
    book.write(move |ledger, _run, now| {
        ledger
            .record_destination(&name, &at, now)
            .map(|_reference| ())
    })
    .await?;
    let reference = book
        .read(move |ledger| ledger.find_destination(&location))
        .await?;
    let mut target = DestinationTarget::new(destination, reference);
    let probed = match mode {
        Mode::Apply => tokio::select! {
            biased;
            () = env.cancel.cancelled() => return Ok(target),
            probed = target.destination.probe_noted(book) => probed,
        },
        Mode::DryRun => Ok(()),
    };
    let trusted = match probed {
        Ok(()) => trust(book, &target, env).await?,
        Err(error) => Err(error),
    };
    match trusted {
        Ok(trust) => target.trust = trust,
        Err(error) => {
            let name = target.destination.name().to_string();
            target
                .given_up
                .get_or_init(|| error.failure(Scope::Destination, name));
            return Ok(target);
        }
    }
    if mode == Mode::Apply && !env.cancel.is_cancelled() {
        clear_leftovers(book, &target.destination).await?;
    }
    Ok(target)
}

/// Looks for one copy that the ledger records, to tell whether this is still the same place.
async fn trust(
    book: &Book,
    target: &DestinationTarget,
    env: &Env,
) -> Result<Result<Trust, crate::destination::Error>, Error> {
    let Some(reference) = target.reference else {
        return Ok(Ok(Trust::Ledger));
    };
    let Some((server, backup)) = book.read(move |ledger| ledger.sample(reference)).await? else {
        return Ok(Ok(Trust::Ledger));
    };
    let found = tokio::select! {
        biased;
        () = env.cancel.cancelled() => return Ok(Ok(Trust::Ledger)),
        found = target.destination.find(server, backup) => found,
    };
    Ok(found.map(|found| {
        if found.is_some() {
            Trust::Ledger
        } else {
            tracing::warn!(
                destination = %target.destination.name(),
                "a copy that the ledger records is not there, so every copy is looked for; is it another disk, or an emptied bucket?"
            );
            Trust::Sidecars
        }
    }))
}

/// Aborts the uploads that a killed run left open, and removes what it left staged.
///
/// # Errors
/// The ledger's.
pub async fn clear_leftovers(book: &Book, destination: &Destination) -> Result<(), Error> {
    for upload in book.read(|ledger| ledger.open_uploads()).await? {
        if upload.location != destination.location() {
            continue;
        }
        let open = OpenUpload {
            location: upload.location,
            key: upload.key,
            upload_id: upload.upload_id,
        };
        match destination.abort_leftover(&open).await {
            Ok(()) => {
                tracing::info!(destination = %destination.name(), key = %open.key, "an upload that a killed run left open was aborted");
                book.close(open, UploadEnd::LeftOver).await?;
            }
            Err(error) => tracing::warn!(
                destination = %destination.name(),
                key = %open.key,
                error = &error as &dyn std::error::Error,
                "an upload that a killed run left open could not be aborted; the next run tries again"
            ),
        }
    }
    match destination.sweep_staged().await {
        Ok(0) => {}
        Ok(swept) => {
            tracing::info!(destination = %destination.name(), swept, "files that a killed run left half-written were removed");
        }
        Err(error) => tracing::warn!(
            destination = %destination.name(),
            error = &error as &dyn std::error::Error,
            "files that a killed run left half-written could not be removed; the next run tries again"
        ),
    }
    Ok(())
}
