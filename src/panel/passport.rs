//! A passport from the server object; whatever is not as expected is left out of it.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::mask::Secrets;
use crate::model::mask::without_url_credentials;
use crate::model::server::Allocation;
use crate::model::server::Egg;
use crate::model::server::MASK;
use crate::model::server::Passport;
use crate::model::server::Variable;
use crate::model::server::looks_secret;
use crate::panel::bound;
use crate::panel::wire::lenient;

/// So many variables are kept.
const MOST_VARIABLES: usize = 500;
/// So many addresses and ports are kept.
const MOST_ALLOCATIONS: usize = 500;

/// The fields of a server object that describe how to rebuild it.
#[derive(Deserialize)]
pub(super) struct WirePassport {
    #[serde(default, deserialize_with = "lenient")]
    node: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    docker_image: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    invocation: Option<String>,
    #[serde(default)]
    limits: Value,
    #[serde(default)]
    feature_limits: Value,
    #[serde(default, deserialize_with = "lenient")]
    relationships: Option<WireRelationships>,
}

/// Each may be absent, or `null_resource` where the key may not see it.
#[derive(Deserialize)]
struct WireRelationships {
    #[serde(default, deserialize_with = "lenient")]
    allocations: Option<WireItems>,
    #[serde(default, deserialize_with = "lenient")]
    variables: Option<WireItems>,
    #[serde(default, deserialize_with = "lenient")]
    egg: Option<WireItem<WireEgg>>,
}

#[derive(Deserialize)]
struct WireItems {
    data: Vec<Value>,
}

impl WireItems {
    fn read<T: DeserializeOwned>(self) -> Vec<T> {
        self.data
            .into_iter()
            .filter_map(|item| serde_json::from_value::<WireItem<T>>(item).ok())
            .map(|item| item.attributes)
            .collect()
    }
}

#[derive(Deserialize)]
struct WireItem<T> {
    attributes: T,
}

#[derive(Deserialize)]
struct WireEgg {
    #[serde(default, deserialize_with = "lenient")]
    uuid: Option<String>,
    name: String,
}

#[derive(Deserialize)]
struct WireAllocation {
    ip: String,
    #[serde(default, deserialize_with = "lenient")]
    ip_alias: Option<String>,
    port: u16,
    #[serde(default, deserialize_with = "lenient")]
    is_default: Option<bool>,
}

#[derive(Deserialize)]
struct WireVariable {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    env_variable: String,
    #[serde(default)]
    server_value: Value,
    #[serde(default)]
    default_value: Value,
}

/// A variable's value as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The passport.
///
/// A secret among the variables is masked wherever else it stands, and so are credentials in URLs.
/// It is bounded, so that a sidecar stays small enough to be read back whatever a panel sends; what
/// real panels can hold is far below the bounds.
pub(super) fn read(wire: WirePassport) -> Passport {
    let relationships = wire.relationships.unwrap_or(WireRelationships {
        allocations: None,
        variables: None,
        egg: None,
    });
    let variables: Vec<WireVariable> = relationships
        .variables
        .map(WireItems::read)
        .unwrap_or_default();
    let mut secrets = Secrets::default();
    let are_all_known = variables.len() <= MOST_VARIABLES;
    let variables: Vec<Variable> = variables
        .into_iter()
        .take(MOST_VARIABLES)
        .map(|wire| variable(wire, &mut secrets))
        .collect();
    let text = |text: Option<String>| {
        // What a variable left out may hold could stand here.
        text.filter(|text| !text.is_empty() && are_all_known)
            .map(|text| bound::text(without_secrets(&text, &secrets)))
    };
    let startup = text(wire.invocation);
    let description = text(wire.description);
    let variables = variables.into_iter().map(|variable| Variable {
        name: bound::name(variable.name),
        env: bound::name(variable.env),
        value: variable.value.map(|value| {
            if value == MASK {
                value
            } else {
                bound::text(without_secrets(&value, &secrets))
            }
        }),
    });
    let mut allocations: Vec<Allocation> = relationships
        .allocations
        .map(WireItems::read::<WireAllocation>)
        .unwrap_or_default()
        .into_iter()
        .map(|wire| Allocation {
            ip: bound::name(wire.ip),
            alias: wire.ip_alias.map(bound::name),
            port: wire.port,
            is_default: wire.is_default.unwrap_or(false),
        })
        .collect();
    allocations.sort_by_key(|allocation| !allocation.is_default);

    Passport {
        node: wire.node.map(bound::name),
        egg: relationships.egg.map(|egg| Egg {
            uuid: egg.attributes.uuid.map(bound::name),
            name: bound::name(egg.attributes.name),
        }),
        image: wire.docker_image.map(bound::name),
        startup,
        description,
        limits: bound::object(wire.limits),
        feature_limits: bound::object(wire.feature_limits),
        allocations: bound::list(allocations.into_iter().take(MOST_ALLOCATIONS)),
        variables: bound::list(variables),
    }
}

