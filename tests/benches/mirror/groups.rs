//! The comparisons: which contenders, and which bounds.

use std::fs;

use bytesize::ByteSize;

use crate::Outcome;
use crate::archive::Archive;
use crate::archive::Content;
use crate::bench;
use crate::bench::Bench;
use crate::bench::Contender;
use crate::bench::Place;
use crate::bench::Store;
use crate::measure;
use crate::measure::Job;
use crate::measure::median;
use crate::panel::Panel;
use crate::say;
use crate::seaweedfs;
use crate::sink;
use crate::table::Row;
use crate::table::Rows;
use crate::table::bound;
use crate::table::ratio;
use crate::tools::Tool;

/// Where a run of nestegg copies to.
#[derive(Debug, Clone, Copy)]
enum To {
    OneFolder,
    TwoFolders,
    FolderAndMemory,
    Store(&'static str),
}

/// Uploads as they are by default: here, to this machine itself, signed but for their bytes, which
/// carry a CRC64NVME. `rclone` does not sign them either.
const DEFAULT: &str = "";
/// Uploads as they are over plain http to another machine: each part under a SHA-256 that is both
/// signed and its checksum.
const SIGNED: &str = "unsigned_payload = false\n";

/// The `inspect` setting.
const INSPECT: &str = "inspect = true";
const NO_INSPECT: &str = "inspect = false";

/// A mirror run with a configuration and a ledger of its own.
fn nestegg(bench: &Bench, panel: &Panel, place: &Place, to: To, inspect: &str) -> Outcome<Job> {
    let folder = place.folder.display();
    let mut config = format!(
        "ledger = \"{folder}/ledger.sqlite3\"\n[mirror]\n{inspect}\n\
         [[panel]]\nname = \"bench\"\nurl = \"{}\"\n",
        panel.url()
    );
    let here = |name: &str| place.folder.join(name);
    let in_memory = || place.in_memory.as_ref().map(|memory| memory.join("two"));
    let roots = match to {
        To::OneFolder => vec![here("one")],
        To::TwoFolders => vec![here("one"), here("two")],
        To::FolderAndMemory => vec![here("one"), in_memory().ok_or("no disk in memory")?],
        To::Store(_) => Vec::new(),
    };
    for root in roots {
        fs::create_dir(&root)?;
        let name = root.file_name().unwrap_or_default().display();
        config.extend([format!(
            "[[destination]]\nname = \"{name}\"\nurl = \"{}\"\n",
            root.display()
        )]);
    }
    if let To::Store(settings) = to {
        config.extend([format!(
            "[[destination]]\nname = \"store\"\nurl = \"s3://{}/{}\"\n\
             [destination.options]\nendpoint = \"{}\"\nallow_http = true\n{settings}{}\n",
            seaweedfs::BUCKET,
            place.prefix,
            place.endpoint,
            bench.store_settings
        )]);
    }
    let file = place.folder.join("nestegg.toml");
    fs::write(&file, config)?;
    let words = [
        bench.program.display().to_string(),
        "--config".to_owned(),
        file.display().to_string(),
        "mirror".to_owned(),
    ];
    let job = Job {
        words: words.to_vec(),
        variables: Vec::new(),
    };
    Ok(with_credentials(job).with("NESTEGG_API_KEY", format!("ptlc_{}", "b".repeat(43))))
}

fn with_credentials(job: Job) -> Job {
    seaweedfs::credentials()
        .into_iter()
        .fold(job, |job, (name, value)| job.with(name, value))
}

/// A pipeline that ends in `s5cmd pipe` or the like, with a digest beside it. Named pipes in place
/// of bash's `>(…)`, whose processes nobody waits for, so that their CPU time would not count.
fn piped(url: &str, digest: &str, upload: &str) -> Job {
    with_credentials(Job::script(&format!(
        "mkfifo beside; {digest} <beside >digest & curl -sS '{url}' | tee beside | {upload}; wait $!"
    )))
}

fn s5cmd_pipe(place: &Place) -> String {
    let Place {
        endpoint, prefix, ..
    } = place;
    format!(
        "s5cmd --endpoint-url {endpoint} pipe s3://{}/{prefix}/archive.tar.gz",
        seaweedfs::BUCKET
    )
}

/// What is compared.
const OFF: &str = "nestegg, inspection off";
const OFF_SIGNED: &str = "nestegg, inspection off, bytes signed";
const ON: &str = "nestegg";
const TO_DISK: &str = "curl -o, sync";
const DIGESTS: &str = "SHA-1 and SHA-256, two threads";
const IN_TURN: &str = "SHA-1 and SHA-256, one thread";
const DISK_THEN_SUM: &str = "curl -o && sha256sum";
const LIST: &str = "unpack and list (zlib-rs, one thread)";
const NOISE: &str = "nestegg, archive of noise";
const TWO: &str = "nestegg, two directories";
const TWO_KINDS: &str = "nestegg, a directory and one in memory";
const TO_TWO_FILES: &str = "curl | tee, two files, sync";

/// Directories of this machine: section 11's first two rows, and two destinations.
pub(crate) fn local(bench: &Bench) -> Outcome<()> {
    let archive = bench.archive(Content::Mixed, bench.bytes)?;
    let noise = bench.archive(Content::Noise, bench.bytes)?;
    let panel = Panel::with(&archive)?;
    let panel_of_noise = Panel::with(&noise)?;
    let url = panel.archive_url();
    let script = |text: String| move |_: &Place| Ok(Job::script(&text));
    let mut contenders = vec![
        Contender::process(
            TO_DISK,
            &[Tool::Curl],
            script(format!("curl -sS -o file '{url}'; sync file")),
        ),
        digesting(DIGESTS, &archive, Archive::both_digests),
        digesting(IN_TURN, &archive, Archive::both_digests_in_turn),
        Contender::process(
            DISK_THEN_SUM,
            &[Tool::Curl, Tool::Sha256sum],
            script(format!("curl -sS -o file '{url}' && sha256sum file")),
        ),
        Contender::process(
            "curl | sha256sum",
            &[Tool::Curl, Tool::Sha256sum],
            script(format!("curl -sS '{url}' | sha256sum")),
        ),
        Contender::here(LIST, || list(&archive)),
        Contender::process(
            "curl | gzip -dc | tar t",
            &[Tool::Curl, Tool::Gzip, Tool::Tar],
            script(format!("curl -sS '{url}' | gzip -dc | tar t")),
        ),
        Contender::process(
            "curl | pigz -dc | tar t",
            &[Tool::Curl, Tool::Pigz, Tool::Tar],
            script(format!("curl -sS '{url}' | pigz -dc | tar t")),
        ),
        Contender::process(OFF, &[], |place| {
            nestegg(bench, &panel, place, To::OneFolder, NO_INSPECT)
        }),
        Contender::process(ON, &[], |place| {
            nestegg(bench, &panel, place, To::OneFolder, INSPECT)
        }),
        Contender::process(NOISE, &[], |place| {
            nestegg(bench, &panel_of_noise, place, To::OneFolder, INSPECT)
        }),
        Contender::process(TWO, &[], |place| {
            nestegg(bench, &panel, place, To::TwoFolders, INSPECT)
        }),
        Contender::process(
            TO_TWO_FILES,
            &[Tool::Curl],
            script(format!("curl -sS '{url}' | tee one >two; sync one two")),
        ),
    ];
    if bench::has_memory_disk() {
        contenders.push(Contender::process(TWO_KINDS, &[], |place| {
            nestegg(bench, &panel, place, To::FolderAndMemory, INSPECT)
        }));
    }
    say(&bench
        .tools
        .versions(&[Tool::Curl, Tool::Gzip, Tool::Pigz, Tool::Tar]));
    let rows = bench.compare(&contenders, &Store::None)?;
    let limits = [rows.wall(TO_DISK), rows.wall(DIGESTS)].into_iter();
    let limit = limits.flatten().reduce(f64::max);
    rows.print(
        &bench.heading("To directories", archive.bytes),
        limit.map(|limit| ("L", limit)),
    );
    let Some(limit) = limit else {
        return Ok(());
    };
    say(&format!(
        "L = {limit:.2} s, the slower of `{TO_DISK}` and `{DIGESTS}`"
    ));
    shared_floor(rows.get(TO_DISK), rows.get(IN_TURN), limit);
    local_bounds(&rows, limit);
    Ok(())
}

/// What section 11 bounds of them.
fn local_bounds(rows: &Rows, limit: f64) {
    let unpacked = rows.wall(LIST).map(|wall| wall.max(limit));
    bound(
        "inspection off ÷ L",
        ratio(rows.wall(OFF), Some(limit)),
        1.15,
        "",
    );
    bound(
        "inspection off ÷ `curl -o && sha256sum`",
        ratio(rows.wall(OFF), rows.wall(DISK_THEN_SUM)),
        1.0,
        "",
    );
    bound(
        "inspection on ÷ the slower of L and unpacking",
        ratio(rows.wall(ON), unpacked),
        1.15,
        "",
    );
    bound(
        "two directories ÷ one",
        ratio(rows.wall(TWO), rows.wall(ON)),
        1.1,
        "",
    );
    bound(
        "a directory and one in memory ÷ the directory alone",
        ratio(rows.wall(TWO_KINDS), rows.wall(ON)),
        1.1,
        "",
    );
    if let Some(plain) = ratio(rows.wall(TO_TWO_FILES), rows.wall(TO_DISK)) {
        say(&format!(
            "Two plain files take {plain:.2} times as long as one here: both directories are on one disk"
        ));
    }
}

/// Says what serving, keeping and hashing cost together where all share the processors: L is the
/// slower of them alone.
fn shared_floor(to_disk: Option<&Row>, digests: Option<&Row>, limit: f64) {
    let (Some(to_disk), Some(digests)) = (to_disk, digests) else {
        return;
    };
    let (source, disk, digests) = (to_disk.served_cpu(), to_disk.cpu(), digests.cpu());
    let floor = (source + disk + digests) / measure::processors();
    say(&format!(
        "Both at once need {source:.2} (source) + {disk:.2} (to the disk) + {digests:.2} (digests) CPU s, \
         on {} processors {floor:.2} s: {:.2} × L",
        measure::processors(),
        floor / limit
    ));
}

/// Computes both digests in this process.
fn digesting<'a>(
    name: &'static str,
    archive: &'a Archive,
    compute: fn(&Archive) -> (String, String),
) -> Contender<'a> {
    Contender::here(name, move || match compute(archive) {
        (sha1, sha256) if sha1 == archive.sha1 && sha256.len() == 64 => Ok(()),
        _others => Err("the digests of the archive changed".into()),
    })
}

