//! Reports of `prune` as people and programs see them.

use jiff::SpanFieldwise;
use jiff::Timestamp;
use jiff::ToSpan as _;
use nestegg::exit::Exit;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::outcome::Ended;
use nestegg::model::outcome::Failure;
use nestegg::model::outcome::FailureKind;
use nestegg::model::outcome::Mode;
use nestegg::model::outcome::Scope;
use nestegg::model::retention::KeepReason;
use nestegg::model::retention::Rule;
use nestegg::plan::prune::Decision;
use nestegg::plan::prune::Reason;
use nestegg::plan::prune::Refusal;
use nestegg::report::PruneReport;
use nestegg::report::human;
use nestegg::report::human::Color;
use nestegg::report::human::Style;
use nestegg::report::human::Verbosity;
use nestegg::report::json;
use nestegg::report::prune::Became;
use nestegg::report::prune::BegunCopy;
use nestegg::report::prune::PrunedCopy;
use nestegg::report::prune::PrunedPlace;
use nestegg::report::prune::PrunedServer;
use nestegg::report::prune::Thinning;

use crate::support::schema::assert_fits;

const PLAIN: Style = Style {
    color: Color::Off,
    width: None,
};

fn server(number: u8) -> ServerId {
    format!("a1fa000{number}-1111-4111-8111-00000000000a")
        .parse()
        .unwrap()
}

fn backup(number: u8) -> BackupId {
    format!("6fdff73{number}-bf44-4933-824f-489198dda9e6")
        .parse()
        .unwrap()
}

fn at(day: u8) -> Timestamp {
    format!("2026-11-{day:02}T03:02:00Z").parse().unwrap()
}

fn copy(number: u8, decision: Decision, became: Became) -> PrunedCopy {
    PrunedCopy {
        backup: backup(number),
        name: "nightly \u{1b}[2J".to_owned(),
        key: ObjectKey::for_backup(server(1), backup(number), ObjectKind::Archive),
        created_at: at(20 - number),
        stored_bytes: 700 << 20,
        decision,
        became,
    }
}

/// Every state of a copy, a server that is refused, a removal that was begun before.
fn report() -> PruneReport {
    let failure = Failure {
        scope: Scope::Destination,
        id: "b2".to_owned(),
        kind: FailureKind::Unreachable,
        message: "could not remove `x`:\nno answer".to_owned(),
        hint: "check the network".to_owned(),
    };
    let policy = Decision::Keep(vec![
        Reason::Policy(KeepReason::Nth {
            rule: Rule::Daily,
            nth: 1,
            of: 14,
        }),
        Reason::Policy(KeepReason::Within(SpanFieldwise(2.years()))),
        Reason::Newest,
    ]);
    let by_hand = Decision::Keep(vec![
        Reason::Locked,
        Reason::KeptByHand {
            reason: Some("before the\u{1b} update".to_owned()),
        },
        Reason::RetainedUntil(at(30)),
    ]);
    let spared = Became::Spared(Reason::KeptByHand { reason: None });
    let survival = PrunedServer {
        panel: "main".parse().unwrap(),
        server: server(1),
        identifier: "a1fa0001".to_owned(),
        name: "Survival".to_owned(),
        refusals: Vec::new(),
        copies: vec![
            copy(0, policy, Became::Kept),
            copy(1, by_hand, Became::Kept),
            copy(2, Decision::Remove, Became::Removed),
            copy(3, Decision::Remove, spared),
            copy(4, Decision::Remove, Became::Failed(failure.clone())),
            copy(5, Decision::Remove, Became::NotReached),
        ],
    };
    let lobby = PrunedServer {
        server: server(2),
        identifier: "a1fa0002".to_owned(),
        name: "Lobby\n".to_owned(),
        refusals: vec![Refusal::NewestNotMirrored { backup: backup(7) }],
        copies: vec![copy(6, Decision::Remove, Became::Refused)],
        ..survival.clone()
    };
    PruneReport {
        run: None,
        started_at: at(20),
        finished_at: at(20),
        mode: Mode::Apply,
        places: vec![
            PrunedPlace {
                destination: "b2".parse().unwrap(),
                thinning: Thinning::ByPolicy,
                given_up: None,
                begun: vec![BegunCopy {
                    server_name: "Survival".to_owned(),
                    key: ObjectKey::for_backup(server(1), backup(9), ObjectKind::EncryptedArchive),
                    stored_bytes: 1 << 20,
                    intended_at: at(19),
                    became: Became::Removed,
                }],
                servers: vec![survival, lobby],
            },
            PrunedPlace {
                destination: "nas".parse().unwrap(),
                thinning: Thinning::None,
                given_up: None,
                begun: Vec::new(),
                servers: Vec::new(),
            },
        ],
        max_delete: Some(5),
        errors: vec![failure],
        ended: Ended::AtLimit,
    }
}

