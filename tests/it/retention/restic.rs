//! What restic's `forget` keeps of random histories, and why, beside what nestegg does.
//!
//! The snapshots are real: `restic backup --time` made them. One snapshot belongs to many histories:
//! all of one host that have one tag are one.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::thread;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use nestegg::model::retention::KeepPolicy;
use nestegg::model::retention::KeepReason;
use serde_json::Value;

use crate::retention::case::Back;
use crate::retention::case::Policy;
use crate::retention::random::Random;
use crate::support::servers::install::ResticTools;

/// Zones, each with local times around which something changes. There is none of those that are at UTC
/// for half of the year: a snapshot made at UTC says `Z`, and restic then measures `within` back on the
/// clock of UTC instead of the zone's.
const ZONES: [(&str, [&str; 3]); 6] = [
    (
        "Etc/UTC",
        ["2021-01-04T02:00", "2024-03-01T02:00", "2025-01-01T01:00"],
    ),
    (
        "Europe/Berlin",
        ["2024-03-31T05:00", "2024-10-27T05:00", "2021-01-04T01:00"],
    ),
    // Summer ended one minute after midnight.
    (
        "America/St_Johns",
        ["2010-11-07T02:00", "2010-03-14T02:00", "2012-01-02T01:00"],
    ),
    (
        "Asia/Kathmandu",
        ["2024-03-01T02:00", "2024-12-31T02:00", "2023-05-31T12:00"],
    ),
    // Half an hour of summer.
    (
        "Australia/Lord_Howe",
        ["2024-04-07T04:00", "2024-10-06T04:00", "2022-01-03T01:00"],
    ),
    // There was no 30 December in 2011.
    (
        "Pacific/Apia",
        ["2011-12-31T03:00", "2012-01-02T03:00", "2016-02-29T12:00"],
    ),
];

/// restic goes by the clock of the machine; no snapshot is dated between that and this.
const NOW: &str = "2060-01-01T00:00:00Z";

const HOSTS: usize = 5;
const SNAPSHOTS_OF_A_HOST: usize = 10;
const TAGS: usize = 14;
const POLICIES_OF_A_TAG: usize = 2;

const MINUTES: [i64; 7] = [1, 20, 60, 300, 1440, 7 * 1440, 40 * 1440];

/// One repository, in one zone.
struct Repository {
    folder: tempfile::TempDir,
    program: PathBuf,
    zone_file: PathBuf,
    zone: TimeZone,
}

impl Repository {
    fn new(zone_name: &str) -> Self {
        let tools = ResticTools::get();
        let zone_file = tools.zone(zone_name);
        let rules = std::fs::read(&zone_file).unwrap();
        let repository = Self {
            folder: tempfile::tempdir().unwrap(),
            program: tools.restic(),
            zone_file,
            zone: TimeZone::tzif(zone_name, &rules).unwrap(),
        };
        std::fs::write(repository.folder.path().join("file"), "tiny").unwrap();
        init_slowly(repository.command(&["init", "--quiet"]));
        repository
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.folder.path())
            .args(["--no-cache", "--repo", "repository"])
            .args(arguments)
            .env("RESTIC_PASSWORD", "open sesame")
            .env("TZ", &self.zone_file);
        command
    }

    fn backup(&self, snapshot: &Snapshot) {
        let host = format!("host{}", snapshot.host);
        let time = snapshot.time.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let mut arguments = vec!["backup", "--quiet", "--host", &host, "--time", &time];
        let tags: Vec<String> = snapshot
            .tags
            .iter()
            .map(|tag| format!("tag{tag}"))
            .collect();
        arguments.extend(tags.iter().flat_map(|tag| ["--tag", tag]));
        arguments.push("file");
        succeeded(self.command(&arguments).output().unwrap());
    }

    /// By host, every snapshot with the tag and what `forget` says of it.
    fn forget(&self, tag: usize, policy: &Policy) -> BTreeMap<String, History> {
        let tag = format!("tag{tag}");
        let flags = flags(policy);
        let mut arguments = vec!["forget", "--dry-run", "--json", "--no-lock"];
        arguments.extend(["--group-by", "host", "--tag", &tag]);
        arguments.extend(flags.iter().map(String::as_str));
        let output = succeeded(self.command(&arguments).output().unwrap());
        let groups: Vec<Value> = serde_json::from_slice(&output).unwrap();
        groups
            .iter()
            .map(|group| {
                let host = group["host"].as_str().unwrap().to_owned();
                (host, History::of(group, policy))
            })
            .collect()
    }
}

