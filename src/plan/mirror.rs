//! What a mirror run will do, decided before it does it.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::backup::Backup;
use crate::model::backup::ChecksumPolicy;
use crate::model::backup::CompletedBackup;
use crate::model::backup::DigestNeed;
use crate::model::backup::ExpectedContent;
use crate::model::backup::Refusal;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::PanelChecksum;
use crate::model::checksum::Verdict;
use crate::model::holding::SealedCopy;
use crate::model::ids::BackupId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::removal::Removal;
use crate::model::subset::Share;

/// How old a completed backup must be for its row not to be read again before the commit.
///
/// Panels mark rows failed for up to six hours after their creation (`panel-contract.md`
/// section 3, `BACKUP_PRUNE_AGE`).
pub const YOUNG: SignedDuration = SignedDuration::from_hours(6);

/// Which of a server's completed backups are wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these; empty = any.
    pub only: BTreeSet<BackupId>,
    /// Only the newest so many of each server.
    pub newest: Option<usize>,
    /// Only those completed at or after this instant.
    pub since: Option<Timestamp>,
    /// Only this share of all backups.
    pub shard: Option<Share>,
}

/// A server's backups, told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Wanted, newest first.
    pub wanted: Vec<CompletedBackup>,
    /// Not to be had, and why: in progress or failed.
    pub not_ready: Vec<(BackupId, &'static str)>,
}

impl Selected {
    /// All that are told apart here.
    pub fn ids(&self) -> impl Iterator<Item = BackupId> {
        let wanted = self.wanted.iter().map(|backup| backup.record.id);
        wanted.chain(self.not_ready.iter().map(|(id, _why)| *id))
    }

    /// Leaves these out.
    pub fn leave_out(&mut self, ids: &BTreeSet<BackupId>) {
        self.wanted
            .retain(|backup| !ids.contains(&backup.record.id));
        self.not_ready.retain(|(id, _why)| !ids.contains(id));
    }
}

/// Takes the completed backups that the selection wants.
pub fn select(backups: &[Backup], selection: &Selection) -> Selected {
    let is_named = |id: &BackupId| selection.only.is_empty() || selection.only.contains(id);
    let mut completed = Vec::new();
    let mut not_ready = Vec::new();
    for backup in backups {
        let id = backup.record().id;
        match backup {
            Backup::Completed(backup) => completed.push(backup),
            Backup::Pending(_) if is_named(&id) => not_ready.push((id, "still in progress")),
            Backup::Failed(_) if is_named(&id) => not_ready.push((id, "failed on the panel")),
            Backup::Pending(_) | Backup::Failed(_) => {}
        }
    }
    completed.sort_by_key(|backup| {
        (
            std::cmp::Reverse(backup.completed_at),
            std::cmp::Reverse(backup.record.id),
        )
    });
    let wanted = completed
        .into_iter()
        .take(selection.newest.unwrap_or(usize::MAX))
        .filter(|backup| is_named(&backup.record.id))
        .filter(|backup| {
            selection
                .since
                .is_none_or(|since| backup.completed_at >= since)
        })
        .filter(|backup| {
            selection
                .shard
                .is_none_or(|share| share.holds(backup.record.id))
        })
        .cloned()
        .collect();
    Selected { wanted, not_ready }
}

/// A verified copy as the ledger, or a sidecar, knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCopy {
    /// Its key below the destination's root.
    pub key: ObjectKey,
    /// The archive's length.
    pub archive_bytes: u64,
    /// The archive's SHA-256.
    pub sha256: ContentDigest,
    /// What the panel said about it when the copy was made.
    pub panel_checksum: Option<ContentDigest>,
    /// What was proved.
    pub verdict: Verdict,
    /// The copy as it can be copied unopened, when it is encrypted.
    pub sealed: Option<Box<SealedCopy>>,
}

/// What is known about one backup at one destination before anything is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// A verified copy is there.
    Copy(KnownCopy),
    /// No copy is there.
    Nothing,
    /// The destination could not be asked.
    Unclear(Failure),
    /// Retention removed the copy, or is removing it.
    Removed(Removal),
}

/// What is to be done for one backup at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyPlan {
    /// Nothing: it is held.
    Held(KnownCopy),
    /// Bring it there.
    Make,
    /// Nothing: a verified copy is held, and the panel's record no longer fits it.
    ///
    /// A placeholder row that was used for a restore looks like this (`panel-contract.md`
    /// section 7, routes D and E). A verified copy is never overwritten.
    Conflict {
        /// The copy that is held.
        held: KnownCopy,
        /// What differs, in words.
        why: String,
    },
    /// Nothing: whether a copy is there could not be told, and one is never overwritten unseen.
    Unclear(Failure),
    /// Nothing: retention removed the copy, or is removing it, and only an operator has it made again.
    Removed(Removal),
}

