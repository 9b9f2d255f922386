//! Random histories of panel, stores and ledger, beside a model of a few lines: which copies must
//! be there, which may be, and that nothing else is and nothing ever goes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use nestegg::config::settings::MirrorSettings;
use nestegg::exit::Exit;
use nestegg::model::content::Inspect;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::outcome::CopyState;
use nestegg::model::subset::Share;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prop_oneof;
use proptest::sample::Index;
use proptest::sample::select;
use proptest::test_runner::Config;
use proptest::test_runner::TestRunner;

use crate::crash::scene::Ended;
use crate::crash::scene::PART_BYTES;
use crate::crash::scene::Scene;
use crate::crash::scene::Until;
use crate::crash::scene::everything;
use crate::support::archive::Archive;
use crate::support::fake_panel::BackupRow;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::faulty_store::Break;
use crate::support::faulty_store::Habit;

const SERVERS: usize = 2;
const STORES: usize = 2;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    /// A completed backup appears on a server.
    Appears { server: usize, parts: u64 },
    /// A backup appears that the node still writes.
    Begins { server: usize, parts: u64 },
    /// One that was being written is whole.
    Completes(Index),
    /// One that was being written failed.
    Fails(Index),
    /// The panel deletes one.
    Vanishes(Index),
    /// The node hands out other bytes, or too few, for ever.
    Spoils(Index, Spoil),
    /// A store takes a bad habit.
    Breaks(usize, Habit),
    /// Nothing is wrong with panel, node and stores any more.
    Heals,
    /// The ledger is deleted.
    LosesLedger,
    /// `mirror` runs to its end.
    Runs(Flags),
    /// `mirror` runs until a store hangs at its effect of this number, if it comes that far.
    Hangs(Flags, usize, u64, Break),
    /// `mirror` runs until it was woken so many times.
    Dies(Flags, u64),
}

#[derive(Debug, Clone, Copy)]
enum Spoil {
    Flipped,
    Cut,
    Gone,
}

/// What a run is told.
#[derive(Debug, Clone)]
struct Flags {
    to: Vec<usize>,
    newest: Option<usize>,
    shard: Option<u32>,
    inspect: Inspect,
    transfers: usize,
}

fn flags() -> impl Strategy<Value = Flags> {
    (
        select(vec![vec![0], vec![1], vec![0, 1], vec![0, 1], vec![1, 0]]),
        option::weighted(0.3, 1_usize..3),
        option::weighted(0.2, 1_u32..3),
        select(vec![Inspect::On, Inspect::WhenNeeded]),
        1_usize..4,
    )
        .prop_map(|(to, newest, shard, inspect, transfers)| Flags {
            to,
            newest,
            shard,
            inspect,
            transfers,
        })
}

fn event() -> impl Strategy<Value = Event> {
    let habits = vec![
        Habit::CompleteSaysNotFound,
        Habit::CompleteFails,
        Habit::AbortFails,
        Habit::RefusesCredentials,
        Habit::NoSpace,
        Habit::DiesFromPart(2),
    ];
    let hangs = vec![Break::HangBefore, Break::HangAfter];
    let one = any::<Index>;
    prop_oneof![
        5 => (0..SERVERS, 0_u64..4).prop_map(|(server, parts)| Event::Appears { server, parts }),
        2 => (0..SERVERS, 0_u64..4).prop_map(|(server, parts)| Event::Begins { server, parts }),
        1 => one().prop_map(Event::Completes),
        1 => one().prop_map(Event::Fails),
        1 => one().prop_map(Event::Vanishes),
        1 => (one(), select(vec![Spoil::Flipped, Spoil::Cut, Spoil::Gone]))
            .prop_map(|(which, how)| Event::Spoils(which, how)),
        2 => (0..STORES, select(habits)).prop_map(|(store, habit)| Event::Breaks(store, habit)),
        2 => Just(Event::Heals),
        1 => Just(Event::LosesLedger),
        5 => flags().prop_map(Event::Runs),
        2 => (flags(), 0..STORES, 1_u64..16, select(hangs))
            .prop_map(|(flags, store, number, how)| Event::Hangs(flags, store, number, how)),
        2 => (flags(), 1_u64..120).prop_map(|(flags, times)| Event::Dies(flags, times)),
    ]
}

