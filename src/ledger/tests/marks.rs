//! What operators say of backups, and what archives lack.

use super::*;
use crate::ledger::BackupMarks;
use crate::ledger::BackupOf;
use crate::ledger::Keeping;
use crate::ledger::Released;
use crate::model::mark::Mark;
use crate::model::mark::PanelLock;
use crate::model::mark::Reason;

fn of(backup: u8) -> BackupOf {
    BackupOf {
        server: server_id(1),
        backup: backup_id(backup),
    }
}

fn mark(seconds: i64, reason: Option<&str>) -> Mark {
    Mark {
        at: at(seconds),
        reason: reason.map(str::to_owned),
    }
}

fn reason(text: &str) -> Reason {
    text.parse().unwrap()
}

fn listed(home: &Path, backups: &[Backup]) -> (Ledger, RunId, [DestinationRef; 2]) {
    let mut ledger = open(home);
    let (run, there) = furnish(&mut ledger);
    list(&mut ledger, run, backups, ListingSeen::Whole);
    (ledger, run, there)
}

#[test]
fn a_mark_stays_as_it_was_put_but_for_a_new_reason_and_comes_off_once() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, _) = listed(home.path(), &[completed(1)]);
    let keep = |ledger: &mut Ledger, text: Option<&str>, now| {
        let reason = text.map(reason);
        let keeping = ledger
            .record_kept(run, of(1), reason.as_ref(), at(now))
            .unwrap();
        (keeping.before, keeping.mark)
    };
    assert_eq!(keep(&mut ledger, None, 60), (None, mark(60, None)));
    let named = mark(60, Some("the good one"));
    assert_eq!(
        keep(&mut ledger, Some("the good one"), 70),
        (Some(mark(60, None)), named.clone())
    );
    assert_eq!(
        keep(&mut ledger, None, 80),
        (Some(named.clone()), named.clone())
    );
    assert_eq!(ledger.kept_mark(of(1)).unwrap(), Some(named.clone()));
    assert_eq!(
        ledger.kept(&CopyFilter::default()).unwrap(),
        [(of(1), named.clone())].into()
    );
    let nowhere = CopyFilter {
        servers: Some(BTreeSet::new()),
        ..CopyFilter::default()
    };
    assert_eq!(ledger.kept(&nowhere).unwrap(), [].into());
    let released = ledger.record_unkept(run, of(1), at(90)).unwrap();
    assert_eq!(
        released,
        Released {
            before: Some(named),
            lock: PanelLock::Unlocked
        }
    );
    let nothing = ledger.record_unkept(run, of(1), at(91)).unwrap();
    assert_eq!(
        nothing,
        Released {
            before: None,
            lock: PanelLock::Unlocked
        }
    );
    assert_eq!(ledger.kept_mark(of(1)).unwrap(), None);
    assert_eq!(ledger.kept_mark(of(9)).unwrap(), None);
    let kinds: Vec<String> = events(&ledger).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["kept", "kept", "unkept"]);
}

#[test]
fn keeping_makes_removed_copies_wanted_again_and_names_those_that_are_being_removed() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, [b2, disk]) = listed(home.path(), &[completed(1)]);
    for (destination, location) in [b2, disk].into_iter().zip(LOCATIONS) {
        let key = key(1, 1);
        put(&mut ledger, run, destination, location, &key, 101, at(60)).unwrap();
        ledger
            .intend_removal(run, destination, &key, "x", b"{}", at(70))
            .unwrap();
    }
    ledger.finish_removal(run, b2, &key(1, 1), at(71)).unwrap();
    let keeping = ledger.record_kept(run, of(1), None, at(80)).unwrap();
    assert_eq!(
        keeping,
        Keeping {
            mark: mark(80, None),
            before: None,
            wanted_again: vec![destination_name(0)],
            being_removed: vec![destination_name(1)],
        }
    );
    assert_eq!(ledger.removal_of(of(1), b2).unwrap(), None);
    let again = ledger.record_kept(run, of(1), None, at(81)).unwrap();
    assert_eq!(again.wanted_again, []);
}

#[test]
fn a_lock_that_nobody_can_take_off_any_more_is_let_go_and_one_on_the_panel_is_not() {
    let home = tempfile::tempdir().unwrap();
    // Backup 0 is locked.
    let (mut ledger, run, _) = listed(home.path(), &[completed(0)]);
    let lock = |ledger: &mut Ledger| ledger.record_unkept(run, of(0), at(60)).unwrap().lock;
    let counts = |ledger: &Ledger| {
        let marks = ledger.marks(&CopyFilter::default()).unwrap();
        marks.contains_key(&of(0))
    };
    assert_eq!(lock(&mut ledger), PanelLock::OnPanel);
    assert!(counts(&ledger));
    list(&mut ledger, run, &[], ListingSeen::Whole);
    assert!(counts(&ledger), "a backup that vanished locked stays kept");
    assert_eq!(lock(&mut ledger), PanelLock::LetGo);
    assert!(!counts(&ledger));
    assert_eq!(lock(&mut ledger), PanelLock::Unlocked);
}

#[test]
fn what_an_archive_lacks_is_said_until_a_walk_finds_all_and_acceptance_stands_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, _) = listed(home.path(), &[completed(1)]);
    let globs = ["world/**".to_owned(), "ops.json".to_owned()];
    ledger.record_lacking(run, of(1), &globs, at(60)).unwrap();
    ledger.record_lacking(run, of(1), &globs, at(61)).unwrap();
    let why = reason("a new world");
    let accepted = ledger
        .record_accepted(run, of(1), Some(&why), at(70))
        .unwrap();
    let new = mark(70, Some("a new world"));
    assert_eq!(accepted, (new.clone(), None));
    let again = ledger.record_accepted(run, of(1), None, at(71)).unwrap();
    assert_eq!(again, (new.clone(), Some(new.clone())));
    assert_eq!(
        ledger.marks(&CopyFilter::default()).unwrap(),
        [(
            of(1),
            BackupMarks {
                kept: None,
                accepted: Some(new),
                is_locked: false,
                lacking: globs.to_vec(),
            }
        )]
        .into()
    );
    ledger.record_lacking(run, of(1), &[], at(80)).unwrap();
    ledger.record_lacking(run, of(1), &[], at(81)).unwrap();
    assert_eq!(
        events(&ledger),
        [
            event("lacking", json!({"globs": ["world/**", "ops.json"]})),
            event("accepted", json!({"reason": "a new world"})),
            event("lacks_nothing", json!({})),
        ]
    );
}

#[test]
fn nothing_is_said_of_a_backup_that_the_ledger_does_not_know() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, _) = listed(home.path(), &[completed(1)]);
    let said = [
        ledger.record_kept(run, of(9), None, at(60)).map(drop),
        ledger.record_unkept(run, of(9), at(60)).map(drop),
        ledger.record_accepted(run, of(9), None, at(60)).map(drop),
        ledger.record_lacking(run, of(9), &[], at(60)),
    ];
    for said in said {
        assert!(matches!(said, Err(Error::UnknownBackup { .. })), "{said:?}");
    }
    assert_eq!(events(&ledger), []);
}
