//! Reading back what is held: `verify` and `restore`, beside what one would type instead.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use bytesize::ByteSize;

use crate::Outcome;
use crate::archive::Archive;
use crate::archive::Content;
use crate::bench::Bench;
use crate::bench::Contender;
use crate::bench::Place;
use crate::bench::Store;
use crate::measure;
use crate::measure::Job;
use crate::panel;
use crate::panel::Panel;
use crate::say;
use crate::seaweedfs;
use crate::seaweedfs::SeaweedFs;
use crate::table::Row;
use crate::table::bound;
use crate::table::ratio;
use crate::tools::Tool;

const VERIFY: &str = "nestegg verify";
const TO_FILE: &str = "nestegg restore --output";
const EXTRACT: &str = "nestegg restore --extract";

/// One archive, mirrored once, and the configuration that knows where.
struct Held {
    config: PathBuf,
    object: PathBuf,
}

impl Held {
    /// Mirrors `archive` to the destination that `url` and `options` describe.
    fn mirror(bench: &Bench, name: &str, panel: &Panel, url: &str, options: &str) -> Outcome<Self> {
        let folder = bench.folder(name)?;
        let config = folder.join("nestegg.toml");
        fs::write(
            &config,
            format!(
                "ledger = \"{}/ledger.sqlite3\"\n[[panel]]\nname = \"bench\"\nurl = \"{}\"\n\
                 [[destination]]\nname = \"held\"\nurl = \"{url}\"\n[destination.options]\n{options}\n",
                folder.display(),
                panel.url()
            ),
        )?;
        let held = Self {
            config,
            object: PathBuf::from(url).join(format!(
                "{}/{}.tar.gz",
                panel::server_uuid(1),
                panel::backup_uuid(1, 1)
            )),
        };
        measure::run(&held.nestegg(bench, &["mirror"]), &folder)?;
        Ok(held)
    }

    fn nestegg(&self, bench: &Bench, words: &[&str]) -> Job {
        let program = bench.program.display().to_string();
        let config = self.config.display().to_string();
        let job = Job {
            words: [program.as_str(), "--config", &config]
                .into_iter()
                .chain(words.iter().copied())
                .map(str::to_owned)
                .collect(),
            variables: Vec::new(),
        };
        seaweedfs::credentials()
            .into_iter()
            .fold(job, |job, (name, value)| job.with(name, value))
            .with("NESTEGG_API_KEY", format!("ptlc_{}", "b".repeat(43)))
    }

    fn restore(&self, bench: &Bench, flag: &str, target: &Path) -> Job {
        let (backup, target) = (panel::backup_uuid(1, 1), target.display().to_string());
        self.nestegg(bench, &["restore", &backup, flag, &target])
    }

    /// The three things that are measured.
    fn contenders<'a>(&'a self, bench: &'a Bench) -> [Contender<'a>; 3] {
        [
            Contender::process(
                VERIFY,
                &[],
                |_: &Place| Ok(self.nestegg(bench, &["verify"])),
            ),
            Contender::process(TO_FILE, &[], |place: &Place| {
                Ok(self.restore(bench, "--output", &place.folder.join("archive.tar.gz")))
            }),
            Contender::process(EXTRACT, &[], |place: &Place| {
                Ok(self.restore(bench, "--extract", &place.folder.join("tree")))
            }),
        ]
    }
}

/// A script that leaves what it made on the disk, as nestegg does.
fn script(text: String) -> impl Fn(&Place) -> Outcome<Job> {
    move |_| Ok(Job::script(&text))
}

/// From a directory of this machine.
pub(crate) fn local(bench: &Bench) -> Outcome<()> {
    const SUM: &str = "sha256sum";
    const COPY: &str = "cp && sync && sha256sum";
    const FETCH: &str = "curl | tar xz";
    let archive = bench.archive(Content::Mixed, bench.bytes)?;
    let panel = Panel::with(&archive)?;
    let root = bench.folder("held-local/offsite")?;
    let held = Held::mirror(bench, "held-local", &panel, &root.display().to_string(), "")?;
    let object = held.object.display();
    let [verify, to_file, extract] = held.contenders(bench);
    let contenders = [
        verify,
        Contender::process(
            SUM,
            &[Tool::Sha256sum],
            script(format!("sha256sum {object}")),
        ),
        to_file,
        Contender::process(
            COPY,
            &[Tool::Sha256sum],
            script(format!("cp {object} copy; sync copy; sha256sum copy")),
        ),
        extract,
        Contender::process(
            FETCH,
            &[Tool::Curl, Tool::Tar, Tool::Gzip],
            script(format!(
                "mkdir tree; curl -sS '{}' | tar xz -C tree",
                panel.archive_url()
            )),
        ),
    ];
    let rows = bench.compare(&contenders, &Store::None)?;
    rows.print(
        &bench.heading("From a directory", archive.bytes),
        rows.wall(SUM).map(|wall| (SUM, wall)),
    );
    for (own, peer) in [(VERIFY, SUM), (TO_FILE, COPY), (EXTRACT, FETCH)] {
        told(own, peer, ratio(rows.wall(own), rows.wall(peer)));
    }
    Ok(())
}

