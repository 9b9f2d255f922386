//! `nestegg panel …`: the panel's own operations on its backups.

mod backups;
mod create;
mod delete;
mod lock;
mod mirrored;
mod recorded;
mod refusals;
mod restore;
mod servers;
mod terminal;
mod trim;
mod waiting;

use clap::Parser as _;
use nestegg::cli::args::Cli;
use nestegg::config::Settings;
use nestegg::config::settings::panel::CreateTask;
use nestegg::config::settings::panel::LockTask;
use nestegg::config::settings::panel::PanelTask;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::model::outcome::Failure;
use nestegg::ops::panel::Parts;
use nestegg::ops::panel::create::Unwatched;
use nestegg::ops::panel::create::create;
use nestegg::ops::panel::known;
use nestegg::ops::panel::parts;
use nestegg::report::json;
use nestegg::report::panel::CreateReport;
use nestegg::report::panel::LockReport;
use serde_json::Value;

use crate::support::fake_panel::Dialect;
use crate::support::schema;
use crate::support::world::Ran;
use crate::support::world::World;
use crate::support::world::quick_tuning;

const DIALECTS: [Dialect; 3] = [Dialect::Pterodactyl, Dialect::Pelican, Dialect::Documented];

/// The arguments of a `panel` command against the world's panel, which no configuration names.
fn panel_args(world: &World, words: &[&str]) -> Vec<String> {
    let url = world.panel.url();
    let mut args: Vec<String> = vec!["panel".to_owned()];
    args.extend(words.iter().map(|word| (*word).to_owned()));
    args.extend(["--panel".to_owned(), url]);
    args
}

/// Runs a `panel` command.
async fn panel(world: &World, words: &[&str]) -> Ran {
    world.run(&panel_args(world, words)).await
}

/// Runs a `panel` command with `--json`; the document is as its schema says.
async fn panel_json(world: &World, schema: &str, words: &[&str]) -> (Ran, Value) {
    let mut words = words.to_vec();
    words.push("--json");
    let ran = panel(world, &words).await;
    let document = ran.json();
    schema::assert_fits(schema, &document);
    assert_eq!(document["exit_code"], serde_json::json!(ran.code));
    (ran, document)
}

/// The kinds of what failed, with what it was about.
fn kinds(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = document["errors"].as_array().unwrap().iter();
    errors
        .map(|error| (text(&error["scope"]), text(&error["kind"])))
        .collect()
}

/// What a `panel` command stands on in this process, with waits short enough for tests.
fn quick(world: &World, words: &[&str], env: Env) -> (Settings, Parts) {
    let settings = world.settings(&panel_args(world, words));
    let parts = parts(&settings, env, quick_tuning());
    (settings, parts)
}

/// Runs `panel create` in this process.
async fn quick_create(world: &World, words: &[&str]) -> (CreateReport, Exit) {
    create_in(world, words, Env::new(Clock::System)).await
}

/// The same, in an environment that can be told to stop.
async fn create_in(world: &World, words: &[&str], env: Env) -> (CreateReport, Exit) {
    let (settings, parts) = quick(world, &[&["create"], words].concat(), env);
    let Some(PanelTask::Create(task)) = &settings.panel_task else {
        panic!("{words:?} is no creation")
    };
    let report = made_by(&parts, task).await;
    let exit = Exit::of_create(&report);
    (report, exit)
}

async fn made_by(parts: &Parts, task: &CreateTask) -> CreateReport {
    let report = create(parts, task, &Unwatched).await;
    let exit = Exit::of_create(&report);
    let mut out = Vec::new();
    json::panel::create(&report, exit.code(), &mut out).unwrap();
    let document = serde_json::from_slice(&out).unwrap();
    schema::assert_fits(json::panel::CREATE_SCHEMA, &document);
    report
}

/// Runs `panel lock` or `panel unlock` in this process.
async fn quick_lock(world: &World, words: &[&str]) -> (LockReport, Exit) {
    let (settings, parts) = quick(world, words, Env::new(Clock::System));
    let Some(PanelTask::SetLock(task)) = &settings.panel_task else {
        panic!("{words:?} is about no lock")
    };
    locked_by(&settings, &parts, task).await
}

async fn locked_by(settings: &Settings, parts: &Parts, task: &LockTask) -> (LockReport, Exit) {
    let known = known(settings, &task.backups).unwrap();
    let report = nestegg::ops::panel::lock::set_locks(parts, &known, task).await;
    let exit = Exit::of_panel(report.ended, &report.errors, report.as_wanted());
    let mut out = Vec::new();
    json::panel::lock(&report, exit.code(), &mut out).unwrap();
    let document = serde_json::from_slice(&out).unwrap();
    schema::assert_fits(json::panel::LOCK_SCHEMA, &document);
    (report, exit)
}

fn messages(errors: &[Failure]) -> Vec<&str> {
    errors.iter().map(|error| error.message.as_str()).collect()
}

/// The requests that could have changed something, as `METHOD path` below the server.
fn changes(world: &World) -> Vec<String> {
    let requests = world.panel.requests();
    let changing = requests.iter().filter(|request| request.method != "GET");
    changing
        .map(|request| {
            let path = request.path.split("/backups").nth(1).unwrap_or("?");
            format!("{} {path}", request.method)
        })
        .collect()
}

/// Snapshots without what differs from run to run.
fn plain() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{8}-[0-9a-f-]{27}", "[uuid]");
    settings.add_filter(r"\b[0-9a-f]{8}\b", "[short]");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d", "[minute]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "[host]");
    settings.add_filter(r"after \d+s", "after [n]s");
    settings.add_filter(r"(\d{3}) s\b", "[n] s");
    settings
}

#[test]
fn the_examples_of_the_readme_are_commands() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("nestegg panel`\n\n```sh\n").unwrap();
    let (examples, _) = section.split_once("```").unwrap();
    for line in examples.lines() {
        for command in line.split("  #").next().unwrap().split("&&") {
            let words = command
                .split_whitespace()
                .map(|word| word.trim_matches('\''));
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }
}

#[test]
fn every_schema_of_a_panel_command_is_a_schema() {
    for schema in [
        json::panel::SERVERS_SCHEMA,
        json::panel::BACKUPS_SCHEMA,
        json::panel::CREATE_SCHEMA,
        json::panel::LOCK_SCHEMA,
        json::panel::DELETE_SCHEMA,
        json::panel::RESTORE_SCHEMA,
        json::panel::TRIM_SCHEMA,
    ] {
        let schema: Value = serde_json::from_str(schema).unwrap();
        assert!(jsonschema::meta::validate(&schema).is_ok());
    }
}
