//! The handle by which tests script the panel, before and during a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::Offset;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;

use super::super::archive::Archive;
use super::fault::Call;
use super::fault::Fault;
use super::fault::Planned;
use super::fault::Times;
use super::log::Request;
use super::log::Served;
use super::log::Site;
use super::rows::BackupRow;
use super::rows::Checksum;
use super::rows::Condition;
use super::rows::Disk;
use super::rows::Locks;
use super::rows::ServerRow;
use super::rows::Stage;
use super::state::Action;
use super::state::Bystander;
use super::state::Dialect;
use super::state::Identifiers;
use super::state::Life;
use super::state::NewBackup;
use super::state::Role;
use super::state::Service;
use super::state::Standing;
use super::state::State;

/// Everything about a panel but its sockets. Clones script the same panel.
#[derive(Debug, Clone)]
pub struct Script {
    state: Arc<Mutex<State>>,
    pub(super) served: Arc<Served>,
}

impl Script {
    pub(super) fn new(state: State) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
            served: Arc::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Where and who.

    /// The panel's base URL, without a slash at its end.
    pub fn url(&self) -> String {
        self.state().panel_url.clone()
    }

    /// The client key that the panel takes.
    pub fn key(&self) -> String {
        self.state().key.clone()
    }

    /// Takes another key from now on, and no longer the one before.
    pub fn set_key(&self, key: &str) {
        key.clone_into(&mut self.state().key);
    }

