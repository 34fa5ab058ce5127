// The store's tables, one migration for each schema version. Used by office_store.cc alone.
#pragma once

#include <array>

#include "store/first_schema.h"

namespace nightlatch {

// kMigrations[n] takes user_version n to n + 1. A released migration is never edited.
inline constexpr std::array kMigrations{kFirstSchema,
                                        R"sql(
-- Application passwords: what a person sends in a connection to say who they are. Only the hash of each is here.
CREATE TABLE token (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT NOT NULL COLLATE NOCASE,
  secret_sha256 BLOB NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
  user_id       INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  limited       INTEGER NOT NULL DEFAULT 0 CHECK (limited IN (0, 1)),  -- to the resources in token_resource
  created_ms    INTEGER NOT NULL,
  expires_ms    INTEGER,            -- NULL: never
  revoked_ms    INTEGER             -- NULL: it is in force
) STRICT;
CREATE UNIQUE INDEX token_by_name ON token (name) WHERE revoked_ms IS NULL;
CREATE INDEX token_by_user ON token (user_id);

CREATE TABLE token_resource (
  token_id    INTEGER NOT NULL REFERENCES token ON DELETE CASCADE,
  resource_id INTEGER NOT NULL REFERENCES resource ON DELETE CASCADE,
  PRIMARY KEY (token_id, resource_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_resource_by_resource ON token_resource (resource_id);

-- Apart from token, because a use is no change of the configuration.
CREATE TABLE token_use (
  token_id     INTEGER PRIMARY KEY REFERENCES token ON DELETE CASCADE,
  last_used_ms INTEGER NOT NULL
) STRICT;

-- Who is signed in on which device, one row for each of the two. On a shared device several users may be
-- present; on any other a user's sign-in still replaces whoever was there.
CREATE TABLE presence_2 (
  device_id        INTEGER NOT NULL REFERENCES device ON DELETE CASCADE,
  user_id          INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  sign_in_id       INTEGER NOT NULL REFERENCES sign_in ON DELETE CASCADE,
  signed_in_ms     INTEGER NOT NULL,
  second_factor_ms INTEGER,
  generation       INTEGER NOT NULL,
  PRIMARY KEY (device_id, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO presence_2 SELECT device_id, user_id, sign_in_id, signed_in_ms, second_factor_ms, generation
  FROM presence;
DROP TABLE presence;                -- and its triggers; dropping fires none
ALTER TABLE presence_2 RENAME TO presence;
CREATE INDEX presence_by_user ON presence (user_id);
CREATE INDEX presence_by_sign_in ON presence (sign_in_id);
CREATE TRIGGER presence_handed_over AFTER INSERT ON presence
WHEN NOT (SELECT shared FROM device WHERE id = new.device_id)
BEGIN DELETE FROM presence WHERE device_id = new.device_id AND user_id <> new.user_id; END;
-- A browser's token ends with the session that it belongs to.
CREATE TRIGGER presence_gone AFTER DELETE ON presence
BEGIN DELETE FROM browser WHERE device_id = old.device_id AND user_id = old.user_id; END;
-- The address will say who is there again: nobody may be taken for one of those who shared it.
CREATE TRIGGER device_unshared AFTER UPDATE OF shared ON device WHEN old.shared AND NOT new.shared
BEGIN DELETE FROM presence WHERE device_id = new.id; END;
)sql",
                                        R"sql(
-- Where the hosts are that targets name: what the gate's own resolver said. Such an address is protected as that host.
CREATE TABLE host_address (
  host    TEXT NOT NULL,            -- as in target: wiki.lan or *.corp.example
  address TEXT NOT NULL,
  since_ms INTEGER NOT NULL,        -- when the resolver first said so
  PRIMARY KEY (host, address)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER office_host_address_INSERT AFTER INSERT ON host_address BEGIN
UPDATE meta SET office_version = office_version + 1; END;
CREATE TRIGGER office_host_address_DELETE AFTER DELETE ON host_address BEGIN
UPDATE meta SET office_version = office_version + 1; END;
)sql",
                                        R"sql(
-- One-time passwords (RFC 6238). The secret is sealed under a key that is not in the store (auth/secret_box.h).
CREATE TABLE otp (
  user_id    INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE,
  secret     BLOB NOT NULL,
  last_step  INTEGER NOT NULL,      -- the latest time step that was used: it and earlier ones are not good again
  created_ms INTEGER NOT NULL
) STRICT;

-- Codes for the day when the telephone is lost: each is good once. 80 random bits, so that a hash is enough.
CREATE TABLE recovery_code (
  user_id     INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  code_sha256 BLOB NOT NULL CHECK (length(code_sha256) = 32),
  created_ms  INTEGER NOT NULL,
  used_ms     INTEGER,              -- NULL: still good
  PRIMARY KEY (user_id, code_sha256)
) STRICT, WITHOUT ROWID;
)sql",
                                        R"sql(
-- OpenID providers. The client secret is sealed under a key that is not in the store (auth/secret_box.h).
CREATE TABLE provider (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  name         TEXT NOT NULL COLLATE NOCASE UNIQUE,
  issuer       TEXT NOT NULL UNIQUE,
  client_id    TEXT NOT NULL,
  secret       BLOB,                -- NULL: a public client
  ca_pem       TEXT NOT NULL,       -- the only CAs that count; empty: the system's
  algorithms   TEXT NOT NULL,       -- RS256 ...; separated by spaces, like the next two
  scopes       TEXT NOT NULL,
  mfa_acr      TEXT NOT NULL,       -- values of acr that say that there was a second factor
  groups_claim TEXT NOT NULL,       -- empty: groups are not read
  create_users INTEGER NOT NULL CHECK (create_users IN (0, 1)),
  enabled      INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  created_ms   INTEGER NOT NULL
) STRICT;

-- The hosts that a provider's own documents name: they are reachable before anybody is signed in.
CREATE TABLE provider_host (
  provider_id INTEGER NOT NULL REFERENCES provider ON DELETE CASCADE,
  host        TEXT NOT NULL,
  port        INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
  PRIMARY KEY (provider_id, host, port)
) STRICT, WITHOUT ROWID;

-- Who somebody is at a provider: the issuer is the provider's, and each provider has one.
CREATE TABLE identity (
  provider_id INTEGER NOT NULL REFERENCES provider ON DELETE CASCADE,
  subject     TEXT NOT NULL,
  user_id     INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  created_ms  INTEGER NOT NULL,
  PRIMARY KEY (provider_id, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_by_user ON identity (user_id);

-- The provider's own sessions (sid), for logout tokens that say no more.
CREATE TABLE provider_session (
  provider_id INTEGER NOT NULL REFERENCES provider ON DELETE CASCADE,
  sid         TEXT NOT NULL,
  user_id     INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  at_ms       INTEGER NOT NULL,
  PRIMARY KEY (provider_id, sid, user_id)
) STRICT, WITHOUT ROWID;

-- Logout tokens that were used: each is good once.
CREATE TABLE logout_token (
  provider_id INTEGER NOT NULL REFERENCES provider ON DELETE CASCADE,
  jti         TEXT NOT NULL,
  at_ms       INTEGER NOT NULL,
  PRIMARY KEY (provider_id, jti)
) STRICT, WITHOUT ROWID;
)sql",
                                        R"sql(
-- Sign-ins that machines without a browser wait for, while somebody confirms them in a browser elsewhere (RFC 8628).
CREATE TABLE login (
  code          TEXT PRIMARY KEY,   -- what people type
  device_sha256 BLOB NOT NULL UNIQUE CHECK (length(device_sha256) = 32),  -- of what the machine asks with
  source        TEXT NOT NULL,      -- the MAC or address of the machine
  address       TEXT NOT NULL,      -- that it asked from
  counted_as    TEXT NOT NULL,      -- the source as limits count it
  resource_id   INTEGER REFERENCES resource ON DELETE CASCADE,
  asked_ms      INTEGER NOT NULL,
  expires_ms    INTEGER NOT NULL,
  state         TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'refused', 'withdrawn', 'expired')),
  user_id       INTEGER REFERENCES user ON DELETE CASCADE  -- who approved it
) STRICT, WITHOUT ROWID;
CREATE INDEX login_by_end ON login (expires_ms);
CREATE INDEX login_by_resource ON login (resource_id);
CREATE INDEX login_by_user ON login (user_id);
)sql",
                                        R"sql(
-- A token is a person's or a machine's. The three tables are made anew: SQLite cannot take NOT NULL from a column.
CREATE TABLE token_2 (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT NOT NULL COLLATE NOCASE,
  secret_sha256 BLOB NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
  user_id       INTEGER REFERENCES user ON DELETE CASCADE,
  device_id     INTEGER REFERENCES device ON DELETE CASCADE,
  limited       INTEGER NOT NULL DEFAULT 0 CHECK (limited IN (0, 1)),  -- to the resources in token_resource
  created_ms    INTEGER NOT NULL,
  expires_ms    INTEGER,            -- NULL: never
  revoked_ms    INTEGER,            -- NULL: it is in force
  CHECK ((user_id IS NULL) <> (device_id IS NULL))
) STRICT;
CREATE TABLE token_resource_2 (
  token_id    INTEGER NOT NULL REFERENCES token_2 ON DELETE CASCADE,
  resource_id INTEGER NOT NULL REFERENCES resource ON DELETE CASCADE,
  PRIMARY KEY (token_id, resource_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE token_use_2 (
  token_id     INTEGER PRIMARY KEY REFERENCES token_2 ON DELETE CASCADE,
  last_used_ms INTEGER NOT NULL
) STRICT;
INSERT INTO token_2 SELECT id, name, secret_sha256, user_id, NULL, limited, created_ms, expires_ms, revoked_ms FROM token;
DELETE FROM sqlite_sequence WHERE name = 'token_2';  -- no id is ever given twice
INSERT INTO sqlite_sequence SELECT 'token_2', seq FROM sqlite_sequence WHERE name = 'token';
INSERT INTO token_resource_2 SELECT token_id, resource_id FROM token_resource;
INSERT INTO token_use_2 SELECT token_id, last_used_ms FROM token_use;
DROP TABLE token_resource;
DROP TABLE token_use;
DROP TABLE token;
ALTER TABLE token_2 RENAME TO token;
ALTER TABLE token_resource_2 RENAME TO token_resource;
ALTER TABLE token_use_2 RENAME TO token_use;
CREATE UNIQUE INDEX token_by_name ON token (name) WHERE revoked_ms IS NULL;
CREATE INDEX token_by_user ON token (user_id);
CREATE INDEX token_by_device ON token (device_id);
CREATE INDEX token_resource_by_resource ON token_resource (resource_id);

-- Client certificates by which devices prove themselves: of our own device CA, known by their SHA-256, or of a
-- given CA, known by the name in them.
CREATE TABLE certificate (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL COLLATE NOCASE,
  device_id  INTEGER NOT NULL REFERENCES device ON DELETE CASCADE,
  sha256     BLOB UNIQUE CHECK (length(sha256) = 32),
  subject    TEXT COLLATE NOCASE,
  serial     TEXT NOT NULL DEFAULT '',  -- in hexadecimal; of a given CA's: of the one that was shown last
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,                   -- NULL: never, or none was shown yet
  revoked_ms INTEGER,                   -- NULL: it is in force
  CHECK ((sha256 IS NULL) <> (subject IS NULL))
) STRICT;
CREATE UNIQUE INDEX certificate_by_name ON certificate (name) WHERE revoked_ms IS NULL;
CREATE UNIQUE INDEX certificate_by_subject ON certificate (subject) WHERE revoked_ms IS NULL;
CREATE INDEX certificate_by_device ON certificate (device_id);

CREATE TABLE policy_token (
  policy_id INTEGER NOT NULL REFERENCES policy ON DELETE CASCADE,
  token_id  INTEGER NOT NULL REFERENCES token ON DELETE CASCADE,
  PRIMARY KEY (policy_id, token_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_token_by_token ON policy_token (token_id);
CREATE TABLE policy_certificate (
  policy_id      INTEGER NOT NULL REFERENCES policy ON DELETE CASCADE,
  certificate_id INTEGER NOT NULL REFERENCES certificate ON DELETE CASCADE,
  PRIMARY KEY (policy_id, certificate_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_certificate_by_certificate ON policy_certificate (certificate_id);

-- What counts now of what devices have proven: by which token or certificate, last when, and from where.
CREATE TABLE device_proof (
  id             INTEGER PRIMARY KEY,
  device_id      INTEGER NOT NULL REFERENCES device ON DELETE CASCADE,
  token_id       INTEGER UNIQUE REFERENCES token ON DELETE CASCADE,
  certificate_id INTEGER UNIQUE REFERENCES certificate ON DELETE CASCADE,
  proven_ms      INTEGER NOT NULL,
  source         TEXT NOT NULL,     -- the MAC, or the address of one that is off-link
  generation     INTEGER NOT NULL,
  CHECK ((token_id IS NULL) <> (certificate_id IS NULL))
) STRICT;
CREATE INDEX device_proof_by_device ON device_proof (device_id);
CREATE TRIGGER device_revoked AFTER UPDATE OF state ON device WHEN new.state = 'revoked'
BEGIN DELETE FROM device_proof WHERE device_id = new.id; END;
CREATE TRIGGER device_sharing_changed AFTER UPDATE OF shared ON device WHEN old.shared <> new.shared
BEGIN DELETE FROM device_proof WHERE device_id = new.id; END;
)sql",
                                        R"sql(
-- Passkeys (W3C Web Authentication). The public key is here, and nothing that is secret.
CREATE TABLE passkey (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id         INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  name            TEXT NOT NULL COLLATE NOCASE,        -- as its user calls it
  credential_id   BLOB NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
  algorithm       INTEGER NOT NULL,                    -- its COSE number
  public_key      BLOB NOT NULL,                       -- as auth/webauthn.h has it
  sign_count      INTEGER NOT NULL,                    -- of the last use: one that is not greater is a copy's
  user_verified   INTEGER NOT NULL CHECK (user_verified IN (0, 1)),    -- by fingerprint or PIN, when it was made
  backup_eligible INTEGER NOT NULL CHECK (backup_eligible IN (0, 1)),  -- its key may be on several devices
  backed_up       INTEGER NOT NULL CHECK (backed_up IN (0, 1)),
  created_ms      INTEGER NOT NULL,
  last_used_ms    INTEGER,
  UNIQUE (user_id, name)
) STRICT;

-- What authenticators know a user by: 32 random bytes that say nothing about them.
CREATE TABLE user_handle (
  user_id INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE,
  handle  BLOB NOT NULL UNIQUE CHECK (length(handle) = 32)
) STRICT;
)sql",
                                        R"sql(
-- What its user has shown in that very browser: another one on the same device may be somebody else's. NULL: it signed
-- in before this was kept, and has shown nothing.
ALTER TABLE browser ADD COLUMN sign_in_id INTEGER REFERENCES sign_in ON DELETE CASCADE;
ALTER TABLE browser ADD COLUMN signed_in_ms INTEGER;
ALTER TABLE browser ADD COLUMN second_factor_ms INTEGER;
CREATE INDEX browser_by_sign_in ON browser (sign_in_id);

-- The portal's name that a passkey was made for: under another one browsers do not have it. Empty: not known.
ALTER TABLE passkey ADD COLUMN rp_id TEXT NOT NULL DEFAULT '' COLLATE NOCASE;
)sql",
                                        R"sql(
-- An admin has said that this host of a provider is within the office, where resources are.
ALTER TABLE provider_host ADD COLUMN inside INTEGER NOT NULL DEFAULT 0 CHECK (inside IN (0, 1));

-- Whom the token was about: a sign-in that was under way when it came is not let in.
ALTER TABLE logout_token ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE logout_token ADD COLUMN sid TEXT NOT NULL DEFAULT '';
)sql",
                                        R"sql(
-- Of the certificate that was shown last and of each CA's on the way to the given one: issuer and serial, as lists of
-- revoked ones name them. Empty: not known.
ALTER TABLE certificate ADD COLUMN chain TEXT NOT NULL DEFAULT '';
)sql"};

// Tables whose every change is a change of the configuration: each gets three triggers that raise
// office_version.
inline constexpr std::array kOfficeTables{
    "setting",       "user",         "user_group",   "membership",        "device",
    "policy",        "resource",     "target",       "device_address",    "policy_resource",
    "policy_user",   "policy_group", "token",        "token_resource",    "provider",
    "provider_host", "certificate",  "policy_token", "policy_certificate"};

}  // namespace nightlatch
