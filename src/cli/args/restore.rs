//! The flags of `restore`.

use std::path::PathBuf;

use clap::ArgGroup;
use clap::Args;
use clap::ValueEnum;

use crate::config::flags::restore::RestoreFlags;
use crate::config::settings::restore::Consent;
use crate::config::settings::restore::DiskContent;
use crate::config::settings::restore::DiskJob;
use crate::config::settings::restore::DiskLayout;
use crate::config::settings::restore::DrillJob;
use crate::config::settings::restore::Existing;
use crate::config::settings::restore::ExtractJob;
use crate::config::settings::restore::OutputJob;
use crate::config::settings::restore::OutputTo;
use crate::config::settings::restore::PanelJob;
use crate::config::settings::restore::RestoreJob;
use crate::config::settings::restore::ServerFiles;
use crate::config::settings::restore::SftpHostKeys;
use crate::config::settings::restore::SftpLogin;
use crate::config::settings::restore::SheetJob;
use crate::config::settings::restore::Via;
use crate::config::value;
use crate::model::choice::BackupChoice;
use crate::model::fingerprint::Fingerprint;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::member::MemberGlob;
use crate::model::selector::ServerSelector;

/// The targets besides a backup disk: of exactly one target, the parser takes no other's flags.
const NOT_A_DISK: [&str; 5] = ["output", "extract", "to_panel", "sheet", "drill"];
/// And what `--as` does not go with.
const NOT_A_DISK_NOR_ALL: [&str; 6] = ["output", "extract", "to_panel", "sheet", "drill", "all"];
/// The targets besides a panel.
const NOT_A_PANEL: [&str; 5] = ["output", "extract", "backup_disk", "sheet", "drill"];
/// And what `--sftp-key` does not go with.
const NOT_A_PANEL_NOR_PASSWORD: [&str; 6] = [
    "output",
    "extract",
    "backup_disk",
    "sheet",
    "drill",
    "sftp_password_file",
];

/// The flags of `restore`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).multiple(false))]
#[command(group = ArgGroup::new("several").multiple(false))]
pub struct RestoreArgs {
    /// Which backup: its uuid; SERVER:latest; or SERVER:DATE, the newest one completed on that day
    /// or before, in local time (SERVER: short id, uuid, name or glob of exactly one server)
    #[arg(value_name = "UUID|SERVER:latest|SERVER:DATE", required_unless_present_any = ["all", "sheet", "drill"], conflicts_with_all = ["all", "sheet", "drill"])]
    pub choice: Option<BackupChoice>,
    /// Where to.
    #[command(flatten)]
    pub to: RestoreToArgs,
    /// More on the backup disk.
    #[command(flatten)]
    pub disk: DiskArgs,
    /// More on the panel.
    #[command(flatten)]
    pub panel: PanelArgs,
    /// From where and how.
    #[command(flatten)]
    pub how: RestoreHowArgs,
    /// Replace what is already there; with --output -, write even to a terminal
    #[arg(long, conflicts_with_all = ["to_panel", "sheet", "drill"], help_heading = "To, exactly one of")]
    pub force: bool,
}

/// Where to, exactly one.
#[derive(Debug, Args)]
#[command(next_help_heading = "To, exactly one of")]
pub struct RestoreToArgs {
    /// The archive itself, as a file or on standard output (-); a file only gets its name once the
    /// digest held
    #[arg(long, value_name = "FILE|-", group = "target")]
    pub output: Option<PathBuf>,
    /// What is in the archive, into an empty folder
    #[arg(long, value_name = "DIR", group = "target")]
    pub extract: Option<PathBuf>,
    /// The archive to where a panel's own Restore button looks for it: a node's backup directory,
    /// or the panel's bucket
    #[arg(long, value_name = "DIR|URL", group = "target")]
    pub backup_disk: Option<String>,
    /// Into a server of a panel, through its API
    #[arg(
        long,
        value_name = "NAME|URL",
        group = "target",
        requires = "to_server"
    )]
    pub to_panel: Option<String>,
    /// Nowhere: print what to recreate on a new panel for this server, in order
    #[arg(long, value_name = "SERVER", group = "target")]
    pub sheet: Option<ServerSelector>,
    /// Nowhere: fetch, verify and walk random copies, as a rehearsal
    #[arg(long, group = "target", group = "several")]
    pub drill: bool,
    /// With --extract: only members that match; may be repeated
    #[arg(long, value_name = "GLOB", conflicts_with_all = ["output", "backup_disk", "to_panel", "sheet", "drill"])]
    pub include: Vec<MemberGlob>,
    /// With --drill: so many copies [default: 3]
    #[arg(long, value_name = "N", value_parser = value::newest, conflicts_with_all = ["output", "extract", "backup_disk", "to_panel", "sheet"])]
    pub sample: Option<usize>,
    /// With --drill or --all: only these servers; may be repeated
    #[arg(long, value_name = "ID", requires = "several", conflicts_with_all = ["output", "extract", "to_panel", "sheet"])]
    pub server: Vec<ServerSelector>,
}

