use clap::Parser as _;

use super::*;
use crate::cli::args::Cli;
use crate::config::flags::Request;

fn flags(line: &str) -> RestoreFlags {
    let words = ["nestegg", "restore"].into_iter().chain(line.split(' '));
    let cli = Cli::try_parse_from(words).unwrap();
    let Request::Restore(flags) = cli.flags().request else {
        panic!("{line} is no restore")
    };
    *flags
}

fn job(line: &str) -> RestoreJob<String> {
    flags(line).job.unwrap()
}

fn choice() -> BackupChoice {
    "a:latest".parse().unwrap()
}

#[test]
fn every_target_becomes_its_own_job() {
    let (server, backup) = (
        "a1fa0000-1111-4111-8111-00000000000a",
        "6fdff738-bf44-4933-824f-489198dda9e6",
    );
    let disk = |what, layout, existing| {
        RestoreJob::Disk(DiskJob {
            what,
            place: "./disk".to_owned(),
            layout,
            existing,
        })
    };
    for (line, expected) in [
        (
            "a:latest --output x --force".to_owned(),
            RestoreJob::Output(OutputJob {
                choice: choice(),
                to: OutputTo::File(PathBuf::from("x")),
                existing: Existing::Replace,
            }),
        ),
        (
            "a:latest --output -".to_owned(),
            RestoreJob::Output(OutputJob {
                choice: choice(),
                to: OutputTo::Stdout,
                existing: Existing::Keep,
            }),
        ),
        (
            "a:latest --extract x --include *.yml --include world/*".to_owned(),
            RestoreJob::Extract(ExtractJob {
                choice: choice(),
                folder: PathBuf::from("x"),
                include: vec!["*.yml".parse().unwrap(), "world/*".parse().unwrap()],
                existing: Existing::Keep,
            }),
        ),
        (
            "a:latest --backup-disk ./disk".to_owned(),
            disk(
                DiskContent::One(choice()),
                DiskLayout::Pterodactyl,
                Existing::Keep,
            ),
        ),
        (
            "--backup-disk ./disk --all --server b --layout pelican --force".to_owned(),
            disk(
                DiskContent::All(vec!["b".parse().unwrap()]),
                DiskLayout::Pelican,
                Existing::Replace,
            ),
        ),
        (
            format!("a:latest --backup-disk ./disk --as {server}/{backup}"),
            disk(
                DiskContent::As {
                    choice: choice(),
                    server: server.parse().unwrap(),
                    backup: backup.parse().unwrap(),
                },
                DiskLayout::Pterodactyl,
                Existing::Keep,
            ),
        ),
        (
            "--sheet b".to_owned(),
            RestoreJob::Sheet(SheetJob {
                server: "b".parse().unwrap(),
            }),
        ),
        (
            "--drill".to_owned(),
            RestoreJob::Drill(DrillJob {
                sample: None,
                servers: Vec::new(),
            }),
        ),
        (
            "--drill --sample 7 --server b".to_owned(),
            RestoreJob::Drill(DrillJob {
                sample: Some(7),
                servers: vec!["b".parse().unwrap()],
            }),
        ),
    ] {
        assert_eq!(job(&line), expected, "{line}");
    }
}

#[test]
fn a_panel_takes_all_that_says_how_to_get_there() {
    let line = "a:latest --to-panel main --to-server b --truncate --via sftp --sftp-key k \
                --api-key-file f --yes --from nas --from s3://b/p --identity i --identity j \
                --limit-rate 20MiB";
    assert_eq!(
        flags(&line.split_whitespace().collect::<Vec<_>>().join(" ")),
        RestoreFlags {
            job: Some(RestoreJob::Panel(PanelJob {
                choice: choice(),
                server: "b".parse().unwrap(),
                files: ServerFiles::Truncate,
                via: Via::Sftp,
                sftp: SftpLogin::Key(PathBuf::from("k")),
                host_keys: SftpHostKeys::Known(None),
                consent: Consent::Given,
            })),
            from: vec!["nas".to_owned(), "s3://b/p".to_owned()],
            identities: vec![PathBuf::from("i"), PathBuf::from("j")],
            limit_rate: Some(20 << 20),
            panel: Some("main".to_owned()),
            api_key_file: Some(PathBuf::from("f")),
        }
    );
    let plain = job("a:latest --to-panel main --to-server b");
    assert_eq!(
        plain,
        RestoreJob::Panel(PanelJob {
            choice: choice(),
            server: "b".parse().unwrap(),
            files: ServerFiles::Keep,
            via: Via::Best,
            sftp: SftpLogin::None,
            host_keys: SftpHostKeys::Known(None),
            consent: Consent::ToBeAsked,
        })
    );
}
