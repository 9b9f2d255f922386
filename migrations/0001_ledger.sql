-- The ledger's first schema.
-- Times are milliseconds since 1970-01-01 UTC. Sizes are bytes. Uuids and digests are lower-case text.
-- Nothing here may hold a secret: a URL's query string is a credential, and so is what stands before its `@`.

PRAGMA application_id = 1852142452; -- "nest": tells this file from another program's database

-- One panel: a base URL and the name the operator gives it.
CREATE TABLE panels (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    url           TEXT    NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    CONSTRAINT panel_url_holds_no_credentials CHECK (
        instr(url, '?') = 0
        AND instr(substr(substr(url, instr(url, '://') + 3), 1,
                         instr(substr(url, instr(url, '://') + 3) || '/', '/') - 1), '@') = 0
    )
) STRICT;

-- One game server, keyed by its uuid wherever it lives.
CREATE TABLE servers (
    id              INTEGER PRIMARY KEY,
    uuid            TEXT    NOT NULL UNIQUE CHECK (length(uuid) = 36),
    panel_id        INTEGER NOT NULL REFERENCES panels (id),
    identifier      TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    first_seen_at   INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL,
    last_listed_at  INTEGER,
    skipped_because TEXT
) STRICT;

CREATE INDEX servers_by_panel ON servers (panel_id);

-- A panel's record of one archive. Rows stay when the panel forgets them: `vanished_at` says when it did.
CREATE TABLE backups (
    id            INTEGER PRIMARY KEY,
    server_id     INTEGER NOT NULL REFERENCES servers (id),
    uuid          TEXT    NOT NULL CHECK (length(uuid) = 36),
    name          TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('pending', 'failed', 'completed')),
    is_locked     INTEGER NOT NULL CHECK (is_locked IN (0, 1)),
    created_at    INTEGER NOT NULL,
    completed_at  INTEGER,
    archive_bytes INTEGER CHECK (archive_bytes >= 0),
    checksum      TEXT,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    vanished_at   INTEGER,
    UNIQUE (server_id, uuid),
    CONSTRAINT only_completed_backups_have_an_archive CHECK (
        (state = 'completed') = (completed_at IS NOT NULL)
        AND (state = 'completed') = (archive_bytes IS NOT NULL)
        AND (state = 'completed' OR checksum IS NULL)
    )
) STRICT;

CREATE INDEX backups_listed ON backups (server_id) WHERE vanished_at IS NULL;

-- A root in an object store. Its location is what it is; its name is what it was last called.
CREATE TABLE destinations (
    id            INTEGER PRIMARY KEY,
    location      TEXT    NOT NULL UNIQUE CHECK (location <> ''),
    name          TEXT    NOT NULL CHECK (name <> ''),
    first_used_at INTEGER NOT NULL,
    last_used_at  INTEGER NOT NULL,
    first_copy_at INTEGER,
    CONSTRAINT destination_location_holds_no_credentials CHECK (
        instr(location, '?') = 0
        OR lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]*@*'
        AND lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]sig=*'
        AND lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]*signature=*'
        AND lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]*credential=*'
        AND lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]*secret=*'
        AND lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]*token=*'
        AND lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]*password=*'
        AND lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]*key=*'
        AND lower(substr(location, instr(location, '?'))) NOT GLOB '*[?&]*key_id=*'
    )
) STRICT;

-- One invocation that changes something. A run that was killed has no `finished_at`.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    command     TEXT    NOT NULL CHECK (command <> ''),
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    exit_code   INTEGER CHECK (exit_code BETWEEN 0 AND 255),
    counts      TEXT CHECK (json_valid(counts)),
    CONSTRAINT finished_runs_have_a_code CHECK ((finished_at IS NULL) = (exit_code IS NULL))
) STRICT;

CREATE INDEX runs_by_command ON runs (command);

