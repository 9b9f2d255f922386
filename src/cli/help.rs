//! The longer help texts.

/// Below `nestegg --help`.
pub(super) const NESTEGG: &str = "\
First time? Copy one server's backups into a folder, without any configuration:
  NESTEGG_API_KEY=… nestegg mirror --panel https://panel.example.com \\
      --server d3aac109 --to ./offsite

Every night:
  nestegg config init      write a starter configuration, and edit it
  nestegg config check     say what is still wrong with it
  nestegg -q mirror        from cron or a systemd timer; silent when all is well
  nestegg status           how fresh and complete the copies are
  nestegg verify           read copies back, and compare them with what was recorded
  nestegg prune            what the retention policy would remove; --apply removes it

On the bad day:
  nestegg restore SERVER:latest --output FILE

Exit codes:
    0  all that was asked is done and proved
    1  nothing could be done: panel or destination unreachable, unexpected failure
    2  usage or configuration
    3  partial: some backups or destinations failed; the rest is done
    4  integrity: a checksum mismatch, a corrupt or missing copy was found
    5  freshness: a server's newest verified copy is older than promised
   10  a limit was reached before all was done (--max-duration, --max-delete)
   11  another run holds the lock
   12  the panel or a destination refused the credentials
  130  interrupted (Ctrl-C); what was done is recorded, nothing half-done is visible
  143  terminated (SIGTERM); the same

Environment:
  NESTEGG_CONFIG, NESTEGG_LEDGER          as --config and --ledger
  NESTEGG_API_KEY, NESTEGG_API_KEY_FILE   the panel's client API key, or a file that holds it
  NESTEGG_IDENTITY_FILE                   as --identity of restore
  AWS_*, GOOGLE_*, AZURE_*                what a store's options don't say
  NO_COLOR                                no colours unless --color always";

/// Below `nestegg --help` in short.
pub(super) const NESTEGG_SHORT: &str = "\
Try `nestegg mirror --help`; `nestegg --help` shows exit codes and environment variables.";

/// Below `nestegg mirror --help`.
pub(super) const MIRROR: &str = "\
Examples:
  One server into a folder, no configuration:
    NESTEGG_API_KEY=… nestegg mirror --panel https://panel.example.com \\
        --server d3aac109 --to ./offsite
  Everything that the configuration says; the nightly job:
    nestegg -q mirror
  What would be done, and nothing else:
    nestegg mirror --dry-run
  Only the newest backup of some servers, to one of the destinations:
    nestegg mirror --server 'survival-*' --newest 1 --to b2
  A fresh backup before an update of the game:
    nestegg mirror --server d3aac109 --create=before-update
  A window at night, and half of the line:
    nestegg mirror --max-duration 5h --limit-rate 20MiB

The API key is a client key (panel: Account, API Credentials). It is never an
argument, because arguments are seen by everyone on the machine. It is taken from
--api-key-file, from the panel's api_key_file or api_key_command in the
configuration, from NESTEGG_API_KEY or NESTEGG_API_KEY_FILE, or from a systemd
credential.

mirror never deletes a copy. Running it again is safe, and downloads nothing that
is already held.";

/// Below `nestegg status --help`.
pub(super) const STATUS: &str = "\
Examples:
  nestegg status
  nestegg status --server 'survival-*' --to b2
  nestegg --json status | jq '.servers'

The exit code is 5 when a server's newest verified copy is older than max_age of
the configuration, or dated in the future. Servers that the configuration does
not select are not held to it. Only the ledger is read: no panel and no
destination is contacted, and a running mirror is not waited for.";

/// Below `nestegg list --help`.
pub(super) const LIST: &str = "\
Examples:
  nestegg list
  nestegg list --server d3aac109
  nestegg --json list --to b2

  nestegg list --from s3://bucket/panel

Only the ledger is read: no panel and no destination is contacted, and a running
mirror is not waited for. With --from it is the other way round: the sidecars of
that destination are read, and no ledger and no configuration is needed; broken
copies are told on stderr, and the exit code is 4 when there are any.";

/// Below `nestegg restore --help`.
pub(super) const RESTORE: &str = "\
Examples:
  The newest backup of a server, as a file:
    nestegg restore survival:latest --output survival.tar.gz
  As it was on a day, unpacked as it comes:
    nestegg restore d3aac109:2026-11-01 --output - | tar xz -C ./survival
  With nothing left but the bucket, no ledger and no configuration:
    nestegg list --from s3://bucket/panel
    nestegg restore survival:latest --from s3://bucket/panel --output FILE
  What to recreate on a new panel:
    nestegg restore --sheet survival