/// What is to be done for one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPlan {
    /// The backup as listed.
    pub backup: CompletedBackup,
    /// What its bytes must turn out to be, or why it is not taken at all.
    pub expected: Result<ExpectedContent, Refusal>,
    /// One entry a destination, in the run's order.
    pub copies: Vec<CopyPlan>,
}

impl BackupPlan {
    /// Decides for one backup, given what each destination is known to hold of it.
    pub fn decide(
        backup: CompletedBackup,
        known: impl IntoIterator<Item = Known>,
        policy: ChecksumPolicy,
        need: DigestNeed,
    ) -> Self {
        let copies = known
            .into_iter()
            .map(|known| match known {
                Known::Nothing => CopyPlan::Make,
                Known::Unclear(failure) => CopyPlan::Unclear(failure),
                Known::Removed(removal) => CopyPlan::Removed(removal),
                Known::Copy(held) => match contradiction(&backup, &held, policy) {
                    None => CopyPlan::Held(held),
                    Some(why) => CopyPlan::Conflict { held, why },
                },
            })
            .collect();
        Self {
            expected: backup.expected(policy, need),
            copies,
            backup,
        }
    }

    /// Whether some destination lacks it.
    pub fn lacks_a_copy(&self) -> bool {
        self.copies
            .iter()
            .any(|copy| matches!(copy, CopyPlan::Make))
    }

    /// Whether its row must be read again before a commit.
    pub fn is_young(&self, now: Timestamp) -> bool {
        now.duration_since(self.backup.completed_at) < YOUNG
    }
}

fn contradiction(
    backup: &CompletedBackup,
    held: &KnownCopy,
    policy: ChecksumPolicy,
) -> Option<String> {
    match policy {
        ChecksumPolicy::Structure => return None,
        ChecksumPolicy::Panel => {}
    }
    match (backup.checksum.digest(), &held.panel_checksum) {
        (Some(listed), Some(recorded)) if listed != recorded => Some(format!(
            "the panel now says {listed}, the verified copy was made of {recorded}"
        )),
        _sizes_decide
            if backup.archive_bytes != held.archive_bytes
                && !matches!(backup.checksum, PanelChecksum::Opaque { .. }) =>
        {
            Some(format!(
                "the panel now says {} bytes, the verified copy has {}",
                backup.archive_bytes, held.archive_bytes
            ))
        }
        (Some(_) | None, Some(_) | None) => None,
    }
}

