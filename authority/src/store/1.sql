-- Active: published_until is null.
CREATE TABLE signing_keys (
    kid             TEXT PRIMARY KEY,
    algorithm       TEXT NOT NULL,
    private_key     BLOB NOT NULL,
    created_at      INTEGER NOT NULL,
    published_until INTEGER
) STRICT, WITHOUT ROWID;
