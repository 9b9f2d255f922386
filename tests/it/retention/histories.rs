//! Random histories beside the naive implementation, and what must be true of every plan.

use std::thread;

use jiff::SignedDuration;
use jiff::Timestamp;
use nestegg::model::retention::KeepReason;
use nestegg::model::retention::Rule;
use nestegg::plan::prune::Decision;
use nestegg::plan::prune::Facts;
use nestegg::plan::prune::Reason;
use nestegg::plan::prune::Refusal;
use nestegg::plan::prune::ServerPlan;
use nestegg::plan::prune::Wishes;
use nestegg::plan::prune::plan;
use proptest::prelude::*;
use proptest::sample::select;

use crate::retention::case::Back;
use crate::retention::case::Case;
use crate::retention::case::Fixtures;
use crate::retention::case::Guard;
use crate::retention::case::Held;
use crate::retention::case::MOST;
use crate::retention::case::Newest;
use crate::retention::case::Policy;
use crate::retention::case::VERIFY_WITHIN_HOURS;
use crate::retention::naive;
use crate::retention::naive::Also;
use crate::retention::naive::Said;
use crate::retention::random::Random;

const HISTORIES: u64 = 1_000_000;

/// Moments around which something changes: clocks, months, years, weeks.
const EDGES: [i64; 10] = [
    1_711_846_800, // 2024-03-31 01:00 UTC: summer begins in Europe
    1_729_990_800, // 2024-10-27 01:00 UTC: and ends
    1_710_054_000, // 2024-03-10 07:00 UTC: summer begins in New York
    1_730_613_600, // 2024-11-03 06:00 UTC: and ends
    1_712_415_600, // 2024-04-06 15:00 UTC: summer ends on Lord Howe
    1_728_142_200, // 2024-10-05 15:30 UTC: and begins
    1_709_251_200, // 2024-03-01, after a leap day
    1_609_459_200, // 2021-01-01, in week 53
    1_735_689_600, // 2025-01-01, in week 1
    1_704_067_200, // 2024-01-01, a Monday
];

const UNITS: [i64; 8] = [
    1,
    700,
    3600,
    6 * 3600,
    86_400,
    7 * 86_400,
    31 * 86_400,
    190 * 86_400,
];

fn drawn(random: &mut Random) -> Case {
    // Short ones mostly.
    let length = (0..3).map(|_| random.index(MOST + 1)).min().unwrap();
    let unit = UNITS[random.index(UNITS.len())];
    let mut at = if random.one_in(3) {
        1_400_000_000 + random.up_to(700_000_000)
    } else {
        EDGES[random.index(EDGES.len())] + random.up_to(4 * unit)
    };
    let mut ids: Vec<usize> = (0..MOST).collect();
    let mut copies: Vec<Held> = Vec::with_capacity(length);
    for _ in 0..length {
        let id = ids.swap_remove(random.index(ids.len()));
        let guard = if random.one_in(6) {
            Guard::ALL[random.index(Guard::ALL.len())]
        } else {
            Guard::Nothing
        };
        copies.push(Held {
            made: at,
            id,
            guard,
            proved_hours_ago: VERIFY_WITHIN_HOURS - 20 + random.up_to(24),
        });
        if !random.one_in(12) {
            at -= random.up_to(2 * unit);
        }
    }
    for number in (1..length).rev() {
        copies.swap(number, random.index(number + 1));
    }
    let now = match copies.first() {
        // At the very moment of one of them, or before some.
        Some(held) if random.one_in(4) => held.made + random.up_to(unit),
        Some(_) | None => 2_300_000_000,
    };
    let newest = if random.one_in(20) {
        Newest::Missing
    } else {
        Newest::Held
    };
    Case {
        zone: random.index(Fixtures::ZONES),
        now,
        copies,
        newest,
        policy: drawn_policy(random),
    }
}

fn drawn_policy(random: &mut Random) -> Policy {
    let mut policy = Policy::default();
    for count in &mut policy.counts {
        if random.one_in(3) {
            *count = match random.below(8) {
                0 => u32::MAX,
                small => u32::try_from(small).unwrap(),
            };
        }
    }
    if random.one_in(3) {
        let mut part = |most| {
            if random.one_in(2) {
                random.up_to(most)
            } else {
                0
            }
        };
        policy.within = Back {
            years: part(2),
            months: part(14),
            weeks: part(3),
            days: part(40),
            hours: part(60),
        };
    }
    policy
}