fn list(archive: &Archive) -> Outcome<()> {
    match archive.list()? {
        0 => Err("the archive has no members".into()),
        _some => Ok(()),
    }
}

fn both_nesteggs<'a>(bench: &'a Bench, panel: &'a Panel) -> [Contender<'a>; 2] {
    [
        Contender::process(ON, &[], |place| {
            nestegg(bench, panel, place, To::Store(DEFAULT), INSPECT)
        }),
        Contender::process(OFF, &[], |place| {
            nestegg(bench, panel, place, To::Store(DEFAULT), NO_INSPECT)
        }),
    ]
}

/// SeaweedFS on this machine.
pub(crate) fn s3(bench: &Bench) -> Outcome<()> {
    const COPYURL: &str = "rclone copyurl";
    const CHECKED: &str = "rclone copyurl, rclone hashsum --download";
    const S5CMD: &str = "curl | tee >(sha256sum) | s5cmd pipe";
    const AWS: &str = "curl | tee >(sha256sum) | aws s3 cp -";
    const STORE: [Tool; 2] = [Tool::Weed, Tool::S5cmd];
    if let Some(missing) = bench.tools.missing(&STORE) {
        say(&format!(
            "left out everything to S3: {missing}; `cargo test --test it conformance` installs it"
        ));
        return Ok(());
    }
    let archive = bench.archive(Content::Mixed, bench.bytes)?;
    let panel = Panel::with(&archive)?;
    let url = panel.archive_url();
    let rclone = |place: &Place, check: &str| {
        let object = format!(
            "store:{}/{}/archive.tar.gz",
            seaweedfs::BUCKET,
            place.prefix
        );
        let script = format!("rclone copyurl '{url}' {object}; {check} {object}");
        with_credentials(Job::script(&script))
            .with("RCLONE_CONFIG", "/dev/null")
            .with("RCLONE_CONFIG_STORE_TYPE", "s3")
            .with("RCLONE_CONFIG_STORE_PROVIDER", "SeaweedFS")
            .with("RCLONE_CONFIG_STORE_ENV_AUTH", "true")
            .with("RCLONE_CONFIG_STORE_ENDPOINT", &place.endpoint)
    };
    let [on, off] = both_nesteggs(bench, &panel);
    let contenders = [
        on,
        off,
        Contender::process(OFF_SIGNED, &[], |place| {
            nestegg(bench, &panel, place, To::Store(SIGNED), NO_INSPECT)
        }),
        Contender::process(COPYURL, &[Tool::Rclone], |place| Ok(rclone(place, "true"))),
        Contender::process(CHECKED, &[Tool::Rclone], |place| {
            Ok(rclone(place, "rclone hashsum sha256 --download"))
        }),
        Contender::process(
            S5CMD,
            &[Tool::Curl, Tool::Sha256sum, Tool::S5cmd],
            |place| Ok(piped(&url, "sha256sum", &s5cmd_pipe(place))),
        ),
        Contender::process(AWS, &[Tool::Curl, Tool::Sha256sum, Tool::Aws], |place| {
            let Place {
                endpoint, prefix, ..
            } = place;
            let upload = format!(
                "aws --endpoint-url {endpoint} s3 cp --quiet - s3://{}/{prefix}/archive.tar.gz",
                seaweedfs::BUCKET
            );
            Ok(piped(&url, "sha256sum", &upload))
        }),
    ];
    say(&bench
        .tools
        .versions(&[Tool::Weed, Tool::Curl, Tool::Rclone, Tool::S5cmd, Tool::Aws]));
    let rows = bench.compare(&contenders, &Store::SeaweedFs)?;
    let own = rows.wall(ON).map(|wall| (ON, wall));
    rows.print(&bench.heading("To S3 (SeaweedFS)", archive.bytes), own);
    for ours in [OFF, OFF_SIGNED, ON] {
        s3_bounds(&rows, ours, COPYURL, &[CHECKED, S5CMD, AWS]);
    }
    Ok(())
}

