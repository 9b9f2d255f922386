//! The binary as a person or a script meets it.

mod bad_input;
mod configuring;
mod help;
mod reading;
mod roots;
mod stopping;
mod streams;

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::support::world::World;

/// The binary with these variables and nothing else, in the world's folder; without `--ledger`.
fn bare(world: &World, variables: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nestegg"));
    command
        .args(args)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(world.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The names of all files and folders directly in the world's folder, sorted.
fn in_folder(world: &World) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(world.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
