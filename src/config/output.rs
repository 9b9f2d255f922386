//! How a command talks: verbosity, logs, progress, colour, form of results.

/// What was typed about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputFlags {
    /// `-v`, `-vv`, `-q`.
    pub verbosity: Verbosity,
    /// `--log-format`.
    pub log_format: LogFormat,
    /// `--progress`.
    pub progress: When,
    /// `--color`.
    pub color: When,
    /// `--json`.
    pub results: ResultFormat,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only errors; nothing at all when all is well.
    Quiet,
    /// Warnings, and one line for each piece of work.
    Normal,
    /// What is being done as well.
    Verbose,
    /// All there is.
    Debug,
}

/// The form of diagnostics on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// When something that needs a terminal is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// On a terminal.
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// The form of results on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFormat {
    /// For people.
    Human,
    /// One JSON document.
    Json,
}
