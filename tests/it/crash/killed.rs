//! `kill -9` of the real binary, at moments taken at random and at chosen ones.

use std::time::Duration;

use tokio::process::Child;

use crate::crash::binary::Offsite;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::servers::seaweedfs::SeaweedFs;

/// Where the random moments begin; the same in every run of the tests.
const SEED: u64 = 0x6e65_7374_6567_6721;

/// Numbers that look random: `SplitMix64`.
struct Moments(u64);

impl Moments {
    /// Somewhere below `longest`.
    fn next(&mut self, longest: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let longest = u64::try_from(longest.as_micros()).unwrap();
        Duration::from_micros(mixed % longest)
    }
}

async fn kill(child: &mut Child) {
    child.start_kill().unwrap();
    child.wait().await.unwrap();
}

/// Runs the binary again and again, kills it each time at another moment, and lets it finish in the
/// end. Before each run, `more` gives the panel more to be mirrored.
async fn kill_at_random(
    offsite: &mut Offsite,
    times: usize,
    longest: Duration,
    mut more: impl FnMut(&mut Offsite),
) {
    let mut moments = Moments(SEED);
    let mut out_of_reach = Vec::new();
    for number in 0..times {
        more(offsite);
        let moment = moments.next(longest);
        let when = format!("kill {number}, after {moment:?}");
        let mut child = offsite.start();
        if let Ok(ended) = tokio::time::timeout(moment, child.wait()).await {
            assert_eq!(ended.unwrap().code(), Some(0), "{when}");
        }
        kill(&mut child).await;
        out_of_reach = offsite.assert_sound(&when).await;
    }
    if offsite.root.is_folder() {
        // What is staged there is found by its name, noted or not.
        out_of_reach.clear();
    }
    offsite.finish(&out_of_reach, "at the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_forty_moments_into_a_directory() {
    let mut offsite = Offsite::in_a_directory().await;
    let server = offsite.world.panel.add_server("Survival");
    offsite.drip(Archive::small(1).len() * 6);
    let mut seed = 0;
    kill_at_random(&mut offsite, 40, Duration::from_millis(350), |offsite| {
        seed += 1;
        offsite.add_backup(server, Archive::small(seed));
    })
    .await;
    assert_eq!(offsite.archives(), 40);
}

/// Longer than two of the parts that the binary sends.
fn of_three_parts() -> Archive {
    Archive::of_about(3, 17 << 20)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_ten_moments_into_a_bucket() {
    let root = SeaweedFs::shared().root("crash/random");
    let mut offsite = Offsite::at(root).await;
    let server = offsite.world.panel.add_server("Survival");
    let archive = of_three_parts();
    offsite.drip(archive.len() * 4);
    kill_at_random(&mut offsite, 10, Duration::from_millis(700), |offsite| {
        offsite.add_backup(server, archive.clone());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upload_that_a_killed_run_left_open_is_aborted_by_the_next() {
    let root = SeaweedFs::shared().root("crash/open upload");
    let mut offsite = Offsite::at(root).await;
    let server = offsite.world.panel.add_server("Survival");
    let archive = of_three_parts();
    let stall = Fault::StallAfter { bytes: 16 << 20 };
    offsite
        .world
        .panel
        .on(Call::Downloads, Times::Next(1), stall);
    let backup = offsite.add_backup(server, archive);
    let mut child = offsite.start();
    let name = format!("{server}/{backup}.tar.gz");
    while offsite.root.open_uploads().await != [name.as_str()] {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    kill(&mut child).await;
    assert_eq!(offsite.root.open_uploads().await, [name]);
    // Begun, and perhaps killed before it was noted: then nothing of it had been sent.
    let out_of_reach = offsite.assert_sound("killed").await;
    offsite.finish(&out_of_reach, "after the kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_staged_in_a_directory_is_removed_by_the_next() {
    let mut offsite = Offsite::in_a_directory().await;
    let server = offsite.world.panel.add_server("Survival");
    let stall = Fault::StallAfter { bytes: 16 << 20 };
    offsite
        .world
        .panel
        .on(Call::Downloads, Times::Next(1), stall);
    let backup = offsite.add_backup(server, of_three_parts());
    let mut child = offsite.start();
    let name = format!("{server}/{backup}.tar.gz");
    while offsite.root.open_uploads().await != [name.as_str()] {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    kill(&mut child).await;
    assert_eq!(offsite.root.open_uploads().await, [name]);
    offsite.finish(&[], "after the kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_commits_many_small_backups() {
    let mut offsite = Offsite::in_a_directory().await;
    for number in 0..20 {
        let server = offsite.world.panel.add_server(&format!("server {number}"));
        for copy in 0..5 {
            let archive = Archive::of_about(number * 5 + copy, 1);
            offsite.add_backup(server, archive);
        }
    }
    kill_at_random(&mut offsite, 10, Duration::from_millis(700), |_offsite| {}).await;
}
