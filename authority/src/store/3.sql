CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    client     TEXT NOT NULL,
    hash       TEXT NOT NULL UNIQUE,
    scopes     TEXT NOT NULL, -- a JSON array
    tenant     TEXT,
    created_at INTEGER NOT NULL,
    not_before INTEGER,
    expires_at INTEGER,
    revoked    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key_revocations (
    id     INTEGER PRIMARY KEY AUTOINCREMENT, -- the cursor
    key_id TEXT NOT NULL UNIQUE REFERENCES api_keys (id)
) STRICT;
