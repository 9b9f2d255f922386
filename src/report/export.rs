//! The ledger's copies for other programs: `SHA256SUMS` and CSV.

use std::io;
use std::io::Write;

use crate::model::holding::HeldCopy;
use crate::model::holding::PanelPresence;
use crate::model::text::one_line;

/// Writes a line a copy as `sha256sum` does: the digest of the stored object, and its key below the
/// destination's root; by key. Meant for the copies of one destination.
///
/// # Errors
/// What the writer refuses.
pub fn sha256sums(copies: &[HeldCopy], out: &mut dyn Write) -> io::Result<()> {
    let mut copies: Vec<&HeldCopy> = copies.iter().collect();
    copies.sort_by(|a, b| a.key.cmp(&b.key));
    let mut buffered = io::BufWriter::new(out);
    for copy in copies {
        writeln!(buffered, "{}  {}", copy.stored_sha256.to_hex(), copy.key)?;
    }
    buffered.flush()
}

/// The columns of [`csv`], in their order.
const COLUMNS: [&str; 24] = [
    "panel",
    "server",
    "identifier",
    "server_name",
    "backup",
    "name",
    "created_at",
    "completed_at",
    "on_panel",
    "panel_checksum",
    "destination",
    "location",
    "key",
    "bytes",
    "sha256",
    "stored_bytes",
    "stored_sha256",
    "encryption",
    "entries",
    "unpacked_bytes",
    "etag",
    "verdict",
    "mirrored_at",
    "verified_at",
];

/// Writes a header and a row a copy (RFC 4180).
///
/// Text that a spreadsheet would take for a formula begins with an apostrophe, and characters that act on
/// a terminal are escaped as `\u{1b}`; the JSON document has every text as it is.
///
/// # Errors
/// What the writer refuses.
pub fn csv(copies: &[HeldCopy], out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(COLUMNS)?;
    for copy in copies {
        let structure = copy.structure;
        let some = |number: Option<u64>| number.map_or_else(String::new, |it| it.to_string());
        rows.write_record([
            cell(copy.panel.as_str()),
            copy.server.to_string(),
            cell(&copy.identifier),
            cell(&copy.server_name),
            copy.backup.to_string(),
            cell(&copy.backup_name),
            copy.created_at.to_string(),
            copy.completed_at.to_string(),
            match copy.on_panel {
                PanelPresence::Listed => "listed",
                PanelPresence::Vanished => "vanished",
            }
            .to_owned(),
            cell(copy.panel_checksum.as_deref().unwrap_or_default()),
            cell(copy.destination.as_str()),
            cell(&copy.location),
            copy.key.to_string(),
            copy.archive_bytes.to_string(),
            copy.sha256.to_hex(),
            copy.stored_bytes.to_string(),
            copy.stored_sha256.to_hex(),
            cell(copy.encryption.as_ref().map_or("", |it| it.scheme.as_str())),
            some(structure.map(|walked| walked.entries)),
            some(structure.map(|walked| walked.unpacked_bytes)),
            cell(copy.etag.as_deref().unwrap_or_default()),
            copy.verdict.as_str().to_owned(),
            copy.mirrored_at.to_string(),
            copy.verified_at
                .map_or_else(String::new, |at| at.to_string()),
        ])?;
    }
    rows.flush()
}

/// Foreign text as a cell: it neither acts on a terminal nor becomes a formula.
fn cell(text: &str) -> String {
    const BEGIN_FORMULAS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let shown = one_line(text, usize::MAX);
    if shown.trim_start().starts_with(BEGIN_FORMULAS) {
        format!("'{shown}")
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_text_becomes_a_formula_or_acts_on_a_terminal() {
        for (text, shown) in [
            ("nightly", "nightly"),
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", r"\t=1"),
            (" =1", "' =1"),
            ("\r\n=1", r"\r\n=1"),
            ("＝1", "'＝1"),
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(cell(text), shown);
        }
    }
}