SERVER:2026-11-01 is the newest backup that was completed on that day or before,
by this machine's clock and zone; SERVER:2026-11-01T03:00 by the end of that
minute, and with Z or +02:00 behind it in that zone.

Every byte is checked while it streams. A file gets its name only when the digest
held, and stays what it was otherwise. Standard output can't be taken back, so its
end (4 MiB at most) is withheld until the digest held: with an exit code other
than 0 the archive is not whole, and what came of it must not be used.

Copies are tried in turn: what was verified last comes first, then what is on this
machine. One that is corrupt, missing or out of reach is told, and the next is
tried; when one of them served, the exit code is 0. The ledger and the places that
copies are read from are never written to.";

/// Below `nestegg verify --help`.
pub(super) const VERIFY: &str = "\
Examples:
  Read back and compare everything that is held:
    nestegg verify
  A tenth of it, the longest unverified first; ten such runs come by everything:
    nestegg -q verify --subset 10%
  What was not verified for a month, at one destination, for five hours at most:
    nestegg verify --older-than 30d --to b2 --max-duration 5h
  Only look whether all is there:
    nestegg verify --quick
  Make bad copies anew, from another destination or from the panel:
    nestegg verify --repair

No key is needed for encrypted copies: the stored bytes are compared. verify
deletes nothing, and --repair writes over nothing that reads back right.

The exit code is 4 when a copy is bad and was not repaired. A run in which all
that was bad was repaired ends with 0, and says so on standard error even with -q.";

/// Below `nestegg prune --help`.
pub(super) const PRUNE: &str = "\
Examples:
  What the policies of the configuration would remove, and why the rest stays:
    nestegg prune
  The same in sums, then do it; weekly, after `nestegg verify`:
    nestegg -q prune
    nestegg -q prune --apply
  Another policy, tried out on one server:
    nestegg prune --server survival --keep-daily 14 --keep-weekly 8 --keep-within 2y

Policies mean what they mean in restic's `forget`, per server at one destination.
Whatever they say, these stay: what is locked on the panel, what `nestegg keep`
marks, the newest verified copy of each server, what the store itself retains.

Nothing of a server is removed at a destination while its newest backup is not
held there, while the oldest copy that would stay was not proved for
prune.verify_within, or while it is suspicious (see `nestegg status`, `nestegg
accept`): the exit code is 3 then, and other servers are thinned all the same.

First the ledger notes a removal, then the sidecar goes, then the archive: a run
that is killed is finished by the next. In a versioned bucket a removed object
becomes a hidden version, which a rule of the bucket has to expire.

The exit code is 0 when all was removed that was to be, or the plan was shown,
3 when a server was refused or a removal failed, 4 when a copy is not what is
recorded, 10 when --max-delete came first, 2 when there is no policy at all, 1 or
12 (credentials) when no destination could be looked at.

What was removed is not mirrored again by itself: `nestegg mirror --backup UUID`
does that, and so does `nestegg keep`. What is locked on the panel is known from
when a mirror last listed it.";

/// Below `nestegg ledger --help`.
pub(super) const LEDGER: &str = "\
The ledger records what is held where. Losing it loses nothing: every copy has a
sidecar beside it that says all there is to say. No ledger command writes to a
destination or to a panel.";

/// Below `nestegg ledger rebuild --help`.
pub(super) const LEDGER_REBUILD: &str = "\
Examples:
  From every destination of the configuration:
    nestegg ledger rebuild
  Without a configuration file:
    nestegg ledger rebuild --from ./offsite --ledger ./ledger.sqlite3

Copies that the ledger has already stay as they are; where a sidecar says
something else, that is told. A ledger file that is damaged is left alone: move
it away, with its -wal and -shm, then rebuild. When a copy was last read back is
in no sidecar, so `verify` begins anew.

The exit code is 4 when something at a destination could not be taken for a copy,
3 when something could not be read.";

/// Below `nestegg ledger check --help`.
pub(super) const LEDGER_CHECK: &str = "\
One line a copy: symbol, destination, key, and what there is to say.
  =  the ledger and the sidecar say the same, and the archive's length is right
  -  recorded, and not there
  +  there, and not recorded; or on the panel, and held nowhere
  *  different: in these fields
  !  could not be compared, or is no copy although something is there

Examples:
  nestegg ledger check
  nestegg -q ledger check --to b2              only what is not the same
  nestegg ledger check --panel                 ask the panels of the configuration too
  nestegg ledger check --fix                   take over +, stop counting -

