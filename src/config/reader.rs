//! A TOML document read key by key, so that each complaint has a line, a column and a mend.
//!
//! Problems are collected, not thrown: one look shows an operator all that is wrong. Values are never
//! repeated here, because any of them may be a secret; and the parser's own error is not kept, because
//! it carries the whole text.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeInteger;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::config::error::Error;
use crate::config::source::Place;
use crate::config::source::Source;
use crate::config::value::BadValue;
use crate::config::value::repeatable;

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// Its position.
    pub place: Place,
}

impl<T> Written<T> {
    /// The same place as a source.
    pub fn source(&self) -> Source {
        Source::File(self.place.clone())
    }
}

/// The text, to find lines and columns in.
#[derive(Debug)]
pub(super) struct Document<'t> {
    path: Arc<Path>,
    text: &'t str,
}

impl<'t> Document<'t> {
    pub(super) fn new(path: &Path, text: &'t str) -> Self {
        Self {
            path: Arc::from(path),
            text,
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        // Files are at most 1 MiB long, so that these numbers always fit.
        let from_one = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        Place {
            file: Arc::clone(&self.path),
            line: from_one(before.matches('\n').count()),
            column: from_one(in_line.chars().count()),
        }
    }

    /// The whole document as a table.
    pub(super) fn root<'d>(&'d self) -> Result<Section<'d, 't>, Error> {
        match DeTable::parse(self.text) {
            Ok(table) => Ok(Section::new(
                self,
                "the file".to_owned(),
                self.place(0..0),
                table.into_inner(),
            )),
            Err(error) => Err(Error::Syntax {
                place: self.place(error.span().unwrap_or(0..0)),
                why: error.message().to_owned(),
            }),
        }
    }
}

struct Entry<'t> {
    key: String,
    key_place: Place,
    value_place: Place,
    value: DeValue<'t>,
}

/// One table; each key is taken once, and what is left at the end is unknown.
pub(super) struct Section<'d, 't> {
    document: &'d Document<'t>,
    name: String,
    place: Place,
    entries: Vec<Entry<'t>>,
    known: Vec<&'static str>,
}

