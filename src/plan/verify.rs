//! Which copies a run of `verify` checks, and in what order, decided before it does.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::finding::Standing;
use crate::model::ids::BackupId;
use crate::model::subset::Subset;

/// A copy that can be checked; `T` says which one, `P` where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkable<T, P> {
    /// Which one.
    pub copy: T,
    /// Where it is.
    pub place: P,
    /// The backup.
    pub backup: BackupId,
    /// How the ledger has it.
    pub standing: Standing,
    /// The stored object's length.
    pub stored_bytes: u64,
    /// When it became visible.
    pub mirrored_at: Timestamp,
    /// When it was last read back and found right.
    pub verified_at: Option<Timestamp>,
    /// When reading it back was last tried, whatever came of it.
    pub checked_at: Option<Timestamp>,
}

impl<T, P> Checkable<T, P> {
    /// When it last had its turn. A copy that can't be read has had it too: it must not keep others
    /// from theirs.
    fn last_turn(&self) -> Option<Timestamp> {
        self.checked_at.max(self.verified_at)
    }
}

/// Which copies are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only so much of them.
    pub subset: Option<Subset>,
    /// Only those that were not read back and found right since.
    pub not_since: Option<Timestamp>,
}

/// Why a copy is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A check found it lost: is it still?
    Lost,
    /// It was not read back since it was made.
    NeverVerified,
    /// It was read back and found right then.
    VerifiedAt(Timestamp),
}

/// A copy whose turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned<T, P> {
    /// The copy.
    pub copy: Checkable<T, P>,
    /// Why.
    pub reason: Reason,
}

/// What a run checks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a plan does nothing until it is carried out"]
pub struct VerifyPlan<T, P> {
    /// In this order.
    pub checks: Vec<Planned<T, P>>,
    /// The backups whose copies were selected from, whether or not the turn of one comes.
    pub backups: BTreeSet<BackupId>,
    /// How many copies are held, or were, and were selected from.
    pub copies: u64,
    /// Their stored bytes together.
    pub stored_bytes: u64,
}

/// Decides what is checked.
///
/// Lost copies come first, whatever the subset: there are few, and there is news in them. Of the rest
/// those come first whose last turn was the longest ago, before them those that never had one, the
/// oldest first. A subset takes from the front of that order, so that repeated runs come by every
/// copy; at least one copy is taken, so that every run gets further.
pub fn plan<T: Copy, P: Copy + Ord>(
    copies: Vec<Checkable<T, P>>,
    selection: Selection,
) -> VerifyPlan<T, P> {
    let count = u64::try_from(copies.len()).unwrap_or(u64::MAX);
    let stored_bytes = total(&copies);
    let backups = copies.iter().map(|copy| copy.backup).collect();
    let (lost, held): (Vec<_>, Vec<_>) = copies
        .into_iter()
        .partition(|copy| copy.standing == Standing::Lost);
    let mut budgets = Budgets::new(selection.subset, &held);
    let mut held = held;
    if let Some(since) = selection.not_since {
        held.retain(|copy| copy.verified_at.is_none_or(|verified| verified < since));
    }
    if let Some(Subset::Part(share)) = selection.subset {
        held.retain(|copy| share.holds(copy.backup));
    }
    held.sort_by_key(|copy| (copy.last_turn(), copy.mirrored_at, copy.backup, copy.place));
    held.retain(|copy| budgets.take(copy));
    let mut checks: Vec<Planned<T, P>> = lost.into_iter().map(planned).collect();
    checks.sort_by_key(|planned| (Reverse(planned.copy.mirrored_at), planned.copy.backup));
    checks.extend(held.into_iter().map(planned));
    VerifyPlan {
        checks,
        backups,
        copies: count,
        stored_bytes,
    }
}

fn planned<T, P>(copy: Checkable<T, P>) -> Planned<T, P> {
    let reason = match (copy.standing, copy.verified_at) {
        (Standing::Lost, _) => Reason::Lost,
        (Standing::Held, None) => Reason::NeverVerified,
        (Standing::Held, Some(at)) => Reason::VerifiedAt(at),
    };
    Planned { copy, reason }
}

fn total<T, P>(copies: &[Checkable<T, P>]) -> u64 {
    copies
        .iter()
        .map(|copy| copy.stored_bytes)
        .fold(0, u64::saturating_add)
}

