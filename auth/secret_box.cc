#include "auth/secret_box.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/crypto.h"
#include "base/fd.h"
#include "base/text.h"

namespace nightlatch {

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kHeader = 1 + 4 + kNonceBytes;  // version, the key's id, the nonce
constexpr char kVersion = 1;
constexpr std::size_t kLongestFile = 65536;

// Every column that holds sealed secrets; the purpose of a row is "PREFIX/ID".
struct Sealed {
  const char *table, *column, *id, *prefix;
};
constexpr std::array kSealed{Sealed{"otp", "secret", "user_id", "otp"},
                             Sealed{"provider", "secret", "id", "provider"}};

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
Cipher cipher() { return {EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free}; }

std::string error_text(int e) { return std::generic_category().message(e); }

std::string fresh_key() {
  std::string key(kKeyBytes, '\0');
  random_bytes({bytes(key), key.size()});
  return key;
}

// The whole file, or what is wrong with reading it. not_found: there is none.
Result<std::string> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) {
    const int e = errno;
    if (e == ENOENT) return Error::not_found(fmt::format("{}: there is no key file", path));
    return Error::failure(fmt::format("{}: {}", path, error_text(e)));
  }
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) {
    return Error::invalid(fmt::format("{}: this is not a file", path));
  }
  std::string text(kLongestFile, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0) {
      if (errno == EINTR) continue;
      return Error::failure(fmt::format("{}: {}", path, error_text(errno)));
    }
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  return text;
}

Status sync_folder(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) {
    return Error::failure(fmt::format("{}: {}", folder, error_text(errno)));
  }
  return Done{};
}

Status write_whole(int fd, const std::string& text, const std::string& path) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::failure(fmt::format("{}: {}", path, error_text(errno)));
    done += static_cast<std::size_t>(n);
  }
  if (::fsync(fd) != 0) return Error::failure(fmt::format("{}: {}", path, error_text(errno)));
  return Done{};
}

// Calls row(table, id, sealed bytes) for every secret in the store; tables that are not there have none.
template <typename Row>
Status each_sealed(Database& db, const Row& row) {
  for (const Sealed& s : kSealed) {
    auto there = db.integer("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", {s.table});
    if (!there) return there.error();
    if (!*there) continue;
    auto query = db.prepare(
        fmt::format("SELECT {}, {} FROM {} WHERE {} IS NOT NULL", s.id, s.column, s.table, s.column));
    if (!query) return query.error();
    while (true) {
      auto more = query->step();
      if (!more) return more.error();
      if (!*more) break;
      NL_TRY(row(s, query->integer(0), query->text(1)));
    }
  }
  return Done{};
}

}  // namespace

std::string key_path(const std::string& store_path) { return store_path + ".key"; }

SecretBox::~SecretBox() {
  for (Key& key : keys_) wipe(key.bytes);
}

