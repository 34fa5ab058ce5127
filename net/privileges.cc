#include "net/privileges.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace nightlatch {

namespace {
Error failed(const char* doing) { return Error::failure(fmt::format("{}: {}", doing, std::strerror(errno))); }

struct FreeCap {
  void operator()(cap_t c) const { cap_free(c); }
};
}  // namespace

Status drop_privileges(const std::string& user, const std::vector<std::string>& keep) {
  std::vector<cap_value_t> kept;
  for (const std::string& name : keep) {
    cap_value_t value = 0;
    if (cap_from_name(("cap_" + name).c_str(), &value) != 0) return failed(name.c_str());
    kept.push_back(value);
  }
  const bool root = geteuid() == 0;
  if (root) {
    for (cap_value_t c = 0; c < cap_max_bits(); ++c) {
      // Without CAP_SETPCAP the bounding set stays, as in a container that has cut it already.
      if (std::find(kept.begin(), kept.end(), c) == kept.end()) cap_drop_bound(c);
    }
    const passwd* pw = getpwnam(user.c_str());
    if (pw == nullptr) {
      return Error::failure(fmt::format("there is no user '{}' to run as", user),
                            fmt::format("create it: useradd --system --no-create-home {}", user));
    }
    const uid_t uid = pw->pw_uid;
    const gid_t gid = pw->pw_gid;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return failed("keeping capabilities");
    if (initgroups(user.c_str(), gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0) {
      return failed("changing the user");
    }
  }
  const std::unique_ptr<_cap_struct, FreeCap> caps(cap_init());
  const auto n = static_cast<int>(kept.size());
  if (n > 0) {
    for (const cap_flag_t set : {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE}) {
      cap_set_flag(caps.get(), set, n, kept.data(), CAP_SET);
    }
  }
  if (cap_set_proc(caps.get()) != 0) return failed("setting capabilities");
  for (const cap_value_t c : kept) {
    if (cap_set_ambient(c, CAP_SET) != 0) return failed("setting ambient capabilities");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return Done{};
}

}  // namespace nightlatch
