//! Which copies a drill takes.

/// At most `count` of the items, each as likely as any other; the same seed takes the same ones.
pub fn sample<T>(mut items: Vec<T>, count: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    let mut taken = Vec::new();
    while taken.len() < count && !items.is_empty() {
        let left = items.len() as u64;
        // Far fewer items than numbers: that the first ones are likelier is beyond notice.
        let at = usize::try_from(next(&mut state) % left).unwrap_or(0);
        taken.push(items.swap_remove(at));
    }
    taken
}

/// The generator of Steele, Lea and Flood (`SplitMix64`).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_sample_has_no_item_twice_and_no_more_than_there_are() {
        for count in [0, 1, 3, 10, 11] {
            for seed in 0..50 {
                let taken = sample((0..10).collect(), count, seed);
                assert_eq!(taken.len(), count.min(10));
                assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), taken.len());
            }
        }
    }

    #[test]
    fn the_same_seed_takes_the_same_and_every_item_is_about_as_likely() {
        let items: Vec<u32> = (0..10).collect();
        assert_eq!(sample(items.clone(), 3, 7), sample(items.clone(), 3, 7));
        let mut counts = BTreeMap::new();
        for seed in 0..10_000 {
            for item in sample(items.clone(), 1, seed) {
                *counts.entry(item).or_insert(0) += 1;
            }
        }
        assert!(
            counts.values().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }
}
