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
    totp          BYTEA,
    totp_since    BIGINT NOT NULL,
    totp_step     BIGINT NOT NULL DEFAULT 0,
    disabled      BIGINT NOT NULL DEFAULT 0,
    created       BIGINT NOT NULL,
    last_login    BIGINT NOT NULL DEFAULT 0,
    edition       BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX users_subject ON users (oidc_subject) WHERE oidc_subject <> '';

CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users,
    hash    TEXT NOT NULL,
    PRIMARY KEY (user_id, hash)
);

CREATE TABLE teams (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE UNIQUE INDEX teams_name ON teams (lower(name));

CREATE TABLE members (
    team_id TEXT NOT NULL REFERENCES teams,
    user_id TEXT NOT NULL REFERENCES users,
    role    TEXT NOT NULL CHECK (role IN ('owner', 'member', 'viewer')),
    since   BIGINT NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

CREATE TABLE invitations (
    id         TEXT PRIMARY KEY,
    email      TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('developer', 'admin')),
    team_id    TEXT REFERENCES teams,
    team_role  TEXT NOT NULL CHECK (team_role IN ('', 'owner', 'member', 'viewer')),
    invited_by TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    accepted   BIGINT NOT NULL DEFAULT 0,
    withdrawn  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX invitations_email ON invitations (email);

CREATE TABLE tokens (
    hash    TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    email   TEXT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX tokens_email ON tokens (email, kind);

CREATE TABLE login_failures (
    name  TEXT PRIMARY KEY,
    count BIGINT NOT NULL,
    last  BIGINT NOT NULL
);
CREATE INDEX login_failures_last ON login_failures (last);

-- The end of a session is in milliseconds.
CREATE TABLE sessions (
    hash    TEXT PRIMARY KEY,
    data    BYTEA NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE apps (
    id          TEXT PRIMARY KEY,
    team_id     TEXT NOT NULL REFERENCES teams,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    created_by  TEXT NOT NULL,
    created     BIGINT NOT NULL,
    archived    BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX apps_name ON apps (team_id, lower(name)) WHERE archived = 0;
CREATE INDEX apps_team ON apps (team_id);

CREATE TABLE access_requests (
    id           TEXT PRIMARY KEY,
    app_id       TEXT NOT NULL REFERENCES apps,
    plan         TEXT NOT NULL,
    hospitals    TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    created      BIGINT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused', 'withdrawn', 'ended')),
    decided_by   TEXT NOT NULL DEFAULT '',
    reason       TEXT NOT NULL DEFAULT '',
    decided      BIGINT NOT NULL DEFAULT 0,
    ends         BIGINT NOT NULL DEFAULT 0
);
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
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    changed    BIGINT NOT NULL,
    hints      TEXT NOT NULL,
    ends       BIGINT NOT NULL,
    last_used  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX credentials_app ON credentials (app_id);
CREATE INDEX credentials_state ON credentials (state, created, id);
CREATE INDEX credentials_created ON credentials (created, id);
CREATE INDEX credentials_plan ON credentials (plan, created, id);
CREATE INDEX credentials_ends ON credentials (state, ends, id);
CREATE INDEX credentials_use ON credentials (plan, state, app_id);

CREATE TABLE usage (
    key_id      TEXT NOT NULL,
    day         TEXT COLLATE "C" NOT NULL,
    hospital    TEXT NOT NULL,
    interaction TEXT NOT NULL,
    status      BIGINT NOT NULL,
    calls       BIGINT NOT NULL,
    PRIMARY KEY (key_id, day, hospital, interaction, status)
);

-- The sums of usage as they are asked for: over all keys, and over those of each app
-- and of each team. A table with both status and interaction would have many times
-- the rows. They are sorted as they are grouped.
CREATE TABLE usage_statuses (
    whose    TEXT NOT NULL, -- id of an app or team, or 'all'
    day      TEXT COLLATE "C" NOT NULL,
    hospital TEXT NOT NULL,
    status   BIGINT NOT NULL,
    calls    BIGINT NOT NULL,
    PRIMARY KEY (whose, day, hospital, status)
);

CREATE TABLE usage_interactions (
    whose       TEXT NOT NULL, -- likewise
    interaction TEXT NOT NULL,
    hospital    TEXT NOT NULL,
    day         TEXT COLLATE "C" NOT NULL,
    calls       BIGINT NOT NULL,
    PRIMARY KEY (whose, interaction, hospital, day)
);

CREATE TABLE cursors (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE announcements (
    id         TEXT PRIMARY KEY,
    title      TEXT NOT NULL,
    text       TEXT NOT NULL,
    level      TEXT NOT NULL CHECK (level IN ('info', 'warn')),
    created_by TEXT NOT NULL,
    created    BIGINT NOT NULL,
    ends       BIGINT NOT NULL
);

CREATE TABLE acts (
    seq       BIGINT PRIMARY KEY,
    time      BIGINT NOT NULL,
    user_id   TEXT NOT NULL,
    user_name TEXT NOT NULL,
    address   TEXT NOT NULL,
    name      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    detail    TEXT NOT NULL,
    previous  TEXT NOT NULL,
    hash      TEXT NOT NULL
);
CREATE INDEX acts_name ON acts (name, seq);
CREATE INDEX acts_user ON acts (user_id, seq);
CREATE INDEX acts_time ON acts (time);

CREATE TABLE acts_head (
    one   BIGINT PRIMARY KEY CHECK (one = 1),
    count BIGINT NOT NULL,
    hash  TEXT NOT NULL,
    mac   TEXT NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION acts_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'acts are append-only';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER acts_remain BEFORE UPDATE OR DELETE OR TRUNCATE ON acts
FOR EACH STATEMENT EXECUTE FUNCTION acts_are_append_only();
