//! `restore --to-panel`: one backup into a server of a panel.

use crate::config::settings::restore::PanelJob;
use crate::config::settings::restore::ServerFiles;
use crate::config::settings::restore::SftpHostKeys;
use crate::config::settings::restore::SftpLogin as SftpWords;
use crate::config::settings::restore::Via;
use crate::model::ids::ServerId;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::selector::ServerSelector;
use crate::model::server::Server;
use crate::model::server::ServerScope;
use crate::ops::Error;
use crate::ops::restore::Restore;
use crate::ops::restore::chosen::Chosen;
use crate::ops::restore::chosen::Found;
use crate::ops::restore::panel;
use crate::ops::restore::panel::Request;
use crate::ops::restore::panel::SftpLogin;
use crate::ops::restore::panel::became::Came;
use crate::ops::restore::panel::became::ToPanelReport;
use crate::ops::restore::panel::became::Unpacked;
use crate::ops::restore::panel::sftp::access::HostKeys;
use crate::ops::restore::panel::sftp::access::SftpAccess;
use crate::ops::restore::panel::sftp::error::SftpError;
use crate::panel::PanelClient;
use crate::panel::PanelEndpoint;
use crate::plan::to_panel::Files;
use crate::plan::to_panel::Route;
use crate::plan::to_panel::Wish;
use crate::report::restore::CopyFate;
use crate::report::restore::Coverage;
use crate::report::restore::RestoreReport;
use crate::report::restore::RestoreState;
use crate::report::restore::RestoreTarget;
use crate::report::restore::RestoredBackup;
use crate::report::restore::TargetKind;

/// Restores one backup into a server.
///
/// # Errors
/// [`Error::Panel`] and [`Error::ToServer`] before anything is done; those of [`Restore::choose`].
pub async fn restore(restore: &Restore<'_>, job: &PanelJob) -> Result<RestoreReport, Error> {
    let started_at = restore.shared.env.now();
    let client = client(restore)?;
    let server = server(&client, &job.server).await?;
    let Found { found, errors } = restore.choose(&job.choice).await?;
    let target = RestoreTarget {
        kind: TargetKind::PanelServer,
        place: format!("{}/{server}", client.name()),
    };
    let backup = match login(job) {
        Ok(sftp) => {
            let request = Request {
                panel: &client,
                server,
                candidates: &found.candidates,
                identities: &restore.identities,
                files: match job.files {
                    ServerFiles::Keep => Files::Keep,
                    ServerFiles::Truncate => Files::Truncate,
                },
                wish: wish(job.via),
                sftp,
                asker: &*restore.asker,
            };
            let report = panel::run(&request, &restore.shared, &restore.tuning.to_panel).await;
            became(&found, report)
        }
        Err(error) => {
            let failure =
                panel::error::Error::from(error).failure(Scope::Server, server.to_string());
            RestoredBackup {
                state: RestoreState::Failed,
                failure: Some(failure),
                ..found.untried()
            }
        }
    };
    Ok(RestoreReport {
        started_at,
        finished_at: restore.shared.env.now(),
        target,
        ended: restore.ended(backup.state),
        backups: vec![backup],
        errors,
        coverage: Coverage::Whole,
    })
}

fn client(restore: &Restore<'_>) -> Result<PanelClient, Error> {
    let panel = restore.settings.panels.first();
    let Some((panel, key)) = panel.and_then(|panel| Some((panel, panel.key.secret()?))) else {
        return Err(Error::NoPanel);
    };
    let endpoint = PanelEndpoint {
        name: panel.name.clone(),
        base_url: panel.url.clone(),
        key: key.clone(),
    };
    Ok(PanelClient::new(endpoint, restore.tuning.panel)?)
}

/// The one server that the selector names.
async fn server(client: &PanelClient, selector: &ServerSelector) -> Result<ServerId, Error> {
    if let Some(id) = selector.as_id() {
        return Ok(client.server(id).await?.id);
    }
    let listing = client.server_listing(ServerScope::Mine).await?;
    let named: Vec<&Server> = listing
        .servers
        .iter()
        .filter(|server| selector.matches(server))
        .collect();
    match named.as_slice() {
        [one] => Ok(one.id),
        none_or_several => Err(Error::ToServer {
            word: selector.as_str().to_owned(),
            found: none_or_several.len(),
        }),
    }
}

fn login(job: &PanelJob) -> Result<SftpLogin, SftpError> {
    let host_keys = || match &job.host_keys {
        SftpHostKeys::Pinned(fingerprint) => HostKeys::Pinned(fingerprint.clone()),
        SftpHostKeys::Known(file) => HostKeys::KnownHosts(file.clone().unwrap_or_default()),
    };
    Ok(match &job.sftp {
        SftpWords::None => SftpLogin::None,
        SftpWords::Key(path) => SftpLogin::With(SftpAccess::with_key_file(path, host_keys())?),
        SftpWords::Password(path) => {
            SftpLogin::With(SftpAccess::with_password_file(path, host_keys())?)
        }
    })
}

const fn wish(via: Via) -> Wish {
    match via {
        Via::Best => Wish::Best,
        Via::Pull => Wish::Only(Route::Pull),
        Via::Upload => Wish::Only(Route::Upload),
        Via::Sftp => Wish::Only(Route::Sftp),
    }
}

/// What became of the server, in the words of every restore.
fn became(chosen: &Chosen, report: ToPanelReport) -> RestoredBackup {
    let mut notes: Vec<String> = report
        .not_taken
        .iter()
        .map(|(route, why)| format!("not by {route}: {why}"))
        .collect();
    notes.extend(match report.route {
        Some(Route::Pull) => Some(
            "the node fetched the archive itself: its length was checked, its digest was not"
                .to_owned(),
        ),
        Some(Route::Upload) => Some("the archive was uploaded".to_owned()),
        Some(Route::Sftp) => Some("the archive was sent over SFTP".to_owned()),
        None if report.failure.is_none() => Some(
            "the archive was found on the node, as an earlier run left it: its length was checked, its digest was not"
                .to_owned(),
        ),
        None => None,
    });
    notes.extend(match report.unpacked {
        Some(Unpacked::Settled) => Some(
            "nobody said when unpacking ended; nothing has changed for minutes, and of the archive's last files those are there that the egg allows: look at the server's files".to_owned(),
        ),
        Some(Unpacked::LastFileSeen) => {
            Some("nobody said when unpacking ended; the archive's last file is there".to_owned())
        }
        Some(Unpacked::Said) | None => None,
    });
    notes.extend(report.left);
    let state = match &report.failure {
        None => RestoreState::Restored,
        Some(failure) if failure.kind == FailureKind::Interrupted => RestoreState::NotReached,
        Some(_) => RestoreState::Failed,
    };
    let fates = report.copies.into_iter().map(|came| match came {
        Came::Proved => CopyFate::Used,
        Came::Fetched => CopyFate::Fetched,
        Came::PassedOver(failure) => CopyFate::PassedOver(failure),
        Came::NotNeeded => CopyFate::NotNeeded,
    });
    RestoredBackup {
        failure: report.failure,
        notes,
        ..chosen.came_to(state, fates.collect())
    }
}
