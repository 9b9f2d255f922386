//! A person at a terminal, asked to type the server's name.

use super::Scene;
use super::members_of;
use crate::support::archive::Archive;
use crate::support::terminal;

/// Runs a restore at a terminal, types when it is asked, and gives its exit code and all that was shown.
async fn typed(scene: &Scene, text: &str) -> (Option<i32>, String) {
    terminal::typed(&scene.world, &scene.args(&["--truncate"]), text).await
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
