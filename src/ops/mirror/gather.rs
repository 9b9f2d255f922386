//! What a server's panel has and what is held of it: the first half of a mirror run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream;

use crate::ledger;
use crate::ledger::BackupOf;
use crate::ledger::CopyFilter;
use crate::model::backup::ListingSeen;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::mark::Mark;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::outcome::Skipped;
use crate::model::server::Server;
use crate::model::server::ServerState;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::Run;
use crate::ops::mirror::create::FreshWish;
use crate::ops::mirror::held;
use crate::ops::mirror::protect;
use crate::ops::mirror::words::placeholder;
use crate::panel;
use crate::panel::BackupListing;
use crate::plan::mirror::BackupPlan;
use crate::plan::mirror::Selected;
use crate::plan::mirror::select;

/// How many servers are looked at at once; the panel's rate limit is the real bound.
const SERVERS_AT_ONCE: usize = 8;

/// What gathering found for one server.
#[derive(Debug, Default)]
pub struct Gathered {
    /// How many backups of any state were listed.
    pub seen: u64,
    /// What is to be done for each wanted backup, newest first.
    pub plans: Vec<Task>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// What failed.
    pub failures: Vec<Failure>,
}

/// One backup's plan, with what carrying it out needs.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its panel.
    pub panel: Arc<PanelTarget>,
    /// Its server.
    pub server: Arc<Server>,
    /// The plan.
    pub plan: BackupPlan,
    /// The mark that `nestegg keep` put on the backup, if any.
    pub kept: Option<Mark>,
}