/// restic makes the key of a repository as hard to derive as its machine can do in half a second. Stopped
/// again and again meanwhile, it takes the machine for a slow one, and every command after that is quick.
fn init_slowly(mut command: Command) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    while child.try_wait().unwrap().is_none() {
        let stopped = "kill -STOP $1; sleep 0.03; kill -CONT $1";
        let mut shell = Command::new("sh");
        shell.args(["-c", stopped, "stop", &id]);
        succeeded(shell.output().unwrap());
    }
    succeeded(child.wait_with_output().unwrap());
}

fn succeeded(output: Output) -> Vec<u8> {
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The snapshots of one host with one tag, and what becomes of each, sorted.
struct History {
    made: Vec<Timestamp>,
    said: Vec<String>,
}

impl History {
    fn of(group: &Value, policy: &Policy) -> Self {
        let times = |list: &Value| -> Vec<Timestamp> {
            let snapshots = list.as_array().map(Vec::as_slice).unwrap_or_default();
            snapshots.iter().map(time).collect()
        };
        let (kept, removed) = (times(&group["keep"]), times(&group["remove"]));
        let reasons = group["reasons"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let why = reasons
            .iter()
            .map(|reason| (time(&reason["snapshot"]), reason));
        let kept_for = why.map(|(time, reason)| line(time, &words(reason, policy)));
        let said = kept_for.chain(removed.iter().map(|time| line(*time, &BTreeSet::new())));
        let mut said: Vec<String> = said.collect();
        said.sort();
        assert_eq!(kept.len(), reasons.len());
        Self {
            made: kept.into_iter().chain(removed).collect(),
            said,
        }
    }
}

fn time(snapshot: &Value) -> Timestamp {
    snapshot["time"].as_str().unwrap().parse().unwrap()
}

fn line(time: Timestamp, words: &BTreeSet<String>) -> String {
    let mut line = time.to_string();
    for word in words {
        write!(line, ", {word}").unwrap();
    }
    line
}

/// restic's reasons in nestegg's words. It counts down what is left of each rule.
///
/// Since 0.16 it also keeps the oldest of all while a rule has counts left, and since 0.18 it says so; no
/// other rule then depends on it, and it is left out here as in Debian 12's.
fn words(reason: &Value, policy: &Policy) -> BTreeSet<String> {
    let matches = reason["matches"].as_array().unwrap().iter();
    matches
        .map(|matched| matched.as_str().unwrap())
        .filter(|matched| !matched.starts_with("oldest "))
        .map(|matched| {
            let rule = matched.split(' ').next().unwrap();
            let Some(index) = RULES.iter().position(|(name, _)| *name == rule) else {
                return rule.to_owned();
            };
            let of = policy.counts[index];
            let left = reason["counters"][rule].as_u64().unwrap_or(0);
            format!("{rule} {}/{of}", u64::from(of) - left)
        })
        .collect()
}

const RULES: [(&str, &str); 6] = [
    ("last", "--keep-last"),
    ("hourly", "--keep-hourly"),
    ("daily", "--keep-daily"),
    ("weekly", "--keep-weekly"),
    ("monthly", "--keep-monthly"),
    ("yearly", "--keep-yearly"),
];

fn flags(policy: &Policy) -> Vec<String> {
    let counts = RULES.iter().zip(policy.counts);
    let mut flags: Vec<String> = counts
        .filter(|(_, count)| *count > 0)
        .map(|((_, flag), count)| format!("{flag}={count}"))
        .collect();
    let Back {
        years,
        months,
        weeks,
        days,
        hours,
    } = policy.within;
    let parts = [
        (years, 'y'),
        (months, 'm'),
        (weeks * 7 + days, 'd'),
        (hours, 'h'),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let within: Vec<String> = parts
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if !within.is_empty() {
        flags.push(format!("--keep-within={}", within.concat()));
    }
    flags
}

/// What nestegg says of the same.
fn ours(made: &[Timestamp], keep: &KeepPolicy, zone: &TimeZone) -> Vec<String> {
    let now = NOW.parse().unwrap();
    let reasons = keep.reasons(made, now, zone);
    let mut said: Vec<String> = made
        .iter()
        .zip(reasons)
        .map(|(time, reasons)| {
            let words = reasons.iter().map(|reason| match reason {
                KeepReason::Nth { .. } => reason.to_string(),
                KeepReason::Within(_) => "within".to_owned(),
                KeepReason::NoPolicy => panic!("there is a policy"),
            });
            line(*time, &words.collect())
        })
        .collect();
    said.sort();
    said
}

#[derive(Debug)]
struct Snapshot {
    host: usize,
    /// On the wall clock of the repository's zone.
    time: DateTime,
    tags: BTreeSet<usize>,
}

fn drawn(edges: &[&str], random: &mut Random) -> Vec<Snapshot> {
    let mut snapshots = Vec::new();
    for host in 0..HOSTS {
        let edge: DateTime = edges[host % edges.len()].parse().unwrap();
        let minutes = MINUTES[random.index(MINUTES.len())];
        let mut time = edge;
        for number in 0..SNAPSHOTS_OF_A_HOST {
            let tags = (0..TAGS).filter(|_| !random.one_in(3));
            snapshots.push(Snapshot {
                host,
                // Some are from the future.
                time: if number == 0 && host % 2 == 0 {
                    time + 80.years()
                } else {
                    time
                },
                tags: tags.collect(),
            });
            // Some are made in the same second.
            if !random.one_in(8) {
                time -= random.up_to(2 * minutes).minutes();
            }
        }
    }
    snapshots
}

fn drawn_policy(random: &mut Random) -> Policy {
    let mut policy = Policy::default();
    while policy.is_empty() {
        for count in &mut policy.counts {
            if random.one_in(3) {
                *count = u32::try_from(random.up_to(6)).unwrap();
            }
        }
        if random.one_in(3) {
            let mut part = |most| {
                if random.one_in(2) {
                    random.up_to(most)
                } else {
                    0
                }
            };
            policy.within = Back {
                years: part(1),
                months: part(5),
                weeks: part(2),
                days: part(12),
                hours: part(30),
            };
        }
    }
    policy
}

/// All histories of one zone, each compared: the different ones, as the times they consist of.
fn compared(
    (zone_name, edges): (&str, [&str; 3]),
    seed: u64,
) -> BTreeSet<(String, Vec<Timestamp>)> {
    let mut random = Random::new(seed);
    let repository = Repository::new(zone_name);
    let snapshots = drawn(&edges, &mut random);
    for snapshot in &snapshots {
        repository.backup(snapshot);
    }
    let mut histories = BTreeSet::new();
    for tag in 0..TAGS {
        for _ in 0..POLICIES_OF_A_TAG {
            let policy = drawn_policy(&mut random);
            let groups = repository.forget(tag, &policy);
            let mut tagged: BTreeMap<String, usize> = BTreeMap::new();
            for snapshot in snapshots
                .iter()
                .filter(|snapshot| snapshot.tags.contains(&tag))
            {
                *tagged.entry(format!("host{}", snapshot.host)).or_default() += 1;
            }
            let told = groups
                .iter()
                .map(|(host, history)| (host.clone(), history.made.len()));
            assert_eq!(told.collect::<BTreeMap<_, _>>(), tagged);
            for (host, history) in groups {
                assert_eq!(
                    ours(&history.made, &policy.keep(), &repository.zone),
                    history.said,
                    "{zone_name}, {host}, tag{tag}: {:?}",
                    flags(&policy)
                );
                let mut made = history.made;
                made.sort();
                histories.insert((format!("{zone_name} {host}"), made));
            }
        }
    }
    histories
}

#[test]
fn three_hundred_random_histories_are_thinned_as_restic_would() {
    let histories: usize = thread::scope(|scope| {
        let zones = ZONES.into_iter().zip(1_u64..);
        let running: Vec<_> = zones
            .map(|(zone, seed)| scope.spawn(move || compared(zone, seed)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap().len())
            .sum()
    });
    assert!(histories >= 300, "only {histories} are different");
}
