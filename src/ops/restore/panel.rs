//! A backup into a server of a panel, through the panel's API alone (`panel-contract.md` section 7).
//!
//! Order: look (state, room, files, copies) → ask → note that it runs → stop → archive onto the node →
//! see that it is off → empty → see again that it is off → unpack → remove the archive → start → remove
//! the note. Nothing is deleted before the archive is whole on the node, and every step finds what an
//! earlier run left: a killed restore is finished by the same command. One that fails before it has
//! changed a file starts a server again that it has stopped.

pub mod became;
pub mod because;
pub mod bring;
pub mod consent;
pub mod copies;
pub mod delete;
pub mod error;
pub mod job;
pub mod pull;
pub mod sftp;
pub mod tail;
pub mod unpack;
pub mod upload;

use std::time::Duration;

use crate::model::ids::ServerId;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::server::ServerState;
use crate::model::text::shown_name;
use crate::ops::power;
use crate::ops::power::StopPatience;
use crate::ops::restore::panel::became::ToPanelReport;
use crate::ops::restore::panel::consent::Asker;
use crate::ops::restore::panel::consent::Consent;
use crate::ops::restore::panel::consent::Deed;
use crate::ops::restore::panel::copies::Copies;
use crate::ops::restore::panel::copies::Looked;
use crate::ops::restore::panel::delete::Note;
use crate::ops::restore::panel::error::Error;
use crate::ops::restore::panel::job::Job;
use crate::ops::restore::panel::job::Power;
use crate::ops::restore::panel::job::Ran;
use crate::ops::restore::panel::job::Reached;
use crate::ops::restore::panel::sftp::access::SftpAccess;
use crate::ops::restore::source::Candidate;
use crate::panel;
use crate::panel::Call;
use crate::panel::DiskLimit;
use crate::panel::FileEntry;
use crate::panel::Hosting;
use crate::panel::PanelClient;
use crate::panel::PowerState;
use crate::panel::Signal;
use crate::plan::to_panel::Files;
use crate::plan::to_panel::Space;
use crate::plan::to_panel::Wish;
use crate::transfer::Shared;
use crate::transfer::unseal::Identities;

/// A server's name is shown up to this length.
const SHOWN_CHARACTERS: usize = 60;

/// What a restore into a server is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The panel.
    pub panel: &'a PanelClient,
    /// The server.
    pub server: ServerId,
    /// The copies of one backup, the best first.
    pub candidates: &'a [Candidate],
    /// What opens encrypted ones.
    pub identities: &'a Identities,
    /// What becomes of the files that the server has.
    pub files: Files,
    /// Which ways may be taken.
    pub wish: Wish,
    /// How to log in over SFTP, where that is a way.
    pub sftp: SftpLogin,
    /// Who is asked before what can't be undone.
    pub asker: &'a dyn Asker,
}

/// How to log in over SFTP.
#[derive(Debug, Clone)]
pub enum SftpLogin {
    /// Nobody said.
    None,
    /// So.
    With(SftpAccess),
}

/// Waits of a restore into a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToPanelTuning {
    /// How often the power state is asked for.
    pub power_poll: Duration,
    /// How long panels may repeat an answer about the power state.
    pub resources_cache: Duration,
    /// How long a server may take to stop.
    pub stop_patience: Duration,
    /// How often the archive's length on the node is asked for.
    pub arrival_poll: Duration,
    /// How long nothing may arrive.
    pub arrival_stall: Duration,
    /// How long a file that an earlier run left is watched for whether it grows.
    pub leftover_stall: Duration,
    /// How often an unpacking that nobody waits for is looked at.
    pub unpack_poll: Duration,
    /// How long nothing may change before it counts as ended.
    pub settle: Duration,
    /// How long a presigned URL is good for.
    pub presigned_for: Duration,
    /// How long a node may take to make a file of an upload whose last byte it has.
    pub upload_patience: Duration,
    /// How long a login over SFTP may take.
    pub login_patience: Duration,
}

