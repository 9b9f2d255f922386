//! How fast `nestegg` is beside what people would use instead, on this machine, in one run.
//!
//! `cargo bench --bench mirror` ends in a few minutes; `-- --size 4GiB --runs 3` is what README's
//! "Measured" shows. Absolute times say more of the machine than of the program: what counts are
//! the ratios in the last column, between medians of runs that took turns.
//!
//! Needs Python 3 (which measures the processes) and curl. Peers that are not on this machine are
//! named as missing and left out; the tests of the storage servers install rclone, s5cmd and
//! SeaweedFS below `target/`, where they are found.

#[path = "mirror/archive.rs"]
mod archive;
#[path = "mirror/bench.rs"]
mod bench;
#[path = "mirror/groups.rs"]
mod groups;
#[path = "mirror/held.rs"]
mod held;
#[path = "mirror/http.rs"]
mod http;
#[path = "mirror/ledgers.rs"]
mod ledgers;
#[path = "mirror/measure.rs"]
mod measure;
#[path = "mirror/panel.rs"]
mod panel;
#[path = "mirror/seaweedfs.rs"]
mod seaweedfs;
#[path = "mirror/sink.rs"]
mod sink;
#[path = "mirror/table.rs"]
mod table;
#[path = "mirror/tools.rs"]
mod tools;

use std::error::Error;
use std::io;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Parser;
use clap::ValueEnum;

use crate::bench::Bench;

/// Whatever may go wrong; the bench ends then.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures nestegg beside its peers
#[derive(Debug, Parser)]
struct Options {
    /// How long the archives are
    #[arg(long, default_value = "256MiB")]
    size: ByteSize,
    /// Measure only the row of this name; may be repeated [default: all rows]
    #[arg(long = "contender", value_name = "NAME")]
    contenders: Vec<String>,
    /// How often each thing is measured; the medians count
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What to measure [default: all of it]
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    only: Vec<Group>,
    /// The lengths at which memory is looked at [default: the size, and four times the size]
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    memory_sizes: Vec<ByteSize>,
    /// On a machine shared with others: wait up to this many seconds for it to be idle before each
    /// measurement, and repeat those that others disturbed
    #[arg(long, default_value_t = 0)]
    quiet: u64,
    /// How many copies the ledger of the status measurement holds
    #[arg(long, default_value_t = 1_000_000)]
    copies: u64,
    /// The program to measure
    #[arg(long, default_value = env!("CARGO_BIN_EXE_nestegg"))]
    program: PathBuf,
    /// A line for the `options` table of nestegg's store: `unsigned_payload = true`
    #[arg(long, value_name = "TOML", default_value = "")]
    store_settings: String,
    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// To directories of this machine.
    Local,
    /// To SeaweedFS on this machine.
    S3,
    /// To an S3 server that throws everything away.
    Sink,
    /// Peak memory by length.
    Memory,
    /// `verify` and `restore` from a directory of this machine.
    HeldLocal,
    /// `verify` and `restore` from SeaweedFS on this machine.
    HeldS3,
    /// Peak memory of `verify` and `restore` by length.
    HeldMemory,
    /// `status` over a large ledger.
    Status,
    /// A night with nothing to do.
    Idle,
    /// Size and start-up of the program.
    Program,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        say("run it as `cargo bench --bench mirror`: a debug build says nothing about speed");
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome<()> {
    let bench = Bench::new(options)?;
    let is_wanted = |group| options.only.is_empty() || options.only.contains(&group);
    for group in Group::value_variants() {
        if !is_wanted(*group) {
            continue;
        }
        match group {
            Group::Local => groups::local(&bench)?,
            Group::S3 => groups::s3(&bench)?,
            Group::Sink => groups::to_sink(&bench)?,
            Group::Memory => groups::memory(&bench)?,
            Group::HeldLocal => held::local(&bench)?,
            Group::HeldS3 => held::s3(&bench)?,
            Group::HeldMemory => held::memory(&bench)?,
            Group::Status => ledgers::status(&bench)?,
            Group::Idle => ledgers::idle(&bench)?,
            Group::Program => groups::program(&bench)?,
        }
    }
    Ok(())
}

/// A line on standard output; a bench that nobody reads has nothing to say.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        tracing::debug!("nobody reads the results");
    }
}