/// More on `--backup-disk`.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --backup-disk")]
pub struct DiskArgs {
    /// Everything that is held, or what is held of --server
    #[arg(long, conflicts_with_all = NOT_A_DISK, group = "several")]
    pub all: bool,
    /// Whose layout a node's directory has [default: pterodactyl]
    #[arg(
        long,
        value_enum,
        value_name = "pterodactyl|pelican",
        hide_possible_values = true,
        conflicts_with_all = NOT_A_DISK
    )]
    pub layout: Option<DiskLayoutArg>,
    /// Under the uuids of a placeholder backup that was made on a new panel
    #[arg(long = "as", value_name = "SERVER/BACKUP", conflicts_with_all = NOT_A_DISK_NOR_ALL, value_parser = placeholder)]
    pub placeholder: Option<Placeholder>,
}

/// More on `--to-panel`.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --to-panel")]
pub struct PanelArgs {
    /// The server: short id, uuid or name
    #[arg(long, value_name = "ID", conflicts_with_all = NOT_A_PANEL)]
    pub to_server: Option<ServerSelector>,
    /// Empty the server first, once the archive is on its node
    #[arg(long, conflicts_with_all = NOT_A_PANEL)]
    pub truncate: bool,
    /// Only this way, instead of the best that works
    #[arg(
        long,
        value_enum,
        value_name = "pull|upload|sftp",
        hide_possible_values = true,
        conflicts_with_all = NOT_A_PANEL
    )]
    pub via: Option<ViaArg>,
    /// A private key for SFTP that the panel's account knows
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = NOT_A_PANEL_NOR_PASSWORD
    )]
    pub sftp_key: Option<PathBuf>,
    /// A file that holds the panel account's password, for SFTP
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_A_PANEL)]
    pub sftp_password_file: Option<PathBuf>,
    /// The fingerprint of the node's SFTP host key, as `ssh-keygen -lf` prints it [default: what
    /// `~/.ssh/known_hosts` says]
    #[arg(long, value_name = "SHA256:…", requires = "to_panel")]
    pub sftp_host_key: Option<Fingerprint>,
    /// A file that holds the panel's client API key and nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_A_PANEL)]
    pub api_key_file: Option<PathBuf>,
}

/// From where, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "From")]
pub struct RestoreHowArgs {
    /// Look for copies here, by their sidecars and without a ledger: a destination of the
    /// configuration, a folder (./offsite), or s3://…, gs://…, az://…; may be repeated
    #[arg(long, value_name = "NAME|URL|PATH")]
    pub from: Vec<String>,
    /// A file with the private key of encrypted copies.
    #[arg(
        long,
        value_name = "FILE",
        help = "A file with the private key of encrypted copies; may be repeated [env: NESTEGG_IDENTITY_FILE]"
    )]
    pub identity: Vec<PathBuf>,
    /// Don't ask before what can't be undone
    #[arg(long, conflicts_with_all = NOT_A_PANEL, help_heading = "With --to-panel")]
    pub yes: bool,
    /// Read at most this much a second, such as 20MiB
    #[arg(long, value_name = "SIZE", value_parser = value::rate)]
    pub limit_rate: Option<u64>,
}

/// `--layout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiskLayoutArg {
    /// `DIR/<backup>.tar.gz`
    Pterodactyl,
    /// `DIR/<server>/<backup>.tar.gz`
    Pelican,
}

