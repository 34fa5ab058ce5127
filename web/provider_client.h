// ProviderClient: what the portal asks OpenID providers: discovery, keys, tokens, userinfo. Answers that
// change seldom are kept for an hour and asked for once at a time, however many wait; an unknown key makes it
// look again once in a while, not once for each token that somebody makes up, and the known ones stay good
// until there are others. A provider that is down, slow,
// huge or lying costs its own sign-ins and nothing else. Owned by the site (and by `provider test`); loop's
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "auth/id_token.h"
#include "auth/jws.h"
#include "auth/provider_metadata.h"
#include "base/time.h"
#include "net/http_client.h"
#include "store/providers.h"

namespace nightlatch {

// Why the provider's word cannot be had, or not be taken.
struct ProviderFault {
  std::string reason;  // for the audit log: "cannot_verify_too_slow", "wrong_nonce", ...
  std::string detail;  // for admins; holds no secret
  [[nodiscard]] bool no_answer() const { return reason.starts_with("cannot_verify"); }
};

struct CodeExchange {  // RFC 6749 section 4.1.3 and RFC 7636 section 4.5
  std::string code, redirect_uri, verifier;
  std::string secret;  // empty: a public client
};

// The host and the port of an is_provider_url(), and those of all that a provider sends browsers to.
[[nodiscard]] ProviderHost provider_host_of(std::string_view url);
[[nodiscard]] std::vector<ProviderHost> hosts_for_browsers(const ProviderMetadata& told);

class ProviderClient {
 public:
  template <typename T>
  using Answer = std::function<void(std::variant<T, ProviderFault>)>;
  using MetadataPtr = std::shared_ptr<const ProviderMetadata>;
  using KeysPtr = std::shared_ptr<const JwkSet>;

  [[nodiscard]] static Result<std::unique_ptr<ProviderClient>> open(
      Loop& loop, std::function<BootTime()> now = BootClock::now);

  // Every answer is given once, perhaps before the call returns; none after this is destroyed.
  void metadata(const Provider& provider, Answer<MetadataPtr> answer);
  void keys(const Provider& provider, Answer<KeysPtr> answer);
  // Checks the signature, by the algorithms that the provider may use; looks for new keys once.
  void verify(const Provider& provider, const std::string& token, const Answer<Jws>& answer);
  void exchange(const Provider& provider, const CodeExchange& exchange, const Answer<TokenAnswer>& answer);
  // JSON; what came signed has been verified.
  void userinfo(const Provider& provider, const std::string& access_token, const Answer<std::string>& answer);
  // Told of each discovery document that was read.
  void on_metadata(std::function<void(const Provider&, const ProviderMetadata&)> told) {
    told_ = std::move(told);
  }

 private:
  template <typename T>
  struct Kept {
    std::shared_ptr<const T> value;
    BootTime until{};        // good until then
    ProviderFault fault;     // of the last try, when it failed
    BootTime fault_until{};  // not tried again before
    std::vector<Answer<std::shared_ptr<const T>>> waiting;
    void settle(std::variant<std::shared_ptr<const T>, ProviderFault> result, BootTime now);
  };
  struct Known {
    Provider provider;  // as it was set up when this was learnt
    Kept<ProviderMetadata> metadata;
    Kept<JwkSet> keys;
    BootTime look_after{};  // for an unknown key, not before
    std::size_t under_way = 0;
  };
  using KnownPtr = std::shared_ptr<Known>;

  ProviderClient(std::unique_ptr<HttpClient> http, std::function<BootTime()> now)
      : now_(std::move(now)), http_(std::move(http)) {}
  KnownPtr known(const Provider& provider);
  void fetch(const KnownPtr& known, HttpFetch what, Answer<HttpReply> answer);
  void verify_userinfo(const Provider& provider, const std::string& token, const Answer<std::string>& answer);
  void ask_for_keys(const KnownPtr& known, Answer<KeysPtr> answer);
  void fetch_keys(const KnownPtr& known, const std::string& url);

  std::function<BootTime()> now_;
  std::unordered_map<std::int64_t, KnownPtr> known_;
  std::function<void(const Provider&, const ProviderMetadata&)> told_;
  std::unique_ptr<HttpClient> http_;  // last: it goes first, and nothing answers any more
};

}  // namespace nightlatch
