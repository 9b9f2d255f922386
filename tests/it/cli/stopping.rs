//! Signals: stop cleanly, and at once the second time.

use std::time::Duration;
use std::time::Instant;

use tokio::io::AsyncBufReadExt as _;
use tokio::process::Child;

use crate::support::archive::Archive;
use crate::support::archive::Ending;
use crate::support::archive::Packing;
use crate::support::archive::Recipe;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

/// Sends a signal to a process of the test's own.
async fn send(signal: &str, child: &Child) {
    let pid = child.id().unwrap().to_string();
    let sent = tokio::process::Command::new("sh")
        .args(["-c", "kill -\"$0\" \"$1\"", signal, &pid])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
}

/// Sooner than anything that a run would wait for by itself: silent panels and stores, downloads that stand still,
/// a lock, the end of a slow transfer.
const PROMPTLY: Duration = Duration::from_secs(25);

/// Waits until something is so; fails after half a minute.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a stopped child left: its code, standard output and standard error, and how long it took.
async fn end(child: Child) -> (Option<i32>, String, String, Duration) {
    let began = Instant::now();
    let output = child.wait_with_output().await.unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        began.elapsed(),
    )
}

#[tokio::test]
async fn a_signal_stops_a_slow_transfer_promptly_and_the_next_run_finishes() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let archive = Archive::of_about(1, 300 << 10);
        let (world, server, slow) = World::with_backup(archive.clone()).await;
        let quick = world.panel.add_backup(server, "quick", Archive::small(2));
        world.panel.on_download(
            slow,
            Fault::Drip {
                bytes_per_second: 1 << 10,
            },
        );
        let child = world.start(&world.mirror_args(&["--json", "--transfers", "1"]));
        until("the slow download", async || {
            world.panel.downloads_started() == 2
        })
        .await;
        send(signal, &child).await;
        let (ended, stdout, stderr, took) = end(child).await;
        assert_eq!(ended, Some(code), "{stderr}");
        assert!(took < PROMPTLY, "{signal}: {took:?}");
        assert!(stderr.contains("once more stops at once"), "{stderr}");
        let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(document["outcome"], "interrupted");
        assert_eq!(document["exit_code"], code);
        // What was done before is kept and recorded, what was not is nowhere to be seen.
        assert_eq!(
            world.visible(),
            [
                format!("{server}/{quick}.json"),
                format!("{server}/{quick}.tar.gz")
            ]
        );
        let next = world.mirror(&["--json"]).await;
        assert_eq!(next.code, Some(0), "{}", next.stderr);
        assert_eq!(next.json()["counts"]["already_held"], 1);
        assert_eq!(
            std::fs::read(World::archive_at(&world.offsite(), server, slow)).unwrap(),
            archive.bytes()
        );
    }
}

#[tokio::test]
async fn a_signal_aborts_the_uploads_in_an_object_store() {
    let root = SeaweedFs::shared().root("cli/stopped");
    let archive = Recipe {
        seed: 1,
        content_bytes: 20 << 20,
        noise_percent: 100,
        packing: Packing::Stored,
        ending: Ending::Marked,
    }
    .make()
    .unwrap();
    let (mut world, server, backup) = World::with_backup(archive.clone()).await;
    let options: Vec<String> = root
        .options
        .iter()
        .map(|(name, value)| format!("{name} = \"{value}\""))
        .collect();
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"bucket\"\nurl = \"{}\"\noptions = {{ {} }}\n",
        world.panel.url(),
        root.url,
        options.join(", ")
    );
    std::fs::write(world.path("nestegg.toml"), config).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    world
        .panel
        .on_download(backup, Fault::StallAfter { bytes: 18 << 20 });
    let child = world.start(&["mirror"]);
    let key = format!("{server}/{backup}.tar.gz");
    until("the archive's open upload", async || {
        root.open_uploads().await == [key.as_str()]
    })
    .await;
    send("TERM", &child).await;
    let (ended, _, stderr, took) = end(child).await;
    assert_eq!(ended, Some(143), "{stderr}");
    assert!(took < PROMPTLY, "{took:?}");
    assert_eq!(root.open_uploads().await, [""; 0]);
    assert_eq!(root.keys().await, [""; 0]);
    let next = world.run(&["mirror"]).await;
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    assert!(root.read(&key).await.unwrap() == archive.bytes());
}

#[tokio::test]
async fn a_run_that_waits_for_the_lock_can_be_stopped() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    let lock = std::fs::File::options()
        .write(true)
        .open(world.path("ledger.sqlite3.lock"))
        .unwrap();
    lock.lock().unwrap();
    let child = world.start(&world.mirror_args(&["--retry-lock", "10m"]));
    let pid = child.id().unwrap();
    until("the process listens for signals", async || {
        catches_interrupts(pid)
    })
    .await;
    send("INT", &child).await;
    let (ended, _, stderr, took) = end(child).await;
    assert_eq!(ended, Some(130), "{stderr}");
    assert!(took < PROMPTLY, "{took:?}");
}

/// Whether a process has a handler for SIGINT, as the kernel tells.
fn catches_interrupts(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 0b10 != 0
}

#[tokio::test]
async fn a_run_that_waits_for_a_silent_panel_can_be_stopped() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.on_list(server, Fault::Silent);
    let child = world.start(&world.mirror_args(&[]));
    until("the list is asked for", async || {
        world
            .panel
            .requests()
            .iter()
            .any(|request| request.path.ends_with("/backups"))
    })
    .await;
    send("TERM", &child).await;
    let (ended, _, stderr, took) = end(child).await;
    assert_eq!(ended, Some(143), "{stderr}");
    assert!(took < PROMPTLY, "{took:?}");
}

#[tokio::test]
async fn a_run_that_waits_for_a_silent_store_can_be_stopped() {
    let (mut world, _, _) = World::with_backup(Archive::small(1)).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"bucket\"\nurl = \"s3://bkt/x\"\n\
         options = {{ endpoint = \"http://{}\", allow_http = \"true\", region = \"x\", access_key_id = \"a\", secret_access_key = \"b\" }}\n",
        world.panel.url(),
        silent.local_addr().unwrap()
    );
    std::fs::write(world.path("nestegg.toml"), config).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    let child = world.start(&["mirror"]);
    let _connection = silent.accept().await.unwrap();
    send("TERM", &child).await;
    let (ended, _, stderr, took) = end(child).await;
    assert_eq!(ended, Some(143), "{stderr}");
    assert!(took < PROMPTLY, "{took:?}");
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let world = World::new().await;
    let server = world.panel.add_server("Survival");
    // Whether the panel makes a backup is waited for, unless told twice.
    world
        .panel
        .on(Call::Create(server), Times::Forever, Fault::Silent);
    let mut child = world.start(&world.mirror_args(&["--create"]));
    until("the wish for a backup", async || {
        world
            .panel
            .requests()
            .iter()
            .any(|request| request.method == "POST")
    })
    .await;
    send("TERM", &child).await;
    // The first signal was taken when this is said.
    let mut said = String::new();
    let mut lines = tokio::io::BufReader::new(child.stderr.take().unwrap());
    lines.read_line(&mut said).await.unwrap();
    assert!(said.contains("once more stops at once"), "{said}");
    send("INT", &child).await;
    let (ended, stdout, _, took) = end(child).await;
    assert_eq!((ended, stdout.as_str()), (Some(130), ""));
    assert!(took < PROMPTLY, "{took:?}");
}