/// Puts backups in the order of their worth: every server's newest first, then every server's
/// second newest, and so on; a run that is cut short has then done what matters most.
pub fn order<T>(mut servers: Vec<Vec<T>>) -> Vec<T> {
    let mut ordered = Vec::with_capacity(servers.iter().map(Vec::len).sum());
    for plans in &mut servers {
        plans.reverse();
    }
    while !servers.is_empty() {
        servers.retain_mut(|plans| match plans.pop() {
            Some(plan) => {
                ordered.push(plan);
                true
            }
            None => false,
        });
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::backup::BackupRecord;
    use crate::model::checksum::Algorithm;
    use crate::model::checksum::Hasher;
    use crate::model::ids::ServerId;
    use crate::model::key::ObjectKind;

    fn id(number: u32) -> BackupId {
        format!("00000000-0000-4000-8000-{number:012}")
            .parse()
            .unwrap()
    }

    fn record(number: u32) -> BackupRecord {
        BackupRecord {
            id: id(number),
            name: format!("backup {number}"),
            is_locked: false,
            ignored_files: Vec::new(),
            created_at: Timestamp::from_second(i64::from(number)).unwrap(),
        }
    }

    fn completed(number: u32) -> CompletedBackup {
        CompletedBackup {
            record: record(number),
            archive_bytes: 7,
            checksum: PanelChecksum::Digest(Hasher::digest(Algorithm::Sha1, &number.to_le_bytes())),
            completed_at: Timestamp::from_second(i64::from(number)).unwrap(),
        }
    }

    fn known(backup: &CompletedBackup) -> KnownCopy {
        KnownCopy {
            key: ObjectKey::for_backup(ServerId::NIL, backup.record.id, ObjectKind::Archive),
            archive_bytes: backup.archive_bytes,
            sha256: Hasher::digest(Algorithm::Sha256, b"x"),
            panel_checksum: backup.checksum.digest().cloned(),
            verdict: Verdict::PanelSha1,
            sealed: None,
        }
    }

    fn wanted(selection: &Selection) -> Vec<u32> {
        let backups: Vec<Backup> = [3, 1, 5, 2, 4]
            .map(|n| Backup::Completed(completed(n)))
            .into();
        select(&backups, selection)
            .wanted
            .iter()
            .map(|backup| u32::try_from(backup.completed_at.as_second()).unwrap())
            .collect()
    }

    #[test]
    fn without_a_selection_every_completed_backup_is_wanted_newest_first() {
        assert_eq!(wanted(&Selection::default()), [5, 4, 3, 2, 1]);
    }

    #[test]
    fn newest_since_and_names_narrow_it() {
        let newest = Selection {
            newest: Some(2),
            ..Selection::default()
        };
        assert_eq!(wanted(&newest), [5, 4]);
        let since = Selection {
            since: Timestamp::from_second(3).ok(),
            ..Selection::default()
        };
        assert_eq!(wanted(&since), [5, 4, 3]);
        let only = Selection {
            only: [id(2), id(4)].into(),
            ..Selection::default()
        };
        assert_eq!(wanted(&only), [4, 2]);
    }

    #[test]
    fn shares_are_disjoint_and_together_hold_everything() {
        for of in 1..=5 {
            for number in 0..200 {
                let holders = (1..=of)
                    .filter(|index| Share { index: *index, of }.holds(id(number)))
                    .count();
                assert_eq!(holders, 1, "backup {number} of {of} shares");
            }
        }
        let first = (0..1000)
            .filter(|number| Share { index: 1, of: 4 }.holds(id(*number)))
            .count();
        assert!(
            (150..350).contains(&first),
            "{first} of 1000 in one of four shares"
        );
    }

    #[test]
    fn pending_and_failed_backups_are_never_wanted() {
        let backups = [Backup::Pending(record(1)), Backup::Failed(record(2))];
        let selected = select(&backups, &Selection::default());
        assert_eq!(selected.wanted, []);
        assert_eq!(
            selected.not_ready,
            [(id(1), "still in progress"), (id(2), "failed on the panel")]
        );
    }

    #[test]
    fn a_held_copy_is_left_alone_and_a_lacking_one_is_made() {
        let backup = completed(1);
        let held = known(&backup);
        let plan = BackupPlan::decide(
            backup,
            [Known::Copy(held.clone()), Known::Nothing],
            ChecksumPolicy::Panel,
            DigestNeed::Optional,
        );
        assert_eq!(plan.copies, [CopyPlan::Held(held), CopyPlan::Make]);
        assert!(plan.lacks_a_copy());
    }

    #[test]
    fn a_copy_that_retention_removed_is_not_made_again() {
        let plan = BackupPlan::decide(
            completed(1),
            [
                Known::Removed(Removal::Done),
                Known::Removed(Removal::Begun),
            ],
            ChecksumPolicy::Panel,
            DigestNeed::Optional,
        );
        assert_eq!(
            plan.copies,
            [
                CopyPlan::Removed(Removal::Done),
                CopyPlan::Removed(Removal::Begun)
            ]
        );
        assert!(!plan.lacks_a_copy());
    }

    #[test]
    fn a_row_that_no_longer_fits_its_verified_copy_is_a_conflict_and_nothing_is_overwritten() {
        let held = known(&completed(1));
        let mut row = completed(1);
        row.checksum = PanelChecksum::Digest(Hasher::digest(Algorithm::Sha1, b"other"));
        let plan = |policy| {
            BackupPlan::decide(
                row.clone(),
                [Known::Copy(held.clone())],
                policy,
                DigestNeed::Optional,
            )
            .copies
        };
        assert!(matches!(
            plan(ChecksumPolicy::Panel)[..],
            [CopyPlan::Conflict { .. }]
        ));
        assert!(matches!(
            plan(ChecksumPolicy::Structure)[..],
            [CopyPlan::Held(_)]
        ));
    }

    #[test]
    fn every_servers_newest_comes_before_any_servers_second() {
        let ordered = order(vec![
            vec!["a1", "a2", "a3"],
            vec!["b1"],
            vec![],
            vec!["c1", "c2"],
        ]);
        assert_eq!(ordered, ["a1", "b1", "c1", "a2", "c2", "a3"]);
    }
}
