//! Stopping a server, and waiting until it is off.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::model::ids::ServerId;
use crate::panel;
use crate::panel::PanelClient;
use crate::panel::PowerState;
use crate::panel::Signal;

/// Why a server is not known to be off.
#[derive(Debug)]
pub enum NotStopped {
    /// The panel refused, or could not be reached.
    Panel(panel::Error),
    /// It takes longer than anybody waits.
    StillUp {
        /// Its state.
        state: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// The run was told to stop.
    Interrupted,
}

/// How long is waited for a server to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopPatience {
    /// How often its state is asked for.
    pub poll: Duration,
    /// How long in all.
    pub limit: Duration,
}

/// Tells a server to stop and waits until it is off; never kills it. `told` is called once it is on its
/// way down, or may be.
///
/// `state` is believed, and panels repeat an answer for 20 s: a caller to whom a server that was started
/// since matters must have made sure that `offline` is no such answer. An `offline` seen in here is news, for it
/// follows another state.
///
/// # Errors
/// [`NotStopped`]; the server may stop all the same.
pub async fn stop(
    panel: &PanelClient,
    server: &ServerId,
    state: PowerState,
    patience: StopPatience,
    cancel: &CancellationToken,
    told: impl FnOnce(),
) -> Result<(), NotStopped> {
    match state {
        PowerState::Offline => return Ok(()),
        PowerState::Stopping => {}
        PowerState::Running | PowerState::Starting | PowerState::Other => {
            if cancel.is_cancelled() {
                return Err(NotStopped::Interrupted);
            }
            // Once it is sent it is waited for: it must be known whether the server goes down.
            if let Err(error) = panel.signal(server, Signal::Stop).await {
                if error.leaves_open() {
                    told();
                }
                return Err(NotStopped::Panel(error));
            }
        }
    }
    told();
    let began = tokio::time::Instant::now();
    loop {
        unless(cancel, async {
            tokio::time::sleep(patience.poll).await;
            Ok(())
        })
        .await?;
        let now = unless(cancel, panel.resources(server)).await?;
        if now.state == PowerState::Offline {
            return Ok(());
        }
        let waited = began.elapsed();
        if waited >= patience.limit {
            return Err(NotStopped::StillUp {
                state: now.state.as_str(),
                waited,
            });
        }
    }
}

async fn unless<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, panel::Error>>,
) -> Result<T, NotStopped> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(NotStopped::Interrupted),
        done = work => done.map_err(NotStopped::Panel),
    }
}
