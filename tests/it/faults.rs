//! What goes wrong between a panel and a copy, and what is left then: at the destination, in the ledger, in words.
//!
//! Every run here is told as a [`story`]: exit code, each failure with its hint, what became of every copy, what is
//! visible, what the ledger says, and what was asked of panel and node for it.

mod access;
mod archives;
mod destinations;
mod disk;
mod hostile;
mod links;
mod listing;
mod resume;
mod rows;
mod secrets;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use nestegg::destination::Destination;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::ids::BackupId;
use nestegg::ops;
use nestegg::ops::Tuning;
use nestegg::ops::setup;
use nestegg::report::MirrorReport;
use nestegg::report::json;
use nestegg::transfer::observer::Silent;

use crate::support::world::World;
use crate::support::world::quick_tuning;

/// The length of a part in these tests: an archive of some hundred kilobytes has several.
const PART_BYTES: u64 = 64 * 1024;

/// Short waits and small parts.
fn small_parts() -> Tuning {
    let mut tuning = quick_tuning();
    tuning.destination.part_bytes = PART_BYTES;
    tuning.destination.unknown_part_bytes = PART_BYTES;
    tuning
}

/// Short parts, and hardly any patience with what stands still.
fn impatient() -> Tuning {
    let mut tuning = small_parts();
    tuning.transfer.stall_timeout = Duration::from_millis(400);
    tuning.panel.request_timeout = Duration::from_millis(300);
    tuning
}

/// Runs it on a clock that stands still as long as this process does: it goes on by a millisecond at most
/// each time that all that could go on had its turn, so that only what really stands still is found to.
async fn on_a_patient_clock<T>(work: impl Future<Output = T>) -> T {
    const TICK: Duration = Duration::from_millis(1);
    tokio::time::pause();
    let ticking = async {
        loop {
            // As long as such a thread runs, the runtime leaves its clock alone.
            let tick = tokio::task::spawn_blocking(|| std::thread::sleep(TICK));
            tick.await.unwrap();
            tokio::time::advance(TICK).await;
        }
    };
    let ended = tokio::select! {
        ended = work => ended,
        () = ticking => unreachable!("it ticks for ever"),
    };
    tokio::time::resume();
    ended
}

/// Mirrors with hardly any patience.
async fn mirror_impatiently(world: &World) -> Ended {
    on_a_patient_clock(Box::pin(mirror_with(world, &[], impatient()))).await
}

/// How a run ended.
type Ended = (MirrorReport, Exit);

/// Mirrors into the world's own local destination.
async fn mirror(world: &World) -> Ended {
    mirror_with(world, &[], small_parts()).await
}

/// The same with more arguments and other waits.
async fn mirror_with(world: &World, more: &[&str], tuning: Tuning) -> Ended {
    carry_out(world, more, tuning, None).await
}

/// Mirrors into these destinations and no other.
async fn mirror_into(world: &World, destinations: Vec<Destination>) -> Ended {
    carry_out(world, &[], small_parts(), Some(destinations)).await
}

async fn carry_out(
    world: &World,
    more: &[&str],
    tuning: Tuning,
    destinations: Option<Vec<Destination>>,
) -> Ended {
    let settings = world.settings(&world.mirror_args(more));
    let env = Env::new(Clock::System);
    let open = setup::ledger(&settings, "mirror", &env).await.unwrap();
    let mut parts = setup::parts(&settings, open.book.clone(), env, Arc::new(Silent), tuning)
        .await
        .unwrap();
    if let Some(destinations) = destinations {
        parts.destinations = destinations;
    }
    let report = ops::mirror::run(parts, settings.mirror).await.unwrap();
    let exit = Exit::of_mirror(&report);
    open.book
        .finish(exit.code(), json::counts(&report))
        .await
        .unwrap();
    (report, exit)
}

