//! Lines, tables and errors as a person sees them.

use std::io;

use insta::assert_snapshot;

use nestegg::model::outcome::CopyState;
use nestegg::model::outcome::Ended;
use nestegg::model::outcome::FailureKind;
use nestegg::model::outcome::Mode;
use nestegg::model::outcome::Scope;
use nestegg::report::Account;
use nestegg::report::ListReport;
use nestegg::report::MirrorReport;
use nestegg::report::StatusReport;
use nestegg::report::human;
use nestegg::report::human::Color;
use nestegg::report::human::Style;
use nestegg::report::human::Verbosity;

use super::samples;

/// A terminal, without its colours so that snapshots stay legible.
const TERMINAL: Style = Style {
    color: Color::Off,
    width: Some(100),
};
const FILE: Style = Style {
    color: Color::Off,
    width: None,
};

fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn summary(report: &MirrorReport, style: Style) -> String {
    written(|out| human::mirror_summary(report, Verbosity::Normal, style, out))
}

fn lines(report: &MirrorReport) -> String {
    written(|out| {
        let mut backups = report.backups.iter();
        backups.try_for_each(|backup| human::mirror_line(backup, out))
    })
}

fn errors(report: &MirrorReport) -> String {
    written(|out| human::mirror_errors(report, FILE, out))
}

fn status(report: &StatusReport, style: Style) -> String {
    written(|out| human::status(report, style, out))
}

fn list(report: &ListReport, style: Style) -> String {
    written(|out| human::list(report, style, out))
}

/// Every way in which a report becomes text.
fn everything(
    mirror: &MirrorReport,
    standing: &StatusReport,
    held: &ListReport,
    style: Style,
) -> String {
    let mut dry = mirror.clone();
    dry.mode = Mode::DryRun;
    [
        summary(mirror, style),
        summary(&dry, style),
        lines(mirror),
        errors(mirror),
        status(standing, style),
        list(held, style),
    ]
    .concat()
}

