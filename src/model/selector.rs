//! Which servers the operator means: an id, a uuid, a name or a name glob.

use std::fmt;
use std::str::FromStr;

use globset::Glob;
use globset::GlobMatcher;

use crate::model::ids::ServerId;
use crate::model::ids::printable;
use crate::model::server::Server;

/// One word of `servers`, `--server`, `exclude` or `--exclude`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerSelector {
    /// `*`: every server.
    Any,
    /// The servers that this text names.
    Matching(ServerPattern),
}

/// An id, a uuid, a name, or a glob over names.
#[derive(Clone)]
pub struct ServerPattern {
    text: String,
    glob: Option<GlobMatcher>,
}

impl PartialEq for ServerPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ServerPattern {}

impl fmt::Debug for ServerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// A word that can name no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSelector {
    /// Nothing in it.
    #[error("an empty word names no server")]
    Empty,
    /// Control characters are in no id and no name.
    #[error("`{}` holds control characters", printable(.0))]
    Unprintable(String),
    /// A glob that is not one.
    #[error("`{}` is no glob: {why} (a backslash makes the next character plain)", printable(.text))]
    Glob {
        /// The word.
        text: String,
        /// What is wrong with it.
        why: String,
    },
}

impl FromStr for ServerSelector {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        if text.trim().is_empty() {
            return Err(BadSelector::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(BadSelector::Unprintable(text.to_owned()));
        }
        if text == "*" {
            return Ok(Self::Any);
        }
        let is_glob = text.contains(['*', '?', '[', ']', '{', '}', '\\']);
        let glob = if is_glob {
            let glob = Glob::new(text).map_err(|error| BadSelector::Glob {
                text: text.to_owned(),
                why: error.kind().to_string(),
            })?;
            Some(glob.compile_matcher())
        } else {
            None
        };
        Ok(Self::Matching(ServerPattern {
            text: text.to_owned(),
            glob,
        }))
    }
}

impl ServerSelector {
    /// Whether this server is meant.
    ///
    /// Ids are compared without regard to case. A name matches by glob, or when it is the very same
    /// text, so that `[EU] Survival` names the server of that name.
    pub fn matches(&self, server: &Server) -> bool {
        self.matches_words(server.id, &server.identifier, &server.name)
    }

    /// As [`Self::matches`], by what a ledger knows of a server.
    pub fn matches_words(&self, id: ServerId, identifier: &str, name: &str) -> bool {
        let pattern = match self {
            Self::Any => return true,
            Self::Matching(pattern) => pattern,
        };
        let text = pattern.text.as_str();
        text.eq_ignore_ascii_case(identifier)
            || text.eq_ignore_ascii_case(&id.short())
            || text.eq_ignore_ascii_case(&id.to_string())
            || text == name
            || pattern
                .glob
                .as_ref()
                .is_some_and(|glob| glob.is_match(name))
    }

    /// The word, when it has the shape of an id (short id, uuid or `serv_…`), so that the panel can be
    /// asked for that one server; it may still be some server's name.
    pub fn as_id(&self) -> Option<&str> {
        let pattern = match self {
            Self::Any => return None,
            Self::Matching(pattern) => pattern,
        };
        let text = pattern.text.as_str();
        let is_short = text.len() == 8 && text.chars().all(|c| c.is_ascii_hexdigit());
        let is_prefixed = text.strip_prefix("serv_").is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric())
        });
        let is_id = is_short || is_prefixed || text.parse::<ServerId>().is_ok();
        is_id.then_some(text)
    }

    /// The word as written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Matching(pattern) => &pattern.text,
        }
    }
}

impl fmt::Display for ServerSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::server::Passport;
    use crate::model::server::ServerState;

    fn server(name: &str) -> Server {
        Server {
            id: "d3aac109-e5a0-4331-b03e-3454f7e136dc".parse().unwrap(),
            identifier: "serv_abc123".to_owned(),
            name: name.to_owned(),
            state: ServerState::Ready,
            passport: Passport::default(),
        }
    }

    #[test]
    fn a_server_is_meant_by_its_ids_its_name_or_a_glob_over_its_name() {
        for (word, name, meant) in [
            ("*", "anything", true),
            ("d3aac109", "x", true),
            ("D3AAC109", "x", true),
            ("d3aac109-E5A0-4331-b03e-3454f7e136dc", "x", true),
            ("serv_ABC123", "x", true),
            ("d3aac1", "x", false),
            ("Survival", "Survival", true),
            ("survival", "Survival", false),
            ("surv*", "survival-1", true),
            ("surv*", "the survival", false),
            ("{lobby,hub}-?", "hub-2", true),
            ("[EU] Survival", "[EU] Survival", true),
            ("a*/b", "a/x/b", true),
        ] {
            let selector: ServerSelector = word.parse().unwrap();
            assert_eq!(selector.matches(&server(name)), meant, "{word} {name}");
        }
    }

    #[test]
    fn words_that_can_name_nothing_are_refused() {
        assert_eq!("  ".parse::<ServerSelector>(), Err(BadSelector::Empty));
        assert!("a\nb".parse::<ServerSelector>().is_err());
        let message = "[EU".parse::<ServerSelector>().unwrap_err().to_string();
        assert_eq!(
            message,
            "`[EU` is no glob: unclosed character class; missing ']' (a backslash makes the next character plain)"
        );
    }

    #[test]
    fn only_words_shaped_like_ids_are_offered_as_ids() {
        for (word, id) in [
            ("*", None),
            ("d3aac109", Some("d3aac109")),
            ("serv_1a2b", Some("serv_1a2b")),
            ("serv_../x", None),
            ("survival", None),
            (
                "d3aac109-e5a0-4331-b03e-3454f7e136dc",
                Some("d3aac109-e5a0-4331-b03e-3454f7e136dc"),
            ),
        ] {
            let selector: ServerSelector = word.parse().unwrap();
            assert_eq!(selector.as_id(), id, "{word}");
        }
    }
}
