//! Archives into directories: everything of a good one, nothing at all of a hostile one.

mod binary;
mod hostile;
mod places;

use std::path::Path;

use nestegg::model::outcome::Failure;
use nestegg::model::outcome::FailureKind;
use nestegg::ops::restore::extract::Unpacked;
use nestegg::ops::restore::extract::extract;
use nestegg::ops::restore::source::Candidate;
use nestegg::ops::restore::source::NotRestored;
use nestegg::transfer::extract::Overwrite;
use nestegg::transfer::extract::Target;
use nestegg::transfer::extract::WhyLeftOut;
use nestegg::transfer::unseal::Identities;
use tar::EntryType;

use crate::support::archive::Archive;
use crate::support::held::Held;
use crate::support::held::Node;
use crate::support::held::Tree;
use crate::support::held::shared;
use crate::support::held::tree;
use crate::support::held::unpacked_by_tar;
use crate::support::members::Facts;
use crate::support::members::Members;

/// A new or empty directory for everything.
fn into(directory: &Path) -> Target {
    Target {
        directory: directory.to_owned(),
        overwrite: Overwrite::Never,
        include: Vec::new(),
    }
}

async fn run(target: &Target, candidates: &[Candidate]) -> Result<Unpacked, NotRestored> {
    extract(target, candidates, &Identities::default(), &shared()).await
}

/// Extracts a held archive into `out` of its world.
async fn extracted(held: &Held) -> Result<Unpacked, NotRestored> {
    run(&into(&held.world.path("out")), &held.candidates().await).await
}

/// The one reason why nothing was extracted.
fn the_failure(result: Result<Unpacked, NotRestored>) -> Failure {
    let failures = result.unwrap_err().failures;
    let [failure] = failures.try_into().unwrap();
    failure
}

fn file(mode: u32, content: &[u8]) -> Node {
    Node::File(mode, 1_730_000_000, content.to_vec())
}

fn nodes<const N: usize>(nodes: [(&[u8], Node); N]) -> Tree {
    nodes
        .into_iter()
        .map(|(name, node)| (name.escape_ascii().to_string(), node))
        .collect()
}