/// A variable, masked when its name says that it is a secret; what is secret in it is noted.
fn variable(wire: WireVariable, secrets: &mut Secrets) -> Variable {
    let name = wire.name.unwrap_or_else(|| wire.env_variable.clone());
    let value = text(&wire.server_value).or_else(|| text(&wire.default_value));
    let value = if looks_secret(&wire.env_variable) || looks_secret(&name) {
        value.filter(|value| !value.is_empty()).map(|secret| {
            secrets.add(&secret);
            MASK.to_owned()
        })
    } else {
        value.inspect(|value| secrets.add_those_of_urls(value))
    };
    Variable {
        name,
        env: wire.env_variable,
        value,
    }
}

fn without_secrets(text: &str, secrets: &Secrets) -> String {
    secrets.masked_in(&without_url_credentials(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_masked_value_is_masked_in_the_startup_command_too() {
        let wire: WirePassport = serde_json::from_value(json!({
            "invocation": "./srcds +ip 0.0.0.0 +rcon_password hunter2 -tickrate 64 -pw x1 -max x10",
            "relationships": { "variables": { "object": "list", "data": [
                { "object": "egg_variable", "attributes": { "name": "RCON", "env_variable": "RCON_PASS",
                    "default_value": "", "server_value": "hunter2" } },
                { "object": "egg_variable", "attributes": { "name": "Join", "env_variable": "JOIN_PASSWORD",
                    "default_value": "x1", "server_value": null } },
                { "object": "egg_variable", "attributes": { "name": "Rate", "env_variable": "TICKRATE",
                    "default_value": 128, "server_value": 64 } },
                { "object": "egg_variable", "attributes": null },
            ] } },
        }))
        .unwrap();
        let passport = read(wire);
        let masked = Some(MASK.to_owned());
        assert_eq!(
            passport.startup.as_deref(),
            Some("./srcds +ip 0.0.0.0 +rcon_password ******** -tickrate 64 -pw ******** -max x10")
        );
        let values: Vec<_> = passport.variables.into_iter().map(|v| v.value).collect();
        assert_eq!(values, [masked.clone(), masked, Some("64".to_owned())]);
    }

    #[test]
    fn secrets_and_credentials_in_urls_are_masked_wherever_they_stand() {
        let variable = |env: &str, value: &str| json!({ "attributes": { "env_variable": env, "server_value": value } });
        let wire: WirePassport = serde_json::from_value(json!({
            "invocation": "run --token t0psecret --db mysql://mc:hunter2@db/mc --as hunter2",
            "description": "ask ftp://bob:swordfish@host, rcon is t0psecret",
            "relationships": { "variables": { "data": [
                variable("JVM_ARGS", "-Drcon=t0psecret -Xmx2G"),
                variable("RCON_PASSWORD", "t0psecret"),
                variable("DATABASE", "mysql://mc:hunter2@db:3306/mc"),
                variable("MOTD", "hunter2 welcomes you"),
                variable("DISCORD_TOKEN", ""),
            ] } },
        }))
        .unwrap();
        let passport = read(wire);
        assert_eq!(
            passport.startup.as_deref(),
            Some("run --token ******** --db mysql://********@db/mc --as ********")
        );
        assert_eq!(
            passport.description.as_deref(),
            Some("ask ftp://********@host, rcon is ********")
        );
        let values: Vec<_> = passport
            .variables
            .iter()
            .map(|v| v.value.as_deref())
            .collect();
        assert_eq!(
            values,
            [
                Some("-Drcon=******** -Xmx2G"),
                Some(MASK),
                Some("mysql://********@db:3306/mc"),
                Some("******** welcomes you"),
                None
            ]
        );
    }

    #[test]
    fn with_more_variables_than_are_kept_no_text_is_that_could_repeat_the_others() {
        let variables: Vec<_> = (0..=MOST_VARIABLES)
            .map(
                |n| json!({ "attributes": { "env_variable": format!("V{n}"), "server_value": n } }),
            )
            .collect();
        let wire: WirePassport = serde_json::from_value(json!({
            "invocation": "run", "relationships": { "variables": { "data": variables } },
        }))
        .unwrap();
        let passport = read(wire);
        assert_eq!(
            (passport.startup, passport.variables.len()),
            (None, MOST_VARIABLES)
        );
    }

    #[test]
    fn parts_that_make_no_sense_are_left_out() {
        let wire: WirePassport = serde_json::from_value(json!({
            "node": 7, "description": "", "docker_image": ["x"], "limits": null,
            "relationships": {
                "egg": { "object": "null_resource", "attributes": null },
                "variables": { "object": "null_resource", "attributes": null },
                "allocations": { "object": "list", "data": [
                    { "attributes": { "ip": "10.0.0.1", "port": "25565" } },
                    { "attributes": { "ip": "10.0.0.1", "port": 25566 } },
                    { "attributes": { "ip": "10.0.0.2", "ip_alias": "play", "port": 25567, "is_default": true } },
                ] },
            },
        }))
        .unwrap();
        let passport = read(wire);
        assert_eq!(
            passport,
            Passport {
                allocations: vec![
                    Allocation {
                        ip: "10.0.0.2".to_owned(),
                        alias: Some("play".to_owned()),
                        port: 25567,
                        is_default: true
                    },
                    Allocation {
                        ip: "10.0.0.1".to_owned(),
                        alias: None,
                        port: 25566,
                        is_default: false
                    },
                ],
                ..Passport::default()
            }
        );
    }
}
