//! Reading back a part of what is held, at the end of a run.

use std::sync::Arc;

use crate::ledger;
use crate::model::finding::Depth;
use crate::model::outcome::Mode;
use crate::model::subset::Subset;
use crate::ops::mirror::Run;
use crate::ops::mirror::throttle;
use crate::ops::verify::checks::Checked;
use crate::ops::verify::checks::Checks;
use crate::ops::verify::watch::Verifying;
use crate::ops::verify::words;
use crate::report::MirrorReport;
use crate::report::verify::Verified;
use crate::transfer;

/// Verifies a part of what is held, once all that was to be mirrored is.
pub(super) async fn verify_some(
    run: &Run,
    subset: Subset,
    report: &mut MirrorReport,
) -> Result<(), ledger::Error> {
    match run.settings.mode {
        Mode::DryRun => return Ok(()),
        Mode::Apply => {}
    }
    let shared = transfer::Shared {
        env: run.env.clone(),
        tuning: run.tuning.transfer.clone(),
        throttle: throttle(&run.settings),
        journal: Arc::clone(&run.shared.journal),
        observer: Arc::new(Verifying(Arc::clone(&run.shared.observer))),
    };
    let checks = Checks {
        env: &run.env,
        book: &run.book,
        shared: &shared,
        targets: &run.destinations,
        at_once: run.settings.transfers.max(1),
        deadline: run.deadline,
        depth: Depth::Full,
    };
    let mut checked = Checked::default();
    let done = checks.subset(subset, &mut checked).await;
    if checked.at_limit {
        run.limit_came();
    }
    words::settle(&mut checked.copies);
    report.errors.extend(checked.failures);
    words::tell(&checked.copies, &mut report.errors);
    report.verified = Some(Verified {
        copies: checked.copies,
        not_reached: checked.not_reached,
    });
    done
}
