-- What a token says beside its scopes.
ALTER TABLE tokens ADD COLUMN actors TEXT NOT NULL DEFAULT '[]'; -- a JSON array, the outermost first
ALTER TABLE tokens ADD COLUMN acr TEXT;
ALTER TABLE tokens ADD COLUMN auth_time INTEGER;
ALTER TABLE tokens ADD COLUMN authorization_details TEXT;        -- a JSON array
ALTER TABLE tokens ADD COLUMN jkt TEXT;

-- The DPoP proofs that were used: each is good for one token.
CREATE TABLE dpop_proofs (
    id    BLOB PRIMARY KEY,
    until INTEGER NOT NULL -- after that it is too old to be used again
) STRICT, WITHOUT ROWID;
CREATE INDEX dpop_proofs_by_until ON dpop_proofs (until);
