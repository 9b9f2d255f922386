//! Which backups of a server are deleted from its panel, to free slots: pure.
//!
//! The newest completed backups stay, by number; of the others, those go that are not locked and are
//! held elsewhere in copies enough. Only completed backups are counted: one that is in progress is
//! nobody's to delete, and one that failed takes no slot (`panel-contract.md` section 5).

use std::cmp::Reverse;
use std::fmt;
use std::num::NonZeroU32;

use jiff::Timestamp;

use crate::model::backup::Backup;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;

/// What is to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrimWish {
    /// So many completed backups, the newest.
    pub keep: NonZeroU32,
    /// Whatever is not held in so many verified copies.
    pub min_copies: NonZeroU32,
}

/// One backup as the panel lists it, and where it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The panel's row.
    pub backup: Backup,
    /// The destinations that hold a verified copy, each once.
    pub held_at: Vec<DestinationName>,
}

/// What becomes of one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stays on the panel.
    Keep(Reason),
    /// It goes; the destinations that hold it.
    Delete(Vec<DestinationName>),
}

/// Why a backup stays on the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is one of the newest.
    Newest {
        /// Its place, from 1.
        place: u32,
        /// How many stay.
        of: NonZeroU32,
    },
    /// It is locked on the panel.
    Locked,
    /// Its archive is being made.
    InProgress,
    /// It failed, and takes no slot.
    Failed,
    /// It is held in too few copies.
    TooFewCopies {
        /// So many.
        held: u32,
        /// So many are wanted.
        wanted: NonZeroU32,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest { place, of } => write!(f, "newest {place}/{of}"),
            Self::Locked => f.write_str("locked"),
            Self::InProgress => f.write_str("in progress"),
            Self::Failed => f.write_str("failed, takes no slot"),
            Self::TooFewCopies { held: 0, .. } => f.write_str("not mirrored"),
            Self::TooFewCopies { held, wanted } => write!(f, "only {held} of {wanted} copies"),
        }
    }
}

/// One backup and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The backup.
    pub candidate: Candidate,
    /// What becomes of it.
    pub fate: Fate,
}

impl Planned {
    /// The backup.
    pub const fn id(&self) -> BackupId {
        self.candidate.backup.record().id
    }
}

/// The plan for one server: each backup once, newest first.
///
/// By when they were asked for, and by uuid where that is the same: one plan for one state, whatever
/// order the panel lists in.
#[must_use = "a plan deletes nothing"]
pub fn plan(candidates: Vec<Candidate>, wish: TrimWish) -> Vec<Planned> {
    let mut candidates = candidates;
    candidates.sort_by_key(|candidate| Reverse(age(&candidate.backup)));
    let mut completed = 0;
    candidates
        .into_iter()
        .map(|candidate| Planned {
            fate: fate(&candidate, wish, &mut completed),
            candidate,
        })
        .collect()
}

/// The backups that a plan deletes, oldest first.
pub fn deletions(plan: &[Planned]) -> impl Iterator<Item = &Planned> {
    let goes = |planned: &&Planned| matches!(planned.fate, Fate::Delete(_));
    plan.iter().rev().filter(goes)
}

fn age(backup: &Backup) -> (Timestamp, BackupId) {
    let record = backup.record();
    (record.created_at, record.id)
}

