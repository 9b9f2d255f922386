//! Servers and backups as the panel's JSON shows them.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::listing;
use super::rows::Access;
use super::rows::BackupRow;
use super::rows::Checksum;
use super::rows::Condition;
use super::rows::Origin;
use super::rows::ServerRow;
use super::rows::Stage;
use super::state::Dialect;
use super::state::Identifiers;
use super::state::Role;
use super::token;

/// An instant as the panel shows it: its own timezone, whole seconds.
fn shown(instant: Timestamp, offset: Offset) -> String {
    Timestamp::from_second(instant.as_second())
        .unwrap_or(instant)
        .display_with_offset(offset)
        .to_string()
}

/// One backup object.
pub(super) fn backup(row: &BackupRow, dialect: Dialect, offset: Offset) -> Value {
    let created_at = shown(row.created_at, offset);
    let ended_at = shown(row.completed_at, offset);
    let is_completed = row.stage == Stage::Completed;
    let bytes = if is_completed { row.bytes } else { 0 };
    let checksum = match (&row.checksum, dialect) {
        _ if !is_completed => Value::Null,
        (Checksum::Verbatim(value), _) => value.clone(),
        (Checksum::Digests { sha256, .. }, Dialect::Documented) => json!(sha256),
        (Checksum::Digests { sha1, .. }, Dialect::Pterodactyl | Dialect::Pelican) => {
            json!(format!("sha1:{sha1}"))
        }
    };
    let mut attributes = json!({
        "uuid": row.wire_uuid,
        "name": row.name,
        "is_locked": row.is_locked,
        "ignored_files": row.ignored_files,
        "bytes": bytes,
        "created_at": created_at,
    });
    let own = match dialect {
        Dialect::Pterodactyl | Dialect::Pelican => json!({
            "checksum": checksum,
            "is_successful": is_completed,
            "completed_at": (row.stage != Stage::InProgress).then_some(ended_at),
        }),
        Dialect::Documented => json!({
            "sha256_hash": checksum,
            "is_successful": match row.stage {
                Stage::InProgress => Value::Null,
                Stage::Failed => json!(false),
                Stage::Completed => json!(true),
            },
            "completed_at": is_completed.then_some(ended_at),
        }),
    };
    if let (Some(all), Value::Object(own)) = (attributes.as_object_mut(), own) {
        all.extend(own);
        if dialect == Dialect::Pelican {
            let is_scheduled = row.origin == Origin::Scheduled;
            all.insert("is_scheduled".to_owned(), json!(is_scheduled));
        }
    }
    json!({"object": "backup", "attributes": attributes})
}

/// One server object, without the `meta` that only the single view has.
pub(super) fn server(row: &ServerRow, role: Role, identifiers: Identifiers, query: &str) -> Value {
    let status = match row.condition {
        Condition::Ready | Condition::Transferring | Condition::NodeMaintenance => None,
        Condition::Suspended => Some("suspended"),
        Condition::Installing => Some("installing"),
        Condition::InstallFailed => Some("install_failed"),
        Condition::Restoring => Some("restoring_backup"),
    };
    let is_installing = matches!(
        row.condition,
        Condition::Installing | Condition::InstallFailed
    );
    let mut attributes = json!({
        "server_owner": row.access == Access::Owner,
        "identifier": short_identifier(row),
        "internal_id": row.number,
        "uuid": row.wire_uuid,
        "name": row.name,
        "node": row.node,
        "is_node_under_maintenance": row.condition == Condition::NodeMaintenance,
        "sftp_details": {"ip": row.sftp.0, "port": row.sftp.1},
        "description": row.description,
        "limits": {"memory": 1024, "swap": 0, "disk": row.disk_mib, "io": 500, "cpu": 100,
            "threads": null, "oom_disabled": true},
        "invocation": row.invocation,
        "docker_image": row.image,
        "egg_features": ["eula", "java_version", "pid_limit"],
        "feature_limits": {"databases": 0, "allocations": 0, "backups": row.backup_limit},
        "status": status,
        "is_suspended": row.condition == Condition::Suspended,
        "is_installing": is_installing,
        "is_transferring": row.condition == Condition::Transferring,
        "relationships": relationships(row, role, query),
    });
    if let (Identifiers::Long, Some(attributes)) = (identifiers, attributes.as_object_mut()) {
        let long = long_identifier(row);
        attributes.insert("identifier".to_owned(), json!(long));
        attributes.insert("server_identifier".to_owned(), json!(long));
        attributes.insert(
            "__deprecated_uuid_short".to_owned(),
            json!(short_identifier(row)),
        );
    }
    json!({"object": "server", "attributes": attributes})
}

fn relationships(row: &ServerRow, role: Role, query: &str) -> Value {
    let variables: Vec<Value> = row
        .variables
        .iter()
        .map(|(name, env, value)| {
            json!({"object": "egg_variable", "attributes": {
                "name": name, "description": "", "env_variable": env, "default_value": "",
                "server_value": value, "is_editable": true, "rules": "nullable|string"}})
        })
        .collect();
    let is_seen_whole = row.access == Access::Owner || role == Role::Administrator;
    let variables = if is_seen_whole {
        json!({"object": "list", "data": variables})
    } else {
        json!({"object": "null_resource", "attributes": null})
    };
    let mut all = json!({
        "allocations": {"object": "list", "data": [{"object": "allocation", "attributes": {
            "id": row.number, "ip": "127.0.0.1", "ip_alias": null, "port": 25565,
            "notes": null, "is_default": true}}]},
        "variables": variables,
    });
    let included = listing::parameter(query, "include").unwrap_or_default();
    if included
        .replace("%2C", ",")
        .split(',')
        .any(|one| one == "egg")
        && let Some(all) = all.as_object_mut()
    {
        let egg = json!({"object": "egg", "attributes": {
            "uuid": "93536f33-a658-4abf-96e4-d108e4d4be15", "name": "Paper"}});
        all.insert("egg".to_owned(), egg);
    }
    all
}

/// Eight hex digits.
pub(super) fn short_identifier(row: &ServerRow) -> String {
    row.wire_uuid.chars().take(8).collect()
}

/// `serv_` and the uuid in base 32.
pub(super) fn long_identifier(row: &ServerRow) -> String {
    let uuid = Uuid::parse_str(&row.id.to_string()).unwrap_or_default();
    format!("serv_{}", token::base32(uuid.as_bytes()))
}
