//! Encryption switched on and off, recipients changed, copies made from copies.

use serde_json::Value;

use super::AgeKey;
use super::claimed;
use super::configure;
use super::folder;
use super::tools::Tool;
use crate::support::archive::Archive;
use crate::support::world::World;

/// Every copy of `list --json`: key and first recipient.
async fn listed(world: &World) -> Vec<(String, Value)> {
    let list = world.run(&["list", "--json"]).await.json();
    let mut copies: Vec<(String, Value)> = list["copies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|copy| {
            let key = copy["key"].as_str().unwrap().to_owned();
            (key, copy["encryption"]["recipients"][0].clone())
        })
        .collect();
    copies.sort_by(|one, other| one.0.cmp(&other.0));
    copies
}

#[tokio::test]
async fn copies_stay_as_they_are_when_recipients_change_or_encryption_goes_on_or_off() {
    let (mut world, server, first) = World::with_backup(Archive::small(1)).await;
    let root = folder(&world, "disk");
    let (old, new) = (AgeKey::new(), AgeKey::new());
    let mut expected = Vec::new();
    let mut backup = first;
    let phases: [(&[&str], Value, &str); 4] = [
        (&[], Value::Null, "tar.gz"),
        (&[&old.public], old.public.clone().into(), "tar.gz.age"),
        (&[&new.public], new.public.clone().into(), "tar.gz.age"),
        (&[], Value::Null, "tar.gz"),
    ];
    for (number, (encrypt_to, recipient, end)) in (1..).zip(phases) {
        if number > 1 {
            backup = world
                .panel
                .add_backup(server, "another", Archive::small(number));
        }
        configure(&mut world, &[("disk", &root, encrypt_to)]);
        let ran = world.run(&["mirror", "--json"]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.json()["counts"]["mirrored"], 1, "phase {number}");
        expected.push((format!("{server}/{backup}.{end}"), recipient));
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(listed(&world).await, expected, "phase {number}");
        assert_eq!(world.panel.downloads_started(), number);
    }
    for (key, files) in [(&old, 1), (&new, 1)] {
        let identity = key.file(&world, "key.txt");
        let opened = expected
            .iter()
            .filter(|(_, recipient)| !recipient.is_null())
            .filter(|(name, _)| {
                let file = world.path(&format!("disk/{name}"));
                Tool::Node.open(&identity, &file).is_ok()
            });
        assert_eq!(opened.count(), files);
    }
    let table = world.run(&["list"]).await.stdout;
    for part in ["ENCRYPTED TO", &old.short(), &new.short()] {
        assert!(table.contains(part), "{part} in {table}");
    }
}

#[tokio::test]
async fn a_sealed_destination_is_filled_from_a_plain_copy_and_a_plain_one_never_from_a_sealed() {
    let archive = Archive::of_about(2, 300_000);
    let (mut world, server, backup) = World::with_backup(archive.clone()).await;
    let key = AgeKey::new();
    let [plain, sealed, late] = ["plain", "sealed", "late"].map(|name| folder(&world, name));
    let sealed_to: &[&str] = &[&key.public];
    configure(&mut world, &[("plain", &plain, &[])]);
    assert_eq!(world.run(&["mirror"]).await.code, Some(0));
    world.panel.forget_requests();

    configure(
        &mut world,
        &[("plain", &plain, &[]), ("sealed", &sealed, sealed_to)],
    );
    let filled = world.run(&["mirror", "--json"]).await;
    assert_eq!(filled.code, Some(0), "{}", filled.stderr);
    assert_eq!(world.panel.bytes_served(), 0);
    let file = world.path(&format!("sealed/{server}/{backup}.tar.gz.age"));
    let identity = key.file(&world, "key.txt");
    assert!(Tool::Node.open(&identity, &file).unwrap() == archive.bytes());
    let copies = claimed(&world);
    assert_eq!(copies.len(), 2);
    assert!(
        copies
            .iter()
            .all(|copy| copy.sha256.to_hex() == archive.sha256())
    );
    assert!(copies.iter().all(|copy| copy.structure.is_some()));

    configure(
        &mut world,
        &[("sealed", &sealed, sealed_to), ("late", &late, &[])],
    );
    let fetched = world.run(&["mirror", "--json"]).await;
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    assert_eq!(world.panel.bytes_served(), archive.len());
    let late = std::fs::read(world.path(&format!("late/{server}/{backup}.tar.gz"))).unwrap();
    assert!(late == archive.bytes());
}