/// What section 11 bounds of a run to S3.
fn s3_bounds(rows: &Rows, ours: &str, copy: &str, verifying: &[&str]) {
    let wall = rows.wall(ours);
    bound(
        &format!("{ours} ÷ {copy}"),
        ratio(wall, rows.wall(copy)),
        1.0,
        "",
    );
    let verifying = || verifying.iter().filter_map(|peer| rows.get(peer));
    for peer in verifying() {
        bound(
            &format!("{ours} ÷ {}", peer.name),
            ratio(wall, Some(peer.wall())),
            0.85,
            "",
        );
    }
    bound(
        &format!("CPU: {ours} ÷ the cheapest that verifies"),
        ratio(
            rows.get(ours).map(Row::cpu),
            verifying().map(Row::cpu).reduce(f64::min),
        ),
        0.8,
        "",
    );
}

/// A store that throws everything away.
pub(crate) fn to_sink(bench: &Bench) -> Outcome<()> {
    const S5CMD: &str = "curl | tee >(openssl dgst -sha256) | s5cmd pipe";
    let archive = bench.archive(Content::Mixed, bench.bytes)?;
    let panel = Panel::with(&archive)?;
    let url = panel.archive_url();
    let store = Store::At(format!("http://{}", sink::start()?));
    let [on, off] = both_nesteggs(bench, &panel);
    let peer = Contender::process(S5CMD, &[Tool::Curl, Tool::Openssl, Tool::S5cmd], |place| {
        Ok(piped(&url, "openssl dgst -sha256", &s5cmd_pipe(place)))
    });
    say(&bench
        .tools
        .versions(&[Tool::Curl, Tool::Openssl, Tool::S5cmd]));
    let rows = bench.compare(&[on, off, peer], &store)?;
    let own = rows.wall(ON).map(|wall| (ON, wall));
    rows.print(
        &bench.heading("To a sink that speaks S3", archive.bytes),
        own,
    );
    bound(
        "nestegg ÷ the pipe",
        ratio(rows.wall(ON), rows.wall(S5CMD)),
        0.6,
        "",
    );
    bound(
        "inspection off ÷ the pipe",
        ratio(rows.wall(OFF), rows.wall(S5CMD)),
        0.6,
        "",
    );
    Ok(())
}

