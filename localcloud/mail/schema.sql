BEGIN;

CREATE TABLE IF NOT EXISTS messages (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    operation_id TEXT    NOT NULL UNIQUE,
    attempts     INTEGER NOT NULL DEFAULT 1,
    received     TEXT    NOT NULL,
    message      TEXT    NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS repeatable_requests (
    request_id   TEXT PRIMARY KEY,
    first_sent   REAL NOT NULL,
    operation_id TEXT NOT NULL REFERENCES messages (operation_id)
) STRICT;

CREATE TABLE IF NOT EXISTS reports (
    message_id INTEGER NOT NULL REFERENCES messages (id),
    recipient  TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (message_id, recipient)
) STRICT;

PRAGMA application_id = 1835100524;
PRAGMA user_version = 1;

COMMIT;
