//! How copies are thinned: `[prune]`, and what destinations say of their own copies.

use jiff::SignedDuration;

use crate::config::settings::DestinationSettings;
use crate::model::ids::ServerId;
use crate::model::retention::KeepPolicy;
use crate::model::selector::ServerSelector;
use crate::model::subset::Percent;

/// How long ago the oldest copy that would be kept may have been proved, unless told otherwise.
pub const VERIFY_WITHIN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Below how much of its predecessors' median an archive is suspicious, unless told otherwise.
pub const SHRINK_ALARM: Percent = Percent::HALF;

/// How to prune: `[prune]`, and the flags of `prune`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneSettings {
    /// How long ago the oldest copy that would be kept may have been proved.
    pub verify_within: SignedDuration,
    /// Below how much of the median of its predecessors an archive is suspicious.
    pub shrink_alarm: Percent,
    /// At most so many copies are removed by one run; no limit when `None`.
    pub max_delete: Option<usize>,
    /// `--keep-*`: the policy that stands in for those of all destinations.
    pub keep: Option<KeepPolicy>,
}

/// One `[[destination.rule]]`: how long the copies of some servers are kept instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepRule {
    /// The servers that it is for.
    pub servers: Vec<ServerSelector>,
    /// How long; an empty policy keeps everything.
    pub keep: KeepPolicy,
}

impl PruneSettings {
    /// How long copies of a server are kept at a destination: as the flags say, else as the first rule
    /// that matches the server, else as the destination. `None`, and an empty policy, keep everything.
    pub fn policy<'s>(
        &'s self,
        destination: &'s DestinationSettings,
        id: ServerId,
        identifier: &str,
        name: &str,
    ) -> Option<&'s KeepPolicy> {
        if let Some(flags) = &self.keep {
            return Some(flags);
        }
        let is_of_it = |rule: &&KeepRule| {
            rule.servers
                .iter()
                .any(|selector| selector.matches_words(id, identifier, name))
        };
        match destination.rules.iter().find(is_of_it) {
            Some(rule) => Some(&rule.keep),
            None => destination.keep.as_ref(),
        }
    }

    /// Whether anything could ever be removed at a destination.
    pub fn thins(&self, destination: &DestinationSettings) -> bool {
        let own = destination.rules.iter().map(|rule| &rule.keep);
        let mut policies: Vec<&KeepPolicy> = own.chain(&destination.keep).collect();
        if let Some(flags) = &self.keep {
            policies = vec![flags];
        }
        policies
            .into_iter()
            .any(|policy| *policy != KeepPolicy::default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::settings::DestinationOrigin;

    fn last(count: u32) -> KeepPolicy {
        KeepPolicy {
            last: Some(count),
            ..KeepPolicy::default()
        }
    }

    fn destination(keep: Option<KeepPolicy>, rules: &[(&str, KeepPolicy)]) -> DestinationSettings {
        DestinationSettings {
            name: "disk".parse().unwrap(),
            url: "/mnt/backup".to_owned(),
            options: BTreeMap::new(),
            option_files: BTreeMap::new(),
            encrypt_to: Vec::new(),
            keep,
            rules: rules
                .iter()
                .map(|(servers, keep)| KeepRule {
                    servers: vec![servers.parse().unwrap()],
                    keep: keep.clone(),
                })
                .collect(),
            origin: DestinationOrigin::Configured,
        }
    }

    fn settings(keep: Option<KeepPolicy>) -> PruneSettings {
        PruneSettings {
            verify_within: VERIFY_WITHIN,
            shrink_alarm: SHRINK_ALARM,
            max_delete: None,
            keep,
        }
    }

    #[test]
    fn flags_beat_the_first_rule_that_matches_which_beats_the_destination() {
        let at = destination(
            Some(last(1)),
            &[
                ("vip-*", last(2)),
                ("vip-1", last(3)),
                ("bots", KeepPolicy::default()),
            ],
        );
        let id: ServerId = "a1fa0000-1111-4111-8111-00000000000a".parse().unwrap();
        for (name, policy) in [
            ("survival", last(1)),
            ("vip-1", last(2)),
            ("bots", KeepPolicy::default()),
        ] {
            let of_file = settings(None);
            assert_eq!(
                of_file.policy(&at, id, "a1fa0000", name),
                Some(&policy),
                "{name}"
            );
            let of_flags = settings(Some(last(9)));
            assert_eq!(of_flags.policy(&at, id, "a1fa0000", name), Some(&last(9)));
        }
        let bare = destination(None, &[]);
        assert_eq!(settings(None).policy(&bare, id, "a1fa0000", "x"), None);
    }

    #[test]
    fn a_destination_is_thinned_by_its_policy_by_a_rule_or_by_flags() {
        let nothing = KeepPolicy::default;
        for (keep, rules, is_thinned) in [
            (None, &[][..], false),
            (Some(nothing()), &[("a", nothing())], false),
            (Some(last(1)), &[], true),
            (None, &[("a", last(1))], true),
        ] {
            let at = destination(keep, rules);
            assert_eq!(settings(None).thins(&at), is_thinned, "{at:?}");
            assert!(settings(Some(last(1))).thins(&at));
        }
    }
}
