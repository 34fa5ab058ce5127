// The arrows of the design, read from the sources: which folder may include which, which library is known to
// which file, and how long a file may be. New folders and libraries are added here on purpose, with the
// reason in a review.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Include {
  std::string file;  // relative to the root
  int line = 0;
  std::string name;
  bool angled = false;
};

struct Source {
  std::string file;
  std::string folder;
  int lines = 0;
  std::vector<Include> includes;
};

// base ← policy ← store ← auth ← {proxy, web} ← cli, and net ← {proxy, web}; see the design in docs/.
const std::map<std::string, std::set<std::string>> kMayInclude{
    {"base", {"base"}},
    {"policy", {"base", "policy"}},
    {"store", {"base", "policy", "store"}},
    {"auth", {"base", "policy", "store", "auth"}},
    {"net", {"base", "net"}},
    // Of auth, the gate may use only the check of a credential sent in a connection: kOfAuthForTheGate.
    {"proxy", {"base", "policy", "store", "net", "proxy"}},
    {"web", {"base", "policy", "store", "auth", "net", "web"}},
    {"cli", {"base", "policy", "store", "auth", "net", "proxy", "web", "cli"}},
};
const std::set<std::string> kOfAuthForTheGate{"auth/credential.h"};

// A library's headers, and the only files that may include them: a name that ends with '/' is a whole folder.
struct Fence {
  std::vector<std::string> headers;
  std::vector<std::string> allowed;
};
const std::vector<Fence> kFences{
    {{"uv.h", "uv/"}, {"net/"}},
    {{"sqlite3.h"}, {"store/database.cc"}},
    {{"llhttp.h"}, {"net/", "proxy/first_bytes.cc"}},
    {{"libmnl/", "linux/netlink.h", "linux/rtnetlink.h", "linux/neighbour.h"}, {"net/neighbour.cc"}},
    {{"argon2.h"}, {"auth/password.cc"}},
    {{"ares.h"}, {"net/resolver.cc"}},
    {{"idn2.h"}, {"policy/idna.cc"}},
    {{"libpsl.h"}, {"policy/public_suffix.cc"}},
    {{"cxxopts.hpp"}, {"cli/parse.cc"}},
    {{"sys/capability.h"}, {"net/privileges.cc"}},
    {{"openssl/"},
     {"base/crypto.cc", "base/certificate_number.cc", "net/", "auth/", "proxy/quic_keys.cc",
      "cli/doctor_checks.cc"}},
    {{"kainjow/"}, {"web/"}},
    {{"curl/"}, {"net/http_client.cc"}},
    {{"cjose/", "jansson.h"}, {"auth/jws.cc"}},
    {{"liboath/"}, {"auth/otp.cc"}},
    {{"fido.h", "fido/"}, {"auth/webauthn.cc"}},
    {{"qrcodegen.hpp"}, {"base/qr_code.cc"}},
};
const std::vector<std::string> kHeavy{"nlohmann/",   "sqlite3.h",    "uv.h",     "uv/",     "openssl/",
                                      "cxxopts.hpp", "kainjow/",     "llhttp.h", "libmnl/", "argon2.h",
                                      "idn2.h",      "libpsl.h",     "curl/",    "cjose/",  "liboath/",
                                      "fido.h",      "qrcodegen.hpp"};

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& one) {
    return one.ends_with('/') ? name.starts_with(one) : name == one;
  });
}

// `#include <a>` or `#include "a"`; a name of "" when the line is neither.
Include read_include(std::string_view line) {
  const auto skip_space = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  skip_space();
  if (!line.starts_with('#')) return {};
  line.remove_prefix(1);
  skip_space();
  if (!line.starts_with("include")) return {};
  line.remove_prefix(7);
  skip_space();
  const bool angled = line.starts_with('<');
  if (!angled && !line.starts_with('"')) return {};
  line.remove_prefix(1);
  return {"", 0, std::string(line.substr(0, line.find(angled ? '>' : '"'))), angled};
}

Source read_source(const fs::path& path, const fs::path& root) {
  Source s;
  s.file = fs::relative(path, root).generic_string();
  s.folder = s.file.substr(0, s.file.find('/'));
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    ++s.lines;
    Include include = read_include(line);
    if (include.name.empty()) continue;
    include.file = s.file;
    include.line = s.lines;
    s.includes.push_back(std::move(include));
  }
  return s;
}

const std::vector<Source>& sources() {
  static const std::vector<Source> all = [] {
    std::vector<Source> out;
    const fs::path root(SOURCE_DIR);
    for (const auto& [folder, may] : kMayInclude) {
      for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
        const auto extension = entry.path().extension();
        if (extension == ".cc" || extension == ".h") out.push_back(read_source(entry.path(), root));
      }
    }
    return out;
  }();
  return all;
}

std::string place(const Include& i) { return i.file + ":" + std::to_string(i.line) + ": \"" + i.name + "\""; }

// Why an include of our own header is wrong, or "".
std::string wrong_arrow(const std::string& folder, const Include& i) {
  const auto slash = i.name.find('/');
  if (slash == std::string::npos)
    return "our headers are included by their path from the root: \"folder/file.h\"";
  const std::string to = i.name.substr(0, slash);
  if (kMayInclude.count(to) == 0) return "no such folder of ours";
  if (kMayInclude.at(folder).count(to) > 0) return "";
  if (folder == "proxy" && kOfAuthForTheGate.count(i.name) > 0) return "";
  return folder + " may not include " + to;
}

