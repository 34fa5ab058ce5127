#include "web/provider_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

namespace {
constexpr Millis kKept{3'600'000};
constexpr Millis kAfterFault{1'000};     // a provider that failed is left alone for so long
constexpr Millis kBetweenLooks{15'000};  // at the keys, for an unknown one
constexpr std::size_t kMostAtOnce = 16;  // requests to one provider
constexpr std::size_t kMostWaiting = 256;

ProviderFault cannot(FetchFault::Kind kind, std::string detail) {
  return {"cannot_verify_" + std::string(to_text(kind)), std::move(detail)};
}
ProviderFault odd_status(int status, std::string_view what) {
  return {"cannot_verify_failed", fmt::format("{} answered with status {}", what, status)};
}

// RFC 4648 section 4, from its sibling of section 5.
std::string base64(std::string_view text) {
  std::string out = base64url({reinterpret_cast<const unsigned char*>(text.data()), text.size()});
  std::replace(out.begin(), out.end(), '-', '+');
  std::replace(out.begin(), out.end(), '_', '/');
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::vector<JwsAlgorithm> allowed_of(const Provider& provider) {
  std::vector<JwsAlgorithm> allowed;
  for (const std::string& name : provider.algorithms) {
    if (const auto algorithm = parse_jws_algorithm(name)) allowed.push_back(*algorithm);
  }
  return allowed;
}
}  // namespace

template <typename T>
void ProviderClient::Kept<T>::settle(std::variant<std::shared_ptr<const T>, ProviderFault> result,
                                     BootTime now) {
  if (const auto* failed = std::get_if<ProviderFault>(&result)) {
    fault = *failed;
    fault_until = now + kAfterFault;
  } else {
    value = std::get<0>(result);
    until = now + kKept;
    fault_until = BootTime{};
  }
  const auto told = std::exchange(waiting, {});
  for (const auto& answer : told) answer(result);
}

ProviderHost provider_host_of(std::string_view url) {
  return {host_of_provider_url(url), port_of_provider_url(url)};
}

std::vector<ProviderHost> hosts_for_browsers(const ProviderMetadata& told) {
  std::vector<ProviderHost> hosts;
  for (const std::string& url : {told.issuer, told.authorization_endpoint, told.end_session_endpoint}) {
    if (!url.empty()) hosts.push_back(provider_host_of(url));
  }
  std::sort(hosts.begin(), hosts.end());
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
  return hosts;
}

Result<std::unique_ptr<ProviderClient>> ProviderClient::open(Loop& loop, std::function<BootTime()> now) {
  FetchLimits limits;
  limits.at_once = 64;
  auto http = HttpClient::open(loop, limits);
  if (!http) return http.error();
  return std::unique_ptr<ProviderClient>(
      new ProviderClient(std::move(*http), std::move(now)));  // NOLINT: the constructor is private
}

// What was learnt of a provider holds while it is set up as it was then.
ProviderClient::KnownPtr ProviderClient::known(const Provider& provider) {
  KnownPtr& slot = known_[static_cast<std::int64_t>(provider.id)];
  if (!slot || !(slot->provider == provider)) {
    slot = std::make_shared<Known>();
    slot->provider = provider;
  }
  return slot;
}

void ProviderClient::fetch(const KnownPtr& known, HttpFetch what, Answer<HttpReply> answer) {
  if (known->under_way >= kMostAtOnce) {
    return answer(cannot(FetchFault::Kind::busy, "too many requests to this provider at once"));
  }
  ++known->under_way;
  what.ca_pem = known->provider.ca_pem;
  what.headers.emplace_back("Accept: application/json");
  http_->fetch(std::move(what),
               [known, answer = std::move(answer)](std::variant<HttpReply, FetchFault> result) {
                 --known->under_way;
                 if (auto* fault = std::get_if<FetchFault>(&result)) {
                   return answer(cannot(fault->kind, std::move(fault->detail)));
                 }
                 answer(std::move(std::get<HttpReply>(result)));
               });
}

void ProviderClient::metadata(const Provider& provider, Answer<MetadataPtr> answer) {
  const KnownPtr known = this->known(provider);
  auto& kept = known->metadata;
  const BootTime now = now_();
  if (kept.value && now < kept.until) return answer(kept.value);
  if (now < kept.fault_until) return answer(kept.fault);
  if (kept.waiting.size() >= kMostWaiting)
    return answer(cannot(FetchFault::Kind::busy, "too many wait for it"));
  kept.waiting.push_back(std::move(answer));
  if (kept.waiting.size() > 1) return;
  fetch(known, {.url = discovery_url(provider.issuer)},
        [this, known](std::variant<HttpReply, ProviderFault> result) {
          auto& into = known->metadata;
          if (const auto* fault = std::get_if<ProviderFault>(&result)) return into.settle(*fault, now_());
          const auto& reply = std::get<HttpReply>(result);
          if (reply.status != 200)
            return into.settle(odd_status(reply.status, "the discovery document's address"), now_());
          auto read = read_metadata(reply.body, known->provider.issuer);
          if (const auto* fault = std::get_if<MetadataFault>(&read)) {
            return into.settle(
                ProviderFault{std::string(to_text(*fault)), "the discovery document is not this provider's"},
                now_());
          }
          const auto learnt =
              std::make_shared<const ProviderMetadata>(std::move(std::get<ProviderMetadata>(read)));
          if (told_) told_(known->provider, *learnt);
          into.settle(learnt, now_());
        });
}

void ProviderClient::keys(const Provider& provider, Answer<KeysPtr> answer) {
  const KnownPtr known = this->known(provider);
  auto& kept = known->keys;
  const BootTime now = now_();
  if (kept.value && now < kept.until) return answer(kept.value);
  if (now < kept.fault_until) return answer(kept.fault);
  ask_for_keys(known, std::move(answer));
}

void ProviderClient::ask_for_keys(const KnownPtr& known, Answer<KeysPtr> answer) {
  auto& kept = known->keys;
  if (kept.waiting.size() >= kMostWaiting)
    return answer(cannot(FetchFault::Kind::busy, "too many wait for it"));
  kept.waiting.push_back(std::move(answer));
  if (kept.waiting.size() > 1) return;
  metadata(known->provider, [this, known](std::variant<MetadataPtr, ProviderFault> result) {
    if (const auto* fault = std::get_if<ProviderFault>(&result)) return known->keys.settle(*fault, now_());
    fetch_keys(known, std::get<MetadataPtr>(result)->jwks_uri);
  });
}

void ProviderClient::fetch_keys(const KnownPtr& known, const std::string& url) {
  fetch(known, {.url = url}, [this, known](std::variant<HttpReply, ProviderFault> result) {
    auto& into = known->keys;
    if (const auto* fault = std::get_if<ProviderFault>(&result)) return into.settle(*fault, now_());
    const auto& reply = std::get<HttpReply>(result);
    if (reply.status != 200) return into.settle(odd_status(reply.status, "the keys' address"), now_());
    auto set = JwkSet::parse(reply.body);
    if (!set) return into.settle(ProviderFault{"keys_malformed", set.error().message}, now_());
    into.settle(std::make_shared<const JwkSet>(*std::move(set)), now_());
  });
}

void ProviderClient::verify(const Provider& provider, const std::string& token, const Answer<Jws>& answer) {
  keys(provider, [this, provider, token, answer](const std::variant<KeysPtr, ProviderFault>& first) {
    if (const auto* fault = std::get_if<ProviderFault>(&first)) return answer(*fault);
    const auto fault_of = [](JwsFault fault) {
      return ProviderFault{std::string(to_text(fault)), "the token's signature is not accepted"};
    };
    const auto allowed = allowed_of(provider);
    auto checked = std::get<KeysPtr>(first)->verify(token, allowed);
    if (auto* jws = std::get_if<Jws>(&checked)) return answer(std::move(*jws));
    // The provider may have new keys. Anybody can name keys that are not there: so seldom enough.
    const auto fault = std::get<JwsFault>(checked);
    const KnownPtr known = this->known(provider);
    const BootTime now = now_();
    const bool looking = !known->keys.waiting.empty();
    if (fault != JwsFault::unknown_key || (!looking && now < known->look_after))
      return answer(fault_of(fault));
    if (!looking) known->look_after = now + kBetweenLooks;
    // Beside the known ones, which others go on using.
    ask_for_keys(known,
                 [token, allowed, answer, fault_of](const std::variant<KeysPtr, ProviderFault>& second) {
                   if (const auto* failed = std::get_if<ProviderFault>(&second)) return answer(*failed);
                   auto again = std::get<KeysPtr>(second)->verify(token, allowed);
                   if (auto* jws = std::get_if<Jws>(&again)) return answer(std::move(*jws));
                   answer(fault_of(std::get<JwsFault>(again)));
                 });
  });
}

void ProviderClient::exchange(const Provider& provider, const CodeExchange& exchange,
                              const Answer<TokenAnswer>& answer) {
  metadata(provider, [this, provider, exchange,
                      answer](const std::variant<MetadataPtr, ProviderFault>& result) {
    if (const auto* fault = std::get_if<ProviderFault>(&result)) return answer(*fault);
    const ProviderMetadata& at = *std::get<MetadataPtr>(result);
    HttpFetch what{.url = at.token_endpoint};
    what.form = "grant_type=authorization_code&code=" + percent_encode(exchange.code) +
                "&redirect_uri=" + percent_encode(exchange.redirect_uri) +
                "&code_verifier=" + exchange.verifier;
    const std::string id = percent_encode(provider.client_id);
    if (exchange.secret.empty() || at.secret_by_post) what.form += "&client_id=" + id;
    if (!exchange.secret.empty() && at.secret_by_post)
      what.form += "&client_secret=" + percent_encode(exchange.secret);
    if (!exchange.secret.empty() && !at.secret_by_post) {
      what.headers.push_back("Authorization: Basic " + base64(id + ":" + percent_encode(exchange.secret)));
    }
    fetch(known(provider), std::move(what), [answer](std::variant<HttpReply, ProviderFault> got) {
      if (const auto* fault = std::get_if<ProviderFault>(&got)) return answer(*fault);
      auto& reply = std::get<HttpReply>(got);
      if (reply.status == 400 || reply.status == 401) {  // RFC 6749 section 5.2
        return answer(
            ProviderFault{"code_refused", "the token endpoint says " + read_token_error(reply.body)});
      }
      if (reply.status != 200) return answer(odd_status(reply.status, "the token endpoint"));
      auto tokens = read_token_answer(reply.body);
      wipe(reply.body);
      if (!tokens) return answer(ProviderFault{"malformed_answer", "the token endpoint gave no ID token"});
      answer(std::move(*tokens));
    });
  });
}

void ProviderClient::verify_userinfo(const Provider& provider, const std::string& token,
                                     const Answer<std::string>& answer) {
  verify(provider, token, [provider, answer](std::variant<Jws, ProviderFault> verified) {
    if (const auto* fault = std::get_if<ProviderFault>(&verified)) return answer(*fault);
    auto& jws = std::get<Jws>(verified);
    if (const auto fault = check_signed_userinfo(jws, provider.issuer, provider.client_id)) {
      return answer(
          ProviderFault{std::string(to_text(*fault)), "the signed userinfo is not for this client"});
    }
    answer(std::move(jws.payload));
  });
}

void ProviderClient::userinfo(const Provider& provider, const std::string& access_token,
                              const Answer<std::string>& answer) {
  metadata(provider,
           [this, provider, access_token, answer](const std::variant<MetadataPtr, ProviderFault>& result) {
             if (const auto* fault = std::get_if<ProviderFault>(&result)) return answer(*fault);
             const ProviderMetadata& at = *std::get<MetadataPtr>(result);
             if (at.userinfo_endpoint.empty())
               return answer(ProviderFault{"no_userinfo", "the provider has no userinfo"});
             HttpFetch what{.url = at.userinfo_endpoint};
             what.headers.push_back("Authorization: Bearer " + access_token);
             fetch(known(provider), std::move(what),
                   [this, provider, answer](std::variant<HttpReply, ProviderFault> got) {
                     if (const auto* fault = std::get_if<ProviderFault>(&got)) return answer(*fault);
                     auto& reply = std::get<HttpReply>(got);
                     if (reply.status != 200)
                       return answer(odd_status(reply.status, "the userinfo endpoint"));
                     if (reply.type == "application/jwt")
                       return verify_userinfo(provider, reply.body, answer);
                     answer(std::move(reply.body));
                   });
           });
}

}  // namespace nightlatch
