//! Reports to render, each test changing only what it is about.

use jiff::SignedDuration;
use jiff::Timestamp;

use nestegg::model::backup::LockState;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::ContentDigest;
use nestegg::model::checksum::Verdict;
use nestegg::model::holding::DestinationHolding;
use nestegg::model::holding::DestinationVerified;
use nestegg::model::holding::HeldCopy;
use nestegg::model::holding::MissingCopy;
use nestegg::model::holding::PanelPresence;
use nestegg::model::holding::ServerHolding;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::RunId;
use nestegg::model::ids::ServerId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::outcome::BackupOutcome;
use nestegg::model::outcome::CopyOutcome;
use nestegg::model::outcome::CopyState;
use nestegg::model::outcome::Ended;
use nestegg::model::outcome::Failure;
use nestegg::model::outcome::FailureKind;
use nestegg::model::outcome::Mode;
use nestegg::model::outcome::Scope;
use nestegg::model::outcome::Skipped;
use nestegg::model::sidecar::Encryption;
use nestegg::report::Account;
use nestegg::report::Freshness;
use nestegg::report::LastRun;
use nestegg::report::ListReport;
use nestegg::report::MirrorReport;
use nestegg::report::ServerStatus;
use nestegg::report::StatusReport;

pub(super) const MIB: u64 = 1 << 20;

/// A name that would clear the screen, start lines of its own and turn the reading direction.
pub(super) const HOSTILE: &str = "\u{1b}[2J\u{9b}31m\r\nerror: all lost\u{202e}\0\u{7}\u{2028}";

pub(super) fn server_id(number: u64) -> ServerId {
    format!("a1fa0000-1111-4111-8111-{number:012x}")
        .parse()
        .unwrap()
}

