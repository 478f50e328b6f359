-- Times are seconds since 1970 in UTC, 0 = never; those of acts are microseconds.
-- Lists are JSON.

-- +goose Up
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('developer', 'admin')),
    password_hash TEXT NOT NULL,
    oidc_subject  TEXT NOT NULL,
    totp          BLOB,
    totp_since    INTEGER NOT NULL,
    totp_step     INTEGER NOT NULL DEFAULT 0,
    disabled      INTEGER NOT NULL DEFAULT 0,
    created       INTEGER NOT NULL,
    last_login    INTEGER NOT NULL DEFAULT 0,
    edition       INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX users_subject ON users (oidc_subject) WHERE oidc_subject <> '';

CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users,
    hash    TEXT NOT NULL,
    PRIMARY KEY (user_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE teams (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX teams_name ON teams (lower(name));

CREATE TABLE members (
    team_id TEXT NOT NULL REFERENCES teams,
    user_id TEXT NOT NULL REFERENCES users,
    role    TEXT NOT NULL CHECK (role IN ('owner', 'member', 'viewer')),
    since   INTEGER NOT NULL,
    PRIMARY KEY (team_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id);

CREATE TABLE invitations (
    id         TEXT PRIMARY KEY,
    email      TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('developer', 'admin')),
    team_id    TEXT REFERENCES teams,
    team_role  TEXT NOT NULL CHECK (team_role IN ('', 'owner', 'member', 'viewer')),
    invited_by TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    accepted   INTEGER NOT NULL DEFAULT 0,
    withdrawn  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX invitations_email ON invitations (email);

CREATE TABLE tokens (
    hash    TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    email   TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_email ON tokens (email, kind);

CREATE TABLE login_failures (
    name  TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    last  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_failures_last ON login_failures (last);

-- The end of a session is in milliseconds.
CREATE TABLE sessions (
    hash    TEXT PRIMARY KEY,
    data    BLOB NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE apps (
    id          TEXT PRIMARY KEY,
    team_id     TEXT NOT NULL REFERENCES teams,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    created_by  TEXT NOT NULL,
    created     INTEGER NOT NULL,
    archived    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX apps_name ON apps (team_id, lower(name)) WHERE archived = 0;
CREATE INDEX apps_team ON apps (team_id);

CREATE TABLE access_requests (
    id           TEXT PRIMARY KEY,
    app_id       TEXT NOT NULL REFERENCES apps,
    plan         TEXT NOT NULL,
    hospitals    TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    created      INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused', 'withdrawn', 'ended')),
    decided_by   TEXT NOT NULL DEFAULT '',
    reason       TEXT NOT NULL DEFAULT '',
    decided      INTEGER NOT NULL DEFAULT 0,
    ends         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX access_requests_app ON access_requests (app_id);
CREATE INDEX access_requests_state ON access_requests (state, created);

CREATE TABLE credentials (
    id         TEXT PRIMARY KEY,
    app_id     TEXT REFERENCES apps,
    request_id TEXT REFERENCES access_requests,
    key_id     TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    plan       TEXT NOT NULL,
    hospitals  TEXT NOT NULL,
    origin     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('creating', 'active', 'rotating', 'revoking', 'revoked', 'failed', 'lost')),
    note       TEXT NOT NULL DEFAULT '',
    created_by TEXT NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    hints      TEXT NOT NULL,
    ends       INTEGER NOT NULL,
    last_used  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX credentials_app ON credentials (app_id);
CREATE INDEX credentials_state ON credentials (state, created, id);
CREATE INDEX credentials_created ON credentials (created, id);
CREATE INDEX credentials_plan ON credentials (plan, created, id);
CREATE INDEX credentials_ends ON credentials (state, ends, id);
CREATE INDEX credentials_use ON credentials (plan, state, app_id);

CREATE TABLE usage (
    key_id      TEXT NOT NULL,
    day         TEXT NOT NULL,
    hospital    TEXT NOT NULL,
    interaction TEXT NOT NULL,
    status      INTEGER NOT NULL,
    calls       INTEGER NOT NULL,
    PRIMARY KEY (key_id, day, hospital, interaction, status)
) STRICT, WITHOUT ROWID;

-- The sums of usage as they are asked for: over all keys, and over those of each app
-- and of each team. A table with both status and interaction would have many times
-- the rows. They are sorted as they are grouped.
CREATE TABLE usage_statuses (
    whose    TEXT NOT NULL, -- id of an app or team, or 'all'
    day      TEXT NOT NULL,
    hospital TEXT NOT NULL,
    status   INTEGER NOT NULL,
    calls    INTEGER NOT NULL,
    PRIMARY KEY (whose, day, hospital, status)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_interactions (
    whose       TEXT NOT NULL, -- likewise
    interaction TEXT NOT NULL,
    hospital    TEXT NOT NULL,
    day         TEXT NOT NULL,
    calls       INTEGER NOT NULL,
    PRIMARY KEY (whose, interaction, hospital, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE announcements (
    id         TEXT PRIMARY KEY,
    title      TEXT NOT NULL,
    text       TEXT NOT NULL,
    level      TEXT NOT NULL CHECK (level IN ('info', 'warn')),
    created_by TEXT NOT NULL,
    created    INTEGER NOT NULL,
    ends       INTEGER NOT NULL
) STRICT;

CREATE TABLE acts (
    seq       INTEGER PRIMARY KEY,
    time      INTEGER NOT NULL,
    user_id   TEXT NOT NULL,
    user_name TEXT NOT NULL,
    address   TEXT NOT NULL,
    name      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    detail    TEXT NOT NULL,
    previous  TEXT NOT NULL,
    hash      TEXT NOT NULL
) STRICT;
CREATE INDEX acts_name ON acts (name, seq);
CREATE INDEX acts_user ON acts (user_id, seq);
CREATE INDEX acts_time ON acts (time);

CREATE TABLE acts_head (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    count INTEGER NOT NULL,
    hash  TEXT NOT NULL,
    mac   TEXT NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER acts_stay BEFORE UPDATE ON acts
BEGIN
    SELECT RAISE(ABORT, 'acts are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER acts_remain BEFORE DELETE ON acts
BEGIN
    SELECT RAISE(ABORT, 'acts are append-only');
END;
-- +goose StatementEnd

-- REPLACE deletes without the trigger above.
-- +goose StatementBegin
CREATE TRIGGER acts_append BEFORE INSERT ON acts
WHEN EXISTS (SELECT 1 FROM acts WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'acts are append-only');
END;
-- +goose StatementEnd