#[test]
fn a_terminal_gets_a_table_of_what_was_done_and_the_sums() {
    assert_snapshot!(summary(&samples::partial_run(), TERMINAL), @r"
    SERVER    BACKUP                  SIZE  b2        nas           VERDICT
    survival  nightly            700.0 MiB  mirrored  already held  panel-sha1
    creative  before the update  700.0 MiB  mirrored  failed        panel-sha1

    Seen          41 backups on 3 servers
    Mirrored      1 backup, 700.0 MiB
    Already held  1 backup, 700.0 MiB
    Failed        1 backup, 700.0 MiB
    Transferred   1.4 GiB down, 1.4 GiB up in 3m 12s (7.3 MiB/s down)
    Skipped       2 servers: suspended (lobby, hub)
    Skipped       2 backups: failed on the panel
    Skipped       1 backup: still in progress
    Not every selected backup is held everywhere: the next run tries again.
    ");
}

#[test]
fn elsewhere_the_lines_have_told_the_backups_and_the_sums_follow() {
    let report = samples::partial_run();
    assert_snapshot!([lines(&report), summary(&report, FILE)].concat(), @r"
    mirrored      survival / nightly  6fdff738-bf44-4933-824f-000000000065  700.0 MiB  panel-sha1  b2: mirrored, nas: already held
    failed        creative / before the update  6fdff738-bf44-4933-824f-0000000000c9  700.0 MiB  panel-sha1  b2: mirrored, nas: failed (could not write part 3: no space left on device)
    already held  skyblock / old  6fdff738-bf44-4933-824f-00000000012d  700.0 MiB  panel-sha1  b2, nas
    Seen          41 backups on 3 servers
    Mirrored      1 backup, 700.0 MiB
    Already held  1 backup, 700.0 MiB
    Failed        1 backup, 700.0 MiB
    Transferred   1.4 GiB down, 1.4 GiB up in 3m 12s (7.3 MiB/s down)
    Skipped       2 servers: suspended (lobby, hub)
    Skipped       2 backups: failed on the panel
    Skipped       1 backup: still in progress
    Not every selected backup is held everywhere: the next run tries again.
    ");
}

#[test]
fn errors_name_what_failed_and_what_to_do() {
    let mut report = samples::partial_run();
    report.errors.push(samples::failure(
        Scope::Destination,
        "nas",
        FailureKind::Unreachable,
        "could not reach https://nas.example.com: connection refused",
    ));
    let repeated = report.errors[1].clone();
    report.errors.push(repeated);
    assert_snapshot!(errors(&report), @r"
    error: backup creative / before the update (6fdff738-bf44-4933-824f-0000000000c9): could not write part 3: no space left on device
      hint: free some space there, then run again
    error: destination nas: could not reach https://nas.example.com: connection refused
    ");
}

#[test]
fn a_run_in_which_all_is_well_says_so_and_quietly_says_nothing() {
    let report = samples::run(vec![samples::backup(
        101,
        "survival",
        "nightly",
        &[("b2", CopyState::AlreadyHeld)],
    )]);
    assert_snapshot!(summary(&report, TERMINAL), @r"
    Seen          41 backups on 3 servers
    Already held  1 backup, 700.0 MiB
    Every selected backup is held and verified at every destination.
    ");
    let quiet = written(|out| human::mirror_summary(&report, Verbosity::Quiet, TERMINAL, out));
    assert_eq!((quiet, errors(&report)), (String::new(), String::new()));
}

#[test]
fn a_run_in_which_all_is_not_well_speaks_even_when_quiet() {
    let mut at_limit = samples::run(Vec::new());
    at_limit.ended = Ended::AtLimit;
    for report in [samples::partial_run(), at_limit] {
        let quiet = written(|out| human::mirror_summary(&report, Verbosity::Quiet, FILE, out));
        assert_eq!(quiet, summary(&report, FILE));
    }
}

#[test]
fn every_way_to_end_has_its_last_line() {
    let one = |state| {
        vec![samples::backup(
            101,
            "survival",
            "nightly",
            &[("b2", state)],
        )]
    };
    let rows = [
        (Ended::InFull, one(CopyState::Mirrored)),
        (Ended::InFull, Vec::new()),
        (Ended::InFull, one(CopyState::Failed)),
        (Ended::InFull, one(CopyState::NotReached)),
        (Ended::AtLimit, one(CopyState::NotReached)),
        (Ended::BySigint, one(CopyState::NotReached)),
        (Ended::BySigterm, one(CopyState::Mirrored)),
    ];
    let last_lines = rows.map(|(ended, backups)| {
        let mut report = samples::run(backups);
        report.ended = ended;
        let text = summary(&report, FILE);
        format!("{ended:?}: {}", text.lines().last().unwrap())
    });
    assert_snapshot!(last_lines.join("\n"), @r"
    InFull: Every selected backup is held and verified at every destination.
    InFull: Nothing to mirror.
    InFull: Nothing could be mirrored.
    InFull: Not every selected backup is held everywhere: the next run tries again.
    AtLimit: Stopped at the time limit: the next run goes on from here.
    BySigint: Interrupted: what was done is recorded, nothing half-done is visible.
    BySigterm: Interrupted: what was done is recorded, nothing half-done is visible.
    ");
}

#[test]
fn many_destinations_share_a_column() {
    let copies = ["a", "b", "c", "d", "e"].map(|name| (name, CopyState::Mirrored));
    let report = samples::run(vec![samples::backup(101, "survival", "nightly", &copies)]);
    assert_snapshot!(summary(&report, TERMINAL), @r"
    SERVER    BACKUP        SIZE  COPIES                                                    VERDICT
    survival  nightly  700.0 MiB  a: mirrored, b: mirrored, c: mirrored, d: mirrored, e:    panel-sha1
                                  mirrored

    Seen          41 backups on 3 servers
    Mirrored      1 backup, 700.0 MiB
    Transferred   700.0 MiB down, 3.4 GiB up in 3m 12s (3.6 MiB/s down)
    Every selected backup is held and verified at every destination.
    ");
}

#[test]
fn many_skipped_servers_are_counted_and_some_are_named() {
    let mut report = samples::run(Vec::new());
    report.skipped = (1..=7)
        .map(|number| samples::skipped(&format!("lobby-{number}"), None, "suspended"))
        .collect();
    let text = summary(&report, FILE);
    let line = text.lines().find(|line| line.starts_with("Skipped"));
    assert_eq!(
        line,
        Some(
            "Skipped       7 servers: suspended (lobby-1, lobby-2, lobby-3, lobby-4, lobby-5 and 2 more)"
        )
    );
}

fn dry_run() -> MirrorReport {
    let mut report = samples::run(vec![
        samples::backup(
            101,
            "survival",
            "nightly",
            &[
                ("b2", CopyState::WouldMirror),
                ("nas", CopyState::WouldMirror),
            ],
        ),
        samples::backup(
            201,
            "creative",
            "before the update",
            &[
                ("b2", CopyState::WouldMirror),
                ("nas", CopyState::AlreadyHeld),
            ],
        ),
        samples::backup(301, "skyblock", "old", &[("b2", CopyState::AlreadyHeld)]),
        samples::backup(302, "skyblock", "broken", &[("b2", CopyState::Failed)]),
    ]);
    report.run = None;
    report.mode = Mode::DryRun;
    report.skipped = vec![samples::skipped("lobby", None, "suspended")];
    report
}

#[test]
fn a_dry_run_shows_what_would_go_where_and_why() {
    assert_snapshot!(summary(&dry_run(), TERMINAL), @r"
    SERVER    BACKUP                  SIZE  TO       WHY
    survival  nightly            700.0 MiB  b2, nas  not held yet
    creative  before the update  700.0 MiB  b2       held only at nas
    skyblock  broken             700.0 MiB  -        could not write part 3: no space left on device

    Seen          41 backups on 3 servers
    Would mirror  2 backups, 700.0 MiB from panels, 700.0 MiB from other destinations, 2.1 GiB to upload
    Already held  1 backup
    Failed        1 backup
    Skipped       1 server: suspended (lobby)
    Nothing was changed: this was a dry run.
    ");
}

#[test]
fn a_dry_run_is_plain_lines_elsewhere() {
    assert_snapshot!(summary(&dry_run(), FILE), @r"
    would mirror  survival / nightly  6fdff738-bf44-4933-824f-000000000065  700.0 MiB  b2, nas  not held yet
    would mirror  creative / before the update  6fdff738-bf44-4933-824f-0000000000c9  700.0 MiB  b2  held only at nas
    failed        skyblock / broken  6fdff738-bf44-4933-824f-00000000012e  700.0 MiB  -  could not write part 3: no space left on device
    Seen          41 backups on 3 servers
    Would mirror  2 backups, 700.0 MiB from panels, 700.0 MiB from other destinations, 2.1 GiB to upload
    Already held  1 backup
    Failed        1 backup
    Skipped       1 server: suspended (lobby)
    Nothing was changed: this was a dry run.
    ");
}

#[test]
fn status_shows_ages_copies_broken_promises_and_what_is_missing() {
    assert_snapshot!(status(&samples::standing(), TERMINAL), @r"
    SERVER    ID        NEWEST COPY (UTC)  AGE     b2             nas                      STATE
    survival  a1fa0000  2026-11-22 03:02   3h      12 (8.2 GiB)   11 (7.5 GiB), 5 missing  fresh
    creative  a1fa0000  2026-11-20 03:02   2d 3h   3 (2.1 GiB)    -                        STALE
    skyblock  a1fa0000  -                  -       -              -                        NO COPY
    lobby     a1fa0000  2026-10-01 00:00   52d 6h  1 (700.0 MiB)  -                        -

    STALE         creative: the newest verified copy is 2d 3h old, 1d 2h is promised; its backups were last listed 3h 2m ago
    NO COPY       skyblock: there is no verified copy, 1d 2h is promised; its backups were last listed 3h 2m ago
    missing       survival / nightly 1 of 2026-11-21 03:02 at nas: could not write part 3: no space left on device
    missing       survival / nightly 2 of 2026-11-21 03:02 at nas: not tried yet
    missing       survival / nightly 3 of 2026-11-21 03:02 at nas: not tried yet
    missing       survival: 2 more at nas
    skipped       lobby: suspended
    verified      nas: the oldest reading back is of 2026-11-01 06:00 (UTC), 2 copies never read back
    last run      mirror began at 2026-11-22 03:00 (UTC); it ended with exit code 3
    4 servers: 1 fresh, 1 stale, 1 without a copy, 1 without a promise.
    ");
}

#[test]
fn a_copy_dated_in_the_future_is_said_to_be_and_proves_no_freshness() {
    let mut report = samples::standing();
    report.servers.truncate(2);
    report.servers.remove(0);
    if let Some(last) = &mut report.last_run {
        last.end = None;
    }
    report.servers[0].holding.destinations =
        vec![samples::held_at("b2", 3, Some("2031-01-01T00:00:00Z"))];
    assert_snapshot!(status(&report, FILE), @r"
    SERVER    ID        NEWEST COPY (UTC)  AGE                  b2           STATE
    creative  a1fa0000  2031-01-01 00:00   dated in the future  3 (2.1 GiB)  STALE

    STALE         creative: the newest verified copy is dated in the future, which proves no freshness, 1d 2h is promised; its backups were last listed 3h 2m ago
    verified      nas: the oldest reading back is of 2026-11-01 06:00 (UTC), 2 copies never read back
    last run      mirror began at 2026-11-22 03:00 (UTC); it still runs, or was killed
    1 server: 1 stale.
    ");
}

#[test]
fn a_second_panel_gets_a_column() {
    let mut report = samples::standing();
    report.servers.truncate(2);
    report.servers[0].holding.panel = "other".parse().unwrap();
    report.servers[0].holding.destinations.truncate(1);
    assert_snapshot!(status(&report, FILE), @r"
    PANEL  SERVER    ID        NEWEST COPY (UTC)  AGE    b2            STATE
    other  survival  a1fa0000  2026-11-22 03:02   3h     12 (8.2 GiB)  fresh
    main   creative  a1fa0000  2026-11-20 03:02   2d 3h  3 (2.1 GiB)   STALE

    STALE         creative: the newest verified copy is 2d 3h old, 1d 2h is promised; its backups were last listed 3h 2m ago
    verified      nas: the oldest reading back is of 2026-11-01 06:00 (UTC), 2 copies never read back
    last run      mirror began at 2026-11-22 03:00 (UTC); it ended with exit code 3
    2 servers: 1 fresh, 1 stale.
    ");
}

#[test]
fn list_shows_every_copy_and_the_sum() {
    assert_snapshot!(list(&samples::held(), FILE), @r"
    SERVER    BACKUP   COMPLETED (UTC)        SIZE  DESTINATION  VERDICT     ON PANEL  BACKUP ID
    survival  nightly  2026-11-21 03:02  700.0 MiB  b2           panel-sha1  yes       6fdff738-bf44-4933-824f-000000000002
    survival  nightly  2026-11-21 03:02  700.0 MiB  nas          panel-sha1  yes       6fdff738-bf44-4933-824f-000000000002
    survival  nightly  2026-11-21 03:02  700.0 MiB  b2           structure   gone      6fdff738-bf44-4933-824f-000000000001

    3 copies of 2 backups, 2.1 GiB stored.
    ");
}

#[test]
fn encrypted_copies_are_shown_with_whom_they_are_encrypted_to() {
    assert_snapshot!(list(&samples::held_encrypted(), FILE), @r"
    SERVER    BACKUP   COMPLETED (UTC)        SIZE  DESTINATION  VERDICT     ON PANEL  BACKUP ID                             ENCRYPTED TO
    survival  nightly  2026-11-21 03:02  700.0 MiB  b2           panel-sha1  yes       6fdff738-bf44-4933-824f-000000000002  -
    survival  nightly  2026-11-21 03:02  700.2 MiB  nas          panel-sha1  yes       6fdff738-bf44-4933-824f-000000000002  age1t7rxye…vpy7pa, ssh-ed25519 …Z6isGN

    2 copies of 1 backup, 1.4 GiB stored.
    ");
}

#[test]
fn nothing_held_is_said_plainly() {
    let nobody = StatusReport {
        at: samples::at("2026-11-22T06:02:41Z"),
        last_run: None,
        servers: Vec::new(),
        verified: Vec::new(),
    };
    let nothing = ListReport {
        panel: None,
        copies: Vec::new(),
        account: Account::Ledger,
        failures: Vec::new(),
    };
    assert_eq!(
        status(&nobody, TERMINAL),
        "No server is recorded yet: run `nestegg mirror` first.\n"
    );
    assert_eq!(list(&nothing, TERMINAL), "No copy is recorded.\n");
}

/// Every sample with a foreign name in each place that takes one.
fn named_throughout(name: &str) -> (MirrorReport, StatusReport, ListReport) {
    let mut mirror = samples::partial_run();
    for backup in &mut mirror.backups {
        backup.server_name = name.to_owned();
        backup.name = name.to_owned();
        for failure in backup
            .copies
            .iter_mut()
            .filter_map(|copy| copy.failure.as_mut())
        {
            failure.message = name.to_owned();
        }
    }
    for failure in &mut mirror.errors {
        failure.message = name.to_owned();
        failure.hint = name.to_owned();
    }
    mirror.errors.push(samples::failure(
        Scope::Server,
        name,
        FailureKind::NotFound,
        name,
    ));
    for skipped in &mut mirror.skipped {
        skipped.server_name = name.to_owned();
        skipped.why = name.to_owned();
    }
    let mut standing = samples::standing();
    for server in &mut standing.servers {
        server.holding.name = name.to_owned();
        server.holding.identifier = name.to_owned();
        server.holding.skipped_because = Some(name.to_owned());
        let destinations = server.holding.destinations.iter_mut();
        for missing in destinations.flat_map(|there| &mut there.missing) {
            missing.backup_name = name.to_owned();
            missing.why = Some(name.to_owned());
        }
    }
    let mut held = samples::held();
    for copy in &mut held.copies {
        copy.server_name = name.to_owned();
        copy.backup_name = name.to_owned();
    }
    (mirror, standing, held)
}

#[test]
fn a_hostile_name_neither_acts_nor_adds_a_line_anywhere() {
    let (mirror, standing, held) = named_throughout(samples::HOSTILE);
    let (harmless_mirror, harmless_standing, harmless_held) = named_throughout("harmless");
    let hostile = everything(&mirror, &standing, &held, FILE);
    let harmless = everything(&harmless_mirror, &harmless_standing, &harmless_held, FILE);
    let acting: Vec<char> = hostile
        .chars()
        .filter(|character| nestegg::model::text::acts_on_a_terminal(*character))
        .filter(|character| *character != '\n')
        .collect();
    assert_eq!(acting, Vec::<char>::new());
    assert_eq!(hostile.lines().count(), harmless.lines().count());
    assert!(
        !hostile
            .lines()
            .any(|line| line.starts_with("error: all lost"))
    );
}

#[test]
fn a_name_of_10_kb_is_cut_everywhere() {
    let (mirror, standing, held) = named_throughout(&"x".repeat(10_240));
    for style in [FILE, TERMINAL] {
        let text = everything(&mirror, &standing, &held, style);
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest < Some(1200), "{longest:?}");
        assert!(text.len() < 40_000, "{}", text.len());
    }
}

#[test]
fn a_table_is_never_wider_than_its_terminal() {
    let (mirror, standing, held) =
        named_throughout("日本語サーバー 👨\u{200d}👩\u{200d}👧 and more");
    for width in [40, 60, 80, 120] {
        let style = Style {
            color: Color::Off,
            width: Some(width),
        };
        for text in [
            summary(&mirror, style),
            status(&standing, style),
            list(&held, style),
        ] {
            let table = text.split("\n\n").next().unwrap();
            for line in table.lines() {
                assert!(
                    line.chars().count() <= usize::from(width),
                    "{width}: {line}"
                );
            }
        }
    }
}

#[test]
fn colours_are_there_when_asked_for_and_say_nothing_that_words_do_not() {
    let coloured = Style {
        color: Color::On,
        ..TERMINAL
    };
    let (mirror, standing, held) = (samples::partial_run(), samples::standing(), samples::held());
    let plain = everything(&mirror, &standing, &held, TERMINAL);
    let painted = everything(&mirror, &standing, &held, coloured);
    assert!(painted.contains('\u{1b}') && !plain.contains('\u{1b}'));
    assert_eq!(without_colours(&painted), plain);
}

fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(|end| *end == 'm');
        } else {
            plain.push(character);
        }
    }
    let lines = plain.split('\n').map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n")
}
