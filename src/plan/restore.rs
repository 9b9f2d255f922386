//! Which backup a restore means, and in which order its copies are tried.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::choice::BackupChoice;
use crate::model::choice::Moment;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::outcome::FailureKind;
use crate::model::selector::ServerSelector;
use crate::model::text::likeliest;
use crate::model::text::shown_name;

/// So many known names are told to someone whose word names nothing.
const NAMES_TOLD: usize = 5;
/// Names are cut to this many characters.
const NAME_CHARACTERS: usize = 40;
/// Verifications within one such stretch of time count as equally recent, and so do copies: what was
/// done in one run is not told apart by its order in that run.
const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// Why a choice means no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// There is no copy of anything.
    #[error("no copy of any backup was found")]
    NothingHeld,
    /// No copy of the backup.
    #[error("no copy of the backup {backup} was found")]
    NoSuchBackup {
        /// The backup.
        backup: BackupId,
    },
    /// The uuid is a server's.
    #[error("{uuid} is the server `{name}`, not a backup")]
    ServersUuid {
        /// The uuid.
        uuid: BackupId,
        /// The server's name, fit to be shown.
        name: String,
    },
    /// Two panels, or a panel and a placeholder, have a backup of this uuid.
    #[error("the backup {backup} is held for several servers: {}", .servers.join(", "))]
    SeveralOfThatUuid {
        /// The backup.
        backup: BackupId,
        /// The servers, fit to be shown.
        servers: Vec<String>,
    },
    /// No server of which a copy is held fits the word.
    #[error("`{word}` names no server that a copy is held of")]
    NoSuchServer {
        /// The word, fit to be shown.
        word: String,
        /// Some of the servers that there are, the likeliest first.
        known: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// Several servers fit it.
    #[error("`{word}` names several servers: {}{}", .servers.join(", "), and_more(*.more))]
    SeveralServers {
        /// The word, fit to be shown.
        word: String,
        /// Some of them with their ids, fit to be shown.
        servers: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// All that is held of the server is newer.
    #[error("no copy is held of a backup of `{server}` that was completed by {moment}")]
    NothingSoOld {
        /// The server, fit to be shown.
        server: String,
        /// The moment.
        moment: String,
        /// When the oldest backup of which a copy is held was completed.
        oldest: Timestamp,
        /// The same for the newest.
        newest: Timestamp,
    },
}

fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

impl NoChoice {
    /// What kind of failure this is: what was asked for is not there.
    pub const fn kind(&self) -> FailureKind {
        FailureKind::NotFound
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let look = "`nestegg list`, with --from where copies are, shows what there is";
        let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M");
        match self {
            Self::NothingHeld => {
                "name a place that holds copies with --from; only `nestegg mirror` makes them"
                    .to_owned()
            }
            Self::NoSuchBackup { .. } => look.to_owned(),
            Self::ServersUuid { uuid, .. } => format!("for its newest backup write {uuid}:latest"),
            Self::SeveralOfThatUuid { .. } => {
                "choose by server and time, as in SERVER:2026-11-01T03:00".to_owned()
            }
            Self::NoSuchServer { known, more, .. } => {
                format!("known: {}{}", known.join(", "), and_more(*more))
            }
            Self::SeveralServers { .. } => "name one by its id".to_owned(),
            Self::NothingSoOld { oldest, newest, .. } => format!(
                "the oldest is of {}, the newest of {} (UTC)",
                minute(*oldest),
                minute(*newest)
            ),
        }
    }
}

/// The copies of the one backup that is meant, among all that are known.
///
/// # Errors
/// [`NoChoice`]: none is, or more than one.
pub fn choose<'c>(
    copies: &'c [HeldCopy],
    choice: &BackupChoice,
    zone: &TimeZone,
) -> Result<Vec<&'c HeldCopy>, NoChoice> {
    let (server, backup) = match choice {
        BackupChoice::Backup(backup) => (server_of(copies, *backup)?, *backup),
        BackupChoice::Of { server, moment } => {
            let server = one_server(copies, server)?;
            (server, newest_by(copies, server, *moment, zone)?)
        }
    };
    let is_meant = |copy: &&HeldCopy| copy.server == server && copy.backup == backup;
    Ok(copies.iter().filter(is_meant).collect())
}

