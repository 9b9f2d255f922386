use super::*;
use crate::model::retention::Rule;
use crate::model::subset::Percent;
use crate::model::suspicion::ShrinkAlarm;
use crate::model::suspicion::Sign;

type Copy = Prunable<u64>;

/// Noon of a day in March 2024.
fn march(day: u32) -> Timestamp {
    format!("2024-03-{day:02}T12:00:00Z").parse().unwrap()
}

fn id(number: u64) -> BackupId {
    format!("00000000-0000-4000-8000-{number:012}")
        .parse()
        .unwrap()
}

fn now() -> Timestamp {
    march(20)
}

fn copy(number: u64, created_at: Timestamp) -> Copy {
    Prunable {
        copy: number,
        backup: id(number),
        created_at,
        stored_bytes: 100 + number,
        proved_at: now(),
        lock: LockState::Unlocked,
        mark: Mark::None,
        store: StoreRetention::None,
    }
}

/// One a day, numbered as the days.
fn days(days: std::ops::RangeInclusive<u32>) -> Vec<Copy> {
    days.map(|day| copy(u64::from(day), march(day))).collect()
}

fn facts(copies: Vec<Copy>) -> Facts<u64> {
    Facts {
        copies,
        newest: Vec::new(),
        suspicion: None,
    }
}

fn last(most: u32) -> KeepPolicy {
    KeepPolicy {
        last: Some(most),
        ..KeepPolicy::default()
    }
}

fn planned(facts: Facts<u64>, policy: &KeepPolicy) -> ServerPlan<u64> {
    let wishes = Wishes {
        policy,
        verify_within: SignedDuration::from_hours(24),
    };
    plan(facts, wishes, now(), &TimeZone::UTC)
}

/// Each copy's number with what is said of it, newest first.
fn said(plan: &ServerPlan<u64>) -> Vec<(u64, String)> {
    let copies = plan.copies.iter();
    copies
        .map(|planned| (planned.copy.copy, planned.decision.to_string()))
        .collect()
}

fn removed(plan: &ServerPlan<u64>) -> Vec<u64> {
    plan.removals().map(|copy| copy.copy).collect()
}

fn suspicious() -> Suspicion {
    Suspicion {
        backup: id(5),
        signs: vec![Sign::Shrunk {
            bytes: 10,
            median_bytes: 100,
            of: 7,
            percent: 10,
            alarm: ShrinkAlarm(Percent::of_hundredths(5000).unwrap()),
        }],
    }
}

#[test]
fn what_no_rule_keeps_is_removed_oldest_first_and_its_bytes_are_counted() {
    let mut copies = days(1..=5);
    copies.swap(0, 3);
    let plan = planned(facts(copies), &last(2));
    assert_eq!(
        said(&plan),
        [
            (5, "last 1/2, newest".to_owned()),
            (4, "last 2/2".to_owned()),
            (3, "no rule keeps it".to_owned()),
            (2, "no rule keeps it".to_owned()),
            (1, "no rule keeps it".to_owned()),
        ]
    );
    assert_eq!(removed(&plan), [1, 2, 3]);
    assert_eq!(plan.freed_bytes(), 101 + 102 + 103);
}

#[test]
fn what_is_locked_kept_by_hand_or_held_by_the_store_stays_and_every_reason_is_told() {
    let mut copies = days(1..=6);
    copies[0].lock = LockState::Locked;
    copies[1].mark = Mark::Kept {
        reason: Some("before the wipe".to_owned()),
    };
    copies[2].store = StoreRetention::Until(march(21));
    copies[3].store = StoreRetention::WithoutDate;
    copies[4].lock = LockState::Locked;
    copies[4].mark = Mark::Kept { reason: None };
    let plan = planned(facts(copies), &last(1));
    assert_eq!(removed(&plan), Vec::<u64>::new());
    assert_eq!(
        said(&plan),
        [
            (6, "last 1/1, newest".to_owned()),
            (5, "locked, kept by hand".to_owned()),
            (4, "under the store's retention".to_owned()),
            (
                3,
                "under the store's retention until 2024-03-21T12:00:00Z".to_owned()
            ),
            (2, "kept by hand".to_owned()),
            (1, "locked".to_owned()),
        ]
    );
    assert_eq!(
        plan.copies[4].decision,
        Decision::Keep(vec![Reason::KeptByHand {
            reason: Some("before the wipe".to_owned())
        }])
    );
}

#[test]
fn a_retention_of_the_store_that_is_over_keeps_nothing() {
    let mut copies = days(1..=2);
    copies[0].store = StoreRetention::Until(now());
    assert_eq!(removed(&planned(facts(copies), &last(1))), [1]);
}

#[test]
fn the_newest_stays_whatever_the_policy() {
    let policy = KeepPolicy {
        within: Some(jiff::SpanFieldwise(jiff::Span::new().hours(1))),
        ..KeepPolicy::default()
    };
    let plan = planned(facts(vec![copy(1, march(1))]), &policy);
    assert_eq!(said(&plan), [(1, "within 1h, newest".to_owned())]);
}