/// Looks at all servers of one panel, and says of which of them a fresh backup is to be made.
///
/// # Errors
/// The ledger's: a run that can't be recorded stops.
pub async fn all(
    run: &Run,
    panel: &Arc<PanelTarget>,
    servers: Vec<Server>,
) -> Result<Vec<(Gathered, Option<FreshWish>)>, ledger::Error> {
    let health = Health::default();
    let gathered: Result<Vec<_>, ledger::Error> = stream::iter(servers)
        .map(|server| one(run, panel, &health, Arc::new(server)))
        .buffered(SERVERS_AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect();
    let mut gathered = gathered?;
    if let Some(failure) = health.verdict(panel) {
        let told = Gathered {
            failures: vec![failure],
            ..Gathered::default()
        };
        gathered.push((told, None));
    }
    Ok(gathered)
}

/// After so many servers in a row whose backups could not be asked for, a panel counts as dead.
const FAILURES_OF_THE_DEAD: u32 = 3;

/// Whether a panel still answers.
#[derive(Debug, Default)]
struct Health {
    unreachable_in_a_row: AtomicU32,
    passed_over: AtomicU32,
}

impl Health {
    /// Whether a server is to be passed over, because the panel is dead.
    fn pass_over(&self) -> bool {
        let is_dead = self.unreachable_in_a_row.load(Ordering::Relaxed) >= FAILURES_OF_THE_DEAD;
        if is_dead {
            self.passed_over.fetch_add(1, Ordering::Relaxed);
        }
        is_dead
    }

    fn answered(&self) {
        self.unreachable_in_a_row.store(0, Ordering::Relaxed);
    }

    fn failed(&self, failure: &Failure) {
        if failure.kind == FailureKind::Unreachable {
            self.unreachable_in_a_row.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn verdict(&self, panel: &PanelTarget) -> Option<Failure> {
        let passed_over = self.passed_over.load(Ordering::Relaxed);
        (passed_over > 0).then(|| Failure {
            scope: Scope::Panel,
            id: panel.client.name().to_string(),
            kind: FailureKind::Unreachable,
            message: format!(
                "the panel stopped answering; {passed_over} more servers were not asked for"
            ),
            hint: "look at the panel, then run it again".to_owned(),
        })
    }
}

async fn one(
    run: &Run,
    panel: &Arc<PanelTarget>,
    health: &Health,
    server: Arc<Server>,
) -> Result<(Gathered, Option<FreshWish>), ledger::Error> {
    let mut gathered = Gathered::default();
    if run.is_stopping() || health.pass_over() {
        return Ok((gathered, None));
    }
    if run.is_past_deadline() {
        run.limit_came();
        return Ok((gathered, None));
    }
    if server.state != ServerState::Ready {
        skip(run, panel, &server, server.state, &mut gathered).await?;
        return Ok((gathered, None));
    }
    let listed = list(run, panel, &server, &mut gathered).await?;
    if let Some(failure) = gathered.failures.first() {
        health.failed(failure);
    }
    let Some(listing) = listed else {
        return Ok((gathered, None));
    };
    health.answered();
    gathered.seen = (listing.backups.len() + listing.unreadable.len()) as u64;
    for row in &listing.unreadable {
        gathered.failures.push(Failure {
            scope: Scope::Backup,
            id: row.id.clone(),
            kind: FailureKind::Protocol,
            message: format!(
                "the panel's record of this backup can't be read: {}",
                row.why
            ),
            hint: "look at it in the panel, and delete it there if it is damaged".to_owned(),
        });
    }
    let is_to_be_made = run.settings.create.is_some() && run.settings.mode == Mode::Apply;
    let mut selection = run.selection.clone();
    if is_to_be_made {
        // The newest of all is the one that is made now.
        selection.newest = selection.newest.map(|newest| newest.saturating_sub(1));
    }
    let selected = select(&listing.backups, &selection);
    let wish = is_to_be_made.then(|| FreshWish {
        panel: Arc::clone(panel),
        server: Arc::clone(&server),
        before: Before {
            listed: listing.backups.iter().map(|one| one.record().id).collect(),
            dealt_with: selected.ids().collect(),
        },
    });
    plan(run, panel, &server, selected, &mut gathered).await?;
    Ok((gathered, wish))
}

/// What a first look at a server found.
#[derive(Debug, Clone)]
pub struct Before {
    listed: BTreeSet<BackupId>,
    dealt_with: BTreeSet<BackupId>,
}

/// Looks at a server again, and finds only what the first look did not.
///
/// # Errors
/// The ledger's.
pub async fn again(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    before: &Before,
) -> Result<Gathered, ledger::Error> {
    let mut gathered = Gathered::default();
    let Some(listing) = list(run, panel, server, &mut gathered).await? else {
        return Ok(gathered);
    };
    let ids = listing.backups.iter().map(|one| one.record().id);
    gathered.seen = ids.filter(|id| !before.listed.contains(id)).count() as u64;
    let mut selected = select(&listing.backups, &run.selection);
    selected.leave_out(&before.dealt_with);
    plan(run, panel, server, selected, &mut gathered).await?;
    Ok(gathered)
}

/// The server's backups, recorded; `None` when there is no list to go by, which is told.
async fn list(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    gathered: &mut Gathered,
) -> Result<Option<BackupListing>, ledger::Error> {
    let listing = tokio::select! {
        biased;
        () = run.env.cancel.cancelled() => return Ok(None),
        listing = panel.client.backups(&server.id) => listing,
    };
    let mut listing = match listing {
        Ok(listing) => listing,
        Err(panel::Error::ServerState { state, .. }) => {
            skip(run, panel, server, state, gathered).await?;
            return Ok(None);
        }
        Err(error) => {
            let failure = error.failure(Scope::Server, server.id.to_string());
            gathered.failures.push(failure);
            return Ok(None);
        }
    };
    protect::overlook_ours(run, &mut listing.backups).await?;
    let seen = listing.seen();
    record_listing(run, panel, server, &listing.backups, seen).await?;
    Ok(Some(listing))
}

/// Decides what is to be done for each backup that was selected.
async fn plan(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    mut selected: Selected,
    gathered: &mut Gathered,
) -> Result<(), ledger::Error> {
    let id = server.id;
    let (placeholders, mut kept) = run
        .book
        .read(move |ledger| Ok((ledger.placeholders(id)?, ledger.kept(&of_server(id))?)))
        .await?;
    selected.wanted.retain(|backup| {
        let holds = placeholders.get(&backup.record.id);
        if let Some(holds) = holds {
            gathered.skipped.push(Skipped {
                panel: panel.client.name().clone(),
                server: server.id,
                server_name: server.name.clone(),
                backup: Some(backup.record.id),
                why: placeholder(*holds),
            });
        }
        holds.is_none()
    });
    for (backup, why) in selected.not_ready {
        gathered.skipped.push(Skipped {
            panel: panel.client.name().clone(),
            server: server.id,
            server_name: server.name.clone(),
            backup: Some(backup),
            why: why.to_owned(),
        });
    }
    let (known, adoptable) = held::split(held::look(run, server, &selected.wanted).await?);
    for (backup, known) in selected.wanted.into_iter().zip(known) {
        let of = BackupOf {
            server: id,
            backup: backup.record.id,
        };
        gathered.plans.push(Task {
            panel: Arc::clone(panel),
            server: Arc::clone(server),
            kept: kept.remove(&of),
            plan: BackupPlan::decide(backup, known, panel.checksum, run.settings.need),
        });
    }
    held::record(run, server, &gathered.plans, adoptable).await?;
    Ok(())
}

fn of_server(server: ServerId) -> CopyFilter {
    CopyFilter {
        servers: Some([server].into()),
        destinations: None,
    }
}

async fn skip(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    state: ServerState,
    gathered: &mut Gathered,
) -> Result<(), ledger::Error> {
    let why = format!("the server is {state}");
    gathered.skipped.push(Skipped {
        panel: panel.client.name().clone(),
        server: server.id,
        server_name: server.name.clone(),
        backup: None,
        why: why.clone(),
    });
    let (panel, server) = (panel.client.name().clone(), Arc::clone(server));
    run.book
        .write(move |ledger, run, now| {
            ledger.record_skipped_server(run, &panel, &server, &why, now)
        })
        .await
}

async fn record_listing(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    backups: &[crate::model::backup::Backup],
    seen: ListingSeen,
) -> Result<(), ledger::Error> {
    let (panel, server) = (panel.client.name().clone(), Arc::clone(server));
    let backups = backups.to_vec();
    run.book
        .write(move |ledger, run, now| {
            ledger.record_listing(run, &panel, &server, &backups, seen, now)
        })
        .await
}
