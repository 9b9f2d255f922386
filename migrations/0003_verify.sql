-- What later checks found of a copy.
-- `sidecar_sha256`: of the sidecar's bytes as they were written, or as a check first read them; null until then.
-- `checked_at`: when reading it back was last tried, whatever came of it; `verified_at` stays when it was last proved.
-- `finding`: the word for what the last check found; null when there was none since the copy was made.
-- `is_distrusted`: what stands under its key was seen to be wrong, so it is never taken over as it is.

ALTER TABLE copies ADD COLUMN sidecar_sha256 TEXT
    CHECK (sidecar_sha256 IS NULL OR length(sidecar_sha256) = 64 AND sidecar_sha256 NOT GLOB '*[^0-9a-f]*');
ALTER TABLE copies ADD COLUMN checked_at INTEGER;
ALTER TABLE copies ADD COLUMN finding TEXT CHECK (finding IS NULL OR finding <> '');
ALTER TABLE copies ADD COLUMN is_distrusted INTEGER NOT NULL DEFAULT 0 CHECK (is_distrusted IN (0, 1));

UPDATE copies SET is_distrusted = 1
 WHERE state <> 'verified' AND archive_sha256 IS NOT NULL AND error_kind = 'integrity';

-- `status` asks for the copy of each destination that was verified the longest ago.
CREATE INDEX copies_by_verification ON copies (destination_id, verified_at) WHERE state = 'verified';
