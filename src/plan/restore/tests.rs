use super::*;
use crate::model::backup::LockState;
use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Verdict;
use crate::model::holding::PanelPresence;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::sidecar::Encryption;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn server(number: u8) -> ServerId {
    format!("a1fa000{number}-1111-4111-8111-00000000000a")
        .parse()
        .unwrap()
}

fn backup(number: u8) -> BackupId {
    format!("6fdff738-bf44-4933-824f-{number:012}")
        .parse()
        .unwrap()
}

fn copy(of: u8, name: &str, number: u8, completed_at: &str, destination: &str) -> HeldCopy {
    HeldCopy {
        panel: "main".parse().unwrap(),
        server: server(of),
        identifier: format!("serv_{of}"),
        server_name: name.to_owned(),
        backup: backup(number),
        backup_name: "nightly".to_owned(),
        created_at: at(completed_at),
        completed_at: at(completed_at),
        panel_checksum: None,
        on_panel: PanelPresence::Listed,
        destination: destination.parse().unwrap(),
        location: format!("s3://{destination}"),
        key: ObjectKey::for_backup(server(of), backup(number), ObjectKind::Archive),
        archive_bytes: 1,
        sha256: ContentDigest::from_hex(Algorithm::Sha256, &"07".repeat(32)).unwrap(),
        stored_bytes: 1,
        stored_sha256: ContentDigest::from_hex(Algorithm::Sha256, &"07".repeat(32)).unwrap(),
        encryption: None,
        structure: None,
        etag: None,
        verdict: Verdict::Structure,
        mirrored_at: at(completed_at),
        verified_at: None,
        kept: None,
        lock: LockState::Unlocked,
    }
}

fn held() -> Vec<HeldCopy> {
    vec![
        copy(1, "Survival", 1, "2026-11-01T03:00:00Z", "b2"),
        copy(1, "Survival", 1, "2026-11-01T03:00:00Z", "nas"),
        copy(1, "Survival", 2, "2026-11-02T03:00:00Z", "b2"),
        copy(2, "Lobby: EU", 3, "2026-11-01T04:00:00Z", "b2"),
        copy(3, "Lobby", 4, "2026-11-01T05:00:00Z", "b2"),
    ]
}

fn chosen(choice: &str) -> Result<Vec<String>, NoChoice> {
    let held = held();
    let zone = TimeZone::UTC;
    let copies = choose(&held, &choice.parse().unwrap(), &zone)?;
    Ok(copies
        .iter()
        .map(|copy| format!("{} {}", copy.backup, copy.destination))
        .collect())
}

#[test]
fn a_choice_means_all_copies_of_one_backup() {
    for (choice, number, destinations) in [
        ("6fdff738-bf44-4933-824f-000000000001", 1, vec!["b2", "nas"]),
        ("Survival:latest", 2, vec!["b2"]),
        ("a1fa0001:latest", 2, vec!["b2"]),
        ("serv_1:latest", 2, vec!["b2"]),
        ("Surv*:2026-11-01", 1, vec!["b2", "nas"]),
        ("Survival:2026-11-02T02:59", 1, vec!["b2", "nas"]),
        ("Survival:2026-11-02T03:00", 2, vec!["b2"]),
        ("Lobby: EU:latest", 3, vec!["b2"]),
        ("Lobby:latest", 4, vec!["b2"]),
    ] {
        let expected = destinations
            .iter()
            .map(|destination| format!("{} {destination}", backup(number)));
        assert_eq!(chosen(choice), Ok(expected.collect()), "{choice}");
    }
}

#[test]
fn what_means_nothing_or_too_much_is_refused_with_what_there_is() {
    for (choice, message, hint) in [
        (
            "6fdff738-bf44-4933-824f-000000000009",
            "no copy of the backup 6fdff738-bf44-4933-824f-000000000009 was found",
            "`nestegg list`, with --from where copies are, shows what there is",
        ),
        (
            "a1fa0001-1111-4111-8111-00000000000a",
            "a1fa0001-1111-4111-8111-00000000000a is the server `Survival`, not a backup",
            "for its newest backup write a1fa0001-1111-4111-8111-00000000000a:latest",
        ),
        (
            "Survivol:latest",
            "`Survivol` names no server that a copy is held of",
            "known: Survival, Lobby, Lobby: EU",
        ),
        (
            "Lobby*:latest",
            "`Lobby*` names several servers: Lobby: EU (a1fa0002-1111-4111-8111-00000000000a), \
             Lobby (a1fa0003-1111-4111-8111-00000000000a)",
            "name one by its id",
        ),
        (
            "Survival:2026-10-31",
            "no copy is held of a backup of `Survival` that was completed by 2026-10-31",
            "the oldest is of 2026-11-01 03:00, the newest of 2026-11-02 03:00 (UTC)",
        ),
    ] {
        let refused = chosen(choice).unwrap_err();
        assert_eq!(
            (refused.to_string().as_str(), refused.hint().as_str()),
            (message, hint)
        );
    }
    let nothing = choose(&[], &"a:latest".parse().unwrap(), &TimeZone::UTC);
    assert_eq!(nothing, Err(NoChoice::NothingHeld));
}

