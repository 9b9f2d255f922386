//! What to do about each error of a panel.

use crate::model::server::ServerState;
use crate::panel::call::Call;
use crate::panel::call::Stray;
use crate::panel::error::Error;

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::BadAddress { .. } => {
                "give the address of the panel as a browser shows it, such as https://panel.example.com".to_owned()
            }
            Self::UnusableKey { .. } | Self::KeyRefused { .. } => {
                "make a client API key in the panel under Account, API Credentials, and put that whole line, and nothing else, where the key is read from".to_owned()
            }
            Self::Client { .. } => "check the system's certificate store".to_owned(),
            Self::UnusableId { .. } => "give a short id, a full uuid or a serv_… identifier".to_owned(),
            Self::ApplicationKey { .. } => {
                "keys made in the admin area (ptla_, papp_, peli_) do not work here: make a client key under Account, API Credentials".to_owned()
            }
            Self::AddressNotAllowed { .. } => {
                "add this machine's address to the key's allowed IPs, or make a key without that list; behind a proxy the panel may see the proxy's address".to_owned()
            }
            Self::KeyForbidden { .. } => {
                "use a client API key (not one of the admin area) whose list of allowed IPs holds this machine's address".to_owned()
            }
            Self::TwoFactor { .. } => "switch two-factor authentication on for the account that owns the key".to_owned(),
            Self::Permission { needed, .. } => {
                format!("give the key's user the permission {needed} on this server, under Users in the panel")
            }
            Self::ServerState { state, .. } => match state {
                ServerState::Suspended => "unsuspend the server, or exclude it".to_owned(),
                ServerState::Installing => {
                    "let the installation finish, or reinstall the server where it failed".to_owned()
                }
                ServerState::NodeMaintenance => "take the node out of maintenance, or wait for that".to_owned(),
                ServerState::Restoring
                | ServerState::Transferring
                | ServerState::Ready
                | ServerState::Conflict => "it clears by itself: the next run takes the server again".to_owned(),
            },
            Self::UnknownServer { .. } => {
                "check the server's id, and that the key's user owns the server or was invited to it".to_owned()
            }
            Self::UnknownBackup { .. } => {
                "it was deleted or rotated away since it was listed, or access to the server was lost".to_owned()
            }
            Self::NoApi { .. } => {
                "check the panel's address, its path prefix included, without /api at its end".to_owned()
            }
            Self::NotRestorable { .. } => {
                "look in the panel at what the server does, and at the backup; run this again when it is free".to_owned()
            }
            Self::NoActivityLog { .. } => {
                "look at the server's files in the panel, and into the log of wings on the node".to_owned()
            }
            Self::NotCompleted { .. } => "the next run takes it once it is completed".to_owned(),
            Self::BackupFailed { .. } => "there is no archive: make a new backup in the panel".to_owned(),
            Self::UnknownDisk { .. } => {
                "the panel's backup disks were changed since: only the disk itself still has this archive".to_owned()
            }
            Self::Locked { .. } => "unlock it first, if it is really to go".to_owned(),
            Self::LockStayed { .. } => {
                "somebody may have changed it at the same moment: look in the panel, and run again".to_owned()
            }
            Self::NoLocks { .. } => {
                "update a panel that has no locks yet (Pterodactyl before 1.4.2), or let POST to …/backups/…/lock pass the proxy before it".to_owned()
            }
            Self::BackupLimit { .. } => {
                "raise the server's backup limit, or delete a backup that is no longer needed".to_owned()
            }
            Self::NoRoom { .. } => "free space where the panel keeps its backups".to_owned(),
            Self::Throttled { .. } => "wait, or mirror the backups that there are".to_owned(),
            Self::RateLimited { call: Call::RestoreBackup(_), .. } => {
                "panels let a server be restored three times in a quarter of an hour: wait, and run this again".to_owned()
            }
            Self::RateLimited { .. } => {
                "use a user of its own for mirroring: browsers and all keys of a user share one budget".to_owned()
            }
            Self::Maintenance { .. } => "run again when the panel is back".to_owned(),
            Self::NodeRefused { refusal, .. } => refusal.hint().to_owned(),
            Self::Node { .. } => "check that the server's node is up and that the panel reaches it".to_owned(),
            Self::PanelFailed { .. } => {
                "look into the panel's own log (storage/logs) and that of its web server or proxy".to_owned()
            }
            Self::Refused { .. } => "the panel's words are all there is to go by".to_owned(),
            Self::NotThePanel { stray, .. } => match stray {
                Stray::Redirect(_) => {
                    "use the address that it points to, if that is the panel: redirects are never followed, so that the key goes nowhere else".to_owned()
                }
                Stray::Html | Stray::Other => {
                    "check the panel's address; or a proxy, firewall or maintenance page stands before the API".to_owned()
                }
            },
            Self::Malformed { .. } | Self::TooLarge { .. } | Self::Endless { .. } => {
                "check that the address is a Pterodactyl or Pelican panel, and report this with the panel's version".to_owned()
            }
            Self::Connect { host, .. } => {
                format!("check that {host} is right and can be reached from this machine (DNS, firewall)")
            }
            Self::Certificate { .. } => {
                "renew the panel's certificate, or add its authority to this system's trusted ones".to_owned()
            }
            Self::Timeout { .. } | Self::Broken { .. } => {
                "the panel is slow or the network between is bad: run again".to_owned()
            }
        }
    }
}
