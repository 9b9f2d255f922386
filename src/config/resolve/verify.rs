//! How to verify, from flags.

use crate::config::flags::Request;
use crate::config::resolve::Resolver;
use crate::config::settings::VerifySettings;
use crate::model::finding::Depth;
use crate::model::finding::RepairWish;

impl Resolver<'_> {
    pub(super) fn verify(&mut self, request: &Request) -> VerifySettings {
        match request.as_verify() {
            Some(wanted) => VerifySettings {
                only: wanted
                    .to
                    .iter()
                    .filter_map(|to| self.wanted_destination(to))
                    .collect(),
                backups: wanted.backups.clone(),
                subset: wanted.subset,
                older_than: wanted.older_than,
                depth: wanted.depth,
                repair: wanted.repair,
            },
            None => VerifySettings {
                only: Vec::new(),
                backups: Vec::new(),
                subset: None,
                older_than: None,
                depth: Depth::Full,
                repair: RepairWish::Unwanted,
            },
        }
    }
}