#[test]
fn a_lost_copy_is_passed_over_when_its_backup_would_have_been_chosen() {
    let chosen = copy(1, "Survival", 2, "2026-11-02T03:00:00Z", "b2");
    for (lost, moment, is_told) in [
        ("2026-11-03T03:00:00Z", "latest", true),
        ("2026-11-03T03:00:00Z", "2026-11-03", true),
        ("2026-11-03T03:00:00Z", "2026-11-02", false),
        ("2026-11-01T03:00:00Z", "latest", false),
    ] {
        let Ok(BackupChoice::Of { moment, .. }) = format!("Survival:{moment}").parse() else {
            panic!("{moment}");
        };
        let told = |of| {
            let lost = copy(of, "Survival", 5, lost, "nas");
            is_passed_over(&lost, &chosen, moment, &TimeZone::UTC)
        };
        assert_eq!(told(1), is_told, "{lost} {moment}");
        assert!(!told(2), "of another server");
    }
    let same = copy(1, "Survival", 2, "2026-11-02T03:00:00Z", "nas");
    assert!(!is_passed_over(
        &same,
        &chosen,
        Moment::Latest,
        &TimeZone::UTC
    ));
}

#[test]
fn one_uuid_at_two_servers_is_no_choice() {
    let mut copies = held();
    copies.push(copy(3, "Lobby", 1, "2026-11-01T03:00:00Z", "b2"));
    let choice = BackupChoice::Backup(backup(1));
    let refused = choose(&copies, &choice, &TimeZone::UTC).unwrap_err();
    assert!(
        matches!(&refused, NoChoice::SeveralOfThatUuid { servers, .. } if servers.len() == 2),
        "{refused}"
    );
}

#[test]
fn all_means_every_backup_of_the_servers_named_newest_first() {
    let held = held();
    let numbers = |words: &[&str]| -> Vec<(BackupId, usize)> {
        let servers: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
        let backups = choose_all(&held, &servers).unwrap().into_iter();
        backups.map(|of| (of[0].backup, of.len())).collect()
    };
    let all = vec![
        (backup(2), 1),
        (backup(1), 2),
        (backup(3), 1),
        (backup(4), 1),
    ];
    assert_eq!(numbers(&[]), all);
    assert_eq!(numbers(&["Survival"]), all[..2]);
    assert!(choose_all(&held, &["hub".parse().unwrap()]).is_err());
}

#[test]
fn copies_are_tried_in_the_order_of_what_is_known_of_them() {
    let made = "2026-11-01T03:00:00Z";
    let plain = copy(1, "a", 1, made, "plain");
    let local = HeldCopy {
        destination: "local".parse().unwrap(),
        location: "file:///mnt".to_owned(),
        ..plain.clone()
    };
    let sealed = |copy: &HeldCopy| HeldCopy {
        encryption: Some(Encryption {
            scheme: "age".to_owned(),
            recipients: Vec::new(),
        }),
        destination: "sealed".parse().unwrap(),
        ..copy.clone()
    };
    let verified = |copy: &HeldCopy, name: &str, when: &str| HeldCopy {
        destination: name.parse().unwrap(),
        verified_at: Some(at(when)),
        ..copy.clone()
    };
    let names = |copies: Vec<HeldCopy>, keys| -> Vec<String> {
        let ranked = rank(copies, keys).into_iter();
        ranked.map(|one| one.copy.destination.to_string()).collect()
    };
    // The remote one was verified later in the same run: that says nothing.
    let same_run = vec![
        verified(&plain, "remote", "2026-11-05T04:00:00Z"),
        verified(&local, "here", "2026-11-05T03:00:00Z"),
    ];
    assert_eq!(names(same_run, Keys::Given), ["here", "remote"]);
    let all = vec![
        plain.clone(),
        sealed(&local),
        verified(&plain, "old", "2026-11-02T03:00:00Z"),
        local.clone(),
        verified(&sealed(&plain), "new", "2026-11-09T03:00:00Z"),
    ];
    assert_eq!(
        names(all.clone(), Keys::Given),
        ["new", "old", "local", "sealed", "plain"]
    );
    assert_eq!(
        names(all, Keys::Missing),
        ["old", "local", "plain", "new", "sealed"]
    );
}

#[test]
fn the_place_in_the_order_is_explained() {
    let mut one = copy(1, "a", 1, "2026-11-01T03:00:00Z", "b2");
    let said = |copy: &HeldCopy, keys| rank(vec![copy.clone()], keys).remove(0).why;
    assert_eq!(
        said(&one, Keys::Missing),
        "not read back since it was made on 2026-11-01; remote; not encrypted"
    );
    one.verified_at = Some(at("2026-11-03T03:00:00Z"));
    one.location = "file:///mnt".to_owned();
    one.encryption = Some(Encryption {
        scheme: "age".to_owned(),
        recipients: Vec::new(),
    });
    assert_eq!(
        said(&one, Keys::Missing),
        "read back and found right on 2026-11-03; on this machine; encrypted, and no identity is given"
    );
}

#[test]
fn copies_that_claim_different_archives_are_noticed() {
    let held = held();
    let mut other = held[0].clone();
    assert!(!disagree(&[&held[0], &other]));
    other.sha256 = ContentDigest::from_hex(Algorithm::Sha256, &"08".repeat(32)).unwrap();
    assert!(disagree(&[&held[0], &other]));
}
