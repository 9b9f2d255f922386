//! Destinations that fail: the others stay whole, and a dead one is left in peace.

use insta::assert_snapshot;
use nestegg::destination::DestinationSpec;
use nestegg::destination::RootRule;
use nestegg::model::outcome::CopyState;
use nestegg::model::secret::Secret;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::faulty_store::Action;
use crate::support::faulty_store::Break;
use crate::support::faulty_store::FaultyStore;
use crate::support::faulty_store::Habit;

/// An archive of a little more than six parts.
fn archive() -> Archive {
    Archive::of_about(1, 6 * PART_BYTES)
}

/// A world with so many backups of one server, the newest first in the order of mirroring.
async fn backups(count: u64) -> World {
    let (world, server, _) = World::with_backup(archive()).await;
    for number in 1..count {
        let archive = Archive::of_about(number + 1, 6 * PART_BYTES);
        world
            .panel
            .add_backup(server, &format!("nightly {number}"), archive);
    }
    world
}

fn over(store: &FaultyStore, name: &str) -> Destination {
    store.destination(name, small_parts().destination)
}

/// One run over three backups, one after the other, into a sound store and one that takes this habit when the first
/// download begins.
async fn beside_one_that(habit: Habit) -> (String, FaultyStore, FaultyStore) {
    let world = backups(3).await;
    let (sound, bad) = (FaultyStore::new(), FaultyStore::new());
    let store = bad.clone();
    world
        .panel
        .before(Call::Downloads, move |_script| store.take_habit(habit));
    let destinations = vec![over(&sound, "sound"), over(&bad, "bad")];
    let more = ["--transfers", "1"];
    let ended = carry_out(&world, &more, small_parts(), Some(destinations)).await;
    assert_eq!(sound.visible().len(), 6, "three archives, three sidecars");
    assert_eq!(
        world.panel.downloads_started(),
        3,
        "one download feeds both"
    );
    (story(&world, &ended), sound, bad)
}

