//! Which ways an archive may take to a server's node, and whether it fits there.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// Wings' own `upload_size`, unless a node is set otherwise (`panel-contract.md` section 7).
const USUAL_UPLOAD_LIMIT_BYTES: u64 = 100 << 20;

/// A way to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The node fetches a presigned URL.
    Pull,
    /// One upload to the node's own port, through a link of the panel.
    Upload,
    /// SFTP to the node.
    Sftp,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pull => "pull",
            Self::Upload => "upload",
            Self::Sftp => "sftp",
        })
    }
}

/// Which ways the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The best that works.
    Best,
    /// This one and no other.
    Only(Route),
}

/// What becomes of the files that a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// They stay, unless the archive holds one of the same name.
    Keep,
    /// They are deleted, once the archive is on the node.
    Truncate,
}

/// Whether a node can fetch a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullOutlook {
    /// A presigned URL that looks public.
    Public,
    /// A presigned URL whose signature would cross the network in the clear.
    PlainHttp,
    /// A presigned URL that leads to a private address, which nodes refuse.
    Private {
        /// Its host.
        host: String,
    },
    /// The stores sign nothing: local directories, or credentials that can't.
    NotSigned,
    /// The stored bytes are not the archive.
    Encrypted,
}

/// Whether there is a way over SFTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SftpOutlook {
    /// Address and login are known.
    Ready,
    /// No key and no password was given.
    NoLogin,
    /// The panel does not say where.
    NoAddress,
}

/// What a choice of ways goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// The archive's length.
    pub archive_bytes: u64,
    /// Whether the node can fetch it.
    pub pull: PullOutlook,
    /// Whether it can be sent over SFTP.
    pub sftp: SftpOutlook,
}

/// The ways to try, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    /// None means that the one asked for can't be.
    pub in_order: Vec<Route>,
    /// Those that are not tried, each with its reason.
    pub left_out: Vec<(Route, String)>,
}

/// The ways to try: a pull before anything that passes through this machine, and SFTP before an
/// upload that would most likely be refused after its last byte.
pub fn routes(situation: &Situation, wish: Wish) -> Routes {
    let pull = why_no_pull(&situation.pull, wish);
    let sftp = why_no_sftp(situation.sftp);
    let order = if situation.archive_bytes > USUAL_UPLOAD_LIMIT_BYTES && sftp.is_none() {
        [Route::Pull, Route::Sftp, Route::Upload]
    } else {
        [Route::Pull, Route::Upload, Route::Sftp]
    };
    let mut routes = Routes {
        in_order: Vec::new(),
        left_out: Vec::new(),
    };
    for route in order {
        let why_not = match (route, wish) {
            (route, Wish::Only(wanted)) if route != wanted => continue,
            (Route::Pull, _) => pull.clone(),
            (Route::Upload, _) => None,
            (Route::Sftp, _) => sftp.clone(),
        };
        match why_not {
            None => routes.in_order.push(route),
            Some(why) => routes.left_out.push((route, why)),
        }
    }
    routes
}

fn why_no_pull(outlook: &PullOutlook, wish: Wish) -> Option<String> {
    match (outlook, wish) {
        (PullOutlook::Encrypted, _) => {
            Some("the copy is encrypted, and a node can't decrypt it".to_owned())
        }
        (PullOutlook::NotSigned, _) => {
            Some("its store can't give out a URL that the node could fetch".to_owned())
        }
        // Who names the way knows the network.
        (
            PullOutlook::Public | PullOutlook::PlainHttp | PullOutlook::Private { .. },
            Wish::Only(_),
        )
        | (PullOutlook::Public, Wish::Best) => None,
        (PullOutlook::PlainHttp, Wish::Best) => {
            Some("its store is reached without TLS, which would show the signature".to_owned())
        }
        (PullOutlook::Private { host }, Wish::Best) => Some(format!(
            "its store is at {host}, and nodes fetch from public addresses only"
        )),
    }
}

fn why_no_sftp(outlook: SftpOutlook) -> Option<String> {
    match outlook {
        SftpOutlook::Ready => None,
        SftpOutlook::NoLogin => {
            Some("neither --sftp-key nor --sftp-password-file is given".to_owned())
        }
        SftpOutlook::NoAddress => {
            Some("the panel does not say where the node serves SFTP".to_owned())
        }
    }
}

/// What a presigned URL looks like from a node.
pub fn pull_outlook(scheme: &str, host: &str) -> PullOutlook {
    if is_private(host) {
        PullOutlook::Private {
            host: host.to_owned(),
        }
    } else if scheme == "https" {
        PullOutlook::Public
    } else {
        PullOutlook::PlainHttp
    }
}

/// Whether a host is one that nodes refuse, as far as its name alone tells (`panel-contract.md` section 7).
fn is_private(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => is_private_v4(address),
        Ok(IpAddr::V6(address)) => is_private_v6(address),
        Err(_a_name) => {
            let name = bare.trim_end_matches('.').to_ascii_lowercase();
            !name.contains('.')
                || [".localhost", ".local", ".internal", ".lan", ".home.arpa"]
                    .iter()
                    .any(|end| name.ends_with(end))
        }
    }
}

const fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || (first == 100 && second >= 64 && second < 128)
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some_and(is_private_v4)
}

