//! The flags of `keep`, `unkeep` and `accept`.

use std::time::Duration;

use clap::Args;

use crate::config::flags::mark::MarkFlags;
use crate::config::settings::mark::MarkSettings;
use crate::config::value;
use crate::model::choice::BackupChoice;
use crate::model::mark::MarkAction;
use crate::model::mark::MarkWord;
use crate::model::mark::Reason;

/// The flags of `keep`.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// The backups: uuids, SERVER:latest, or SERVER:2026-11-01
    #[arg(value_name = "BACKUP", required = true)]
    pub backup: Vec<BackupChoice>,
    /// Why, in a few words; shown by `list` and by the plans of prune
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<Reason>,
    /// Where sidecars are written.
    #[command(flatten)]
    pub places: PlacesArgs,
}

/// The flags of `unkeep`.
#[derive(Debug, Args)]
pub struct UnkeepArgs {
    /// The backups: uuids, SERVER:latest, or SERVER:2026-11-01
    #[arg(value_name = "BACKUP", required = true)]
    pub backup: Vec<BackupChoice>,
    /// Where sidecars are written.
    #[command(flatten)]
    pub places: PlacesArgs,
}

/// The flags of `accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// The backups: uuids, SERVER:latest, SERVER:2026-11-01; or servers, whose newest backup is meant
    #[arg(value_name = "SERVER|BACKUP", required = true)]
    pub backup: Vec<MarkWord>,
    /// Why it is right, in a few words
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<Reason>,
    /// Wait this long for another run to end, such as 10m [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = value::wait)]
    pub retry_lock: Option<Duration>,
}

/// Where sidecars are written.
#[derive(Debug, Args)]
pub struct PlacesArgs {
    /// Write sidecars at these: a destination of the configuration, a folder (./offsite), or s3://…, gs://…, az://…; default: all of the configuration
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1..)]
    pub to: Vec<String>,
    /// Wait this long for another run to end, such as 10m [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = value::wait)]
    pub retry_lock: Option<Duration>,
}

impl KeepArgs {
    /// What was typed.
    pub(in crate::cli) fn flags(&self) -> MarkFlags {
        let wanted = of_backups(MarkAction::Keep, &self.backup, self.reason.as_ref());
        self.places.flags(wanted)
    }
}

impl UnkeepArgs {
    /// What was typed.
    pub(in crate::cli) fn flags(&self) -> MarkFlags {
        let wanted = of_backups(MarkAction::Unkeep, &self.backup, None);
        self.places.flags(wanted)
    }
}

impl AcceptArgs {
    /// What was typed.
    pub(in crate::cli) fn flags(&self) -> MarkFlags {
        MarkFlags {
            wanted: MarkSettings {
                action: MarkAction::Accept,
                words: self.backup.clone(),
                reason: self.reason.clone(),
            },
            to: Vec::new(),
            retry_lock: self.retry_lock,
        }
    }
}

impl PlacesArgs {
    fn flags(&self, wanted: MarkSettings) -> MarkFlags {
        MarkFlags {
            wanted,
            to: self.to.clone(),
            retry_lock: self.retry_lock,
        }
    }
}

fn of_backups(
    action: MarkAction,
    backups: &[BackupChoice],
    reason: Option<&Reason>,
) -> MarkSettings {
    let words = backups.iter().cloned().map(MarkWord::Backup);
    MarkSettings {
        action,
        words: words.collect(),
        reason: reason.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;
    use crate::config::flags::Request;

    fn flags(line: &str) -> MarkFlags {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Request::Mark(flags) = cli.flags().request else {
            panic!("{line} is no mark")
        };
        *flags
    }

    #[test]
    fn every_flag_and_word_arrives() {
        let uuid = "6fdff738-bf44-4933-824f-489198dda9e6";
        let choice = |text: &str| MarkWord::Backup(text.parse().unwrap());
        assert_eq!(
            flags(&format!(
                "nestegg keep {uuid} survival:latest --reason good --to b2 ./x --retry-lock 10m"
            )),
            MarkFlags {
                wanted: MarkSettings {
                    action: MarkAction::Keep,
                    words: vec![choice(uuid), choice("survival:latest")],
                    reason: Some("good".parse().unwrap()),
                },
                to: vec!["b2".to_owned(), "./x".to_owned()],
                retry_lock: Some(Duration::from_mins(10)),
            }
        );
        assert_eq!(
            flags(&format!("nestegg unkeep {uuid}")).wanted,
            MarkSettings {
                action: MarkAction::Unkeep,
                words: vec![choice(uuid)],
                reason: None,
            }
        );
        assert_eq!(
            flags(&format!(
                "nestegg accept survival {uuid} survival:2026-11-01"
            ))
            .wanted,
            MarkSettings {
                action: MarkAction::Accept,
                words: vec![
                    MarkWord::NewestOf("survival".parse().unwrap()),
                    choice(uuid),
                    choice("survival:2026-11-01"),
                ],
                reason: None,
            }
        );
    }

    #[test]
    fn a_backup_is_a_uuid_or_a_server_with_a_moment() {
        for line in ["nestegg keep survival", "nestegg unkeep 6fdff738"] {
            let refused = Cli::try_parse_from(line.split(' ')).unwrap_err();
            let said = refused.to_string();
            assert!(said.contains("nor SERVER:latest nor SERVER:DATE"), "{said}");
        }
    }
}
