-- Of a token only its digest is here: whoever reads this file can present nothing.
CREATE TABLE tokens (
    id        INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused: the token's place in the status lists
    digest    BLOB NOT NULL UNIQUE,
    jti       TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    sub       TEXT NOT NULL,
    scope     TEXT NOT NULL,
    aud       TEXT NOT NULL,                     -- a JSON array
    tenant    TEXT,
    iat       INTEGER NOT NULL,
    exp       INTEGER NOT NULL,
    revoked   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tokens_by_client ON tokens (client_id);
CREATE INDEX tokens_by_exp ON tokens (exp);
CREATE INDEX tokens_by_sub ON tokens (sub);
CREATE INDEX tokens_revoked ON tokens (id) WHERE revoked = 1;

-- Either one token, or all that a subject or a client or one through the other was given up to a time.
CREATE TABLE revocations (
    id        INTEGER PRIMARY KEY AUTOINCREMENT, -- the cursor
    jti       TEXT UNIQUE,
    exp       INTEGER,
    sub       TEXT CHECK (sub <> ''),
    client_id TEXT CHECK (client_id <> ''),
    before    INTEGER,
    CHECK (CASE WHEN jti IS NULL
        THEN exp IS NULL AND before IS NOT NULL AND coalesce(sub, client_id) IS NOT NULL
        ELSE exp IS NOT NULL AND before IS NULL AND coalesce(sub, client_id) IS NULL
    END)
) STRICT;
CREATE INDEX revocations_by_before ON revocations (before) WHERE jti IS NULL;
CREATE INDEX revocations_by_exp ON revocations (exp) WHERE jti IS NOT NULL;
CREATE UNIQUE INDEX revocations_by_holder ON revocations (ifnull(sub, ''), ifnull(client_id, ''))
    WHERE jti IS NULL;

-- Names this database: a cursor that another one gave out means nothing here.
CREATE TABLE epoch (name TEXT NOT NULL) STRICT;
INSERT INTO epoch VALUES (lower(hex(randomblob(8))));
