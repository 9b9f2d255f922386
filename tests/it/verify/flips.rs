//! Ten thousand random bits, one at a time, in stored objects and sidecars: every one is found.

use std::collections::BTreeSet;
use std::sync::Arc;

use nestegg::destination::JournalError;
use nestegg::destination::OpenUpload;
use nestegg::destination::UploadJournal;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::finding::ArchiveFinding;
use nestegg::model::finding::Depth;
use nestegg::model::finding::SidecarFinding;
use nestegg::ops::verify::check::check;
use nestegg::transfer;
use nestegg::transfer::limit::Throttle;
use nestegg::transfer::observer::Silent;

use super::flip;
use crate::crash::scene::Scene;
use crate::crash::scene::Until;
use crate::support::archive::Archive;
use crate::support::world::quick_tuning;

/// Checks upload nothing.
#[derive(Debug)]
struct NoUploads;

impl UploadJournal for NoUploads {
    fn opened<'a>(
        &'a self,
        upload: &'a OpenUpload,
    ) -> futures_util::future::BoxFuture<'a, Result<(), JournalError>> {
        panic!("{upload:?}")
    }

    fn closed<'a>(&'a self, upload: &'a OpenUpload) -> futures_util::future::BoxFuture<'a, ()> {
        panic!("{upload:?}")
    }
}

/// Numbers that look random: `SplitMix64`.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(bound).unwrap()).unwrap()
    }
}

const FLIPS: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_flipped_bits_are_all_found() {
    let seed = std::process::id().into();
    let mut numbers = Numbers(seed);
    let mut scene = Scene::new(1).await;
    let server = scene.panel.add_server("Survival");
    for archive in 0..8 {
        scene.add_backup(server, Archive::of_about(archive, 1 + archive * 1000));
    }
    scene.run(Until::TheEnd).await.unwrap();
    let destination = scene.stores[0].destination("first", quick_tuning().destination);
    let ledger = Ledger::open(&scene.ledger_path()).unwrap();
    let copies: Vec<_> = ledger
        .copies_to_check(&CopyFilter::default(), &BTreeSet::new())
        .unwrap()
        .into_iter()
        .map(|copy| ledger.recorded_copy(copy.copy).unwrap().unwrap())
        .collect();
    assert_eq!(copies.len(), 8);
    let shared = transfer::Shared {
        env: Env::new(Clock::System),
        tuning: quick_tuning().transfer,
        throttle: Throttle::none(),
        journal: Arc::new(NoUploads),
        observer: Arc::new(Silent),
    };
    let objects = scene.stores[0].visible();
    for number in 0..FLIPS {
        let recorded = &copies[numbers.below(copies.len())];
        let in_archive = numbers.below(2) == 0;
        let name = if in_archive {
            recorded.copy.key.to_string()
        } else {
            recorded.copy.key.sidecar().to_string()
        };
        let good = objects[&name].clone();
        let bit = numbers.below(good.len() * 8);
        scene.stores[0].plant(&name, flip(good.to_vec(), bit));
        let looked = check(&destination, recorded, Depth::Full, &shared)
            .await
            .unwrap();
        let case = format!(
            "flip {number} of seed {seed}: bit {bit} of {name}: {:?}",
            looked.finding
        );
        assert!(
            looked.finding.is_bad() && !looked.finding.is_unread(),
            "{case}"
        );
        if in_archive {
            assert_eq!(looked.finding.archive, ArchiveFinding::Altered, "{case}");
            assert_eq!(looked.finding.sidecar, SidecarFinding::Sound, "{case}");
            assert_eq!(looked.proof, None, "{case}");
        } else {
            assert_eq!(looked.finding.archive, ArchiveFinding::Sound, "{case}");
            let proof = looked.proof.expect(&case);
            assert_eq!(proof.sidecar_sha256(), None, "{case}");
        }
        scene.stores[0].plant(&name, good);
    }
    for recorded in &copies {
        let looked = check(&destination, recorded, Depth::Full, &shared)
            .await
            .unwrap();
        assert!(
            !looked.finding.is_bad() && !looked.finding.is_unread(),
            "{:?}",
            looked.finding
        );
    }
}
