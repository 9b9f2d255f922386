//! What all groups share: where things are kept, and contenders that take turns.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytesize::ByteSize;
use tempfile::TempDir;

use crate::Options;
use crate::Outcome;
use crate::archive::Archive;
use crate::archive::Content;
use crate::measure;
use crate::measure::Job;
use crate::measure::Sample;
use crate::say;
use crate::seaweedfs::SeaweedFs;
use crate::table::Row;
use crate::table::Rows;
use crate::tools::Tool;
use crate::tools::Tools;

/// One bench run.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) bytes: u64,
    pub(crate) runs: usize,
    pub(crate) memory_bytes: Vec<u64>,
    pub(crate) copies: u64,
    wanted: Vec<String>,
    patience: Duration,
    pub(crate) program: PathBuf,
    pub(crate) store_settings: String,
    pub(crate) tools: Tools,
    folder: TempDir,
}

/// Where systems keep files in memory.
const MEMORY_DISK: &str = "/dev/shm";

/// Where one measurement happens.
#[derive(Debug)]
pub(crate) struct Place {
    /// A folder of its own, removed afterwards.
    pub(crate) folder: PathBuf,
    /// Another that is in memory; `None` where the system has no such disk.
    pub(crate) in_memory: Option<PathBuf>,
    /// The store's address; empty when there is none.
    pub(crate) endpoint: String,
    /// A prefix of its own at the store.
    pub(crate) prefix: String,
}

/// The store that contenders upload to.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    None,
    /// One that stays.
    At(String),
    /// A fresh one for every measurement.
    SeaweedFs,
}

/// Prepares a place and says what to start in it.
type Prepare<'a> = Box<dyn Fn(&Place) -> Outcome<Job> + 'a>;

/// What a contender does.
pub(crate) enum Work<'a> {
    /// Starts a process.
    Process(Prepare<'a>),
    /// Works in this very process.
    Here(Box<dyn Fn() -> Outcome<()> + 'a>),
}

/// Something to measure.
pub(crate) struct Contender<'a> {
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [Tool],
    pub(crate) work: Work<'a>,
}

impl<'a> Contender<'a> {
    /// One that starts a process.
    pub(crate) fn process(
        name: &'static str,
        needs: &'static [Tool],
        job: impl Fn(&Place) -> Outcome<Job> + 'a,
    ) -> Self {
        Self {
            name,
            needs,
            work: Work::Process(Box::new(job)),
        }
    }

    /// One that works in this process.
    pub(crate) fn here(name: &'static str, work: impl Fn() -> Outcome<()> + 'a) -> Self {
        Self {
            name,
            needs: &[],
            work: Work::Here(Box::new(work)),
        }
    }
}

impl Bench {
    /// Prepares a folder below the target directory.
    pub(crate) fn new(options: &Options) -> Outcome<Self> {
        let folder = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let bytes = options.size.as_u64();
        let memory_bytes = if options.memory_sizes.is_empty() {
            vec![bytes, bytes * 4]
        } else {
            options.memory_sizes.iter().map(ByteSize::as_u64).collect()
        };
        Ok(Self {
            bytes,
            runs: options.runs.max(1),
            memory_bytes,
            copies: options.copies,
            wanted: options.contenders.clone(),
            patience: Duration::from_secs(options.quiet),
            program: fs::canonicalize(&options.program)?,
            store_settings: options.store_settings.clone(),
            tools: Tools::find(),
            folder,
        })
    }

    /// A folder that lives as long as the bench.
    pub(crate) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// An archive of about the length asked for.
    pub(crate) fn archive(&self, content: Content, bytes: u64) -> Outcome<Archive> {
        Archive::make(self.folder.path(), content, bytes)
    }

    /// How long, how often, and how busy the machine is.
    pub(crate) fn heading(&self, what: &str, bytes: u64) -> String {
        let shown = ByteSize::b(bytes);
        format!("{what}, {shown}, {} runs, {}", self.runs, measure::load())
    }