fn planned(
    case: &Case,
    facts: Facts<usize>,
    policy: &Policy,
    fixtures: &Fixtures,
) -> ServerPlan<usize> {
    let keep = policy.keep();
    let wishes = Wishes {
        policy: &keep,
        verify_within: SignedDuration::from_hours(VERIFY_WITHIN_HOURS),
    };
    let now = Timestamp::from_second(case.now).unwrap();
    plan(facts, wishes, now, &fixtures.zones[case.zone])
}

/// The plan's words in those of the naive implementation, in the order of the case.
fn said(plan: &ServerPlan<usize>) -> Vec<Said> {
    let mut all = vec![Said::default(); plan.copies.len()];
    for planned in &plan.copies {
        let said = &mut all[planned.copy.copy];
        let Decision::Keep(reasons) = &planned.decision else {
            continue;
        };
        for reason in reasons {
            match reason {
                Reason::Policy(KeepReason::Nth { rule, nth, .. }) => {
                    let rule = match rule {
                        Rule::Last => 0,
                        Rule::Hourly => 1,
                        Rule::Daily => 2,
                        Rule::Weekly => 3,
                        Rule::Monthly => 4,
                        Rule::Yearly => 5,
                    };
                    said.nth[rule] = *nth;
                }
                Reason::Policy(KeepReason::Within(_)) => {
                    said.also.insert(Also::Within);
                }
                Reason::Policy(KeepReason::NoPolicy) => {
                    said.also.insert(Also::NoPolicy);
                }
                Reason::Newest => {
                    said.also.insert(Also::Newest);
                }
                Reason::Locked
                | Reason::KeptByHand { .. }
                | Reason::RetainedUntil(_)
                | Reason::Retained => {
                    said.also.insert(Also::Guarded);
                }
            }
        }
    }
    all
}

fn removed(plan: &ServerPlan<usize>) -> Vec<usize> {
    let copies = plan.copies.iter();
    copies
        .filter(|planned| planned.decision == Decision::Remove)
        .map(|planned| planned.copy.copy)
        .collect()
}

/// A policy that asks for more; none is more than what was no policy before.
fn loosened(policy: &Policy, random: &mut Random) -> Option<Policy> {
    if policy.is_empty() {
        return None;
    }
    let mut looser = policy.clone();
    match random.index(8) {
        6 => looser.within.days += 1 + random.up_to(40),
        7 => looser.within.months += 1,
        rule => looser.counts[rule] = looser.counts[rule].saturating_add(1),
    }
    Some(looser)
}

/// What is wrong with the plan of a case, if something is.
fn judged(case: &Case, random: &mut Random, fixtures: &Fixtures) -> Result<(), String> {
    let facts = fixtures.facts(case);
    let plan = planned(case, facts.clone(), &case.policy, fixtures);
    let expected = naive::said(case, &fixtures.zones[case.zone]);
    let got = said(&plan);
    if got != expected {
        return Err(format!(
            "the plan says {got:#?}, the naive one {expected:#?}"
        ));
    }
    let order = plan
        .copies
        .iter()
        .map(|planned| &case.copies[planned.copy.copy]);
    if !order.is_sorted_by_key(|held| std::cmp::Reverse((held.made, held.id))) {
        return Err("the copies are not in order".to_owned());
    }

    let removed_now = removed(&plan);
    if removed_now.len() == case.copies.len() && !case.copies.is_empty() {
        return Err("the last verified copy is removed".to_owned());
    }
    if removed_now
        .iter()
        .any(|number| case.copies[*number].guard.keeps())
    {
        return Err("a copy is removed that is locked, kept or retained".to_owned());
    }
    refusals(case, &plan, &expected)?;

    // Of some, for time's sake: there are enough histories.
    if random.one_in(4) {
        let mut left = facts.clone();
        left.copies.retain(|copy| !removed_now.contains(&copy.copy));
        let again = removed(&planned(case, left, &case.policy, fixtures));
        if !again.is_empty() {
            return Err(format!("planned again, it removes {again:?} more"));
        }
    }
    if random.one_in(4)
        && let Some(looser) = loosened(&case.policy, random)
    {
        let removed_then = removed(&planned(case, facts, &looser, fixtures));
        let is_new = |number: &&usize| !removed_now.contains(number);
        if let Some(lost) = removed_then.iter().find(is_new) {
            return Err(format!("the looser {looser:?} does not keep copy {lost}"));
        }
    }
    Ok(())
}