#[test]
fn a_copy_from_the_future_does_not_take_the_place_of_the_newest() {
    let mut copies = days(1..=3);
    copies.push(copy(9, march(30)));
    let plan = planned(facts(copies), &last(1));
    assert_eq!(
        said(&plan),
        [
            (9, "last 1/1, newest".to_owned()),
            (3, "newest".to_owned()),
            (2, "no rule keeps it".to_owned()),
            (1, "no rule keeps it".to_owned()),
        ]
    );
}

#[test]
fn a_clock_that_was_set_back_orders_copies_as_it_said_then() {
    // Asked for in the order of their numbers.
    let copies = vec![
        copy(1, march(10)),
        copy(2, march(11)),
        copy(3, march(2)),
        copy(4, march(3)),
    ];
    let plan = planned(facts(copies), &last(2));
    assert_eq!(removed(&plan), [3, 4]);
}

#[test]
fn of_two_backups_of_the_same_second_the_one_with_the_greater_id_is_the_newer() {
    let policy = last(1);
    for numbers in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let copies = numbers.map(|number| copy(number, march(1))).to_vec();
        let plan = planned(facts(copies), &policy);
        assert_eq!(
            said(&plan),
            [
                (3, "last 1/1, newest".to_owned()),
                (2, "no rule keeps it".to_owned()),
                (1, "no rule keeps it".to_owned()),
            ]
        );
        assert_eq!(removed(&plan), [1, 2]);
    }
}

#[test]
fn nothing_is_removed_where_the_newest_completed_backup_is_not_held() {
    let plan = planned(
        Facts {
            newest: vec![id(5), id(6)],
            ..facts(days(1..=5))
        },
        &last(1),
    );
    assert_eq!(
        plan.refusals,
        [Refusal::NewestNotMirrored { backup: id(6) }]
    );
    assert!(plan.is_refused());
    assert_eq!((removed(&plan), plan.freed_bytes()), (Vec::new(), 0));
    assert_eq!(
        plan.refusals[0].to_string(),
        "its newest completed backup 00000000-0000-4000-8000-000000000006 is not mirrored there"
    );
}

#[test]
fn nothing_is_removed_where_the_oldest_copy_to_keep_was_not_proved_lately() {
    let proved = |ago| {
        let mut copies = days(1..=3);
        copies[1].proved_at = now() - SignedDuration::from_secs(ago);
        // It goes, so that nobody needs to know how it is.
        copies[0].proved_at = march(1);
        planned(facts(copies), &last(2))
    };
    assert_eq!(proved(24 * 3600).refusals, []);
    assert_eq!(removed(&proved(24 * 3600)), [1]);
    let plan = proved(24 * 3600 + 1);
    assert_eq!(
        plan.refusals,
        [Refusal::OldestNotVerified {
            backup: id(2),
            proved_at: now() - SignedDuration::from_secs(24 * 3600 + 1),
            verify_within: SignedDuration::from_hours(24),
        }]
    );
    assert_eq!(removed(&plan), Vec::<u64>::new());
    assert_eq!(
        plan.refusals[0].to_string(),
        "the oldest copy it would keep, of backup 00000000-0000-4000-8000-000000000002, was last \
         verified at 2024-03-19T11:59:59Z, which is not within 24h"
    );
}

#[test]
fn nothing_is_removed_of_a_suspicious_server_and_every_refusal_is_told() {
    let mut copies = days(1..=5);
    copies[4].proved_at = march(10);
    let plan = planned(
        Facts {
            newest: vec![id(6)],
            suspicion: Some(suspicious()),
            ..facts(copies)
        },
        &last(1),
    );
    let words: Vec<&str> = plan.refusals.iter().map(Refusal::as_str).collect();
    assert_eq!(
        words,
        ["newest_not_mirrored", "oldest_not_verified", "suspicious"]
    );
    assert_eq!(removed(&plan), Vec::<u64>::new());
}

#[test]
fn a_server_of_which_nothing_is_held_is_not_refused() {
    let plan = planned(
        Facts {
            newest: vec![id(6)],
            suspicion: Some(suspicious()),
            ..facts(Vec::new())
        },
        &last(1),
    );
    assert_eq!((plan.copies, plan.refusals), (Vec::new(), Vec::new()));
}

#[test]
fn no_policy_removes_nothing_and_has_nothing_to_refuse() {
    let mut copies = days(1..=3);
    copies[0].proved_at = march(1);
    let plan = planned(
        Facts {
            newest: vec![id(6)],
            suspicion: Some(suspicious()),
            ..facts(copies)
        },
        &KeepPolicy::default(),
    );
    assert_eq!(plan.refusals, []);
    assert_eq!(
        said(&plan),
        [
            (3, "no policy, newest".to_owned()),
            (2, "no policy".to_owned()),
            (1, "no policy".to_owned()),
        ]
    );
}

