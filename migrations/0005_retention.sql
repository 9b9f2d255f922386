-- What operators and runs decide about backups and their copies, beyond what is held.
-- Every row belongs to the run that wrote it; the events tell the history.

-- Backups whose copies no policy removes, by `nestegg keep`. The sidecars of their copies say so too.
CREATE TABLE keeps (
    backup_id INTEGER PRIMARY KEY REFERENCES backups (id),
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    reason    TEXT,
    kept_at   INTEGER NOT NULL
) STRICT;

-- Backups that look suspicious and that an operator has looked at, by `nestegg accept`.
CREATE TABLE accepted (
    backup_id   INTEGER PRIMARY KEY REFERENCES backups (id),
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    reason      TEXT,
    accepted_at INTEGER NOT NULL
) STRICT;

-- What an archive was to hold (`must_contain`) and does not, as the walk over it found: a JSON array of globs.
CREATE TABLE lacking (
    backup_id INTEGER PRIMARY KEY REFERENCES backups (id),
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    globs     TEXT    NOT NULL CHECK (json_valid(globs)),
    found_at  INTEGER NOT NULL
) STRICT;

-- Copies that `prune` removed, or is about to remove: written, and the row of the copy taken away, before the
-- first object is deleted; `done_at` once both are gone. What has no `done_at` belongs to a run that was killed
-- or refused by the store, and is finished by the next. A copy that was removed is not made again by itself.
-- `sidecar` is the sidecar as it stood, until the removal is done: a store that refuses to delete the archive
-- gets it back, and the copy is held again as it was: with the panel's word for it and its last proof.
CREATE TABLE removals (
    backup_id      INTEGER NOT NULL REFERENCES backups (id),
    destination_id INTEGER NOT NULL REFERENCES destinations (id),
    run_id         INTEGER NOT NULL REFERENCES runs (id),
    key            TEXT    NOT NULL,
    stored_bytes   INTEGER NOT NULL CHECK (stored_bytes >= 0),
    reason         TEXT    NOT NULL,
    sidecar        BLOB,
    panel_checksum TEXT,
    completed_at   INTEGER NOT NULL,
    verified_at    INTEGER,
    checked_at     INTEGER,
    intended_at    INTEGER NOT NULL,
    done_at        INTEGER,
    PRIMARY KEY (backup_id, destination_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX removals_begun ON removals (destination_id) WHERE done_at IS NULL;

-- Backups that a run locked on the panel while it copied them, and that were not locked before: written
-- before the panel is asked, removed once the lock is off again.
CREATE TABLE protections (
    backup_id INTEGER PRIMARY KEY REFERENCES backups (id),
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    locked_at INTEGER NOT NULL
) STRICT;

-- The newest archives of a server are asked for by every `status`.
CREATE INDEX backups_by_age ON backups (server_id, created_at, uuid) WHERE state = 'completed';
