//! Bars, lines and log lines on streams that remember what was written to them.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use tracing::subscriber::with_default;

use nestegg::cli::progress::Display;
use nestegg::cli::progress::DrawBars;
use nestegg::cli::progress::NoColor;
use nestegg::cli::progress::Progress;
use nestegg::cli::progress::SharedWriter;
use nestegg::cli::progress::Term;
use nestegg::cli::progress::Terminal;
use nestegg::cli::progress::Tty;
use nestegg::cli::progress::Wish;
use nestegg::cli::progress::WriteLines;
use nestegg::config::output::ResultFormat;
use nestegg::config::output::When;
use nestegg::model::outcome::CopyState;
use nestegg::report::human::Color;
use nestegg::report::human::Style;
use nestegg::report::human::Verbosity;
use nestegg::transfer::observer::Observer;
use nestegg::transfer::observer::Silent;
use nestegg::transfer::observer::TransferLabel;

use super::samples;
use super::samples::MIB;

/// A stream that keeps all that is written.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl Tape {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// What a terminal shows as soon as it shows all of `expected`. Each bar is drawn by a clock of
    /// its own, and not at all before its first tick: name something of every bar that has to be there.
    fn rows_with(&self, expected: &[&str]) -> Vec<String> {
        let give_up = Instant::now() + Duration::from_secs(30);
        loop {
            let rows = self.rows();
            let missing = expected
                .iter()
                .find(|text| !rows.iter().any(|row| row.contains(**text)));
            match missing {
                None => return rows,
                Some(text) => assert!(Instant::now() < give_up, "no {text} in {rows:#?}"),
            }
            std::thread::yield_now();
        }
    }

    /// What a terminal shows after all that was written: its rows, blank ones left out.
    fn rows(&self) -> Vec<String> {
        let mut rows: Vec<Vec<char>> = vec![Vec::new()];
        let (mut row, mut column) = (0_usize, 0_usize);
        let text = self.text();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\n' => (row, column) = (row + 1, 0),
                '\r' => column = 0,
                '\u{1b}' => {
                    assert_eq!(characters.next(), Some('['));
                    let mut number = String::new();
                    let command = loop {
                        match characters.next().unwrap() {
                            digit if digit.is_ascii_digit() => number.push(digit),
                            command => break command,
                        }
                    };
                    let number: usize = number.parse().unwrap();
                    match command {
                        'A' => row = row.checked_sub(number).expect("above the screen"),
                        'B' => row += number,
                        'C' => column += number,
                        'D' => column -= number,
                        'K' => rows[row].clear(),
                        other => panic!("an escape sequence of another kind: {other}"),
                    }
                }
                shown => {
                    if column == 100 {
                        (row, column) = (row + 1, 0);
                    }
                    if rows.len() <= row {
                        rows.resize(row + 1, Vec::new());
                    }
                    if rows[row].len() <= column {
                        rows[row].resize(column + 1, ' ');
                    }
                    rows[row][column] = shown;
                    column += 1;
                }
            }
            if rows.len() <= row {
                rows.resize(row + 1, Vec::new());
            }
        }
        let rows = rows.into_iter().map(String::from_iter);
        let rows = rows.map(|row: String| row.trim_end().to_owned());
        rows.filter(|row| !row.is_empty()).collect()
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream whose reader has gone away.
struct BrokenPipe;

