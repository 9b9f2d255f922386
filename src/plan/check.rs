//! Ledger, destinations and panels, held against each other: one finding a copy.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::backup::Backup;
use crate::model::backup::CompletedBackup;
use crate::model::backup::ListingSeen;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::plan::rebuild::Recorded;

/// How two accounts of one thing compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// They say the same.
    Same,
    /// It is recorded, and not there.
    Missing,
    /// It is there, and not recorded.
    Unknown,
    /// They say different things.
    Differs,
    /// It could not be compared, or is no copy although something is there.
    Error(FailureKind),
}

impl Sign {
    /// The symbol that lines begin with.
    pub const fn symbol(self) -> char {
        match self {
            Self::Same => '=',
            Self::Missing => '-',
            Self::Unknown => '+',
            Self::Differs => '*',
            Self::Error(_) => '!',
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Differs => "differs",
            Self::Error(_) => "error",
        }
    }
}

/// Where something was looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At a destination.
    Destination(DestinationName),
    /// On a panel.
    Panel(PanelName),
}

/// What was done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixed {
    /// The copy is recorded now.
    Adopted,
    /// The ledger no longer counts it as held.
    MarkedLost,
}

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it compares.
    pub sign: Sign,
    /// Where.
    pub place: Place,
    /// Of which server, unless it is about the place as a whole.
    pub server: Option<ServerId>,
    /// Of which backup, unless it is about more than one.
    pub backup: Option<BackupId>,
    /// The object, where it is about one.
    pub key: Option<ObjectKey>,
    /// By which fields two accounts differ.
    pub fields: Vec<&'static str>,
    /// What else there is to say; may be empty.
    pub detail: String,
    /// What was done about it.
    pub fixed: Option<Fixed>,
}

impl Finding {
    fn of(sign: Sign, place: &Place, key: &ObjectKey, detail: impl Into<String>) -> Self {
        Self {
            sign,
            place: place.clone(),
            server: Some(key.server()),
            backup: Some(key.backup()),
            key: Some(key.clone()),
            fields: Vec::new(),
            detail: detail.into(),
            fixed: None,
        }
    }

    fn differs(
        place: &Place,
        key: &ObjectKey,
        fields: Vec<&'static str>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            fields,
            ..Self::of(Sign::Differs, place, key, detail)
        }
    }

    /// What kept a place, or a server's listing, from being compared.
    pub fn failed(place: Place, server: Option<ServerId>, failure: &Failure) -> Self {
        Self {
            sign: Sign::Error(failure.kind),
            place,
            server,
            backup: None,
            key: None,
            fields: Vec::new(),
            detail: failure.message.clone(),
            fixed: None,
        }
    }
}

/// What stands at a destination under a backup's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// A copy, as its sidecar describes it.
    Whole(Box<HeldCopy>),
    /// A sidecar that can't be used.
    BadSidecar {
        /// Why not.
        why: String,
    },
    /// A sidecar without its archive.
    NoArchive,
    /// An archive that is not as long as its sidecar says.
    OtherLength {
        /// Its length.
        bytes: u64,
    },
    /// An archive without a sidecar.
    Alone {
        /// The archive.
        key: ObjectKey,
        /// Its length.
        bytes: u64,
    },
    /// A sidecar that could not be read.
    Unread(Failure),
}

/// What a ledger says of one destination, before it was looked at and after.
///
/// A run may be at work meanwhile: a copy that it makes is in one of the two alone, and nothing is wrong.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Before.
    pub before: Recorded,
    /// After.
    pub after: Recorded,
}

/// Holds what a ledger says of one destination against what is there, by key.
pub fn compare(
    destination: &DestinationName,
    accounts: &Accounts,
    there: &BTreeMap<(ServerId, BackupId), There>,
) -> Vec<Finding> {
    let place = Place::Destination(destination.clone());
    let Accounts { before, after } = accounts;
    let recorded = before.held.keys().filter(|of| after.held.contains_key(of));
    let all: BTreeSet<(ServerId, BackupId)> = recorded.chain(there.keys()).copied().collect();
    all.into_iter()
        .map(|of| match (after.held.get(&of), there.get(&of)) {
            (Some(row), None) => Finding::of(Sign::Missing, &place, &row.key, ""),
            (Some(row), Some(found)) => recorded_and(row, found, &place),
            (None, found) => unrecorded(of, found, after, &place),
        })
        .collect()
}