impl ToPanelTuning {
    /// The values of real runs.
    pub const PRODUCTION: Self = Self {
        power_poll: Duration::from_secs(3),
        // Panels keep an answer for 20 s, and count in whole seconds.
        resources_cache: Duration::from_secs(22),
        stop_patience: Duration::from_mins(5),
        arrival_poll: Duration::from_secs(3),
        arrival_stall: Duration::from_mins(2),
        leftover_stall: Duration::from_secs(20),
        unpack_poll: Duration::from_secs(10),
        // Longer than a node takes between two members, and than panels keep resources.
        settle: Duration::from_mins(3),
        presigned_for: Duration::from_mins(15),
        upload_patience: Duration::from_mins(15),
        login_patience: Duration::from_secs(30),
    };
}

/// Restores one backup into a server, and says how it stands with that server in the end.
pub async fn run(request: &Request<'_>, shared: &Shared, tuning: &ToPanelTuning) -> ToPanelReport {
    let mut report = ToPanelReport {
        panel: request.panel.name().clone(),
        server: request.server,
        server_name: String::new(),
        backup: None,
        archive_bytes: 0,
        destinations: request
            .candidates
            .iter()
            .map(|candidate| candidate.destination.name().clone())
            .collect(),
        route: None,
        not_taken: Vec::new(),
        copies: Vec::new(),
        unpacked: None,
        left: Vec::new(),
        failure: None,
    };
    let fail = |error: &Error| Some(error.failure(Scope::Server, request.server.to_string()));
    let Some(first) = request.candidates.first() else {
        report.failure = fail(&Error::NoCopy);
        return report;
    };
    report.backup = Some(first.copy.backup);
    report.archive_bytes = first.copy.archive_bytes;
    let http = match upload::http(shared.tuning.connect_timeout) {
        Ok(http) => http,
        Err(error) => {
            report.failure = fail(&error.into());
            return report;
        }
    };
    let mut job = Job {
        request,
        shared,
        tuning,
        http,
        backup: first.copy.backup,
        archive_bytes: first.copy.archive_bytes,
        reached: Reached::Looked,
        ran: Ran::No,
        power: Power::AsFound,
        not_taken: Vec::new(),
        taken: None,
        copies: Copies::new(request.candidates),
        unpacked: None,
    };
    let done = steps(&mut job, &mut report.server_name).await;
    if let Err(error) = &done {
        give_back(&mut job, error).await;
        report.failure = fail(error);
        report.left = left(&job);
        if let (Error::NotRead(_), Some(failure)) = (error, &report.failure) {
            job.copies.told_as(failure);
        }
    }
    report.route = job.taken;
    report.not_taken = job.not_taken;
    report.copies = job.copies.into_came();
    report.unpacked = job.unpacked;
    report
}

async fn steps(job: &mut Job<'_>, server_name: &mut String) -> Result<(), Error> {
    let request = job.request;
    let server = &request.server;
    let hosting = job.unless_stopped(request.panel.hosting(server)).await?;
    *server_name = shown_name(&hosting.server.name, SHOWN_CHARACTERS);
    open_to_files(&hosting)?;
    let now = job.unless_stopped(request.panel.resources(server)).await?;
    let root = job.root().await?;
    let ours = |entry: &&FileEntry| job::is_ours(&entry.name, job.backup);
    let note = job.note_name();
    let is_noted = root.iter().any(|entry| entry.name == note);
    let there_bytes = root.iter().filter(ours).map(|entry| entry.bytes).sum();
    let others = root.iter().filter(|entry| !ours(entry)).count();
    check_room(job, &hosting, now.disk_bytes, there_bytes)?;
    let mut routes = bring::routes(job, &hosting).await?;
    match copies::look(job).await? {
        Looked::AllUsable => {}
        Looked::SomeUsable => routes = bring::routes(job, &hosting).await?,
        // Whoever has emptied a server needs no copy to go on, once the archive is there.
        Looked::NoneUsable if job.check_whole(job.archive_in(&root)).is_ok() => {}
        Looked::NoneUsable => return Err(copies::none_usable(job)),
    }
    if others > 0 {
        job.unless_stopped(ask(request, server_name, others))
            .await?;
    }
    if is_noted {
        job.ran = Ran::SaidByNote;
    }
    // `offline` is not the last word: what matters is looked at right before files are changed.
    note_if_it_runs(job, now.state).await?;
    stop(job, now.state).await?;
    bring::bring(job, &hosting, &routes).await?;
    job.reached = Reached::Archived;
    match request.files {
        Files::Keep => {}
        Files::Truncate => {
            see_it_off(job).await?;
            delete::all_but_ours(job).await?;
        }
    }
    see_it_off(job).await?;
    unpack::unpack(job).await?;
    job.reached = Reached::Unpacked;
    delete::archives(job).await?;
    job.reached = Reached::Cleaned;
    if job.ran != Ran::No {
        // Not given up when the run is told to stop: nothing would start the server later.
        request.panel.signal(server, Signal::Start).await?;
        delete::note(job).await;
    }
    Ok(())
}

