#include "cli/ownership.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "auth/device_ca.h"
#include "auth/office_ca.h"
#include "auth/secret_box.h"
#include "base/fd.h"
#include "store/audit.h"

namespace nightlatch::cli {

namespace fs = std::filesystem;

namespace {

// NOLINTBEGIN(concurrency-mt-unsafe): the main thread, before there is another
std::optional<gid_t> shared_group() {
  const group* entry = getgrnam(kSystemUser);
  if (entry == nullptr) return std::nullopt;
  return entry->gr_gid;
}
bool user_exists() { return getpwnam(kSystemUser) != nullptr; }
// NOLINTEND(concurrency-mt-unsafe)

bool run_program(const std::vector<const char*>& words) {
  const pid_t pid = fork();
  if (pid == 0) {
    std::vector<char*> argv;
    for (const char* w : words) argv.push_back(const_cast<char*>(w));  // NOLINT: execvp's old signature
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct Wanted {
  std::string path;
  mode_t mode;
  bool group;  // belongs to the shared group
};

std::vector<Wanted> wanted_files(const std::string& store) {
  std::vector<Wanted> files;
  for (const std::string& base : {store, audit_path(store)}) {
    for (const char* extra : {"", "-wal", "-shm"}) files.push_back({base + extra, 0660, true});
  }
  const TlsPaths tls = tls_paths(store);
  files.push_back({fs::path(tls.certificate).parent_path(), 0750, true});
  files.push_back({tls.ca, 0644, true});
  files.push_back({tls.certificate, 0644, true});
  files.push_back({tls.key, 0640, true});
  files.push_back({tls.ca_key, 0600, false});
  const DeviceCaPaths devices = device_ca_paths(store);
  files.push_back({devices.certificate, 0644, true});
  files.push_back({devices.key, 0600, false});
  files.push_back({key_path(store), 0640, true});
  files.push_back({key_path(store) + ".old", 0600, false});
  return files;
}

// Through a descriptor that does not follow a link, so that nobody in the group can point root at another
// file. O_PATH, because closing an ordinary descriptor of the store would drop the locks that this process
// has on it (POSIX), and it may have the store open.
void share(const Wanted& wanted, gid_t gid) {
  const Fd fd(open(wanted.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat st{};
  if (!fd.valid() || fstat(fd.get(), &st) != 0) return;
  const bool kind = S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1);
  if (!kind) return;
  if (wanted.group && st.st_gid != gid &&
      fchownat(fd.get(), "", static_cast<uid_t>(-1), gid, AT_EMPTY_PATH) != 0) {
    return;
  }
  if ((st.st_mode & 07777) != wanted.mode) {
    (void)chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), wanted.mode);
  }
}

bool has_other_files(const std::string& folder, const std::string& store) {
  std::error_code ignored;
  const std::string base = fs::path(store).filename();
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    if (name != "lost+found" && name != "tls" && !name.starts_with(base)) return true;
  }
  return false;
}

}  // namespace

std::string folder_of(const std::string& store) {
  const std::string parent = fs::path(store).parent_path();
  return parent.empty() ? "." : parent;
}

Result<std::string> ensure_system_user() {
  if (geteuid() != 0 || user_exists()) return std::string();
  const std::string hint =
      fmt::format("make it yourself: groupadd --system {0} && useradd --system --gid {0} {0}", kSystemUser);
  if (!shared_group() && !run_program({"groupadd", "--system", kSystemUser})) {
    return Error::failure(fmt::format("the group '{}' could not be made", kSystemUser), hint);
  }
  if (!run_program({"useradd", "--system", "--gid", kSystemUser, "--no-create-home", "--home-dir",
                    "/nonexistent", "--shell", "/usr/sbin/nologin", kSystemUser})) {
    return Error::failure(fmt::format("the user '{}' could not be made", kSystemUser), hint);
  }
  return fmt::format("made the system user '{}', which the gate and the portal run as", kSystemUser);
}

Status prepare_folder(const std::string& store) {
  const std::string folder = folder_of(store);
  std::error_code error;
  const bool existed = fs::exists(folder, error);
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder, error)) {
    return Error::failure(fmt::format("--store: the folder '{}' could not be made: {}", folder,
                                      error ? error.message() : "something else has its name"));
  }
  const std::optional<gid_t> gid = shared_group();
  if (geteuid() != 0 || !gid) return Done{};
  struct stat st{};
  if (stat(folder.c_str(), &st) == 0 && st.st_gid == *gid && (st.st_mode & 0070) == 0070) return Done{};
  if (existed && has_other_files(folder, store)) {
    return Error::usage(
        fmt::format("--store: the folder '{}' holds other files", folder),
        fmt::format("give the store a folder of its own: the group '{}' must be able to write there",
                    kSystemUser));
  }
  if (chown(folder.c_str(), static_cast<uid_t>(-1), *gid) != 0 || chmod(folder.c_str(), 02770) != 0) {
    return Error::failure(fmt::format("--store: the folder '{}' could not be given to the group '{}': {}",
                                      folder, kSystemUser,
                                      std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  }
  return Done{};
}

void share_store(const std::string& store) {
  const std::optional<gid_t> gid = shared_group();
  if (geteuid() != 0 || !gid) return;
  for (const Wanted& w : wanted_files(store)) share(w, *gid);
}

std::vector<std::string> badly_shared(const std::string& store) {
  std::vector<std::string> found;
  const std::optional<gid_t> gid = shared_group();
  for (const Wanted& w : wanted_files(store)) {
    struct stat st{};
    if (lstat(w.path.c_str(), &st) != 0) continue;
    const mode_t mode = st.st_mode & 07777;
    if ((mode & 0007 & ~w.mode) != 0) {
      found.push_back(fmt::format("{} is open to everybody (mode {:04o}, not {:04o})", w.path, mode, w.mode));
    } else if (w.group && gid && st.st_gid != *gid) {
      found.push_back(fmt::format("{} does not belong to the group '{}'", w.path, kSystemUser));
    } else if ((mode & w.mode) != w.mode) {
      found.push_back(fmt::format("{} has mode {:04o}, not {:04o}", w.path, mode, w.mode));
    }
  }
  return found;
}

}  // namespace nightlatch::cli
