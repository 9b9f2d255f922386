//! Flags, environment and file: what they become, and what is said when they are wrong.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser as _;
use jiff::SignedDuration;
use nestegg::cli::args::Cli;
use nestegg::config;
use nestegg::config::Environment;
use nestegg::config::Error;
use nestegg::config::Flags;
use nestegg::config::Settings;
use nestegg::config::output::ResultFormat;
use nestegg::config::settings::DestinationOrigin;
use nestegg::config::source::Source;
use nestegg::model::backup::ChecksumPolicy;
use nestegg::model::backup::DigestNeed;
use nestegg::model::backup::Protect;
use nestegg::model::content::Inspect;
use nestegg::model::ids::PanelName;
use nestegg::model::outcome::FailureKind;
use nestegg::model::selector::ServerSelector;
use nestegg::model::server::ServerScope;
use nestegg::ops;

/// A home of its own, with files and variables.
struct Desk {
    folder: tempfile::TempDir,
    variables: Vec<(String, OsString)>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().as_os_str().to_owned();
        Self {
            variables: vec![("HOME".to_owned(), home)],
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with(mut self, variable: &str, value: impl Into<OsString>) -> Self {
        self.variables.retain(|(name, _)| name != variable);
        self.variables.push((variable.to_owned(), value.into()));
        self
    }

    fn without(mut self, variable: &str) -> Self {
        self.variables.retain(|(name, _)| name != variable);
        self
    }

    /// Writes a file that only its owner may read.
    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    /// Writes the user's own configuration, on the default path.
    fn config(self, text: impl AsRef<[u8]>) -> Self {
        self.file(".config/nestegg/config.toml", text)
    }

    fn environment(&self) -> Environment {
        Environment::new(
            self.variables.clone(),
            self.folder.path().to_owned(),
            self.path("etc/config.toml"),
        )
    }

    fn flags(line: &str) -> Flags {
        let words = std::iter::once("nestegg").chain(line.split_whitespace());
        Cli::try_parse_from(words).unwrap().flags()
    }

    fn load(&self, line: &str) -> Result<Settings, Error> {
        config::load(&Self::flags(line), &self.environment())
    }

    /// What an operator reads, with this desk's folder called HOME.
    fn refusal(&self, line: &str) -> String {
        let error = self.load(line).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Local);
        self.plain(&error.explain())
    }

    fn plain(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "HOME")
    }

    fn show(&self, line: &str, format: ResultFormat) -> String {
        let mut out = Vec::new();
        ops::config::show(&Self::flags(line), &self.environment(), format, &mut out).unwrap();
        self.plain(&String::from_utf8(out).unwrap())
    }

    fn check(&self, format: ResultFormat) -> (Result<Settings, ops::config::Error>, String) {
        let mut out = Vec::new();
        let flags = Self::flags("config check");
        let loaded = config::load(&flags, &self.environment());
        let result = ops::config::check(loaded, &[], format, &mut out);
        (result, self.plain(&String::from_utf8(out).unwrap()))
    }
}

const PANEL: &str = "[[panel]]\nname = \"main\"\nurl = \"https://panel.example.com\"\n";
/// A public key whose private half nobody has.
const AGE_KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

const DISK: &str = "[[destination]]\nname = \"disk\"\nurl = \"/mnt/backup\"\n";

fn words(settings: &Settings) -> Vec<String> {
    let panel = settings.panels.first().unwrap();
    panel.selectors.iter().map(ToString::to_string).collect()
}

