//! The `panel` commands before a person: on a terminal, and without so much as a home.

use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;

use nestegg::cli;
use nestegg::cli::progress::SharedWriter;
use nestegg::cli::progress::Tty;
use nestegg::cli::session::Streams;
use nestegg::config::Environment;

use super::plain;
use crate::support::archive::Archive;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::NewBackup;
use crate::support::world::World;

/// What was written, kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    /// With escape characters made visible.
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().replace('\u{1b}', "^")
    }
}

/// Runs a `panel` command on a terminal of 100 columns, with nothing in the environment but the key.
async fn on_a_terminal(world: &World, words: &[&str]) -> (u8, String, String) {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let streams = Streams {
        stdout: SharedWriter::new(stdout.clone()),
        stderr: SharedWriter::new(stderr.clone()),
        stdout_tty: Tty::Yes,
        stderr_tty: Tty::Yes,
        columns: || Some(100),
    };
    let key = OsString::from(world.panel.key());
    let environment = Environment::new(
        [("NESTEGG_API_KEY".to_owned(), key)],
        world.path("nowhere"),
        world.path("no-such-config.toml"),
    );
    let url = world.panel.url();
    let args = [&["nestegg", "panel"], words, &["--panel", &url]].concat();
    let exit = cli::run(args, environment, streams).await;
    (exit.code(), stdout.text(), stderr.text())
}

/// A line as it is seen.
fn without_colour(line: &str) -> String {
    let mut pieces = line.split("^[");
    let mut seen = pieces.next().unwrap().to_owned();
    for piece in pieces {
        seen.push_str(piece.split_once('m').unwrap().1);
    }
    seen
}

#[tokio::test]
async fn tables_fit_the_terminal_and_what_matters_has_a_colour() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.edit_server(server, |row| row.backup_limit = 1);
    let other = world.panel.add_server("Creative");
    world.panel.set_condition(other, Condition::Suspended);
    let (code, servers, said) = on_a_terminal(&world, &["servers"]).await;
    assert_eq!((code, said.as_str()), (0, ""));
    let (code, backups, skipped) = on_a_terminal(&world, &["backups"]).await;
    assert_eq!(code, 0);
    assert!(backups.contains(&backup.to_string()), "{backups}");
    for line in servers.lines().chain(backups.lines()) {
        assert!(without_colour(line).chars().count() <= 100, "{line}");
    }
    plain().bind(|| {
        insta::assert_snapshot!(servers, @r"
        ^[1mSERVER^[0m    ^[1mID^[0m        ^[1mNODE^[0m      ^[1mSTATE^[0m      ^[1mBACKUPS^[0m   ^[1mLOCKED^[0m
        Creative  [short]  node-one  ^[38;5;11msuspended^[39m  - of 200  -
        Survival  [short]  node-one  ready      ^[38;5;11m1 of 1^[39m    0
        ");
        insta::assert_snapshot!(skipped, @"^[33mskipped     ^[0m  Creative: the server is suspended");
    });
}

#[tokio::test]
async fn a_person_is_told_what_is_being_waited_for() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(NewBackup {
        reads_in_progress: u32::MAX,
        archive: None,
    });
    let words = [
        "create",
        "--server",
        "Survival",
        "--name",
        "n",
        "--wait",
        "--timeout",
        "1s",
    ];
    let (code, stdout, stderr) = on_a_terminal(&world, &words).await;
    assert_eq!(code, 10);
    plain().bind(|| {
        insta::assert_snapshot!(stdout, @"^[33min progress:^[0m [uuid] n of Survival");
        insta::assert_snapshot!(stderr, @r"
        waiting for [uuid] n of Survival, 1s at most; Ctrl-C leaves it to the panel
        ^[33mnote:^[0m it is still in progress after [n]s, and goes on at the panel: `nestegg panel backups --server [uuid]` shows how it stands
        ");
    });
}

#[tokio::test]
async fn what_was_locked_has_a_colour() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let id = backup.to_string();
    let (code, first, _) = on_a_terminal(&world, &["lock", &id]).await;
    assert_eq!(code, 0);
    let (code, second, _) = on_a_terminal(&world, &["lock", &id]).await;
    assert_eq!(code, 0);
    plain().bind(|| {
        insta::assert_snapshot!(first, @"^[32mlocked:^[0m [uuid] nightly of Survival");
        insta::assert_snapshot!(second, @"^[2malready locked:^[0m [uuid] nightly of Survival");
    });
}