impl Write for BrokenPipe {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

const PLAIN: Style = Style {
    color: Color::Off,
    width: None,
};

fn showing(bars: DrawBars, lines: WriteLines) -> (Progress, Tape, Tape) {
    let (stdout, stderr) = (Tape::default(), Tape::default());
    let display = Display {
        bars,
        lines,
        stdout: PLAIN,
        stderr: PLAIN,
    };
    let progress = Progress::new(
        display,
        SharedWriter::new(stdout.clone()),
        SharedWriter::new(stderr.clone()),
        || Some(100),
    );
    (progress, stdout, stderr)
}

fn label(server_name: &str) -> TransferLabel {
    TransferLabel {
        server_name: server_name.to_owned(),
        backup_name: "nightly".to_owned(),
        backup: samples::backup_id(101),
    }
}

fn done(state: CopyState) -> nestegg::model::outcome::BackupOutcome {
    samples::backup(101, "survival", "nightly", &[("b2", state)])
}

#[test]
fn off_a_terminal_each_finished_backup_is_one_line_and_nothing_else_is_written() {
    let (progress, stdout, stderr) = showing(DrawBars::No, WriteLines::Yes);
    progress.planned(1, 700 * MIB);
    let ticket = progress.started(&label("survival"), Some(700 * MIB));
    progress.advanced(ticket, 700 * MIB);
    progress.finished(ticket);
    progress.backup_done(&done(CopyState::Mirrored));
    progress.backup_done(&done(CopyState::AlreadyHeld));
    progress.clear();
    assert_eq!(
        stdout.text(),
        "mirrored      survival / nightly  6fdff738-bf44-4933-824f-000000000065  700.0 MiB  panel-sha1  b2\n\
         already held  survival / nightly  6fdff738-bf44-4933-824f-000000000065  700.0 MiB  panel-sha1  b2\n"
    );
    assert_eq!(stderr.text(), "");
}

#[test]
fn with_neither_bars_nor_lines_nothing_is_written_at_all() {
    let (progress, stdout, stderr) = showing(DrawBars::No, WriteLines::No);
    let observers: [&dyn Observer; 2] = [&progress, &Silent];
    for observer in observers {
        observer.planned(1, 1);
        let ticket = observer.started(&label("survival"), None);
        observer.advanced(ticket, 1);
        observer.restarted(ticket, 0);
        observer.finished(ticket);
        observer.backup_done(&done(CopyState::Failed));
    }
    assert_eq!(
        (stdout.text(), stderr.text()),
        (String::new(), String::new())
    );
}

#[test]
fn a_terminal_sees_a_bar_a_transfer_and_one_for_the_whole() {
    let (progress, stdout, stderr) = showing(DrawBars::Yes, WriteLines::No);
    progress.planned(3, 100 * MIB);
    let first = progress.started(&label("survival"), Some(60 * MIB));
    let second = progress.started(&label("creative"), None);
    progress.advanced(first, 30 * MIB);
    progress.advanced(second, 5 * MIB);
    progress.restarted(first, 10 * MIB);
    progress.backup_done(&done(CopyState::Mirrored));
    progress.backup_done(&done(CopyState::AlreadyHeld));
    tracing_line(&progress, "retrying");
    let rows = stderr.rows_with(&[
        "10.00 MiB / 60.00 MiB",
        "creative / nightly",
        " 5.00 MiB ",
        "15.00 MiB / 100.00 MiB",
        "1 of 3 backups",
    ]);
    let beginnings = rows.iter().map(|row| row.get(..18).unwrap_or(row));
    assert_eq!(
        beginnings.collect::<Vec<_>>(),
        [
            " WARN it::report::",
            "survival / nightly",
            "creative / nightly",
            "1 of 3 backups    ",
        ]
    );

    progress.finished(first);
    let rows = stderr.rows_with(&["15.00 MiB / 50.00 MiB"]);
    assert_eq!(rows.len(), 3, "{rows:#?}");

    progress.finished(second);
    progress.clear();
    let rows = stderr.rows();
    assert_eq!(rows, [" WARN it::report::progress: retrying attempt=2"]);
    assert_eq!(stdout.text(), "");
}

fn tracing_line(progress: &Progress, message: &'static str) {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(progress.log_writer())
        .with_ansi(false)
        .without_time()
        .finish();
    with_default(subscriber, || tracing::warn!(attempt = 2, "{message}"));
}

#[test]
fn log_lines_and_bars_keep_out_of_each_others_way() {
    let (progress, _stdout, stderr) = showing(DrawBars::Yes, WriteLines::No);
    progress.planned(8, 80 * MIB);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let progress = progress.clone();
            scope.spawn(move || {
                let ticket = progress.started(&label(&format!("server-{number}")), Some(20 * MIB));
                for _ in 0..20 {
                    progress.advanced(ticket, MIB);
                    tracing_line(&progress, "retrying");
                }
                progress.finished(ticket);
            });
        }
    });
    progress.clear();
    let rows = stderr.rows();
    assert_eq!(rows.len(), 80, "{rows:#?}");
    for row in rows {
        assert_eq!(row, " WARN it::report::progress: retrying attempt=2");
    }
}

#[test]
fn a_hostile_name_does_not_move_the_cursor() {
    let (progress, _stdout, stderr) = showing(DrawBars::Yes, WriteLines::No);
    progress.planned(1, MIB);
    let ticket = progress.started(&label(samples::HOSTILE), Some(MIB));
    progress.advanced(ticket, 1);
    let rows = stderr.rows_with(&[r"\u{1b}[2J", "0 of 1 backups"]);
    assert_eq!(rows.len(), 2, "{rows:#?}");
    assert!(rows[0].starts_with(r"\u{1b}[2J"), "{rows:#?}");
}

