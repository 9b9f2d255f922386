//! One process and all its children, measured: wall time, CPU time, peak memory.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::Outcome;

/// Runs the rest of its arguments and writes what they took; `getrusage` counts children that were
/// waited for, and theirs. Peak memory is that of the largest single process.
const WRAPPER: &str = "
import resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.call(sys.argv[2:])
wall = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], 'w') as out:
    out.write(f'{wall} {used.ru_utime + used.ru_stime} {used.ru_maxrss} {code}')
";

/// What something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) wall: f64,
    /// User and system time of all processes.
    pub(crate) cpu: f64,
    /// Of the largest process; zero where it says nothing.
    pub(crate) peak_kib: f64,
    /// User and system time of the store, where it is a process of its own.
    pub(crate) store_cpu: f64,
    /// User and system time of this process meanwhile: the source, and a store that discards.
    pub(crate) served_cpu: f64,
}

impl Sample {
    /// The wall time if all processors had worked on nothing else and never idled.
    pub(crate) fn least_wall(&self) -> f64 {
        (self.cpu + self.store_cpu + self.served_cpu) / processors()
    }
}

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Job {
    /// Program and arguments.
    pub(crate) words: Vec<String>,
    /// Added to the environment.
    pub(crate) variables: Vec<(String, String)>,
}

impl Job {
    /// A script for bash; it fails when any of its commands does.
    pub(crate) fn script(text: &str) -> Self {
        Self {
            words: ["bash", "-euo", "pipefail", "-c", text]
                .map(str::to_owned)
                .to_vec(),
            variables: Vec::new(),
        }
    }

    /// The same with one more variable.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }
}

/// Runs a job in `folder`, with what it says kept there.
///
/// # Errors
/// When it ends with anything but 0, with the last lines of what it said.
pub(crate) fn run(job: &Job, folder: &Path) -> Outcome<Sample> {
    let (result, log) = (folder.join("result"), folder.join("log"));
    let file = fs::File::create(&log)?;
    let status = Command::new("python3")
        .args(["-c", WRAPPER])
        .arg(&result)
        .args(&job.words)
        .envs(job.variables.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .map_err(|error| format!("could not run python3, which measures: {error}"))?;
    let text = fs::read_to_string(&result).unwrap_or_default();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let said = fs::read_to_string(&log).unwrap_or_default();
    match numbers.as_slice() {
        [wall, cpu, peak_kib, 0.0] => Ok(Sample {
            wall: *wall,
            cpu: *cpu,
            peak_kib: *peak_kib,
            store_cpu: 0.0,
            served_cpu: 0.0,
        }),
        _failed => Err(format!(
            "`{}` failed ({status}, {text}): {said}",
            job.words.join(" ")
        )
        .into()),
    }
}

/// Measures work of this very process.
pub(crate) fn of_this_process(work: impl FnOnce() -> Outcome<()>) -> Outcome<Sample> {
    let (began, cpu_before) = (Instant::now(), own_cpu()?);
    work()?;
    Ok(Sample {
        wall: began.elapsed().as_secs_f64(),
        cpu: own_cpu()? - cpu_before,
        peak_kib: 0.0,
        store_cpu: 0.0,
        served_cpu: 0.0,
    })
}

fn own_cpu() -> Outcome<f64> {
    cpu_of(std::process::id())
}

/// User and system time of a process so far, in seconds; the kernel counts in hundredths
/// (proc(5), `stat`).
pub(crate) fn cpu_of(process: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|word| word.parse::<f64>().ok())
        .sum();
    Ok(ticks / 100.0)
}

/// What all processors together have worked since the machine was started, in seconds: user, nice,
/// system, interrupts, and what the host took away (proc(5), `stat`).
pub(crate) fn busy() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let ticks: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|word| word.parse().ok())
        .collect();
    match ticks.as_slice() {
        [user, nice, system, _idle, _iowait, irq, softirq, steal] => {
            Ok((user + nice + system + irq + softirq + steal) / 100.0)
        }
        _other => Err("/proc/stat is not as it should be".into()),
    }
}

/// Waits until the machine has been nearly idle for a second, but no longer than `patience`.
pub(crate) fn wait_for_quiet(patience: Duration) -> Outcome<()> {
    const NEARLY_IDLE: f64 = 0.1;
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        let before = busy()?;
        std::thread::sleep(Duration::from_secs(1));
        if busy()? - before < NEARLY_IDLE {
            break;
        }
    }
    Ok(())
}

/// How long a process takes from its start to its end.
pub(crate) fn start_up(program: &Path, argument: &str) -> Outcome<Duration> {
    let began = Instant::now();
    let output = Command::new(program).arg(argument).output()?;
    let took = began.elapsed();
    if output.status.success() {
        Ok(took)
    } else {
        Err(format!("`{} {argument}` failed", program.display()).into())
    }
}

/// The middle one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(f64::NAN);
    if values.len().is_multiple_of(2) {
        let lower = values.get(middle.wrapping_sub(1)).copied();
        f64::midpoint(lower.unwrap_or(upper), upper)
    } else {
        upper
    }
}

/// How many processors it has.
pub(crate) fn processors() -> f64 {
    let processors = std::thread::available_parallelism().ok();
    processors
        .and_then(|processors| u32::try_from(processors.get()).ok())
        .map_or(1.0, f64::from)
}

/// How busy the machine was over the last minute, and how many processors it has.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = load.split_whitespace().next().unwrap_or("?").to_owned();
    format!("load {minute} on {} processors", processors())
}
