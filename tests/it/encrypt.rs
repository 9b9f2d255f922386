//! Encrypted copies from end to end: made by runs, opened without nestegg, changed, read back.

mod changes;
mod identities;
mod killed;
mod readback;
mod refusals;
mod stores;
mod targets;
mod tools;

use std::fmt::Write as _;
use std::path::PathBuf;

use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::holding::HeldCopy;

use crate::support::age_key::AgeKey;
use crate::support::servers::root::Root;
use crate::support::world::World;

/// A key of `fixtures/age`.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/fixtures/age")
        .join(name)
}

fn public_fixture(name: &str) -> String {
    let text = std::fs::read_to_string(fixture(&format!("{name}.pub"))).unwrap();
    text.trim().to_owned()
}

/// Writes a configuration of one panel and these destinations, and has every run use it.
fn configure(world: &mut World, destinations: &[(&str, &Root, &[&str])]) {
    let mut text = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n",
        world.panel.url()
    );
    for (name, root, encrypt_to) in destinations {
        let options: Vec<String> = root
            .options
            .iter()
            .map(|(name, value)| format!("{name} = {value:?}"))
            .collect();
        write!(
            text,
            "[[destination]]\nname = \"{name}\"\nurl = {:?}\noptions = {{ {} }}\n",
            root.url,
            options.join(", ")
        )
        .unwrap();
        if !encrypt_to.is_empty() {
            writeln!(text, "encrypt_to = {encrypt_to:?}").unwrap();
        }
    }
    std::fs::write(world.path("nestegg.toml"), text).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
}

/// A directory of the world as a root.
fn folder(world: &World, name: &str) -> Root {
    let path = world.path(name);
    std::fs::create_dir_all(&path).unwrap();
    Root::folder(&path)
}

/// The copies that the ledger claims.
fn claimed(world: &World) -> Vec<HeldCopy> {
    let ledger = Ledger::open(&world.ledger()).unwrap();
    ledger.copies(&CopyFilter::default()).unwrap()
}