/// What a run came to, and what it left, without ids, ports and paths of this very test.
fn story(world: &World, (report, exit): &Ended) -> String {
    let mut told = format!("exit {}\n", exit.code());
    for skipped in &report.skipped {
        let what = skipped.backup.map(|id| id.to_string());
        let what = what.unwrap_or_else(|| skipped.server.to_string());
        writeln!(told, "skipped {what}: {}", skipped.why).unwrap();
    }
    let mut failures: Vec<String> = report
        .errors
        .iter()
        .map(|failure| {
            let kind = failure.kind.as_str();
            let (what, why, hint) = (&failure.id, &failure.message, &failure.hint);
            format!("{} {what}: {kind}: {why}\n  hint: {hint}\n", failure.scope)
        })
        .collect();
    // Which of two transfers ends first is chance.
    failures.sort_by_key(|failure| plain(world, report, failure));
    told.extend(failures);
    let mut copies: Vec<String> = report
        .backups
        .iter()
        .flat_map(|backup| {
            backup.copies.iter().map(|copy| {
                let proved = copy
                    .verdict
                    .map_or(String::new(), |proved| format!(", {proved}"));
                let name = &backup.name;
                format!(
                    "{name} at {}: {}{proved}",
                    copy.destination,
                    copy.state.as_str()
                )
            })
        })
        .collect();
    copies.sort();
    told.extend(copies.iter().map(|copy| format!("copy {copy}\n")));
    for visible in world.visible() {
        writeln!(told, "visible {visible}").unwrap();
    }
    told.push_str(&ledger_story(world));
    writeln!(
        told,
        "links {}, downloads {}, bytes served {}",
        world.panel.links_given(),
        world.panel.downloads_started(),
        world.panel.bytes_served()
    )
    .unwrap();
    plain(world, report, &told)
}

/// What the ledger says is held and lacking, and which uploads it thinks open.
fn ledger_story(world: &World) -> String {
    let ledger = Ledger::open_read_only(&world.ledger()).unwrap();
    let mut told = String::new();
    let mut held: Vec<String> = ledger
        .copies(&CopyFilter::default())
        .unwrap()
        .into_iter()
        .map(|copy| {
            format!(
                "{} at {}: {}",
                copy.backup_name, copy.destination, copy.verdict
            )
        })
        .collect();
    held.sort();
    told.extend(held.iter().map(|copy| format!("ledger holds {copy}\n")));
    let servers = ledger.holdings(&CopyFilter::default()).unwrap();
    for server in &servers {
        if let Some(why) = &server.skipped_because {
            writeln!(told, "ledger skipped {}: {why}", server.name).unwrap();
        }
        for destination in &server.destinations {
            for missing in &destination.missing {
                let why = missing.why.as_deref().unwrap_or("not tried");
                let (name, place) = (&missing.backup_name, &destination.destination);
                writeln!(told, "ledger lacks {name} at {place}: {why}").unwrap();
            }
        }
    }
    for upload in ledger.open_uploads().unwrap() {
        writeln!(told, "ledger notes an open upload at {}", upload.location).unwrap();
    }
    told
}

/// A text without what differs from run to run: ids become names, ports and paths go.
fn plain(world: &World, report: &MirrorReport, text: &str) -> String {
    let mut names = BTreeMap::new();
    for backup in &report.backups {
        names.insert(backup.backup.to_string(), backup.name.clone());
        names.insert(backup.server.to_string(), backup.server_name.clone());
    }
    let ledger = Ledger::open_read_only(&world.ledger()).unwrap();
    for server in ledger.holdings(&CopyFilter::default()).unwrap() {
        names.insert(server.server.to_string(), server.name);
    }
    let text = text.replace(world.offsite().to_str().unwrap(), "<offsite>");
    without_ports(&without_ids(&text, &names))
}

fn without_ids(text: &str, names: &BTreeMap<String, String>) -> String {
    const ID_BYTES: usize = 36;
    let mut told = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let id = rest
            .get(..ID_BYTES)
            .filter(|id| id.parse::<BackupId>().is_ok());
        let length = if let Some(id) = id {
            let name = names.get(id).map_or("an id", String::as_str);
            write!(told, "<{name}>").unwrap();
            ID_BYTES
        } else {
            told.push(first);
            first.len_utf8()
        };
        rest = rest.get(length..).unwrap();
    }
    told
}

fn without_ports(text: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut parts = text.split(HOST);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        told.push_str("<host>");
        told.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    told
}