Archives are not read: for that there is `nestegg verify`. Without --fix nothing is
written and a running mirror is not waited for. No destination and no panel is ever
changed. Where nothing at all is left, --fix marks nothing as lost: it may be a disk
that is not mounted.

The exit code is 0 when every line is = (or was adopted), 4 when something is
missing, unknown, different or damaged, 3 when something could not be compared.";

/// Below `nestegg ledger export --help`.
pub(super) const LEDGER_EXPORT: &str = "\
Examples:
  Check a folder without nestegg:
    nestegg ledger export --to nas --output /srv/offsite/SHA256SUMS
    cd /srv/offsite && sha256sum -c --quiet SHA256SUMS
  Check a bucket without nestegg:
    nestegg ledger export --to b2 --output SHA256SUMS
    rclone check --checkfile sha256 --download --one-way SHA256SUMS b2:bucket/prefix
  A table of everything, for a spreadsheet:
    nestegg ledger export --format csv --output copies.csv

The digests are those of the objects as they are stored, encrypted or not. Only
the ledger is read: no panel and no destination is contacted, and a running
mirror is not waited for.";

/// Below `nestegg keep --help`.
pub(super) const KEEP: &str = "\
Examples:
  nestegg keep survival:latest --reason 'before the big update'
  nestegg keep 6fdff738-bf44-4933-824f-489198dda9e6
  nestegg keep survival:2026-11-01 --to b2

A kept backup keeps all its copies, at every destination, until `nestegg unkeep`.
The mark is in the ledger and in the sidecars, so that a rebuilt ledger has it. A
copy that was pruned already is made again by the next mirror, from another
destination or from the node, while the panel still lists the backup.

No panel is asked. The exit code is 3 when the ledger has the mark and some sidecar
could not be written, and 4 when one is not what it should be; run it again once
that is mended.";

/// Below `nestegg unkeep --help`.
pub(super) const UNKEEP: &str = "\
Examples:
  nestegg unkeep survival:2026-11-01
  nestegg unkeep 6fdff738-bf44-4933-824f-489198dda9e6

Nothing is removed: that is up to the next `nestegg prune`. A backup that vanished
from its panel while it was locked there stays kept until it is unkept; a lock that
is still on the panel is taken off there.

The exit code is 3 when the ledger has it and some sidecar could not be written,
and 4 when one is not what it should be; run it again once that is mended.";

/// Below `nestegg accept --help`.
pub(super) const ACCEPT: &str = "\
Examples:
  nestegg accept survival --reason 'the old worlds were deleted'
  nestegg accept 6fdff738-bf44-4933-824f-489198dda9e6

A server whose newest archive is far smaller than those before it (shrink_alarm),
or lacks what it must contain (must_contain), is shown by `nestegg status` and not
pruned. accept says that this one backup is right; the next one is looked at anew.
Only the ledger is read and written: no panel and no destination is contacted.";
/// Below `nestegg panel --help`.
pub(super) const PANEL: &str = "\
These are the panel's own operations, by its client API. Without a configuration:
  NESTEGG_API_KEY=… nestegg panel servers --panel https://panel.example.com

The servers and exclude of the configuration say what is mirrored, and mean nothing
here: --server names servers, and without it all that the key sees are meant.";

/// Below `nestegg panel servers --help`.
pub(super) const PANEL_SERVERS: &str = "\
Examples:
  nestegg panel servers
  nestegg panel servers --all-servers          an administrator's key
  nestegg --json panel servers | jq '.servers[] | select(.slots.used >= .slots.limit)'

BACKUPS are the slots taken of those that there are: completed backups, and those
that are being made. One call a server is needed for them.";

/// Below `nestegg panel backups --help`.
pub(super) const PANEL_BACKUPS: &str = "\
Examples:
  nestegg panel backups
  nestegg panel backups --server d3aac109
  nestegg --json panel backups | jq '.servers[].backups[] | select(.held_at == [])'

Every backup is shown, failed ones and those that are being made too. HELD AT are
the destinations with a verified copy, by the ledger; it is only read, and a running
mirror is not waited for. Servers that refuse backup calls in their state (suspended,
being installed, ...) are told on standard error and left out.";

/// Below `nestegg panel create --help`.
pub(super) const PANEL_CREATE: &str = "\
Examples:
  nestegg panel create --server d3aac109
  nestegg panel create --server survival --name before-update --lock --wait
  nestegg panel create --server survival --ignore '*.log' cache/ --wait --timeout 30m