    /// Measures all contenders in turns. Those whose programs are missing are told and left out.
    pub(crate) fn compare(&self, contenders: &[Contender<'_>], store: &Store) -> Outcome<Rows> {
        let mut rows = Vec::new();
        let is_wanted =
            |name: &str| self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted == name);
        for contender in contenders {
            if !is_wanted(contender.name) {
                continue;
            }
            match self.tools.missing(contender.needs) {
                Some(missing) => say(&format!("left out `{}`: {missing}", contender.name)),
                None => rows.push((contender, Vec::new())),
            }
        }
        if rows.is_empty() {
            let names: Vec<_> = contenders.iter().map(|contender| contender.name).collect();
            say(&format!("nothing to measure among: {}", names.join("; ")));
        }
        for run in 0..self.runs {
            for (index, (contender, samples)) in rows.iter_mut().enumerate() {
                let prefix = format!("run{run}-{index}");
                let sample = self.undisturbed(contender, &prefix, store)?;
                say(&format!(
                    "  {:>6.2} s  {:>6.2} CPU s  {}",
                    sample.wall, sample.cpu, contender.name
                ));
                samples.push(sample);
            }
        }
        let named = |(contender, samples): (&Contender<'_>, _)| Row {
            name: contender.name.to_owned(),
            samples,
        };
        Ok(Rows(rows.into_iter().map(named).collect()))
    }

    /// Measures once; where the machine is shared and there is patience, again when others worked
    /// meanwhile, and then the least disturbed time counts.
    fn undisturbed(
        &self,
        contender: &Contender<'_>,
        prefix: &str,
        store: &Store,
    ) -> Outcome<Sample> {
        const TRIES: u32 = 4;
        let mut best: Option<(f64, Sample)> = None;
        for attempt in 1..=TRIES {
            let folder = self.folder("run")?;
            let in_memory = in_memory()?;
            settle()?;
            let place = Place {
                folder: folder.clone(),
                in_memory: in_memory.as_ref().map(|folder| folder.path().to_owned()),
                endpoint: String::new(),
                prefix: format!("{prefix}-{attempt}"),
            };
            let measured = self.measure(contender, place, store);
            fs::remove_dir_all(&folder)?;
            drop(in_memory);
            let (foreign, sample) = measured?;
            let disturbance = foreign / sample.wall;
            if best.is_none_or(|(least, _)| disturbance < least) {
                best = Some((disturbance, sample));
            }
            if self.patience.is_zero() || disturbance < DISTURBED {
                break;
            }
            say(&format!(
                "  ({:.2} s, disturbed: others used {:.0} % of a processor)",
                sample.wall,
                disturbance * 100.0
            ));
        }
        let (_, sample) = best.ok_or("nothing was measured")?;
        Ok(sample)
    }

    /// What a contender took, and what processes other than it, this one and the store took.
    fn measure(
        &self,
        contender: &Contender<'_>,
        place: Place,
        store: &Store,
    ) -> Outcome<(f64, Sample)> {
        let (endpoint, server) = match store {
            Store::None => (String::new(), None),
            Store::At(endpoint) => (endpoint.clone(), None),
            Store::SeaweedFs => {
                let server = SeaweedFs::start(&self.tools, self.folder.path())?;
                (server.endpoint.clone(), Some(server))
            }
        };
        let own = || measure::cpu_of(std::process::id());
        let of_store = || server.as_ref().map_or(Ok(0.0), SeaweedFs::cpu);
        let place = Place { endpoint, ..place };
        measure::wait_for_quiet(self.patience)?;
        let (busy_before, own_before, store_before) = (measure::busy()?, own()?, of_store()?);
        let (sample, children) = match &contender.work {
            Work::Here(work) => (measure::of_this_process(work)?, 0.0),
            Work::Process(job) => {
                let job = job(&place)?
                    .with("PATH", self.tools.search_path())
                    .with("NO_PROXY", "127.0.0.1");
                let sample = measure::run(&job, &place.folder)?;
                (sample, sample.cpu)
            }
        };
        let all = measure::busy()? - busy_before;
        let store_cpu = of_store()? - store_before;
        let of_this = own()? - own_before;
        let foreign = all - of_this - store_cpu - children;
        let served_cpu = match &contender.work {
            Work::Here(_) => 0.0,
            Work::Process(_) => of_this,
        };
        Ok((
            foreign.max(0.0),
            Sample {
                store_cpu,
                served_cpu,
                ..sample
            },
        ))
    }
}

/// A measurement during which others used more of a processor than this is repeated, when there is
/// patience. The kernel's own threads, which write to the disk, are among the others.
const DISTURBED: f64 = 0.2;

/// Whether the system has a disk that is in memory.
pub(crate) fn has_memory_disk() -> bool {
    Path::new(MEMORY_DISK).is_dir()
}

/// A folder on it.
fn in_memory() -> Outcome<Option<TempDir>> {
    if !has_memory_disk() {
        return Ok(None);
    }
    let folder = tempfile::Builder::new()
        .prefix("nestegg-bench-")
        .tempdir_in(MEMORY_DISK)?;
    Ok(Some(folder))
}

/// Lets the disk finish what others left.
fn settle() -> Outcome<()> {
    Command::new("sync").status()?;
    Ok(())
}