Result<SecretBox> SecretBox::read(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  SecretBox box;
  const auto damaged = [&] {
    wipe(*text);
    return Error::invalid(fmt::format("{}: the key file is damaged; it was left untouched", path),
                          "restore it: what is sealed cannot be read without it");
  };
  for (const std::string_view line : split(*text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return damaged();
    Key key;
    const std::string number(line.substr(0, space));
    const char* end = number.data() + number.size();
    const auto id = std::from_chars(number.data(), end, key.id);
    auto raw = from_base64url(line.substr(space + 1));
    if (id.ec != std::errc() || id.ptr != end || key.id == 0 || !raw || raw->size() != kKeyBytes) {
      return damaged();
    }
    key.bytes = std::move(*raw);
    box.keys_.push_back(std::move(key));
  }
  if (box.keys_.empty()) return damaged();
  wipe(*text);
  return box;
}

// Whole or not at all. Who may read the store may read its key.
Status SecretBox::write(const std::string& path, bool replace) const {
  std::string text =
      "# nightlatch seals secrets in the store with the last of these keys. Keep a copy elsewhere.\n";
  for (const Key& key : keys_) {
    text += fmt::format("{} {}\n", key.id, base64url({bytes(std::string_view(key.bytes)), key.bytes.size()}));
  }
  const std::string making = path + ".making-" + random_token(6);
  const Fd fd(::open(making.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  Status written = fd.valid() ? write_whole(fd.get(), text, making)
                              : Status(Error::failure(fmt::format("{}: {}", making, error_text(errno))));
  wipe(text);
  struct stat store{};
  if (written && ::stat(path.substr(0, path.rfind(".key")).c_str(), &store) == 0 &&
      (store.st_mode & 0040) != 0 && ::fchown(fd.get(), static_cast<uid_t>(-1), store.st_gid) == 0 &&
      ::fchmod(fd.get(), 0640) != 0) {
    written = Error::failure(fmt::format("{}: {}", making, error_text(errno)));
  }
  if (written) {
    const int put = replace ? ::rename(making.c_str(), path.c_str()) : ::link(making.c_str(), path.c_str());
    if (put != 0) written = Error::failure(fmt::format("{}: {}", path, error_text(errno)));
  }
  ::unlink(making.c_str());
  return written ? sync_folder(path) : written;
}

Result<SecretBox> SecretBox::open(Database& db) {
  const std::string path = key_path(db.path());
  auto box = read(path);
  if (box || box.error().kind != ErrorKind::not_found) return box;
  auto sealed = count_sealed(db);
  if (!sealed) return sealed.error();
  if (*sealed > 0) {
    return Error::invalid(
        fmt::format("{}: the key file is gone, and {} secrets are sealed with it", path, *sealed),
        "restore it from where you keep a copy");
  }
  SecretBox fresh;
  fresh.keys_.push_back({1, fresh_key()});
  const Status made = fresh.write(path, false);
  auto there = read(path);  // another process may have made it at the same moment
  return there || made ? std::move(there) : Result<SecretBox>(made.error());
}

std::string SecretBox::seal(std::string_view secret, std::string_view purpose) const {
  const Key& key = keys_.back();
  std::string out(kHeader + secret.size() + kTagBytes, '\0');
  out[0] = kVersion;
  for (std::size_t i = 0; i < 4; ++i) out[1 + i] = static_cast<char>(key.id >> (24 - 8 * i) & 0xff);
  random_bytes({bytes(out) + 5, kNonceBytes});
  const Cipher c = cipher();
  int n = 0;
  bool good =
      c != nullptr &&
      EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(std::string_view(key.bytes)),
                         bytes(out) + 5) == 1 &&
      EVP_EncryptUpdate(c.get(), nullptr, &n, bytes(purpose), static_cast<int>(purpose.size())) == 1 &&
      EVP_EncryptUpdate(c.get(), bytes(out) + kHeader, &n, bytes(secret), static_cast<int>(secret.size())) ==
          1 &&
      EVP_EncryptFinal_ex(c.get(), bytes(out) + kHeader + n, &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, bytes(out) + kHeader + secret.size()) ==
          1;
  // Only a lack of memory can make it fail; nothing is then written that could be taken for a secret.
  return good ? out : std::string();
}

Result<std::string> SecretBox::unseal(std::string_view sealed, std::string_view purpose) const {
  const Error bad =
      Error::invalid("a sealed secret in the store cannot be read",
                     "the key file beside the store is another one, or the store was tampered with");
  if (sealed.size() < kHeader + kTagBytes || sealed[0] != kVersion) return bad;
  std::uint32_t id = 0;
  for (std::size_t i = 1; i < 5; ++i) id = id << 8 | static_cast<unsigned char>(sealed[i]);
  const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const Key& k) { return k.id == id; });
  if (key == keys_.end()) return bad;
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  const std::string_view body = sealed.substr(kHeader, sealed.size() - kHeader - kTagBytes);
  std::string out(body.size(), '\0');
  const Cipher c = cipher();
  int n = 0;
  const bool good =
      c != nullptr &&
      EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(std::string_view(key->bytes)),
                         bytes(sealed) + 5) == 1 &&
      EVP_DecryptUpdate(c.get(), nullptr, &n, bytes(purpose), static_cast<int>(purpose.size())) == 1 &&
      EVP_DecryptUpdate(c.get(), bytes(out), &n, bytes(body), static_cast<int>(body.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, bytes(tag)) == 1 &&
      EVP_DecryptFinal_ex(c.get(), bytes(out) + n, &n) == 1;
  if (good) return out;
  wipe(out);
  return bad;
}

