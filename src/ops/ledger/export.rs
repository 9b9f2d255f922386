//! `nestegg ledger export`: what the ledger records, for other programs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use tempfile::NamedTempFile;

use crate::config::Settings;
use crate::ledger::Ledger;
use crate::ops::Error;
use crate::ops::choice;
use crate::report::ledger::ExportFormat;
use crate::report::ledger::ExportReport;

/// The copies that the filter chooses; reads, and waits for nobody.
///
/// # Errors
/// [`Error::SeveralPlaces`] for a format that speaks of one root; [`Error::NamesNothing`],
/// [`Error::Ledger`].
pub fn export(
    settings: &Settings,
    format: ExportFormat,
    now: Timestamp,
) -> Result<ExportReport, Error> {
    let ledger = Ledger::open_read_only(&settings.ledger)?;
    let copies = ledger.copies(&choice::chosen(&ledger, settings)?)?;
    match format {
        ExportFormat::Csv | ExportFormat::Json => {}
        ExportFormat::Sha256Sums => {
            let names: BTreeSet<&str> = copies
                .iter()
                .map(|copy| copy.destination.as_str())
                .collect();
            if names.len() > 1 {
                return Err(Error::SeveralPlaces {
                    names: names.into_iter().map(str::to_owned).collect(),
                });
            }
        }
    }
    Ok(ExportReport {
        exported_at: now,
        copies,
    })
}

/// Writes a file that has its name only once it is whole and durable; what had the name before is
/// replaced then, and not earlier.
///
/// # Errors
/// [`Error::Output`]: what had the name still has it.
pub fn to_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let all = || {
        let mut file = NamedTempFile::with_prefix_in(".nestegg-", folder)?;
        write(&mut file)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    all().map_err(|source| Error::ExportFile {
        path: path.to_owned(),
        source,
    })
}