TEST(Layout, SourcesWereFound) {
  EXPECT_GE(sources().size(), 20U);
  std::size_t includes = 0;
  for (const Source& s : sources()) includes += s.includes.size();
  EXPECT_GE(includes, 100U);
}

TEST(Layout, ArrowsPointOneWay) {
  for (const Source& s : sources()) {
    for (const Include& i : s.includes) {
      const std::string wrong = i.angled ? "" : wrong_arrow(s.folder, i);
      EXPECT_EQ(wrong, "") << place(i);
    }
  }
}

TEST(Layout, OwnHeadersAreNeverAngled) {
  for (const Source& s : sources()) {
    for (const Include& i : s.includes) {
      if (!i.angled) continue;
      const bool ours = fs::exists(fs::path(SOURCE_DIR) / i.name);  // <net/if.h> is the system's
      EXPECT_FALSE(ours) << place(i) << ": <> would slip past the arrows";
    }
  }
}

TEST(Layout, TheArrowsThemselvesRefuse) {
  const auto refused = [](const char* folder, const char* name) {
    return !wrong_arrow(folder, {"x", 1, name, false}).empty();
  };
  EXPECT_TRUE(refused("proxy", "web/portal.h"));
  EXPECT_TRUE(refused("web", "proxy/gate.h"));
  EXPECT_TRUE(refused("proxy", "auth/password.h"));
  EXPECT_TRUE(refused("net", "policy/model.h"));
  EXPECT_TRUE(refused("policy", "store/database.h"));
  EXPECT_TRUE(refused("base", "policy/model.h"));
  EXPECT_TRUE(refused("auth", "net/loop.h"));
  EXPECT_TRUE(refused("web", "cli/command.h"));
  EXPECT_FALSE(refused("web", "auth/password.h"));
  EXPECT_FALSE(refused("cli", "proxy/gate.h"));
}

// policy is pure: of the system it may know only the language's own library, and fmt.
TEST(Layout, PolicyDoesNoInputOrOutput) {
  static const std::set<std::string> harmless{
      "algorithm",  "array",       "bitset",        "bit",     "charconv",   "chrono", "compare",
      "concepts",   "cstddef",     "cstdint",       "cstring", "functional", "limits", "map",
      "memory",     "numeric",     "optional",      "set",     "span",       "string", "string_view",
      "tuple",      "type_traits", "unordered_map", "utility", "variant",    "vector", "fmt/format.h",
      "fmt/core.h", "idn2.h",      "libpsl.h"};
  for (const Source& s : sources()) {
    if (s.folder != "policy") continue;
    for (const Include& i : s.includes) {
      const bool pure =
          i.angled ? harmless.count(i.name) > 0 : i.name != "base/fd.h" && i.name != "base/log.h";
      EXPECT_TRUE(pure) << place(i) << ": is this free of input and output?";
    }
  }
}

TEST(Layout, EachLibraryIsBehindItsOwnFile) {
  for (const Source& s : sources()) {
    for (const Include& i : s.includes) {
      for (const Fence& fence : kFences) {
        if (!among(fence.headers, i.name)) continue;
        EXPECT_TRUE(among(fence.allowed, s.file))
            << place(i) << ": this library is used from " << fence.allowed[0] << " only";
      }
    }
  }
}

TEST(Layout, HeavyLibrariesStayOutOfHeaders) {
  for (const Source& s : sources()) {
    if (!s.file.ends_with(".h")) continue;
    for (const Include& i : s.includes) EXPECT_FALSE(among(kHeavy, i.name)) << place(i);
  }
}

TEST(Layout, EveryHeaderSaysWhatItIs) {
  for (const Source& s : sources()) {
    if (!s.file.ends_with(".h")) continue;
    std::ifstream in(fs::path(SOURCE_DIR) / s.file);
    std::string first, line;
    std::getline(in, first);
    EXPECT_TRUE(first.starts_with("// "))
        << s.file << " must open with what it is, who owns it and on which thread it runs";
    bool once = false;
    while (std::getline(in, line)) once = once || line == "#pragma once";
    EXPECT_TRUE(once) << s.file << " has no #pragma once";
  }
}

TEST(Layout, NoFileIsTooLong) {
  for (const Source& s : sources()) {
    EXPECT_LE(s.lines, 450) << s.file << ": split it by subject";
  }
}

// Two types of one name, in files that never meet, would be one type to the linker.
TEST(Layout, NoTypeIsDefinedTwice) {
  std::map<std::string, std::string> defined;
  for (const Source& s : sources()) {
    if (!s.file.ends_with(".h")) continue;
    std::ifstream in(fs::path(SOURCE_DIR) / s.file);
    std::string line;
    while (std::getline(in, line)) {
      std::istringstream words(line);
      std::string kind, name;
      words >> kind >> name;
      if (kind == "enum" && name == "class") words >> name;
      const bool type =
          line.starts_with("struct ") || line.starts_with("class ") || line.starts_with("enum ");
      if (!type || !line.ends_with("{") || name.find("::") != std::string::npos) continue;
      const auto [first, fresh] = defined.emplace(name, s.file);
      EXPECT_TRUE(fresh) << s.file << " and " << first->second << " both define " << name;
    }
  }
  EXPECT_GT(defined.size(), 200U);
}

}  // namespace
