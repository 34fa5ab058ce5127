// SecretBox: seals the secrets that must be read back (one-time password seeds, client secrets) under a key
// that is not in the store but in a file beside it: a copy of the store alone gives none of them away.
// AES-256-GCM (NIST SP 800-38D) with a random nonce; `purpose` names the row that the secret belongs to and
// is authenticated with it, so that a sealed secret cannot be moved to another row.
//
// The key file, STORE.key, holds one key a line, `ID BASE64URL`; the last is for sealing, all are for
// reading. A box is what the file says at one moment: make one where it is needed, for sealing inside the
// write transaction, so that a rotation (rotate_key) cannot pass it by. Reads files: never on an event loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"

namespace nightlatch {

[[nodiscard]] std::string key_path(const std::string& store_path);

class SecretBox {
 public:
  // Makes the key file when there is none and nothing in the store is sealed. When it is absent although
  // something is sealed, or damaged, this is `invalid` and nothing is made.
  static Result<SecretBox> open(Database& db);
  SecretBox(SecretBox&&) noexcept = default;
  SecretBox& operator=(SecretBox&&) noexcept = default;
  SecretBox(const SecretBox&) = delete;
  SecretBox& operator=(const SecretBox&) = delete;
  ~SecretBox();

  [[nodiscard]] std::string seal(std::string_view secret, std::string_view purpose) const;  // bytes: a BLOB
  // `invalid` when it was changed, moved, or sealed under a key that is not in the file. Wipe the result.
  [[nodiscard]] Result<std::string> unseal(std::string_view sealed, std::string_view purpose) const;

 private:
  friend Result<std::int64_t> rotate_key(Database& db);
  struct Key {
    std::uint32_t id = 0;
    std::string bytes;
  };
  SecretBox() = default;
  static Result<SecretBox> read(const std::string& path);
  [[nodiscard]] Status write(const std::string& path, bool replace) const;
  [[nodiscard]] Status keep_in(const std::string& path) const;
  [[nodiscard]] Status seal_again(Database& db, const char* table, const char* column, const char* id_column,
                                  std::int64_t id, std::string_view sealed, const std::string& purpose) const;

  std::vector<Key> keys_;  // never empty in a box that open() gave
};

// How many secrets in the store are sealed.
[[nodiscard]] Result<std::int64_t> count_sealed(Database& db);

// Whether each of them can be read: how many there are, or what is wrong with one.
[[nodiscard]] Result<std::int64_t> check_sealed(Database& db);

// Makes a new key, seals every secret anew in one transaction, and then takes the old key out of the file;
// STORE.key.old has all earlier ones, for backups. Returns how many secrets were sealed anew. Broken off, it
// can be run again: until its end the file holds both keys. A second one at the same time waits.
[[nodiscard]] Result<std::int64_t> rotate_key(Database& db);

}  // namespace nightlatch