/// `--via`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ViaArg {
    /// The node pulls it
    Pull,
    /// Signed uploads
    Upload,
    /// SFTP
    Sftp,
}

/// `--as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placeholder {
    /// The server.
    pub server: ServerId,
    /// The backup.
    pub backup: BackupId,
}

fn placeholder(text: &str) -> Result<Placeholder, String> {
    let (server, backup) = text
        .split_once('/')
        .ok_or("write SERVER/BACKUP, two uuids")?;
    Ok(Placeholder {
        server: server.parse().map_err(|error| format!("{error}"))?,
        backup: backup.parse().map_err(|error| format!("{error}"))?,
    })
}

impl RestoreArgs {
    /// What was typed, as plain data.
    pub(super) fn flags(&self) -> RestoreFlags {
        RestoreFlags {
            job: self.job(),
            from: self.how.from.clone(),
            identities: self.how.identity.clone(),
            limit_rate: self.how.limit_rate,
            panel: self.to.to_panel.clone(),
            api_key_file: self.panel.api_key_file.clone(),
        }
    }

    /// The one job that the flags name; the parser sees to it that there is one.
    fn job(&self) -> Option<RestoreJob<String>> {
        let to = &self.to;
        let existing = if self.force {
            Existing::Replace
        } else {
            Existing::Keep
        };
        let servers = to.server.clone();
        if let Some(server) = to.sheet.clone() {
            return Some(RestoreJob::Sheet(SheetJob { server }));
        }
        if to.drill {
            let sample = to.sample;
            return Some(RestoreJob::Drill(DrillJob { sample, servers }));
        }
        if let Some(place) = to.backup_disk.clone() {
            let layout = match self.disk.layout {
                Some(DiskLayoutArg::Pelican) => DiskLayout::Pelican,
                Some(DiskLayoutArg::Pterodactyl) | None => DiskLayout::Pterodactyl,
            };
            let what = match (self.disk.all, self.disk.placeholder) {
                (true, _) => DiskContent::All(servers),
                (false, None) => DiskContent::One(self.choice.clone()?),
                (false, Some(Placeholder { server, backup })) => DiskContent::As {
                    choice: self.choice.clone()?,
                    server,
                    backup,
                },
            };
            return Some(RestoreJob::Disk(DiskJob {
                what,
                place,
                layout,
                existing,
            }));
        }
        let choice = self.choice.clone()?;
        if let Some(path) = to.output.clone() {
            let to = if path.as_os_str() == "-" {
                OutputTo::Stdout
            } else {
                OutputTo::File(path)
            };
            return Some(RestoreJob::Output(OutputJob {
                choice,
                to,
                existing,
            }));
        }
        if let Some(folder) = to.extract.clone() {
            return Some(RestoreJob::Extract(ExtractJob {
                choice,
                folder,
                include: to.include.clone(),
                existing,
            }));
        }
        self.panel_job(choice).map(RestoreJob::Panel)
    }

    fn panel_job(&self, choice: BackupChoice) -> Option<PanelJob> {
        let panel = &self.panel;
        let sftp = match (&panel.sftp_key, &panel.sftp_password_file) {
            (Some(key), _) => SftpLogin::Key(key.clone()),
            (None, Some(password)) => SftpLogin::Password(password.clone()),
            (None, None) => SftpLogin::None,
        };
        Some(PanelJob {
            choice,
            server: panel.to_server.clone()?,
            files: if panel.truncate {
                ServerFiles::Truncate
            } else {
                ServerFiles::Keep
            },
            via: match panel.via {
                None => Via::Best,
                Some(ViaArg::Pull) => Via::Pull,
                Some(ViaArg::Upload) => Via::Upload,
                Some(ViaArg::Sftp) => Via::Sftp,
            },
            sftp,
            host_keys: panel
                .sftp_host_key
                .clone()
                .map_or(SftpHostKeys::Known(None), SftpHostKeys::Pinned),
            consent: if self.how.yes {
                Consent::Given
            } else {
                Consent::ToBeAsked
            },
        })
    }
}

#[cfg(test)]
mod tests;