impl<'d, 't> Section<'d, 't> {
    fn new(document: &'d Document<'t>, name: String, place: Place, table: DeTable<'t>) -> Self {
        let mut entries: Vec<Entry<'t>> = table
            .into_iter()
            .map(|(key, value)| Entry {
                key_place: document.place(key.span()),
                key: key.into_inner().into_owned(),
                value_place: document.place(value.span()),
                value: value.into_inner(),
            })
            .collect();
        entries.sort_by(|a, b| a.key_place.cmp(&b.key_place));
        Self {
            document,
            name,
            place,
            entries,
            known: Vec::new(),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    fn take(&mut self, key: &'static str) -> Option<Entry<'t>> {
        self.known.push(key);
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// A text.
    pub(super) fn text(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Error>,
    ) -> Option<Written<String>> {
        let entry = self.take(key)?;
        let Some(text) = entry.value.as_str() else {
            problems.push(wrong(&entry, &entry.value, "a text in quotes"));
            return None;
        };
        Some(Written {
            value: text.to_owned(),
            place: entry.value_place,
        })
    }

    /// A text that has to be there.
    pub(super) fn needed_text(
        &mut self,
        key: &'static str,
        example: &'static str,
        problems: &mut Vec<Error>,
    ) -> Option<Written<String>> {
        if !self.entries.iter().any(|entry| entry.key == key) {
            problems.push(Error::MissingKey {
                place: self.place.clone(),
                section: self.name.clone(),
                key,
                example,
            });
        }
        self.text(key, problems)
    }

    /// A text, or a whole number written without quotes, read by `parse`.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Error>,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Result<T, BadValue>,
    ) -> Option<Written<T>> {
        let entry = self.take(key)?;
        let number = entry
            .value
            .as_integer()
            .filter(|number| number.radix() == 10);
        let Some(text) = entry.value.as_str().or(number.map(DeInteger::as_str)) else {
            problems.push(wrong(&entry, &entry.value, expected));
            return None;
        };
        match parse(text) {
            Ok(value) => Some(Written {
                value,
                place: entry.value_place,
            }),
            Err(bad) => {
                problems.push(Error::BadValue {
                    from: Source::File(entry.value_place),
                    key: key.to_owned(),
                    why: bad.0,
                    fix: String::new(),
                });
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn truth(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Error>,
    ) -> Option<Written<bool>> {
        let entry = self.take(key)?;
        let Some(value) = entry.value.as_bool() else {
            problems.push(wrong(&entry, &entry.value, "true or false, without quotes"));
            return None;
        };
        Some(Written {
            value,
            place: entry.value_place,
        })
    }

    /// A list of texts, each read by `parse`.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Error>,
        expected: &'static str,
        parse: impl Fn(&str) -> Result<T, BadValue>,
    ) -> Option<Written<Vec<T>>> {
        let Written { value, place } = self.texts(key, problems, expected)?;
        let mut values = Vec::new();
        for item in value {
            match parse(&item.value) {
                Ok(value) => values.push(value),
                Err(bad) => problems.push(Error::BadValue {
                    from: Source::File(item.place),
                    key: key.to_owned(),
                    why: bad.0,
                    fix: String::new(),
                }),
            }
        }
        Some(Written {
            value: values,
            place,
        })
    }

    /// A list of texts, each with its place.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Error>,
        expected: &'static str,
    ) -> Option<Written<Vec<Written<String>>>> {
        let entry = self.take(key)?;
        let DeValue::Array(items) = &entry.value else {
            problems.push(wrong(&entry, &entry.value, expected));
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            let place = self.document.place(item.span());
            let DeValue::String(text) = item.get_ref() else {
                problems.push(Error::WrongType {
                    place,
                    key: key.to_owned(),
                    expected,
                    found: OTHER_ITEM,
                });
                continue;
            };
            texts.push(Written {
                value: text.to_string(),
                place,
            });
        }
        Some(Written {
            value: texts,
            place: entry.value_place,
        })
    }

    /// A list that has to be there.
    pub(super) fn needed_list<T>(
        &mut self,
        key: &'static str,
        example: &'static str,
        problems: &mut Vec<Error>,
        expected: &'static str,
        parse: impl Fn(&str) -> Result<T, BadValue>,
    ) -> Option<Written<Vec<T>>> {
        if !self.entries.iter().any(|entry| entry.key == key) {
            problems.push(Error::MissingKey {
                place: self.place.clone(),
                section: self.name.clone(),
                key,
                example,
            });
        }
        self.list(key, problems, expected, parse)
    }

    /// A table.
    pub(super) fn table(&mut self, key: &'static str, problems: &mut Vec<Error>) -> Option<Self> {
        let entry = self.take(key)?;
        let Some(table) = entry.value.as_table() else {
            problems.push(wrong(&entry, &entry.value, "a table"));
            return None;
        };
        let name = format!("`{key}`");
        Some(Self::new(
            self.document,
            name,
            entry.key_place,
            table.clone(),
        ))
    }

    /// A table that has to be there.
    pub(super) fn needed_table(
        &mut self,
        key: &'static str,
        example: &'static str,
        problems: &mut Vec<Error>,
    ) -> Option<Self> {
        if !self.entries.iter().any(|entry| entry.key == key) {
            problems.push(Error::MissingKey {
                place: self.place.clone(),
                section: self.name.clone(),
                key,
                example,
            });
        }
        self.table(key, problems)
    }

    /// A list of tables, written `[[key]]`.
    pub(super) fn tables(
        &mut self,
        key: &'static str,
        expected: &'static str,
        problems: &mut Vec<Error>,
    ) -> Vec<Self> {
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = &entry.value else {
            problems.push(wrong(&entry, &entry.value, expected));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            let place = self.document.place(item.span());
            match item.get_ref().as_table() {
                Some(table) => sections.push(Self::new(
                    self.document,
                    format!("[[{key}]]"),
                    place,
                    table.clone(),
                )),
                None => problems.push(Error::WrongType {
                    place,
                    key: key.to_owned(),
                    expected,
                    found: OTHER_ITEM,
                }),
            }
        }
        sections
    }

    /// All keys of a table whose keys are not ours to know; texts, whole numbers and truths as text.
    pub(super) fn rest(mut self, problems: &mut Vec<Error>) -> Vec<(String, Written<String>)> {
        let mut rest = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            let text = match &entry.value {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                DeValue::Boolean(truth) => truth.to_string(),
                other @ (DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_)) => {
                    problems.push(wrong(
                        &entry,
                        other,
                        "a text in quotes, a whole number, true or false",
                    ));
                    continue;
                }
            };
            rest.push((
                entry.key,
                Written {
                    value: text,
                    place: entry.value_place,
                },
            ));
        }
        rest
    }

    /// Complains about a key that is known and not usable.
    pub(super) fn refuse(
        &mut self,
        key: &'static str,
        why: &str,
        fix: &str,
        problems: &mut Vec<Error>,
    ) {
        if let Some(entry) = self.take(key) {
            self.known.pop();
            problems.push(Error::BadValue {
                from: Source::File(entry.key_place),
                key: key.to_owned(),
                why: why.to_owned(),
                fix: fix.to_owned(),
            });
        } else {
            self.known.pop();
        }
    }

    /// Complains about what nobody took.
    pub(super) fn close(self, problems: &mut Vec<Error>) {
        for entry in self.entries {
            problems.push(Error::UnknownKey {
                place: entry.key_place,
                meant: nearest(&entry.key, &self.known),
                key: repeatable(&entry.key),
                section: self.name.clone(),
                known: self.known.clone(),
            });
        }
    }
}

/// What a list is called that holds an item of another type; the position is the item's.
const OTHER_ITEM: &str = "a list with something else in it";

fn wrong(entry: &Entry<'_>, value: &DeValue<'_>, expected: &'static str) -> Error {
    Error::WrongType {
        place: entry.value_place.clone(),
        key: entry.key.clone(),
        expected,
        found: found(value),
    }
}

fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The known word that was probably meant, if one is near enough.
pub(super) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let word = word.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(&word, known), *known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
