//! A person at a terminal, asked to type the server's name.

use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Scene;
use super::members_of;
use crate::support::archive::Archive;

/// Runs a restore at a terminal, types when it is asked, and gives its exit code and all that was shown.
async fn typed(scene: &Scene, text: &str) -> (Option<i32>, String) {
    let inner = scene.world.command(&scene.args(&["--truncate"]));
    let inner = inner.as_std();
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // A terminal of its own: `script` is on every Debian.
    let mut outer = Command::new("script");
    outer
        .args(["-q", "-e", "-f", "-c", &words.join(" "), "/dev/null"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .current_dir(inner.get_current_dir().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap());
    }
    let mut child = outer.spawn().unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    let mut has_typed = false;
    while screen.read_buf(&mut shown).await.unwrap() > 0 {
        if !has_typed && String::from_utf8_lossy(&shown).contains("to go on:") {
            keyboard.write_all(text.as_bytes()).await.unwrap();
            keyboard.flush().await.unwrap();
            has_typed = true;
        }
    }
    let ended = child.wait().await.unwrap();
    drop(keyboard);
    scene.world.assert_no_secret_in("the screen", &shown);
    (ended.code(), String::from_utf8(shown).unwrap())
}

async fn scene() -> Scene {
    let scene = Scene::new(Archive::small(1)).await;
    scene.put("old.txt", "old");
    scene
}

#[tokio::test]
async fn who_types_the_server_s_name_is_obeyed() {
    let scene = scene().await;
    let (code, shown) = typed(&scene, "New Survival\n").await;
    assert_eq!(code, Some(0), "{shown}");
    let question = format!(
        "This will delete all files of the server New Survival ({}), which has 1 file or folder in its root.",
        scene.target
    );
    assert!(shown.contains(&question), "{shown}");
    assert!(scene.tree() == members_of(&scene.archive));
}

#[tokio::test]
async fn another_word_or_none_changes_nothing() {
    // A control character is what the keyboard sends for the end of input, and for an interrupt.
    for (text, code, says) in [
        ("survival\n", 1, "nobody agreed to delete all files"),
        ("\n", 1, "nobody agreed to delete all files"),
        ("\x04", 1, "nobody agreed to delete all files"),
        ("\x03", 130, "nothing was changed in the server"),
    ] {
        let scene = scene().await;
        let (ended, shown) = typed(&scene, text).await;
        assert_eq!(ended, Some(code), "{text:?}: {shown}");
        assert!(shown.contains(says), "{text:?}: {shown}");
        assert_eq!(scene.deeds(), Vec::<String>::new());
        assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["old.txt"]);
    }
}