Without --wait the panel's word that it began is enough. With it the exit code is 0
when the backup is completed, 1 when it failed or was deleted meanwhile, 10 when
--timeout is over before that; then, and after Ctrl-C, the backup goes on at the panel.
It is 3 when there is a backup and not the lock that was wished for.

A wish is sent once: when the answer is lost, the list of backups is looked at, and
what is new there is told. Patterns replace the server's own .pteroignore.";

/// Below `nestegg panel lock --help`, and of `unlock`.
pub(super) const PANEL_LOCK: &str = "\
Examples:
  nestegg panel lock 6fdff738-bf44-4933-824f-489198dda9e6
  nestegg panel unlock --server survival 6fdff738-bf44-4933-824f-489198dda9e6

Where the ledger does not know a backup, the servers of the key are asked for it one
by one; --server shortens that. The state is read first: what is as wanted already is
said to be so, and nothing is changed. The panel has a toggle alone, so what came of it
is looked at, and somebody who changed it at the same moment is told of.";
/// Below `nestegg panel delete --help`.
pub(super) const PANEL_DELETE: &str = "\
Examples:
  nestegg panel delete 6fdff738-bf44-4933-824f-489198dda9e6
  nestegg panel delete 6fdff738-… 14adf199-… --server survival --yes
  A backup that failed holds no archive, and goes without more ado:
    nestegg panel delete 14adf199-7b8f-4e52-a2b5-26f514acbc86 --yes

A completed backup is deleted only when the ledger has a verified copy of it at every
destination of the configuration, and all of them are there right before: archive,
length and sidecar are looked at, the bytes are not read. Whatever can't be looked at
counts as missing. --even-if-not-mirrored leaves that out; it is also needed for a
backup that is still being made.

A locked backup is never deleted, and never unlocked on the way: `nestegg panel
unlock` first. A backup that is gone already is told, and is no failure, where the
ledger or --server tells its server and that server is there. No copy at a destination
is touched, whatever `nestegg keep` says of it.

The exit code is 4 when a copy that the ledger claims is not there, 3 when some of
the backups could not be deleted, 1 when none could, 2 when none of them was found.";

/// Below `nestegg panel restore --help`.
pub(super) const PANEL_RESTORE: &str = "\
Examples:
  nestegg panel restore 6fdff738-bf44-4933-824f-489198dda9e6 --server survival --no-truncate
  nestegg panel restore 6fdff738-bf44-4933-824f-489198dda9e6 --server survival --truncate --yes

The panel's own restore, from the panel's own archive. For one of the copies that are
held elsewhere there is `nestegg restore … --to-panel`, which checks what it restores.

A node deletes the files before it looks for the archive, and checks neither length
nor digest. So with --truncate the archive's first byte is read first, by a download
link: that proves that it is there, has the right length, and (in a bucket) that nodes
take its content type. It does not prove that all of it is readable, nor that the node
reaches the bucket. The permissions backup.download and file.read are needed for that.

The server is stopped first, never killed, and started again when it ran and the
restore is complete. Only the server's log of activity tells how a restore ended:
without the permission activity.read that can't be known, and the exit code is 3.

Exit codes: 0 complete; 1 refused, nothing was changed; 3 failed on the node, or how it
ended can't be told; 4 the panel's archive is missing or has another length, nothing
was changed; 10 still restoring after --timeout.";

/// Below `nestegg panel trim --help`.
pub(super) const PANEL_TRIM: &str = "\
Examples:
  What would go:
    nestegg panel trim --server survival --keep 3
  Every night, after the mirror:
    nestegg -q mirror && nestegg -q panel trim --keep 3 --apply
  With one destination only:
    nestegg panel trim --server survival --keep 3 --min-copies 1 --apply

The newest N completed backups of each server stay, locked ones included. Of the
others those go, oldest first, that are not locked and are held, verified, at
--min-copies destinations of the configuration at least. Before each deletion the
panel is asked again and the copies are looked at; whatever has changed stays. Backups
that failed take no slot, and stay; so do those in progress. Servers that refuse backup
calls in their state (suspended, being installed, ...) are told on standard error and
left out.

No copy at a destination is touched: marks of `nestegg keep` are about those, and hold
nothing back here.";

/// Below `nestegg config --help`.
pub(super) const CONFIG: &str = "\
The file is --config FILE, else NESTEGG_CONFIG, else
$XDG_CONFIG_HOME/nestegg/config.toml (~/.config/nestegg/config.toml), else
/etc/nestegg/config.toml.";