fn shown(report: &PruneReport, verbosity: Verbosity) -> String {
    let mut out = Vec::new();
    human::prune_summary(report, verbosity, PLAIN, &mut out).unwrap();
    human::prune_errors(report, PLAIN, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn people_see_every_copy_with_what_became_of_it() {
    insta::assert_snapshot!(shown(&report(), Verbosity::Normal), @r"
    b2
      begun at 2026-11-19 03:02: removed   Survival / 6fdff739-bf44-4933-824f-489198dda9e6  1.0 MiB
      Survival (a1fa0001): 6 copies, 3 kept, 1 removed (700.0 MiB freed), 1 failed, 1 not reached
        keep         2026-11-20 03:02   700.0 MiB  6fdff730-bf44-4933-824f-489198dda9e6  nightly \u{1b}[2J  daily 1/14, within 2y, newest
        keep         2026-11-19 03:02   700.0 MiB  6fdff731-bf44-4933-824f-489198dda9e6  nightly \u{1b}[2J  locked, kept by hand (before the\u{1b} update), under the store's retention until 2026-11-30T03:02:00Z
        removed      2026-11-18 03:02   700.0 MiB  6fdff732-bf44-4933-824f-489198dda9e6  nightly \u{1b}[2J  no rule keeps it
        spared       2026-11-17 03:02   700.0 MiB  6fdff733-bf44-4933-824f-489198dda9e6  nightly \u{1b}[2J  no rule keeps it; stays: kept by hand
        failed       2026-11-16 03:02   700.0 MiB  6fdff734-bf44-4933-824f-489198dda9e6  nightly \u{1b}[2J  no rule keeps it; could not remove `x`:\nno answer
        not reached  2026-11-15 03:02   700.0 MiB  6fdff735-bf44-4933-824f-489198dda9e6  nightly \u{1b}[2J  no rule keeps it
      Lobby\n (a1fa0002): 1 copy, 0 kept, 1 not removed: refused
        refused      2026-11-14 03:02   700.0 MiB  6fdff736-bf44-4933-824f-489198dda9e6  nightly \u{1b}[2J  no rule keeps it
    nas: has no policy, so all of its copies stay
    In all        8 copies, 3 kept, 2 removed (701.0 MiB freed), 1 not removed: refused, 1 failed, 1 not reached
    Refused       1 server
    Not everything could be removed that was to be: the errors say why.
    refused: Lobby\n (a1fa0002) at b2: its newest completed backup 6fdff737-bf44-4933-824f-489198dda9e6 is not mirrored there
      hint: run `nestegg mirror` first, and see why it fails if it does; what prune removed there comes back by `nestegg mirror --backup UUID`
    error: destination b2: could not remove `x`:\nno answer
      hint: check the network
    ");
}

#[test]
fn quietly_people_see_sums() {
    insta::assert_snapshot!(shown(&report(), Verbosity::Quiet), @r"
    b2
      begun at 2026-11-19 03:02: removed   Survival / 6fdff739-bf44-4933-824f-489198dda9e6  1.0 MiB
      Survival (a1fa0001): 6 copies, 3 kept, 1 removed (700.0 MiB freed), 1 failed, 1 not reached
      Lobby\n (a1fa0002): 1 copy, 0 kept, 1 not removed: refused
    nas: has no policy, so all of its copies stay
    In all        8 copies, 3 kept, 2 removed (701.0 MiB freed), 1 not removed: refused, 1 failed, 1 not reached
    Refused       1 server
    Not everything could be removed that was to be: the errors say why.
    refused: Lobby\n (a1fa0002) at b2: its newest completed backup 6fdff737-bf44-4933-824f-489198dda9e6 is not mirrored there
      hint: run `nestegg mirror` first, and see why it fails if it does; what prune removed there comes back by `nestegg mirror --backup UUID`
    error: destination b2: could not remove `x`:\nno answer
      hint: check the network
    ");
    let mut well = report();
    well.errors.clear();
    well.places.truncate(1);
    well.places[0].servers.truncate(1);
    well.places[0].servers[0].copies.truncate(4);
    well.ended = Ended::InFull;
    assert_eq!(shown(&well, Verbosity::Quiet), "");
}

#[test]
fn programs_see_the_same_and_nothing_that_acts_on_a_terminal() {
    let mut out = Vec::new();
    json::prune(&report(), Exit::Partial.code(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let line = text.trim_end_matches('\n');
    assert!(!line.chars().any(char::is_control), "{line}");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_fits(json::PRUNE_SCHEMA, &document);
    let copies = &document["destinations"][0]["servers"][0]["copies"];
    assert_eq!(
        copies[0]["reasons"][0],
        serde_json::json!({"kind": "policy", "text": "daily 1/14", "rule": "daily", "nth": 1, "of": 14,
                           "until": null, "words": null})
    );
    assert_eq!(copies[1]["reasons"][2]["until"], "2026-11-30T03:02:00Z");
    let states: Vec<&str> = copies
        .as_array()
        .unwrap()
        .iter()
        .map(|copy| copy["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        ["kept", "kept", "removed", "spared", "failed", "not_reached"]
    );
    assert_eq!(document["counts"]["removed"], 2);
    assert_eq!(document["bytes"]["freed"], 701 << 20);
}
