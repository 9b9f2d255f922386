//! What was typed, as plain data: `cli` makes it, `resolve` reads it.

pub mod ledger;
pub mod mark;
pub mod panel;
pub mod prune;
pub mod restore;

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use crate::config::flags::ledger::LedgerFlags;
use crate::config::flags::mark::MarkFlags;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::prune::PruneFlags;
use crate::config::flags::restore::RestoreFlags;
use crate::config::settings::CreateBackup;
use crate::model::backup::DigestNeed;
use crate::model::backup::Protect;
use crate::model::finding::Depth;
use crate::model::finding::RepairWish;
use crate::model::ids::BackupId;
use crate::model::outcome::Mode;
use crate::model::selector::ServerSelector;
use crate::model::server::ServerScope;
use crate::model::subset::Share;
use crate::model::subset::Subset;

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--ledger`.
    pub ledger: Option<PathBuf>,
    /// The command, as far as settings depend on it.
    pub request: Request,
}

/// What the settings are for; it decides what must be there and which secrets are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `mirror`: panels, keys, servers and destinations must be there, and secrets are read.
    Mirror(Box<MirrorFlags>),
    /// `verify`: destinations must be there, and their secrets are read; those of panels only for a
    /// repair.
    Verify(Box<VerifyFlags>),
    /// `restore`: only what its job needs must be there.
    Restore(Box<RestoreFlags>),
    /// `status` and `list`: only the ledger must be known; no secret file is read, no command run,
    /// unless `--from` asks destinations instead.
    Read(FilterFlags),
    /// `ledger rebuild` and `ledger check`: destinations must be there, panels when they are asked;
    /// their secrets are read.
    Ledger(Box<LedgerFlags>),
    /// `prune`: destinations must be there, and their secrets are read; panels are not needed.
    Prune(Box<PruneFlags>),
    /// `keep`, `unkeep` and `accept`: the destinations that there are, to mark sidecars, and their secrets are
    /// read; for `accept` only the ledger.
    Mark(Box<MarkFlags>),
    /// `panel`: panels must be there, and their keys are read.
    Panel(Box<PanelFlags>),
    /// `config show`: whatever is there; no secret file is read, no command run.
    Show,
    /// `config check`: as a `mirror` without flags would.
    Check,
}

impl Request {
    /// The flags of `verify`, if that is what it is.
    pub(crate) fn as_verify(&self) -> Option<&VerifyFlags> {
        if let Self::Verify(flags) = self {
            Some(flags)
        } else {
            None
        }
    }

    /// The flags of `restore`, if that is what it is.
    pub(crate) fn as_restore(&self) -> Option<&RestoreFlags> {
        if let Self::Restore(flags) = self {
            Some(flags)
        } else {
            None
        }
    }

    /// The flags of `prune`, if that is what it is.
    pub(crate) fn as_prune(&self) -> Option<&PruneFlags> {
        if let Self::Prune(flags) = self {
            Some(flags)
        } else {
            None
        }
    }

    /// The flags of `panel`, if that is what it is.
    pub(crate) fn as_panel(&self) -> Option<&PanelFlags> {
        if let Self::Panel(flags) = self {
            Some(flags)
        } else {
            None
        }
    }

    /// Whether it is carried out where no ledger can be: `--from` names whom to ask instead, or a panel
    /// is asked.
    pub(crate) fn asks_no_ledger(&self) -> bool {
        match self {
            Self::Restore(flags) => !flags.from.is_empty(),
            Self::Read(flags) => !flags.from.is_empty(),
            Self::Panel(flags) => flags.does_without_ledger(),
            Self::Mirror(_)
            | Self::Verify(_)
            | Self::Ledger(_)
            | Self::Prune(_)
            | Self::Mark(_)
            | Self::Show
            | Self::Check => false,
        }
    }
}

/// The flags of `mirror`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirrorFlags {
    /// `--panel`.
    pub panels: Vec<String>,
    /// `--api-key-file`.
    pub api_key_file: Option<PathBuf>,
    /// `--server`.
    pub servers: Vec<ServerSelector>,
    /// `--all-servers`.
    pub scope: Option<ServerScope>,
    /// `--exclude`.
    pub exclude: Vec<ServerSelector>,
    /// `--to`.
    pub to: Vec<String>,
    /// `--encrypt-to`, as typed: what is no public key is not repeated.
    pub encrypt_to: Vec<String>,
    /// `--backup`.
    pub backups: Vec<BackupId>,
    /// `--newest`.
    pub newest: Option<usize>,
    /// `--since`.
    pub since: Option<SignedDuration>,
    /// `--transfers`.
    pub transfers: Option<usize>,
    /// `--limit-rate`, bytes a second.
    pub limit_rate: Option<u64>,
    /// `--max-duration`.
    pub max_duration: Option<Duration>,
    /// `--create[=NAME]`.
    pub create: Option<CreateBackup>,
    /// `--dry-run`.
    pub mode: Option<Mode>,
    /// `--require-checksum`.
    pub need: Option<DigestNeed>,
    /// `--shard`.
    pub shard: Option<Share>,
    /// `--retry-lock`.
    pub retry_lock: Option<Duration>,
    /// `--verify-subset`.
    pub verify_subset: Option<Subset>,
    /// `--protect`.
    pub protect: Option<Protect>,
}

/// The flags of `verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyFlags {
    /// `--panel`, of a repair.
    pub panels: Vec<String>,
    /// `--api-key-file`, of a repair.
    pub api_key_file: Option<PathBuf>,
    /// `--server`.
    pub servers: Vec<ServerSelector>,
    /// `--backup`.
    pub backups: Vec<BackupId>,
    /// `--to`.
    pub to: Vec<String>,
    /// `--subset`.
    pub subset: Option<Subset>,
    /// `--older-than`.
    pub older_than: Option<SignedDuration>,
    /// `--quick`.
    pub depth: Depth,
    /// `--repair`.
    pub repair: RepairWish,
    /// `--transfers`.
    pub transfers: Option<usize>,
    /// `--limit-rate`, bytes a second.
    pub limit_rate: Option<u64>,
    /// `--max-duration`.
    pub max_duration: Option<Duration>,
    /// `--retry-lock`.
    pub retry_lock: Option<Duration>,
}

/// The flags of `status` and `list`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterFlags {
    /// `--panel`.
    pub panels: Vec<String>,
    /// `--server`.
    pub servers: Vec<ServerSelector>,
    /// `--to`.
    pub to: Vec<String>,
    /// `--from` of `list`.
    pub from: Vec<String>,
}