    /// What no output, log, ledger or sidecar may ever hold: the key, every token and signature given out so far,
    /// and the values of secret startup variables.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let variables = state.servers.iter().flat_map(|row| &row.variables);
        let secret_values = variables
            .filter(|(_, env, _)| env.ends_with("PASSWORD"))
            .map(|(_, _, value)| value.clone());
        std::iter::once(state.key.clone())
            .chain(state.links.keys().cloned())
            .chain(state.hosts.secrets())
            .chain(secret_values)
            .collect()
    }

    /// Which panel is played; Pterodactyl unless said otherwise.
    pub fn set_dialect(&self, dialect: Dialect) {
        self.state().dialect = dialect;
    }

    /// What the key's owner is on the panel; a plain user unless said otherwise.
    pub fn set_role(&self, role: Role) {
        self.state().role = role;
    }

    /// Whether the panel takes the key.
    pub fn set_standing(&self, standing: Standing) {
        self.state().standing = standing;
    }

    /// Whether the panel works at all.
    pub fn set_service(&self, service: Service) {
        self.state().service = service;
    }

    /// How servers are identified in answers; paths take every form always.
    pub fn set_identifiers(&self, identifiers: Identifiers) {
        self.state().identifiers = identifiers;
    }

    /// The panel's timezone, in hours east of Greenwich.
    pub fn set_utc_offset(&self, hours: i8) {
        self.state().offset = Offset::constant(hours);
    }

    /// The limit on requests; 720 in a minute unless said otherwise.
    pub fn set_rate_limit(&self, limit: u64, window: Duration) {
        let mut state = self.state();
        state.rate.limit = limit;
        state.rate.window = window;
        state.rate.began = None;
    }

    /// The limit on new backups per server; 2 in ten minutes unless said otherwise.
    pub fn set_create_throttle(&self, count: usize, span: Duration) {
        let mut state = self.state();
        state.throttle.count = count;
        state.throttle.span = span;
    }

    /// How far the clocks of node and S3 disk are ahead of the panel's; 15 minutes make every token expired.
    pub fn set_disk_clock_ahead(&self, ahead: SignedDuration) {
        self.state().disk_clock_ahead = ahead;
    }

    /// What a wish to lock a backup does; toggles unless said otherwise.
    pub fn set_locks(&self, locks: Locks) {
        self.state().locks = locks;
    }

    // Servers.

    /// A server of the key's owner, without backups.
    pub fn add_server(&self, name: &str) -> ServerId {
        self.state().add_server(name)
    }

    /// Changes a server.
    pub fn edit_server(&self, server: ServerId, edit: impl FnOnce(&mut ServerRow)) {
        if let Some(row) = self.state().server_mut(server) {
            edit(row);
        }
    }

    /// Opens or closes backup calls for a server.
    pub fn set_condition(&self, server: ServerId, condition: Condition) {
        self.edit_server(server, |row| row.condition = condition);
    }

    /// The server and its rows are gone.
    pub fn delete_server(&self, server: ServerId) {
        let mut state = self.state();
        state.servers.retain(|row| row.id != server);
        state.backups.retain(|row| row.server != server);
    }

    /// A server's row as it is now.
    pub fn server(&self, server: ServerId) -> Option<ServerRow> {
        self.state().server(server).cloned()
    }

    // Backups.

    /// A completed backup whose archive lies on the node; its row is the last.
    pub fn add_backup(&self, server: ServerId, name: &str, archive: Archive) -> BackupId {
        self.state().add_backup(server, name, archive)
    }

    /// A backup in progress; `half_written` is what the node would serve of it already.
    pub fn add_in_progress(
        &self,
        server: ServerId,
        name: &str,
        half_written: Option<Archive>,
    ) -> BackupId {
        let id = self.add_backup(server, name, Archive::of_bytes(""));
        self.edit(id, |row| {
            row.stage = Stage::InProgress;
            row.archive = half_written;
        });
        id
    }

    /// A backup that failed.
    pub fn add_failed(&self, server: ServerId, name: &str) -> BackupId {
        let id = self.add_backup(server, name, Archive::of_bytes(""));
        self.edit(id, BackupRow::fail);
        id
    }

    /// Changes a backup; [`BackupRow::complete`] and [`BackupRow::fail`] end one that is in progress.
    pub fn edit(&self, backup: BackupId, edit: impl FnOnce(&mut BackupRow)) {
        if let Some(row) = self.state().backup_mut(backup) {
            edit(row);
        }
    }

    /// Makes the panel say this about a backup's content, whatever it is.
    pub fn set_checksum(&self, backup: BackupId, checksum: impl Into<serde_json::Value>) {
        let checksum = Checksum::Verbatim(checksum.into());
        self.edit(backup, |row| row.checksum = checksum);
    }

    /// Moves a backup's archive to another disk.
    pub fn set_disk(&self, backup: BackupId, disk: Disk) {
        self.edit(backup, |row| row.disk = disk);
    }

    /// The archive is gone from its disk; the row still says that it is completed.
    pub fn lose_archive(&self, backup: BackupId) {
        self.edit(backup, |row| row.archive = None);
    }

    /// The row is gone, and the archive with it.
    pub fn delete_backup(&self, backup: BackupId) {
        self.state().delete_backup(backup);
    }

    /// A backup's row as it is now, which includes those that a client asked for.
    pub fn backup(&self, backup: BackupId) -> Option<BackupRow> {
        self.state().backup(backup).cloned()
    }

    /// The ids of a server's backups in row order.
    pub fn backups_of(&self, server: ServerId) -> Vec<BackupId> {
        let state = self.state();
        let rows = state.backups.iter().filter(|row| row.server == server);
        rows.map(|row| row.id).collect()
    }

    /// The backups that are locked now.
    pub fn locked(&self) -> BTreeSet<BackupId> {
        let state = self.state();
        let locked = state.backups.iter().filter(|row| row.is_locked);
        locked.map(|row| row.id).collect()
    }

    /// What becomes of the next backup that a client asks for; the first one planned comes first.
    /// Unplanned ones show one read in progress and are then completed with a small archive.
    pub fn plan_creation(&self, new: NewBackup) {
        self.state().creations.push_back(new);
    }

    /// All links given out so far are expired.
    pub fn expire_links(&self) {
        for link in self.state().links.values_mut() {
            link.life = Life::Expired;
        }
    }

    // Trouble.

    /// Something goes wrong with the calls that `call` covers, so many times.
    /// Of several faults for one call the one planned first is taken.
    pub fn on(&self, call: Call, times: Times, fault: Fault) {
        self.state().faults.push(Planned { call, times, fault });
    }

    /// Something goes wrong with the next download of this backup's archive.
    pub fn on_download(&self, backup: BackupId, fault: Fault) {
        self.on(Call::Download(backup), Times::Next(1), fault);
    }

    /// Something goes wrong with the next link asked for this backup.
    pub fn on_link(&self, backup: BackupId, fault: Fault) {
        self.on(Call::Link(backup), Times::Next(1), fault);
    }

    /// Something goes wrong with the next page of this server's backups.
    pub fn on_list(&self, server: ServerId, fault: Fault) {
        self.on(Call::BackupsOf(server), Times::Next(1), fault);
    }

    /// No more trouble: planned faults and actions are forgotten.
    pub fn calm(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.actions.clear();
        state.bystander = None;
    }

    /// Downloads that are held go on, and no other is held any more.
    pub fn let_go(&self) {
        self.served.let_go().cancel();
    }

    /// Once, right before the next call that `call` covers is answered, this happens.
    pub fn before(&self, call: Call, act: impl FnOnce(&Self) + Send + 'static) {
        let act = Box::new(act);
        self.state().actions.push(Action { call, act });
    }

    /// From now on, right before any request is answered, this happens.
    pub fn before_each(&self, act: impl FnMut(&Self, &Request) + Send + 'static) {
        self.state().bystander = Some(Bystander::new(act));
    }

    /// Waits until the request that the act of [`Self::before_each`] has met is answered, and all that it asked for done.
    pub fn wait_for_the_answer(&self) {
        let bystander = self.state().bystander.clone();
        if let Some(bystander) = bystander {
            drop(bystander.acts());
        }
    }

    /// A schedule asks for a backup, which is whole at once; at the server's limit the oldest unlocked one is deleted
    /// for it first. Nothing happens when all are locked.
    pub fn schedule(&self, server: ServerId, archive: Archive) -> Option<BackupId> {
        self.state().schedule(server, archive)
    }

    // What happened.

    /// All requests so far, over panel, node and S3 disk, in the order of their arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The requests to one of them.
    pub fn requests_to(&self, site: Site) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.site == site);
        requests
    }

    /// The requests to node and S3 disk that carried what is meant for the panel alone.
    pub fn leaks(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.site != Site::Panel && request.carries_credentials());
        requests
    }

    /// How many links the panel has given out, those for downloads that never began included.
    pub fn links_given(&self) -> usize {
        self.state().links.len()
    }

    /// How many downloads of archives began.
    pub fn downloads_started(&self) -> u64 {
        self.served.started()
    }

    /// How many downloads of archives ran at the same time, at most.
    pub fn most_downloads_at_once(&self) -> u64 {
        self.served.most_at_once()
    }

    /// How many bytes of archives were handed to sockets.
    pub fn bytes_served(&self) -> u64 {
        self.served.bytes()
    }

    /// Forgets requests and counts, so that the next run can be looked at by itself.
    pub fn forget_requests(&self) {
        self.state().requests.clear();
        self.served.forget();
    }
}
