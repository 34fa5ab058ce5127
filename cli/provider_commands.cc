// provider: OpenID providers that people may sign in with.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "auth/jws.h"
#include "auth/provider_metadata.h"
#include "auth/secret_box.h"
#include "base/crypto.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/provider_check.h"
#include "cli/secret.h"
#include "cli/table.h"
#include "cli/ways_in.h"
#include "store/access.h"
#include "store/identities.h"
#include "store/providers.h"
#include "web/provider_client.h"

namespace nightlatch::cli {

namespace {
constexpr std::size_t kLargestPem = std::size_t{256} * 1024;

Record record_of(const Provider& p) {
  Record record;
  record.add("name", p.name)
      .add("state", p.enabled ? "enabled" : "disabled")
      .add("enabled", Record::Value(p.enabled))
      .add("issuer", p.issuer)
      .add("client_id", p.client_id)
      .add("has_secret", Record::Value(p.has_secret))
      .add("own_ca", Record::Value(!p.ca_pem.empty()))
      .add("algorithms", Record::Value(p.algorithms))
      .add("scopes", Record::Value(p.scopes))
      .add("mfa_acr", Record::Value(p.mfa_acr))
      .add("groups_claim", p.groups_claim.empty() ? Record::Value() : Record::Value(p.groups_claim))
      .add("create_users", Record::Value(p.create_users))
      .add_time("created", p.created);
  return record;
}

Result<std::string> read_pem(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return Error::usage(fmt::format("--ca: '{}' cannot be read: {}", printable(file),
                                    std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe): one thread
  }
  std::string text(kLargestPem + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kLargestPem || text.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return Error::usage(fmt::format("--ca: '{}' is no certificate in PEM", printable(file)),
                        "it begins with -----BEGIN CERTIFICATE-----");
  }
  return text;
}

Status check_words(const std::vector<std::string>& words, std::string_view option) {
  for (const std::string& word : words) {
    if (word.empty() || word.size() > 255 || printable(word) != word ||
        word.find_first_of(" \"\\") != std::string::npos) {
      return Error::usage(fmt::format("{}: '{}' is not one word", option, printable(word)));
    }
  }
  return Done{};
}

Result<NewProvider> read_provider(const Context& context) {
  NewProvider p;
  p.name = context.argument(0);
  NL_TRY(check_name(p.name, "NAME"));
  for (const char* needed : {"issuer", "client-id"}) {
    if (!context.given(needed))
      return Error::usage(fmt::format("--{} is missing", needed), "the provider shows it");
  }
  p.issuer = context.value("issuer");
  NL_TRY(check_issuer(p.issuer, "--issuer"));
  p.client_id = context.value("client-id");
  NL_TRY(check_words({p.client_id}, "--client-id"));
  p.groups_claim = context.value("groups-claim");
  if (context.given("groups-claim")) NL_TRY(check_words({p.groups_claim}, "--groups-claim"));
  p.mfa_acr = context.list("mfa-acr");
  NL_TRY(check_words(p.mfa_acr, "--mfa-acr"));
  p.scopes = context.list("scope");
  NL_TRY(check_words(p.scopes, "--scope"));
  if (!context.given("scope")) p.scopes = {"profile", "email"};
  p.algorithms = context.list("algorithm");
  if (!context.given("algorithm")) p.algorithms = {"RS256", "PS256", "ES256"};
  for (const std::string& name : p.algorithms) {
    if (!parse_jws_algorithm(name)) {
      return Error::usage(fmt::format("--algorithm: '{}' is not one", printable(name)),
                          "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ES512");
    }
  }
  p.create_users = context.given("create-users");
  if (context.given("ca")) {
    auto pem = read_pem(context.value("ca"));
    if (!pem) return pem.error();
    p.ca_pem = std::move(*pem);
  }
  return p;
}

SealSecret sealer(Database& db, const std::string& secret) {
  return [&db, &secret](ProviderId id) -> Result<std::string> {
    auto box = SecretBox::open(db);
    if (!box) return box.error();
    return box->seal(secret, secret_purpose(id));
  };
}

Result<int> run_add(Context& context) {
  Result<NewProvider> provider = read_provider(context);
  if (!provider) return provider.error();
  if (context.given("public") == context.given("secret-file")) {
    return Error::usage("say either --secret-file FILE or --public",
                        "--public is for a client that the provider gave no secret");
  }
  std::string secret;
  if (context.given("secret-file")) {
    Result<std::string> read = read_secret(context, context.value("secret-file"), "--secret-file");
    if (!read) return read.error();
    secret = std::move(*read);
  }
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  const Result<ProviderId> added =
      add_provider(*db, *provider, secret.empty() ? SealSecret() : sealer(*db, secret));
  wipe(secret);
  if (!added) return added.error();
  const ProviderHost own = provider_host_of(provider->issuer);
  if (const auto known = set_provider_hosts(*db, *added, {own}); !known) return known.error();
  if (context.given("inside")) NL_TRY(set_provider_inside(*db, *added, {own}));
  NL_TRY(context.audit(context.words()));
  context.say("added provider {}; enter this redirect URI there: {}", provider->name,
              redirect_uri(*db, provider->name));
  context.say("see whether all is well: nightlatch provider test {}", provider->name);
  return 0;
}

Result<int> run_list(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  auto providers = list_providers(*db);
  if (!providers) return providers.error();
  std::vector<Record> rows;
  for (const Provider& p : *providers) rows.push_back(record_of(p));
  print_rows(context, rows,
             {{"NAME", "name"},
              {"STATE", "state"},
              {"ISSUER", "issuer"},
              {"CLIENT", "client_id"},
              {"GROUPS", "groups_claim"},
              {"CREATES USERS", "create_users"}},
             "there are no providers; add one: nightlatch provider add NAME --issuer URL --client-id ID");
  return 0;
}

Result<int> run_show(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  auto provider = find_provider(*db, context.argument(0));
  if (!provider) return provider.error();
  auto people = list_identities(*db, provider->name);
  if (!people) return people.error();
  Record record = record_of(*provider);
  record.add("redirect_uri", redirect_uri(*db, provider->name));
  std::vector<Record> identities;
  for (const Identity& i : *people) {
    Record one;
    one.add("subject", i.subject).add("user", i.user).add_time("since", i.created);
    identities.push_back(std::move(one));
  }
  record.add("identities", Record::Value(std::move(identities)));
  auto hosts = hosts_of_provider(*db, provider->id);
  if (!hosts) return hosts.error();
  std::vector<Record> where;
  for (const ProviderHost& h : *hosts) {
    Record one;
    one.add("host", h.host).add("port", std::int64_t{h.port}).add("inside", Record::Value(h.inside));
    where.push_back(std::move(one));
  }
  record.add("hosts", Record::Value(std::move(where)));
  print_record(context, record);
  return 0;
}

Result<int> change(Context& context, const std::function<Status(Database&)>& make, const std::string& said) {
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(make(*db));
  NL_TRY(context.audit(context.words()));
  context.say("{}", said);
  return 0;
}

Result<int> run_secret(Context& context) {
  Result<std::string> secret = read_secret(context, context.value("secret-file"), "--secret-file");
  if (!secret) return secret.error();
  const std::string& name = context.argument(0);
  auto done = change(
      context, [&](Database& db) { return set_provider_secret(db, name, sealer(db, *secret)); },
      "changed the client secret of " + name);
  wipe(*secret);
  return done;
}

Result<int> run_inside(Context& context) {
  if (context.given("host") && context.given("none")) {
    return Error::usage("say either --host or --none", "--none takes back what was said of all its hosts");
  }
  std::vector<ProviderHost> hosts;
  for (const std::string& text : context.list("host")) {
    const std::string url = "https://" + text;
    if (!is_provider_url(url) || url.find_first_of("/?", 8) != std::string::npos) {
      return Error::usage(fmt::format("--host: '{}' is not HOST or HOST:PORT", printable(text)),
                          "for example login.office.example, or 10.0.0.9:8443");
    }
    hosts.push_back(provider_host_of(url));
  }
  const std::string& name = context.argument(0);
  const auto make = [&](Database& db) -> Status {
    auto provider = find_provider(db, name);
    if (!provider) return provider.error();
    if (hosts.empty() && !context.given("none")) hosts.push_back(provider_host_of(provider->issuer));
    return set_provider_inside(db, provider->id, hosts);
  };
  const std::string said = context.given("none")
                               ? "no host of " + name + " is reached where a resource is"
                               : "whoever is not signed in may reach it there as well: " + name;
  return change(context, make, said);
}

Result<int> run_enable(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return set_provider_enabled(db, name, true); },
      name + " is offered again");
}

