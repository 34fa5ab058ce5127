#include "policy/public_suffix.h"

#include <libpsl.h>

namespace nightlatch {

bool is_public_suffix(const std::string& name) {
  const psl_ctx_t* list = psl_builtin();
  // Built without its list, the library knows none: then no name is taken for anybody's own.
  if (list == nullptr) return true;
  return psl_is_public_suffix2(list, name.c_str(), PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) != 0;
}

}  // namespace nightlatch
