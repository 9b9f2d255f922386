//! What checking a copy again found, and what became of it.

use std::fmt;

use jiff::Timestamp;

use crate::model::holding::PanelPresence;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;

/// How thoroughly copies are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every byte of the stored object is read and hashed.
    Full,
    /// Existence, length and ETag are looked at; the sidecar is read.
    Quick,
}

impl Depth {
    /// The word used in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quick => "quick",
        }
    }
}

/// Whether bad copies are made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairWish {
    /// They are.
    Wanted,
    /// They are only told of.
    Unwanted,
}

/// How the ledger has a copy before it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// As held and verified.
    Held,
    /// As held once, and found damaged or missing since.
    Lost,
}

/// What was found of the archive of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveFinding {
    /// It was read to its end: length and SHA-256 are those recorded.
    Sound,
    /// It is there with the length and ETag recorded; its bytes were not read.
    Present,
    /// It is not there.
    Missing,
    /// It is shorter than recorded.
    Truncated {
        /// Its length.
        bytes: u64,
    },
    /// It is longer than recorded.
    Longer {
        /// Its length.
        bytes: u64,
    },
    /// It has the length recorded and another SHA-256, read twice.
    Altered,
    /// It has the length recorded and another ETag than when it was made; its bytes were not read.
    Changed,
    /// It could not be read now, which says nothing about it.
    Unread(Failure),
}

impl ArchiveFinding {
    /// The word used in output and in the ledger.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Present => "present",
            Self::Missing => "missing",
            Self::Truncated { .. } => "truncated",
            Self::Longer { .. } => "longer",
            Self::Altered => "altered",
            Self::Changed => "changed",
            Self::Unread(_) => "unread",
        }
    }

    /// Whether it is known to be lost: no good copy stands there.
    pub const fn is_lost(&self) -> bool {
        match self {
            Self::Missing | Self::Truncated { .. } | Self::Longer { .. } | Self::Altered => true,
            Self::Sound | Self::Present | Self::Changed | Self::Unread(_) => false,
        }
    }

    /// What is wrong with it, in words, `stored_bytes` being the length recorded.
    fn complaint(&self, stored_bytes: u64) -> Option<String> {
        Some(match self {
            Self::Sound | Self::Present | Self::Unread(_) => return None,
            Self::Missing => "the archive is missing".to_owned(),
            Self::Truncated { bytes } => {
                format!("the archive is truncated: {bytes} of {stored_bytes} bytes")
            }
            Self::Longer { bytes } => {
                format!("the archive is longer than recorded: {bytes} bytes, not {stored_bytes}")
            }
            Self::Altered => {
                "the archive is altered: its length is right and its SHA-256 is not".to_owned()
            }
            Self::Changed => "the archive has another ETag than when it was made".to_owned(),
        })
    }
}

/// What was found of the sidecar of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SidecarFinding {
    /// It is, to the last byte, the one that was written; or, where no digest of it was recorded
    /// yet, it says what the ledger says.
    Sound,
    /// It is not there.
    Missing,
    /// It is no sidecar.
    Damaged {
        /// Why not.
        why: String,
    },
    /// It says something else than the ledger.
    Differs {
        /// Of what.
        field: &'static str,
    },
    /// It agrees with the ledger and is not, to the last byte, the one that was written.
    Altered,
    /// It says that it is of a newer format.
    Newer {
        /// What it says.
        why: String,
    },
    /// It could not be read now, which says nothing about it.
    Unread(Failure),
}

impl SidecarFinding {
    /// The word used in output and in the ledger.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Missing => "missing",
            Self::Damaged { .. } => "damaged",
            Self::Differs { .. } => "differs",
            Self::Altered => "altered",
            Self::Newer { .. } => "newer",
            Self::Unread(_) => "unread",
        }
    }

    fn complaint(&self) -> Option<String> {
        Some(match self {
            Self::Sound | Self::Unread(_) => return None,
            Self::Missing => "the sidecar is missing".to_owned(),
            Self::Damaged { why } => format!("the sidecar is damaged: {why}"),
            Self::Differs { field } => {
                format!("the sidecar says something else than the ledger: its {field} differs")
            }
            Self::Altered => {
                "the sidecar is altered: it is not the one that was written".to_owned()
            }
            Self::Newer { why } => format!("the sidecar can't be used: {why}"),
        })
    }
}

/// What was found of one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of the archive.
    pub archive: ArchiveFinding,
    /// Of the sidecar.
    pub sidecar: SidecarFinding,
}

impl Finding {
    /// Whether something is wrong with the archive, the sidecar or both.
    pub fn is_bad(&self) -> bool {
        self.complaint(0).is_some()
    }

    /// Whether a part could not be read now, so that nothing is known of it.
    pub fn is_unread(&self) -> bool {
        self.unread().is_some()
    }