-- One archive at one destination: wanted there, tried and failed, or held and verified.
-- What is said of a verified copy is said of it as it was made, whatever the panel says later.
-- `run_id` is the run that made it what it is.
CREATE TABLE copies (
    id             INTEGER PRIMARY KEY,
    backup_id      INTEGER NOT NULL REFERENCES backups (id),
    destination_id INTEGER NOT NULL REFERENCES destinations (id),
    run_id         INTEGER NOT NULL REFERENCES runs (id),
    state          TEXT    NOT NULL CHECK (state IN ('wanted', 'failed', 'verified')),
    wanted_at      INTEGER NOT NULL,
    key            TEXT,
    archive_bytes  INTEGER CHECK (archive_bytes >= 0),
    archive_sha256 TEXT CHECK (length(archive_sha256) = 64 AND archive_sha256 NOT GLOB '*[^0-9a-f]*'),
    stored_bytes   INTEGER CHECK (stored_bytes >= 0),
    stored_sha256  TEXT CHECK (length(stored_sha256) = 64 AND stored_sha256 NOT GLOB '*[^0-9a-f]*'),
    panel_checksum TEXT,
    verdict        TEXT,
    entries        INTEGER CHECK (entries >= 0),
    unpacked_bytes INTEGER CHECK (unpacked_bytes >= 0),
    etag           TEXT,
    completed_at   INTEGER,
    mirrored_at    INTEGER,
    verified_at    INTEGER,
    failed_at      INTEGER,
    error_kind     TEXT,
    error_message  TEXT,
    UNIQUE (backup_id, destination_id),
    CONSTRAINT verified_copies_are_fully_described CHECK (
        state <> 'verified'
        OR key IS NOT NULL AND verdict IS NOT NULL
        AND archive_bytes IS NOT NULL AND archive_sha256 IS NOT NULL
        AND stored_bytes IS NOT NULL AND stored_sha256 IS NOT NULL
        AND completed_at IS NOT NULL AND mirrored_at IS NOT NULL
    ),
    CONSTRAINT failed_copies_say_why CHECK (
        (state = 'failed') = (error_kind IS NOT NULL)
        AND (state = 'failed') = (error_message IS NOT NULL)
        AND (state = 'failed') = (failed_at IS NOT NULL)
    ),
    CONSTRAINT structure_is_whole CHECK ((entries IS NULL) = (unpacked_bytes IS NULL))
) STRICT;

CREATE INDEX copies_missing ON copies (backup_id, destination_id) WHERE state <> 'verified';