/// From SeaweedFS on this machine.
pub(crate) fn s3(bench: &Bench) -> Outcome<()> {
    const SUM: &str = "rclone cat | sha256sum";
    const UNPACK: &str = "rclone cat | tar xz";
    if let Some(missing) = bench
        .tools
        .missing(&[Tool::Weed, Tool::S5cmd, Tool::Rclone])
    {
        say(&format!("left out everything from S3: {missing}"));
        return Ok(());
    }
    let archive = bench.archive(Content::Mixed, bench.bytes)?;
    let panel = Panel::with(&archive)?;
    let server = SeaweedFs::start(&bench.tools, &bench.folder("held-store")?)?;
    let options = format!(
        "endpoint = \"{}\"\nallow_http = true\n{}",
        server.endpoint, bench.store_settings
    );
    let url = format!("s3://{}/held", seaweedfs::BUCKET);
    let held = Held::mirror(bench, "held-s3", &panel, &url, &options)?;
    let object = format!(
        "store:{}/held/{}/{}.tar.gz",
        seaweedfs::BUCKET,
        panel::server_uuid(1),
        panel::backup_uuid(1, 1)
    );
    let rclone = |text: String| {
        let endpoint = server.endpoint.clone();
        move |_: &Place| {
            let job = seaweedfs::credentials()
                .into_iter()
                .fold(Job::script(&text), |job, (name, value)| {
                    job.with(name, value)
                });
            Ok(job
                .with("RCLONE_CONFIG", "/dev/null")
                .with("RCLONE_CONFIG_STORE_TYPE", "s3")
                .with("RCLONE_CONFIG_STORE_PROVIDER", "SeaweedFS")
                .with("RCLONE_CONFIG_STORE_ENV_AUTH", "true")
                .with("RCLONE_CONFIG_STORE_ENDPOINT", endpoint.clone()))
        }
    };
    let [verify, to_file, extract] = held.contenders(bench);
    let contenders = [
        verify,
        to_file,
        Contender::process(
            SUM,
            &[Tool::Rclone, Tool::Sha256sum],
            rclone(format!("rclone cat {object} | sha256sum")),
        ),
        extract,
        Contender::process(
            UNPACK,
            &[Tool::Rclone, Tool::Tar, Tool::Gzip],
            rclone(format!("mkdir tree; rclone cat {object} | tar xz -C tree")),
        ),
    ];
    let rows = bench.compare(&contenders, &Store::At(server.endpoint.clone()))?;
    rows.print(
        &bench.heading("From S3 (SeaweedFS)", archive.bytes),
        rows.wall(SUM).map(|wall| (SUM, wall)),
    );
    for (own, peer) in [(VERIFY, SUM), (TO_FILE, SUM), (EXTRACT, UNPACK)] {
        told(own, peer, ratio(rows.wall(own), rows.wall(peer)));
    }
    Ok(())
}

fn told(own: &str, peer: &str, figure: Option<f64>) {
    if let Some(figure) = figure {
        say(&format!("{own} ÷ {peer}: {figure:.2}"));
    }
}

/// Peak memory by length, from a directory.
pub(crate) fn memory(bench: &Bench) -> Outcome<()> {
    for (index, bytes) in bench.memory_bytes.iter().enumerate() {
        let archive: Archive = bench.archive(Content::Mixed, *bytes)?;
        let panel = Panel::with(&archive)?;
        let name = format!("held-memory-{index}");
        let root = bench.folder(&format!("{name}/offsite"))?;
        let held = Held::mirror(bench, &name, &panel, &root.display().to_string(), "")?;
        let rows = bench.compare(&held.contenders(bench), &Store::None)?;
        for what in [VERIFY, TO_FILE, EXTRACT] {
            bound(
                &format!("peak memory of `{what}` at {}", ByteSize::b(archive.bytes)),
                rows.get(what).map(Row::peak_mib),
                96.0,
                " MiB",
            );
        }
        fs::remove_dir_all(root)?;
    }
    Ok(())
}
