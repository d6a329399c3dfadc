-- The ledger of token budgets. Every row begins with the end of its window, in whose order rows are deleted.
CREATE TABLE ledger_accounts (
    ends   INTEGER NOT NULL,
    length INTEGER NOT NULL,
    budget TEXT NOT NULL,
    key    TEXT NOT NULL,
    spent  INTEGER NOT NULL,   -- all that was granted, less what came back
    PRIMARY KEY (ends, length, budget, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_holders (
    ends   INTEGER NOT NULL,
    holder BLOB NOT NULL,      -- a digest of the account and the holder
    held   INTEGER NOT NULL,   -- what it was granted, less what it gave back
    PRIMARY KEY (ends, holder)
) STRICT, WITHOUT ROWID;

-- What is asked again gets the same answer.
CREATE TABLE ledger_answers (
    ends      INTEGER NOT NULL,
    entry     BLOB NOT NULL,   -- a digest of the account, the holder and the id
    granted   INTEGER,
    remaining INTEGER,
    returned  INTEGER,
    PRIMARY KEY (ends, entry),
    CHECK ((granted IS NULL) = (remaining IS NULL) AND (granted IS NULL) <> (returned IS NULL))
) STRICT, WITHOUT ROWID;