/// A backup that the panel lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listed {
    server: ServerId,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    InProgress,
    Failed,
    Completed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    Some,
}

/// The real thing, and what is expected of it.
#[derive(Debug)]
struct Model {
    scene: Scene,
    servers: Vec<ServerId>,
    seed: u64,
    /// In the order in which they were asked for.
    listed: Vec<(BackupId, Listed)>,
    /// By store.
    held: [BTreeSet<BackupId>; STORES],
    habits: BTreeMap<usize, Habit>,
    trouble: Trouble,
}

impl Model {
    async fn new() -> Self {
        let scene = Scene::new(STORES).await;
        let servers =
            (0..SERVERS).map(|number| scene.panel.add_server(&format!("server {number}")));
        Self {
            servers: servers.collect(),
            scene,
            seed: 0,
            listed: Vec::new(),
            held: Default::default(),
            habits: BTreeMap::new(),
            trouble: Trouble::None,
        }
    }

    fn archive(&mut self, parts: u64) -> Archive {
        self.seed += 1;
        Archive::of_about(self.seed, parts * PART_BYTES)
    }

    /// The place of one of the backups at this stage.
    fn one_at(&self, stage: Stage, which: Index) -> Option<usize> {
        let places = 0..self.listed.len();
        let places: Vec<usize> = places
            .filter(|place| self.listed[*place].1.stage == stage)
            .collect();
        (!places.is_empty()).then(|| *which.get(&places))
    }

    async fn meets(&mut self, event: Event) {
        let panel = self.scene.panel.clone();
        match event {
            Event::Appears { server, parts } => {
                let (server, archive) = (self.servers[server], self.archive(parts));
                let backup = self.scene.add_backup(server, archive);
                let stage = Stage::Completed;
                self.listed.push((backup, Listed { server, stage }));
            }
            Event::Begins { server, parts } => {
                let (server, archive) = (self.servers[server], self.archive(parts));
                let backup = self.scene.begin_backup(server, archive);
                let stage = Stage::InProgress;
                self.listed.push((backup, Listed { server, stage }));
            }
            Event::Completes(which) => {
                if let Some(place) = self.one_at(Stage::InProgress, which) {
                    let (backup, listed) = &mut self.listed[place];
                    listed.stage = Stage::Completed;
                    let archive = self.scene.archives[backup].1.clone();
                    panel.edit(*backup, |row| row.complete(archive));
                }
            }
            Event::Fails(which) => {
                if let Some(place) = self.one_at(Stage::InProgress, which) {
                    let (backup, listed) = &mut self.listed[place];
                    listed.stage = Stage::Failed;
                    panel.edit(*backup, BackupRow::fail);
                }
            }
            Event::Vanishes(which) => {
                if let Some(place) = self.one_at(Stage::Completed, which) {
                    let (backup, _listed) = self.listed.remove(place);
                    panel.delete_backup(backup);
                }
            }
            Event::Spoils(which, how) => {
                if let Some(place) = self.one_at(Stage::Completed, which) {
                    self.spoil(self.listed[place].0, how);
                }
            }
            Event::Breaks(store, habit) => {
                self.trouble = Trouble::Some;
                self.habits.insert(store, habit);
                self.scene.stores[store].take_habit(habit);
            }
            Event::Heals => self.heal(),
            Event::LosesLedger => self.scene.lose_ledger(),
            Event::Runs(flags) => self.runs(&flags, Until::TheEnd).await,
            Event::Dies(flags, times) => self.runs(&flags, Until::Woken(times)).await,
            Event::Hangs(flags, store, number, how) => {
                self.scene.stores[store].break_at(number, how);
                self.runs(&flags, Until::AStoreHangs).await;
                self.scene.mend();
                for (store, habit) in &self.habits {
                    self.scene.stores[*store].take_habit(*habit);
                }
            }
        }
    }