/// By which fields a row and a sidecar differ, the mark of `nestegg keep` among them.
fn row_differs(row: &HeldCopy, copy: &HeldCopy) -> Vec<&'static str> {
    let kept = (!row.is_marked_as(copy)).then_some("kept");
    row.differs_from(copy).into_iter().chain(kept).collect()
}

/// A copy that the ledger records, and what is there.
fn recorded_and(row: &HeldCopy, there: &There, place: &Place) -> Finding {
    match there {
        There::Whole(copy) => match row_differs(row, copy) {
            fields if fields.is_empty() => Finding::of(Sign::Same, place, &row.key, ""),
            fields => {
                let detail = match fields.as_slice() {
                    ["kept"] => {
                        "a mark that was not written to one of the two: run `nestegg keep` or `nestegg unkeep` again"
                    }
                    _ => "",
                };
                Finding::differs(place, &row.key, fields, detail)
            }
        },
        There::BadSidecar { why } => Finding::differs(place, &row.key, vec!["sidecar"], why),
        There::NoArchive => {
            Finding::of(Sign::Missing, place, &row.key, "only its sidecar is there")
        }
        There::OtherLength { bytes } => {
            let detail = format!("it has {bytes} bytes, not {}", row.stored_bytes);
            Finding::differs(place, &row.key, vec!["stored_bytes"], detail)
        }
        There::Alone { key, .. } if *key != row.key => {
            Finding::of(Sign::Missing, place, &row.key, "another archive is there")
        }
        There::Alone { bytes, .. } if *bytes != row.stored_bytes => {
            let detail = format!(
                "it has {bytes} bytes, not {}, and no sidecar",
                row.stored_bytes
            );
            Finding::differs(place, &row.key, vec!["stored_bytes", "sidecar"], detail)
        }
        There::Alone { .. } => {
            Finding::differs(place, &row.key, vec!["sidecar"], "its sidecar is gone")
        }
        There::Unread(failure) => {
            let sign = Sign::Error(failure.kind);
            Finding::of(sign, place, &row.key, failure.message.as_str())
        }
    }
}

/// Something that is there and that the ledger does not record.
fn unrecorded(
    of: (ServerId, BackupId),
    there: Option<&There>,
    after: &Recorded,
    place: &Place,
) -> Finding {
    let (server, backup) = of;
    let sidecar = ObjectKey::for_backup(server, backup, ObjectKind::Sidecar);
    let broken = Sign::Error(FailureKind::Integrity);
    match there {
        Some(there) if after.being_removed.contains(&of) => {
            let key = match there {
                There::Whole(copy) => &copy.key,
                There::Alone { key, .. } => key,
                There::BadSidecar { .. }
                | There::NoArchive
                | There::OtherLength { .. }
                | There::Unread(_) => &sidecar,
            };
            let detail = "it is being removed: `nestegg prune --apply` finishes that";
            Finding::of(Sign::Unknown, place, key, detail)
        }
        Some(There::Whole(copy)) if after.damaged.contains(&of) => {
            let detail = "the ledger has it as damaged";
            Finding::differs(place, &copy.key, vec!["state"], detail)
        }
        Some(There::Whole(copy)) => Finding::of(Sign::Unknown, place, &copy.key, ""),
        Some(There::Alone { key, .. }) => Finding::of(
            Sign::Unknown,
            place,
            key,
            "it has no sidecar, so it is no copy",
        ),
        Some(There::BadSidecar { why }) => Finding::of(broken, place, &sidecar, why),
        Some(There::NoArchive) => Finding::of(broken, place, &sidecar, "its archive is missing"),
        Some(There::OtherLength { bytes }) => {
            let detail = format!("its archive has another length: {bytes} bytes");
            Finding::of(broken, place, &sidecar, detail)
        }
        Some(There::Unread(failure)) => {
            let sign = Sign::Error(failure.kind);
            Finding::of(sign, place, &sidecar, failure.message.as_str())
        }
        // Forgotten while the destination was looked at.
        None => Finding::of(Sign::Missing, place, &sidecar, ""),
    }
}

/// What a panel lists of one server.
#[derive(Debug)]
pub struct ListedServer {
    /// The server.
    pub server: ServerId,
    /// Its backups.
    pub backups: Vec<Backup>,
    /// Whether what is not among them is no longer there.
    pub seen: ListingSeen,
}

