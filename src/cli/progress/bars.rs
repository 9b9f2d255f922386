//! The bars: one a running transfer, and one for the whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

use crate::cli::progress::SharedWriter;
use crate::cli::progress::screen::Screen;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyState;
use crate::model::text::shown_name;
use crate::transfer::observer::TransferLabel;
use crate::transfer::observer::TransferTicket;

/// Frames a second at most.
const FRAMES_A_SECOND: u8 = 10;
/// So that a rate falls and a stall shows although no byte arrives.
const TICK: Duration = Duration::from_millis(250);
/// Columns for a name: half of them the server's, the rest the backup's.
const HALF_A_NAME: usize = 14;

const TRANSFER: &str = "{prefix:31!} {wide_bar} {binary_bytes:>10} / {binary_total_bytes:<10} {binary_bytes_per_sec:>12} {eta:>4}";
const OF_UNKNOWN_LENGTH: &str =
    "{prefix:31!} {spinner} {binary_bytes:>10} {binary_bytes_per_sec:>12}";
const WHOLE: &str = "{msg:31!} {wide_bar} {binary_bytes:>10} / {binary_total_bytes:<10} {binary_bytes_per_sec:>12} {eta:>4}";

/// The bars of one run. Clones draw the same ones.
#[derive(Clone)]
pub(super) struct Bars {
    multi: MultiProgress,
    whole: ProgressBar,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next_ticket: u64,
    running: BTreeMap<TransferTicket, ProgressBar>,
    backups_planned: u64,
    backups_done: u64,
    bytes_planned: u64,
    checks_planned: u64,
    checks_done: u64,
}

impl Bars {
    pub(super) fn on(stream: SharedWriter, columns: fn() -> Option<u16>) -> Self {
        let screen = Box::new(Screen::on(stream, columns));
        let target = ProgressDrawTarget::term_like_with_hz(screen, FRAMES_A_SECOND);
        let multi = MultiProgress::with_draw_target(target);
        let whole = multi.add(ProgressBar::new(0).with_style(style(WHOLE)));
        Self {
            multi,
            whole,
            state: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn planned(&self, backups: u64, bytes: u64) {
        let mut state = self.state();
        state.backups_planned = state.backups_planned.saturating_add(backups);
        state.bytes_planned = state.bytes_planned.saturating_add(bytes);
        self.tell_whole(&state);
        self.whole.enable_steady_tick(TICK);
    }

    pub(super) fn started(
        &self,
        label: &TransferLabel,
        total_bytes: Option<u64>,
    ) -> TransferTicket {
        let name = format!(
            "{} / {}",
            shown_name(&label.server_name, HALF_A_NAME),
            shown_name(&label.backup_name, HALF_A_NAME),
        );
        let bar = match total_bytes {
            Some(bytes) => ProgressBar::new(bytes).with_style(style(TRANSFER)),
            None => ProgressBar::no_length().with_style(style(OF_UNKNOWN_LENGTH)),
        };
        let bar = self.multi.insert_before(&self.whole, bar.with_prefix(name));
        bar.enable_steady_tick(TICK);
        let mut state = self.state();
        let ticket = TransferTicket(state.next_ticket);
        state.next_ticket += 1;
        state.running.insert(ticket, bar);
        ticket
    }

    pub(super) fn advanced(&self, ticket: TransferTicket, bytes: u64) {
        if let Some(bar) = self.state().running.get(&ticket) {
            bar.inc(bytes);
            self.whole.inc(bytes);
        }
    }

    pub(super) fn restarted(&self, ticket: TransferTicket, at_bytes: u64) {
        if let Some(bar) = self.state().running.get(&ticket) {
            let others = self.whole.position().saturating_sub(bar.position());
            self.whole.set_position(others.saturating_add(at_bytes));
            bar.set_position(at_bytes);
        }
    }

    /// What a transfer did not bring is ahead no more.
    pub(super) fn finished(&self, ticket: TransferTicket) {
        let mut state = self.state();
        let Some(bar) = state.running.remove(&ticket) else {
            return;
        };
        let rest = bar
            .length()
            .map_or(0, |length| length.saturating_sub(bar.position()));
        state.bytes_planned = state.bytes_planned.saturating_sub(rest);
        bar.finish_and_clear();
        self.multi.remove(&bar);
        self.tell_whole(&state);
    }

    /// Backups that were held before were never ahead, so they are not counted.
    pub(super) fn backup_done(&self, outcome: &BackupOutcome) {
        if outcome.state() != CopyState::AlreadyHeld {
            let mut state = self.state();
            state.backups_done = state.backups_done.saturating_add(1);
            self.tell_whole(&state);
        }
    }

    pub(super) fn checks_planned(&self, copies: u64, bytes: u64) {
        let mut state = self.state();
        state.checks_planned = state.checks_planned.saturating_add(copies);
        state.bytes_planned = state.bytes_planned.saturating_add(bytes);
        self.tell_whole(&state);
        self.whole.enable_steady_tick(TICK);
    }

    pub(super) fn copy_checked(&self) {
        let mut state = self.state();
        state.checks_done = state.checks_done.saturating_add(1);
        self.tell_whole(&state);
    }

    fn tell_whole(&self, state: &State) {
        let (done, planned, what) = if state.checks_planned > 0 {
            (state.checks_done, state.checks_planned, "copies checked")
        } else {
            (state.backups_done, state.backups_planned, "backups")
        };
        self.whole
            .set_message(format!("{done} of {} {what}", planned.max(done)));
        self.whole
            .set_length(state.bytes_planned.max(self.whole.position()));
    }

    pub(super) fn suspended<T>(&self, act: impl FnOnce() -> T) -> T {
        self.multi.suspend(act)
    }

    pub(super) fn clear(&self) {
        let running = std::mem::take(&mut self.state().running);
        for bar in running.values() {
            bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
    }
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bars").finish_non_exhaustive()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).map_or_else(
        |_malformed| ProgressStyle::default_bar(),
        |style| style.progress_chars("=> "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_well_formed() {
        for template in [TRANSFER, OF_UNKNOWN_LENGTH, WHOLE] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
