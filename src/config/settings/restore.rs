//! What a restore is asked for: one job, and where its copies come from.

use std::path::PathBuf;

use crate::config::settings::DestinationSettings;
use crate::model::choice::BackupChoice;
use crate::model::fingerprint::Fingerprint;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::member::MemberGlob;
use crate::model::selector::ServerSelector;

/// What `restore` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreSettings {
    /// What to do, and with which backups.
    pub job: RestoreJob,
    /// Who says which copies there are.
    pub copies: CopiesFrom,
    /// `--identity` and `NESTEGG_IDENTITY_FILE`: files with private keys for encrypted copies.
    pub identities: Vec<PathBuf>,
    /// Bytes a second that are read from destinations, in total.
    pub limit_rate: Option<u64>,
}

/// Who says which copies there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CopiesFrom {
    /// The ledger; when it can't be read, the sidecars at the destinations of the settings.
    #[default]
    Ledger,
    /// `--from`: the sidecars at the destinations of the settings, which are exactly those that
    /// `--from` names; no ledger is opened.
    Sidecars,
}

/// One kind of restore. `Place` is the root of a panel's backup disk: a text as typed in the flags,
/// a destination in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreJob<Place = DestinationSettings> {
    /// `--output`: the archive, as one file or stream.
    Output(OutputJob),
    /// `--extract`: what is in it.
    Extract(ExtractJob),
    /// `--backup-disk`: archives where a panel's own Restore button looks for them.
    Disk(DiskJob<Place>),
    /// `--to-panel`: into a server, through the API. The panel is the only one of the settings.
    Panel(PanelJob),
    /// `--sheet`: what to recreate before anything can be restored into it.
    Sheet(SheetJob),
    /// `--drill`: fetch, verify and walk random copies; write nothing.
    Drill(DrillJob),
}

/// `--output FILE|-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputJob {
    /// Which backup.
    pub choice: BackupChoice,
    /// Where to.
    pub to: OutputTo,
    /// `--force`: what becomes of a file that is there; for standard output, of a terminal.
    pub existing: Existing,
}

/// Where `--output` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputTo {
    /// A file, by its absolute path.
    File(PathBuf),
    /// `-`: standard output.
    Stdout,
}

/// What becomes of what is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the restore is refused.
    Keep,
    /// `--force`: it may be replaced.
    Replace,
}

/// `--extract DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractJob {
    /// Which backup.
    pub choice: BackupChoice,
    /// The folder, by its absolute path.
    pub folder: PathBuf,
    /// `--include`: globs over members' paths; empty means all.
    pub include: Vec<MemberGlob>,
    /// `--force`: whether the folder may hold something already.
    pub existing: Existing,
}

/// `--backup-disk DIR|URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskJob<Place = DestinationSettings> {
    /// Which backups.
    pub what: DiskContent,
    /// The disk: an absolute path or a bucket, with the options and the environment's credentials
    /// of any destination.
    pub place: Place,
    /// Whose layout.
    pub layout: DiskLayout,
    /// `--force`: what becomes of archives that are there.
    pub existing: Existing,
}

/// Which backups go to a backup disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskContent {
    /// One, under the ids it had.
    One(BackupChoice),
    /// `--as`: one, under the ids of a placeholder backup on a new panel.
    As {
        /// Which one.
        choice: BackupChoice,
        /// The placeholder's server.
        server: ServerId,
        /// The placeholder.
        backup: BackupId,
    },
    /// `--all`: everything held for these servers (`--server`), or for all when none is named.
    All(Vec<ServerSelector>),
}

/// How a panel's node lays out its backup directory (`panel-contract.md` section 6); buckets are
/// laid out the same by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskLayout {
    /// `DIR/<backup>.tar.gz`
    Pterodactyl,
    /// `DIR/<server>/<backup>.tar.gz`
    Pelican,
}

/// `--to-panel NAME --to-server ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelJob {
    /// Which backup.
    pub choice: BackupChoice,
    /// The server on that panel; it must name exactly one.
    pub server: ServerSelector,
    /// `--truncate`: what becomes of the files that the server has.
    pub files: ServerFiles,
    /// `--via`.
    pub via: Via,
    /// How to log in over SFTP.
    pub sftp: SftpLogin,
    /// Which host key of the node to believe over SFTP.
    pub host_keys: SftpHostKeys,
    /// `--yes`.
    pub consent: Consent,
}

/// What becomes of the files that a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerFiles {
    /// They stay, unless the archive holds one of the same name.
    Keep,
    /// `--truncate`: they are deleted, once the archive is on the node.
    Truncate,
}

/// How an archive gets to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The best way that works.
    Best,
    /// The node pulls it from a presigned URL.
    Pull,
    /// Uploads through the panel's signed URL.
    Upload,
    /// SFTP.
    Sftp,
}

/// How to log in over SFTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SftpLogin {
    /// Not at all.
    None,
    /// `--sftp-key`: a private key's file.
    Key(PathBuf),
    /// `--sftp-password-file`: a file with the password of the panel's user.
    Password(PathBuf),
}

/// Which host key of a node to believe over SFTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SftpHostKeys {
    /// Those that the user's own `known_hosts` names, which is `None` where there is no home.
    Known(Option<PathBuf>),
    /// `--sftp-host-key`: the one with this fingerprint.
    Pinned(Fingerprint),
}

/// Whether the operator has agreed to what can't be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// `--yes`.
    Given,
    /// Not yet: it is asked for on a terminal, and refused elsewhere.
    ToBeAsked,
}

/// `--sheet SERVER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetJob {
    /// The server; it must name exactly one.
    pub server: ServerSelector,
}

/// `--drill`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillJob {
    /// `--sample`: how many copies, instead of what the file says.
    pub sample: Option<usize>,
    /// Only of these servers; empty means all.
    pub servers: Vec<ServerSelector>,
}

impl<Place> RestoreJob<Place> {
    /// The same job with paths that `absolute` has made so, and the place that `place` makes of the
    /// one that is here; `None` when it makes none.
    pub(crate) fn settle<Settled>(
        self,
        absolute: impl Fn(PathBuf) -> PathBuf,
        place: impl FnOnce(Place) -> Option<Settled>,
    ) -> Option<RestoreJob<Settled>> {
        Some(match self {
            Self::Output(job) => RestoreJob::Output(OutputJob {
                to: match job.to {
                    OutputTo::File(path) => OutputTo::File(absolute(path)),
                    OutputTo::Stdout => OutputTo::Stdout,
                },
                ..job
            }),
            Self::Extract(job) => RestoreJob::Extract(ExtractJob {
                folder: absolute(job.folder),
                ..job
            }),
            Self::Disk(job) => RestoreJob::Disk(DiskJob {
                what: job.what,
                place: place(job.place)?,
                layout: job.layout,
                existing: job.existing,
            }),
            Self::Panel(job) => RestoreJob::Panel(PanelJob {
                sftp: match job.sftp {
                    SftpLogin::None => SftpLogin::None,
                    SftpLogin::Key(path) => SftpLogin::Key(absolute(path)),
                    SftpLogin::Password(path) => SftpLogin::Password(absolute(path)),
                },
                ..job
            }),
            Self::Sheet(job) => RestoreJob::Sheet(job),
            Self::Drill(job) => RestoreJob::Drill(job),
        })
    }
}