#[test]
fn a_stream_that_went_away_is_told_once_and_stops_nothing() {
    let display = Display {
        bars: DrawBars::Yes,
        lines: WriteLines::Yes,
        stdout: PLAIN,
        stderr: PLAIN,
    };
    let progress = Progress::new(
        display,
        SharedWriter::new(BrokenPipe),
        SharedWriter::new(BrokenPipe),
        || None,
    );
    progress.planned(2, 2);
    let ticket = progress.started(&label("survival"), Some(1));
    progress.advanced(ticket, 1);
    tracing_line(&progress, "unheard");
    progress.finished(ticket);
    progress.backup_done(&done(CopyState::Mirrored));
    progress.backup_done(&done(CopyState::Mirrored));
    progress.clear();
    let error = progress.take_unwritten().map(|error| error.kind());
    assert_eq!(error, Some(io::ErrorKind::BrokenPipe));
    assert!(progress.take_unwritten().is_none());
}

const AT_A_TERMINAL: Terminal = Terminal {
    stdout: Tty::Yes,
    stderr: Tty::Yes,
    term: Term::Capable,
    no_color: NoColor::Unset,
    columns: Some(120),
};
const IN_CRON: Terminal = Terminal {
    stdout: Tty::No,
    stderr: Tty::No,
    columns: None,
    ..AT_A_TERMINAL
};
const NO_WISH: Wish = Wish {
    progress: When::Auto,
    color: When::Auto,
    verbosity: Verbosity::Normal,
    output: ResultFormat::Human,
};

#[test]
fn what_is_shown_follows_from_streams_and_wishes() {
    use DrawBars::No as NoBars;
    use DrawBars::Yes as BarsOn;
    use WriteLines::No as NoLines;
    use WriteLines::Yes as LinesOn;

    let quiet = Wish {
        verbosity: Verbosity::Quiet,
        ..NO_WISH
    };
    let json = Wish {
        output: ResultFormat::Json,
        ..NO_WISH
    };
    let wish = |progress| Wish {
        progress,
        ..NO_WISH
    };
    let redirected = Terminal {
        stdout: Tty::No,
        ..AT_A_TERMINAL
    };
    let dumb = Terminal {
        term: Term::Dumb,
        ..AT_A_TERMINAL
    };
    for (what, terminal, wish, bars, lines, width) in [
        (
            "terminal",
            AT_A_TERMINAL,
            NO_WISH,
            BarsOn,
            NoLines,
            Some(120),
        ),
        ("cron", IN_CRON, NO_WISH, NoBars, LinesOn, None),
        (
            "stdout to a file",
            redirected,
            NO_WISH,
            BarsOn,
            LinesOn,
            None,
        ),
        ("dumb", dumb, NO_WISH, NoBars, LinesOn, None),
        (
            "never",
            AT_A_TERMINAL,
            wish(When::Never),
            NoBars,
            LinesOn,
            None,
        ),
        (
            "always, cron",
            IN_CRON,
            wish(When::Always),
            BarsOn,
            LinesOn,
            None,
        ),
        ("quiet", AT_A_TERMINAL, quiet, NoBars, NoLines, Some(120)),
        ("quiet cron", IN_CRON, quiet, NoBars, NoLines, None),
        ("json", AT_A_TERMINAL, json, BarsOn, NoLines, Some(120)),
        ("json cron", IN_CRON, json, NoBars, NoLines, None),
    ] {
        let display = terminal.display(wish);
        assert_eq!(
            (display.bars, display.lines, display.stdout.width),
            (bars, lines, width),
            "{what}"
        );
    }
}

#[test]
fn colours_follow_the_stream_no_color_and_the_flag() {
    let no_color = Terminal {
        no_color: NoColor::Set,
        ..AT_A_TERMINAL
    };
    let dumb = Terminal {
        term: Term::Dumb,
        ..AT_A_TERMINAL
    };
    for (terminal, wish, color) in [
        (AT_A_TERMINAL, When::Auto, Color::On),
        (AT_A_TERMINAL, When::Never, Color::Off),
        (no_color, When::Auto, Color::Off),
        (no_color, When::Always, Color::On),
        (dumb, When::Auto, Color::Off),
        (IN_CRON, When::Auto, Color::Off),
        (IN_CRON, When::Always, Color::On),
    ] {
        let display = terminal.display(Wish {
            color: wish,
            ..NO_WISH
        });
        assert_eq!(display.stderr.color, color, "{terminal:?} {wish:?}");
        assert_eq!(display.stdout.color, color, "{terminal:?} {wish:?}");
    }
}
