// OpenID providers, as an admin set them up. Each change is one transaction; every function runs on the
// Database's thread. The client secret is here only as it was sealed (auth/secret_box.h).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

enum class ProviderId : std::int64_t { none = 0 };

struct NewProvider {
  std::string name;  // a name like a user's, without '@'
  std::string issuer, client_id;
  std::string ca_pem;                   // the only CAs that count; empty: the system's
  std::vector<std::string> algorithms;  // "RS256", ...
  std::vector<std::string> scopes;      // beside openid
  std::vector<std::string> mfa_acr;     // values of acr that say that there was a second factor
  std::string groups_claim;             // empty: groups are not read
  bool create_users = false;            // who is not known yet becomes a user by signing in
  bool operator==(const NewProvider&) const = default;
};
struct Provider : NewProvider {
  ProviderId id{};
  bool enabled = true;
  bool has_secret = false;
  WallTime created{};
  bool operator==(const Provider&) const = default;
};

// What a client secret is sealed for.
[[nodiscard]] std::string secret_purpose(ProviderId id);

// `seal` is called with the new row's id, inside the transaction; without it, it is a public client.
using SealSecret = std::function<Result<std::string>(ProviderId)>;
[[nodiscard]] Result<ProviderId> add_provider(Database& db, const NewProvider& provider,
                                              const SealSecret& seal);
[[nodiscard]] Result<std::vector<Provider>> list_providers(Database& db);
[[nodiscard]] Result<Provider> find_provider(Database& db, std::string_view name);  // any case
[[nodiscard]] Status set_provider_enabled(Database& db, std::string_view name, bool enabled);
[[nodiscard]] Status set_provider_secret(Database& db, std::string_view name, const SealSecret& seal);
// Its identities go with it, and the memberships of its groups; the users stay.
[[nodiscard]] Status remove_provider(Database& db, std::string_view name);
[[nodiscard]] Result<std::optional<std::string>> sealed_secret(Database& db, ProviderId id);

// The hosts that the provider's documents name, beside its issuer's. Replaces what was known, but for what an
// admin has said: such a host stays, and `inside` is as that admin set it.
struct ProviderHost {
  std::string host;  // a name or an address, in lower case
  std::uint16_t port = 443;
  bool inside = false;  // an admin has said that it is within the office, where resources are
  auto operator<=>(const ProviderHost&) const = default;
};
// Whether anything changed.
[[nodiscard]] Result<bool> set_provider_hosts(Database& db, ProviderId id,
                                              const std::vector<ProviderHost>& hosts);
// Says that these hosts of it are within the office too; none: that none is.
[[nodiscard]] Status set_provider_inside(Database& db, ProviderId id, const std::vector<ProviderHost>& hosts);
[[nodiscard]] Result<std::vector<ProviderHost>> list_provider_hosts(Database& db);  // of enabled ones, once
[[nodiscard]] Result<std::vector<ProviderHost>> hosts_of_provider(Database& db, ProviderId id);

}  // namespace nightlatch
