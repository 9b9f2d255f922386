//! `--output -`: nothing but the archive on standard output, and its end only when it is proved.

use std::fs::File;
use std::fs::OpenOptions;
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;

use super::Vault;
use crate::support::archive::Archive;

const PIPE: [&str; 4] = ["restore", "Survival:latest", "--output", "-"];

#[tokio::test]
async fn the_archive_alone_is_on_standard_output_and_the_summary_beside_it() {
    let vault = Vault::in_two_folders(Archive::of_about(5, 9 << 20)).await;
    let piped = vault.raw(&PIPE).await;
    let stderr = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(piped.status.code(), Some(0), "{stderr}");
    assert!(piped.stdout == vault.archive.bytes());
    assert!(stderr.contains("restored"), "{stderr}");
    assert!(stderr.contains("standard output"), "{stderr}");
    let quiet = vault.raw(&[&["-q"], &PIPE[..]].concat()).await;
    assert_eq!((quiet.status.code(), quiet.stderr.len()), (Some(0), 0));
}

#[tokio::test]
async fn a_mismatch_withholds_the_end_and_says_that_the_rest_must_not_be_used() {
    let vault = Vault::in_two_folders(Archive::of_about(5, 9 << 20)).await;
    vault.flip("far");
    let piped = vault.raw(&PIPE).await;
    let stderr = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(piped.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("must not be used"), "{stderr}");
    let (got, whole) = (piped.stdout.len() as u64, vault.archive.len());
    assert!(got < whole, "{got} of {whole} bytes came");
}

#[tokio::test]
async fn as_long_as_nothing_was_written_the_next_copy_serves() {
    // Shorter than a part: nothing of the bad copy gets out.
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    vault.flip("far");
    let piped = vault.raw(&PIPE).await;
    let stderr = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(piped.status.code(), Some(0), "{stderr}");
    assert!(piped.stdout == vault.archive.bytes());
    assert!(stderr.contains("restored from near instead"), "{stderr}");
    vault.flip("near");
    let piped = vault.raw(&PIPE).await;
    assert_eq!((piped.status.code(), piped.stdout.len()), (Some(4), 0));
}

#[tokio::test]
async fn a_copy_that_is_cut_short_is_gone_on_from_with_the_next() {
    let vault = Vault::in_two_folders(Archive::of_about(5, 19 << 20)).await;
    let path = vault.path_at("far");
    // Cut while it is read, so that its length is right when it is opened.
    let mut child = vault
        .world
        .start(&[&PIPE[..], &["--limit-rate", "2MiB"]].concat());
    let mut stdout = child.stdout.take().unwrap();
    let mut got = vec![0];
    stdout.read_exact(&mut got).await.unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(10 << 20).unwrap();
    stdout.read_to_end(&mut got).await.unwrap();
    let ended = child.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert!(got == vault.archive.bytes());
    assert!(stderr.contains("restored from near instead"), "{stderr}");
}

#[tokio::test]
async fn a_full_disk_behind_it_is_told() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = vault.world.command(&PIPE).stdout(full).spawn().unwrap();
    let output = child.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("could not write to standard output"),
        "{stderr}"
    );
    assert!(stderr.contains("make room"), "{stderr}");
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_it_with_a_clear_word() {
    let vault = Vault::in_two_folders(Archive::of_about(5, 9 << 20)).await;
    let mut child = vault.world.start(&PIPE);
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("went away"), "{stderr}");
}

#[tokio::test]
async fn a_document_and_an_archive_do_not_share_standard_output() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let ran = vault.world.run(&[&PIPE[..], &["--json"]].concat()).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(
        ran.stderr.contains("can't both have standard output"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn an_archive_goes_to_a_terminal_only_by_force() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let restore = vault.world.command(&PIPE);
    let restore = restore.as_std();
    let words: Vec<String> = std::iter::once(restore.get_program())
        .chain(restore.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // `script` gives it a terminal of its own, and says how it ended.
    for (force, refused) in [("", true), (" --force", false)] {
        let transcript = vault.world.path("transcript");
        let ended = tokio::process::Command::new("script")
            .args(["--quiet", "--return", "--command"])
            .arg(format!("{}{force}", words.join(" ")))
            .arg(&transcript)
            .env_clear()
            .envs(
                restore
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("PATH", "/usr/bin:/bin")
            .env("SHELL", "/bin/sh")
            .current_dir(vault.world.path("."))
            .stdin(Stdio::null())
            .stdout(File::create(vault.world.path("seen")).unwrap())
            .status()
            .await
            .unwrap();
        let code = ended.code();
        let seen = std::fs::read(vault.world.path("seen")).unwrap();
        let seen = String::from_utf8_lossy(&seen);
        assert_eq!(code, Some(if refused { 2 } else { 0 }), "{seen}");
        assert_eq!(seen.contains("of no use to anybody"), refused, "{seen}");
    }
}