/// What may still be taken.
enum Budgets<P> {
    /// Anything.
    Unbounded,
    /// So many bytes at each place; a copy that begins below the bound is taken whole.
    ByPlace(BTreeMap<P, u64>),
    /// So many bytes in all.
    InAll { left_bytes: u64, taken: Taken },
}

/// Whether the bound on bytes has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Nothing,
    Something,
    AllThereIsRoomFor,
}

impl<P: Copy + Ord> Budgets<P> {
    fn new<T>(subset: Option<Subset>, held: &[Checkable<T, P>]) -> Self {
        match subset {
            None | Some(Subset::Part(_)) => Self::Unbounded,
            Some(Subset::Bytes(bytes)) => Self::InAll {
                left_bytes: bytes,
                taken: Taken::Nothing,
            },
            Some(Subset::Percent(percent)) => {
                let mut by_place: BTreeMap<P, u64> = BTreeMap::new();
                for copy in held {
                    let bytes = by_place.entry(copy.place).or_default();
                    *bytes = bytes.saturating_add(copy.stored_bytes.max(1));
                }
                for bytes in by_place.values_mut() {
                    *bytes = percent.of(*bytes).max(1);
                }
                Self::ByPlace(by_place)
            }
        }
    }

    fn take<T>(&mut self, copy: &Checkable<T, P>) -> bool {
        match self {
            Self::Unbounded => true,
            Self::ByPlace(by_place) => match by_place.get_mut(&copy.place) {
                Some(left @ 1..) => {
                    // An empty object costs its turn as well, or it would be free forever.
                    *left = left.saturating_sub(copy.stored_bytes.max(1));
                    true
                }
                Some(0) | None => false,
            },
            Self::InAll { left_bytes, taken } => {
                let fits = copy.stored_bytes <= *left_bytes;
                match (&taken, fits) {
                    (Taken::Nothing | Taken::Something, true) => {
                        *left_bytes -= copy.stored_bytes;
                        *taken = Taken::Something;
                        true
                    }
                    (Taken::Nothing, false) => {
                        *taken = Taken::AllThereIsRoomFor;
                        true
                    }
                    // What does not fit is the first of the next run: nothing overtakes it.
                    (Taken::Something, false) => {
                        *taken = Taken::AllThereIsRoomFor;
                        false
                    }
                    (Taken::AllThereIsRoomFor, _) => false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::subset::Percent;
    use crate::model::subset::Share;

    type Copy = Checkable<usize, u8>;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn id(number: usize) -> BackupId {
        format!("00000000-0000-4000-8000-{number:012}")
            .parse()
            .unwrap()
    }

    fn copy(number: usize, place: u8, bytes: u64) -> Copy {
        Checkable {
            copy: number,
            place,
            backup: id(number),
            standing: Standing::Held,
            stored_bytes: bytes,
            mirrored_at: at(i64::try_from(number).unwrap()),
            verified_at: None,
            checked_at: None,
        }
    }

    fn verified(number: usize, second: i64) -> Copy {
        Checkable {
            verified_at: Some(at(second)),
            checked_at: Some(at(second)),
            ..copy(number, 0, 10)
        }
    }

    fn percent(hundredths: u16) -> Subset {
        Subset::Percent(Percent::of_hundredths(hundredths).unwrap())
    }

    fn chosen(copies: Vec<Copy>, selection: Selection) -> Vec<(usize, Reason)> {
        let plan = plan(copies, selection);
        let checks = plan.checks.into_iter();
        checks
            .map(|planned| (planned.copy.copy, planned.reason))
            .collect()
    }

    fn subset(subset: Subset) -> Selection {
        Selection {
            subset: Some(subset),
            not_since: None,
        }
    }

    #[test]
    fn the_lost_come_first_then_the_never_verified_then_the_least_recently_verified() {
        let lost = Checkable {
            standing: Standing::Lost,
            ..verified(9, 5)
        };
        let copies = vec![
            verified(1, 300),
            copy(3, 0, 10),
            lost,
            verified(4, 100),
            copy(2, 0, 10),
        ];
        assert_eq!(
            chosen(copies, Selection::default()),
            [
                (9, Reason::Lost),
                (2, Reason::NeverVerified),
                (3, Reason::NeverVerified),
                (4, Reason::VerifiedAt(at(100))),
                (1, Reason::VerifiedAt(at(300))),
            ]
        );
    }

    #[test]
    fn a_copy_that_could_not_be_read_waits_its_turn_like_any_other() {
        let unread = Checkable {
            checked_at: Some(at(200)),
            ..copy(1, 0, 10)
        };
        let copies = vec![unread, verified(2, 300), verified(3, 100)];
        let order: Vec<usize> = chosen(copies, Selection::default())
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(order, [3, 1, 2]);
    }

    #[test]
    fn a_percentage_is_of_the_bytes_at_each_destination() {
        let mut copies: Vec<Copy> = (0..10).map(|number| copy(number, 0, 10)).collect();
        copies.push(copy(10, 1, 1_000_000));
        copies.push(copy(11, 1, 1));
        let numbers: Vec<usize> = chosen(copies, subset(percent(2000)))
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbers, [0, 1, 10]);
    }

    #[test]
    fn bytes_are_counted_over_all_destinations_and_one_copy_is_always_taken() {
        let copies = vec![
            copy(0, 0, 10),
            copy(1, 1, 10),
            copy(2, 0, 15),
            copy(3, 0, 1),
        ];
        let taken = |bytes| -> Vec<usize> {
            chosen(copies.clone(), subset(Subset::Bytes(bytes)))
                .into_iter()
                .map(|(number, _)| number)
                .collect()
        };
        assert_eq!(taken(20), [0, 1]);
        assert_eq!(taken(34), [0, 1], "nothing overtakes what does not fit");
        assert_eq!(taken(1), [0]);
        assert_eq!(taken(100), [0, 1, 2, 3]);
    }

    #[test]
    fn older_than_leaves_out_what_was_verified_since() {
        let selection = Selection {
            subset: None,
            not_since: Some(at(200)),
        };
        assert_eq!(
            chosen(
                vec![
                    verified(1, 300),
                    verified(2, 200),
                    verified(3, 199),
                    copy(4, 0, 1)
                ],
                selection
            ),
            [(4, Reason::NeverVerified), (3, Reason::VerifiedAt(at(199))),]
        );
    }

    #[test]
    fn a_plan_tells_what_it_chose_from() {
        let plan = plan(
            vec![copy(0, 0, 10), copy(1, 1, 5)],
            subset(Subset::Bytes(10)),
        );
        assert_eq!(
            (plan.copies, plan.stored_bytes, plan.checks.len()),
            (2, 15, 1)
        );
    }

    #[test]
    fn all_parts_together_hold_every_copy_once() {
        let copies: Vec<Copy> = (0..300).map(|number| copy(number, 0, 1)).collect();
        let mut seen: Vec<usize> = (1..=7)
            .flat_map(|index| {
                let part = Subset::Part(Share { index, of: 7 });
                chosen(copies.clone(), subset(part))
            })
            .map(|(number, _)| number)
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..300).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn repeated_runs_over_a_subset_come_by_every_copy_even_by_those_that_cannot_be_read(
            sizes in prop::collection::vec((0_u64..1000, 0_u8..3, any::<bool>()), 1..60),
            hundredths in 1_u16..=10_000,
            bytes in 1_u64..2000,
            by_percent in any::<bool>(),
        ) {
            let mut copies: Vec<Copy> = sizes
                .iter()
                .enumerate()
                .map(|(number, (bytes, place, _))| copy(number, *place, *bytes))
                .collect();
            let wanted = if by_percent { percent(hundredths) } else { Subset::Bytes(bytes) };
            let mut seen = vec![false; copies.len()];
            let mut runs = 0;
            while seen.iter().any(|seen| !seen) {
                runs += 1;
                prop_assert!(runs <= copies.len() + 1, "some copy never has its turn");
                let taken = chosen(copies.clone(), subset(wanted));
                prop_assert!(!taken.is_empty());
                for (number, _) in taken {
                    seen[number] = true;
                    let now = Some(at(1_000_000 + i64::try_from(runs).unwrap()));
                    copies[number].checked_at = now;
                    if sizes[number].2 {
                        copies[number].verified_at = now;
                    }
                }
            }
            if by_percent {
                // Every run takes at least its part of each destination.
                let most = 10_000_usize.div_ceil(usize::from(hundredths));
                prop_assert!(runs <= most.max(1) + 1, "{runs} runs of {hundredths}");
            }
        }
    }
}