/// What a server may hold and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Its disk limit.
    pub limit_bytes: u64,
    /// What its files take.
    pub used_bytes: u64,
    /// How much of the archive is there already, which `used_bytes` counts.
    pub archive_there_bytes: u64,
    /// The archive's length.
    pub archive_bytes: u64,
    /// What it unpacks to, where that is recorded.
    pub unpacked_bytes: Option<u64>,
    /// What becomes of the files that are there.
    pub files: Files,
}

/// How much room a restore needs that the server's limit does not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom {
    /// What has to fit at once.
    pub needed_bytes: u64,
    /// The limit.
    pub limit_bytes: u64,
}

impl Space {
    /// Whether archive and content fit at once, counted as a node counts: what is overwritten
    /// frees nothing beforehand.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn check(&self) -> Result<(), NoRoom> {
        let others = self.used_bytes.saturating_sub(self.archive_there_bytes);
        let unpacked = self.unpacked_bytes.unwrap_or(0);
        let arriving = others.saturating_add(self.archive_bytes);
        let needed_bytes = match self.files {
            Files::Keep => arriving.saturating_add(unpacked),
            // Emptied once the archive is there, and before it is unpacked.
            Files::Truncate => arriving.max(self.archive_bytes.saturating_add(unpacked)),
        };
        if needed_bytes <= self.limit_bytes {
            Ok(())
        } else {
            Err(NoRoom {
                needed_bytes,
                limit_bytes: self.limit_bytes,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn order(archive_mib: u64, pull: PullOutlook, sftp: SftpOutlook, wish: Wish) -> Vec<Route> {
        let situation = Situation {
            archive_bytes: archive_mib * MIB,
            pull,
            sftp,
        };
        routes(&situation, wish).in_order
    }

    #[test]
    fn the_node_fetches_where_it_can_and_sftp_is_the_last_resort() {
        use Route::Pull;
        use Route::Sftp;
        use Route::Upload;
        assert_eq!(
            order(1, PullOutlook::Public, SftpOutlook::Ready, Wish::Best),
            [Pull, Upload, Sftp]
        );
        assert_eq!(
            order(1, PullOutlook::Encrypted, SftpOutlook::NoLogin, Wish::Best),
            [Upload]
        );
    }

    #[test]
    fn an_archive_beyond_the_usual_upload_limit_goes_over_sftp_first_where_that_is_possible() {
        let pull = PullOutlook::NotSigned;
        assert_eq!(
            order(101, pull.clone(), SftpOutlook::Ready, Wish::Best),
            [Route::Sftp, Route::Upload]
        );
        assert_eq!(
            order(101, pull, SftpOutlook::NoAddress, Wish::Best),
            [Route::Upload]
        );
    }

    #[test]
    fn a_way_that_is_named_is_the_only_one() {
        let private = PullOutlook::Private {
            host: "minio".to_owned(),
        };
        for (wish, pull, order_of) in [
            (Route::Pull, private, vec![Route::Pull]),
            (Route::Pull, PullOutlook::PlainHttp, vec![Route::Pull]),
            (Route::Pull, PullOutlook::Encrypted, vec![]),
            (Route::Pull, PullOutlook::NotSigned, vec![]),
            (Route::Upload, PullOutlook::Public, vec![Route::Upload]),
            (Route::Sftp, PullOutlook::Public, vec![Route::Sftp]),
        ] {
            assert_eq!(
                order(500, pull, SftpOutlook::Ready, Wish::Only(wish)),
                order_of
            );
        }
    }

    #[test]
    fn every_way_left_out_says_why() {
        let situation = Situation {
            archive_bytes: 1,
            pull: pull_outlook("http", "s3.example.com"),
            sftp: SftpOutlook::NoLogin,
        };
        assert_eq!(
            routes(&situation, Wish::Best).left_out,
            [
                (
                    Route::Pull,
                    "its store is reached without TLS, which would show the signature".to_owned()
                ),
                (
                    Route::Sftp,
                    "neither --sftp-key nor --sftp-password-file is given".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn a_host_that_nodes_refuse_is_known_by_its_name() {
        for (host, is_refused) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("[::1]", true),
            ("[fd00::1]", true),
            ("[::ffff:192.168.0.1]", true),
            ("minio", true),
            ("store.LAN", true),
            ("1.1.1.1", false),
            ("[2606:4700::1111]", false),
            ("s3.example.com", false),
        ] {
            assert_eq!(is_private(host), is_refused, "{host}");
        }
    }

    #[test]
    fn archive_and_content_must_fit_at_once() {
        let space = Space {
            limit_bytes: 100,
            used_bytes: 30,
            archive_there_bytes: 0,
            archive_bytes: 20,
            unpacked_bytes: Some(60),
            files: Files::Keep,
        };
        let no_room = NoRoom {
            needed_bytes: 110,
            limit_bytes: 100,
        };
        assert_eq!(space.check(), Err(no_room));
        let partly_there = Space {
            archive_there_bytes: 10,
            ..space
        };
        assert_eq!(partly_there.check(), Ok(()));
        let emptied = Space {
            files: Files::Truncate,
            used_bytes: 80,
            ..space
        };
        assert_eq!(emptied.check(), Ok(()));
        let unknown = Space {
            unpacked_bytes: None,
            ..space
        };
        assert_eq!(unknown.check(), Ok(()));
    }
}