Result<std::int64_t> count_sealed(Database& db) {
  std::int64_t count = 0;
  NL_TRY(each_sealed(db, [&](const Sealed&, std::int64_t, const std::string&) -> Status {
    ++count;
    return Done{};
  }));
  return count;
}

// Every key that was ever in the file, so that any backup can be read.
Status SecretBox::keep_in(const std::string& path) const {
  SecretBox all;
  if (auto before = read(path)) {
    all.keys_ = std::move(before->keys_);
  } else if (before.error().kind != ErrorKind::not_found) {
    return before.error();
  }
  for (const Key& key : keys_) {
    const auto same = [&](const Key& k) { return k.id == key.id && k.bytes == key.bytes; };
    if (std::none_of(all.keys_.begin(), all.keys_.end(), same)) all.keys_.push_back(key);
  }
  return all.write(path, true);
}

// One secret, sealed anew with the last key.
Status SecretBox::seal_again(Database& db, const char* table, const char* column, const char* id_column,
                             std::int64_t id, std::string_view sealed, const std::string& purpose) const {
  auto secret = unseal(sealed, purpose);
  if (!secret) {
    return Error::invalid(fmt::format("{}: {}", purpose, secret.error().message), secret.error().hint);
  }
  const std::string anew = seal(*secret, purpose);
  wipe(*secret);
  if (anew.empty()) return Error::failure(fmt::format("{}: it could not be sealed", purpose));
  auto update = db.prepare(fmt::format("UPDATE {} SET {} = ? WHERE {} = ?", table, column, id_column));
  if (!update) return update.error();
  update->bind_blob(1, anew).bind(2, id);
  return update->run();
}

Result<std::int64_t> rotate_key(Database& db) {
  const std::string path = key_path(db.path());
  // One rotation at a time, to its very end: the file is written once more after the transaction.
  const Fd lock(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid() || ::flock(lock.get(), LOCK_EX) != 0) {
    return Error::failure(fmt::format("{}.lock: {}", path, error_text(errno)));
  }
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  auto box = SecretBox::open(db);
  if (!box) return box.error();
  std::uint32_t newest = 0;
  for (const SecretBox::Key& key : box->keys_) newest = std::max(newest, key.id);
  NL_TRY(box->keep_in(path + ".old"));
  // Whatever fails from here on, the file holds the keys of all that is sealed.
  box->keys_.push_back({newest + 1, fresh_key()});
  NL_TRY(box->write(path, true));
  struct Row {
    const Sealed* place;
    std::int64_t id;
    std::string sealed;
  };
  std::vector<Row> rows;
  NL_TRY(each_sealed(db, [&](const Sealed& place, std::int64_t id, std::string sealed) -> Status {
    rows.push_back({&place, id, std::move(sealed)});
    return Done{};
  }));
  for (const Row& row : rows) {
    NL_TRY(box->seal_again(db, row.place->table, row.place->column, row.place->id, row.id, row.sealed,
                           fmt::format("{}/{}", row.place->prefix, row.id)));
  }
  NL_TRY(tx->commit());
  for (SecretBox::Key& key : box->keys_) {
    if (&key != &box->keys_.back()) wipe(key.bytes);
  }
  box->keys_.erase(box->keys_.begin(), box->keys_.end() - 1);
  NL_TRY(box->write(path, true));
  return static_cast<std::int64_t>(rows.size());
}

Result<std::int64_t> check_sealed(Database& db) {
  auto box = SecretBox::open(db);
  if (!box) return box.error();
  std::int64_t count = 0;
  NL_TRY(each_sealed(db, [&](const Sealed& place, std::int64_t id, const std::string& sealed) -> Status {
    auto secret = box->unseal(sealed, fmt::format("{}/{}", place.prefix, id));
    if (!secret) return secret.error();
    wipe(*secret);
    ++count;
    return Done{};
  }));
  return count;
}

}  // namespace nightlatch
