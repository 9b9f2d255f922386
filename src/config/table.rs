//! The tables of the configuration file, each read into its entry.

mod drill;
mod prune;

use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use crate::config::address;
use crate::config::error::Error;
use crate::config::file::DestinationEntry;
use crate::config::file::MirrorEntry;
use crate::config::file::OptionValue;
use crate::config::file::PanelEntry;
use crate::config::key::KeyCommand;
use crate::config::key::OwnKey;
use crate::config::location::Location;
use crate::config::location::absolute;
use crate::config::reader::Section;
use crate::config::reader::Written;
use crate::config::recipients;
use crate::config::secret_file;
use crate::config::source::Place;
use crate::config::source::Source;
use crate::config::value;
use crate::config::value::BadValue;
use crate::config::value::repeatable;
use crate::model::backup::ChecksumPolicy;
use crate::model::backup::DigestNeed;
use crate::model::content::Inspect;
use crate::model::secret::Secret;
use crate::model::selector::ServerSelector;

/// Options of stores whose own names end in `_file`: what they name is read by the store, not by us.
const OWN_FILE_OPTIONS: [&str; 6] = [
    "web_identity_token_file",
    "aws_web_identity_token_file",
    "container_authorization_token_file",
    "aws_container_authorization_token_file",
    "federated_token_file",
    "azure_federated_token_file",
];

const SIZE: &str = "a size such as \"50MiB\"";
const DURATION: &str = "a duration such as \"26h\" or \"30d\"";
const SUBSET: &str = "a part of what is held such as \"2%\", \"1/50\" or \"20GiB\"";
const PROTECT: &str = "\"none\" or \"lock\"";
const NUMBER: &str = "a whole number";
const SERVERS: &str = "a list of ids, uuids or name globs, such as [\"d3aac109\", \"survival-*\"]";

/// A reading in progress: what paths are relative to, and what was found wrong.
pub(super) struct Reading<'p> {
    pub(super) folder: &'p Path,
    pub(super) home: Option<&'p Path>,
    pub(super) problems: Vec<Error>,
}

