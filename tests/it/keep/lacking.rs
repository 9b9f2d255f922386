//! Archives that look wrong: found while they are mirrored, shown, and accepted.

use nestegg::report::json;
use serde_json::Value;
use serde_json::json;

use super::Marked;
use crate::support::archive::Archive;
use crate::support::members::Members;
use crate::support::schema::assert_fits;

fn world() -> Archive {
    Members::new()
        .file("world/level.dat", "level")
        .file("ops.json", "[]")
        .archive()
}

fn without_world() -> Archive {
    Members::new().file("ops.json", "[]").archive()
}

impl Marked {
    async fn suspicion(&self) -> Value {
        let status = self.run(&["status", "--json"]).await;
        let document = status.json();
        assert_fits(json::STATUS_SCHEMA, &document);
        document["servers"][0]["suspicion"].clone()
    }
}

#[tokio::test]
async fn what_an_archive_lacks_is_told_and_makes_its_server_suspicious_until_it_is_accepted() {
    let demand = "[drill]\nmust_contain = [\"world/level.dat\", \"*.json\"]\n";
    let marked = Marked::with([world()], demand).await;
    assert_eq!(marked.suspicion().await, Value::Null);
    let bad = marked
        .world
        .panel
        .add_backup(marked.server, "nightly", without_world());
    let ran = marked.run(&["-q", "mirror", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = ran.json();
    assert_fits(json::MIRROR_SCHEMA, &document);
    assert_eq!(document["counts"]["mirrored"], 1);
    assert_eq!(
        document["lacking"],
        json!([{"panel": "main", "server": marked.server, "backup": bad, "name": "nightly",
                "must_contain": ["world/level.dat"]}])
    );
    let suspicion = marked.suspicion().await;
    assert_eq!(suspicion["backup"], json!(bad));
    assert_eq!(suspicion["signs"][0]["sign"], "lacks", "{suspicion}");
    let told = marked.run(&["status"]).await.stdout;
    assert!(told.contains(&format!("nestegg accept {bad}")), "{told}");
    // It is a good copy all the same.
    assert_eq!(marked.run(&["verify"]).await.code, Some(0));

    let (ran, document) = marked
        .mark(&["accept", "Survival", "--reason", "a new world"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let accepted = &document["backups"][0];
    assert_eq!(accepted["backup"], json!(bad));
    assert_eq!(accepted["lifted"][0]["sign"], "lacks");
    assert_eq!(accepted["copies"], json!([]));
    assert_eq!(marked.suspicion().await, Value::Null);
    // The next one is looked at anew.
    marked
        .world
        .panel
        .add_backup(marked.server, "nightly", without_world());
    assert_eq!(marked.run(&["mirror"]).await.code, Some(0));
    assert_ne!(marked.suspicion().await, Value::Null);
}

#[tokio::test]
async fn rules_say_what_the_archives_of_some_servers_must_contain_instead() {
    let rules = "[drill]\nmust_contain = [\"nowhere\"]\n\
                 [[drill.rule]]\nservers = [\"Surv*\"]\nmust_contain = [\"ops.json\"]\n";
    let marked = Marked::with([without_world()], rules).await;
    assert_eq!(marked.suspicion().await, Value::Null);
}

#[tokio::test]
async fn a_quiet_night_is_not_quiet_about_what_an_archive_lacks() {
    let marked = Marked::with([world()], "[drill]\nmust_contain = [\"world\"]\n").await;
    marked
        .world
        .panel
        .add_backup(marked.server, "nightly", without_world());
    let ran = marked.run(&["-q", "mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains("nothing in the archive matches `world`"),
        "{}",
        ran.stdout
    );
    assert_eq!(marked.run(&["-q", "mirror"]).await.stdout, "");
}

#[tokio::test]
async fn an_archive_that_is_far_smaller_than_those_before_it_is_suspicious() {
    let sizes = [200_000, 210_000, 190_000, 50_000];
    let archives = sizes
        .into_iter()
        .zip(1..)
        .map(|(bytes, seed)| Archive::of_about(seed, bytes));
    let marked = Marked::with(archives, "").await;
    let suspicion = marked.suspicion().await;
    assert_eq!(suspicion["backup"], json!(marked.backups[3]));
    assert_eq!(suspicion["signs"][0]["sign"], "shrunk", "{suspicion}");
    let told = marked.run(&["status"]).await.stdout;
    assert!(told.contains("SUSPICIOUS"), "{told}");
    marked.configure("[prune]\nshrink_alarm = \"10%\"\n");
    assert_eq!(marked.suspicion().await, Value::Null);
    marked.configure("");
    let accepted = marked.run(&["accept", &marked.backup(3)]).await;
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    assert!(
        accepted.stdout.contains("no longer suspicious"),
        "{}",
        accepted.stdout
    );
    assert_eq!(marked.suspicion().await, Value::Null);
}