    /// Why a part could not be read.
    pub fn unread(&self) -> Option<&Failure> {
        match (&self.archive, &self.sidecar) {
            (ArchiveFinding::Unread(failure), _) | (_, SidecarFinding::Unread(failure)) => {
                Some(failure)
            }
            (
                ArchiveFinding::Sound
                | ArchiveFinding::Present
                | ArchiveFinding::Missing
                | ArchiveFinding::Truncated { .. }
                | ArchiveFinding::Longer { .. }
                | ArchiveFinding::Altered
                | ArchiveFinding::Changed,
                SidecarFinding::Sound
                | SidecarFinding::Missing
                | SidecarFinding::Damaged { .. }
                | SidecarFinding::Differs { .. }
                | SidecarFinding::Altered
                | SidecarFinding::Newer { .. },
            ) => None,
        }
    }

    /// What is wrong, in words; nothing when nothing is.
    pub fn complaint(&self, stored_bytes: u64) -> Option<String> {
        let archive = self.archive.complaint(stored_bytes);
        let said = archive.into_iter().chain(self.sidecar.complaint());
        let said: Vec<String> = said.collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// The word kept in the ledger: of the archive when that is wrong, else of the sidecar.
    pub fn word(&self) -> String {
        match (&self.archive, &self.sidecar) {
            (ArchiveFinding::Sound | ArchiveFinding::Present, SidecarFinding::Sound) => {
                self.archive.as_str().to_owned()
            }
            (ArchiveFinding::Sound | ArchiveFinding::Present, sidecar) => {
                format!("sidecar {}", sidecar.as_str())
            }
            (archive, _) => format!("archive {}", archive.as_str()),
        }
    }
}

/// From where a copy was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairSource {
    /// From the copy at another destination.
    Destination(DestinationName),
    /// From the panel.
    Panel(PanelName),
    /// From what the ledger says.
    Ledger,
}

impl fmt::Display for RepairSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destination(name) => write!(f, "the copy at {name}"),
            Self::Panel(name) => write!(f, "panel {name}"),
            Self::Ledger => f.write_str("the ledger"),
        }
    }
}

/// What was done about a copy that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// Nothing: nothing was wrong, or nothing was asked for.
    NotTried,
    /// The archive and its sidecar were made anew, and read back.
    CopyMade {
        /// From where.
        from: RepairSource,
    },
    /// The archive is right, and its sidecar was written anew.
    SidecarWritten {
        /// From where its words are.
        from: RepairSource,
    },
    /// Read to its end, the archive proved right after all.
    NotNeeded,
    /// It could not be repaired.
    Impossible {
        /// Why, one entry a way that was tried.
        why: Vec<String>,
    },
}

impl Repair {
    /// The word used in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotTried => "not_tried",
            Self::CopyMade { .. } => "copy_made",
            Self::SidecarWritten { .. } => "sidecar_written",
            Self::NotNeeded => "not_needed",
            Self::Impossible { .. } => "impossible",
        }
    }

    /// Whether the copy is as it should be again.
    pub const fn mended(&self) -> bool {
        match self {
            Self::CopyMade { .. } | Self::SidecarWritten { .. } | Self::NotNeeded => true,
            Self::NotTried | Self::Impossible { .. } => false,
        }
    }
}

/// One copy that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedCopy {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The server's name, for people.
    pub server_name: String,
    /// The backup.
    pub backup: BackupId,
    /// The backup's name, for people.
    pub backup_name: String,
    /// The destination.
    pub destination: DestinationName,
    /// The archive's key below the destination's root.
    pub key: ObjectKey,
    /// The stored object's length, as recorded.
    pub stored_bytes: u64,
    /// How the ledger had it before.
    pub standing: Standing,
    /// When it was last read back and found right, before this check.
    pub verified_before: Option<Timestamp>,
    /// How thoroughly it was checked.
    pub depth: Depth,
    /// What was found.
    pub finding: Finding,
    /// What was done about it.
    pub repair: Repair,
    /// Other destinations that hold a copy of the same backup, as far as is known; looked for only
    /// when something is wrong.
    pub elsewhere: Vec<DestinationName>,
    /// Whether the panel still lists the backup.
    pub on_panel: PanelPresence,
    /// Read from the destination, repeated bytes included.
    pub read_bytes: u64,
}

impl CheckedCopy {
    /// Whether something is wrong with it that was not put right.
    pub fn is_left_bad(&self) -> bool {
        self.finding.is_bad() && !self.repair.mended()
    }

    /// Whether it is all right now, as far as was looked at.
    pub fn is_well(&self) -> bool {
        !self.is_left_bad() && !self.finding.is_unread()
    }

    /// What its state is called: of all that was found, the gravest.
    pub fn state(&self) -> &'static str {
        match &self.repair {
            Repair::CopyMade { .. } | Repair::SidecarWritten { .. } => return "repaired",
            Repair::NotNeeded => return "sound",
            Repair::NotTried | Repair::Impossible { .. } => {}
        }
        if self.finding.is_bad() {
            match (&self.finding.archive, self.standing) {
                (archive, Standing::Lost) if archive.is_lost() => "still lost",
                (archive, Standing::Held) if archive.is_lost() => "lost",
                (ArchiveFinding::Changed, _) => "changed",
                (_, Standing::Held | Standing::Lost) => "bad sidecar",
            }
        } else if self.finding.is_unread() {
            "unread"
        } else {
            self.finding.archive.as_str()
        }
    }
}