#[tokio::test]
async fn a_destination_that_refuses_from_the_start_is_told_once_and_costs_the_other_nothing() {
    let world = backups(3).await;
    let (sound, bad) = (
        FaultyStore::new(),
        FaultyStore::with(Habit::RefusesCredentials),
    );
    let ended = mirror_into(&world, vec![over(&sound, "sound"), over(&bad, "bad")]).await;
    assert_eq!(sound.visible().len(), 6);
    assert_eq!(bad.effects(), 1, "the probe alone");
    assert_snapshot!(story(&world, &ended), @r"
exit 3
destination bad: credentials: could not write to `memory://bad`: The operation lacked the necessary privileges to complete for path : InvalidAccessKeyId
  hint: check the key, its secret, its permissions on this bucket and prefix (read, write, list, abort uploads), and this machine's clock
copy nightly 1 at bad: failed
copy nightly 1 at sound: mirrored, panel-sha1
copy nightly 2 at bad: failed
copy nightly 2 at sound: mirrored, panel-sha1
copy nightly at bad: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly 1 at sound: panel-sha1
ledger holds nightly 2 at sound: panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly 2 at bad: could not write to `memory://bad`: The operation lacked the necessary privileges to complete for path : InvalidAccessKeyId
ledger lacks nightly 1 at bad: could not write to `memory://bad`: The operation lacked the necessary privileges to complete for path : InvalidAccessKeyId
ledger lacks nightly at bad: could not write to `memory://bad`: The operation lacked the necessary privileges to complete for path : InvalidAccessKeyId
links 3, downloads 3, bytes served 1195257
    ");
}

#[tokio::test]
async fn a_destination_that_refuses_from_the_start_and_is_the_only_one_ends_before_any_download() {
    for (habit, exit) in [
        (Habit::RefusesCredentials, Exit::Credentials),
        (Habit::NoSpace, Exit::Failed),
        (Habit::DiesFromPart(1), Exit::Failed),
    ] {
        let world = backups(1).await;
        let bad = FaultyStore::with(habit);
        let ended = mirror_into(&world, vec![over(&bad, "bad")]).await;
        assert_eq!(ended.1, exit, "{habit:?}");
        assert_eq!(ended.0.errors.len(), 1, "{:?}", ended.0.errors);
        assert_eq!(
            world.panel.requests().len(),
            0,
            "nothing is asked of the panel"
        );
    }
}

#[tokio::test]
async fn a_destination_that_nobody_answers_for_is_told_and_the_other_is_whole() {
    let world = backups(1).await;
    let sound = FaultyStore::new();
    let option = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
    let spec = DestinationSpec {
        encrypt_to: Vec::new(),
        name: "away".parse().unwrap(),
        url: "s3://bucket/prefix".to_owned(),
        options: [
            // The discard port: nobody listens there.
            option("endpoint", "http://127.0.0.1:9"),
            option("region", "us-east-1"),
            option("access_key_id", "AKIASENTINEL"),
            option("secret_access_key", "sentinel-secret-access-key"),
        ]
        .into(),
        environment: Vec::new(),
        root: RootRule::MustExist,
    };
    let away = Destination::open(spec, small_parts().destination)
        .await
        .unwrap();
    let ended = mirror_into(&world, vec![away, over(&sound, "sound")]).await;
    assert_eq!(sound.visible().len(), 2);
    assert_snapshot!(story(&world, &ended), @r"
exit 3
destination away: unreachable: could not write to `s3://bucket/prefix?endpoint=<host>`: HTTP error: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
  hint: check the endpoint, the network, and HTTP_PROXY if there is a proxy
copy nightly at away: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly at away: could not write to `s3://bucket/prefix?endpoint=<host>`: HTTP error: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
links 1, downloads 1, bytes served 398419
    ");
}

#[tokio::test]
async fn a_destination_that_fills_up_in_the_middle_is_dropped_and_left_in_peace() {
    let (told, _, bad) = beside_one_that(Habit::NoSpace).await;
    assert_eq!(bad.visible().len(), 0);
    assert_eq!(bad.effects(), 4, "the probe, and one try");
    assert_snapshot!(told, @r"
exit 3
destination bad: no_space: could not begin the upload of `<Survival>/<nightly 2>.tar.gz`: no storage space
  hint: make room there, or raise the quota; nestegg never deletes copies by itself
copy nightly 1 at bad: failed
copy nightly 1 at sound: mirrored, panel-sha1
copy nightly 2 at bad: failed
copy nightly 2 at sound: mirrored, panel-sha1
copy nightly at bad: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly 1 at sound: panel-sha1
ledger holds nightly 2 at sound: panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly 2 at bad: could not begin the upload of `<Survival>/<nightly 2>.tar.gz`: no storage space
ledger lacks nightly 1 at bad: could not begin the upload of `<Survival>/<nightly 2>.tar.gz`: no storage space
ledger lacks nightly at bad: could not begin the upload of `<Survival>/<nightly 2>.tar.gz`: no storage space
links 3, downloads 3, bytes served 1195257
    ");
}

#[tokio::test]
async fn a_destination_that_refuses_in_the_middle_is_dropped_and_left_in_peace() {
    let (told, _, bad) = beside_one_that(Habit::RefusesCredentials).await;
    assert_eq!(bad.effects(), 4, "the probe, and one try");
    assert_snapshot!(told, @r"
exit 3
destination bad: credentials: could not begin the upload of `<Survival>/<nightly 2>.tar.gz`: The operation lacked the necessary privileges to complete for path : InvalidAccessKeyId
  hint: check the key, its secret, its permissions on this bucket and prefix (read, write, list, abort uploads), and this machine's clock
copy nightly 1 at bad: failed
copy nightly 1 at sound: mirrored, panel-sha1
copy nightly 2 at bad: failed
copy nightly 2 at sound: mirrored, panel-sha1
copy nightly at bad: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly 1 at sound: panel-sha1
ledger holds nightly 2 at sound: panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly 2 at bad: could not begin the upload of `<Survival>/<nightly 2>.tar.gz`: The operation lacked the necessary privileges to complete for path : InvalidAccessKeyId
ledger lacks nightly 1 at bad: could not begin the upload of `<Survival>/<nightly 2>.tar.gz`: The operation lacked the necessary privileges to complete for path : InvalidAccessKeyId
ledger lacks nightly at bad: could not begin the upload of `<Survival>/<nightly 2>.tar.gz`: The operation lacked the necessary privileges to complete for path : InvalidAccessKeyId
links 3, downloads 3, bytes served 1195257
    ");
}

#[tokio::test]
async fn a_destination_that_dies_in_the_middle_is_dropped() {
    let (told, _, bad) = beside_one_that(Habit::DiesFromPart(3)).await;
    assert_eq!(bad.visible().len(), 0);
    assert_snapshot!(told, @r"
exit 3
destination bad: destination: could not begin the upload of `<Survival>/<nightly 1>.tar.gz`: Generic FaultyStore error: the store has died
  hint: the next run tries again; if it keeps happening, look at the store itself
destination bad: destination: could not begin the upload of `<Survival>/<nightly>.tar.gz`: Generic FaultyStore error: the store has died
  hint: the next run tries again; if it keeps happening, look at the store itself
destination bad: destination: could not send a part of `<Survival>/<nightly 2>.tar.gz`: Generic FaultyStore error: the store has died
  hint: the next run tries again; if it keeps happening, look at the store itself
copy nightly 1 at bad: failed
copy nightly 1 at sound: mirrored, panel-sha1
copy nightly 2 at bad: failed
copy nightly 2 at sound: mirrored, panel-sha1
copy nightly at bad: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly 1 at sound: panel-sha1
ledger holds nightly 2 at sound: panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly 2 at bad: could not send a part of `<Survival>/<nightly 2>.tar.gz`: Generic FaultyStore error: the store has died
ledger lacks nightly 1 at bad: could not begin the upload of `<Survival>/<nightly 1>.tar.gz`: Generic FaultyStore error: the store has died
ledger lacks nightly at bad: could not begin the upload of `<Survival>/<nightly>.tar.gz`: Generic FaultyStore error: the store has died
ledger notes an open upload at memory://bad
links 3, downloads 3, bytes served 1195257
    ");
}

#[tokio::test]
async fn a_destination_that_has_failed_three_backups_in_a_row_is_left_in_peace() {
    let world = backups(6).await;
    let (sound, bad) = (FaultyStore::new(), FaultyStore::new());
    let store = bad.clone();
    world.panel.before(Call::Downloads, move |_script| {
        store.take_habit(Habit::CompleteFails);
    });
    let destinations = vec![over(&sound, "sound"), over(&bad, "bad")];
    let more = ["--transfers", "1"];
    let ended = carry_out(&world, &more, small_parts(), Some(destinations)).await;
    assert_eq!(ended.1, Exit::Partial);
    assert_eq!(sound.visible().len(), 12);
    let begun = bad
        .actions()
        .into_iter()
        .filter(|action| *action == Action::Begin);
    assert_eq!(begun.count(), 4, "the probe's, and three tries");
    assert_eq!(ended.0.errors.len(), 3, "{:?}", ended.0.errors);
    let failed = ended
        .0
        .backups
        .iter()
        .filter(|backup| backup.state() == CopyState::Failed);
    assert_eq!(failed.count(), 6);
}

#[tokio::test]
async fn a_destination_that_hangs_is_dropped_after_its_deadline() {
    let world = backups(1).await;
    let (sound, bad) = (FaultyStore::new(), FaultyStore::new());
    let store = bad.clone();
    world.panel.before(Call::Downloads, move |_script| {
        store.take_habit(Habit::Hangs);
    });
    let mut impatient = small_parts().destination;
    impatient.part_deadline = Duration::from_millis(200);
    impatient.request_deadline = Duration::from_millis(200);
    impatient.abort_deadline = Duration::from_millis(200);
    let destinations = vec![over(&sound, "sound"), bad.destination("bad", impatient)];
    let ended = mirror_into(&world, destinations).await;
    assert_eq!(sound.visible().len(), 2);
    assert_eq!(world.panel.links_given(), 1);
    assert_snapshot!(story(&world, &ended), @r"
exit 3
destination bad: unreachable: could not begin the upload of `<Survival>/<nightly>.tar.gz` within 0 s
  hint: the store answers too slowly: check the network and the store, then run again
copy nightly at bad: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly at bad: could not begin the upload of `<Survival>/<nightly>.tar.gz` within 0 s
links 1, downloads 1, bytes served 398419
    ");
}

#[tokio::test]
async fn a_complete_that_says_not_found_although_it_worked_is_a_success() {
    let (told, _, bad) = beside_one_that(Habit::CompleteSaysNotFound).await;
    assert_eq!(bad.visible().len(), 6);
    assert!(told.starts_with("exit 0\n"), "{told}");
}

#[tokio::test]
async fn a_complete_that_fails_leaves_nothing() {
    let (told, _, bad) = beside_one_that(Habit::CompleteFails).await;
    assert_eq!(bad.visible().len(), 0);
    assert_eq!(bad.open_uploads().len(), 0);
    assert_snapshot!(told, @r"
exit 3
destination bad: destination: could not complete the upload of `<Survival>/<nightly 1>.tar.gz`: Generic FaultyStore error: complete failed
  hint: the next run tries again; if it keeps happening, look at the store itself
destination bad: destination: could not complete the upload of `<Survival>/<nightly 2>.tar.gz`: Generic FaultyStore error: complete failed
  hint: the next run tries again; if it keeps happening, look at the store itself
destination bad: destination: could not complete the upload of `<Survival>/<nightly>.tar.gz`: Generic FaultyStore error: complete failed
  hint: the next run tries again; if it keeps happening, look at the store itself
copy nightly 1 at bad: failed
copy nightly 1 at sound: mirrored, panel-sha1
copy nightly 2 at bad: failed
copy nightly 2 at sound: mirrored, panel-sha1
copy nightly at bad: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly 1 at sound: panel-sha1
ledger holds nightly 2 at sound: panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly 2 at bad: could not complete the upload of `<Survival>/<nightly 2>.tar.gz`: Generic FaultyStore error: complete failed
ledger lacks nightly 1 at bad: could not complete the upload of `<Survival>/<nightly 1>.tar.gz`: Generic FaultyStore error: complete failed
ledger lacks nightly at bad: could not complete the upload of `<Survival>/<nightly>.tar.gz`: Generic FaultyStore error: complete failed
links 3, downloads 3, bytes served 1195257
    ");
}

#[tokio::test]
async fn a_store_that_keeps_less_than_it_took_is_found_out() {
    let (told, _, bad) = beside_one_that(Habit::StoresShort).await;
    let sidecars = bad.visible().into_keys().filter(|key| {
        std::path::Path::new(key)
            .extension()
            .is_some_and(|ext| ext.eq_ignore_ascii_case("json"))
    });
    assert_eq!(sidecars.count(), 0, "no sidecar, so no verified copy");
    assert_snapshot!(told, @r"
exit 4
destination bad: integrity: the store acknowledged `<Survival>/<nightly 1>.tar.gz` with 398419 bytes and holds 398418
  hint: the copy can't be trusted and is not recorded; the next run uploads it again. If it keeps happening, the store is at fault
destination bad: integrity: the store acknowledged `<Survival>/<nightly 2>.tar.gz` with 398419 bytes and holds 398418
  hint: the copy can't be trusted and is not recorded; the next run uploads it again. If it keeps happening, the store is at fault
destination bad: integrity: the store acknowledged `<Survival>/<nightly>.tar.gz` with 398419 bytes and holds 398418
  hint: the copy can't be trusted and is not recorded; the next run uploads it again. If it keeps happening, the store is at fault
copy nightly 1 at bad: failed
copy nightly 1 at sound: mirrored, panel-sha1
copy nightly 2 at bad: failed
copy nightly 2 at sound: mirrored, panel-sha1
copy nightly at bad: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly 1 at sound: panel-sha1
ledger holds nightly 2 at sound: panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly 2 at bad: the store acknowledged `<Survival>/<nightly 2>.tar.gz` with 398419 bytes and holds 398418
ledger lacks nightly 1 at bad: the store acknowledged `<Survival>/<nightly 1>.tar.gz` with 398419 bytes and holds 398418
ledger lacks nightly at bad: the store acknowledged `<Survival>/<nightly>.tar.gz` with 398419 bytes and holds 398418
links 3, downloads 3, bytes served 1195257
    ");
}

#[tokio::test]
async fn a_sidecar_that_cannot_be_written_makes_no_copy_and_the_next_run_makes_one() {
    let world = backups(1).await;
    let store = FaultyStore::new();
    // Probe: 3; begin, seven parts, complete, sidecar.
    store.break_at(13, Break::Fail);
    let ended = mirror_into(&world, vec![over(&store, "b2")]).await;
    let told = story(&world, &ended);
    assert_eq!(store.visible().len(), 1, "{:?}", store.actions());
    assert_snapshot!(told, @r"
exit 1
destination b2: destination: could not store `<Survival>/<nightly>.json`: Generic FaultyStore error: this effect was to fail
  hint: the next run tries again; if it keeps happening, look at the store itself
copy nightly at b2: failed
ledger lacks nightly at b2: could not store `<Survival>/<nightly>.json`: Generic FaultyStore error: this effect was to fail
links 1, downloads 1, bytes served 398419
    ");

    let ended = mirror_into(&world, vec![over(&store, "b2")]).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(store.visible().len(), 2);
}

#[tokio::test]
async fn an_upload_that_could_not_be_aborted_is_aborted_by_the_next_run() {
    let world = backups(1).await;
    let store = FaultyStore::new();
    let habit = store.clone();
    world.panel.before(Call::Downloads, move |_script| {
        habit.take_habit(Habit::AbortFails);
    });
    let at = archive().len() - 1;
    world
        .panel
        .on(Call::Downloads, Times::Next(1), Fault::FlipByte { at });
    let ended = mirror_into(&world, vec![over(&store, "b2")]).await;
    assert_eq!(store.open_uploads().len(), 1);
    assert_snapshot!(story(&world, &ended), @r#"
exit 4
backup <nightly>: integrity: nothing was kept: the archive's sha1 is 7065e1f4eab7accaecf0832353d50ded434524d6 where 1ef29b71c6d06b388055b7dc4c805f0ac578759e was expected
  hint: the archive is not the one the panel recorded: make a fresh backup, and check the node's disk; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
copy nightly at b2: failed
ledger lacks nightly at b2: nothing was kept: the archive's sha1 is 7065e1f4eab7accaecf0832353d50ded434524d6 where 1ef29b71c6d06b388055b7dc4c805f0ac578759e was expected
ledger notes an open upload at memory://b2
links 1, downloads 1, bytes served 398419
    "#);

    store.mend();
    let ended = mirror_into(&world, vec![over(&store, "b2")]).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(store.open_uploads().len(), 0);
    assert!(!ledger_story(&world).contains("open upload"));
}

#[tokio::test]
async fn when_every_destination_has_failed_the_rest_is_not_downloaded() {
    let (world, server, _) = World::with_backup(Archive::of_about(1, 400 * PART_BYTES)).await;
    world
        .panel
        .add_backup(server, "weekly", Archive::of_about(2, 400 * PART_BYTES));
    let bad = [FaultyStore::new(), FaultyStore::new()];
    let stores = bad.clone();
    world.panel.before(Call::Downloads, move |_script| {
        for store in stores {
            store.take_habit(Habit::NoSpace);
        }
    });
    let destinations = bad
        .iter()
        .zip(["a", "b"])
        .map(|(store, name)| over(store, name));
    let ended = carry_out(
        &world,
        &["--transfers", "1"],
        small_parts(),
        Some(destinations.collect()),
    )
    .await;
    assert!(
        world.panel.bytes_served() < 200 * PART_BYTES,
        "{}",
        world.panel.bytes_served()
    );
    let told = story(&world, &ended);
    let told = told.replace(&world.panel.bytes_served().to_string(), "<few>");
    assert_snapshot!(told, @r"
exit 1
destination a: no_space: could not begin the upload of `<Survival>/<weekly>.tar.gz`: no storage space
  hint: make room there, or raise the quota; nestegg never deletes copies by itself
destination b: no_space: could not begin the upload of `<Survival>/<weekly>.tar.gz`: no storage space
  hint: make room there, or raise the quota; nestegg never deletes copies by itself
copy nightly at a: failed
copy nightly at b: failed
copy weekly at a: failed
copy weekly at b: failed
ledger lacks weekly at a: could not begin the upload of `<Survival>/<weekly>.tar.gz`: no storage space
ledger lacks nightly at a: could not begin the upload of `<Survival>/<weekly>.tar.gz`: no storage space
ledger lacks weekly at b: could not begin the upload of `<Survival>/<weekly>.tar.gz`: no storage space
ledger lacks nightly at b: could not begin the upload of `<Survival>/<weekly>.tar.gz`: no storage space
links 1, downloads 1, bytes served <few>
    ");
}

#[tokio::test]
async fn a_damaged_copy_is_no_source_and_is_told() {
    let world = backups(1).await;
    let (first, second) = (FaultyStore::new(), FaultyStore::new());
    assert_eq!(
        mirror_into(&world, vec![over(&first, "first")]).await.1,
        Exit::Done
    );
    let key = first
        .visible()
        .into_keys()
        .find(|key| key.ends_with(".tar.gz"))
        .unwrap();
    first.plant(&key, archive().with_flipped_byte(9000).bytes());
    let ended = mirror_into(&world, vec![over(&first, "first"), over(&second, "second")]).await;
    assert_eq!(second.visible().get(&key), Some(&archive().bytes()));
    assert_snapshot!(story(&world, &ended), @r"
exit 4
backup <nightly>: integrity: the verified copy at `first` is damaged or gone: the archive's sha256 is 1d4428defb02f647f513e01563e3b717f3a53aa70952292bfdc61c0a2cd6d155 where 002a237970b08187159fc97af9586ed5416cd45087400f3ec83b65d17c9d237e was expected
  hint: check the disk or store behind `first`; other copies are made from elsewhere, and the next run makes this one anew
copy nightly at first: failed
copy nightly at second: mirrored, panel-sha1
ledger holds nightly at second: panel-sha1
ledger lacks nightly at first: the verified copy at `first` is damaged or gone: the archive's sha256 is 1d4428defb02f647f513e01563e3b717f3a53aa70952292bfdc61c0a2cd6d155 where 002a237970b08187159fc97af9586ed5416cd45087400f3ec83b65d17c9d237e was expected
links 2, downloads 2, bytes served 796838
    ");

    let ended = mirror_into(&world, vec![over(&first, "first"), over(&second, "second")]).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(first.visible().get(&key), Some(&archive().bytes()));
}

#[tokio::test]
async fn a_copy_that_vanished_is_made_anew() {
    let world = backups(1).await;
    let (first, second) = (FaultyStore::new(), FaultyStore::new());
    assert_eq!(
        mirror_into(&world, vec![over(&first, "first")]).await.1,
        Exit::Done
    );
    let emptied = FaultyStore::new();
    let ended = mirror_into(
        &world,
        vec![over(&emptied, "first"), over(&second, "second")],
    )
    .await;
    assert_eq!(emptied.visible().len(), 2);
    assert_eq!(second.visible().len(), 2);
    assert_snapshot!(story(&world, &ended), @r"
exit 4
destination first: integrity: copies that the ledger records are not there: 1
  hint: another disk may be mounted, or the bucket was emptied; what the panel still has was made anew
copy nightly at first: mirrored, panel-sha1
copy nightly at second: mirrored, panel-sha1
ledger holds nightly at first: panel-sha1
ledger holds nightly at second: panel-sha1
links 2, downloads 2, bytes served 796838
    ");
}

#[tokio::test]
async fn a_destination_that_cannot_be_asked_what_it_holds_is_not_written_to() {
    let (world, server, _) = World::with_backup(archive()).await;
    let sound = FaultyStore::new();
    let offsite = world.offsite();
    std::fs::create_dir(&offsite).unwrap();
    // A link in the place of the server's directory could lead anywhere.
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere"), offsite.join(server.to_string())).unwrap();
    let spec = DestinationSpec {
        encrypt_to: Vec::new(),
        name: "disk".parse().unwrap(),
        url: offsite.to_str().unwrap().to_owned(),
        options: [].into(),
        environment: Vec::new(),
        root: RootRule::MustExist,
    };
    let disk = Destination::open(spec, small_parts().destination)
        .await
        .unwrap();
    let ended = mirror_into(&world, vec![disk, over(&sound, "sound")]).await;
    assert_eq!(sound.visible().len(), 2);
    assert_snapshot!(story(&world, &ended), @r"
exit 3
destination disk: destination: `<offsite>/<Survival>` is a symbolic link
  hint: copies are kept only in real directories and files below the root: remove the link
copy nightly at disk: failed
copy nightly at sound: mirrored, panel-sha1
ledger holds nightly at sound: panel-sha1
ledger lacks nightly at disk: `<offsite>/<Survival>` is a symbolic link
links 1, downloads 1, bytes served 398419
    ");
}

#[tokio::test]
async fn a_store_that_works_again_gets_what_it_lacks_from_the_one_that_has_it() {
    let world = backups(2).await;
    let (sound, bad) = (
        FaultyStore::new(),
        FaultyStore::with(Habit::RefusesCredentials),
    );
    let destinations = || vec![over(&sound, "sound"), over(&bad, "bad")];
    assert_eq!(mirror_into(&world, destinations()).await.1, Exit::Partial);
    bad.mend();
    world.panel.forget_requests();
    let ended = mirror_into(&world, destinations()).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(bad.visible().len(), 4);
    assert_eq!(world.panel.bytes_served(), 0);
    assert!(!bad.actions().contains(&Action::Delete));
}
