//! Tests of comparisons.

use jiff::Timestamp;

use super::*;
use crate::model::backup::BackupRecord;
use crate::model::backup::LockState;
use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Hasher;
use crate::model::checksum::PanelChecksum;
use crate::model::checksum::Verdict;
use crate::model::holding::PanelPresence;
use crate::model::mark::Mark;

fn server() -> ServerId {
    "a1fa0000-1111-4111-8111-00000000000a".parse().unwrap()
}

fn backup(number: u8) -> BackupId {
    format!("6fdff738-bf44-4933-824f-4891980000{number:02x}")
        .parse()
        .unwrap()
}

fn copy(number: u8) -> HeldCopy {
    let sha256 = Hasher::digest(Algorithm::Sha256, &[number]);
    HeldCopy {
        panel: "main".parse().unwrap(),
        server: server(),
        identifier: "a1fa0000".to_owned(),
        server_name: "Survival".to_owned(),
        backup: backup(number),
        backup_name: "nightly".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        completed_at: Timestamp::UNIX_EPOCH,
        panel_checksum: None,
        on_panel: PanelPresence::Listed,
        destination: "b2".parse().unwrap(),
        location: "s3://bucket/panel".to_owned(),
        key: ObjectKey::for_backup(server(), backup(number), ObjectKind::Archive),
        archive_bytes: 1,
        sha256: sha256.clone(),
        stored_bytes: 1,
        stored_sha256: sha256,
        encryption: None,
        structure: None,
        etag: None,
        verdict: Verdict::Structure,
        mirrored_at: Timestamp::UNIX_EPOCH,
        verified_at: None,
        kept: None,
        lock: LockState::Unlocked,
    }
}

fn recorded(numbers: &[u8]) -> Recorded {
    Recorded::new(
        numbers.iter().copied().map(copy).collect(),
        BTreeSet::new(),
        BTreeSet::new(),
    )
}

fn signs(findings: &[Finding]) -> Vec<(char, BackupId)> {
    let of = |finding: &Finding| (finding.sign.symbol(), finding.backup.unwrap());
    findings.iter().map(of).collect()
}

#[test]
fn what_a_run_at_work_makes_or_forgets_meanwhile_is_nothing_wrong() {
    let accounts = Accounts {
        before: recorded(&[1, 2, 3]),
        after: recorded(&[1, 3, 4, 5]),
    };
    let whole = |number| {
        (
            (server(), backup(number)),
            There::Whole(Box::new(copy(number))),
        )
    };
    let there = BTreeMap::from([whole(1), whole(4), whole(6)]);
    let findings = compare(&"b2".parse().unwrap(), &accounts, &there);
    assert_eq!(
        signs(&findings),
        [
            ('=', backup(1)),
            ('-', backup(3)),
            ('=', backup(4)),
            ('+', backup(6)),
        ]
    );
}

#[test]
fn every_field_that_differs_is_named_and_names_and_times_of_recording_are_not_compared() {
    let row = copy(1);
    let mut other = copy(1);
    other.server_name = "renamed".to_owned();
    other.mirrored_at = Timestamp::MAX;
    other.verified_at = Some(Timestamp::MAX);
    other.on_panel = PanelPresence::Vanished;
    assert_eq!(row.differs_from(&other), Vec::<&str>::new());
    other.key = copy(2).key;
    other.archive_bytes = 2;
    other.stored_bytes = 2;
    other.sha256 = copy(2).sha256;
    other.stored_sha256 = copy(2).sha256;
    other.completed_at = Timestamp::MAX;
    other.panel_checksum = Some("sha1:x".to_owned());
    other.etag = Some("e".to_owned());
    other.verdict = Verdict::PanelSha1;
    other.structure = Some(crate::model::content::Structure {
        entries: 1,
        unpacked_bytes: 1,
    });
    other.encryption = Some(crate::model::sidecar::Encryption {
        scheme: "age".to_owned(),
        recipients: Vec::new(),
    });
    assert_eq!(row.differs_from(&other).len(), 11);
}

