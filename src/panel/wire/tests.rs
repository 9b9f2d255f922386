use serde_json::json;

use super::*;
use crate::model::sidecar::SidecarServer;

/// A completed backup with some fields changed; a changed field of `json!("absent")` is left out.
fn backup(changes: &Value) -> Value {
    let mut row = json!({
        "uuid": "6fdff738-bf44-4933-824f-489198dda9e6", "is_successful": true, "is_locked": false, "name": "nightly",
        "ignored_files": ["*.log"], "checksum": "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", "bytes": 20,
        "created_at": "2025-03-01T03:00:00+00:00", "completed_at": "2025-03-01T05:02:41+02:00", "is_scheduled": true,
    });
    for (key, value) in changes.as_object().unwrap() {
        if value == "absent" {
            row.as_object_mut().unwrap().remove(key);
        } else {
            row[key] = value.clone();
        }
    }
    row
}

fn state(changes: &Value) -> &'static str {
    match Backup::read(backup(changes)) {
        Ok(Backup::Pending(_)) => "pending",
        Ok(Backup::Failed(_)) => "failed",
        Ok(Backup::Completed(_)) => "completed",
        Err(_) => "unreadable",
    }
}

#[test]
fn a_completed_backup_is_read_whole() {
    assert_eq!(
        Backup::read(backup(&json!({}))),
        Ok(Backup::Completed(CompletedBackup {
            record: BackupRecord {
                id: "6fdff738-bf44-4933-824f-489198dda9e6".parse().unwrap(),
                name: "nightly".to_owned(),
                is_locked: false,
                ignored_files: vec!["*.log".to_owned()],
                created_at: "2025-03-01T03:00:00Z".parse().unwrap(),
            },
            archive_bytes: 20,
            checksum: PanelChecksum::parse(Some("sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709")),
            completed_at: "2025-03-01T03:02:41Z".parse().unwrap(),
        }))
    );
}

#[test]
fn states_are_told_apart_as_real_panels_mean_them() {
    for (changes, expected) in [
        (json!({}), "completed"),
        (json!({"is_successful": false}), "failed"),
        (
            json!({"is_successful": false, "completed_at": null, "checksum": null, "bytes": 0}),
            "pending",
        ),
        // Before panel v1.5.1.
        (
            json!({"is_successful": true, "completed_at": null}),
            "pending",
        ),
        (
            json!({"is_successful": true, "completed_at": "absent"}),
            "pending",
        ),
    ] {
        assert_eq!(state(&changes), expected, "{changes}");
    }
}

#[test]
fn states_are_told_apart_as_the_documented_api_means_them() {
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (changes, expected) in [
        (
            json!({"checksum": "absent", "sha256_hash": digest}),
            "completed",
        ),
        (
            json!({"checksum": "absent", "sha256_hash": null, "is_successful": null, "completed_at": null}),
            "pending",
        ),
        (
            json!({"checksum": "absent", "sha256_hash": null, "is_successful": false, "completed_at": null}),
            "failed",
        ),
        (
            json!({"checksum": null, "sha256_hash": null, "is_successful": false, "completed_at": null}),
            "pending",
        ),
        (json!({"is_successful": null}), "pending"),
    ] {
        assert_eq!(state(&changes), expected, "{changes}");
    }
}

#[test]
fn the_real_checksum_is_preferred_and_the_documented_one_understood() {
    let sha1 = "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709";
    let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (changes, expected) in [
        (
            json!({"checksum": sha1, "sha256_hash": sha256}),
            Some(sha1.to_owned()),
        ),
        (
            json!({"checksum": null, "sha256_hash": sha256}),
            Some(format!("sha256:{sha256}")),
        ),
        (
            json!({"checksum": "absent", "sha256_hash": sha256}),
            Some(format!("sha256:{sha256}")),
        ),
        (json!({"checksum": null}), None),
        (json!({"checksum": "absent"}), None),
    ] {
        let Ok(Backup::Completed(read)) = Backup::read(backup(&changes)) else {
            panic!("{changes}")
        };
        assert_eq!(
            read.checksum,
            PanelChecksum::parse(expected.as_deref()),
            "{changes}"
        );
    }
}

