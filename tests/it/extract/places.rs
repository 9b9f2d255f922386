//! Directories that may be extracted into, that may not, and that were left half-way.

use std::os::unix::fs::PermissionsExt;

use nestegg::model::outcome::FailureKind;
use nestegg::transfer::extract::Overwrite;
use nestegg::transfer::extract::Target;

use crate::extract::extracted;
use crate::extract::file;
use crate::extract::into;
use crate::extract::nodes;
use crate::extract::run;
use crate::extract::the_failure;
use crate::extract::traces;
use crate::support::held::Held;
use crate::support::held::Node;
use crate::support::held::tree;
use crate::support::members::Members;

async fn two_files() -> Held {
    Held::of(
        Members::new()
            .file("world/level.dat", "new level")
            .file("ops.json", "[]")
            .archive(),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_directory_keeps_its_mode_and_one_that_holds_something_is_refused() {
    let held = two_files().await;
    let out = held.world.path("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::set_permissions(&out, PermissionsExt::from_mode(0o750)).unwrap();
    extracted(&held).await.unwrap();
    let mode = out.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o750);
    let before = held.everything();
    let failure = the_failure(extracted(&held).await);
    assert_eq!(failure.kind, FailureKind::Policy);
    assert_eq!(failure.message, format!("`{}` is not empty", out.display()));
    assert_eq!(
        failure.hint,
        "name another directory, or replace files in this one with --force"
    );
    assert_eq!(held.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn force_replaces_files_of_the_same_name_and_leaves_all_others() {
    let held = two_files().await;
    let out = held.world.path("out");
    std::fs::create_dir_all(out.join("world")).unwrap();
    std::fs::write(out.join("world/level.dat"), "old level").unwrap();
    std::fs::write(out.join("world/mine"), "mine").unwrap();
    let target = Target {
        overwrite: Overwrite::Files,
        ..into(&out)
    };
    run(&target, &held.candidates().await).await.unwrap();
    let mut after = tree(&out);
    let Some(Node::File(_, _, mine)) = after.remove("world/mine") else {
        panic!("{after:?}")
    };
    assert_eq!(mine, b"mine");
    assert_eq!(
        after,
        nodes([
            (b"world", Node::Directory(0o755)),
            (b"world/level.dat", file(0o644, b"new level")),
            (b"ops.json", file(0o644, b"[]")),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_where_a_file_goes_stops_force_before_anything_is_moved() {
    let held = two_files().await;
    let out = held.world.path("out");
    std::fs::create_dir_all(out.join("ops.json")).unwrap();
    let target = Target {
        overwrite: Overwrite::Files,
        ..into(&out)
    };
    let before = held.everything();
    let failure = the_failure(run(&target, &held.candidates().await).await);
    assert_eq!(
        failure.message,
        "`ops.json` can't be put in place: a directory is where this file goes"
    );
    assert_eq!(held.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_missing_parents_and_dangling_links_are_no_directories_to_extract_into() {
    let held = two_files().await;
    let (plain, dangling) = (held.world.path("plain"), held.world.path("dangling"));
    std::fs::write(&plain, "").unwrap();
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    let before = held.everything();
    for (path, message) in [
        (&plain, "is not a directory"),
        (&plain.join("below"), "is not a directory"),
        (&dangling, "is not a directory"),
        (
            &held.world.path("missing/out"),
            "could not find the directory above",
        ),
        (&"/".into(), "is not empty"),
    ] {
        let failure = the_failure(run(&into(path), &held.candidates().await).await);
        assert!(failure.message.contains(message), "{}", failure.message);
        assert!(!failure.hint.is_empty());
    }
    assert_eq!(held.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_extraction_left_is_cleared_by_the_next() {
    let held = two_files().await;
    let left = held.world.path(".out.nestegg-partial");
    std::fs::create_dir_all(left.join("locked/inner")).unwrap();
    std::fs::write(left.join("locked/inner/file"), "half").unwrap();
    std::fs::set_permissions(left.join("locked"), PermissionsExt::from_mode(0o500)).unwrap();
    extracted(&held).await.unwrap();
    assert_eq!(traces(&held), ["out"]);
    assert_eq!(
        tree(&held.world.path("out")),
        nodes([
            (b"world", Node::Directory(0o755)),
            (b"world/level.dat", file(0o644, b"new level")),
            (b"ops.json", file(0o644, b"[]")),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_cut_short_is_said_and_finished_with_force() {
    let held = two_files().await;
    let out = held.world.path("out");
    std::fs::create_dir_all(out.join(".nestegg-partial/world")).unwrap();
    std::fs::write(out.join("ops.json"), "[]").unwrap();
    let failure = the_failure(extracted(&held).await);
    assert_eq!(
        failure.hint,
        "an earlier extraction into it was cut short: run it again with --force to finish it, \
         or name another directory"
    );
    let target = Target {
        overwrite: Overwrite::Files,
        ..into(&out)
    };
    run(&target, &held.candidates().await).await.unwrap();
    assert_eq!(
        tree(&out),
        nodes([
            (b"world", Node::Directory(0o755)),
            (b"world/level.dat", file(0o644, b"new level")),
            (b"ops.json", file(0o644, b"[]")),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_another_extraction_uses_is_left_to_it() {
    let held = two_files().await;
    let staged = held.world.path(".out.nestegg-partial");
    std::fs::create_dir(&staged).unwrap();
    std::fs::write(staged.join("half"), "").unwrap();
    let other = std::fs::File::open(&staged).unwrap();
    other.lock().unwrap();
    let failure = the_failure(extracted(&held).await);
    assert!(
        failure
            .message
            .starts_with("another nestegg is extracting into"),
        "{}",
        failure.message
    );
    assert!(staged.join("half").exists());
    drop(other);
}