#[test]
fn a_mark_that_only_one_of_them_has_is_a_difference() {
    let marked = HeldCopy {
        kept: Some(Mark {
            at: Timestamp::UNIX_EPOCH,
            reason: None,
        }),
        ..copy(1)
    };
    let accounts = |recorded: &HeldCopy| {
        let recorded = || Recorded::new(vec![recorded.clone()], BTreeSet::new(), BTreeSet::new());
        Accounts {
            before: recorded(),
            after: recorded(),
        }
    };
    for (recorded, there, fields) in [
        (marked.clone(), marked.clone(), &[][..]),
        (marked.clone(), copy(1), &["kept"]),
        (copy(1), marked, &["kept"]),
    ] {
        let there = BTreeMap::from([((server(), backup(1)), There::Whole(Box::new(there)))]);
        let findings = compare(&"b2".parse().unwrap(), &accounts(&recorded), &there);
        assert_eq!(findings[0].fields, fields);
        let says_how = findings[0].detail.contains("run `nestegg keep`");
        assert_eq!(says_how, !fields.is_empty());
    }
}

#[test]
fn what_is_left_of_a_removal_that_was_begun_is_said_to_be_just_that() {
    let of = (server(), backup(1));
    let recorded = || Recorded::new(Vec::new(), BTreeSet::new(), BTreeSet::from([of]));
    let accounts = Accounts {
        before: recorded(),
        after: recorded(),
    };
    let alone = There::Alone {
        key: copy(1).key,
        bytes: 1,
    };
    for there in [There::Whole(Box::new(copy(1))), alone] {
        let there = BTreeMap::from([(of, there)]);
        let findings = compare(&"b2".parse().unwrap(), &accounts, &there);
        assert_eq!(
            (findings[0].sign, findings[0].detail.as_str()),
            (
                Sign::Unknown,
                "it is being removed: `nestegg prune --apply` finishes that"
            )
        );
    }
}

#[test]
fn a_panel_is_held_against_the_copies_by_what_it_promises() {
    let listed = |number, bytes, checksum| {
        Backup::Completed(CompletedBackup {
            record: BackupRecord {
                id: backup(number),
                name: "nightly".to_owned(),
                is_locked: false,
                ignored_files: Vec::new(),
                created_at: Timestamp::UNIX_EPOCH,
            },
            archive_bytes: bytes,
            checksum,
            completed_at: Timestamp::UNIX_EPOCH,
        })
    };
    let digest = Hasher::digest(Algorithm::Sha1, b"x");
    let mut with_digest = copy(2);
    with_digest.panel_checksum = Some(digest.to_string());
    let copies = [copy(1), with_digest, copy(3)];
    let of = |seen| ListedServer {
        server: server(),
        backups: vec![
            // Without a digest the length is no promise.
            listed(1, 99, PanelChecksum::Absent),
            listed(2, 99, PanelChecksum::Digest(digest.clone())),
            listed(4, 1, PanelChecksum::Absent),
        ],
        seen,
    };
    let main: PanelName = "main".parse().unwrap();
    let placeholder = |checksum: Option<&ContentDigest>| Placeholder {
        holds: (server(), backup(3)),
        listed_bytes: 1,
        listed_checksum: checksum.map(ToString::to_string),
    };
    let compare_listed =
        |seen, placeholders| compare_panel(&main, &[of(seen)], &copies, &placeholders);
    let whole = compare_listed(ListingSeen::Whole, Placeholders::new());
    assert_eq!(
        signs(&whole),
        [
            ('=', backup(1)),
            ('*', backup(2)),
            ('+', backup(4)),
            ('=', backup(3)),
        ]
    );
    assert_eq!(whole[1].fields, ["bytes"]);
    let partial = compare_listed(ListingSeen::Partial, Placeholders::new());
    assert_eq!(signs(&partial), signs(&whole)[..3]);
    // A row that says something else now holds something else.
    for (placeholder, sign) in [(placeholder(None), '='), (placeholder(Some(&digest)), '+')] {
        let placeholders = Placeholders::from([((server(), backup(4)), placeholder)]);
        let found = compare_listed(ListingSeen::Partial, placeholders);
        assert_eq!(signs(&found)[2], (sign, backup(4)));
        let of_it = format!(
            "a placeholder of backup {} (server {})",
            backup(3),
            server()
        );
        assert_eq!(found[2].detail == of_it, sign == '=');
    }
}
