//! Reports for programs: the `--json` documents.
//!
//! One document a command, on one line, described by the JSON Schemas below. Once released, a
//! document of one version only changes in ways that its schema allows.

mod drill;
pub mod ledger;
mod list;
pub mod mark;
mod mirror;
pub mod panel;
mod prune;
mod restore;
mod status;
mod verify;

use std::io;
use std::io::Write;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::model::text::acts_on_a_terminal;
pub use crate::report::json::drill::DRILL_SCHEMA;
pub use crate::report::json::drill::drill;
pub use crate::report::json::drill::drill_counts;
pub use crate::report::json::list::LIST_SCHEMA;
pub use crate::report::json::list::list;
pub use crate::report::json::mirror::MIRROR_SCHEMA;
pub use crate::report::json::mirror::counts;
pub use crate::report::json::mirror::mirror;
pub use crate::report::json::prune::PRUNE_SCHEMA;
pub use crate::report::json::prune::prune;
pub use crate::report::json::prune::prune_counts;
pub use crate::report::json::restore::RESTORE_SCHEMA;
pub use crate::report::json::restore::SHEET_SCHEMA;
pub use crate::report::json::restore::restore;
pub use crate::report::json::restore::sheet;
pub use crate::report::json::status::STATUS_SCHEMA;
pub use crate::report::json::status::status;
pub use crate::report::json::verify::VERIFY_SCHEMA;
pub use crate::report::json::verify::verify;
pub use crate::report::json::verify::verify_counts;

fn count<T>(of: &[T]) -> u64 {
    u64::try_from(of.len()).unwrap_or(u64::MAX)
}

fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut buffered = io::BufWriter::new(out);
    let mut serializer = Serializer::with_formatter(&mut buffered, TerminalSafe);
    document
        .serialize(&mut serializer)
        .map_err(io::Error::from)?;
    buffered.write_all(b"\n")?;
    buffered.flush()
}

/// Compact JSON in which characters that act on a terminal are written as `\u` escapes, those
/// included that JSON itself would let through; any reader gets the same text back.
struct TerminalSafe;

impl Formatter for TerminalSafe {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut rest = fragment;
        while let Some(at) = rest.find(acts_on_a_terminal) {
            let (plain, hostile) = rest.split_at_checked(at).unwrap_or((rest, ""));
            writer.write_all(plain.as_bytes())?;
            let mut characters = hostile.chars();
            if let Some(character) = characters.next() {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}
