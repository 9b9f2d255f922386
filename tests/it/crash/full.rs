//! The disk under the ledger is full: said clearly, nothing lost, made up for by the next run.
//!
//! A limit on the length of files stands in for the full disk: it is the one shortage that can be
//! made without being root, and it leaves the destination alone as long as archives are shorter.

use std::process::Stdio;

use nestegg::model::ids::ServerId;
use tokio::process::Command;

use crate::crash::binary::Offsite;
use crate::support::archive::Archive;

/// What becomes of a process that goes beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// Its write fails, as on a full disk.
    Fails,
    /// The system kills it there: a crash in the middle of a write.
    Kills,
}

/// How a run under a limit ended.
#[derive(Debug)]
struct Limited {
    code: Option<i32>,
    stderr: String,
}

/// Runs `mirror` with files limited to so many blocks of 512 bytes.
async fn run_limited(offsite: &Offsite, blocks: u64, beyond: Beyond) -> Limited {
    let script = match beyond {
        Beyond::Fails => "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"",
        Beyond::Kills => "ulimit -c 0; ulimit -f \"$0\"; exec \"$@\"",
    };
    let nestegg = offsite.world.command(&offsite.arguments(&[]));
    let nestegg = nestegg.as_std();
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(blocks.to_string())
        .arg(nestegg.get_program())
        .args(nestegg.get_args())
        .env_clear()
        .envs(
            nestegg
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    Limited {
        code: output.status.code(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// One backup that is mirrored, and five that are not yet.
async fn begun() -> (Offsite, ServerId) {
    let mut offsite = Offsite::in_a_directory().await;
    let server = offsite.world.panel.add_server("Survival");
    offsite.add_backup(server, Archive::of_about(1, 1));
    offsite.finish(&[], "before").await;
    for seed in 2..7 {
        offsite.add_backup(server, Archive::of_about(seed, 1));
    }
    (offsite, server)
}

/// Limits a run in every length that matters, from where the ledger can't even be opened to where
/// it takes nearly all; looks at each ending, and lets the next run make up for it.
async fn limited(beyond: Beyond, look: fn(&Limited, &str)) {
    let (mut offsite, server) = begun().await;
    for blocks in [16, 32, 64, 80, 96, 128, 160, 192] {
        let when = format!("{blocks} blocks");
        let before = offsite.claimed();
        look(&run_limited(&offsite, blocks, beyond).await, &when);
        offsite.assert_sound(&when).await;
        let after = offsite.claimed();
        assert!(before.iter().all(|copy| after.contains(copy)), "{when}");
        // What is held and not recorded is adopted, not downloaded again: the node lost it.
        for backup in offsite.held().await {
            offsite.world.panel.lose_archive(backup);
        }
        offsite.finish(&[], &when).await;
        for seed in 0..5 {
            offsite.add_backup(server, Archive::of_about(blocks * 10 + seed, 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_grow_is_told_and_made_up_for() {
    limited(Beyond::Fails, |ran, when| {
        let Limited { code, stderr } = ran;
        assert!(matches!(code, Some(1 | 3)), "{when}: {code:?} {stderr}");
        for said in [
            "ledger.sqlite3",
            "hint: check the disk that holds the ledger and its free space",
        ] {
            assert!(stderr.contains(said), "{when}: {stderr}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_while_it_writes_its_ledger_is_made_up_for() {
    limited(Beyond::Kills, |ran, when| {
        assert_eq!(ran.code, None, "{when}: {}", ran.stderr);
    })
    .await;
}
