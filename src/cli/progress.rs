//! Progress bars on a terminal, plain lines elsewhere.
//!
//! What is shown follows from data alone: which streams are terminals, what the environment
//! says of them, what was asked for. Nothing here looks at any of these by itself.

mod bars;
mod screen;

use std::fmt;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tracing_subscriber::fmt::MakeWriter;

use crate::cli::progress::bars::Bars;
use crate::config::output::ResultFormat;
use crate::config::output::When;
use crate::model::finding::CheckedCopy;
use crate::model::outcome::BackupOutcome;
use crate::report::human;
use crate::report::human::Color;
use crate::report::human::Style;
use crate::report::human::Verbosity;
use crate::transfer::observer::Observer;
use crate::transfer::observer::TransferLabel;
use crate::transfer::observer::TransferTicket;

/// Whether a stream is a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tty {
    /// It is.
    Yes,
    /// It is a file, a pipe or nothing.
    No,
}

/// What `TERM` says of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// It moves its cursor when told to.
    Capable,
    /// `TERM=dumb`: it only prints.
    Dumb,
}

/// What `NO_COLOR` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoColor {
    /// Set to anything but nothing: no colours unless they are asked for.
    Set,
    /// Unset or empty.
    Unset,
}

/// The streams of the process, as whoever may look found them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Standard output, where results go.
    pub stdout: Tty,
    /// Standard error, where everything else goes.
    pub stderr: Tty,
    /// What `TERM` says.
    pub term: Term,
    /// What `NO_COLOR` says.
    pub no_color: NoColor,
    /// The terminal's columns, when they are known.
    pub columns: Option<u16>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// `--progress`.
    pub progress: When,
    /// `--color`.
    pub color: When,
    /// `-q`.
    pub verbosity: Verbosity,
    /// `--json`.
    pub output: ResultFormat,
}

/// Whether bars are drawn on standard error while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawBars {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// Whether each backup leaves a line on standard output when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteLines {
    /// It does.
    Yes,
    /// It does not: a table follows, a document, or nothing.
    No,
}

/// What is shown, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Display {
    /// Whether bars are drawn on standard error.
    pub bars: DrawBars,
    /// Whether each finished backup leaves a line on standard output.
    pub lines: WriteLines,
    /// How reports are laid out on standard output. Its width is `None` where lines are
    /// written, so that no table repeats them.
    pub stdout: Style,
    /// How errors are laid out on standard error.
    pub stderr: Style,
}

/// Columns of a terminal that does not tell.
const USUAL_COLUMNS: u16 = 80;

impl Terminal {
    /// What to show on these streams.
    ///
    /// `--progress always` draws bars even into a file; `-q` and `--json` take the lines away.
    pub fn display(self, wish: Wish) -> Display {
        let bars = match (wish.progress, wish.verbosity, self.stderr, self.term) {
            (When::Always, _, _, _) | (When::Auto, Verbosity::Normal, Tty::Yes, Term::Capable) => {
                DrawBars::Yes
            }
            (When::Auto | When::Never, _, _, _) => DrawBars::No,
        };
        let lines = match (wish.output, wish.verbosity, self.stdout, bars) {
            (ResultFormat::Json, _, _, _)
            | (_, Verbosity::Quiet, _, _)
            | (ResultFormat::Human, Verbosity::Normal, Tty::Yes, DrawBars::Yes) => WriteLines::No,
            (ResultFormat::Human, Verbosity::Normal, Tty::No, _)
            | (ResultFormat::Human, Verbosity::Normal, Tty::Yes, DrawBars::No) => WriteLines::Yes,
        };
        let width = |tty| match tty {
            Tty::Yes => Some(self.columns.unwrap_or(USUAL_COLUMNS)),
            Tty::No => None,
        };
        Display {
            bars,
            lines,
            stdout: Style {
                color: self.color(wish.color, self.stdout),
                width: match lines {
                    WriteLines::Yes => None,
                    WriteLines::No => width(self.stdout),
                },
            },
            stderr: Style {
                color: self.color(wish.color, self.stderr),
                width: width(self.stderr),
            },
        }
    }

    const fn color(self, wish: When, stream: Tty) -> Color {
        match (wish, stream, self.term, self.no_color) {
            (When::Always, _, _, _) | (When::Auto, Tty::Yes, Term::Capable, NoColor::Unset) => {
                Color::On
            }
            (When::Auto | When::Never, _, _, _) => Color::Off,
        }
    }
}

