//! Settings as `config show` prints them: values that may be seen, each with its source.

use std::io;
use std::io::Write;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::config::Settings;
use crate::config::key::KeyOrigin;
use crate::config::resolve::secrets::is_plain_option;
use crate::config::settings::DestinationSettings;
use crate::config::settings::MirrorSettings;
use crate::config::settings::PanelSettings;
use crate::config::settings::prune::PruneSettings;
use crate::config::source::Source;
use crate::model::backup::ChecksumPolicy;
use crate::model::backup::DigestNeed;
use crate::model::content::Inspect;
use crate::model::member::MemberGlob;
use crate::model::recipient::Recipient;
use crate::model::retention::KeepPolicy;
use crate::model::selector::ServerSelector;
use crate::model::server::MASK;
use crate::model::server::ServerScope;
use crate::model::subset::Subset;

/// The column at which sources start, where the value leaves room.
const SOURCE_COLUMN: usize = 44;

/// All that is shown.
#[derive(Debug)]
pub(super) struct Shown {
    file: Option<String>,
    top: Vec<Line>,
    panels: Vec<Vec<Line>>,
    destinations: Vec<Place>,
    mirror: Vec<Line>,
    drill: Vec<Line>,
    drill_rules: Vec<Vec<Line>>,
    prune: Vec<Line>,
    warnings: Vec<String>,
}

/// A destination, and what it says of the copies of some servers.
#[derive(Debug)]
struct Place {
    lines: Vec<Line>,
    rules: Vec<Vec<Line>>,
}

/// One value; [`Value::Null`] is one that is not set.
#[derive(Debug)]
struct Line {
    key: String,
    value: Value,
    source: String,
}

impl Shown {
    pub(super) fn of(settings: &Settings) -> Self {
        let line = |setting: String, key: &str, value: Value| Line {
            key: key.to_owned(),
            value,
            source: settings.sources.of(&setting).to_string(),
        };
        let ledger = settings.ledger.display().to_string();
        Self {
            file: settings
                .config
                .as_ref()
                .map(|file| file.display().to_string()),
            top: vec![line("ledger".to_owned(), "ledger", Value::from(ledger))],
            panels: settings
                .panels
                .iter()
                .map(|panel| {
                    let mut lines: Vec<Line> = panel_values(panel)
                        .into_iter()
                        .map(|(key, value)| line(format!("panel.{}.{key}", panel.name), key, value))
                        .collect();
                    lines.insert(2, key_line(&panel.key_origin));
                    lines
                })
                .collect(),
            destinations: settings
                .destinations
                .iter()
                .map(|destination| {
                    let name = &destination.name;
                    let written = |below: String, values: Vec<(String, String, Value)>| {
                        let of_it = |(setting, key, value): (String, String, Value)| {
                            line(format!("destination.{name}.{below}{setting}"), &key, value)
                        };
                        values.into_iter().map(of_it).collect()
                    };
                    let rules = destination.rules.iter().enumerate().map(|(number, rule)| {
                        let servers = words(&rule.servers);
                        let mut values =
                            vec![("servers".to_owned(), "servers".to_owned(), servers)];
                        values.extend(keep_values(&rule.keep));
                        written(format!("rule.{number}."), values)
                    });
                    Place {
                        rules: rules.collect(),
                        lines: written(String::new(), destination_values(destination)),
                    }
                })
                .collect(),
            mirror: mirror_values(&settings.mirror)
                .into_iter()
                .map(|(key, value)| line(format!("mirror.{key}"), key, value))
                .collect(),
            drill: vec![
                line(
                    "drill.sample".to_owned(),
                    "sample",
                    Value::from(settings.drill.sample),
                ),
                line(
                    "drill.must_contain".to_owned(),
                    "must_contain",
                    globs(&settings.drill.must_contain),
                ),
            ],
            drill_rules: settings
                .drill
                .rules
                .iter()
                .enumerate()
                .map(|(number, rule)| {
                    let rule_line =
                        |key: &str, value| line(format!("drill.rule.{number}.{key}"), key, value);
                    vec![
                        rule_line("servers", words(&rule.servers)),
                        rule_line("must_contain", globs(&rule.must_contain)),
                    ]
                })
                .collect(),
            prune: prune_values(&settings.prune)
                .into_iter()
                .map(|(key, value)| line(format!("prune.{key}"), key, value))
                .collect(),
            warnings: settings.warnings.clone(),
        }
    }

