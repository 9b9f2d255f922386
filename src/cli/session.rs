//! One invocation at its streams: where results go, where everything else goes, who may stop it.

use std::io;
use std::io::Write;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::progress::Display;
use crate::cli::progress::NoColor;
use crate::cli::progress::Progress;
use crate::cli::progress::SharedWriter;
use crate::cli::progress::Term;
use crate::cli::progress::Terminal;
use crate::cli::progress::Tty;
use crate::cli::progress::Wish;
use crate::config::Environment;
use crate::config::output::LogFormat;
use crate::config::output::OutputFlags;
use crate::config::output::Verbosity;
use crate::env::Env;
use crate::env::StopSignal;
use crate::exit::Exit;
use crate::report::human;

/// The streams of the process.
#[derive(Debug, Clone)]
pub struct Streams {
    /// Where results go.
    pub stdout: SharedWriter,
    /// Where everything else goes.
    pub stderr: SharedWriter,
    /// Whether standard output is a terminal.
    pub stdout_tty: Tty,
    /// Whether standard error is a terminal.
    pub stderr_tty: Tty,
    /// Tells the terminal's present width.
    pub columns: fn() -> Option<u16>,
}

impl Streams {
    /// Those of this process.
    pub fn of_process() -> Self {
        use std::io::IsTerminal as _;
        let tty = |is_terminal| if is_terminal { Tty::Yes } else { Tty::No };
        Self {
            stdout: SharedWriter::new(io::stdout()),
            stderr: SharedWriter::new(io::stderr()),
            stdout_tty: tty(io::stdout().is_terminal()),
            stderr_tty: tty(io::stderr().is_terminal()),
            columns: crate::cli::progress::terminal_columns,
        }
    }
}

impl Streams {
    /// Says on standard error why nothing could even be begun.
    pub fn complain(&self, line: &str) -> Exit {
        match self.stderr.with(|out| writeln!(out, "{line}")) {
            Ok(()) | Err(_) => Exit::Failed,
        }
    }
}

/// One invocation.
#[derive(Debug)]
pub struct Session {
    streams: Streams,
    /// How results and errors are laid out.
    pub display: Display,
    /// How much is said of results.
    pub verbosity: human::Verbosity,
    /// What is asked of results.
    pub output: OutputFlags,
    /// The bars and lines of a run.
    pub progress: Progress,
}

impl Session {
    /// Sets up output and diagnostics as the flags and the environment say.
    pub fn begin(output: OutputFlags, environment: &Environment, streams: Streams) -> Self {
        let verbosity = match output.verbosity {
            Verbosity::Quiet => human::Verbosity::Quiet,
            Verbosity::Normal | Verbosity::Verbose | Verbosity::Debug => human::Verbosity::Normal,
        };
        let terminal = Terminal {
            stdout: streams.stdout_tty,
            stderr: streams.stderr_tty,
            term: if environment
                .filled("TERM")
                .is_some_and(|term| term == "dumb")
            {
                Term::Dumb
            } else {
                Term::Capable
            },
            no_color: if environment.filled("NO_COLOR").is_some() {
                NoColor::Set
            } else {
                NoColor::Unset
            },
            columns: (streams.columns)(),
        };
        let display = terminal.display(Wish {
            progress: output.progress,
            color: output.color,
            verbosity,
            output: output.results,
        });
        let progress = Progress::new(
            display,
            streams.stdout.clone(),
            streams.stderr.clone(),
            streams.columns,
        );
        diagnose(output, &progress);
        Self {
            streams,
            display,
            verbosity,
            output,
            progress,
        }
    }

    /// Writes a result; what keeps it from being written makes a good ending a bad one.
    ///
    /// A reader that went away has seen what it wanted.
    pub fn result(&self, exit: Exit, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Exit {
        let written = self.streams.stdout.with(|out| {
            write(out)?;
            out.flush()
        });
        let written = match self.progress.take_unwritten() {
            Some(error) => Err(error),
            None => written,
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.say(&format!("error: could not write the result: {error}"));
                if exit == Exit::Done {
                    Exit::Failed
                } else {
                    exit
                }
            }
            Ok(()) | Err(_) => exit,
        }
    }

    /// Writes to standard error; when that fails, there is nobody left to tell.
    pub fn complain(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let mut text = Vec::new();
        if write(&mut text).is_ok() {
            let mut stderr = self.progress.log_writer();
            if stderr
                .write_all(&text)
                .and_then(|()| stderr.flush())
                .is_err()
            {
                tracing::debug!("standard error can't be written to");
            }
        }
    }

    /// Standard output itself, for a result that is no text.
    pub fn stdout(&self) -> SharedWriter {
        self.streams.stdout.clone()
    }

    /// Whether standard output is a terminal.
    pub fn stdout_tty(&self) -> Tty {
        self.streams.stdout_tty
    }

    /// Whether standard error is a terminal.
    pub fn stderr_tty(&self) -> Tty {
        self.streams.stderr_tty
    }

    /// Where everything goes that is no result.
    pub fn stderr(&self) -> SharedWriter {
        self.streams.stderr.clone()
    }

    /// Writes one line to standard error.
    pub fn say(&self, line: &str) {
        self.complain(|out| writeln!(out, "{line}"));
    }
}

/// Sends diagnostics to standard error. Only our own are shown: those of libraries may hold
/// signed URLs.
fn diagnose(output: OutputFlags, progress: &Progress) {
    let level = match output.verbosity {
        Verbosity::Quiet => LevelFilter::ERROR,
        Verbosity::Normal => LevelFilter::WARN,
        Verbosity::Verbose => LevelFilter::INFO,
        Verbosity::Debug => LevelFilter::TRACE,
    };
    let ours = Targets::new().with_target("nestegg", level);
    let format = tracing_subscriber::fmt::layer()
        .with_writer(progress.log_writer())
        .with_ansi(false);
    let layer = match output.log_format {
        LogFormat::Text => format.with_target(false).boxed(),
        LogFormat::Json => format.json().boxed(),
    };
    let installed = tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .try_init();
    if installed.is_err() {
        tracing::debug!("diagnostics go where an earlier invocation in this process sent them");
    }
}

/// Carries out some work, which the first signal asks to stop; the second ends it at once, with the
/// exit code of that signal.
///
/// # Errors
/// That exit code.
pub async fn until_stopped<T>(
    env: &Env,
    session: &Session,
    work: impl Future<Output = T>,
) -> Result<T, Exit> {
    let ended = tokio::select! {
        // Signals are listened for before the work begins.
        biased;
        signal = second_signal(env, session) => Err(match signal {
            StopSignal::Interrupt => Exit::Interrupted,
            StopSignal::Terminate => Exit::Terminated,
        }),
        done = work => Ok(done),
    };
    session.progress.clear();
    ended
}

/// Turns the first signal into a wish to stop, and completes with the second: stop at once.
async fn second_signal(env: &Env, session: &Session) -> StopSignal {
    let (Ok(mut interrupts), Ok(mut terminations)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        tracing::warn!("signals can't be listened for: an interrupted run is not cleaned up");
        return std::future::pending().await;
    };
    let mut next = async || {
        tokio::select! {
            _ = interrupts.recv() => StopSignal::Interrupt,
            _ = terminations.recv() => StopSignal::Terminate,
        }
    };
    env.stop(next().await);
    session.say("stopping: what is under way is broken off cleanly; once more stops at once");
    next().await
}
