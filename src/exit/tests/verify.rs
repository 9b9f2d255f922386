//! How runs of `verify` end.

use jiff::Timestamp;

use super::*;
use crate::model::finding::ArchiveFinding;
use crate::model::finding::CheckedCopy;
use crate::model::finding::Depth;
use crate::model::finding::Finding;
use crate::model::finding::Repair;
use crate::model::finding::RepairSource;
use crate::model::finding::RepairWish;
use crate::model::finding::SidecarFinding;
use crate::model::finding::Standing;
use crate::model::holding::PanelPresence;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::report::verify::Verified;

fn checked(archive: ArchiveFinding, repair: Repair) -> CheckedCopy {
    let (server, backup) = (SERVER.parse().unwrap(), BACKUP.parse().unwrap());
    CheckedCopy {
        panel: "main".parse().unwrap(),
        server,
        server_name: String::new(),
        backup,
        backup_name: String::new(),
        destination: "b2".parse().unwrap(),
        key: ObjectKey::for_backup(server, backup, ObjectKind::Archive),
        stored_bytes: 1,
        standing: Standing::Held,
        verified_before: None,
        depth: Depth::Full,
        finding: Finding {
            archive,
            sidecar: SidecarFinding::Sound,
        },
        repair,
        elsewhere: Vec::new(),
        on_panel: PanelPresence::Listed,
        read_bytes: 0,
    }
}

#[test]
fn a_run_of_verify_ends_by_the_worst_that_is_left() {
    let unreachable = failure(Scope::Destination, FailureKind::Unreachable);
    let refused = failure(Scope::Destination, FailureKind::Credentials);
    let bad = failure(Scope::Backup, FailureKind::Integrity);
    let sound = || checked(ArchiveFinding::Sound, Repair::NotTried);
    let lost = || checked(ArchiveFinding::Missing, Repair::NotTried);
    let unread = || {
        checked(
            ArchiveFinding::Unread(unreachable.clone()),
            Repair::NotTried,
        )
    };
    let made = Repair::CopyMade {
        from: RepairSource::Ledger,
    };
    let repaired = || checked(ArchiveFinding::Missing, made.clone());
    for (copies, errors, not_reached, exit) in [
        (vec![], vec![], 0, Exit::Done),
        (vec![sound()], vec![], 0, Exit::Done),
        (vec![repaired(), sound()], vec![], 0, Exit::Done),
        (vec![lost(), sound()], vec![bad.clone()], 0, Exit::Integrity),
        (
            vec![lost(), unread()],
            vec![unreachable.clone(), bad.clone()],
            1,
            Exit::Integrity,
        ),
        (vec![sound()], vec![bad.clone()], 0, Exit::Integrity),
        (
            vec![unread(), sound()],
            vec![unreachable.clone()],
            0,
            Exit::Partial,
        ),
        (vec![unread()], vec![unreachable.clone()], 0, Exit::Failed),
        (vec![], vec![refused.clone()], 0, Exit::Credentials),
        (vec![sound()], vec![refused.clone()], 0, Exit::Partial),
        (vec![sound()], vec![], 3, Exit::Limit),
    ] {
        let ended = if not_reached > 0 {
            Ended::AtLimit
        } else {
            Ended::InFull
        };
        let mut report = VerifyReport {
            run: None,
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            depth: Depth::Full,
            repair: RepairWish::Wanted,
            copies_held: 0,
            bytes_held: 0,
            verified: Verified {
                copies,
                not_reached,
            },
            unconfigured: Vec::new(),
            errors,
            ended,
        };
        assert_eq!(Exit::of_verify(&report), exit, "{report:?}");
        report.ended = Ended::BySigterm;
        assert_eq!(Exit::of_verify(&report), Exit::Terminated);
    }
}
