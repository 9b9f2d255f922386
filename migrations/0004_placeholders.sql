-- Rows of a panel whose archive a restore has replaced by that of another backup: the panel's record fits neither.
-- What the panel said of the row when that was found is kept, so that a row that changes is looked at again.

CREATE TABLE placeholders (
    backup_id       INTEGER PRIMARY KEY REFERENCES backups (id),
    run_id          INTEGER NOT NULL REFERENCES runs (id),
    listed_bytes    INTEGER NOT NULL CHECK (listed_bytes >= 0),
    listed_checksum TEXT,
    holds_backup_id INTEGER NOT NULL REFERENCES backups (id),
    found_at        INTEGER NOT NULL
) STRICT;

-- Whether an archive of this length is known at all, before it is read to find out.
CREATE INDEX copies_by_length ON copies (archive_bytes) WHERE state = 'verified';