fn fate(candidate: &Candidate, wish: TrimWish, completed: &mut u32) -> Fate {
    match &candidate.backup {
        Backup::Pending(_) => return Fate::Keep(Reason::InProgress),
        Backup::Failed(_) => return Fate::Keep(Reason::Failed),
        Backup::Completed(_) => *completed = completed.saturating_add(1),
    }
    let held = u32::try_from(candidate.held_at.len()).unwrap_or(u32::MAX);
    if *completed <= wish.keep.get() {
        Fate::Keep(Reason::Newest {
            place: *completed,
            of: wish.keep,
        })
    } else if LockState::of(&candidate.backup) == LockState::Locked {
        Fate::Keep(Reason::Locked)
    } else if held < wish.min_copies.get() {
        Fate::Keep(Reason::TooFewCopies {
            held,
            wanted: wish.min_copies,
        })
    } else {
        Fate::Delete(candidate.held_at.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::backup::BackupRecord;
    use crate::model::backup::CompletedBackup;
    use crate::model::checksum::PanelChecksum;

    #[derive(Debug, Clone, Copy)]
    enum Stage {
        Pending,
        Failed,
        Completed,
    }

    fn candidate(number: u8, stage: Stage, lock: LockState, copies: usize) -> Candidate {
        at(i64::from(number), number, stage, lock, copies)
    }

    fn at(second: i64, number: u8, stage: Stage, lock: LockState, copies: usize) -> Candidate {
        let record = BackupRecord {
            id: format!("000000{number:02x}-0000-4000-8000-000000000000")
                .parse()
                .unwrap(),
            name: "nightly".to_owned(),
            is_locked: lock == LockState::Locked,
            ignored_files: Vec::new(),
            created_at: Timestamp::from_second(second).unwrap(),
        };
        Candidate {
            backup: match stage {
                Stage::Pending => Backup::Pending(record),
                Stage::Failed => Backup::Failed(record),
                Stage::Completed => Backup::Completed(CompletedBackup {
                    completed_at: record.created_at,
                    record,
                    archive_bytes: 1,
                    checksum: PanelChecksum::Absent,
                }),
            },
            held_at: ["a", "b", "c"]
                .into_iter()
                .take(copies)
                .map(|name| name.parse().unwrap())
                .collect(),
        }
    }

    fn wish(keep: u32, min_copies: u32) -> TrimWish {
        TrimWish {
            keep: NonZeroU32::new(keep).unwrap(),
            min_copies: NonZeroU32::new(min_copies).unwrap(),
        }
    }

    fn words(plan: &[Planned]) -> Vec<String> {
        plan.iter()
            .map(|planned| {
                let id = planned.id().to_string();
                let number = id.get(6..8).unwrap().to_owned();
                match &planned.fate {
                    Fate::Keep(reason) => format!("{number} keep: {reason}"),
                    Fate::Delete(held_at) => format!("{number} delete: {} copies", held_at.len()),
                }
            })
            .collect()
    }

    #[test]
    fn every_backup_has_a_reason_and_the_newest_come_first() {
        use LockState::Locked;
        use LockState::Unlocked;
        use Stage::Completed;
        use Stage::Failed;
        use Stage::Pending;
        let plan = plan(
            vec![
                candidate(1, Completed, Unlocked, 2),
                candidate(2, Completed, Locked, 3),
                candidate(3, Completed, Unlocked, 1),
                candidate(4, Completed, Unlocked, 0),
                candidate(5, Failed, Unlocked, 0),
                candidate(6, Completed, Unlocked, 3),
                candidate(7, Completed, Locked, 2),
                candidate(8, Pending, Unlocked, 0),
                candidate(9, Completed, Unlocked, 2),
            ],
            wish(2, 2),
        );
        assert_eq!(
            words(&plan),
            [
                "09 keep: newest 1/2",
                "08 keep: in progress",
                "07 keep: newest 2/2",
                "06 delete: 3 copies",
                "05 keep: failed, takes no slot",
                "04 keep: not mirrored",
                "03 keep: only 1 of 2 copies",
                "02 keep: locked",
                "01 delete: 2 copies",
            ]
        );
        let order: Vec<BackupId> = deletions(&plan).map(Planned::id).collect();
        assert_eq!(order, [plan[8].id(), plan[3].id()], "the oldest goes first");
    }

    #[test]
    fn the_newest_completed_backup_never_goes_however_the_panel_lists() {
        // Every set of stages, locks and copies of four backups, in two orders.
        let kinds = [
            (Stage::Pending, LockState::Unlocked, 0),
            (Stage::Failed, LockState::Unlocked, 0),
            (Stage::Completed, LockState::Unlocked, 0),
            (Stage::Completed, LockState::Unlocked, 1),
            (Stage::Completed, LockState::Unlocked, 2),
            (Stage::Completed, LockState::Locked, 2),
        ];
        for code in 0..kinds.len().pow(4) {
            let of = |place: u32| {
                let kind = code / kinds.len().pow(place) % kinds.len();
                *kinds.get(kind).unwrap()
            };
            let mut there: Vec<Candidate> = (0..4)
                .map(|place| {
                    let (stage, lock, copies) = of(place);
                    candidate(u8::try_from(place).unwrap(), stage, lock, copies)
                })
                .collect();
            for keep in 1..=2 {
                for min_copies in 1..=2 {
                    let wish = wish(keep, min_copies);
                    let planned = plan(there.clone(), wish);
                    there.reverse();
                    assert_eq!(plan(there.clone(), wish), planned);
                    assert_eq!(planned.len(), 4);
                    let is_completed =
                        |one: &&Planned| matches!(one.candidate.backup, Backup::Completed(_));
                    let newest = planned.iter().filter(is_completed).take(keep as usize);
                    assert!(
                        newest
                            .into_iter()
                            .all(|one| matches!(one.fate, Fate::Keep(_)))
                    );
                    for gone in deletions(&planned) {
                        assert!(is_completed(&gone));
                        assert_eq!(LockState::of(&gone.candidate.backup), LockState::Unlocked);
                        assert!(gone.candidate.held_at.len() >= min_copies as usize);
                    }
                }
            }
        }
    }

    #[test]
    fn backups_of_the_same_second_are_told_apart_by_their_uuid() {
        let one = at(5, 1, Stage::Completed, LockState::Unlocked, 2);
        let two = at(5, 2, Stage::Completed, LockState::Unlocked, 2);
        let expected = ["02 keep: newest 1/1", "01 delete: 2 copies"];
        for there in [vec![one.clone(), two.clone()], vec![two, one]] {
            assert_eq!(words(&plan(there, wish(1, 2))), expected);
        }
    }
}
