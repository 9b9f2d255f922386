//! What is held: the output of `status` and `list`.

use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use comfy_table::Cell;
use jiff::Timestamp;

use crate::model::backup::LockState;
use crate::model::holding::DestinationHolding;
use crate::model::holding::HeldCopy;
use crate::model::holding::PanelPresence;
use crate::model::recipient;
use crate::model::text::one_line;
use crate::report::Account;
use crate::report::Freshness;
use crate::report::ListReport;
use crate::report::ServerStatus;
use crate::report::StatusReport;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary;
use crate::report::is_dated_ahead;
use crate::report::words;

/// Up to this many destinations get a column each; more share one.
const DESTINATION_COLUMNS: usize = 4;
/// Up to this many missing backups are named for each server and destination.
const MISSING_TOLD: usize = 3;
/// Reasons are cut to this many characters.
const REASON_CHARACTERS: usize = 200;
/// Reasons for keeping are cut to this many characters in a table.
const KEPT_CHARACTERS: usize = 40;

/// Writes how fresh and complete the mirror is: a table of servers, then broken promises,
/// what is missing and why, and what the last run left out.
///
/// # Errors
/// What the writer refuses.
pub fn status(report: &StatusReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if report.servers.is_empty() {
        return writeln!(
            out,
            "No server is recorded yet: run `nestegg mirror` first."
        );
    }
    status_table(report, style, out)?;
    for server in &report.servers {
        broken_promise(server, report, style, out)?;
    }
    for server in &report.servers {
        suspicious(server, style, out)?;
    }
    for server in &report.servers {
        missing(server, style, out)?;
    }
    for server in &report.servers {
        if let Some(why) = &server.holding.skipped_because {
            let said = format!(
                "{}: {}",
                style::name(&server.holding.name),
                one_line(why, REASON_CHARACTERS),
            );
            summary::entry("skipped", &said, Tone::Quiet, style, out)?;
        }
    }
    for verified in &report.verified {
        let name = style::name(verified.destination.as_str());
        let oldest = verified
            .oldest_verified_at
            .map(|at| format!("the oldest reading back is of {} (UTC)", words::minute(at)));
        let never = (verified.never > 0)
            .then(|| format!("{} never read back", words::counted(verified.never, "copy")));
        let said: Vec<String> = oldest.into_iter().chain(never).collect();
        let said = format!("{name}: {}", said.join(", "));
        summary::entry("verified", &said, Tone::Quiet, style, out)?;
    }
    if let Some(last) = report.last_run {
        let began = words::minute(last.started_at);
        let how = match last.end {
            Some((_, code)) => format!("it ended with exit code {code}"),
            None => "it still runs, or was killed".to_owned(),
        };
        let said = format!("mirror began at {began} (UTC); {how}");
        summary::entry("last run", &said, Tone::Quiet, style, out)?;
    }
    let counts = [
        (Freshness::Fresh, "fresh"),
        (Freshness::Stale, "stale"),
        (Freshness::Never, "without a copy"),
        (Freshness::NotPromised, "without a promise"),
    ]
    .into_iter()
    .filter_map(|(freshness, word)| {
        let servers = report.servers.iter();
        let count = servers
            .filter(|server| server.freshness == freshness)
            .count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    writeln!(
        out,
        "{}: {}.",
        words::counted_of(&report.servers, "server"),
        counts.collect::<Vec<_>>().join(", "),
    )
}

fn status_table(report: &StatusReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let panels: BTreeSet<&str> = report
        .servers
        .iter()
        .map(|server| server.holding.panel.as_str())
        .collect();
    let destinations: BTreeSet<&str> = report
        .servers
        .iter()
        .flat_map(|server| &server.holding.destinations)
        .map(|holding| holding.destination.as_str())
        .collect();
    let one_each = destinations.len() <= DESTINATION_COLUMNS;

    let mut header = Vec::new();
    if panels.len() > 1 {
        header.push("PANEL".to_owned());
    }
    header.extend(["SERVER", "ID", "NEWEST COPY (UTC)", "AGE"].map(str::to_owned));
    if one_each {
        header.extend(destinations.iter().map(|name| style::name(name)));
    } else {
        header.push("COPIES".to_owned());
    }
    header.push("STATE".to_owned());

    let mut table = style.table(&header);
    for server in &report.servers {
        let holding = &server.holding;
        let newest = holding.newest_completed_at();
        let mut row: Vec<Cell> = Vec::new();
        if panels.len() > 1 {
            row.push(style::cell(
                style::name(holding.panel.as_str()),
                Tone::Plain,
            ));
        }
        row.push(style::cell(style::name(&holding.name), Tone::Plain));
        row.push(style::cell(style::name(&holding.identifier), Tone::Plain));
        row.push(style::cell(
            newest.map_or_else(|| "-".to_owned(), words::minute),
            Tone::Plain,
        ));
        row.push(style::cell(
            newest.map_or_else(|| "-".to_owned(), |newest| age(newest, report.at)),
            Tone::Plain,
        ));
        if one_each {
            row.extend(destinations.iter().map(|name| {
                let mut holdings = holding.destinations.iter();
                let there = holdings.find(|there| there.destination.as_str() == *name);
                there.map_or_else(
                    || style::cell("-", Tone::Quiet),
                    |there| style::cell(held_there(there), tone_there(there)),
                )
            }));
        } else {
            let there = holding.destinations.iter().map(|there| {
                format!(
                    "{}: {}",
                    style::name(there.destination.as_str()),
                    held_there(there),
                )
            });
            row.push(style::cell(
                there.collect::<Vec<_>>().join(", "),
                Tone::Plain,
            ));
        }
        let (word, tone) = state(server);
        row.push(style::cell(word, tone));
        table.add_row(row);
    }
    summary::write_table(&table, out)
}

fn age(newest: Timestamp, at: Timestamp) -> String {
    if is_dated_ahead(newest, at) {
        "dated in the future".to_owned()
    } else {
        words::age(at.duration_since(newest))
    }
}

const fn state(server: &ServerStatus) -> (&'static str, Tone) {
    match server.freshness {
        Freshness::Fresh => ("fresh", Tone::Good),
        Freshness::Stale => ("STALE", Tone::Bad),
        Freshness::Never => ("NO COPY", Tone::Bad),
        Freshness::NotPromised => ("-", Tone::Quiet),
    }
}

fn held_there(holding: &DestinationHolding) -> String {
    let held = format!("{} ({})", holding.copies, words::size(holding.stored_bytes));
    match holding.missing.len() {
        0 => held,
        missing => format!("{held}, {missing} missing"),
    }
}

const fn tone_there(holding: &DestinationHolding) -> Tone {
    if holding.missing.is_empty() {
        Tone::Plain
    } else {
        Tone::Careful
    }
}

fn broken_promise(
    server: &ServerStatus,
    report: &StatusReport,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = style::name(&server.holding.name);
    let listed = server.holding.last_listed_at.map_or_else(
        || "its backups were never listed".to_owned(),
        |at| {
            let ago = words::age(report.at.duration_since(at));
            format!("its backups were last listed {ago} ago")
        },
    );
    let promised = server.max_age.map_or_else(
        || "nothing is promised".to_owned(),
        |age| format!("{} is promised", words::age(age)),
    );
    match server.freshness {
        Freshness::Fresh | Freshness::NotPromised => Ok(()),
        Freshness::Never => {
            let said = format!("{name}: there is no verified copy, {promised}; {listed}");
            summary::entry("NO COPY", &said, Tone::Bad, style, out)
        }
        Freshness::Stale => {
            let age = server.holding.newest_completed_at().map_or_else(
                || "there is no verified copy".to_owned(),
                |newest| {
                    let age = age(newest, report.at);
                    if is_dated_ahead(newest, report.at) {
                        format!("the newest verified copy is {age}, which proves no freshness")
                    } else {
                        format!("the newest verified copy is {age} old")
                    }
                },
            );
            let said = format!("{name}: {age}, {promised}; {listed}");
            summary::entry("STALE", &said, Tone::Bad, style, out)
        }
    }
}

/// What is suspicious about a server's newest archive, and the way out.
fn suspicious(server: &ServerStatus, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let Some(suspicion) = &server.suspicion else {
        return Ok(());
    };
    let said = format!(
        "{}: {suspicion}; nothing of this server is pruned until a newer one is right, or `nestegg accept {}` says \
         that it is",
        style::name(&server.holding.name),
        suspicion.backup,
    );
    summary::entry("SUSPICIOUS", &said, Tone::Bad, style, out)
}

fn missing(server: &ServerStatus, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let name = style::name(&server.holding.name);
    for there in &server.holding.destinations {
        let destination = style::name(there.destination.as_str());
        for one in there.missing.iter().take(MISSING_TOLD) {
            let why = one.why.as_ref().map_or_else(
                || "not tried yet".to_owned(),
                |why| one_line(why, REASON_CHARACTERS),
            );
            let said = format!(
                "{name} / {} of {} at {destination}: {why}",
                style::name(&one.backup_name),
                words::minute(one.completed_at),
            );
            summary::entry("missing", &said, Tone::Careful, style, out)?;
        }
        let more = there.missing.len().saturating_sub(MISSING_TOLD);
        if more > 0 {
            let said = format!("{name}: {more} more at {destination}");
            summary::entry("missing", &said, Tone::Careful, style, out)?;
        }
    }
    Ok(())
}

/// Why no policy removes a copy, as far as its backup is marked.
fn kept(copy: &HeldCopy) -> Cell {
    let locked = (copy.lock == LockState::Locked).then(|| "locked".to_owned());
    let by_hand = copy.kept.as_ref().map(|mark| match &mark.reason {
        Some(reason) => format!("kept: {}", one_line(reason, KEPT_CHARACTERS)),
        None => "kept".to_owned(),
    });
    let said: Vec<String> = by_hand.into_iter().chain(locked).collect();
    if said.is_empty() {
        style::cell("-", Tone::Quiet)
    } else {
        style::cell(said.join(", "), Tone::Plain)
    }
}

/// Terminals narrower than this are shown the first part of an id.
const COLUMNS_FOR_WHOLE_IDS: u16 = 120;
/// That part, as people type it.
const SHORT_ID_CHARACTERS: usize = 8;

/// Writes the copies held: a table, a row a copy, and the sum of it.
///
/// # Errors
/// What the writer refuses.
pub fn list(report: &ListReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if report.copies.is_empty() {
        return match report.account {
            Account::Ledger => writeln!(out, "No copy is recorded."),
            Account::Sidecars => writeln!(out, "No copy was found."),
        };
    }
    let is_marked = |copy: &HeldCopy| copy.kept.is_some() || copy.lock == LockState::Locked;
    let any_marked = report.copies.iter().any(is_marked);
    let any_encrypted = report.copies.iter().any(|copy| copy.encryption.is_some());
    let mut header = vec![
        "SERVER",
        "BACKUP",
        "COMPLETED (UTC)",
        "SIZE",
        "DESTINATION",
        "VERDICT",
        "ON PANEL",
        "BACKUP ID",
    ];
    if any_encrypted {
        header.push("ENCRYPTED TO");
    }
    if any_marked {
        header.push("KEPT");
    }
    let mut table = style.table(&header);
    style::right(&mut table, 3);
    let whole_ids = style
        .width
        .is_none_or(|width| width >= COLUMNS_FOR_WHOLE_IDS);
    style::unbroken(&mut table, 7);
    for copy in &report.copies {
        let mut id = copy.backup.to_string();
        if !whole_ids {
            id.truncate(SHORT_ID_CHARACTERS);
        }
        let on_panel = match (report.account, copy.on_panel) {
            (Account::Sidecars, _) => style::cell("?", Tone::Quiet),
            (Account::Ledger, PanelPresence::Listed) => style::cell("yes", Tone::Plain),
            (Account::Ledger, PanelPresence::Vanished) => style::cell("gone", Tone::Careful),
        };
        let mut row = vec![
            style::cell(style::name(&copy.server_name), Tone::Plain),
            style::cell(style::name(&copy.backup_name), Tone::Plain),
            style::cell(words::minute(copy.completed_at), Tone::Plain),
            style::cell(words::size(copy.stored_bytes), Tone::Plain),
            style::cell(style::name(copy.destination.as_str()), Tone::Plain),
            style::cell(copy.verdict.as_str(), Tone::Plain),
            on_panel,
            style::cell(id, Tone::Quiet),
        ];
        if any_encrypted {
            row.push(match &copy.encryption {
                Some(encryption) => {
                    style::cell(recipient::short_list(&encryption.recipients), Tone::Plain)
                }
                None => style::cell("-", Tone::Quiet),
            });
        }
        if any_marked {
            row.push(kept(copy));
        }
        table.add_row(row);
    }
    summary::write_table(&table, out)?;
    let backups: BTreeSet<_> = report
        .copies
        .iter()
        .map(|copy| (&copy.panel, copy.server, copy.backup))
        .collect();
    let bytes = words::total(report.copies.iter().map(|copy| copy.stored_bytes));
    writeln!(
        out,
        "{} of {}, {} stored.",
        words::counted_of(&report.copies, "copy"),
        words::counted(u64::try_from(backups.len()).unwrap_or(u64::MAX), "backup"),
        words::size(bytes),
    )
}