fn open_to_files(hosting: &Hosting) -> Result<(), Error> {
    let state = hosting.server.state;
    if state == ServerState::Ready {
        return Ok(());
    }
    let call = Call::ListFiles(hosting.server.id);
    Err(panel::Error::ServerState { call, state }.into())
}

fn check_room(
    job: &Job<'_>,
    hosting: &Hosting,
    used_bytes: u64,
    archive_there_bytes: u64,
) -> Result<(), Error> {
    let DiskLimit::Bytes(limit_bytes) = hosting.disk_limit else {
        return Ok(());
    };
    let mut structures = job
        .request
        .candidates
        .iter()
        .filter_map(|candidate| candidate.copy.structure);
    let space = Space {
        limit_bytes,
        used_bytes,
        archive_there_bytes,
        archive_bytes: job.archive_bytes,
        unpacked_bytes: structures.next().map(|structure| structure.unpacked_bytes),
        files: job.request.files,
    };
    space.check().map_err(Error::NoRoom)
}

async fn ask(request: &Request<'_>, server_name: &str, names: usize) -> Result<(), Error> {
    let deed = Deed::on_files(server_name, request.server, names, request.files);
    let words = deed.words;
    let hint = match request.asker.may(deed).await {
        Consent::Given => return Ok(()),
        Consent::Declined => "type the server's name exactly, or give --yes",
        Consent::NobodyThere => consent::NOBODY_THERE,
    };
    Err(Error::NotAgreed { deed: words, hint })
}

/// Writes down that the server is to run in the end, before it is stopped.
async fn note_if_it_runs(job: &mut Job<'_>, state: PowerState) -> Result<(), Error> {
    let runs = match state {
        PowerState::Running | PowerState::Starting => true,
        PowerState::Offline | PowerState::Stopping | PowerState::Other => false,
    };
    if runs && job.ran == Ran::No {
        let note = job.note_name();
        job.unless_stopped(job.request.panel.write_note(job.server(), &note))
            .await?;
        job.ran = Ran::Seen;
        job.reached = job.reached.max(Reached::Noted);
    }
    Ok(())
}

/// Sees to it that the server is off, whatever was seen before: bringing the archive may have taken hours,
/// and anybody may have started it since.
///
/// Panels repeat an answer, whoever asked for it, so that `offline` may be told of a server that was started
/// since. It is believed only when it must be news from after the beginning of this look: when it was asked for
/// once all answers from before are forgotten, or came after another state, for a panel keeps one answer
/// at a time.
async fn see_it_off(job: &mut Job<'_>) -> Result<(), Error> {
    let began = tokio::time::Instant::now();
    loop {
        let asked_after = began.elapsed();
        let asked = job.request.panel.resources(job.server());
        let state = job.unless_stopped(asked).await?.state;
        if state != PowerState::Offline {
            tracing::warn!(
                "the server is {}, and is to be off before its files are changed",
                state.as_str()
            );
            job.power = Power::AsFound;
            note_if_it_runs(job, state).await?;
            return stop(job, state).await;
        }
        let unsure_for = job.tuning.resources_cache.saturating_sub(asked_after);
        if unsure_for.is_zero() {
            return Ok(());
        }
        job.pause(unsure_for).await?;
    }
}

