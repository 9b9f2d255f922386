//! How to drill.

use crate::model::ids::ServerId;
use crate::model::member::MemberGlob;
use crate::model::selector::ServerSelector;

/// How many copies a drill takes, unless told otherwise.
pub const SAMPLE: usize = 3;

/// How to drill: `[drill]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillSettings {
    /// How many copies.
    pub sample: usize,
    /// What every archive must contain, unless a rule says something else of its server.
    pub must_contain: Vec<MemberGlob>,
    /// What the archives of some servers must contain instead.
    pub rules: Vec<DrillRule>,
}

/// One `[[drill.rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillRule {
    /// The servers that it is for.
    pub servers: Vec<ServerSelector>,
    /// What their archives must contain; nothing, when empty.
    pub must_contain: Vec<MemberGlob>,
}

impl DrillSettings {
    /// What the archives of a server must contain: all that its rules say, or the general list when it
    /// has no rule.
    pub fn must_contain(&self, id: ServerId, identifier: &str, name: &str) -> Vec<MemberGlob> {
        let is_of_it = |rule: &&DrillRule| {
            rule.servers
                .iter()
                .any(|selector| selector.matches_words(id, identifier, name))
        };
        let mut rules = self.rules.iter().filter(is_of_it).peekable();
        if rules.peek().is_none() {
            return self.must_contain.clone();
        }
        rules.flat_map(|rule| rule.must_contain.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(texts: &[&str]) -> Vec<MemberGlob> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn rules_of_a_server_stand_in_for_the_general_list() {
        let rule = |servers: &str, texts: &[&str]| DrillRule {
            servers: vec![servers.parse().unwrap()],
            must_contain: globs(texts),
        };
        let settings = DrillSettings {
            sample: SAMPLE,
            must_contain: globs(&["world/level.dat"]),
            rules: vec![
                rule("valheim-*", &["worlds/*.db"]),
                rule("valheim-1", &["extra"]),
                rule("bots", &[]),
            ],
        };
        let id: ServerId = "a1fa0000-1111-4111-8111-00000000000a".parse().unwrap();
        for (name, expected) in [
            ("survival", &["world/level.dat"][..]),
            ("valheim-2", &["worlds/*.db"]),
            ("valheim-1", &["worlds/*.db", "extra"]),
            ("bots", &[]),
        ] {
            assert_eq!(
                settings.must_contain(id, "a1fa0000", name),
                globs(expected),
                "{name}"
            );
        }
    }
}