impl Reading<'_> {
    fn bad(&mut self, place: &Place, key: &str, why: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(Error::BadValue {
            from: Source::File(place.clone()),
            key: key.to_owned(),
            why: why.into(),
            fix: fix.into(),
        });
    }

    pub(super) fn path(&mut self, key: &str, written: Written<String>) -> Option<Written<PathBuf>> {
        let Written { value, place } = written;
        if value.trim().is_empty() || value.contains('\0') {
            self.bad(
                &place,
                key,
                "it names no file",
                "write a path, such as \"/etc/nestegg/main.key\"",
            );
            return None;
        }
        let value = absolute(Path::new(&value), self.folder, self.home);
        Some(Written { value, place })
    }

    fn name<N: FromStr>(&mut self, written: Written<String>) -> Option<Written<N>> {
        let Written { value, place } = written;
        if value.contains('/') || value.trim() != value || matches!(value.as_str(), "." | "..") {
            self.bad(
                &place,
                "name",
                "a name is a plain word: without `/`, not `.` or `..`, without blanks around it",
                "call it, for example, \"main\"",
            );
            return None;
        }
        if let Ok(value) = value.parse() {
            Some(Written { value, place })
        } else {
            self.bad(
                &place,
                "name",
                "a name has 1 to 200 printable characters",
                "call it, for example, \"main\"",
            );
            None
        }
    }

    pub(super) fn panel(&mut self, mut section: Section<'_, '_>) -> Option<PanelEntry> {
        let name = section
            .needed_text("name", "name = \"main\"", &mut self.problems)
            .and_then(|written| self.name(written));
        let url = section
            .needed_text(
                "url",
                "url = \"https://panel.example.com\"",
                &mut self.problems,
            )
            .and_then(|written| match address::parse(&written.value) {
                Ok(value) => Some(Written {
                    value,
                    place: written.place,
                }),
                Err(bad) => {
                    self.bad(&written.place, "url", bad.why, bad.fix);
                    None
                }
            });
        section.refuse(
            "api_key",
            "a key doesn't belong into this file",
            "put it into a file of its own with mode 0600, and write api_key_file = \"/etc/nestegg/main.key\"",
            &mut self.problems,
        );
        let key_file = section
            .text("api_key_file", &mut self.problems)
            .and_then(|written| self.path("api_key_file", written));
        let command = section.list(
            "api_key_command",
            &mut self.problems,
            "a list of a program and its arguments, such as [\"pass\", \"show\", \"panel\"]; no shell reads it",
            |word| Ok(word.to_owned()),
        );
        let key = self.key(key_file, command);
        let selector = |text: &str| {
            text.parse::<ServerSelector>()
                .map_err(|bad| BadValue(bad.to_string()))
        };
        let servers = section.list("servers", &mut self.problems, SERVERS, selector);
        let all_servers = section.truth("all_servers", &mut self.problems);
        let exclude = section.list("exclude", &mut self.problems, SERVERS, selector);
        let checksum = section.parsed(
            "checksum",
            &mut self.problems,
            "\"panel\" or \"structure\"",
            |text| match text {
                "panel" => Ok(ChecksumPolicy::Panel),
                "structure" => Ok(ChecksumPolicy::Structure),
                other => Err(BadValue(format!(
                    "`{}` is neither `panel` (a digest must match) nor `structure` (this panel's digests are not the archives')",
                    repeatable(other)
                ))),
            },
        );
        section.close(&mut self.problems);
        if let Some(servers) = servers.as_ref().filter(|servers| servers.value.is_empty()) {
            self.bad(
                &servers.place,
                "servers",
                "an empty list selects no server",
                "write [\"*\"] for all servers of the key, or leave it out",
            );
        }
        if let Some(exclude) = exclude
            .as_ref()
            .filter(|exclude| exclude.value.contains(&ServerSelector::Any))
        {
            self.bad(
                &exclude.place,
                "exclude",
                "`*` leaves out every server",
                "name those that are to be left out",
            );
        }
        Some(PanelEntry {
            name: name?,
            url: url?,
            key,
            servers,
            all_servers,
            exclude,
            checksum,
        })
    }

    fn key(
        &mut self,
        file: Option<Written<PathBuf>>,
        command: Option<Written<Vec<String>>>,
    ) -> Option<Written<OwnKey>> {
        match (file, command) {
            (Some(_), Some(command)) => {
                self.problems.push(Error::Clash {
                    place: Some(command.place),
                    what: "a panel has both `api_key_file` and `api_key_command`".to_owned(),
                    fix: "leave one of them".to_owned(),
                });
                None
            }
            (Some(file), None) => {
                if let Err(error) =
                    secret_file::not_a_key(&file.value, "`api_key_file`", Some(&file.place))
                {
                    self.problems.push(error);
                    return None;
                }
                Some(Written {
                    value: OwnKey::File(file.value),
                    place: file.place,
                })
            }
            (None, Some(command)) => {
                let mut words = command.value.into_iter();
                let Some(program) = words.next().filter(|program| !program.is_empty()) else {
                    self.bad(
                        &command.place,
                        "api_key_command",
                        "it names no program",
                        "write a program and its arguments, such as [\"pass\", \"show\", \"panel\"]",
                    );
                    return None;
                };
                Some(Written {
                    value: OwnKey::Command(KeyCommand {
                        program,
                        arguments: words.collect(),
                    }),
                    place: command.place,
                })
            }
            (None, None) => None,
        }
    }

    pub(super) fn destination(&mut self, mut section: Section<'_, '_>) -> Option<DestinationEntry> {
        let name = section
            .needed_text("name", "name = \"disk\"", &mut self.problems)
            .and_then(|written| self.name(written));
        let url = section.needed_text(
            "url",
            "url = \"s3://my-bucket/panel\", or a path such as \"/mnt/backup\"",
            &mut self.problems,
        );
        let location =
            url.and_then(
                |written| match Location::parse(&written.value, self.folder, self.home) {
                    Ok(value) => Some(Written {
                        value,
                        place: written.place,
                    }),
                    Err(bad) => {
                        self.bad(&written.place, "url", bad.why, bad.fix);
                        None
                    }
                },
            );
        let encrypt_to = section
            .texts(recipients::KEY, &mut self.problems, recipients::EXPECTED)
            .map(|list| recipients::of_file(list, &mut self.problems));
        let options = section
            .table("options", &mut self.problems)
            .map(|options| self.options(options))
            .unwrap_or_default();
        let keep = section
            .table("keep", &mut self.problems)
            .map(|keep| self.keep(keep));
        let rules = section
            .tables(
                "rule",
                "a list of tables: start each with [[destination.rule]], two brackets on each side",
                &mut self.problems,
            )
            .into_iter()
            .filter_map(|section| self.keep_rule(section))
            .collect();
        section.close(&mut self.problems);
        let (name, location) = (name?, location?);
        Some(DestinationEntry {
            name,
            url: Written {
                value: location.value.url.clone(),
                place: location.place,
            },
            options,
            encrypt_to,
            keep,
            rules,
            location: location.value,
        })
    }

    fn options(&mut self, section: Section<'_, '_>) -> Vec<(String, Written<OptionValue>)> {
        let mut options: Vec<(String, Written<OptionValue>)> = Vec::new();
        for (key, Written { value, place }) in section.rest(&mut self.problems) {
            let bare = key
                .strip_suffix("_file")
                .filter(|bare| !bare.is_empty() && !OWN_FILE_OPTIONS.contains(&key.as_str()));
            let (name, value) = match bare {
                Some(bare) => {
                    let written = Written {
                        value,
                        place: place.clone(),
                    };
                    let Some(path) = self.path(&key, written) else {
                        continue;
                    };
                    (bare.to_owned(), OptionValue::File(path.value))
                }
                None => (key, OptionValue::Inline(Secret::new(value))),
            };
            if options.iter().any(|(known, _)| *known == name) {
                self.problems.push(Error::Clash {
                    place: Some(place),
                    what: format!("the options have both `{name}` and `{name}_file`"),
                    fix: "leave one of them".to_owned(),
                });
                continue;
            }
            options.push((name, Written { value, place }));
        }
        options
    }

    pub(super) fn mirror(&mut self, mut section: Section<'_, '_>) -> MirrorEntry {
        let problems = &mut self.problems;
        let entry = MirrorEntry {
            transfers: section.parsed("transfers", problems, NUMBER, value::transfers),
            limit_rate: section.parsed("limit_rate", problems, SIZE, value::rate),
            max_age: section.parsed("max_age", problems, DURATION, value::age),
            max_duration: section.parsed("max_duration", problems, DURATION, value::duration),
            inspect: section.truth("inspect", problems).map(|written| Written {
                value: if written.value {
                    Inspect::On
                } else {
                    Inspect::WhenNeeded
                },
                place: written.place,
            }),
            need: section
                .truth("require_checksum", problems)
                .map(|written| Written {
                    value: if written.value {
                        DigestNeed::Required
                    } else {
                        DigestNeed::Optional
                    },
                    place: written.place,
                }),
            newest: section.parsed("newest", problems, NUMBER, value::newest),
            since: section.parsed("since", problems, DURATION, value::age),
            retry_lock: section.parsed("retry_lock", problems, DURATION, value::wait),
            verify_subset: section.parsed("verify_subset", problems, SUBSET, value::subset),
            protect: section.parsed("protect", problems, PROTECT, value::protect),
        };
        section.close(problems);
        entry
    }
}