fn key(settings: &Settings) -> &str {
    let panel = settings.panels.first().unwrap();
    panel.key.secret().unwrap().expose()
}

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn a_one_shot_needs_no_file_at_all() {
    let desk = Desk::new().with("NESTEGG_API_KEY", "ptlc_k\n");
    let settings = desk
        .load("mirror --panel http://127.0.0.1:8080 --server d3aac109 --to ./offsite")
        .unwrap();
    let panel = &settings.panels[0];
    assert_eq!(panel.name.as_str(), "127.0.0.1:8080");
    assert_eq!(panel.url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(panel.scope, ServerScope::Mine);
    assert_eq!(key(&settings), "ptlc_k");
    assert_eq!(words(&settings), ["d3aac109"]);
    let destination = &settings.destinations[0];
    assert_eq!(destination.name.as_str(), "./offsite");
    assert_eq!(Path::new(&destination.url), desk.path("offsite"));
    assert_eq!(destination.origin, DestinationOrigin::OneShot);
    assert_eq!(settings.mirror.transfers, 2);
    assert_eq!(settings.mirror.retry_lock, Duration::ZERO);
    assert_eq!(
        settings.ledger,
        desk.path(".local/state/nestegg/ledger.sqlite3")
    );
    assert_eq!(settings.config, None);
    assert_eq!(settings.warnings, Vec::<String>::new());
}

#[test]
fn the_example_file_is_loaded_whole() {
    let desk = Desk::new();
    let example = repository("examples/nestegg.toml");
    let line = format!("config show --config {}", example.display());
    let settings = desk.load(&line).unwrap();
    let names: Vec<&str> = settings
        .panels
        .iter()
        .map(|panel| panel.name.as_str())
        .collect();
    assert_eq!(names, ["main", "community"]);
    assert_eq!(settings.panels[1].scope, ServerScope::WholePanel);
    assert_eq!(settings.panels[1].checksum, ChecksumPolicy::Structure);
    let names: Vec<&str> = settings
        .destinations
        .iter()
        .map(|destination| destination.name.as_str())
        .collect();
    assert_eq!(names, ["disk", "b2", "google", "azure"]);
    assert_eq!(
        settings.destinations[1].keep.as_ref().unwrap().daily,
        Some(14)
    );
    let mirror = &settings.mirror;
    assert_eq!(settings.destinations[1].rules.len(), 1);
    assert_eq!(settings.prune.max_delete, Some(500));
    assert_eq!(mirror.limit_rate, Some(50 * 1024 * 1024));
    assert_eq!(mirror.max_age, Some(SignedDuration::from_hours(26)));
    assert_eq!(mirror.max_duration, Some(Duration::from_mins(330)));
    assert_eq!(mirror.inspect, Inspect::On);
    assert_eq!(mirror.need, DigestNeed::Optional);
    assert_eq!(mirror.newest, Some(10));
    assert_eq!(mirror.since, Some(SignedDuration::from_hours(720)));
    assert_eq!(mirror.retry_lock, Duration::from_mins(10));
    assert_eq!(mirror.protect, Protect::Lock);
    assert_eq!(
        settings.ledger,
        Path::new("/var/lib/nestegg/ledger.sqlite3")
    );
    assert_eq!(settings.warnings, Vec::<String>::new());
}

#[test]
fn the_starter_is_private_loads_and_is_never_overwritten() {
    let desk = Desk::new();
    let mut out = Vec::new();
    let environment = desk.environment();
    let path = ops::config::init(None, &environment, ResultFormat::Human, &mut out).unwrap();
    assert_eq!(path, desk.path(".config/nestegg/config.toml"));
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(
        desk.plain(&String::from_utf8(out).unwrap()),
        "wrote HOME/.config/nestegg/config.toml\n\
         next:\n  1. edit it: the panel's url, the destination's url\n  \
         2. put a client API key into HOME/.config/nestegg/main.key, readable only by you (chmod 600)\n  \
         3. nestegg config check\n  4. nestegg mirror --dry-run\n"
    );
    let settings = desk.load("config show").unwrap();
    assert_eq!(settings.panels.len(), 1);
    assert_eq!(settings.destinations.len(), 1);
    assert_eq!(
        desk.refusal("config check"),
        "could not read the secret file `HOME/.config/nestegg/main.key`: No such file or directory (os error 2)\n  \
         --> HOME/.config/nestegg/config.toml:10:16\n  fix: create the secret file, or name another"
    );

    let before = fs::read(&path).unwrap();
    let error =
        ops::config::init(None, &environment, ResultFormat::Human, &mut Vec::new()).unwrap_err();
    assert_eq!(
        desk.plain(&error.to_string()),
        "`HOME/.config/nestegg/config.toml` is already there, and is not overwritten"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_the_starter_comments_out_loads_as_well() {
    let desk = Desk::new();
    let named = desk.path("all.toml");
    let mut out = Vec::new();
    ops::config::init(
        Some(&named),
        &desk.environment(),
        ResultFormat::Json,
        &mut out,
    )
    .unwrap();
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let schema = serde_json::from_str(ops::config::INIT_SCHEMA).unwrap();
    jsonschema::validate(&schema, &document).unwrap();
    let text = fs::read_to_string(&named).unwrap();
    let opened: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") || rest.starts_with('[') => rest,
            Some(_) | None => line,
        })
        .collect();
    fs::write(&named, opened.join("\n")).unwrap();
    let line = format!("config show --config {}", named.display());
    let settings = desk.load(&line).unwrap();
    assert_eq!(settings.destinations.len(), 2);
    assert_eq!(
        settings.drill.must_contain,
        ["world/level.dat".parse().unwrap()]
    );
    assert_eq!(
        settings.mirror.max_age,
        Some(SignedDuration::from_hours(26))
    );
    assert_eq!(settings.panels[0].scope, ServerScope::WholePanel);
}

#[test]
fn a_flag_beats_the_environment_and_that_beats_the_file() {
    let text = format!(
        "ledger = \"state/l.db\"\n{PANEL}api_key_file = \"main.key\"\nservers = [\"a\"]\nexclude = [\"x\"]\n{DISK}\
         [mirror]\ntransfers = 5\nlimit_rate = 1000\ninspect = false\n"
    );
    let desk = Desk::new()
        .config(text)
        .file(".config/nestegg/main.key", "ptlc_file");
    let settings = desk.load("mirror").unwrap();
    assert_eq!(settings.ledger, desk.path(".config/nestegg/state/l.db"));
    assert_eq!(settings.mirror.transfers, 5);
    assert_eq!(settings.mirror.limit_rate, Some(1000));
    assert_eq!(settings.mirror.inspect, Inspect::WhenNeeded);
    assert_eq!(
        settings.destinations[0].origin,
        DestinationOrigin::Configured
    );
    assert_eq!(key(&settings), "ptlc_file");
    let Source::File(place) = settings.sources.of("mirror.transfers") else {
        panic!("not from the file")
    };
    assert_eq!((place.line, place.column), (12, 13));

    let desk = desk
        .with("NESTEGG_LEDGER", "from-env.db")
        .file("flag.key", "ptlc_flag");
    let settings = desk
        .load("mirror --transfers 7 --server b --exclude y --api-key-file flag.key")
        .unwrap();
    assert_eq!(settings.ledger, desk.path("from-env.db"));
    assert_eq!(settings.mirror.transfers, 7);
    assert_eq!(words(&settings), ["b"]);
    let excluded: Vec<&str> = settings.panels[0]
        .exclude
        .iter()
        .map(ServerSelector::as_str)
        .collect();
    assert_eq!(excluded, ["x", "y"]);
    assert_eq!(key(&settings), "ptlc_flag");
    assert_eq!(
        settings.sources.of("ledger"),
        &Source::Environment("NESTEGG_LEDGER")
    );
    assert_eq!(
        settings.sources.of("mirror.transfers"),
        &Source::Flag("--transfers")
    );

    let settings = desk.load("mirror --ledger flag.db").unwrap();
    assert_eq!(settings.ledger, desk.path("flag.db"));
}

#[test]
fn the_file_is_looked_for_where_the_flag_the_variable_xdg_home_and_etc_say() {
    let named = |name: &str| format!("ledger = \"/l/{name}\"\n");
    let desk = Desk::new().file("etc/config.toml", named("etc"));
    assert_eq!(desk.load("status").unwrap().ledger, Path::new("/l/etc"));
    let desk = desk.config(named("home"));
    assert_eq!(desk.load("status").unwrap().ledger, Path::new("/l/home"));
    let xdg = desk.path("xdg");
    let desk = desk
        .file("xdg/nestegg/config.toml", named("xdg"))
        .with("XDG_CONFIG_HOME", xdg);
    assert_eq!(desk.load("status").unwrap().ledger, Path::new("/l/xdg"));
    let desk = desk.with("XDG_CONFIG_HOME", "relative/is/ignored");
    assert_eq!(desk.load("status").unwrap().ledger, Path::new("/l/home"));
    let desk = desk
        .file("v.toml", named("variable"))
        .with("NESTEGG_CONFIG", "v.toml");
    assert_eq!(
        desk.load("status").unwrap().ledger,
        Path::new("/l/variable")
    );
    let desk = desk.file("f.toml", named("flag"));
    assert_eq!(
        desk.load("status --config f.toml").unwrap().ledger,
        Path::new("/l/flag")
    );
    assert_eq!(
        desk.refusal("status --config none.toml"),
        "there is no configuration file `HOME/none.toml` (--config)\n  \
         fix: name another file, or write a starter with `nestegg config init --config HOME/none.toml`"
    );
}

#[test]
fn without_a_home_the_mend_is_said() {
    let desk = Desk::new().without("HOME");
    assert_eq!(
        desk.refusal("status"),
        "there is no place for the ledger: neither XDG_STATE_HOME nor HOME names an absolute path\n  \
         fix: say where with --ledger, or set HOME"
    );
    assert_eq!(
        desk.load("status --ledger l.db").unwrap().ledger,
        desk.path("l.db")
    );
    let error = ops::config::init(
        None,
        &desk.environment(),
        ResultFormat::Human,
        &mut Vec::new(),
    )
    .unwrap_err();
    assert_eq!(error.hint(), "say where with --config, or set HOME");
}

#[test]
fn what_is_missing_for_a_mirror_is_said_all_at_once() {
    let desk = Desk::new();
    assert_eq!(
        desk.refusal("mirror"),
        "2 things are wrong with the configuration\n\n\
         no panel is named\n  fix: give --panel https://panel.example.com, or add a [[panel]] to a configuration file (`nestegg config init` writes a starter)\n\n\
         there is no destination to mirror to\n  fix: give --to with a folder such as ./offsite or a URL such as s3://bucket/prefix, or add a [[destination]] to a configuration file (`nestegg config init` writes a starter)"
    );
    assert_eq!(
        desk.refusal("mirror --panel https://p.example.com --to ./x"),
        "no server of panel `p.example.com` is named\n  fix: give --server ID, --server '*' for all servers of the key, or --all-servers for every server of the panel (an administrator's key)"
    );
    assert_eq!(
        desk.refusal("mirror --panel https://p.example.com --to ./x --server *"),
        "there is no API key for panel `p.example.com`\n  fix: give a client API key in one of these ways: --api-key-file FILE; `api_key_file` or `api_key_command` of the panel in the configuration; the environment variable NESTEGG_API_KEY or NESTEGG_API_KEY_FILE; a systemd credential named nestegg-p.example.com.key or nestegg.key"
    );
    let desk = desk.with("NESTEGG_API_KEY", "");
    assert!(
        desk.refusal("mirror --panel https://p.example.com --to ./x --server *")
            .ends_with("(NESTEGG_API_KEY is set, and empty)")
    );
    desk.load("status").unwrap();
    desk.load("config show").unwrap();
}

#[test]
fn names_that_stand_for_nothing_are_refused_with_the_nearest_one() {
    let desk = Desk::new().config(format!("{PANEL}{DISK}"));
    assert_eq!(
        desk.refusal("mirror --panel mian --to dsik"),
        "2 things are wrong with the configuration\n\n\
         there is no panel `mian` in the configuration\n  fix: did you mean `main`? (an address starts with https://)\n\n\
         there is no destination `dsik` in the configuration\n  fix: did you mean `disk`? (for a folder write ./dsik)"
    );
}

#[test]
fn the_key_comes_from_the_first_source_that_has_one() {
    let credentials = |desk: Desk| {
        let folder = desk.path("cred");
        desk.with("CREDENTIALS_DIRECTORY", folder)
    };
    let desk = Desk::new().config(format!("{PANEL}{DISK}"));
    let desk = credentials(desk.file("cred/nestegg.key", "shared"));
    assert_eq!(key(&desk.load("mirror").unwrap()), "shared");
    let desk = desk.file("cred/nestegg-main.key", "own");
    assert_eq!(key(&desk.load("mirror").unwrap()), "own");
    let desk = desk
        .file("env.key", "variable-file")
        .with("NESTEGG_API_KEY_FILE", "env.key");
    assert_eq!(key(&desk.load("mirror").unwrap()), "variable-file");
    let desk = desk.with("NESTEGG_API_KEY", "variable");
    assert_eq!(
        desk.refusal("mirror"),
        "both NESTEGG_API_KEY and NESTEGG_API_KEY_FILE are set\n  fix: unset one of them"
    );
    let desk = desk.without("NESTEGG_API_KEY_FILE");
    assert_eq!(key(&desk.load("mirror").unwrap()), "variable");
    let desk = desk.config(format!(
        "{PANEL}api_key_command = [\"printf\", \"command\\\\n\"]\n{DISK}"
    ));
    assert_eq!(key(&desk.load("mirror").unwrap()), "command");
    let desk = desk.file("flag.key", "flag");
    assert_eq!(
        key(&desk.load("mirror --api-key-file flag.key").unwrap()),
        "flag"
    );
}

#[test]
fn one_key_is_never_sent_to_several_panels() {
    let second = "[[panel]]\nname = \"second\"\nurl = \"https://second.example.com\"\n";
    let desk = Desk::new()
        .config(format!("{PANEL}{second}{DISK}"))
        .with("NESTEGG_API_KEY", "ptlc_sentinel")
        .file("k", "ptlc_sentinel");
    assert_eq!(
        desk.refusal("mirror"),
        "the key in NESTEGG_API_KEY would be sent to several panels: main, second\n  \
         fix: give each panel its own `api_key_file` in the configuration, or select one with --panel"
    );
    assert_eq!(
        key(&desk.load("mirror --panel second").unwrap()),
        "ptlc_sentinel"
    );
    assert_eq!(
        desk.refusal("mirror --api-key-file k"),
        "the key of --api-key-file would be sent to several panels: main, second\n  \
         fix: give each panel its own `api_key_file` in the configuration, or select one with --panel"
    );
    let own = "api_key_file = \"main.key\"\n";
    let desk = desk
        .config(format!("{PANEL}{own}{second}{DISK}"))
        .file(".config/nestegg/main.key", "ptlc_own");
    let settings = desk.load("mirror").unwrap();
    let keys: Vec<&str> = settings
        .panels
        .iter()
        .map(|panel| panel.key.secret().unwrap().expose())
        .collect();
    assert_eq!(keys, ["ptlc_own", "ptlc_sentinel"]);
}

#[test]
fn unusable_key_files_are_named_and_their_content_is_not() {
    let desk = Desk::new().config(format!("{PANEL}api_key_file = \"main.key\"\n{DISK}"));
    for (content, why) in [
        (&b""[..], "it is empty"),
        (b"\n\n", "it is empty"),
        (b"# sentinel\nptlc_sentinel\n", "it has several lines"),
        (b"key = ptlc_sentinel", "it holds spaces"),
        (b"\"ptlc_sentinel\"", "it is in quotes"),
        (b"ptlc_\0sentinel", "it holds control characters"),
        (b"\xff\xfes\0e\0", "it is UTF-16"),
        (&[0x80; 100], "it is not text"),
        (&vec![b's'; 70_000], "it is longer than 64 KiB"),
    ] {
        let desk_with_key = desk.path(".config/nestegg/main.key");
        fs::write(&desk_with_key, content).unwrap();
        let refusal = desk.refusal("mirror");
        let first = format!(
            "`HOME/.config/nestegg/main.key` holds no usable API key: {why}\n  --> HOME/.config/nestegg/config.toml:4:16\n  fix: "
        );
        assert!(refusal.starts_with(&first), "{refusal}");
        assert!(!refusal.contains("sentinel"), "{refusal}");
    }
    for content in [&b"ptlc_k\r\n"[..], b"\xef\xbb\xbfptlc_k\n", b" ptlc_k \n\n"] {
        fs::write(desk.path(".config/nestegg/main.key"), content).unwrap();
        assert_eq!(key(&desk.load("mirror").unwrap()), "ptlc_k");
    }
    fs::remove_file(desk.path(".config/nestegg/main.key")).unwrap();
    assert!(
        desk.refusal("mirror --api-key-file /proc/self/mem")
            .starts_with("could not read the secret file `/proc/self/mem`: Input/output error")
    );
    fs::create_dir(desk.path(".config/nestegg/main.key")).unwrap();
    assert!(
        desk.refusal("mirror")
            .contains("\n  fix: name a file, not a folder")
    );
}

#[test]
fn a_key_where_a_file_should_be_named_is_refused_and_not_repeated() {
    let desk = Desk::new().config(format!("{PANEL}{DISK}"));
    let refusal = desk.refusal("mirror --api-key-file ptlc_sentinel");
    assert!(
        refusal.starts_with(
            "--api-key-file holds no usable file name: it looks like a key itself\n  fix: "
        ),
        "{refusal}"
    );
    assert!(!refusal.contains("sentinel"), "{refusal}");
    let desk = desk.with("NESTEGG_API_KEY_FILE", "pacc_sentinel");
    desk.load("status").unwrap();
    for line in ["mirror", "config show", "config check"] {
        let refusal = desk.refusal(line);
        assert!(!refusal.contains("sentinel"), "{refusal}");
    }
    let desk = Desk::new().config(format!("{PANEL}api_key_file = \"ptlc_sentinel\"\n{DISK}"));
    let refusal = desk.refusal("config show");
    assert!(
        refusal.contains("config.toml:4:16") && !refusal.contains("sentinel"),
        "{refusal}"
    );
    let desk = Desk::new().config(format!("{PANEL}api_key = \"ptlc_sentinel\"\n{DISK}"));
    assert_eq!(
        desk.refusal("mirror"),
        "bad `api_key`: a key doesn't belong into this file\n  --> HOME/.config/nestegg/config.toml:4:1\n  \
         fix: put it into a file of its own with mode 0600, and write api_key_file = \"/etc/nestegg/main.key\""
    );
}

#[test]
fn a_key_command_that_fails_is_named_by_its_program_only() {
    for (command, why) in [
        (
            "[\"false\", \"sentinel\"]",
            "(`false`) failed: it ended with exit status: 1",
        ),
        (
            "[\"/none/such\", \"sentinel\"]",
            "(`/none/such`) failed: it could not be started: No such file or directory (os error 2)",
        ),
        (
            "[\"true\", \"sentinel\"]",
            "the output of the api_key_command of panel `main` holds no usable API key: it is empty",
        ),
        (
            "[\"printf\", \"sentinel\\\\nsentinel\"]",
            "holds no usable API key: it has several lines",
        ),
        ("[]", "bad `api_key_command`: it names no program"),
        (
            "\"pass show sentinel\"",
            "`api_key_command` is a text and has to be a list of a program and its arguments",
        ),
    ] {
        let desk = Desk::new().config(format!("{PANEL}api_key_command = {command}\n{DISK}"));
        let refusal = desk.refusal("mirror");
        assert!(refusal.contains(why), "{refusal}");
        assert!(
            refusal.contains("--> HOME/.config/nestegg/config.toml:4:19"),
            "{refusal}"
        );
        assert!(!refusal.contains("sentinel"), "{refusal}");
    }
}

#[test]
fn mistakes_in_the_file_are_named_by_line_and_column_with_the_mend() {
    let at = "  --> HOME/.config/nestegg/config.toml:";
    for (text, message) in [
        (
            format!("{PANEL}apikey_file = \"x\"\n"),
            format!(
                "unknown key `apikey_file` in [[panel]]\n{at}4:1\n  fix: did you mean `api_key_file`?"
            ),
        ),
        (
            "[mirror]\ncolour = \"red\"\n".to_owned(),
            format!(
                "unknown key `colour` in `mirror`\n{at}2:1\n  fix: known keys: transfers, limit_rate, max_age, max_duration, inspect, require_checksum, newest, since, retry_lock, verify_subset, protect"
            ),
        ),
        (
            "[miror]\n".to_owned(),
            format!("unknown key `miror` in the file\n{at}1:2\n  fix: did you mean `mirror`?"),
        ),
        (
            "[panel]\nname = \"main\"\n".to_owned(),
            format!(
                "`panel` is a table and has to be a list of tables: start each with [[panel]], two brackets on each side\n{at}1:1"
            ),
        ),
        (
            "[[panel]]\nname = \"main\"\n".to_owned(),
            format!(
                "[[panel]] has no `url`\n{at}1:1\n  fix: add a line such as: url = \"https://panel.example.com\""
            ),
        ),
        (
            "[mirror]\n\tmax_age = \"26\"\n".to_owned(),
            format!(
                "bad `max_age`: `26` has no unit; write `26s`, `26m`, `26h` or `26d`\n{at}2:12"
            ),
        ),
        (
            "[mirror]\nmax_age = 26\n".to_owned(),
            format!(
                "bad `max_age`: `26` has no unit; write `26s`, `26m`, `26h` or `26d`\n{at}2:11"
            ),
        ),
        (
            "[mirror]\ninspect = \"no\"\n".to_owned(),
            format!("`inspect` is a text and has to be true or false, without quotes\n{at}2:11"),
        ),
        (
            "[mirror]\ntransfers = 2.5\n".to_owned(),
            format!(
                "`transfers` is a number with a fraction and has to be a whole number\n{at}2:13"
            ),
        ),
        (
            format!("{PANEL}servers = [\"a\", 5]\n"),
            format!(
                "`servers` is a list with something else in it and has to be a list of ids, uuids or name globs, such as [\"d3aac109\", \"survival-*\"]\n{at}4:17"
            ),
        ),
        (
            format!("{PANEL}servers = []\n"),
            format!(
                "bad `servers`: an empty list selects no server\n{at}4:11\n  fix: write [\"*\"] for all servers of the key, or leave it out"
            ),
        ),
        (
            "[mirror]\nprotect = \"locked\"\n".to_owned(),
            format!(
                "bad `protect`: `locked` is neither `lock` (on the panel, while a backup is copied) nor `none`\n{at}2:11"
            ),
        ),
        (
            "[mirror]\nprotect = true\n".to_owned(),
            format!("`protect` is true or false and has to be \"none\" or \"lock\"\n{at}2:11"),
        ),
        (
            format!("{PANEL}checksum = \"sha1\"\n"),
            format!(
                "bad `checksum`: `sha1` is neither `panel` (a digest must match) nor `structure` (this panel's digests are not the archives')\n{at}4:12"
            ),
        ),
    ] {
        let desk = Desk::new().config(&text);
        assert_eq!(desk.refusal("config show"), message, "{text}");
    }
}

#[test]
fn names_roots_and_options_that_cannot_stand_are_named_with_the_mend() {
    let at = "  --> HOME/.config/nestegg/config.toml:";
    for (text, message) in [
        (
            format!("{PANEL}{PANEL}"),
            format!(
                "two panels are called `main`; the first is on line 2\n{at}5:8\n  fix: give each panel a name of its own"
            ),
        ),
        (
            format!("{DISK}[[destination]]\nname = \"b\"\nurl = \"/mnt/backup/\"\n"),
            format!(
                "the destinations `disk` and `b` are the same place\n{at}6:7\n  fix: give each destination a root of its own, side by side; two copies in one place are one copy"
            ),
        ),
        (
            format!("{DISK}[[destination]]\nname = \"b\"\nurl = \"/mnt/backup/b\"\n"),
            format!(
                "the destination `b` lies inside the destination `disk`\n{at}6:7\n  fix: give each destination a root of its own, side by side; two copies in one place are one copy"
            ),
        ),
        (
            DISK.replace("\"disk\"", "\"s3://x\""),
            format!(
                "bad `name`: a name is a plain word: without `/`, not `.` or `..`, without blanks around it\n{at}2:8\n  fix: call it, for example, \"main\""
            ),
        ),
        (
            PANEL.replace("https://panel", "panel"),
            format!("bad `url`: it is no web address\n{at}3:7\n  fix: start it with https://"),
        ),
        (
            format!("{DISK}encrypt_to = [\"age1x\"]\n"),
            format!(
                "bad `encrypt_to`: key 1 of 1: it is cut short or mistyped\n{at}4:15\n  fix: write a whole public key on one line, such as \"age1…\" (`age-keygen -y FILE`) or \"ssh-ed25519 AAAA…\""
            ),
        ),
        (
            format!("{DISK}encrypt_to = []\n"),
            format!(
                "bad `encrypt_to`: an empty list encrypts to nobody\n{at}4:14\n  fix: name a public key, or remove the line to store the archives as they are"
            ),
        ),
        (
            format!("{DISK}encrypt_to = [\n\"{AGE_KEY}\",\n\"{AGE_KEY}\"]\n"),
            format!(
                "bad `encrypt_to`: key 2 of 2: it is the same as key 1\n{at}6:1\n  fix: remove one of them"
            ),
        ),
        (
            format!("{DISK}encrypt_to = \"{AGE_KEY}\"\n"),
            format!(
                "`encrypt_to` is a text and has to be a list of public keys, such as [\"age1…\", \"ssh-ed25519 AAAA…\"]\n{at}4:14"
            ),
        ),
        (
            format!("{DISK}options = {{ key = \"a\", key_file = \"b\" }}\n"),
            format!(
                "the options have both `key` and `key_file`\n{at}4:35\n  fix: leave one of them"
            ),
        ),
        (
            format!("{DISK}options = {{ key = 1.5 }}\n"),
            format!(
                "`key` is a number with a fraction and has to be a text in quotes, a whole number, true or false\n{at}4:19"
            ),
        ),
    ] {
        let desk = Desk::new().config(&text);
        assert_eq!(desk.refusal("config show"), message, "{text}");
    }
}

#[test]
fn wrong_policies_are_named_with_their_keys_and_lines() {
    let at = "  --> HOME/.config/nestegg/config.toml:";
    for (text, message) in [
        (
            format!("{DISK}keep = {{ dayly = 3 }}\n"),
            format!("unknown key `dayly` in `keep`\n{at}4:10\n  fix: did you mean `daily`?"),
        ),
        (
            format!("{DISK}keep = {{ last = 0 }}\n"),
            format!("bad `keep.last`: `0` is not a whole number from 1 to 1000000\n{at}4:17"),
        ),
        (
            format!("{DISK}keep = {{ daily = -1 }}\n"),
            format!("bad `keep.daily`: `-1` is not a whole number from 1 to 1000000\n{at}4:18"),
        ),
        (
            format!("{DISK}keep = {{ weekly = \"x\" }}\n"),
            format!("bad `keep.weekly`: `x` is not a whole number from 1 to 1000000\n{at}4:19"),
        ),
        (
            format!("{DISK}keep = {{ yearly = 1.5 }}\n"),
            format!(
                "`keep.yearly` is a number with a fraction and has to be a whole number\n{at}4:19"
            ),
        ),
        (
            format!("{DISK}keep = {{ within = \"6m\" }}\n"),
            format!(
                "bad `keep.within`: `6m` is not an age to keep copies for; write it like `14d`, `6mo` or `1y 6mo`, hours at the finest\n{at}4:19"
            ),
        ),
        (
            format!("{DISK}keep = 7\n"),
            format!("`keep` is a whole number and has to be a table\n{at}4:8"),
        ),
        (
            format!("{DISK}[[destination.rule]]\nservers = [\"vip-*\"]\n"),
            format!(
                "[[rule]] has no `keep`\n{at}4:1\n  fix: add a line such as: keep = {{ daily = 14, weekly = 8 }}"
            ),
        ),
        (
            format!("{DISK}[[destination.rule]]\nservers = []\nkeep = {{ monthyl = 1 }}\n"),
            format!(
                "2 things are wrong with the configuration\n\nbad `servers`: an empty list selects no server\n{at}5:11\n  \
                 fix: name some, or take the rule out\n\nunknown key `monthyl` in `keep`\n{at}6:10\n  fix: did you mean `monthly`?"
            ),
        ),
        (
            format!("{DISK}[prune]\nshrink_alarm = 50\n"),
            format!(
                "bad `shrink_alarm`: `50` is not a percentage; write it like `50%` or `0.5%`, at most `100%`, with two decimals at most\n{at}5:16"
            ),
        ),
        (
            format!("{DISK}[prune]\nverify_within = \"90\"\n"),
            format!(
                "bad `verify_within`: `90` has no unit; write `90s`, `90m`, `90h` or `90d`\n{at}5:17"
            ),
        ),
        (
            format!("{DISK}[prune]\nmax_deletes = 5\n"),
            format!(
                "unknown key `max_deletes` in `prune`\n{at}5:1\n  fix: did you mean `max_delete`?"
            ),
        ),
        (
            format!("{DISK}[prune]\nmax_delete = 0\n"),
            format!("bad `max_delete`: `0` is not a whole number from 1 to 1000000\n{at}5:14"),
        ),
    ] {
        let desk = Desk::new().config(&text);
        assert_eq!(desk.refusal("config show"), message, "{text}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_said_in_the_order_of_its_lines() {
    let desk =
        Desk::new().config("[mirror]\ntransfers = 0\nmax_age = \"x\"\n[[panel]]\nnaem = \"a\"\n");
    let error = desk.load("mirror").unwrap_err();
    let lines: Vec<u32> = error
        .each()
        .into_iter()
        .map(|error| error.place().unwrap().line)
        .collect();
    assert_eq!(lines, [2, 3, 4, 4, 5]);
}

#[test]
fn what_is_not_toml_is_refused_without_repeating_the_line() {
    for (text, start) in [
        ("secret = sentinel\n", "this is not TOML: "),
        ("a = \"sentinel\n", "this is not TOML: "),
        (
            "[mirror]\ntransfers = 1\ntransfers = 2\n",
            "this is not TOML: duplicate key",
        ),
        ("[[[panel]]]\n", "this is not TOML: "),
        ("nestegg mirror --to sentinel", "this is not TOML: "),
        ("{\"panel\": \"sentinel\"}", "this is not TOML: "),
    ] {
        let refusal = Desk::new().config(text).refusal("mirror");
        assert!(refusal.starts_with(start), "{refusal}");
        assert!(
            refusal.contains("--> HOME/.config/nestegg/config.toml:"),
            "{refusal}"
        );
        assert!(!refusal.contains("sentinel"), "{refusal}");
    }
}

#[test]
fn what_is_no_text_file_at_all_is_refused_in_a_word() {
    let fix = "\n  fix: name a TOML file in UTF-8; `nestegg config init` writes a starter";
    let elf = [0x7f, b'E', b'L', b'F', 0, 0, 0, 1];
    for (bytes, why) in [
        (
            &elf[..],
            "it holds NUL bytes, as binary files and UTF-16 do",
        ),
        (
            b"\xff\xfen\0a\0",
            "it holds NUL bytes, as binary files and UTF-16 do",
        ),
        (b"# gr\xfc\xdfe\n", "it is not UTF-8 (line 1)"),
        (b"# a\n# b\n# \xe9\n", "it is not UTF-8 (line 3)"),
    ] {
        let refusal = Desk::new().config(bytes).refusal("mirror");
        let expected =
            format!("`HOME/.config/nestegg/config.toml` is not a configuration file: {why}{fix}");
        assert_eq!(refusal, expected);
    }

    let desk = Desk::new().file("huge.toml", "");
    let huge = fs::OpenOptions::new()
        .write(true)
        .open(desk.path("huge.toml"))
        .unwrap();
    huge.set_len(100 * 1024 * 1024).unwrap();
    assert!(
        desk.refusal("mirror --config huge.toml")
            .starts_with("`HOME/huge.toml` is not a configuration file: it is longer than 1 MiB")
    );
    assert_eq!(
        desk.refusal("mirror --config ."),
        "could not read the configuration file `HOME`: is a directory\n  fix: name a file, not a folder"
    );
}

#[test]
fn a_mark_at_the_start_and_foreign_line_ends_do_no_harm() {
    let text = format!("\u{feff}{PANEL}{DISK}[mirror]\ntransfers = x\n").replace('\n', "\r\n");
    assert!(
        Desk::new()
            .config(&text)
            .refusal("mirror")
            .contains("config.toml:8:13")
    );
    let text = text.replace("= x", "= 3");
    let settings = Desk::new().config(&text).load("config show").unwrap();
    assert_eq!(settings.mirror.transfers, 3);
}

#[test]
fn what_is_suspicious_is_a_warning() {
    let text = PANEL.replace("https", "http");
    let options = "options = { secret_access_key = \"sentinel\" }\n";
    let desk = Desk::new()
        .config(format!(
            "{text}api_key_file = \"main.key\"\n{DISK}{options}"
        ))
        .file(".config/nestegg/main.key", "ptla_sentinel");
    for name in ["main.key", "config.toml"] {
        let path = desk.path(&format!(".config/nestegg/{name}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let warnings: Vec<String> = desk
        .load("mirror")
        .unwrap()
        .warnings
        .iter()
        .map(|warning| desk.plain(warning))
        .collect();
    assert_eq!(
        warnings,
        [
            "panel `main` is reached over http://: its API key and the archives travel unencrypted; use https://",
            "`HOME/.config/nestegg/main.key` holds a secret and its mode is 0644: other users may read or change it; run `chmod 600 HOME/.config/nestegg/main.key`",
            "the key of panel `main` (HOME/.config/nestegg/main.key, HOME/.config/nestegg/config.toml:4) looks like an application key, which can't list backups; make a client key under Account, API Credentials",
            "`HOME/.config/nestegg/config.toml` holds a secret and its mode is 0644: other users may read or change it; run `chmod 600 HOME/.config/nestegg/config.toml`",
        ]
    );
}

#[test]
fn options_come_from_the_table_from_files_and_the_stores_variables_are_handed_on() {
    let options = "[destination.options]\nregion = \"eu\"\nallow_http = true\nretries = 3\n\
                   secret_access_key_file = \"b2.secret\"\nweb_identity_token_file = \"/run/token\"\n";
    let desk = Desk::new()
        .config(format!("{PANEL}{DISK}{options}"))
        .file(".config/nestegg/b2.secret", "s3cret\n")
        .with("NESTEGG_API_KEY", "k")
        .with("AWS_ACCESS_KEY_ID", "id")
        .with("SERVICE_ACCOUNT", "/sa.json")
        .with("AWSOME", "no");
    let settings = desk.load("mirror").unwrap();
    let options: Vec<(&str, &str)> = settings.destinations[0]
        .options
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(
        options,
        [
            ("allow_http", "true"),
            ("region", "eu"),
            ("retries", "3"),
            ("secret_access_key", "s3cret"),
            ("web_identity_token_file", "/run/token"),
        ]
    );
    let variables: Vec<(&str, &str)> = settings
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(
        variables,
        [("AWS_ACCESS_KEY_ID", "id"), ("SERVICE_ACCOUNT", "/sa.json")]
    );
}

#[test]
fn destinations_that_are_chosen_together_must_lie_apart() {
    let desk = Desk::new()
        .config(format!("{PANEL}{DISK}"))
        .with("NESTEGG_API_KEY", "k");
    assert!(
        desk.refusal("mirror --to disk /mnt/backup/")
            .starts_with("the destinations `disk` and `/mnt/backup/` are the same place\n")
    );
    assert!(
        desk.refusal("mirror --to ./a ./a/b")
            .starts_with("the destination `./a/b` lies inside the destination `./a`\n")
    );
    assert!(
        desk.refusal("mirror --to https://s3.example.com/b")
            .contains("s3://BUCKET/PREFIX")
    );
    let settings = desk
        .load("mirror --to disk disk ./b s3://bucket/x")
        .unwrap();
    let urls: Vec<String> = settings
        .destinations
        .iter()
        .map(|destination| desk.plain(&destination.url))
        .collect();
    assert_eq!(urls, ["/mnt/backup", "HOME/b", "s3://bucket/x"]);
}

#[test]
fn reading_commands_take_filters_and_touch_no_secret() {
    let desk = Desk::new().config(format!("{PANEL}api_key_file = \"none.key\"\n{DISK}"));
    let settings = desk
        .load("status --panel http://127.0.0.1:8080 gone --server a* --to ./offsite")
        .unwrap();
    let panels: Vec<&str> = settings
        .filter
        .panels
        .iter()
        .map(PanelName::as_str)
        .collect();
    assert_eq!(panels, ["127.0.0.1:8080", "gone"]);
    assert_eq!(settings.filter.destinations[0].as_str(), "./offsite");
    assert_eq!(settings.filter.servers[0].as_str(), "a*");
    assert_eq!(settings.panels[0].key.secret(), None);
}

#[test]
fn show_prints_what_holds_and_why() {
    let desk = Desk::new()
        .config(format!(
            "{PANEL}api_key_command = [\"pass\", \"sentinel\"]\n{DISK}\
             options = {{ region = \"eu\", access_key_id = \"sentinel\", endpoint = \"https://u:sentinel@h\", token_file = \"t\" }}\n\
             keep = {{ last = 3, within = \"1y 6mo\" }}\n[mirror]\nlimit_rate = \"50MiB\"\nmax_age = \"26h\"\n\
             [drill]\nmust_contain = [\"world/level.dat\"]\n[[drill.rule]]\nservers = [\"bots-*\"]\n\
             [prune]\nverify_within = \"30d\"\n"
        ))
        .with("NESTEGG_LEDGER", "/l.db");
    insta::assert_snapshot!(desk.show("config show", ResultFormat::Human), @r##"
    # HOME/.config/nestegg/config.toml
    ledger = "/l.db"                              # from environment, NESTEGG_LEDGER

    [[panel]]
    name = "main"                                 # from HOME/.config/nestegg/config.toml:2
    url = "https://panel.example.com/"            # from HOME/.config/nestegg/config.toml:3
    api_key_command = ["pass", "********"]        # from the command `pass …`, HOME/.config/nestegg/config.toml:4
    servers = ["*"]                               # default
    all_servers = false                           # default
    exclude = []                                  # default
    checksum = "panel"                            # default

    [[destination]]
    name = "disk"                                 # from HOME/.config/nestegg/config.toml:6
    url = "/mnt/backup"                           # from HOME/.config/nestegg/config.toml:7
    options.access_key_id = "********"            # from HOME/.config/nestegg/config.toml:8
    options.endpoint = "********"                 # from HOME/.config/nestegg/config.toml:8
    options.region = "eu"                         # from HOME/.config/nestegg/config.toml:8
    options.token_file = "HOME/.config/nestegg/t"  # from HOME/.config/nestegg/config.toml:8
    keep.last = 3                                 # from HOME/.config/nestegg/config.toml:9
    keep.within = "1y 6mo"                        # from HOME/.config/nestegg/config.toml:9

    [mirror]
    transfers = 2                                 # default
    limit_rate = "50MiB"                          # from HOME/.config/nestegg/config.toml:11
    max_age = "26h"                               # from HOME/.config/nestegg/config.toml:12
    # max_duration is not set                     # default
    inspect = true                                # default
    require_checksum = false                      # default
    # newest is not set                           # default
    # since is not set                            # default
    retry_lock = "0s"                             # default
    # verify_subset is not set                    # default
    protect = "none"                              # default

    [drill]
    sample = 3                                    # default
    must_contain = ["world/level.dat"]            # from HOME/.config/nestegg/config.toml:14

    [[drill.rule]]
    servers = ["bots-*"]                          # from HOME/.config/nestegg/config.toml:16
    must_contain = []                             # from HOME/.config/nestegg/config.toml:16

    [prune]
    verify_within = "720h"                        # from HOME/.config/nestegg/config.toml:18
    shrink_alarm = "50%"                          # default
    # max_delete is not set                       # default
    "##);
    let document: serde_json::Value =
        serde_json::from_str(&desk.show("config show", ResultFormat::Json)).unwrap();
    let schema = serde_json::from_str(ops::config::SHOW_SCHEMA).unwrap();
    jsonschema::validate(&schema, &document).unwrap();
    assert_eq!(
        document["mirror"]["limit_rate"],
        serde_json::json!({ "value": "50MiB", "source": "HOME/.config/nestegg/config.toml:11" })
    );
}

#[test]
fn show_prints_the_rules_of_a_destination_and_what_flags_change() {
    let desk = Desk::new().config(format!(
        "{DISK}[[destination.rule]]\nservers = [\"vip-*\"]\nkeep = {{ daily = 30, within = \"2y\" }}\n\
         [[destination.rule]]\nservers = [\"bots\"]\nkeep = {{}}\n[prune]\nmax_delete = 5\n"
    ));
    let shown = desk.show("config show", ResultFormat::Human);
    let rules = shown.split("\n\n").filter(|table| table.contains("rule]]"));
    insta::assert_snapshot!(rules.collect::<Vec<_>>().join("\n\n"), @r##"
    [[destination.rule]]
    servers = ["vip-*"]                           # from HOME/.config/nestegg/config.toml:5
    keep.daily = 30                               # from HOME/.config/nestegg/config.toml:6
    keep.within = "2y"                            # from HOME/.config/nestegg/config.toml:6

    [[destination.rule]]
    servers = ["bots"]                            # from HOME/.config/nestegg/config.toml:8
    keep = {}                                     # from HOME/.config/nestegg/config.toml:9
    "##);
    let settings = desk.load("prune --keep-last 2 --max-delete 7").unwrap();
    assert_eq!(settings.prune.max_delete, Some(7));
    assert_eq!(settings.prune.keep.unwrap().last, Some(2));
    let document = serde_json::from_str(&desk.show("config show", ResultFormat::Json)).unwrap();
    let schema = serde_json::from_str(ops::config::SHOW_SCHEMA).unwrap();
    jsonschema::validate(&schema, &document).unwrap();
    assert_eq!(
        document["destination_rules"][0][1]["keep"]["value"],
        serde_json::json!({})
    );
    assert_eq!(document["prune"]["max_delete"]["value"], 5);
}

#[test]
fn what_is_wrong_with_a_drill_is_said_with_its_line() {
    let desk = Desk::new().config(format!(
        "{PANEL}api_key_file = \"main.key\"\n{DISK}[drill]\nsample = 0\nmust_contain = [\"/world\", \"[a\"]\n\
         [[drill.rule]]\nmust_contain = [\"x\"]\nserver = [\"y\"]\n"
    ));
    let said = desk.load("config check").unwrap_err().explain();
    for part in [
        "config.toml:9:10",
        "`/world` begins with `/`: paths begin at the server's root, without one",
        "`[a` is no glob",
        "servers = [\"survival-*\"]",
        "`server`",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn check_says_what_it_would_use_or_all_that_is_wrong() {
    let desk = Desk::new()
        .config(format!("{PANEL}api_key_file = \"main.key\"\n{DISK}"))
        .file(".config/nestegg/main.key", "ptlc_sentinel");
    let (result, text) = desk.check(ResultFormat::Human);
    assert!(result.is_ok());
    insta::assert_snapshot!(text, @r##"
    configuration  HOME/.config/nestegg/config.toml
    ledger         HOME/.local/state/nestegg/ledger.sqlite3
    panel          main  https://panel.example.com/  servers *  key from HOME/.config/nestegg/main.key, HOME/.config/nestegg/config.toml:4
    destination    disk  /mnt/backup
    ok: 1 panel, 1 destination; nothing was contacted
    "##);
    let schema = serde_json::from_str(ops::config::CHECK_SCHEMA).unwrap();
    let (result, text) = desk.check(ResultFormat::Json);
    assert!(result.is_ok());
    jsonschema::validate(&schema, &serde_json::from_str(&text).unwrap()).unwrap();

    let desk = desk.config("[mirror]\ntransfers = 0\n");
    let (result, text) = desk.check(ResultFormat::Json);
    assert!(result.is_err());
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    jsonschema::validate(&schema, &document).unwrap();
    assert_eq!(document["errors"][0]["line"], 2);
    assert_eq!(document["ok"], false);

    let (result, text) = Desk::new().check(ResultFormat::Human);
    let message = result.unwrap_err().to_string();
    assert!(
        message.starts_with("there is no configuration file to check: looked at "),
        "{message}"
    );
    assert_eq!(text, "");
}

#[test]
fn no_secret_is_ever_shown_whatever_is_wrong_or_right() {
    const SENTINEL: &str = "s3nt1nel";
    let key = format!("ptlc_{SENTINEL}");
    let panel = format!("{PANEL}api_key_file = \"main.key\"\n");
    let secret = format!("secret_access_key = \"{SENTINEL}\", access_key_id = \"{SENTINEL}\"");
    let url_secret = format!("https://op:{SENTINEL}@panel.example.com");
    let configs = [
        format!("{panel}{DISK}options = {{ {secret}, password_file = \"pw\" }}\n"),
        format!("{panel}{DISK}options = {{ {secret} }}\nunknown = \"{SENTINEL}\"\n"),
        format!("{panel}{DISK}options = {{ {secret}, x = [\"{SENTINEL}\"] }}\n"),
        format!("{panel}{DISK}options = {{ {secret}\nx = \n"),
        format!("{panel}{DISK}options = \"{SENTINEL}\"\n"),
        format!("{panel}{DISK}options = {{ secret_access_key = {SENTINEL} }}\n"),
        format!("[[panel]]\nname = \"main\"\nurl = \"{url_secret}\"\n"),
        format!("[[panel]]\nname = \"main\"\nurl = \"https://p/?token={SENTINEL}\"\n"),
        format!("[[destination]]\nname = \"a\"\nurl = \"s3://id:{SENTINEL}@bucket\"\n"),
        format!("{PANEL}api_key_command = [\"echo\", \"{SENTINEL} {SENTINEL}\"]\n{DISK}"),
        format!("{PANEL}api_key_command = [\"echo\", \"{SENTINEL}\"]\n{DISK}"),
        format!("{PANEL}api_key = \"{SENTINEL}\"\n{DISK}"),
        format!("{PANEL}{DISK}"),
    ];
    for text in configs {
        for content in [key.clone(), format!("{key}\n{key}"), format!("k: {key}")] {
            let desk = Desk::new()
                .config(&text)
                .file(".config/nestegg/main.key", &content)
                .file(".config/nestegg/pw", SENTINEL)
                .with("NESTEGG_API_KEY", content)
                .with("AWS_SECRET_ACCESS_KEY", SENTINEL);
            let one_shot =
                format!("mirror --panel {url_secret} --server * --to s3://id:{SENTINEL}@b");
            for line in [
                "mirror",
                "status",
                "config show",
                "config check",
                one_shot.as_str(),
            ] {
                let seen = match desk.load(line) {
                    Ok(settings) => format!("{settings:?} {settings:#?}"),
                    Err(error) => format!("{error} {error:?} {} {}", error.explain(), error.hint()),
                };
                assert!(!seen.contains(SENTINEL), "{line}: {seen}");
            }
            for format in [ResultFormat::Human, ResultFormat::Json] {
                let (_result, seen) = desk.check(format);
                assert!(!seen.contains(SENTINEL), "{seen}");
                let mut out = Vec::new();
                let environment = desk.environment();
                let flags = Desk::flags("config show");
                if ops::config::show(&flags, &environment, format, &mut out).is_ok() {
                    let seen = String::from_utf8(out).unwrap();
                    assert!(!seen.contains(SENTINEL), "{seen}");
                }
                assert!(!format!("{environment:?}").contains(SENTINEL));
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_whatever_makes_the_reader_panic_or_point_outside_the_file(text in "(\\PC|[\\[\\]={}\"\n,#.]|panel|destination|mirror|name|url){0,60}") {
        let desk = Desk::new().config(&text);
        if let Err(error) = desk.load("config show") {
            let lines = text.lines().count() + 1;
            for error in error.each() {
                if let Some(place) = error.place() {
                    assert!((1..=lines).contains(&(place.line as usize)), "{place}");
                }
                assert!(!error.to_string().is_empty());
            }
        }
    }
}