/// Peak memory by length.
pub(crate) fn memory(bench: &Bench) -> Outcome<()> {
    let store = Store::At(format!("http://{}", sink::start()?));
    for bytes in &bench.memory_bytes {
        let archive = bench.archive(Content::Mixed, *bytes)?;
        let panel = Panel::with(&archive)?;
        let contenders = [Contender::process(ON, &[], |place| {
            nestegg(bench, &panel, place, To::Store(DEFAULT), INSPECT)
        })];
        let rows = bench.compare(&contenders, &store)?;
        bound(
            &format!("peak memory at {}", ByteSize::b(archive.bytes)),
            rows.get(ON).map(Row::peak_mib),
            96.0,
            " MiB",
        );
    }
    Ok(())
}

/// Size and start-up of the program.
pub(crate) fn program(bench: &Bench) -> Outcome<()> {
    say(&format!("\n## The program, {}\n", measure::load()));
    let mut walls = Vec::new();
    for _ in 0..bench.runs * 10 {
        walls.push(measure::start_up(&bench.program, "--version")?.as_secs_f64() * 1000.0);
    }
    bound("`nestegg --version`", Some(median(walls)), 10.0, " ms");
    let stripped = bench.folder("program")?.join("stripped");
    let was_stripped = std::process::Command::new("strip")
        .arg("--strip-all")
        .arg("-o")
        .arg(&stripped)
        .arg(&bench.program)
        .status()
        .is_ok_and(|status| status.success());
    let (file, how) = if was_stripped {
        (&stripped, "stripped")
    } else {
        (&bench.program, "not stripped, since there is no `strip`")
    };
    let kib = u32::try_from(fs::metadata(file)?.len() / 1024)?;
    bound(
        &format!("the binary, {how}"),
        Some(f64::from(kib) / 1024.0),
        25.0,
        " MiB",
    );
    Ok(())
}