    fn spoil(&mut self, backup: BackupId, how: Spoil) {
        let panel = &self.scene.panel;
        self.trouble = Trouble::Some;
        let spoiled = |fault| panel.on(Call::Download(backup), Times::Forever, fault);
        match how {
            Spoil::Flipped => spoiled(Fault::FlipByte { at: 100 }),
            Spoil::Cut => spoiled(Fault::CutAfter { bytes: 500 }),
            Spoil::Gone => panel.lose_archive(backup),
        }
    }

    fn heal(&mut self) {
        self.trouble = Trouble::None;
        self.habits.clear();
        self.scene.mend();
        self.scene.panel.calm();
        for (backup, listed) in &self.listed {
            if listed.stage == Stage::Completed {
                let archive = self.scene.archives[backup].1.clone();
                self.scene
                    .panel
                    .edit(*backup, |row| row.archive = Some(archive));
            }
        }
    }

    /// The backups that a run with these flags is about.
    fn selected(&self, flags: &Flags) -> BTreeSet<BackupId> {
        let mut selected = BTreeSet::new();
        for server in &self.servers {
            let of_server = self.listed.iter().rev().filter(|(_backup, listed)| {
                listed.server == *server && listed.stage == Stage::Completed
            });
            let newest = of_server.take(flags.newest.unwrap_or(usize::MAX));
            selected.extend(newest.map(|(backup, _listed)| *backup).filter(|backup| {
                flags
                    .shard
                    .is_none_or(|index| Share { index, of: 2 }.holds(*backup))
            }));
        }
        selected
    }

    async fn runs(&mut self, flags: &Flags, until: Until) {
        let settings = MirrorSettings {
            transfers: flags.transfers,
            newest: flags.newest,
            shard: flags.shard.map(|index| Share { index, of: 2 }),
            inspect: flags.inspect,
            ..everything()
        };
        let selected = self.selected(flags);
        let ended = self.scene.run_to(&flags.to, settings, until).await;
        self.scene.assert_sound("after a run");
        for store in 0..STORES {
            let held = self.scene.held_at(store);
            let before = &self.held[store];
            let mut allowed = before.clone();
            if flags.to.contains(&store) {
                allowed.extend(&selected);
            }
            assert!(held.is_superset(before), "a copy disappeared");
            assert!(held.is_subset(&allowed), "a copy was not asked for");
            self.held[store] = held;
        }
        if let Some(Ended { exit, report }) = ended {
            if self.trouble == Trouble::None {
                assert_eq!(exit, Exit::Done, "{:?}", report.errors);
            }
            if exit == Exit::Done {
                for store in &flags.to {
                    let claimed = self.scene.claimed_of(*store);
                    assert!(claimed.is_superset(&selected), "success was not proved");
                }
            }
        }
    }

    /// All trouble ends: a run brings everything everywhere, and the next one finds nothing to do.
    async fn ends_well(mut self) {
        self.heal();
        let flags = Flags {
            to: (0..STORES).collect(),
            newest: None,
            shard: None,
            inspect: Inspect::On,
            transfers: 2,
        };
        self.runs(&flags, Until::TheEnd).await;
        let all = self.selected(&flags);
        for (store, held) in self.held.iter().enumerate() {
            assert!(held.is_superset(&all), "store {store}");
            let open = self.scene.stores[store].open_uploads();
            let out_of_reach = self.scene.unnoted_at(store);
            assert_eq!(open.into_keys().collect::<BTreeSet<_>>(), out_of_reach);
        }
        let again = self.scene.run(Until::TheEnd).await.unwrap();
        assert_eq!(again.exit, Exit::Done, "{:?}", again.report.errors);
        assert_eq!(again.report.downloaded_bytes(), 0);
        let states = again
            .report
            .backups
            .iter()
            .flat_map(|backup| &backup.copies);
        let held = states.filter(|copy| copy.state == CopyState::AlreadyHeld);
        assert_eq!(held.count(), all.len() * STORES);
    }
}

#[test]
fn whatever_happens_copies_stay_the_ledger_is_true_and_a_calm_run_finishes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: 24,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let told = TestRunner::new(config).run(&vec(event(), 4..14), |history| {
        runtime.block_on(async {
            let mut model = Model::new().await;
            for event in history {
                model.meets(event).await;
            }
            model.ends_well().await;
        });
        Ok(())
    });
    if let Err(why) = told {
        panic!("{why}");
    }
}
