//! A terminal with a person at it.

use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::world::World;

/// Runs the binary at a terminal, types when it is asked, and gives its exit code and all that was shown.
pub(crate) async fn typed(world: &World, args: &[String], text: &str) -> (Option<i32>, String) {
    let inner = world.command(args);
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
    world.assert_no_secret_in("the screen", &shown);
    (ended.code(), String::from_utf8(shown).unwrap())
}