/// The copies of every backup of the servers that are meant, a list a backup, by server and newest
/// first; no selector means every server.
///
/// # Errors
/// [`NoChoice`] for a word that fits no server, and when nothing is held at all.
pub fn choose_all<'c>(
    copies: &'c [HeldCopy],
    servers: &[ServerSelector],
) -> Result<Vec<Vec<&'c HeldCopy>>, NoChoice> {
    if copies.is_empty() {
        return Err(NoChoice::NothingHeld);
    }
    for selector in servers {
        if !copies.iter().any(|copy| is_meant(selector, copy)) {
            return Err(no_such_server(copies, selector));
        }
    }
    let mut backups: BTreeMap<_, Vec<&HeldCopy>> = BTreeMap::new();
    for copy in copies {
        if servers.is_empty() || servers.iter().any(|selector| is_meant(selector, copy)) {
            let of = (copy.server, Reverse(copy.completed_at), copy.backup);
            backups.entry(of).or_default().push(copy);
        }
    }
    Ok(backups.into_values().collect())
}

/// The one server that a word means, among those of which a copy is held.
///
/// # Errors
/// [`NoChoice`]: none is, or more than one.
pub fn one_server(copies: &[HeldCopy], selector: &ServerSelector) -> Result<ServerId, NoChoice> {
    if copies.is_empty() {
        return Err(NoChoice::NothingHeld);
    }
    let fitting = copies.iter().filter(|copy| is_meant(selector, copy));
    let servers: BTreeMap<ServerId, &HeldCopy> = fitting.map(|copy| (copy.server, copy)).collect();
    let mut ids = servers.keys();
    match (ids.next(), ids.next()) {
        (None, _) => Err(no_such_server(copies, selector)),
        (Some(only), None) => Ok(*only),
        (Some(_), Some(_)) => {
            let more = servers.len().saturating_sub(NAMES_TOLD);
            let told = servers.into_values().take(NAMES_TOLD);
            Err(NoChoice::SeveralServers {
                word: shown_name(selector.as_str(), NAME_CHARACTERS),
                servers: told.map(server_in_words).collect(),
                more,
            })
        }
    }
}

fn is_meant(selector: &ServerSelector, copy: &HeldCopy) -> bool {
    selector.matches_words(copy.server, &copy.identifier, &copy.server_name)
}

fn server_in_words(copy: &HeldCopy) -> String {
    let name = shown_name(&copy.server_name, NAME_CHARACTERS);
    format!("{name} ({})", copy.server)
}

fn no_such_server(copies: &[HeldCopy], selector: &ServerSelector) -> NoChoice {
    let names = copies.iter().map(|copy| copy.server_name.as_str());
    let (known, more) = likeliest(selector.as_str(), names, NAMES_TOLD, NAME_CHARACTERS);
    NoChoice::NoSuchServer {
        word: shown_name(selector.as_str(), NAME_CHARACTERS),
        known,
        more,
    }
}

fn server_of(copies: &[HeldCopy], backup: BackupId) -> Result<ServerId, NoChoice> {
    let of_it = copies.iter().filter(|copy| copy.backup == backup);
    let servers: BTreeMap<ServerId, &HeldCopy> = of_it.map(|copy| (copy.server, copy)).collect();
    let mut ids = servers.keys();
    match (ids.next(), ids.next()) {
        (Some(only), None) => Ok(*only),
        (Some(_), Some(_)) => Err(NoChoice::SeveralOfThatUuid {
            backup,
            servers: servers.into_values().map(server_in_words).collect(),
        }),
        (None, _) => {
            let uuid = backup.to_string();
            let mut servers = copies.iter();
            match servers.find(|copy| copy.server.to_string() == uuid) {
                Some(copy) => Err(NoChoice::ServersUuid {
                    uuid: backup,
                    name: shown_name(&copy.server_name, NAME_CHARACTERS),
                }),
                None => Err(NoChoice::NoSuchBackup { backup }),
            }
        }
    }
}