    pub(super) fn document(&self) -> Value {
        let table = |lines: &Vec<Line>| {
            let entries: Map<String, Value> = lines
                .iter()
                .map(|line| {
                    let entry = json!({ "value": line.value, "source": line.source });
                    (line.key.clone(), entry)
                })
                .collect();
            Value::Object(entries)
        };
        json!({
            "schema": "nestegg.config-show/1",
            "file": self.file,
            "settings": table(&self.top),
            "panels": self.panels.iter().map(table).collect::<Vec<_>>(),
            "destinations": self.destinations.iter().map(|place| table(&place.lines)).collect::<Vec<_>>(),
            "destination_rules": self
                .destinations
                .iter()
                .map(|place| place.rules.iter().map(table).collect::<Vec<_>>())
                .collect::<Vec<_>>(),
            "mirror": table(&self.mirror),
            "drill": table(&self.drill),
            "drill_rules": self.drill_rules.iter().map(table).collect::<Vec<_>>(),
            "prune": table(&self.prune),
            "warnings": self.warnings,
        })
    }

    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.file {
            Some(file) => writeln!(out, "# {file}")?,
            None => writeln!(out, "# no configuration file")?,
        }
        write_lines(&self.top, out)?;
        for lines in &self.panels {
            writeln!(out, "\n[[panel]]")?;
            write_lines(lines, out)?;
        }
        for place in &self.destinations {
            writeln!(out, "\n[[destination]]")?;
            write_lines(&place.lines, out)?;
            for lines in &place.rules {
                writeln!(out, "\n[[destination.rule]]")?;
                write_lines(lines, out)?;
            }
        }
        writeln!(out, "\n[mirror]")?;
        write_lines(&self.mirror, out)?;
        writeln!(out, "\n[drill]")?;
        write_lines(&self.drill, out)?;
        for lines in &self.drill_rules {
            writeln!(out, "\n[[drill.rule]]")?;
            write_lines(lines, out)?;
        }
        writeln!(out, "\n[prune]")?;
        write_lines(&self.prune, out)
    }
}

fn write_lines(lines: &[Line], out: &mut dyn Write) -> io::Result<()> {
    for line in lines {
        let text = match toml_of(&line.value) {
            Some(value) => format!("{} = {value}", line.key),
            None => format!("# {} is not set", line.key),
        };
        let from = if line.source == Source::Default.to_string() {
            ""
        } else {
            "from "
        };
        writeln!(out, "{text:<SOURCE_COLUMN$}  # {from}{}", line.source)?;
    }
    Ok(())
}

/// A value as TOML; `None` for one that is not set.
fn toml_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(quoted(text)),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(toml_of).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Some(value.to_string()),
    }
}

/// A text as TOML writes it, on one line.
fn quoted(text: &str) -> String {
    if text.contains(['\n', '\r', '\'', '"', '\\']) || text.chars().any(char::is_control) {
        // TOML's basic strings share JSON's escapes.
        Value::from(text).to_string()
    } else {
        format!("\"{text}\"")
    }
}

fn key_line(origin: &KeyOrigin) -> Line {
    let (key, value) = match origin {
        KeyOrigin::File { path, .. } => ("api_key_file", Value::from(path.display().to_string())),
        KeyOrigin::Command { command, .. } => {
            let mut words = vec![command.program.as_str()];
            words.extend(command.arguments.iter().map(|_hidden| MASK));
            ("api_key_command", json!(words))
        }
        KeyOrigin::Flag(_)
        | KeyOrigin::Variable
        | KeyOrigin::VariableFile(_)
        | KeyOrigin::OwnCredential(_)
        | KeyOrigin::SharedCredential(_) => ("api_key", Value::from(MASK)),
        KeyOrigin::Missing { .. } => ("api_key", Value::Null),
    };
    Line {
        key: key.to_owned(),
        value,
        source: origin.describe(),
    }
}

fn words(selectors: &[ServerSelector]) -> Value {
    let words: Vec<&str> = selectors.iter().map(ServerSelector::as_str).collect();
    json!(words)
}

fn globs(globs: &[MemberGlob]) -> Value {
    let texts: Vec<&str> = globs.iter().map(MemberGlob::as_str).collect();
    json!(texts)
}

fn panel_values(panel: &PanelSettings) -> Vec<(&'static str, Value)> {
    let checksum = match panel.checksum {
        ChecksumPolicy::Panel => "panel",
        ChecksumPolicy::Structure => "structure",
    };
    vec![
        ("name", Value::from(panel.name.as_str())),
        ("url", Value::from(panel.url.as_str())),
        ("servers", words(&panel.selectors)),
        (
            "all_servers",
            Value::from(panel.scope == ServerScope::WholePanel),
        ),
        ("exclude", words(&panel.exclude)),
        ("checksum", Value::from(checksum)),
    ]
}

