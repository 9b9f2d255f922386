-- How a copy is encrypted: the sidecar's `stored.encryption`, as JSON; null when the archive is stored as it is.
-- Public keys are no secrets; private ones never come near the agent.

ALTER TABLE copies ADD COLUMN encryption TEXT CHECK (encryption IS NULL OR json_valid(encryption));
