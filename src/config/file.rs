//! The configuration file as written: every key known, every value typed, every complaint with its line.

use std::path::Path;
use std::path::PathBuf;

use jiff::SignedDuration;
use std::time::Duration;
use url::Url;

use crate::config::error::Error;
use crate::config::key::OwnKey;
use crate::config::location::Location;
use crate::config::location::Overlap;
use crate::config::reader::Document;
use crate::config::reader::Written;
use crate::config::source::Place;
use crate::config::table::Reading;
use crate::model::backup::ChecksumPolicy;
use crate::model::backup::DigestNeed;
use crate::model::backup::Protect;
use crate::model::content::Inspect;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::member::MemberGlob;
use crate::model::recipient::Recipient;
use crate::model::retention::KeepPolicy;
use crate::model::secret::Secret;
use crate::model::selector::ServerSelector;
use crate::model::subset::Percent;
use crate::model::subset::Subset;

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The file.
    pub path: PathBuf,
    /// `ledger`, made absolute.
    pub ledger: Option<Written<PathBuf>>,
    /// `[[panel]]`, in the order written.
    pub panels: Vec<PanelEntry>,
    /// `[[destination]]`, in the order written.
    pub destinations: Vec<DestinationEntry>,
    /// `[mirror]`.
    pub mirror: MirrorEntry,
    /// `[drill]`.
    pub drill: DrillEntry,
    /// `[prune]`.
    pub prune: PruneEntry,
}

/// One `[[panel]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelEntry {
    /// `name`.
    pub name: Written<PanelName>,
    /// `url`.
    pub url: Written<Url>,
    /// `api_key_file` or `api_key_command`.
    pub key: Option<Written<OwnKey>>,
    /// `servers`.
    pub servers: Option<Written<Vec<ServerSelector>>>,
    /// `all_servers`.
    pub all_servers: Option<Written<bool>>,
    /// `exclude`.
    pub exclude: Option<Written<Vec<ServerSelector>>>,
    /// `checksum`.
    pub checksum: Option<Written<ChecksumPolicy>>,
}

/// One `[[destination]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationEntry {
    /// `name`.
    pub name: Written<DestinationName>,
    /// `url`: an absolute path or the URL as written.
    pub url: Written<String>,
    /// `options`, in the order written.
    pub options: Vec<(String, Written<OptionValue>)>,
    /// `encrypt_to`.
    pub encrypt_to: Option<Written<Vec<Recipient>>>,
    /// `keep`.
    pub keep: Option<Written<KeepPolicy>>,
    /// `[[destination.rule]]`, in the order written.
    pub rules: Vec<KeepRuleEntry>,
    pub(super) location: Location,
}

impl DestinationEntry {
    /// The `endpoint` option, which tells equal bucket names apart.
    pub(super) fn endpoint(&self) -> Option<&str> {
        self.options.iter().find_map(|(name, option)| {
            let is_endpoint = matches!(name.as_str(), "endpoint" | "endpoint_url")
                || name.ends_with("_endpoint")
                || name.ends_with("_endpoint_url");
            match &option.value {
                OptionValue::Inline(value) if is_endpoint => Some(value.expose()),
                OptionValue::Inline(_) | OptionValue::File(_) => None,
            }
        })
    }
}

/// One option of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// Written in the file itself.
    Inline(Secret),
    /// `NAME_file`: the value stands in that file.
    File(PathBuf),
}

/// `[mirror]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirrorEntry {
    /// `transfers`.
    pub transfers: Option<Written<usize>>,
    /// `limit_rate`, bytes a second.
    pub limit_rate: Option<Written<u64>>,
    /// `max_age`.
    pub max_age: Option<Written<SignedDuration>>,
    /// `max_duration`.
    pub max_duration: Option<Written<Duration>>,
    /// `inspect`.
    pub inspect: Option<Written<Inspect>>,
    /// `require_checksum`.
    pub need: Option<Written<DigestNeed>>,
    /// `newest`.
    pub newest: Option<Written<usize>>,
    /// `since`.
    pub since: Option<Written<SignedDuration>>,
    /// `retry_lock`.
    pub retry_lock: Option<Written<Duration>>,
    /// `verify_subset`.
    pub verify_subset: Option<Written<Subset>>,
    /// `protect`.
    pub protect: Option<Written<Protect>>,
}

/// `[drill]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrillEntry {
    /// `sample`.
    pub sample: Option<Written<usize>>,
    /// `must_contain`.
    pub must_contain: Option<Written<Vec<MemberGlob>>>,
    /// `[[drill.rule]]`, in the order written.
    pub rules: Vec<DrillRuleEntry>,
}

