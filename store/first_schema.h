// The tables of the first schema version: what a store is made of before any of the migrations in schema.h.
#pragma once

namespace nightlatch {

// Released, and so never edited.
inline constexpr const char* kFirstSchema =
    R"sql(
CREATE TABLE meta (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  office_version INTEGER NOT NULL,  -- grows with every change to the configuration
  clock_ms       INTEGER NOT NULL,  -- the latest wall time ever written
  generation     INTEGER NOT NULL,  -- grows when the clock is found set back
  created_ms     INTEGER NOT NULL
) STRICT;

CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE user (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL COLLATE NOCASE UNIQUE,
  password   TEXT,                  -- argon2id, encoded; NULL: no local sign-in
  enabled    INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE user_group (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL COLLATE NOCASE UNIQUE
) STRICT;

CREATE TABLE membership (
  user_id  INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  group_id INTEGER NOT NULL REFERENCES user_group ON DELETE CASCADE,
  PRIMARY KEY (user_id, group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL COLLATE NOCASE UNIQUE,
  mac        TEXT UNIQUE,
  state      TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'pending', 'revoked')),
  shared     INTEGER NOT NULL DEFAULT 0 CHECK (shared IN (0, 1)),
  owner_id   INTEGER REFERENCES user ON DELETE SET NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE device_address (
  address   TEXT PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE resource (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL COLLATE NOCASE UNIQUE
) STRICT;

CREATE TABLE target (
  resource_id INTEGER NOT NULL REFERENCES resource ON DELETE CASCADE,
  destination TEXT NOT NULL,        -- as on the command line: 10.1.0.0/24:5432/tcp
  PRIMARY KEY (resource_id, destination)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  position    INTEGER NOT NULL,     -- ascending; the first that matches decides
  name        TEXT NOT NULL COLLATE NOCASE UNIQUE,
  deny        INTEGER NOT NULL DEFAULT 0 CHECK (deny IN (0, 1)),
  anyone      INTEGER NOT NULL DEFAULT 0 CHECK (anyone IN (0, 1)),
  session_s   INTEGER NOT NULL CHECK (session_s >= 0),
  mfa_s       INTEGER CHECK (mfa_s > 0),
  on_expiry   TEXT NOT NULL DEFAULT 'close',
  hours       TEXT,
  idle_s      INTEGER CHECK (idle_s > 0),
  min_binding TEXT NOT NULL DEFAULT 'address'
) STRICT;
CREATE INDEX policy_by_position ON policy (position);

CREATE TABLE policy_resource (
  policy_id   INTEGER NOT NULL REFERENCES policy ON DELETE CASCADE,
  resource_id INTEGER NOT NULL REFERENCES resource,
  PRIMARY KEY (policy_id, resource_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_resource_by_resource ON policy_resource (resource_id);

CREATE TABLE policy_user (
  policy_id INTEGER NOT NULL REFERENCES policy ON DELETE CASCADE,
  user_id   INTEGER NOT NULL REFERENCES user,
  PRIMARY KEY (policy_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_user_by_user ON policy_user (user_id);

CREATE TABLE policy_group (
  policy_id INTEGER NOT NULL REFERENCES policy ON DELETE CASCADE,
  group_id  INTEGER NOT NULL REFERENCES user_group,
  PRIMARY KEY (policy_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_group_by_group ON policy_group (group_id);

-- History: every sign-in that ever happened. Rows are added and never changed.
CREATE TABLE sign_in (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id       INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  device_id     INTEGER NOT NULL REFERENCES device ON DELETE CASCADE,
  at_ms         INTEGER NOT NULL,   -- when the user really authenticated
  recorded_ms   INTEGER NOT NULL,
  methods       TEXT NOT NULL,      -- RFC 8176 words
  second_factor INTEGER NOT NULL CHECK (second_factor IN (0, 1)),
  provider      TEXT NOT NULL,
  address       TEXT NOT NULL,
  generation    INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_by_user ON sign_in (user_id);
CREATE INDEX sign_in_by_device ON sign_in (device_id);
CREATE TRIGGER sign_in_is_history BEFORE UPDATE ON sign_in
BEGIN SELECT RAISE(ABORT, 'sign_in rows are never changed'); END;

-- What counts now: who is signed in on which device. One user a device, so a second one's sign-in replaces the first.
CREATE TABLE presence (
  device_id        INTEGER PRIMARY KEY REFERENCES device ON DELETE CASCADE,
  user_id          INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  sign_in_id       INTEGER NOT NULL REFERENCES sign_in ON DELETE CASCADE,
  signed_in_ms     INTEGER NOT NULL,
  second_factor_ms INTEGER,
  generation       INTEGER NOT NULL
) STRICT;
CREATE INDEX presence_by_user ON presence (user_id);
CREATE INDEX presence_by_sign_in ON presence (sign_in_id);

CREATE TABLE browser (
  token_sha256 BLOB PRIMARY KEY,
  device_id    INTEGER NOT NULL REFERENCES device ON DELETE CASCADE,
  user_id      INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  created_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX browser_by_device ON browser (device_id);
CREATE INDEX browser_by_user ON browser (user_id);
-- A browser's token ends with the session that it belongs to.
CREATE TRIGGER presence_gone AFTER DELETE ON presence
BEGIN DELETE FROM browser WHERE device_id = old.device_id; END;
CREATE TRIGGER presence_handed_over AFTER UPDATE OF user_id ON presence WHEN old.user_id <> new.user_id
BEGIN DELETE FROM browser WHERE device_id = old.device_id; END;

CREATE TABLE hold (
  code        TEXT PRIMARY KEY,
  source      TEXT NOT NULL,        -- the MAC or address that the flow came from
  resource_id INTEGER NOT NULL REFERENCES resource ON DELETE CASCADE,
  opened_ms   INTEGER NOT NULL,
  last_ms     INTEGER NOT NULL,
  flows       INTEGER NOT NULL,
  url         TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_by_source ON hold (source, resource_id);
CREATE INDEX hold_by_age ON hold (last_ms);
CREATE INDEX hold_by_resource ON hold (resource_id);
)sql";

}  // namespace nightlatch