#[test]
fn one_row_that_makes_no_sense_does_not_spoil_the_others() {
    let escape = "\u{1b}[2J".repeat(1000);
    let row = |attributes| json!({"object": "backup", "attributes": attributes});
    let body = json!({"object": "list", "data": [
        row(backup(&json!({"uuid": "../../../../etc/passwd"}))),
        row(backup(&json!({"uuid": escape}))),
        row(backup(&json!({"uuid": "absent"}))),
        row(backup(&json!({"created_at": "absent"}))),
        row(backup(&json!({"created_at": "2025-03-01 03:00:00"}))),
        row(backup(&json!({"completed_at": "yesterday"}))),
        row(backup(&json!({"bytes": "absent"}))),
        row(backup(&json!({"bytes": null}))),
        row(backup(&json!({"bytes": -1}))),
        row(backup(&json!({"bytes": u64::MAX}))),
        row(backup(&json!({"is_successful": "absent"}))),
        row(backup(&json!({"is_successful": 1}))),
        row(backup(&json!({"checksum": 7}))),
        row(json!(null)), json!(null), json!({}), json!([]),
        row(backup(&json!({}))),
    ], "meta": {"pagination": {"total": 18, "count": 18, "per_page": 50, "current_page": 1, "total_pages": 1, "links": {}}}});
    let page: Page<Backup> = page(body.to_string().as_bytes()).unwrap();
    let (mut read, mut unreadable) = (0, Vec::new());
    for row in page.rows {
        match row {
            Row::Read { .. } => read += 1,
            Row::Unreadable(row) => unreadable.push(row),
        }
    }
    assert_eq!((read, unreadable.len()), (1, 17));
    assert_eq!(
        unreadable[0],
        UnreadableRow {
            id: "../../../../etc/passwd".to_owned(),
            why: "its uuid is unusable: `../../../../etc/passwd` is not a uuid".to_owned(),
        }
    );
    assert_eq!(unreadable[6].why, "`bytes` is missing");
    for row in unreadable {
        let text = format!("{} {}", row.id, row.why);
        assert!(
            text.len() < 1000 && !text.contains(char::is_control),
            "{text}"
        );
    }
}

#[test]
fn hostile_names_are_kept_as_data() {
    for name in ["../..", "nul\0", "💾", &"x".repeat(10_000)] {
        let read = Backup::read(backup(&json!({"name": name}))).unwrap();
        assert_eq!(read.record().name, name);
    }
    let read = Backup::read(backup(&json!({"name": null, "is_locked": "absent"}))).unwrap();
    assert_eq!(read.record().name, "");
}

#[test]
fn ignored_files_of_any_shape_are_read() {
    for (sent, kept) in [
        (json!(["a", 1, "b"]), vec!["a", "b"]),
        (json!("a\n\nb"), vec!["a", "b"]),
        (json!({}), vec![]),
        (json!(null), vec![]),
    ] {
        let read = Backup::read(backup(&json!({"ignored_files": sent}))).unwrap();
        assert_eq!(read.record().ignored_files, kept, "{sent}");
    }
}

#[test]
fn numbers_about_pages_may_be_missing() {
    let meta = |meta: Value| json!({"object": "list", "data": [], "meta": meta}).to_string();
    for (body, expected) in [
        (json!({"data": []}).to_string(), None),
        (meta(json!([])), None),
        (meta(json!({"pagination": {"total": "x"}})), None),
        (
            meta(json!({"backup_count": 2, "pagination": {"total": 3, "total_pages": 1}})),
            Some(Pagination {
                total: 3,
                counted: Some(2),
                per_page: None,
                total_pages: 1,
            }),
        ),
        (
            meta(
                json!({"backup_count": "x", "pagination": {"total": 3, "total_pages": 1, "links": []}}),
            ),
            Some(Pagination {
                total: 3,
                counted: None,
                per_page: None,
                total_pages: 1,
            }),
        ),
    ] {
        let page: Page<Backup> = page(body.as_bytes()).unwrap();
        assert_eq!(page.pagination, expected, "{body}");
    }
}