#[test]
fn the_newest_completed_backups_are_those_of_a_clock_that_can_be_believed_too() {
    let completed = [(id(1), march(1)), (id(3), march(3)), (id(2), march(3))];
    assert_eq!(newest(completed, now()), [id(3)]);
    let one_ahead = completed.into_iter().chain([(id(9), march(30))]);
    assert_eq!(newest(one_ahead, now()), [id(9), id(3)]);
    assert_eq!(newest([(id(9), march(30))], now()), [id(9)]);
    assert_eq!(newest([], now()), []);
}

fn taken(plans: &[ServerPlan<u64>], max_delete: MaxDelete) -> (Vec<u64>, u64) {
    let batch = cap(plans, max_delete);
    let numbers = batch.removals.iter().map(|copy| copy.copy).collect();
    (numbers, batch.left_over)
}

#[test]
fn a_capped_run_takes_the_oldest_over_all_servers_that_are_not_refused() {
    let one = planned(facts(days(1..=3)), &last(1));
    let other = planned(
        facts(vec![
            copy(21, "2024-03-01T13:00:00Z".parse().unwrap()),
            copy(22, march(2)),
            copy(23, march(3)),
        ]),
        &last(1),
    );
    let refused = planned(
        Facts {
            suspicion: Some(suspicious()),
            ..facts(days(1..=3))
        },
        &last(1),
    );
    let plans = [one, other, refused];
    let all = [1, 21, 2, 22];
    assert_eq!(taken(&plans, MaxDelete::Unlimited), (all.to_vec(), 0));
    assert_eq!(taken(&plans, MaxDelete::AtMost(4)), (all.to_vec(), 0));
    assert_eq!(taken(&plans, MaxDelete::AtMost(3)), (all[..3].to_vec(), 1));
    assert_eq!(taken(&plans, MaxDelete::AtMost(0)), (Vec::new(), 4));
}

#[test]
fn a_hundred_thousand_copies_are_planned_and_capped() {
    let start = march(1);
    let copies: Vec<Copy> = (0..100_000_u64)
        .map(|number| {
            let minutes = i64::try_from(number % 50_000).unwrap();
            copy(number, start - SignedDuration::from_mins(minutes))
        })
        .collect();
    let plan = planned(
        Facts {
            newest: vec![id(50_000)],
            ..facts(copies)
        },
        &KeepPolicy {
            hourly: Some(24),
            ..last(3)
        },
    );
    let kept = plan
        .copies
        .iter()
        .filter_map(|planned| match &planned.decision {
            Decision::Keep(reasons) => Some(reasons),
            Decision::Remove => None,
        });
    let by_last = Reason::Policy(KeepReason::Nth {
        rule: Rule::Last,
        nth: 1,
        of: 3,
    });
    assert_eq!(
        kept.clone()
            .filter(|reasons| reasons.contains(&by_last))
            .count(),
        1
    );
    assert_eq!(kept.count(), 25);
    let batch = cap(std::slice::from_ref(&plan), MaxDelete::AtMost(10));
    assert_eq!((batch.removals.len(), batch.left_over), (10, 100_000 - 35));
}

#[test]
fn a_copy_that_its_store_could_not_be_asked_about_is_not_removed() {
    let mut copies = days(1..=4);
    copies[1].store = StoreRetention::NotAsked;
    let plan = planned(facts(copies), &last(1));
    assert_eq!(removed(&plan), [1, 3]);
    assert_eq!(plan.freed_bytes(), 101 + 103);
    assert_eq!(plan.refusals, []);
}

#[test]
fn what_was_begun_stays_so_on_a_refused_server_unless_it_is_itself_what_is_missing() {
    let refused = |newest: Vec<BackupId>, suspicion| {
        let facts = Facts {
            newest,
            suspicion,
            ..facts(days(1..=4))
        };
        planned(facts, &last(1))
    };
    for (newest, suspicion, leaves) in [
        (vec![], None, false),
        (vec![id(5)], None, false),
        (vec![id(6)], None, true),
        (vec![id(6), id(5)], None, true),
        (vec![], Some(suspicious()), true),
        (vec![id(5)], Some(suspicious()), true),
    ] {
        let plan = refused(newest, suspicion);
        assert_eq!(plan.leaves_begun(id(5)), leaves, "{:?}", plan.refusals);
    }
    let mut unproved = days(1..=4);
    unproved[3].proved_at = march(1);
    assert!(planned(facts(unproved), &last(1)).leaves_begun(id(5)));
}

#[test]
fn what_was_begun_is_the_newest_unless_a_newer_one_of_the_past_is_held() {
    let begun = (march(5), id(5));
    for (held, is_newest) in [
        (vec![], true),
        (vec![(march(4), id(9))], true),
        (vec![(march(5), id(4))], true),
        (vec![(march(5), id(6))], false),
        (vec![(march(4), id(4)), (march(6), id(6))], false),
        (vec![(march(30), id(9))], true),
    ] {
        assert_eq!(
            would_be_newest(begun, held.clone(), now()),
            is_newest,
            "{held:?}"
        );
    }
}