fn refusals(case: &Case, plan: &ServerPlan<usize>, expected: &[Said]) -> Result<(), String> {
    let stays = case
        .copies
        .iter()
        .zip(expected)
        .filter(|(_, said)| said.stays());
    let oldest = stays
        .map(|(held, _)| held)
        .min_by_key(|held| (held.made, held.id));
    // Without a policy nothing goes, and nothing needs to be refused.
    let has_policy = case.policy != Policy::default();
    let unproved =
        has_policy && oldest.is_some_and(|held| held.proved_hours_ago > VERIFY_WITHIN_HOURS);
    let missing = has_policy && case.newest == Newest::Missing && !case.copies.is_empty();
    let said = |wanted: fn(&Refusal) -> bool| plan.refusals.iter().any(wanted);
    let got = (
        said(|refusal| matches!(refusal, Refusal::NewestNotMirrored { .. })),
        said(|refusal| matches!(refusal, Refusal::OldestNotVerified { .. })),
    );
    if got != (missing, unproved) {
        return Err(format!(
            "refused for {:?}, not {missing} and {unproved}",
            plan.refusals
        ));
    }
    let carried_out: Vec<usize> = plan.removals().map(|copy| copy.copy).collect();
    let mut wanted = if missing || unproved {
        Vec::new()
    } else {
        removed(plan)
    };
    wanted.reverse();
    if carried_out != wanted {
        return Err(format!("{carried_out:?} are removed, not {wanted:?}"));
    }
    Ok(())
}

#[test]
fn a_million_random_histories_are_thinned_as_a_second_implementation_would() {
    let threads =
        thread::available_parallelism().map_or(2, |count| u64::try_from(count.get()).unwrap());
    thread::scope(|scope| {
        let running = (0..threads).map(|first| {
            scope.spawn(move || {
                let fixtures = Fixtures::new();
                for seed in (first..HISTORIES).step_by(usize::try_from(threads).unwrap()) {
                    let mut random = Random::new(seed);
                    let case = drawn(&mut random);
                    if let Err(why) = judged(&case, &mut random, &fixtures) {
                        panic!("history {seed}: {why}\n{case:#?}");
                    }
                }
            })
        });
        let running: Vec<_> = running.collect();
        for thread in running {
            thread.join().unwrap();
        }
    });
}

fn back() -> impl Strategy<Value = Back> {
    (0_i64..3, 0_i64..14, 0_i64..4, 0_i64..40, 0_i64..60).prop_map(
        |(years, months, weeks, days, hours)| Back {
            years,
            months,
            weeks,
            days,
            hours,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let copy = (
        0_i64..40,
        0..UNITS.len(),
        select(Guard::ALL.to_vec()),
        80_i64..104,
    );
    let copies = prop::collection::vec(copy, 0..MOST);
    let count = prop_oneof![3 => Just(0_u32), 2 => 1_u32..6];
    let within = prop_oneof![Just(Back::default()), back()];
    let policy = (prop::array::uniform6(count), within);
    let newest = prop_oneof![9 => Just(Newest::Held), 1 => Just(Newest::Missing)];
    let until = (0..EDGES.len(), -40_i64..400_000);
    (copies, policy, newest, until, 0..Fixtures::ZONES).prop_map(
        |(copies, (counts, within), newest, (edge, now), zone)| {
            let copies = copies.into_iter().enumerate();
            Case {
                zone,
                now: EDGES[edge] + now,
                copies: copies
                    .map(|(id, (steps, unit, guard, proved_hours_ago))| Held {
                        made: EDGES[edge] - steps * UNITS[unit] / 20,
                        id,
                        guard,
                        proved_hours_ago,
                    })
                    .collect(),
                newest,
                policy: Policy { counts, within },
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same with shrinking, for whoever breaks it.
    #[test]
    fn a_random_history_is_thinned_as_a_second_implementation_would(case in case(), seed in any::<u64>()) {
        let judged = judged(&case, &mut Random::new(seed), &Fixtures::new());
        prop_assert!(judged.is_ok(), "{}", judged.unwrap_err());
    }
}