/// One `[[drill.rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillRuleEntry {
    /// `servers`.
    pub servers: Written<Vec<ServerSelector>>,
    /// `must_contain`.
    pub must_contain: Option<Written<Vec<MemberGlob>>>,
}

/// `[prune]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneEntry {
    /// `verify_within`.
    pub verify_within: Option<Written<SignedDuration>>,
    /// `shrink_alarm`.
    pub shrink_alarm: Option<Written<Percent>>,
    /// `max_delete`.
    pub max_delete: Option<Written<usize>>,
}

/// One `[[destination.rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepRuleEntry {
    /// `servers`.
    pub servers: Written<Vec<ServerSelector>>,
    /// `keep`.
    pub keep: Written<KeepPolicy>,
}

/// Reads a file's text; `path` is absolute, relative paths inside start at its folder.
///
/// # Errors
/// [`Error`]: all problems of the file, several as [`Error::Several`].
pub fn parse(path: &Path, text: &str, home: Option<&Path>) -> Result<File, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = Document::new(path, text);
    let mut root = document.root()?;
    let mut reading = Reading {
        folder: path.parent().unwrap_or(path),
        home,
        problems: Vec::new(),
    };
    let ledger = root
        .text("ledger", &mut reading.problems)
        .and_then(|written| reading.path("ledger", written));
    let panels: Vec<PanelEntry> = root
        .tables(
            "panel",
            "a list of tables: start each with [[panel]], two brackets on each side",
            &mut reading.problems,
        )
        .into_iter()
        .filter_map(|section| reading.panel(section))
        .collect();
    let destinations: Vec<DestinationEntry> = root
        .tables(
            "destination",
            "a list of tables: start each with [[destination]], two brackets on each side",
            &mut reading.problems,
        )
        .into_iter()
        .filter_map(|section| reading.destination(section))
        .collect();
    let mirror = root
        .table("mirror", &mut reading.problems)
        .map(|section| reading.mirror(section))
        .unwrap_or_default();
    let drill = root
        .table("drill", &mut reading.problems)
        .map(|section| reading.drill(section))
        .unwrap_or_default();
    let prune = root
        .table("prune", &mut reading.problems)
        .map(|section| reading.prune(section))
        .unwrap_or_default();
    root.close(&mut reading.problems);
    let mut problems = reading.problems;
    clashes(&panels, &destinations, &mut problems);
    problems.sort_by(|a, b| a.place().cmp(&b.place()));
    Error::all(problems)?;
    Ok(File {
        path: path.to_owned(),
        ledger,
        panels,
        destinations,
        mirror,
        drill,
        prune,
    })
}

fn clashes(panels: &[PanelEntry], destinations: &[DestinationEntry], problems: &mut Vec<Error>) {
    for (at, panel) in panels.iter().enumerate() {
        let mut before = panels.iter().take(at);
        if let Some(first) = before.find(|first| first.name.value == panel.name.value) {
            problems.push(Error::Clash {
                place: Some(panel.name.place.clone()),
                what: format!(
                    "two panels are called `{}`; the first is on line {}",
                    panel.name.value, first.name.place.line
                ),
                fix: "give each panel a name of its own".to_owned(),
            });
        }
    }
    for (at, destination) in destinations.iter().enumerate() {
        for first in destinations.iter().take(at) {
            if let Some(error) = clash(first, destination) {
                problems.push(error);
                break;
            }
        }
    }
}

fn clash(first: &DestinationEntry, second: &DestinationEntry) -> Option<Error> {
    if first.name.value == second.name.value {
        return Some(Error::Clash {
            place: Some(second.name.place.clone()),
            what: format!(
                "two destinations are called `{}`; the first is on line {}",
                second.name.value, first.name.place.line
            ),
            fix: "give each destination a name of its own".to_owned(),
        });
    }
    let how = second
        .location
        .overlap(second.endpoint(), &first.location, first.endpoint());
    overlap_error(
        how,
        (second.name.value.as_str(), Some(&second.url.place)),
        first.name.value.as_str(),
    )
}

/// The error for two roots that share a place.
pub(super) fn overlap_error(
    how: Overlap,
    (second, place): (&str, Option<&Place>),
    first: &str,
) -> Option<Error> {
    let what = match how {
        Overlap::Apart => return None,
        Overlap::Same => format!("the destinations `{first}` and `{second}` are the same place"),
        Overlap::Inside => {
            format!("the destination `{second}` lies inside the destination `{first}`")
        }
        Overlap::Around => {
            format!("the destination `{first}` lies inside the destination `{second}`")
        }
    };
    Some(Error::Clash {
        place: place.cloned(),
        what,
        fix: "give each destination a root of its own, side by side; two copies in one place are one copy"
            .to_owned(),
    })
}