/// Names in the world's folder that an extraction into `out` may leave or use.
fn traces(held: &Held) -> Vec<String> {
    let entries = std::fs::read_dir(held.world.path("")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("out") || name.contains("partial"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_is_to_the_byte_what_tar_makes_of_the_archive() {
    let archive = Archive::of_about(7, 9 << 20);
    let held = Held::of(archive.clone()).await;
    let unpacked = extracted(&held).await.unwrap();
    assert_eq!(unpacked.extracted.files, archive.members());
    assert!(unpacked.extracted.is_whole());
    let by_tar = unpacked_by_tar(&archive, &held.world.path("by-tar"));
    assert_eq!(tree(&held.world.path("out")), by_tar);
    assert_eq!(traces(&held), ["out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_times_links_directories_and_odd_names_are_kept_and_special_bits_are_not() {
    let long = "n".repeat(150);
    let archive = Members::new()
        .member(
            "run.sh",
            Facts {
                mode: 0o6755,
                ..Facts::FILE
            },
            "",
            "#!/bin/sh\n",
        )
        .member(
            "private/",
            Facts {
                mode: 0o1500,
                ..Facts::of(EntryType::Directory)
            },
            "",
            "",
        )
        .file("private/key", "secret")
        .file(b"caf\xe9/na\xefve", "latin-1")
        .file(&long, "long")
        .file("./dotted//name", "")
        .symlink("latest", "private/key")
        .symlink("caf\u{e9}s/up", "../run.sh")
        .hard_link("again", "private/key")
        .file("twice", "first")
        .file("twice", "second")
        .with_pax("fine", &[("mtime", "1600000000.25")], b"times")
        .sparse("holes", 1 << 20, b"data after a hole", 2 << 20)
        .archive();
    let held = Held::of(archive).await;
    let unpacked = extracted(&held).await.unwrap();
    assert!(unpacked.extracted.is_whole());
    assert_eq!((unpacked.extracted.files, unpacked.extracted.links), (9, 3));
    let out = held.world.path("out");
    let mut holes = vec![0; 2 << 20];
    holes[1 << 20..][..17].copy_from_slice(b"data after a hole");
    let expected = nodes([
        (b"run.sh", file(0o755, b"#!/bin/sh\n")),
        (b"private", Node::Directory(0o500)),
        (b"private/key", file(0o644, b"secret")),
        (b"caf\xe9", Node::Directory(0o755)),
        (b"caf\xe9/na\xefve", file(0o644, b"latin-1")),
        (long.as_bytes(), file(0o644, b"long")),
        (b"dotted", Node::Directory(0o755)),
        (b"dotted/name", file(0o644, b"")),
        (b"latest", Node::Link(b"private/key".to_vec())),
        ("caf\u{e9}s".as_bytes(), Node::Directory(0o755)),
        (
            "caf\u{e9}s/up".as_bytes(),
            Node::Link(b"../run.sh".to_vec()),
        ),
        (b"again", file(0o644, b"secret")),
        (b"twice", file(0o644, b"second")),
        (b"fine", Node::File(0o644, 1_600_000_000, b"times".to_vec())),
        (b"holes", file(0o644, &holes)),
    ]);
    assert_eq!(tree(&out), expected);
    std::fs::set_permissions(
        out.join("private"),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifos_and_devices_are_left_out_and_said() {
    let archive = Members::new()
        .member("pipe", Facts::of(EntryType::Fifo), "", "")
        .member("disk", Facts::of(EntryType::Block), "", "")
        .member("tty", Facts::of(EntryType::Char), "", "")
        .file("ops.json", "[]")
        .archive();
    let held = Held::of(archive).await;
    let extracted = extracted(&held).await.unwrap().extracted;
    let left_out: Vec<(&str, WhyLeftOut)> = extracted
        .left_out
        .iter()
        .map(|left| (left.member.as_str(), left.why))
        .collect();
    assert_eq!(
        left_out,
        [
            ("pipe", WhyLeftOut::Fifo),
            ("disk", WhyLeftOut::Device),
            ("tty", WhyLeftOut::Device)
        ]
    );
    assert!(extracted.is_whole());
    assert_eq!(
        tree(&held.world.path("out")),
        nodes([(b"ops.json", file(0o644, b"[]"))])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_ten_kilobytes_is_said_and_the_rest_is_there() {
    let deep = "directory/".repeat(1000);
    let archive = Members::new()
        .file("n".repeat(10_000), "one name")
        .file(format!("{deep}file"), "many names")
        .file("ops.json", "[]")
        .archive();
    let held = Held::of(archive).await;
    let extracted = extracted(&held).await.unwrap().extracted;
    assert_eq!(extracted.left_out_wanted, 2);
    assert!(!extracted.is_whole());
    let whys: Vec<WhyLeftOut> = extracted.left_out.iter().map(|left| left.why).collect();
    assert_eq!(whys, [WhyLeftOut::Name, WhyLeftOut::Name]);
    assert!(extracted.left_out[0].member.ends_with('…'));
    assert_eq!(
        tree(&held.world.path("out")),
        nodes([(b"ops.json", file(0o644, b"[]"))])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn include_takes_what_it_names_and_says_what_it_did_not_find() {
    let archive = Members::new()
        .file("world/level.dat", "level")
        .file("world/region/r.0.0.mca", "region")
        .file("plugins/a.jar", "a")
        .file("plugins/a/config.yml", "config")
        .file("ops.json", "[]")
        .archive();
    let held = Held::of(archive).await;
    let target = Target {
        include: ["world", "plugins/*.jar", "logs"]
            .map(|glob| glob.parse().unwrap())
            .into(),
        ..into(&held.world.path("out"))
    };
    let extracted = run(&target, &held.candidates().await)
        .await
        .unwrap()
        .extracted;
    assert_eq!(extracted.unmatched, ["logs".parse().unwrap()]);
    assert!(!extracted.is_whole());
    assert_eq!(
        tree(&held.world.path("out")),
        nodes([
            (b"world", Node::Directory(0o755)),
            (b"world/level.dat", file(0o644, b"level")),
            (b"world/region", Node::Directory(0o755)),
            (b"world/region/r.0.0.mca", file(0o644, b"region")),
            (b"plugins", Node::Directory(0o755)),
            (b"plugins/a.jar", file(0o644, b"a")),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn include_that_matches_nothing_is_an_error_and_leaves_nothing() {
    let held = Held::of(Archive::small(1)).await;
    let target = Target {
        include: vec!["wrold".parse().unwrap(), "nether".parse().unwrap()],
        ..into(&held.world.path("out"))
    };
    let failure = the_failure(run(&target, &held.candidates().await).await);
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(
        failure.message,
        "no member of the archive matches `wrold`, `nether`"
    );
    assert_eq!(traces(&held), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_damaged_is_passed_over_for_one_that_is_not() {
    let (world, server, backup) =
        crate::support::world::World::with_backup(Archive::of_about(3, 9 << 20)).await;
    let second = world.path("second");
    let first = world.offsite();
    let to = [first.to_str().unwrap(), second.to_str().unwrap()];
    let to = ["--to", to[0], "--to", to[1]];
    world.quick(&to).await;
    let held = Held {
        world,
        server,
        backup,
    };
    let whole = std::fs::read(held.archive_path()).unwrap();
    for at in [12, 5000, whole.len() / 2, whole.len() - 4] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        std::fs::write(held.archive_path(), &damaged).unwrap();
        let candidates = held.candidates_at(&to).await;
        assert_eq!(candidates.len(), 2);
        let unpacked = run(&into(&held.world.path("out")), &candidates)
            .await
            .unwrap();
        assert_eq!(unpacked.from, candidates[1].copy.destination, "{at}");
        let kinds: Vec<FailureKind> = unpacked
            .passed_over
            .iter()
            .map(|failure| failure.kind)
            .collect();
        assert_eq!(kinds, [FailureKind::Integrity], "{at}");
        assert_eq!(traces(&held), ["out"], "{at}");
        std::fs::remove_dir_all(held.world.path("out")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_damaged_and_the_only_one_leaves_nothing() {
    let held = Held::of(Archive::of_about(3, 9 << 20)).await;
    let mut damaged = std::fs::read(held.archive_path()).unwrap();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    std::fs::write(held.archive_path(), &damaged).unwrap();
    let failure = the_failure(extracted(&held).await);
    assert_eq!(failure.kind, FailureKind::Integrity);
    assert_eq!(traces(&held), Vec::<String>::new());
}
