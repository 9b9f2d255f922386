//! Keys, tokens and signatures: in no output, log, ledger or sidecar, least of all when something fails.

use futures_util::future::join_all;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Disk;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::world::Ran;

/// The binary, as talkative as it gets; its output and every file that it left hold no secret.
async fn talkative(world: &World, more: &[&str]) -> Ran {
    let args: Vec<&str> = ["-vv", "--log-format", "json"]
        .iter()
        .chain(more)
        .copied()
        .collect();
    let ran = world.mirror(&args).await;
    for (name, bytes) in world.files() {
        world.assert_no_secret_in(&name, &bytes);
    }
    assert_eq!(world.panel.leaks(), []);
    ran
}

#[tokio::test]
async fn a_run_that_works_tells_no_secret() {
    for disk in [Disk::Node, Disk::S3] {
        let (world, _, backup) = World::with_backup(Archive::small(1)).await;
        world.panel.set_disk(backup, disk);
        let ran = talkative(&world, &["--json"]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn a_download_that_fails_tells_no_secret() {
    let runs = [
        (Disk::Node, Fault::Closed),
        (Disk::Node, Fault::ResourceMissing),
        (Disk::Node, Fault::BackupMissing),
        (Disk::Node, Fault::Expired),
        (Disk::Node, Fault::Redirect),
        (Disk::Node, Fault::CutAfter { bytes: 1000 }),
        (Disk::S3, Fault::Expired),
        (Disk::S3, Fault::BackupMissing),
        (Disk::S3, Fault::CutAfter { bytes: 1000 }),
    ]
    .map(async |(disk, fault)| {
        let (world, _, backup) = World::with_backup(Archive::small(1)).await;
        world.panel.set_disk(backup, disk);
        world.panel.on_download(backup, fault);
        let ran = talkative(&world, &["--json"]).await;
        assert!(!ran.stderr.is_empty(), "there is a log");
    });
    join_all(runs).await;
}

/// Whoever answers in the place of `call` repeats every secret of the panel in its answer.
fn echo(world: &World, call: Call, status: u16) {
    world.panel.before(call, move |script| {
        for secret in script.secrets() {
            let fault = Fault::Refusal {
                status,
                code: secret.clone(),
                detail: format!("you said {secret}, did you not?"),
            };
            script.on(call, Times::Next(1), fault);
        }
    });
}

#[tokio::test]
async fn an_answer_that_repeats_a_secret_is_not_repeated() {
    for disk in [Disk::Node, Disk::S3] {
        for status in [400, 403, 404, 418, 500, 502] {
            let (world, _, backup) = World::with_backup(Archive::small(1)).await;
            world.panel.set_disk(backup, disk);
            echo(&world, Call::Download(backup), status);
            let ended = mirror(&world).await;
            assert_no_secret(&world, &ended);
        }
    }
    for status in [400, 403, 404, 409, 418, 429, 500, 503] {
        let (world, server, backup) = World::with_backup(Archive::small(1)).await;
        for call in [Call::Servers, Call::BackupsOf(server), Call::Link(backup)] {
            echo(&world, call, status);
            let ended = mirror(&world).await;
            assert_no_secret(&world, &ended);
            world.panel.calm();
        }
    }
}

fn assert_no_secret(world: &World, (report, _): &Ended) {
    let told = format!("{report:?}");
    world.assert_no_secret_in("the report", told.as_bytes());
    for (name, bytes) in world.files() {
        world.assert_no_secret_in(&name, &bytes);
    }
}

#[tokio::test]
async fn storage_keys_are_told_nowhere() {
    let (mut world, _, _) = World::with_backup(Archive::small(1)).await;
    let secret = "sentinel/storage+secret";
    world.set("AWS_ACCESS_KEY_ID", "AKIASENTINEL");
    world.set("AWS_SECRET_ACCESS_KEY", secret);
    world.set("AWS_REGION", "us-east-1");
    // A panel is no store: it answers in its own words.
    world.set("AWS_ENDPOINT", world.panel.url());
    let offsite = world.offsite();
    let to = [
        "--to",
        "s3://bucket/prefix",
        "--to",
        offsite.to_str().unwrap(),
    ];
    let ran = talkative(&world, &to).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    for text in [&ran.stdout, &ran.stderr] {
        assert!(
            !text.contains(secret) && !text.contains("AWS4-HMAC"),
            "{text}"
        );
    }
    for (name, bytes) in world.files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(secret), "{name}");
    }
}