fn newest_by(
    copies: &[HeldCopy],
    server: ServerId,
    moment: Moment,
    zone: &TimeZone,
) -> Result<BackupId, NoChoice> {
    let of_it = || copies.iter().filter(|copy| copy.server == server);
    let in_time = of_it().filter(|copy| moment.includes(copy.completed_at, zone));
    let newest = in_time.max_by_key(|copy| (copy.completed_at, copy.created_at, copy.backup));
    let times = || of_it().map(|copy| copy.completed_at);
    match (newest, times().min(), times().max()) {
        (Some(newest), _, _) => Ok(newest.backup),
        (None, Some(oldest), Some(newest)) => Err(NoChoice::NothingSoOld {
            server: of_it().next().map_or_else(String::new, |copy| {
                shown_name(&copy.server_name, NAME_CHARACTERS)
            }),
            moment: moment.to_string(),
            oldest,
            newest,
        }),
        (None, _, _) => Err(NoChoice::NothingHeld),
    }
}

/// Whether there is anything to open encrypted copies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// At least one private key.
    Given,
    /// None.
    Missing,
}

/// A copy in its place of the order, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// The copy.
    pub copy: HeldCopy,
    /// What speaks for it and against it, in plain words.
    pub why: String,
}

/// The copies of one backup in the order in which they are to be tried.
///
/// The first rule that tells two copies apart decides: what can't be opened for want of a key comes
/// last; what was read back and found right on a later day comes first, what never was last; then
/// what lies on this machine; then what needs no decryption; then the copy of a later day; then the name.
pub fn rank(copies: Vec<HeldCopy>, keys: Keys) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = copies
        .into_iter()
        .map(|copy| Ranked {
            why: why(&copy, keys),
            copy,
        })
        .collect();
    ranked.sort_by(|a, b| order(&a.copy, keys).cmp(&order(&b.copy, keys)));
    ranked
}

/// Whether the copies of one backup say that they hold different archives.
pub fn disagree(copies: &[&HeldCopy]) -> bool {
    let digests: BTreeSet<String> = copies.iter().map(|copy| copy.sha256.to_hex()).collect();
    digests.len() > 1
}

fn order(copy: &HeldCopy, keys: Keys) -> impl Ord + use<'_> {
    let is_encrypted = copy.encryption.is_some();
    let day = |at: Timestamp| at.as_second().div_euclid(SECONDS_A_DAY);
    (
        is_encrypted && keys == Keys::Missing,
        Reverse(copy.verified_at.map(day)),
        !is_local(copy),
        is_encrypted,
        Reverse(day(copy.mirrored_at)),
        &copy.destination,
    )
}

fn is_local(copy: &HeldCopy) -> bool {
    copy.location.starts_with("file://")
}