#[test]
fn the_first_reason_of_the_gate_is_the_state() {
    for (fields, expected) in [
        (json!({"status": null}), ServerState::Ready),
        (json!({"status": "reinstall_failed"}), ServerState::Ready),
        (json!({"status": "some_new_word"}), ServerState::Ready),
        (json!({"status": "installing"}), ServerState::Installing),
        (json!({"status": "install_failed"}), ServerState::Installing),
        (json!({"is_installing": true}), ServerState::Installing),
        (
            json!({"status": "restoring_backup", "is_transferring": false}),
            ServerState::Restoring,
        ),
        (json!({"is_transferring": true}), ServerState::Transferring),
        (
            json!({"is_node_under_maintenance": true, "status": "installing"}),
            ServerState::NodeMaintenance,
        ),
        (
            json!({"status": "suspended", "is_node_under_maintenance": true}),
            ServerState::Suspended,
        ),
        (json!({"is_suspended": true}), ServerState::Suspended),
    ] {
        let mut attributes =
            json!({"uuid": "a1fa0000-1111-4111-8111-00000000000a", "name": "Alpha"});
        for (key, value) in fields.as_object().unwrap() {
            attributes[key] = value.clone();
        }
        let server = Server::read(attributes).unwrap();
        assert_eq!(server.state, expected, "{fields}");
        assert_eq!(server.identifier, "a1fa0000");
    }
}

#[test]
fn a_serv_identifier_is_kept_and_the_uuid_stays_the_key() {
    let server = Server::read(
        json!({"uuid": "a1fa0000-1111-4111-8111-00000000000a", "name": "Alpha",
        "identifier": "serv_2hq8000hz48gr0000000a", "__deprecated_uuid_short": "a1fa0000"}),
    );
    let server = server.unwrap();
    assert_eq!(server.identifier, "serv_2hq8000hz48gr0000000a");
    assert_eq!(server.id.short(), "a1fa0000");
}

#[test]
fn nothing_of_an_unusable_link_is_repeated() {
    for url in [
        json!("ftp://sentinel"),
        json!(["sentinel"]),
        json!("sentinel"),
        json!(null),
    ] {
        let body = json!({"object": "signed_url", "attributes": {"url": url}}).to_string();
        let why = link(body.as_bytes()).unwrap_err().to_string();
        assert!(!why.contains("sentinel"), "{why}");
    }
}

#[test]
fn only_a_panels_error_body_is_a_refusal() {
    for body in [
        "",
        "[]",
        "{}",
        "{\"errors\":[]}",
        "{\"error\":\"x\"}",
        "<html>",
    ] {
        assert_eq!(refusal(body.as_bytes()), None, "{body}");
    }
    assert_eq!(
        refusal(br#"{"errors":[{"code":"A","status":"400","detail":null},{"code":"B"}]}"#),
        Some(Refusal {
            code: "A".to_owned(),
            detail: String::new()
        })
    );
}

#[test]
fn whatever_a_panel_sends_a_sidecar_stays_small_enough_to_be_read_back() {
    // A control character is the one that grows most when it is written.
    let long = "\u{1}".repeat(1 << 20);
    let many = |item: Value| Value::Array(vec![item; 2000]);
    let deep = (0..100).fold(many(json!(0)), |inner, _| json!([inner]));
    let hostile = json!({
        "uuid": "a1fa0000-1111-4111-8111-00000000000a", "identifier": long, "name": long, "node": long,
        "description": long, "docker_image": long, "invocation": long, "limits": deep, "feature_limits": long,
        "relationships": {
            "egg": { "attributes": { "uuid": long, "name": long } },
            "allocations": { "data": many(json!({ "attributes": { "ip": "\u{1}".repeat(900), "port": 1 } })) },
            "variables": { "data": many(json!({ "attributes": {
                "env_variable": "A", "name": "A", "server_value": "\u{1}".repeat(10_000) } })) },
        },
    });
    let server = Server::read(hostile).unwrap();
    assert_eq!(server.identifier, "a1fa0000");
    assert_eq!(server.passport.limits, Value::Null);
    assert!(!server.passport.variables.is_empty() && !server.passport.allocations.is_empty());
    let Ok(Backup::Completed(backup)) = Backup::read(backup(
        &json!({ "name": long, "ignored_files": many(json!("\u{1}".repeat(100))) }),
    )) else {
        panic!("unreadable")
    };
    let server = serde_json::to_value(SidecarServer {
        uuid: server.id,
        identifier: server.identifier,
        name: server.name,
        passport: server.passport,
    });
    let texts = json!([
        server.unwrap(),
        backup.record.name,
        backup.record.ignored_files
    ]);
    let written = serde_json::to_vec_pretty(&texts).unwrap().len();
    assert!((1_000_000..4_000_000).contains(&written), "{written}");
}
