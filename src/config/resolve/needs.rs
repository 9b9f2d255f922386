//! What a command needs of panels and destinations, and which of them it is about.

use crate::config::file::File;
use crate::config::flags::MirrorFlags;
use crate::config::flags::Request;
use crate::config::flags::VerifyFlags;
use crate::config::resolve::panel;
use crate::config::resolve::restore;
use crate::model::finding::RepairWish;
use crate::model::mark::MarkAction;
use crate::model::selector::ServerSelector;

/// What a command needs of panels, or of destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// At least one; their secrets are read.
    Some,
    /// Those that there are; their secrets are read.
    Any,
    /// To be shown: secrets stay where they are.
    Shown,
    /// Nothing; keys are not even looked for: `status` must answer when they are in disorder, and
    /// a restore when there is no panel left.
    Nothing,
}

impl Need {
    pub(super) const fn reads_secrets(self) -> bool {
        matches!(self, Self::Some | Self::Any)
    }
}

/// What has to be there, and whose secrets are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) panels: Need,
    pub(super) destinations: Need,
}

impl Needs {
    const fn both(need: Need) -> Self {
        Self {
            panels: need,
            destinations: need,
        }
    }
}

/// Which panels and destinations a command is about, and what it needs of them.
pub(super) fn needs_of(request: &Request, file: Option<&File>) -> (MirrorFlags, Needs) {
    match request {
        Request::Mirror(mirror) => (mirror.as_ref().clone(), Needs::both(Need::Some)),
        Request::Verify(verify) => verify_needs(verify, file),
        Request::Check => (MirrorFlags::default(), Needs::both(Need::Some)),
        Request::Show => (MirrorFlags::default(), Needs::both(Need::Shown)),
        Request::Restore(wanted) => (restore::places_of(wanted), restore::needs_of(wanted)),
        Request::Read(wanted) if wanted.from.is_empty() => {
            (MirrorFlags::default(), Needs::both(Need::Nothing))
        }
        Request::Read(wanted) => (
            MirrorFlags {
                to: wanted.from.clone(),
                ..MirrorFlags::default()
            },
            Needs {
                panels: Need::Nothing,
                destinations: Need::Any,
            },
        ),
        Request::Ledger(wanted) => {
            let panels = match wanted.panels {
                Some(_) => Need::Some,
                None => Need::Nothing,
            };
            let destinations = Need::Some;
            let needs = Needs {
                panels,
                destinations,
            };
            (wanted.as_mirror(), needs)
        }
        Request::Prune(wanted) => {
            let needs = Needs {
                panels: Need::Nothing,
                destinations: Need::Some,
            };
            (wanted.as_mirror(), needs)
        }
        Request::Mark(wanted) => {
            let destinations = match wanted.wanted.action {
                MarkAction::Keep | MarkAction::Unkeep => Need::Any,
                MarkAction::Accept => Need::Nothing,
            };
            let needs = Needs {
                panels: Need::Nothing,
                destinations,
            };
            (wanted.as_mirror(), needs)
        }
        Request::Panel(wanted) => (wanted.as_mirror(), panel::needs_of(wanted)),
    }
}

/// The flag by which a command names destinations.
pub(super) fn flag_of_places(request: &Request) -> &'static str {
    match request {
        Request::Restore(_) | Request::Read(_) => "--from",
        Request::Ledger(wanted) => wanted.places_flag,
        Request::Mirror(_)
        | Request::Verify(_)
        | Request::Prune(_)
        | Request::Mark(_)
        | Request::Panel(_)
        | Request::Check
        | Request::Show => "--to",
    }
}

/// What `verify` stands on: destinations; for a repair all of them, and the panels that there are.
fn verify_needs(verify: &VerifyFlags, file: Option<&File>) -> (MirrorFlags, Needs) {
    let mut to = verify.to.clone();
    let panels = match verify.repair {
        RepairWish::Wanted => Need::Any,
        RepairWish::Unwanted => Need::Nothing,
    };
    if panels == Need::Any && !to.is_empty() {
        let all = file.map_or(&[][..], |file| &file.destinations);
        to.extend(all.iter().map(|entry| entry.name.value.to_string()));
    }
    let flags = MirrorFlags {
        panels: verify.panels.clone(),
        api_key_file: verify.api_key_file.clone(),
        servers: vec![ServerSelector::Any],
        to,
        transfers: verify.transfers,
        limit_rate: verify.limit_rate,
        max_duration: verify.max_duration,
        retry_lock: verify.retry_lock,
        ..MirrorFlags::default()
    };
    let needs = Needs {
        panels,
        destinations: Need::Some,
    };
    (flags, needs)
}