pub(super) fn backup_id(number: u64) -> BackupId {
    format!("6fdff738-bf44-4933-824f-{number:012x}")
        .parse()
        .unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn failure(scope: Scope, id: &str, kind: FailureKind, message: &str) -> Failure {
    Failure {
        scope,
        id: id.to_owned(),
        kind,
        message: message.to_owned(),
        hint: String::new(),
    }
}

/// Backup `number` of a server, with copies at the named destinations.
pub(super) fn backup(
    number: u64,
    server_name: &str,
    name: &str,
    copies: &[(&str, CopyState)],
) -> BackupOutcome {
    let (server, backup) = (server_id(number / 100), backup_id(number));
    let copy = |(destination, state): &(&str, CopyState)| {
        let failure = (*state == CopyState::Failed).then(|| {
            failure(
                Scope::Backup,
                &backup.to_string(),
                FailureKind::NoSpace,
                "could not write part 3: no space left on device",
            )
        });
        let is_held = matches!(state, CopyState::Mirrored | CopyState::AlreadyHeld);
        CopyOutcome {
            destination: destination.parse().unwrap(),
            key: ObjectKey::for_backup(server, backup, ObjectKind::Archive),
            state: *state,
            verdict: is_held.then_some(Verdict::PanelSha1),
            failure,
        }
    };
    let copies: Vec<CopyOutcome> = copies.iter().map(copy).collect();
    BackupOutcome {
        panel: "main".parse().unwrap(),
        server,
        server_name: server_name.to_owned(),
        backup,
        name: name.to_owned(),
        bytes: 700 * MIB,
        sha256: copies
            .iter()
            .any(|copy| copy.verdict.is_some())
            .then(|| "ab".repeat(32)),
        panel_checksum: Some(format!("sha1:{}", "cd".repeat(20))),
        downloaded_bytes: 0,
        uploaded_bytes: 0,
        copies,
    }
}

pub(super) fn skipped(server_name: &str, backup: Option<u64>, why: &str) -> Skipped {
    Skipped {
        panel: "main".parse().unwrap(),
        server: server_id(9),
        server_name: server_name.to_owned(),
        backup: backup.map(backup_id),
        why: why.to_owned(),
    }
}

/// A run that did all that was asked.
pub(super) fn run(backups: Vec<BackupOutcome>) -> MirrorReport {
    let mut report = MirrorReport {
        run: Some(RunId(17)),
        started_at: at("2026-11-22T03:00:00Z"),
        finished_at: at("2026-11-22T03:03:12Z"),
        mode: Mode::Apply,
        servers: 3,
        backups_seen: 41,
        skipped: Vec::new(),
        backups,
        errors: Vec::new(),
        ended: Ended::InFull,
        verified: None,
        lacking: Vec::new(),
    };
    for backup in &mut report.backups {
        let made = backup.copies.iter();
        let made = made
            .filter(|copy| copy.state == CopyState::Mirrored)
            .count();
        if made > 0 {
            backup.downloaded_bytes = backup.bytes;
            backup.uploaded_bytes = backup.bytes * u64::try_from(made).unwrap();
        }
        let failures = backup.copies.iter().filter_map(|copy| copy.failure.clone());
        report.errors.extend(failures);
    }
    report
}

/// A run of which one copy failed and some of the rest had been done before.
pub(super) fn partial_run() -> MirrorReport {
    let mut report = run(vec![
        backup(
            101,
            "survival",
            "nightly",
            &[("b2", CopyState::Mirrored), ("nas", CopyState::AlreadyHeld)],
        ),
        backup(
            201,
            "creative",
            "before the update",
            &[("b2", CopyState::Mirrored), ("nas", CopyState::Failed)],
        ),
        backup(
            301,
            "skyblock",
            "old",
            &[
                ("b2", CopyState::AlreadyHeld),
                ("nas", CopyState::AlreadyHeld),
            ],
        ),
    ]);
    report.errors[0].hint = "free some space there, then run again".to_owned();
    report.skipped = vec![
        skipped("lobby", None, "suspended"),
        skipped("hub", None, "suspended"),
        skipped("creative", Some(7), "failed on the panel"),
        skipped("creative", Some(8), "failed on the panel"),
        skipped("survival", Some(9), "still in progress"),
    ];
    report
}

pub(super) fn holding(
    number: u64,
    name: &str,
    destinations: Vec<DestinationHolding>,
) -> ServerHolding {
    ServerHolding {
        panel: "main".parse().unwrap(),
        server: server_id(number),
        identifier: server_id(number).short(),
        name: name.to_owned(),
        last_listed_at: Some(at("2026-11-22T03:00:00Z")),
        skipped_because: None,
        destinations,
    }
}

pub(super) fn held_at(destination: &str, copies: u64, newest: Option<&str>) -> DestinationHolding {
    DestinationHolding {
        destination: destination.parse().unwrap(),
        copies,
        stored_bytes: copies * 700 * MIB,
        newest_completed_at: newest.map(at),
        missing: Vec::new(),
    }
}

pub(super) fn missing(number: u64, why: Option<&str>) -> MissingCopy {
    MissingCopy {
        backup: backup_id(number),
        backup_name: format!("nightly {number}"),
        completed_at: at("2026-11-21T03:02:41Z"),
        why: why.map(str::to_owned),
    }
}

/// Four servers, one of each standing.
pub(super) fn standing() -> StatusReport {
    let day = Some(SignedDuration::from_hours(26));
    let mut lacking = held_at("nas", 11, Some("2026-11-21T03:02:41Z"));
    lacking.missing = vec![
        missing(1, Some("could not write part 3: no space left on device")),
        missing(2, None),
        missing(3, None),
        missing(4, None),
        missing(5, None),
    ];
    let mut suspended = holding(
        4,
        "lobby",
        vec![held_at("b2", 1, Some("2026-10-01T00:00:00Z"))],
    );
    suspended.skipped_because = Some("suspended".to_owned());
    let standing = |holding, max_age, freshness| ServerStatus {
        holding,
        max_age,
        freshness,
        suspicion: None,
    };
    StatusReport {
        at: at("2026-11-22T06:02:41Z"),
        last_run: Some(LastRun {
            run: RunId(17),
            started_at: at("2026-11-22T03:00:00Z"),
            end: Some((at("2026-11-22T03:10:00Z"), 3)),
        }),
        verified: vec![DestinationVerified {
            destination: "nas".parse().unwrap(),
            never: 2,
            oldest_verified_at: Some(at("2026-11-01T06:00:00Z")),
        }],
        servers: vec![
            standing(
                holding(
                    1,
                    "survival",
                    vec![held_at("b2", 12, Some("2026-11-22T03:02:41Z")), lacking],
                ),
                day,
                Freshness::Fresh,
            ),
            standing(
                holding(
                    2,
                    "creative",
                    vec![held_at("b2", 3, Some("2026-11-20T03:02:41Z"))],
                ),
                day,
                Freshness::Stale,
            ),
            standing(holding(3, "skyblock", Vec::new()), day, Freshness::Never),
            standing(suspended, None, Freshness::NotPromised),
        ],
    }
}

pub(super) fn held_copy(number: u64, destination: &str) -> HeldCopy {
    let sha256 = ContentDigest::from_hex(Algorithm::Sha256, &"ab".repeat(32)).unwrap();
    HeldCopy {
        panel: "main".parse().unwrap(),
        server: server_id(1),
        identifier: "a1fa0000".to_owned(),
        server_name: "survival".to_owned(),
        backup: backup_id(number),
        backup_name: "nightly".to_owned(),
        created_at: at("2026-11-21T03:00:00Z"),
        completed_at: at("2026-11-21T03:02:41Z"),
        panel_checksum: Some(format!("sha1:{}", "cd".repeat(20))),
        on_panel: PanelPresence::Listed,
        destination: destination.parse().unwrap(),
        location: format!("file:///{destination}"),
        key: ObjectKey::for_backup(server_id(1), backup_id(number), ObjectKind::Archive),
        archive_bytes: 700 * MIB,
        sha256: sha256.clone(),
        stored_bytes: 700 * MIB,
        stored_sha256: sha256,
        encryption: None,
        structure: None,
        etag: None,
        verdict: Verdict::PanelSha1,
        mirrored_at: at("2026-11-22T03:03:12Z"),
        verified_at: None,
        kept: None,
        lock: LockState::Unlocked,
    }
}

/// Two backups at two places, one of them gone from the panel.
pub(super) fn held() -> ListReport {
    let mut gone = held_copy(1, "b2");
    gone.on_panel = PanelPresence::Vanished;
    gone.verdict = Verdict::Structure;
    gone.panel_checksum = None;
    gone.verified_at = Some(at("2026-11-22T04:00:00Z"));
    ListReport {
        panel: None,
        copies: vec![held_copy(2, "b2"), held_copy(2, "nas"), gone],
        account: Account::Ledger,
        failures: Vec::new(),
    }
}

/// One copy as it is, one that is encrypted to two keys.
pub(super) fn held_encrypted() -> ListReport {
    let mut sealed = held_copy(2, "nas");
    sealed.key = ObjectKey::for_backup(server_id(1), backup_id(2), ObjectKind::EncryptedArchive);
    sealed.stored_bytes += 180_000;
    sealed.stored_sha256 = ContentDigest::from_hex(Algorithm::Sha256, &"ef".repeat(32)).unwrap();
    sealed.encryption = Some(Encryption {
        scheme: "age".to_owned(),
        recipients: vec![
            "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa".to_owned(),
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
                .to_owned(),
        ],
    });
    ListReport {
        panel: None,
        copies: vec![held_copy(2, "b2"), sealed],
        account: Account::Ledger,
        failures: Vec::new(),
    }
}
