//! What a restore is asked for, and what it needs of panels and destinations.

use std::path::Path;
use std::path::PathBuf;

use crate::config::error::Error;
use crate::config::flags::MirrorFlags;
use crate::config::flags::restore::RestoreFlags;
use crate::config::resolve::Resolver;
use crate::config::resolve::needs::Need;
use crate::config::resolve::needs::Needs;
use crate::config::settings::restore::CopiesFrom;
use crate::config::settings::restore::DiskJob;
use crate::config::settings::restore::PanelJob;
use crate::config::settings::restore::RestoreJob;
use crate::config::settings::restore::RestoreSettings;
use crate::config::settings::restore::SftpHostKeys;

/// The variable that names a file with private keys.
const IDENTITY_FILE: &str = "NESTEGG_IDENTITY_FILE";

/// Where OpenSSH keeps the host keys it knows, below a home.
const KNOWN_HOSTS: &str = ".ssh/known_hosts";

/// The panel and the destinations of a restore, in the words that the resolver reads.
pub(super) fn places_of(flags: &RestoreFlags) -> MirrorFlags {
    MirrorFlags {
        panels: flags.panel.iter().cloned().collect(),
        api_key_file: flags.api_key_file.clone(),
        servers: match &flags.job {
            Some(RestoreJob::Panel(job)) => vec![job.server.clone()],
            Some(_) | None => Vec::new(),
        },
        to: flags.from.clone(),
        ..MirrorFlags::default()
    }
}

/// A restore reads destinations; a panel is asked only when it is the target: there may be none left.
pub(super) fn needs_of(flags: &RestoreFlags) -> Needs {
    Needs {
        panels: if flags.panel.is_some() {
            Need::Some
        } else {
            Need::Nothing
        },
        destinations: Need::Any,
    }
}

/// Who is asked for copies, given the words of `--from`.
pub(super) fn copies_from(from: &[String]) -> CopiesFrom {
    if from.is_empty() {
        CopiesFrom::Ledger
    } else {
        CopiesFrom::Sidecars
    }
}

impl Resolver<'_> {
    pub(super) fn restore(&mut self, flags: &RestoreFlags) -> Option<RestoreSettings> {
        let Some(job) = flags.job.clone() else {
            self.problems.push(Error::Missing {
                what: "nothing says which backup to restore, or where to".to_owned(),
                fix: "name a backup and a target, such as `nestegg restore survival:latest --output FILE`"
                    .to_owned(),
            });
            return None;
        };
        let environment = self.environment;
        let absolute = |path: PathBuf| environment.absolute(&path);
        let mut job = job.settle(absolute, |place| self.disk_place(&place))?;
        if let RestoreJob::Panel(PanelJob {
            host_keys: SftpHostKeys::Known(file),
            ..
        }) = &mut job
        {
            *file = environment.home().map(|home| home.join(KNOWN_HOSTS));
        }
        let mut identities: Vec<PathBuf> = flags.identities.iter().cloned().map(absolute).collect();
        if let Some(path) = environment.filled(IDENTITY_FILE)
            && identities.is_empty()
        {
            identities.push(environment.absolute(Path::new(path)));
        }
        Some(RestoreSettings {
            job,
            copies: copies_from(&flags.from),
            identities,
            limit_rate: flags.limit_rate,
        })
    }

    /// Reads the option files of a backup disk that is a destination of the configuration.
    pub(super) fn read_disk_options(&mut self, restore: &mut RestoreSettings) {
        if let RestoreJob::Disk(DiskJob { place, .. }) = &mut restore.job {
            self.read_options(std::slice::from_mut(place));
        }
    }
}
