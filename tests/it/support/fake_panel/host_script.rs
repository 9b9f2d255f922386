//! How tests script servers on their nodes.

use std::path::PathBuf;

use nestegg::model::ids::ServerId;

use super::host_rules::HostRules;
use super::hosts::Power;
use super::script::Script;

impl Script {
    /// Changes how nodes behave.
    pub fn edit_host_rules(&self, edit: impl FnOnce(&mut HostRules)) {
        edit(&mut self.state().hosts.rules);
    }

    /// Where a server's files are.
    pub fn folder_of(&self, server: ServerId) -> PathBuf {
        self.state().hosts.of(server).folder.path().to_owned()
    }

    /// Switches a server on or off.
    pub fn set_power(&self, server: ServerId, power: Power) {
        self.state().hosts.of(server).power = power;
    }

    /// A server's power.
    pub fn power_of(&self, server: ServerId) -> Power {
        self.state().hosts.of(server).power
    }

    /// As if files were being fetched for a server.
    pub fn set_pulls_now(&self, server: ServerId, pulls: usize) {
        self.state().hosts.of(server).pulls_now = pulls;
    }

    /// What changed servers, in order: signals, files that came whole, deletions, unpackings.
    pub fn deeds(&self) -> Vec<String> {
        self.state().hosts.deeds.clone()
    }

    /// What nodes told their log alone.
    pub fn node_log(&self) -> Vec<String> {
        self.state().hosts.node_log.clone()
    }

    /// How many bytes of uploads arrived at nodes, broken ones included.
    pub fn upload_bytes(&self) -> u64 {
        self.state().hosts.upload_bytes
    }
}
