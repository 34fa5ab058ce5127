#include "policy/idna.h"

#include <fmt/format.h>
#include <idn2.h>

#include <memory>

namespace nightlatch {

Result<std::string> to_a_labels(std::string_view utf8) {
  if (utf8.find('\0') != std::string_view::npos) return Error::usage("a name holds no NUL");
  char* out = nullptr;
  const int rc = idn2_to_ascii_8z(std::string(utf8).c_str(), &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, void (*)(void*)> owned(out, idn2_free);
  if (rc != IDN2_OK) return Error::usage(fmt::format("not an international name: {}", idn2_strerror(rc)));
  return std::string(out);
}

}  // namespace nightlatch
