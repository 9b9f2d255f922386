//! How objects are named: the only file that knows the layout (design section 4).

use std::fmt;

use serde::Serialize;

use crate::model::ids::BackupId;
use crate::model::ids::ServerId;

/// What an object below a destination's root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// The archive as the panel made it: `.tar.gz`.
    Archive,
    /// The archive in standard age encryption: `.tar.gz.age`.
    EncryptedArchive,
    /// The JSON that describes the copy: `.json`.
    Sidecar,
}

impl ObjectKind {
    const ALL: [Self; 3] = [Self::Archive, Self::EncryptedArchive, Self::Sidecar];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Archive => ".tar.gz",
            Self::EncryptedArchive => ".tar.gz.age",
            Self::Sidecar => ".json",
        }
    }

    /// The content type stored with it, where the store keeps one.
    ///
    /// A panel's restore demands exactly this one for archives (`panel-contract.md` section 5).
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Archive => "application/x-gzip",
            Self::EncryptedArchive => "application/octet-stream",
            Self::Sidecar => "application/json",
        }
    }
}

/// The name of one object below a destination's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    server: ServerId,
    backup: BackupId,
    kind: ObjectKind,
}

impl ObjectKey {
    /// The key of one object of one backup.
    pub const fn for_backup(server: ServerId, backup: BackupId, kind: ObjectKind) -> Self {
        Self {
            server,
            backup,
            kind,
        }
    }

    /// The key under which uploads are tried: no backup has it, and nothing ever becomes visible there.
    pub const fn of_probe() -> Self {
        Self::for_backup(ServerId::NIL, BackupId::NIL, ObjectKind::Archive)
    }

    /// Reads a key back from a name below the root; `None` for anything of another layout.
    pub fn parse(name: &str) -> Option<Self> {
        let (server, file) = name.split_once('/')?;
        let (backup, suffix) = file.split_at_checked(36)?;
        let kind = ObjectKind::ALL
            .into_iter()
            .find(|kind| kind.suffix() == suffix)?;
        let key = Self::for_backup(server.parse().ok()?, backup.parse().ok()?, kind);
        (key.to_string() == name).then_some(key)
    }

    /// The server.
    pub const fn server(&self) -> ServerId {
        self.server
    }

    /// The backup.
    pub const fn backup(&self) -> BackupId {
        self.backup
    }

    /// What the object is.
    pub const fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// The key of the sidecar beside it.
    #[must_use]
    pub const fn sidecar(&self) -> Self {
        Self::for_backup(self.server, self.backup, ObjectKind::Sidecar)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.server, self.backup, self.kind.suffix())
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "a1fa0000-1111-4111-8111-00000000000a";
    const BACKUP: &str = "6fdff738-bf44-4933-824f-489198dda9e6";

    #[test]
    fn every_key_reads_back_as_itself() {
        for suffix in [".tar.gz", ".tar.gz.age", ".json"] {
            let name = format!("{SERVER}/{BACKUP}{suffix}");
            assert_eq!(
                ObjectKey::parse(&name).map(|key| key.to_string()),
                Some(name)
            );
        }
    }

    #[test]
    fn names_of_another_layout_are_no_keys() {
        for name in [
            String::new(),
            format!("{SERVER}/{BACKUP}"),
            format!("{SERVER}/{BACKUP}.tar.gz#1"),
            format!("{SERVER}/x/{BACKUP}.tar.gz"),
            format!("{}/{BACKUP}.tar.gz", SERVER.to_uppercase()),
            format!("{SERVER}/é{BACKUP}.tar.gz"),
        ] {
            assert_eq!(ObjectKey::parse(&name), None, "{name}");
        }
    }
}
