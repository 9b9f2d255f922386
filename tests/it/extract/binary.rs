//! `restore --extract` as a person runs it: exit codes, kills, full disks.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::extract::traces;
use crate::support::archive::Archive;
use crate::support::held::Held;
use crate::support::held::Node;
use crate::support::held::tree;
use crate::support::held::unpacked_by_tar;
use crate::support::members::Members;
use crate::support::world::Ran;

fn arguments(held: &Held, out: &Path, more: &[&str]) -> Vec<String> {
    let (backup, from) = (held.backup.to_string(), held.world.offsite());
    let fixed = [
        "restore",
        &backup,
        "--from",
        from.to_str().unwrap(),
        "--extract",
    ];
    let words = fixed.into_iter().chain([out.to_str().unwrap()]);
    words
        .chain(more.iter().copied())
        .map(str::to_owned)
        .collect()
}

async fn run(held: &Held, more: &[&str]) -> Ran {
    let out = held.world.path("out");
    held.world.run(&arguments(held, &out, more)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ending_has_its_exit_code() {
    let held = Held::of(
        Members::new()
            .file("world/level.dat", "level")
            .file("n".repeat(300), "too long")
            .archive(),
    )
    .await;
    let nothing = run(&held, &["--include", "nether"]).await;
    assert_eq!(nothing.code, Some(1), "{}", nothing.stderr);
    assert!(
        nothing
            .stderr
            .contains("no member of the archive matches `nether`"),
        "{}",
        nothing.stderr
    );
    let no_glob = run(&held, &["--include", "["]).await;
    assert_eq!(no_glob.code, Some(2), "{}", no_glob.stderr);
    let part = run(&held, &["--include", "world", "--include", "nether"]).await;
    assert_eq!(part.code, Some(3), "{}", part.stderr);
    assert!(
        part.stdout.contains("no member matches `nether`"),
        "{}",
        part.stdout
    );
    let not_empty = run(&held, &[]).await;
    assert_eq!(not_empty.code, Some(2), "{}", not_empty.stderr);
    assert!(
        not_empty.stderr.contains("is not empty") && not_empty.stderr.contains("--force"),
        "{}",
        not_empty.stderr
    );
    let too_long = run(&held, &["--force", "--json"]).await;
    assert_eq!(too_long.code, Some(3), "{}", too_long.stderr);
    assert_eq!(too_long.json()["backups"][0]["state"], "in_part");
    let whole = run(&held, &["--force", "--include", "world"]).await;
    assert_eq!((whole.code, whole.stderr.as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_may_not_be_extracted_into_is_refused_before_anything_is_looked_for() {
    let held = Held::of(Members::new().file("ops.json", "[]").archive()).await;
    let out = held.world.path("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("mine"), "mine").unwrap();
    std::fs::write(held.world.path("file"), "").unwrap();
    std::fs::remove_dir_all(held.world.offsite()).unwrap();
    let before = held.everything();
    for (out, said) in [
        ("out", "is not empty"),
        ("file", "is not a directory"),
        ("missing/out", "could not find the directory above"),
    ] {
        let args = arguments(&held, &held.world.path(out), &[]);
        let ran = held.world.run(&args).await;
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert!(!ran.stderr.contains("offsite"), "{}", ran.stderr);
    }
    assert_eq!(held.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_member_is_an_integrity_failure_and_says_so() {
    let held = Held::of(Members::new().file("../x\u{1b}[2J", "x").archive()).await;
    let ran = run(&held, &[]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains(r"the archive's member `../x\u{1b}[2J` has `..` in its path"),
        "{}",
        ran.stderr
    );
    assert_eq!(traces(&held), Vec::<String>::new());
}

/// Kills an extraction that is slowed down, at several moments; `look` sees what each left.
async fn killed(held: &Held, more: &[&str], look: impl Fn(&str)) {
    let out = held.world.path("out");
    let slowly = [&["--limit-rate", "24MiB"], more].concat();
    for millis in [60, 120, 200, 280, 340, 400, 440] {
        let mut child = held.world.start(&arguments(held, &out, &slowly));
        let moment = Duration::from_millis(millis);
        drop(tokio::time::timeout(moment, child.wait()).await);
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        look(&format!("killed after {millis} ms"));
        if more.is_empty() && out.exists() {
            std::fs::remove_dir_all(&out).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_leaves_all_or_nothing_and_the_next_run_tidies_up() {
    let archive = Archive::of_about(4, 9 << 20);
    let held = Held::of(archive.clone()).await;
    let whole = unpacked_by_tar(&archive, &held.world.path("by-tar"));
    let out = held.world.path("out");
    killed(&held, &[], |when| {
        if out.exists() {
            assert_eq!(tree(&out), whole, "{when}");
        }
    })
    .await;
    let ran = run(&held, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(tree(&out), whole);
    assert_eq!(traces(&held), ["out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_force_every_file_is_the_old_one_or_the_new_one() {
    let archive = Archive::of_about(4, 9 << 20);
    let held = Held::of(archive.clone()).await;
    let whole = unpacked_by_tar(&archive, &held.world.path("by-tar"));
    let out = held.world.path("out");
    for name in whole.keys() {
        let path = out.join(name);
        if matches!(whole[name], Node::File(..)) {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "old").unwrap();
        }
    }
    killed(&held, &["--force"], |when| {
        for (name, node) in tree(&out) {
            if let (Node::File(_, _, content), false) = (&node, name.starts_with(".nestegg")) {
                assert!(content == b"old" || whole[&name] == node, "{when}: {name}");
            }
        }
    })
    .await;
    let ran = run(&held, &["--force"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(tree(&out), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_is_said_and_nothing_is_left() {
    let held = Held::of(Archive::of_about(4, 9 << 20)).await;
    let out = held.world.path("out");
    let nestegg = held.world.command(&arguments(&held, &out, &[]));
    let nestegg = nestegg.as_std();
    let variables = nestegg.get_envs();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "sh"])
        .arg(nestegg.get_program())
        .args(nestegg.get_args())
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("could not write `"), "{stderr}");
    assert!(stderr.contains("free some space there"), "{stderr}");
    assert_eq!(traces(&held), Vec::<String>::new());
}
