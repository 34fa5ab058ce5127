// What `provider test` and `doctor` say of an OpenID provider: whether it answers, where it is, and whether
// browsers get there before anybody is signed in. One thread.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "policy/office.h"
#include "store/providers.h"

namespace nightlatch::cli {

// What has to be entered at the provider.
[[nodiscard]] std::string redirect_uri(Database& db, const std::string& name);

// A place of the provider that whoever is not signed in cannot reach.
struct ClosedPlace {
  std::string says, fix;
};
[[nodiscard]] std::vector<ClosedPlace> closed_places(const Office& office, const std::string& provider,
                                                     const std::vector<ProviderPlace>& places);
// The same of where the gate has found it.
[[nodiscard]] Result<std::vector<ClosedPlace>> closed_places(Database& db, const Office& office,
                                                             const Provider& provider);

[[nodiscard]] Result<int> run_provider_test(Context& context);

}  // namespace nightlatch::cli