-- What each destination holds of each server, kept by the triggers below: `status` reads this
-- instead of counting a million copies.
CREATE TABLE copy_totals (
    server_id           INTEGER NOT NULL REFERENCES servers (id),
    destination_id      INTEGER NOT NULL REFERENCES destinations (id),
    copies              INTEGER NOT NULL CHECK (copies > 0),
    stored_bytes        INTEGER NOT NULL CHECK (stored_bytes >= 0),
    newest_completed_at INTEGER NOT NULL,
    PRIMARY KEY (server_id, destination_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER copies_inserted AFTER INSERT ON copies WHEN NEW.state = 'verified'
BEGIN
    INSERT INTO copy_totals (server_id, destination_id, copies, stored_bytes, newest_completed_at)
    SELECT server_id, NEW.destination_id, 1, NEW.stored_bytes, NEW.completed_at
      FROM backups WHERE id = NEW.backup_id
    ON CONFLICT (server_id, destination_id) DO UPDATE
       SET copies = copies + 1,
           stored_bytes = stored_bytes + excluded.stored_bytes,
           newest_completed_at = max(newest_completed_at, excluded.newest_completed_at);
END;

CREATE TRIGGER copies_became_verified AFTER UPDATE ON copies
WHEN OLD.state <> 'verified' AND NEW.state = 'verified'
BEGIN
    INSERT INTO copy_totals (server_id, destination_id, copies, stored_bytes, newest_completed_at)
    SELECT server_id, NEW.destination_id, 1, NEW.stored_bytes, NEW.completed_at
      FROM backups WHERE id = NEW.backup_id
    ON CONFLICT (server_id, destination_id) DO UPDATE
       SET copies = copies + 1,
           stored_bytes = stored_bytes + excluded.stored_bytes,
           newest_completed_at = max(newest_completed_at, excluded.newest_completed_at);
END;

CREATE TRIGGER copies_changed AFTER UPDATE OF state, stored_bytes, completed_at ON copies
WHEN OLD.state = 'verified'
BEGIN
    DELETE FROM copy_totals
     WHERE server_id = (SELECT server_id FROM backups WHERE id = OLD.backup_id)
       AND destination_id = OLD.destination_id;
    INSERT INTO copy_totals (server_id, destination_id, copies, stored_bytes, newest_completed_at)
    SELECT b.server_id, c.destination_id, count(*), sum(c.stored_bytes), max(c.completed_at)
      FROM backups b JOIN copies c ON c.backup_id = b.id AND c.destination_id = OLD.destination_id
     WHERE b.server_id = (SELECT server_id FROM backups WHERE id = OLD.backup_id)
       AND c.state = 'verified'
     GROUP BY b.server_id, c.destination_id;
END;

CREATE TRIGGER copies_deleted AFTER DELETE ON copies WHEN OLD.state = 'verified'
BEGIN
    DELETE FROM copy_totals
     WHERE server_id = (SELECT server_id FROM backups WHERE id = OLD.backup_id)
       AND destination_id = OLD.destination_id;
    INSERT INTO copy_totals (server_id, destination_id, copies, stored_bytes, newest_completed_at)
    SELECT b.server_id, c.destination_id, count(*), sum(c.stored_bytes), max(c.completed_at)
      FROM backups b JOIN copies c ON c.backup_id = b.id AND c.destination_id = OLD.destination_id
     WHERE b.server_id = (SELECT server_id FROM backups WHERE id = OLD.backup_id)
       AND c.state = 'verified'
     GROUP BY b.server_id, c.destination_id;
END;

CREATE TRIGGER copies_stay_what_they_are BEFORE UPDATE OF backup_id, destination_id ON copies
WHEN OLD.backup_id <> NEW.backup_id OR OLD.destination_id <> NEW.destination_id
BEGIN
    SELECT RAISE(ABORT, 'a copy stays the copy of its backup at its destination');
END;

CREATE TRIGGER backups_stay_where_they_are BEFORE UPDATE OF server_id ON backups
WHEN OLD.server_id <> NEW.server_id
BEGIN
    SELECT RAISE(ABORT, 'a backup stays a backup of its server');
END;

-- What happened to what, when and why. Never changed, never removed.
CREATE TABLE events (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    at             INTEGER NOT NULL,
    run_id         INTEGER REFERENCES runs (id),
    kind           TEXT    NOT NULL CHECK (kind <> ''),
    server_id      INTEGER REFERENCES servers (id),
    backup_id      INTEGER REFERENCES backups (id),
    destination_id INTEGER REFERENCES destinations (id),
    detail         TEXT    NOT NULL CHECK (json_valid(detail))
) STRICT;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are only ever added');
END;

CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are only ever added');
END;

CREATE TRIGGER events_are_never_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'events are only ever added');
END;

-- Multipart uploads that may be open: written before their first part, removed when committed or aborted.
-- What is left here belongs to a run that was killed.
CREATE TABLE uploads (
    id             INTEGER PRIMARY KEY,
    run_id         INTEGER NOT NULL REFERENCES runs (id),
    destination_id INTEGER NOT NULL REFERENCES destinations (id),
    key            TEXT    NOT NULL,
    upload_id      TEXT    NOT NULL,
    opened_at      INTEGER NOT NULL,
    UNIQUE (destination_id, key, upload_id)
) STRICT;