/// A stream that several parts of the program write to, whole lines at a time.
#[derive(Clone)]
pub struct SharedWriter(Arc<Mutex<dyn Write + Send>>);

impl SharedWriter {
    /// Shares a stream.
    pub fn new(stream: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    /// Runs `write` with nobody else writing.
    ///
    /// # Errors
    /// What `write` says.
    pub fn with<T>(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut *stream)
    }
}

impl fmt::Debug for SharedWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedWriter")
    }
}

/// Shows a run while it goes on. Clones show the same run.
#[derive(Debug, Clone)]
pub struct Progress {
    bars: Option<Bars>,
    lines: Option<SharedWriter>,
    stderr: SharedWriter,
    unwritten: Arc<Mutex<Option<io::Error>>>,
}

impl Progress {
    /// What `display` says, on these streams. `columns` tells the terminal's present width.
    pub fn new(
        display: Display,
        stdout: SharedWriter,
        stderr: SharedWriter,
        columns: fn() -> Option<u16>,
    ) -> Self {
        Self {
            bars: match display.bars {
                DrawBars::Yes => Some(Bars::on(stderr.clone(), columns)),
                DrawBars::No => None,
            },
            lines: match display.lines {
                WriteLines::Yes => Some(stdout),
                WriteLines::No => None,
            },
            stderr,
            unwritten: Arc::default(),
        }
    }

    /// Where diagnostics go, so that bars and log lines keep out of each other's way.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter {
            bars: self.bars.clone(),
            stderr: self.stderr.clone(),
        }
    }

    /// Takes the bars off the terminal for good; to be called before a summary is written.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            bars.clear();
        }
    }

    /// The first error that kept a line from being written. A reader that went away, or a full
    /// disk under standard output, does not stop a run.
    pub fn take_unwritten(&self) -> Option<io::Error> {
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Progress {
    /// Writes one line to standard output, where lines are wanted.
    fn line(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let Some(lines) = &self.lines else { return };
        let written = lines.with(|out| {
            let mut line = Vec::new();
            write(&mut line)?;
            out.write_all(&line)?;
            out.flush()
        });
        if let Err(error) = written {
            self.unwritten
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error);
        }
    }
}

impl Observer for Progress {
    fn planned(&self, backups: u64, bytes: u64) {
        if let Some(bars) = &self.bars {
            bars.planned(backups, bytes);
        }
    }

    fn started(&self, label: &TransferLabel, total_bytes: Option<u64>) -> TransferTicket {
        self.bars
            .as_ref()
            .map_or(TransferTicket(0), |bars| bars.started(label, total_bytes))
    }

    fn advanced(&self, ticket: TransferTicket, bytes: u64) {
        if let Some(bars) = &self.bars {
            bars.advanced(ticket, bytes);
        }
    }

    fn restarted(&self, ticket: TransferTicket, at_bytes: u64) {
        if let Some(bars) = &self.bars {
            bars.restarted(ticket, at_bytes);
        }
    }

    fn finished(&self, ticket: TransferTicket) {
        if let Some(bars) = &self.bars {
            bars.finished(ticket);
        }
    }

    fn backup_done(&self, outcome: &BackupOutcome) {
        if let Some(bars) = &self.bars {
            bars.backup_done(outcome);
        }
        self.line(|line| human::mirror_line(outcome, line));
    }

    fn checks_planned(&self, copies: u64, bytes: u64) {
        if let Some(bars) = &self.bars {
            bars.checks_planned(copies, bytes);
        }
    }

    fn copy_checked(&self, checked: &CheckedCopy) {
        if let Some(bars) = &self.bars {
            bars.copy_checked();
        }
        self.line(|line| human::verify_line(checked, line));
    }
}

/// Makes writers for `tracing` that take the bars away while a line is written.
#[derive(Debug, Clone)]
pub struct LogWriter {
    bars: Option<Bars>,
    stderr: SharedWriter,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let write = || {
            self.stderr.with(|stderr| {
                stderr.write_all(bytes)?;
                stderr.flush()
            })
        };
        match &self.bars {
            Some(bars) => bars.suspended(write),
            None => write(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stderr.with(|stderr| stderr.flush())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The present width of the terminal behind standard output or standard error.
pub fn terminal_columns() -> Option<u16> {
    let of_stdout = comfy_table::Table::new().width();
    of_stdout.or_else(|| comfy_table::Table::new().use_stderr().width())
}