Result<int> run_disable(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return set_provider_enabled(db, name, false); },
      name + " is not offered any more; sessions that began with it run to their end");
}

Result<int> run_remove(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return remove_provider(db, name); },
      "removed provider " + name + "; its users stay, and sessions that began with it run to their end");
}

Result<int> run_link(Context& context) {
  const std::string& name = context.argument(0);
  const std::string& subject = context.argument(1);
  const std::string& user = context.argument(2);
  return change(
      context, [&](Database& db) { return link_identity(db, name, subject, user, wall_now()); },
      fmt::format("{} may sign in with {}", user, name));
}

Result<int> run_unlink(Context& context) {
  const std::string& name = context.argument(0);
  const std::string& subject = context.argument(1);
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  auto people = list_identities(*db, name);
  if (!people) return people.error();
  const auto who =
      std::find_if(people->begin(), people->end(), [&](const Identity& i) { return i.subject == subject; });
  NL_TRY(unlink_identity(*db, name, subject));
  NL_TRY(context.audit(context.words()));
  context.say("that subject is nobody here any more, and the user's sessions have ended");
  if (who == people->end()) return 0;
  auto user = find_user(*db, who->user);
  if (!user) return user.error();
  auto left = ways_left(*db, *user, true);
  if (!left) return left.error();
  if (!left->empty()) context.say("{}", *left);
  return 0;
}

