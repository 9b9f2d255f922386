//! Members that must not be made: each fails the whole extraction, and nothing is left.

use std::os::unix::fs::symlink;
use std::time::Duration;
use std::time::Instant;

use nestegg::model::content::Structure;
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
use crate::support::archive::Archive;
use crate::support::held::Held;
use crate::support::held::Node;
use crate::support::held::tree;
use crate::support::members::Members;

/// Extracts an archive that is refused, and says why it was.
async fn refusal(archive: Archive) -> String {
    let held = Held::of(archive).await;
    let before = held.everything();
    let failure = the_failure(extracted(&held).await);
    assert_eq!(failure.kind, FailureKind::Integrity, "{failure:?}");
    assert_eq!(held.everything(), before);
    failure.message
}

#[tokio::test(flavor = "multi_thread")]
async fn absolute_paths_and_paths_upwards_are_refused() {
    for (name, why) in [
        ("/etc/nestegg-was-here", "has an absolute path"),
        ("../nestegg-was-here", "has `..` in its path"),
        ("world/../../nestegg-was-here", "has `..` in its path"),
        ("..", "has `..` in its path"),
    ] {
        let archive = Members::new()
            .file("ops.json", "[]")
            .file(name, "x")
            .archive();
        assert_eq!(
            refusal(archive).await,
            format!("the archive's member `{name}` {why}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_lead_out_are_refused_and_so_is_writing_through_any_link() {
    let out = "is a link that leads out";
    let through = "would be written through a link";
    for (archive, member, why) in [
        (Members::new().symlink("a", "/etc"), "a", out),
        (Members::new().symlink("a", ".."), "a", out),
        (Members::new().symlink("d/a", "../../x"), "d/a", out),
        (
            Members::new()
                .symlink("deep/er/up", "../..")
                .symlink("a", "deep/er/up/.."),
            "a",
            out,
        ),
        (
            Members::new().symlink("a", "b").file("a/file", "x"),
            "a/file",
            through,
        ),
        (
            Members::new()
                .file("b/there", "")
                .symlink("a", "b")
                .file("a/file", "x"),
            "a/file",
            through,
        ),
        (Members::new().hard_link("a", "/etc/passwd"), "a", out),
        (Members::new().hard_link("a", "../../etc/passwd"), "a", out),
        (
            Members::new().hard_link("a", "missing"),
            "a",
            "is a hard link to a member that did not come before it",
        ),
        (
            Members::new().symlink("b", "c").hard_link("a", "b"),
            "a",
            "is a hard link to something that is no file",
        ),
        (
            Members::new().file("a", "").hard_link("a", "./a"),
            "a",
            "is a hard link to itself",
        ),
        (
            Members::new().symlink("d", "e").hard_link("a", "d/f"),
            "a",
            through,
        ),
    ] {
        assert_eq!(
            refusal(archive.archive()).await,
            format!("the archive's member `{member}` {why}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_takes_the_place_of_a_link_and_is_not_written_through_it() {
    let archive = Members::new()
        .file("target", "untouched")
        .symlink("a", "target")
        .hard_link("b", "target")
        .file("a", "new a")
        .file("b", "new b")
        .archive();
    let held = Held::of(archive).await;
    extracted(&held).await.unwrap();
    assert_eq!(
        tree(&held.world.path("out")),
        nodes([
            (b"target", file(0o644, b"untouched")),
            (b"a", file(0o644, b"new a")),
            (b"b", file(0o644, b"new b")),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_directories_that_contradict_each_other_are_refused() {
    assert_eq!(
        refusal(Members::new().file("a", "").file("a/b", "").archive()).await,
        "the archive's member `a/b` lies below a name that is a file in the same archive"
    );
    assert_eq!(
        refusal(Members::new().file("a/b", "").file("a", "").archive()).await,
        "the archive's member `a` has the name of a directory in the same archive"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_are_in_the_directory_already_are_not_written_through() {
    let archive = Members::new()
        .file("world/level.dat", "new")
        .file("ops.json", "new")
        .archive();
    let held = Held::of(archive).await;
    let (out, elsewhere) = (held.world.path("out"), held.world.path("elsewhere"));
    std::fs::create_dir(&out).unwrap();
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("ops"), "old").unwrap();
    symlink(&elsewhere, out.join("world")).unwrap();
    symlink(elsewhere.join("ops"), out.join("ops.json")).unwrap();
    let target = Target {
        overwrite: Overwrite::Files,
        ..into(&out)
    };
    let before = held.everything();
    let failure = the_failure(run(&target, &held.candidates().await).await);
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (
            FailureKind::Policy,
            "`world` can't be put in place: a link is where it needs a directory"
        )
    );
    assert_eq!(held.everything(), before);
    std::fs::remove_file(out.join("world")).unwrap();
    run(&target, &held.candidates().await).await.unwrap();
    assert_eq!(
        tree(&out),
        nodes([
            (b"world", Node::Directory(0o755)),
            (b"world/level.dat", file(0o644, b"new")),
            (b"ops.json", file(0o644, b"new")),
        ])
    );
    assert_eq!(std::fs::read(elsewhere.join("ops")).unwrap(), b"old");
}

/// A gibibyte of zeros in about a mebibyte.
fn bomb() -> Archive {
    let archive = Members::packed_hard()
        .file("ops.json", "[]")
        .zeros("world/level.dat", 1 << 30)
        .archive();
    assert!(archive.len() < 5 << 18, "{}", archive.len());
    archive
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_never_unpacks_to_more_than_its_record_says() {
    let held = Held::of(bomb()).await;
    let mut candidates = held.candidates().await;
    candidates[0].copy.structure = Some(Structure {
        entries: 2,
        unpacked_bytes: 32 << 20,
    });
    let failure = the_failure(run(&into(&held.world.path("out")), &candidates).await);
    assert_eq!(failure.kind, FailureKind::Integrity);
    assert_eq!(
        failure.message,
        "the archive unpacks to more than 33554432 bytes, which is all that its record says is in it"
    );
    assert_eq!(traces(&held), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_without_a_record_is_bounded_by_a_plausible_ratio() {
    let held = Held::of(bomb()).await;
    let mut candidates = held.candidates().await;
    candidates[0].copy.structure = None;
    let archive_bytes = candidates[0].copy.archive_bytes;
    let failure = the_failure(run(&into(&held.world.path("out")), &candidates).await);
    assert_eq!(
        failure.message,
        format!(
            "the archive unpacks to more than {} bytes, which is more than any real one of its length",
            archive_bytes * 250 + (256 << 20)
        )
    );
    assert_eq!(traces(&held), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sparse_file_of_an_absurd_length_is_refused() {
    assert_eq!(
        refusal(Members::new().sparse("a", 0, b"x", 1 << 50).archive()).await,
        "the archive's member `a` is a sparse file of an absurd length"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_members_are_walked_in_bounded_time() {
    let mut members = Members::new();
    for number in 0..1_000_000 {
        members = members.file(format!("junk/{:03}/{number}", number / 1000), "");
    }
    let held = Held::of(members.file("world/level.dat", "level").archive()).await;
    let target = Target {
        include: vec!["world".parse().unwrap(), "junk/00[0-9]".parse().unwrap()],
        ..into(&held.world.path("out"))
    };
    let candidates = held.candidates().await;
    // Some seconds in an unoptimised build; whatever takes the square of that takes hours.
    let began = Instant::now();
    let extracted = run(&target, &candidates).await.unwrap().extracted;
    assert_eq!((extracted.files, extracted.left_out_wanted), (10_001, 0));
    assert!(
        began.elapsed() < Duration::from_mins(10),
        "{:?}",
        began.elapsed()
    );
}