/// Setting (below the destination), key as shown, value.
fn destination_values(destination: &DestinationSettings) -> Vec<(String, String, Value)> {
    let same = |key: &str, value: Value| (key.to_owned(), key.to_owned(), value);
    let mut values = vec![
        same("name", Value::from(destination.name.as_str())),
        same("url", Value::from(destination.url.as_str())),
    ];
    for (option, value) in &destination.options {
        if destination.option_files.contains_key(option) {
            continue;
        }
        let text = value.expose();
        let may_be_seen = is_plain_option(option) && !text.contains(['@', '?']);
        let shown = if may_be_seen { text } else { MASK };
        values.push((
            format!("options.{option}"),
            format!("options.{}", key_of(option)),
            Value::from(shown),
        ));
    }
    for (option, path) in &destination.option_files {
        values.push((
            format!("options.{option}"),
            format!("options.{}", key_of(&format!("{option}_file"))),
            Value::from(path.display().to_string()),
        ));
    }
    if !destination.encrypt_to.is_empty() {
        let recipients: Vec<&str> = destination
            .encrypt_to
            .iter()
            .map(Recipient::as_str)
            .collect();
        values.push(same("encrypt_to", json!(recipients)));
    }
    if let Some(keep) = &destination.keep {
        values.extend(keep_values(keep));
    }
    values
}

/// A key as TOML writes it: bare where that is possible.
fn key_of(key: &str) -> String {
    let is_bare = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}

/// Setting, key as shown, value of each rule; of a policy that keeps everything, that it is empty.
fn keep_values(keep: &KeepPolicy) -> Vec<(String, String, Value)> {
    let counts = [
        ("last", keep.last),
        ("hourly", keep.hourly),
        ("daily", keep.daily),
        ("weekly", keep.weekly),
        ("monthly", keep.monthly),
        ("yearly", keep.yearly),
    ];
    let counts = counts
        .into_iter()
        .filter_map(|(key, count)| Some((key, Value::from(count?))));
    let within = keep
        .within
        .map(|within| ("within", Value::from(format!("{:#}", within.0))));
    let shown: Vec<(String, String, Value)> = counts
        .chain(within)
        .map(|(key, value)| ("keep".to_owned(), format!("keep.{key}"), value))
        .collect();
    if shown.is_empty() {
        return vec![("keep".to_owned(), "keep".to_owned(), json!({}))];
    }
    shown
}

fn prune_values(prune: &PruneSettings) -> Vec<(&'static str, Value)> {
    vec![
        ("verify_within", age(prune.verify_within)),
        ("shrink_alarm", Value::from(prune.shrink_alarm.to_string())),
        ("max_delete", json!(prune.max_delete)),
    ]
}

fn mirror_values(mirror: &MirrorSettings) -> Vec<(&'static str, Value)> {
    vec![
        ("transfers", Value::from(mirror.transfers)),
        ("limit_rate", mirror.limit_rate.map_or(Value::Null, size)),
        ("max_age", mirror.max_age.map_or(Value::Null, age)),
        (
            "max_duration",
            mirror.max_duration.map_or(Value::Null, duration),
        ),
        ("inspect", Value::from(mirror.inspect == Inspect::On)),
        (
            "require_checksum",
            Value::from(mirror.need == DigestNeed::Required),
        ),
        ("newest", json!(mirror.newest)),
        ("since", mirror.since.map_or(Value::Null, age)),
        ("retry_lock", duration(mirror.retry_lock)),
        (
            "verify_subset",
            mirror.verify_subset.map_or(Value::Null, subset),
        ),
        ("protect", Value::from(mirror.protect.as_str())),
    ]
}

/// A size in the largest unit that says it exactly.
fn size(bytes: u64) -> Value {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let exact = UNITS
        .into_iter()
        .find(|(unit, _)| bytes.is_multiple_of(*unit));
    match exact {
        Some((unit, name)) => Value::from(format!("{}{name}", bytes / unit)),
        None => Value::from(bytes),
    }
}

fn subset(subset: Subset) -> Value {
    match subset {
        Subset::Bytes(bytes) => size(bytes),
        Subset::Percent(_) | Subset::Part(_) => Value::from(subset.to_string()),
    }
}

fn age(age: SignedDuration) -> Value {
    Value::from(format!("{age:#}"))
}

fn duration(length: Duration) -> Value {
    SignedDuration::try_from(length).map_or_else(
        |_too_long| Value::from(format!("{}s", length.as_secs())),
        age,
    )
}