constexpr std::string_view kInside =
    "Everybody may reach the hosts that a provider's browsers are sent to, on their own port. Which these "
    "are, "
    "its documents and the resolver say, so that is not believed where a resource is, nor of private "
    "addresses. "
    "Say with this that a host of it is really there. A resource that names that very address or host still "
    "counts more.";
const Argument kProvider{.name = "NAME", .help = "the provider's name", .words = Words::provider};
const Argument kSubject{.name = "SUBJECT", .help = "who it is at the provider: the claim `sub`"};
const Option kSecretFile{.name = "secret-file",
                         .kind = Option::Kind::text,
                         .value = "FILE",
                         .help = "read the client's secret from FILE, or from stdin when it is -",
                         .words = Words::file};
}  // namespace

std::vector<Command> provider_commands() {
  return {
      {.noun = "provider",
       .verb = "add",
       .summary = "let people sign in with an OpenID provider",
       .details = "Register the portal there as a web application with the redirect URI that this prints. "
                  "Who signs in is known "
                  "by the provider's own identifier (sub) and by nothing else: the first time, an "
                  "administrator links it to a "
                  "user (provider link), or it becomes a new user with --create-users. A name that somebody "
                  "has here is never "
                  "given to anybody else.\n\n"
                  "With --groups-claim, who is in group G there is in group G@NAME here, from each sign-in "
                  "to the next; groups "
                  "that an administrator gave are left alone.\n\n"
                  "How long ago somebody signed in is what the provider says (auth_time). It must say so.",
       .arguments = {{.name = "NAME", .help = "what it is called here, on the sign-in page too"}},
       .options = {{.name = "issuer",
                    .kind = Option::Kind::text,
                    .value = "URL",
                    .help = "the provider's issuer, exactly as it writes it"},
                   {.name = "client-id",
                    .kind = Option::Kind::text,
                    .value = "ID",
                    .help = "what the portal is called there"},
                   kSecretFile,
                   {.name = "public", .help = "the provider gave no secret: PKCE alone"},
                   {.name = "ca",
                    .kind = Option::Kind::text,
                    .value = "FILE",
                    .help = "trust these CAs (PEM) for the provider, and no others",
                    .words = Words::file},
                   {.name = "groups-claim",
                    .kind = Option::Kind::text,
                    .value = "CLAIM",
                    .help = "the claim that lists groups, such as groups"},
                   {.name = "mfa-acr",
                    .kind = Option::Kind::list,
                    .value = "VALUE",
                    .help = "a value of acr that says that there was a second factor; asked for where a "
                            "policy wants one"},
                   {.name = "scope",
                    .kind = Option::Kind::list,
                    .value = "SCOPE",
                    .help = "ask for this scope beside openid; else profile and email"},
                   {.name = "algorithm",
                    .kind = Option::Kind::list,
                    .value = "ALG",
                    .help = "take signatures by this algorithm; else RS256, PS256 and ES256",
                    .words = Words::choices,
                    .choices = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
                                "ES512"}},
                   {.name = "inside", .help = "the issuer's host is within the office: see provider inside"},
                   {.name = "create-users", .help = "who is not known yet becomes a user by signing in"}},
       .examples = {{"provider add corp --issuer https://login.example.com --client-id gate --secret-file -"},
                    {"provider add sso --issuer https://sso.lan --client-id nl --secret-file - --inside"}},
       .run = run_add},
      {.noun = "provider",
       .verb = "list",
       .summary = "list the providers; never their secrets",
       .examples = {{"provider list"}, {"provider list --json"}},
       .json = true,
       .run = run_list},
      {.noun = "provider",
       .verb = "show",
       .summary = "show one provider, and who of it is whom here",
       .arguments = {kProvider},
       .examples = {{"provider show corp"}},
       .json = true,
       .run = run_show},
      {.noun = "provider",
       .verb = "test",
       .summary = "ask the provider for its documents and keys, and say what is wrong",
       .arguments = {kProvider},
       .examples = {{"provider test corp"}},
       .json = true,
       .run = run_provider_test},
      {.noun = "provider",
       .verb = "inside",
       .summary = "say that a provider's hosts are within the office",
       .details = std::string(kInside),
       .arguments = {kProvider},
       .options = {{.name = "host",
                    .kind = Option::Kind::list,
                    .value = "HOST[:PORT]",
                    .help = "this host too; else that of the issuer"},
                   {.name = "none", .help = "none of them is, whatever was said before"}},
       .examples = {{"provider inside sso"}, {"provider inside sso --host login.office.example:8443"}},
       .run = run_inside},
      {.noun = "provider",
       .verb = "link",
       .summary = "say which user a provider's subject is",
       .arguments = {kProvider, kSubject, {.name = "USER", .help = "the user's name", .words = Words::user}},
       .examples = {{"provider link corp 00u1a2b3 alice",
                     "the subject is in the log of the refused sign-in"}},
       .run = run_link},
      {.noun = "provider",
       .verb = "unlink",
       .summary = "take a subject's user away, and end that user's sessions at once",
       .arguments = {kProvider, kSubject},
       .examples = {{"provider unlink corp 00u1a2b3"}},
       .run = run_unlink},
      {.noun = "provider",
       .verb = "secret",
       .summary = "change the client's secret",
       .arguments = {kProvider},
       .options = {kSecretFile},
       .examples = {{"provider secret corp --secret-file -"}},
       .run = run_secret},
      {.noun = "provider",
       .verb = "enable",
       .summary = "offer a disabled provider again",
       .arguments = {kProvider},
       .examples = {{"provider enable corp"}},
       .run = run_enable},
      {.noun = "provider",
       .verb = "disable",
       .summary = "stop offering a provider",
       .arguments = {kProvider},
       .examples = {{"provider disable corp"}},
       .run = run_disable},
      {.noun = "provider",
       .verb = "remove",
       .summary = "remove a provider, and who is whom there",
       .arguments = {kProvider},
       .examples = {{"provider remove corp"}},
       .run = run_remove},
  };
}

}  // namespace nightlatch::cli