fn why(copy: &HeldCopy, keys: Keys) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d");
    let read_back = match copy.verified_at {
        Some(at) => format!("read back and found right on {}", day(at)),
        None => format!(
            "not read back since it was made on {}",
            day(copy.mirrored_at)
        ),
    };
    let place = if is_local(copy) {
        "on this machine"
    } else {
        "remote"
    };
    let seal = match (&copy.encryption, keys) {
        (None, _) => "not encrypted",
        (Some(_), Keys::Given) => "encrypted",
        (Some(_), Keys::Missing) => "encrypted, and no identity is given",
    };
    format!("{read_back}; {place}; {seal}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::backup::LockState;
    use crate::model::checksum::Algorithm;
    use crate::model::checksum::ContentDigest;
    use crate::model::checksum::Verdict;
    use crate::model::holding::PanelPresence;
    use crate::model::key::ObjectKey;
    use crate::model::key::ObjectKind;
    use crate::model::sidecar::Encryption;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn server(number: u8) -> ServerId {
        format!("a1fa000{number}-1111-4111-8111-00000000000a")
            .parse()
            .unwrap()
    }

    fn backup(number: u8) -> BackupId {
        format!("6fdff738-bf44-4933-824f-{number:012}")
            .parse()
            .unwrap()
    }

    fn copy(of: u8, name: &str, number: u8, completed_at: &str, destination: &str) -> HeldCopy {
        HeldCopy {
            panel: "main".parse().unwrap(),
            server: server(of),
            identifier: format!("serv_{of}"),
            server_name: name.to_owned(),
            backup: backup(number),
            backup_name: "nightly".to_owned(),
            created_at: at(completed_at),
            completed_at: at(completed_at),
            panel_checksum: None,
            on_panel: PanelPresence::Listed,
            destination: destination.parse().unwrap(),
            location: format!("s3://{destination}"),
            key: ObjectKey::for_backup(server(of), backup(number), ObjectKind::Archive),
            archive_bytes: 1,
            sha256: ContentDigest::from_hex(Algorithm::Sha256, &"07".repeat(32)).unwrap(),
            stored_bytes: 1,
            stored_sha256: ContentDigest::from_hex(Algorithm::Sha256, &"07".repeat(32)).unwrap(),
            encryption: None,
            structure: None,
            etag: None,
            verdict: Verdict::Structure,
            mirrored_at: at(completed_at),
            verified_at: None,
            kept: None,
            lock: LockState::Unlocked,
        }
    }

    fn held() -> Vec<HeldCopy> {
        vec![
            copy(1, "Survival", 1, "2026-11-01T03:00:00Z", "b2"),
            copy(1, "Survival", 1, "2026-11-01T03:00:00Z", "nas"),
            copy(1, "Survival", 2, "2026-11-02T03:00:00Z", "b2"),
            copy(2, "Lobby: EU", 3, "2026-11-01T04:00:00Z", "b2"),
            copy(3, "Lobby", 4, "2026-11-01T05:00:00Z", "b2"),
        ]
    }

    fn chosen(choice: &str) -> Result<Vec<String>, NoChoice> {
        let held = held();
        let zone = TimeZone::UTC;
        let copies = choose(&held, &choice.parse().unwrap(), &zone)?;
        Ok(copies
            .iter()
            .map(|copy| format!("{} {}", copy.backup, copy.destination))
            .collect())
    }

    #[test]
    fn a_choice_means_all_copies_of_one_backup() {
        for (choice, number, destinations) in [
            ("6fdff738-bf44-4933-824f-000000000001", 1, vec!["b2", "nas"]),
            ("Survival:latest", 2, vec!["b2"]),
            ("a1fa0001:latest", 2, vec!["b2"]),
            ("serv_1:latest", 2, vec!["b2"]),
            ("Surv*:2026-11-01", 1, vec!["b2", "nas"]),
            ("Survival:2026-11-02T02:59", 1, vec!["b2", "nas"]),
            ("Survival:2026-11-02T03:00", 2, vec!["b2"]),
            ("Lobby: EU:latest", 3, vec!["b2"]),
            ("Lobby:latest", 4, vec!["b2"]),
        ] {
            let expected = destinations
                .iter()
                .map(|destination| format!("{} {destination}", backup(number)));
            assert_eq!(chosen(choice), Ok(expected.collect()), "{choice}");
        }
    }

    #[test]
    fn what_means_nothing_or_too_much_is_refused_with_what_there_is() {
        for (choice, message, hint) in [
            (
                "6fdff738-bf44-4933-824f-000000000009",
                "no copy of the backup 6fdff738-bf44-4933-824f-000000000009 was found",
                "`nestegg list`, with --from where copies are, shows what there is",
            ),
            (
                "a1fa0001-1111-4111-8111-00000000000a",
                "a1fa0001-1111-4111-8111-00000000000a is the server `Survival`, not a backup",
                "for its newest backup write a1fa0001-1111-4111-8111-00000000000a:latest",
            ),
            (
                "Survivol:latest",
                "`Survivol` names no server that a copy is held of",
                "known: Survival, Lobby, Lobby: EU",
            ),
            (
                "Lobby*:latest",
                "`Lobby*` names several servers: Lobby: EU (a1fa0002-1111-4111-8111-00000000000a), \
                 Lobby (a1fa0003-1111-4111-8111-00000000000a)",
                "name one by its id",
            ),
            (
                "Survival:2026-10-31",
                "no copy is held of a backup of `Survival` that was completed by 2026-10-31",
                "the oldest is of 2026-11-01 03:00, the newest of 2026-11-02 03:00 (UTC)",
            ),
        ] {
            let refused = chosen(choice).unwrap_err();
            assert_eq!(
                (refused.to_string().as_str(), refused.hint().as_str()),
                (message, hint)
            );
        }
        let nothing = choose(&[], &"a:latest".parse().unwrap(), &TimeZone::UTC);
        assert_eq!(nothing, Err(NoChoice::NothingHeld));
    }

    #[test]
    fn one_uuid_at_two_servers_is_no_choice() {
        let mut copies = held();
        copies.push(copy(3, "Lobby", 1, "2026-11-01T03:00:00Z", "b2"));
        let choice = BackupChoice::Backup(backup(1));
        let refused = choose(&copies, &choice, &TimeZone::UTC).unwrap_err();
        assert!(
            matches!(&refused, NoChoice::SeveralOfThatUuid { servers, .. } if servers.len() == 2),
            "{refused}"
        );
    }

    #[test]
    fn all_means_every_backup_of_the_servers_named_newest_first() {
        let held = held();
        let numbers = |words: &[&str]| -> Vec<(BackupId, usize)> {
            let servers: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
            let backups = choose_all(&held, &servers).unwrap().into_iter();
            backups.map(|of| (of[0].backup, of.len())).collect()
        };
        let all = vec![
            (backup(2), 1),
            (backup(1), 2),
            (backup(3), 1),
            (backup(4), 1),
        ];
        assert_eq!(numbers(&[]), all);
        assert_eq!(numbers(&["Survival"]), all[..2]);
        assert!(choose_all(&held, &["hub".parse().unwrap()]).is_err());
    }

    #[test]
    fn copies_are_tried_in_the_order_of_what_is_known_of_them() {
        let made = "2026-11-01T03:00:00Z";
        let plain = copy(1, "a", 1, made, "plain");
        let local = HeldCopy {
            destination: "local".parse().unwrap(),
            location: "file:///mnt".to_owned(),
            ..plain.clone()
        };
        let sealed = |copy: &HeldCopy| HeldCopy {
            encryption: Some(Encryption {
                scheme: "age".to_owned(),
                recipients: Vec::new(),
            }),
            destination: "sealed".parse().unwrap(),
            ..copy.clone()
        };
        let verified = |copy: &HeldCopy, name: &str, when: &str| HeldCopy {
            destination: name.parse().unwrap(),
            verified_at: Some(at(when)),
            ..copy.clone()
        };
        let names = |copies: Vec<HeldCopy>, keys| -> Vec<String> {
            let ranked = rank(copies, keys).into_iter();
            ranked.map(|one| one.copy.destination.to_string()).collect()
        };
        // The remote one was verified later in the same run: that says nothing.
        let same_run = vec![
            verified(&plain, "remote", "2026-11-05T04:00:00Z"),
            verified(&local, "here", "2026-11-05T03:00:00Z"),
        ];
        assert_eq!(names(same_run, Keys::Given), ["here", "remote"]);
        let all = vec![
            plain.clone(),
            sealed(&local),
            verified(&plain, "old", "2026-11-02T03:00:00Z"),
            local.clone(),
            verified(&sealed(&plain), "new", "2026-11-09T03:00:00Z"),
        ];
        assert_eq!(
            names(all.clone(), Keys::Given),
            ["new", "old", "local", "sealed", "plain"]
        );
        assert_eq!(
            names(all, Keys::Missing),
            ["old", "local", "plain", "new", "sealed"]
        );
    }

    #[test]
    fn the_place_in_the_order_is_explained() {
        let mut one = copy(1, "a", 1, "2026-11-01T03:00:00Z", "b2");
        let said = |copy: &HeldCopy, keys| rank(vec![copy.clone()], keys).remove(0).why;
        assert_eq!(
            said(&one, Keys::Missing),
            "not read back since it was made on 2026-11-01; remote; not encrypted"
        );
        one.verified_at = Some(at("2026-11-03T03:00:00Z"));
        one.location = "file:///mnt".to_owned();
        one.encryption = Some(Encryption {
            scheme: "age".to_owned(),
            recipients: Vec::new(),
        });
        assert_eq!(
            said(&one, Keys::Missing),
            "read back and found right on 2026-11-03; on this machine; encrypted, and no identity is given"
        );
    }

    #[test]
    fn copies_that_claim_different_archives_are_noticed() {
        let held = held();
        let mut other = held[0].clone();
        assert!(!disagree(&[&held[0], &other]));
        other.sha256 = ContentDigest::from_hex(Algorithm::Sha256, &"08".repeat(32)).unwrap();
        assert!(disagree(&[&held[0], &other]));
    }
}