/// A row of a panel that holds the archive of another backup, put there by a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// The server and the backup whose archive it holds.
    pub holds: (ServerId, BackupId),
    /// The length that the panel listed when that was found.
    pub listed_bytes: u64,
    /// The digest that the panel listed then, if any.
    pub listed_checksum: Option<String>,
}

impl Placeholder {
    /// Whether a row still says what it said then; else it holds something else now.
    fn is_still(&self, listed: &CompletedBackup) -> bool {
        let checksum = listed.checksum.digest().map(ToString::to_string);
        listed.archive_bytes == self.listed_bytes && checksum == self.listed_checksum
    }
}

/// By server and backup.
pub type Placeholders = BTreeMap<(ServerId, BackupId), Placeholder>;

/// Holds what a panel lists against the copies that there are: `+` is held nowhere, `*` is not what was
/// copied; a placeholder is fine, and so is what the panel no longer lists, and both are said.
pub fn compare_panel(
    panel: &PanelName,
    servers: &[ListedServer],
    copies: &[HeldCopy],
    placeholders: &Placeholders,
) -> Vec<Finding> {
    let place = Place::Panel(panel.clone());
    let mut held: BTreeMap<(ServerId, BackupId), Vec<&HeldCopy>> = BTreeMap::new();
    for copy in copies {
        held.entry((copy.server, copy.backup))
            .or_default()
            .push(copy);
    }
    let mut findings = Vec::new();
    for listed in servers {
        let finding = |sign, backup, fields, detail: &str| Finding {
            sign,
            place: place.clone(),
            server: Some(listed.server),
            backup: Some(backup),
            key: None,
            fields,
            detail: detail.to_owned(),
            fixed: None,
        };
        let mut seen = BTreeSet::new();
        for backup in &listed.backups {
            let id = backup.record().id;
            seen.insert(id);
            let Backup::Completed(completed) = backup else {
                continue;
            };
            let of = (listed.server, id);
            let placeholder = placeholders.get(&of);
            let placeholder = placeholder.filter(|placeholder| placeholder.is_still(completed));
            findings.push(match held.get(&of) {
                None => match placeholder {
                    Some(Placeholder {
                        holds: (server, backup),
                        ..
                    }) => {
                        let detail = format!("a placeholder of backup {backup} (server {server})");
                        finding(Sign::Same, id, Vec::new(), &detail)
                    }
                    None => finding(Sign::Unknown, id, Vec::new(), "held nowhere"),
                },
                Some(copies) => {
                    let fields: BTreeSet<&'static str> = copies
                        .iter()
                        .flat_map(|copy| changed(completed, copy))
                        .collect();
                    if fields.is_empty() {
                        finding(Sign::Same, id, Vec::new(), "")
                    } else {
                        let detail = "the panel says something else now";
                        finding(Sign::Differs, id, fields.into_iter().collect(), detail)
                    }
                }
            });
        }
        if listed.seen == ListingSeen::Whole {
            let gone = held
                .range((listed.server, BackupId::NIL)..)
                .map(|(of, _)| *of)
                .take_while(|(server, _)| *server == listed.server)
                .filter(|(_, backup)| !seen.contains(backup));
            for (_, backup) in gone {
                findings.push(finding(
                    Sign::Same,
                    backup,
                    Vec::new(),
                    "no longer listed, and kept",
                ));
            }
        }
    }
    findings
}

/// By which fields a backup is no longer what was copied.
fn changed(listed: &CompletedBackup, copy: &HeldCopy) -> Vec<&'static str> {
    let digest = listed.checksum.digest().map(ToString::to_string);
    [
        (
            "completed_at",
            listed.completed_at.as_millisecond() == copy.completed_at.as_millisecond(),
        ),
        // A length is only promised together with a digest (`panel-contract.md` section 3).
        (
            "bytes",
            digest.is_none() || listed.archive_bytes == copy.archive_bytes,
        ),
        ("panel_checksum", digest == copy.panel_checksum),
    ]
    .into_iter()
    .filter(|(_field, is_same)| !is_same)
    .map(|(field, _is_same)| field)
    .collect()
}

/// Puts findings into the order in which they are shown: by place, server and backup.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (&a.place, a.server, a.backup, &a.key, a.sign)
            .cmp(&(&b.place, b.server, b.backup, &b.key, b.sign))
    });
}

#[cfg(test)]
mod tests;