#[tokio::test]
async fn an_encrypted_copy_goes_as_it_is_to_where_the_same_people_can_read_it() {
    let archive = Archive::of_about(7, 20 << 20);
    let (mut world, server, backup) = World::with_backup(archive.clone()).await;
    let (one, two) = (AgeKey::new(), AgeKey::new());
    let both: &[&str] = &[&one.public, &two.public];
    let [first, second, other] = ["first", "second", "other"].map(|name| folder(&world, name));
    configure(&mut world, &[("first", &first, both)]);
    assert_eq!(world.run(&["mirror"]).await.code, Some(0));
    world.panel.forget_requests();
    let name = format!("{server}/{backup}.tar.gz.age");

    let turned: &[&str] = &[&two.public, &one.public];
    configure(
        &mut world,
        &[("first", &first, both), ("second", &second, turned)],
    );
    for is_ledger_lost in [false, true] {
        if is_ledger_lost {
            std::fs::remove_file(world.ledger()).unwrap();
            std::fs::remove_dir_all(world.path("second")).unwrap();
            std::fs::create_dir(world.path("second")).unwrap();
        }
        let filled = world.run(&["mirror", "--json"]).await;
        assert_eq!(filled.code, Some(0), "{}", filled.stderr);
        assert_eq!(world.panel.bytes_served(), 0);
        let file = second.read(&name).await.unwrap();
        assert!(file == first.read(&name).await.unwrap());
    }
    let copies = claimed(&world);
    let [a, b] = &copies[..] else {
        panic!("{copies:?}")
    };
    assert_eq!(a.sealed(), b.sealed());
    assert_eq!(a.sha256.to_hex(), archive.sha256());

    // Spoiled, it is no source; to others than its own people it is none either.
    let file = world.path(&format!("first/{name}"));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100_000] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    for (place, encrypt_to, code, recipients) in [
        ("second", both, 4, 2),
        ("other", &[one.public.as_str()][..], 0, 1),
    ] {
        std::fs::remove_dir_all(world.path(place)).unwrap();
        std::fs::create_dir(world.path(place)).unwrap();
        let root = if place == "second" { &second } else { &other };
        std::fs::remove_file(world.ledger()).unwrap();
        world.panel.forget_requests();
        configure(
            &mut world,
            &[("first", &first, both), (place, root, encrypt_to)],
        );
        let fetched = world.run(&["mirror", "--json"]).await;
        assert_eq!(fetched.code, Some(code), "{}", fetched.stderr);
        assert_eq!(world.panel.bytes_served(), archive.len());
        let copies = claimed(&world);
        let made = copies
            .iter()
            .find(|copy| copy.destination.as_str() == place)
            .unwrap();
        let encryption = made.encryption.as_ref().unwrap();
        assert_eq!(encryption.recipients.len(), recipients);
        let file = world.path(&format!("{place}/{name}"));
        let identity = one.file(&world, "key.txt");
        assert!(Tool::Python.open(&identity, &file).unwrap() == archive.bytes());
    }
}

#[tokio::test]
async fn one_download_feeds_a_plain_and_two_sealed_destinations() {
    let archive = Archive::of_about(6, 20 << 20);
    let (mut world, server, backup) = World::with_backup(archive.clone()).await;
    let (one, two) = (AgeKey::new(), AgeKey::new());
    let [plain, first, second] = ["plain", "first", "second"].map(|name| folder(&world, name));
    configure(
        &mut world,
        &[
            ("plain", &plain, &[]),
            ("first", &first, &[&one.public]),
            ("second", &second, &[&two.public]),
        ],
    );
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.panel.bytes_served(), archive.len());
    assert!(
        std::fs::read(world.path(&format!("plain/{server}/{backup}.tar.gz"))).unwrap()
            == archive.bytes()
    );
    for (name, key) in [("first", &one), ("second", &two)] {
        let file = world.path(&format!("{name}/{server}/{backup}.tar.gz.age"));
        let identity = key.file(&world, "key.txt");
        assert!(
            Tool::Python.open(&identity, &file).unwrap() == archive.bytes(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_damaged_plain_copy_is_made_anew_sealed_and_what_is_left_of_it_is_told() {
    let archive = Archive::of_about(3, 300_000);
    let (mut world, server, backup) = World::with_backup(archive.clone()).await;
    let key = AgeKey::new();
    let [one, two] = ["one", "two"].map(|name| folder(&world, name));
    configure(&mut world, &[("one", &one, &[])]);
    assert_eq!(world.run(&["mirror"]).await.code, Some(0));
    let plain = world.path(&format!("one/{server}/{backup}.tar.gz"));
    std::fs::write(&plain, archive.with_flipped_byte(5000).bytes()).unwrap();

    configure(
        &mut world,
        &[("one", &one, &[&key.public]), ("two", &two, &[])],
    );
    let found = world.run(&["mirror"]).await;
    assert_eq!(found.code, Some(4), "{}", found.stderr);
    let repaired = world.run(&["mirror"]).await;
    assert_eq!(repaired.code, Some(0), "{}", repaired.stderr);
    let told = format!(
        "`{server}/{backup}.tar.gz` at `one` is not encrypted and no longer counts as a copy"
    );
    assert!(repaired.stderr.contains(&told), "{}", repaired.stderr);
    let name = format!("{server}/{backup}");
    assert_eq!(
        one.keys().await,
        ["json", "tar.gz", "tar.gz.age"].map(|end| format!("{name}.{end}"))
    );
    let identity = key.file(&world, "key.txt");
    let file = world.path(&format!("one/{name}.tar.gz.age"));
    assert!(Tool::Node.open(&identity, &file).unwrap() == archive.bytes());
    let keys: Vec<String> = claimed(&world)
        .iter()
        .map(|copy| copy.key.to_string())
        .collect();
    assert_eq!(
        keys,
        [format!("{name}.tar.gz.age"), format!("{name}.tar.gz")]
    );
    let quiet = world.run(&["mirror", "-q"]).await;
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn one_shot_copies_are_sealed_by_a_flag_and_a_plan_names_what_would_be_made() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let key = AgeKey::new();
    let flags = ["--encrypt-to", key.public.as_str(), "--json"];
    let mut planned = flags.to_vec();
    planned.push("--dry-run");
    let name = format!("{server}/{backup}.tar.gz.age");
    let plan = world.mirror(&planned).await.json();
    assert_eq!(plan["backups"][0]["copies"][0]["key"], name);
    assert_eq!(world.visible(), Vec::<String>::new());
    let made = world.mirror(&flags).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert_eq!(made.json()["backups"][0]["copies"][0]["key"], name);
    assert_eq!(world.visible(), [format!("{server}/{backup}.json"), name]);
}
