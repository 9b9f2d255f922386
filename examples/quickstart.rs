//! The first two minutes with nestegg, without a panel of your own: `cargo run --release --example quickstart`.
//!
//! A demo panel and its node open on loopback and speak real HTTP: signed single-use links, generated archives,
//! one failed backup, one in progress. The real `nestegg mirror` copies what is complete into a folder, twice, to
//! show that the second run downloads nothing. Everything lies in one fresh temporary directory, which stays.

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bytesize::ByteSize;
use nestegg::cli;
use nestegg::cli::session::Streams;
use nestegg::config::Environment;
use nestegg::exit::Exit;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;

#[path = "../tests/it/support/archive.rs"]
pub mod archive;
#[path = "../tests/it/support/fake_panel.rs"]
pub mod fake_panel;

use archive::Archive;
use archive::Ending;
use archive::MIB;
use archive::Packing;
use archive::Recipe;
use fake_panel::Disk;
use fake_panel::FakePanel;

/// One line of the story, on standard output.
macro_rules! tell {
    ($($text:tt)*) => {
        writeln!(io::stdout(), $($text)*)
    };
}

#[tokio::main]
async fn main() -> ExitCode {
    match quickstart().await {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Nothing is left to do when standard error is closed too.
            drop(writeln!(io::stderr(), "error: {error}"));
            Exit::Failed.into()
        }
    }
}

async fn quickstart() -> Result<Exit, Box<dyn Error>> {
    let home = tempfile::Builder::new()
        .prefix("nestegg-quickstart-")
        .tempdir()?
        .keep();
    tell!("Making a few server backups to copy …")?;
    let demo = Demo::open().await?;
    tell!("A demo panel runs at {}.\n", demo.panel.url())?;
    tell!("$ cd {}", home.display())?;
    tell!("$ export NESTEGG_API_KEY=…")?;

    let began = Instant::now();
    let exit = mirror_once(&demo.panel, &home).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    let took = began.elapsed();
    tell!(
        "\n{} downloads, {}, in {:.1} s. Now the same once more:\n",
        demo.panel.downloads_started(),
        ByteSize(demo.panel.bytes_served()).display().iec(),
        took.as_secs_f64(),
    )?;

    demo.panel.forget_requests();
    let exit = mirror_once(&demo.panel, &home).await?;
    tell!(
        "\n{} downloads, {}: what is held already is not taken again.\n",
        demo.panel.downloads_started(),
        ByteSize(demo.panel.bytes_served()).display().iec(),
    )?;

    let copy: PathBuf = home
        .join(OFFSITE)
        .join(demo.server.to_string())
        .join(format!("{}.tar.gz", demo.backup))
        .components()
        .collect();
    say_goodbye(&home, &copy)?;
    Ok(exit)
}

/// Where the copies go, below the demo's own directory.
const OFFSITE: &str = "./offsite";
/// Where the record of them goes.
const LEDGER: &str = "./ledger.sqlite3";

/// Runs the real command with a key in its environment, as a shell would.
async fn mirror_once(panel: &FakePanel, home: &Path) -> Result<Exit, Box<dyn Error>> {
    let url = panel.url();
    let line = [
        "nestegg", "mirror", "--panel", &url, "--server", "*", "--to", OFFSITE, "--ledger", LEDGER,
    ];
    tell!("$ {}\n", line.join(" ").replace('*', "'*'"))?;
    // The terminal's own variables, and none that would bring a configuration of yours into the demo.
    let of_terminal = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| matches!(name.as_str(), "TERM" | "NO_COLOR"));
    let variables =
        of_terminal.chain([("NESTEGG_API_KEY".to_owned(), OsString::from(panel.key()))]);
    let environment = Environment::new(
        variables,
        home.to_path_buf(),
        home.join("there-is-no-configuration.toml"),
    );
    Ok(cli::run(line, environment, Streams::of_process()).await)
}

/// The demo's panel, and the copy that the story ends with.
struct Demo {
    panel: FakePanel,
    server: ServerId,
    backup: BackupId,
}

impl Demo {
    async fn open() -> Result<Self, Box<dyn Error>> {
        let made = tokio::task::spawn_blocking(|| {
            [MIB, 24 * MIB, 64 * MIB, 256 * MIB].map(|bytes| world(bytes).make())
        })
        .await?;
        let [small, medium, large, huge] = made;
        let panel = FakePanel::try_start().await?;

        let server = panel.add_server("Creative");
        let backup = panel.add_backup(server, "before the update", small?);
        let weekly = panel.add_backup(server, "weekly", large?);
        panel.set_disk(weekly, Disk::S3);

        let survival = panel.add_server("Survival");
        panel.add_backup(survival, "nightly 1", medium?);
        panel.add_backup(survival, "nightly 2", huge?);
        panel.add_failed(survival, "nightly 3");
        panel.add_in_progress(survival, "nightly 4", Some(Archive::of_about(5, MIB)));
        Ok(Self {
            panel,
            server,
            backup,
        })
    }
}

/// A game world: mostly regions that the game has compressed itself, some logs.
fn world(content_bytes: u64) -> Recipe {
    Recipe {
        seed: content_bytes,
        content_bytes,
        noise_percent: 90,
        packing: Packing::BestSpeed,
        ending: Ending::Marked,
    }
}

fn say_goodbye(home: &Path, copy: &Path) -> io::Result<()> {
    let sidecar: PathBuf = copy.with_extension("").with_extension("json");
    let offsite = home.join("offsite");
    tell!("Against a panel of your own, with a client API key of your account there:\n")?;
    tell!("  $ cargo install --path .")?;
    tell!("  $ export NESTEGG_API_KEY=ptlc_…")?;
    tell!("  $ nestegg mirror --panel https://panel.example.com --server d3aac109 --to ./offsite")?;
    tell!("  $ nestegg status")?;
    tell!("  $ nestegg config init      # for every night, several panels, S3, GCS or Azure\n")?;
    tell!("On the bad day, with nothing left but the copies:\n")?;
    tell!("  $ nestegg list --from {}", offsite.display())?;
    tell!(
        "  $ nestegg restore Survival:latest --from {} --extract ./restored\n",
        offsite.display()
    )?;
    tell!(
        "An archive comes back with nothing but tar, too; its digest is in the file beside it:\n"
    )?;
    tell!("  $ mkdir restored")?;
    tell!("  $ tar -xzf {} -C restored", copy.display())?;
    tell!("  $ sha256sum {}", copy.display())?;
    tell!("  $ grep sha256 {}\n", sidecar.display())?;
    tell!(
        "The demo's copies and ledger stay in {}; remove it when you like.",
        home.display()
    )
}