/// Stops the server and waits until it is off; never kills it.
async fn stop(job: &mut Job<'_>, state: PowerState) -> Result<(), Error> {
    let patience = StopPatience {
        poll: job.tuning.power_poll,
        limit: job.tuning.stop_patience,
    };
    let (panel, server) = (job.request.panel, &job.request.server);
    let cancel = &job.shared.env.cancel;
    let (reached, power) = (&mut job.reached, &mut job.power);
    power::stop(panel, server, state, patience, cancel, || {
        *reached = (*reached).max(Reached::Stopping);
        *power = Power::Stopping;
    })
    .await?;
    job.reached = job.reached.max(Reached::Stopped);
    job.power = Power::Off;
    Ok(())
}

/// Starts a server again that this run has stopped, and removes the note, when the restore has failed before
/// it changed a file.
///
/// Not after an interruption, for whoever interrupts may go on; nor where an earlier run left the note, for
/// it may have changed files; nor while the server is still going down, which would not hear it.
async fn give_back(job: &mut Job<'_>, error: &Error) {
    let may_go_on = matches!(error, Error::Interrupted);
    if may_go_on || job.ran != Ran::Seen || job.reached >= Reached::Emptying {
        return;
    }
    match job.power {
        Power::AsFound => {}
        Power::Stopping | Power::StartedAgain => return,
        Power::Off => {
            let started = job.request.panel.signal(job.server(), Signal::Start);
            if let Err(error) = started.await {
                tracing::warn!("{}; start the server in the panel", chain(&error));
                return;
            }
            job.power = Power::StartedAgain;
        }
    }
    if delete::note(job).await == Note::Gone && job.reached == Reached::Noted {
        job.reached = Reached::Looked;
    }
}

/// How it stands with the server after a restore that was not finished.
fn left(job: &Job<'_>) -> Vec<String> {
    let archive = job.archive_name();
    let files = match job.reached {
        Reached::Looked => return vec!["nothing was changed in the server".to_owned()],
        Reached::Noted => {
            return vec![format!(
                "the server runs as before; all that is new is a note in its root, {}, which may be deleted",
                job.note_name()
            )];
        }
        Reached::Cleaned => {
            return vec![
                "its files are restored, and the archive is removed".to_owned(),
                "it ran before and is stopped now: start it in the panel".to_owned(),
            ];
        }
        Reached::Stopping => "the server was told to stop".to_owned(),
        Reached::Stopped => format!(
            "its files are as they were; part of the archive may be in its root, as {archive}"
        ),
        Reached::Archived => {
            format!("its files are as they were; the archive is in its root, as {archive}")
        }
        Reached::Emptying => format!(
            "its files are deleted, or some of them; the archive is in its root, as {archive}"
        ),
        Reached::Unpacking => {
            format!("its files are partly restored; the archive is in its root, as {archive}")
        }
        Reached::Unpacked => {
            format!("its files are restored; the archive may still be in its root, as {archive}")
        }
    };
    let mut left = vec![files];
    let ours = job::pattern(job.backup);
    let is_left_stopped = job.ran != Ran::No && matches!(job.power, Power::Stopping | Power::Off);
    match job.power {
        Power::Off if is_left_stopped => left.push("it ran before and is stopped now".to_owned()),
        Power::StartedAgain => left.push("it ran before and was started again".to_owned()),
        Power::Stopping if job.reached > Reached::Stopping => {
            left.push("it was started meanwhile, and was told to stop".to_owned());
        }
        Power::AsFound | Power::Stopping | Power::Off => {}
    }
    left.push(if is_left_stopped {
        format!(
            "run the same command again to go on, or delete {ours} in its root and start the server in the panel"
        )
    } else {
        format!("run the same command again to go on, or delete {ours} in its root")
    });
    left
}
