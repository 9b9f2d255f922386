//! The destinations in play, from flags and file.

use std::collections::BTreeMap;

use crate::config::error::Error;
use crate::config::file::DestinationEntry;
use crate::config::file::OptionValue;
use crate::config::file::overlap_error;
use crate::config::location::Location;
use crate::config::recipients;
use crate::config::resolve::Resolver;
use crate::config::resolve::needs::Need;
use crate::config::resolve::unknown_name;
use crate::config::settings::DestinationOrigin;
use crate::config::settings::DestinationSettings;
use crate::config::settings::prune::KeepRule;
use crate::config::source::Source;
use crate::config::value::repeatable;
use crate::model::ids::DestinationName;
use crate::model::recipient::Recipient;

impl Resolver<'_> {
    pub(super) fn destinations(&mut self) -> Vec<DestinationSettings> {
        let wanted = self.flags.to.clone();
        let encrypt_to = self.recipients_of_flag();
        let mut chosen: Vec<(DestinationSettings, Location, Option<String>)> = Vec::new();
        if wanted.is_empty() {
            for entry in self.file_destinations().to_vec() {
                chosen.push(self.file_destination(&entry));
            }
        }
        for text in &wanted {
            let Some(destination) = self.named_destination(text, self.places, &encrypt_to) else {
                continue;
            };
            if chosen
                .iter()
                .any(|(known, _, _)| known.name == destination.0.name)
            {
                continue;
            }
            let clash = chosen.iter().find_map(|(known, location, endpoint)| {
                let how =
                    destination
                        .1
                        .overlap(destination.2.as_deref(), location, endpoint.as_deref());
                overlap_error(
                    how,
                    (destination.0.name.as_str(), None),
                    known.name.as_str(),
                )
            });
            match clash {
                Some(error) => self.problems.push(error),
                None => chosen.push(destination),
            }
        }
        let is_typed =
            |known: &DestinationSettings| matches!(known.origin, DestinationOrigin::OneShot);
        if !self.flags.encrypt_to.is_empty() && !chosen.iter().any(|(known, _, _)| is_typed(known))
        {
            self.problems.push(Error::Clash {
                place: None,
                what: format!(
                    "{} is for destinations that --to names by folder or URL, and there is none",
                    recipients::FLAG
                ),
                fix: "destinations of the configuration are encrypted by their own `encrypt_to`"
                    .to_owned(),
            });
        }
        if chosen.is_empty() && self.needs.destinations == Need::Some && wanted.is_empty() {
            let what = if self.places == "--to" {
                "there is no destination to mirror to"
            } else {
                "there is no destination to read from"
            };
            self.problems.push(Error::Missing {
                what: what.to_owned(),
                fix: format!(
                    "give {} with a folder such as ./offsite or a URL such as s3://bucket/prefix, or add a [[destination]] {}",
                    self.places,
                    self.file_in_words()
                ),
            });
        }
        chosen
            .into_iter()
            .map(|(destination, _, _)| destination)
            .collect()
    }

    /// The root of a panel's backup disk: a place of the same kinds as a destination's.
    pub(super) fn disk_place(&mut self, text: &str) -> Option<DestinationSettings> {
        self.named_destination(text, "--backup-disk", &[])
            .map(|(settings, _, _)| settings)
    }

    fn named_destination(
        &mut self,
        text: &str,
        flag: &'static str,
        encrypt_to: &[Recipient],
    ) -> Option<(DestinationSettings, Location, Option<String>)> {
        let entry = self
            .file_destinations()
            .iter()
            .find(|entry| entry.name.value.as_str() == text)
            .cloned();
        match entry {
            Some(entry) => Some(self.file_destination(&entry)),
            None => self.one_shot_destination(text, flag, encrypt_to),
        }
    }

    fn recipients_of_flag(&mut self) -> Vec<Recipient> {
        let written: Vec<(String, Source)> = self
            .flags
            .encrypt_to
            .iter()
            .map(|text| (text.clone(), Source::Flag(recipients::FLAG)))
            .collect();
        recipients::read(recipients::FLAG, &written, &mut self.problems)
    }

    fn file_destination(
        &mut self,
        entry: &DestinationEntry,
    ) -> (DestinationSettings, Location, Option<String>) {
        let name = entry.name.value.clone();
        self.sources
            .note(format!("destination.{name}.name"), entry.name.source());
        self.sources
            .note(format!("destination.{name}.url"), entry.url.source());
        let mut options = BTreeMap::new();
        let mut option_files = BTreeMap::new();
        for (option, written) in &entry.options {
            self.sources.note(
                format!("destination.{name}.options.{option}"),
                written.source(),
            );
            match &written.value {
                OptionValue::Inline(value) => {
                    options.insert(option.clone(), value.clone());
                }
                OptionValue::File(path) => {
                    option_files.insert(option.clone(), path.clone());
                }
            }
        }
        if let Some(encrypt_to) = &entry.encrypt_to {
            let setting = format!("destination.{name}.{}", recipients::KEY);
            self.sources.note(setting, encrypt_to.source());
        }
        if let Some(keep) = &entry.keep {
            self.sources
                .note(format!("destination.{name}.keep"), keep.source());
        }
        for (number, rule) in entry.rules.iter().enumerate() {
            let setting = |key: &str| format!("destination.{name}.rule.{number}.{key}");
            self.sources.note(setting("servers"), rule.servers.source());
            self.sources.note(setting("keep"), rule.keep.source());
        }
        let settings = DestinationSettings {
            name,
            url: entry.url.value.clone(),
            options,
            option_files,
            encrypt_to: entry
                .encrypt_to
                .as_ref()
                .map(|written| written.value.clone())
                .unwrap_or_default(),
            keep: entry.keep.as_ref().map(|keep| keep.value.clone()),
            rules: entry
                .rules
                .iter()
                .map(|rule| KeepRule {
                    servers: rule.servers.value.clone(),
                    keep: rule.keep.value.clone(),
                })
                .collect(),
            origin: DestinationOrigin::Configured,
        };
        let endpoint = entry.endpoint().map(str::to_owned);
        (settings, entry.location.clone(), endpoint)
    }

    fn one_shot_destination(
        &mut self,
        text: &str,
        flag: &'static str,
        encrypt_to: &[Recipient],
    ) -> Option<(DestinationSettings, Location, Option<String>)> {
        let is_word = !text.contains('/') && !matches!(text, "." | ".." | "~");
        if is_word && !text.is_empty() {
            let known: Vec<&str> = self
                .file_destinations()
                .iter()
                .map(|entry| entry.name.value.as_str())
                .collect();
            let fix = format!("for a folder write ./{}", repeatable(text));
            self.problems
                .push(unknown_name("destination", text, &known, &fix));
            return None;
        }
        let bad = |why: String, fix: String| Error::BadValue {
            from: Source::Flag(flag),
            key: flag.to_owned(),
            why,
            fix,
        };
        let base = self.environment.current_dir();
        let location = match Location::parse(text, base, self.environment.home()) {
            Ok(location) => location,
            Err(refused) => {
                self.problems.push(bad(refused.why, refused.fix));
                return None;
            }
        };
        let name: DestinationName = match text.parse() {
            Ok(name) => name,
            Err(_too_long) => {
                self.problems.push(bad(
                    "it is longer than 200 characters".to_owned(),
                    "give it a short name with a [[destination]] in the configuration".to_owned(),
                ));
                return None;
            }
        };
        for key in ["name", "url"] {
            self.sources
                .note(format!("destination.{name}.{key}"), Source::Flag(flag));
        }
        if !encrypt_to.is_empty() {
            let setting = format!("destination.{name}.{}", recipients::KEY);
            self.sources.note(setting, Source::Flag(recipients::FLAG));
        }
        let settings = DestinationSettings {
            name,
            url: location.url.clone(),
            options: BTreeMap::new(),
            option_files: BTreeMap::new(),
            encrypt_to: encrypt_to.to_vec(),
            keep: None,
            rules: Vec::new(),
            origin: DestinationOrigin::OneShot,
        };
        Some((settings, location, None))
    }
}
