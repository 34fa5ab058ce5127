#include "cli/portal_trust.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

#include "auth/pem.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/office_url.h"
#include "cli/portal_client.h"
#include "cli/secret.h"
#include "web/portal_config.h"

namespace nightlatch::cli {

namespace {

constexpr std::size_t kLongest = std::size_t{64} * 1024;

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value != nullptr ? value : "";
}

// Empty when there is nowhere to keep anything.
std::string folder() {
  const std::string config = from_environment("XDG_CONFIG_HOME");
  if (config.starts_with('/')) return config + "/nightlatch";
  const std::string home = from_environment("HOME");
  return home.starts_with('/') ? home + "/.config/nightlatch" : "";
}

// "gate.office.example:8443": no slash can be in it (parse_portal).
std::string authority_file(const PortalAddress& portal) {
  const std::string kept = folder();
  return kept.empty() ? "" : kept + "/portals/" + portal.url.substr(std::strlen("https://")) + ".pem";
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (path.empty() || !in) return std::nullopt;
  std::string text(kLongest + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad() || text.size() > kLongest) return std::nullopt;
  return text;
}

// Whole or not at all: under another name first.
bool write_file(const std::string& path, const std::string& text) {
  for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    (void)::mkdir(path.substr(0, slash).c_str(), 0700);
  }
  const std::string fresh = path + ".new";
  {
    const Fd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return false;
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        fsync(fd.get()) != 0) {
      return false;
    }
  }
  return ::rename(fresh.c_str(), path.c_str()) == 0;
}

std::string normal_fingerprint(std::string_view text) {
  std::string out;
  for (const char c : lower(text.substr(text.find('=') == std::string_view::npos ? 0 : text.find('=') + 1))) {
    if (c != ':' && c != ' ') out += c;
  }
  return out;
}

Status keep(const PortalAddress& portal, const std::string& pem) {
  const std::string path = authority_file(portal);
  if (path.empty()) {
    return Error::failure("there is no folder to keep the portal's certificate authority in",
                          "set HOME or XDG_CONFIG_HOME");
  }
  if (write_file(path, pem)) return Done{};
  return Error::failure(fmt::format("{} could not be written: {}", path,
                                    std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
}

Result<std::string> from_file(const PortalAddress& portal, const std::string& path) {
  auto pem = read_file(path);
  if (!pem) return Error::usage(fmt::format("--ca: '{}' cannot be read", printable(path)), "name a PEM file");
  if (auto first = read_certificates(*pem); !first) {
    return Error::usage(fmt::format("--ca: '{}' holds no certificate", printable(path)), "name a PEM file");
  }
  NL_TRY(keep(portal, *pem));
  return *pem;
}

// Asks the portal for its authority, and the person whether that is the right one.
Result<std::string> introduce(Context& context, const PortalAddress& portal) {
  const std::string host = host_of_url(portal.url).value_or("");
  const std::string wanted = normal_fingerprint(context.value("fingerprint"));
  const bool must = context.given("pin") || !wanted.empty();
  auto fetched =
      fetch_plain("http://" + (host.find(':') != std::string::npos ? "[" + host + "]" : host) + "/ca.pem");
  if (!fetched && must) return fetched.error();
  // A portal without an authority of its own has a certificate that the system knows.
  if (!fetched || fetched->empty()) {
    if (!must) return std::string();
    return Error::failure(portal.url + " has no certificate authority of its own",
                          "leave --pin and --fingerprint out: its certificate is verified as any website's");
  }
  auto certificates = read_certificates(*fetched);
  if (!certificates || certificates->size() != 1) {
    return Error::failure(portal.url + " did not answer with one certificate authority", "see /ca.pem there");
  }
  const PemCertificate& authority = certificates->front();
  if (!wanted.empty()) {
    if (normal_fingerprint(authority.fingerprint) != wanted) {
      return Error::failure(
          fmt::format("the portal's certificate authority has the fingerprint {}, not the one that was given",
                      authority.fingerprint),
          "somebody may be between you and the portal: ask an administrator");
    }
  } else if (!context.io.terminal) {
    return Error::usage(
        fmt::format("the certificate authority of {} is not known on this machine yet", portal.url),
        "say --ca FILE, or --fingerprint SHA256 as an administrator tells you; on a terminal you are asked");
  } else {
    context.say("The certificate authority of {} is not known here yet. Its SHA-256 fingerprint is\n  {}",
                portal.url, authority.fingerprint);
    Result<std::string> answer = ask_line("Is that what an administrator told you? [y/N] ");
    if (!answer) return answer.error();
    if (lower(trim(*answer)) != "y" && lower(trim(*answer)) != "yes") {
      return Error::failure("the portal is not trusted: nothing was sent to it",
                            "an administrator can show you the right fingerprint");
    }
  }
  NL_TRY(keep(portal, authority.pem));
  return authority.pem;
}

}  // namespace

Result<PortalAddress> parse_portal(std::string_view text) {
  std::string rest(trim(text));
  for (const char* scheme : {"https://", "http://"}) {
    if (lower(rest).starts_with(scheme)) rest = rest.substr(std::strlen(scheme));
  }
  PortalAddress portal;
  const auto slash = rest.find('/');
  const std::string path = slash == std::string::npos ? "" : rest.substr(slash);
  portal.url = "https://" + lower(rest.substr(0, slash));
  const bool is_hold = path.starts_with("/k/");
  if (is_hold) portal.hold = normal_code(path.substr(3));
  const bool code = !portal.hold.empty() && portal.hold.size() <= 16 &&
                    portal.hold.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") == std::string::npos;
  const auto host = host_of_url(portal.url);
  if (!host || !check_host(*host, "URL") || (is_hold ? !code : !path.empty() && path != "/")) {
    return Error::usage(fmt::format("'{}' is not the address of a portal", printable(text)),
                        "for example https://gate.office.example, or the link that a blocked program showed");
  }
  return portal;
}

Result<PortalAddress> which_portal(const std::string& given) {
  if (!given.empty()) return parse_portal(given);
  const std::string named = from_environment("NIGHTLATCH_PORTAL");
  if (!named.empty()) return parse_portal(named);
  const std::string kept = folder();
  if (const auto last = read_file(kept.empty() ? "" : kept + "/portal")) return parse_portal(*last);
  return Error::usage("login: which portal is not known on this machine",
                      "say it once: nightlatch login https://gate.office.example; or set NIGHTLATCH_PORTAL");
}

void remember_portal(const PortalAddress& portal) {
  const std::string kept = folder();
  if (!kept.empty()) (void)write_file(kept + "/portal", portal.url + "\n");
}

Result<std::string> trusted_authority(Context& context, const PortalAddress& portal) {
  if (context.given("ca")) return from_file(portal, context.value("ca"));
  const auto kept = read_file(authority_file(portal));
  if (!kept || context.given("pin")) return introduce(context, portal);
  if (!context.given("fingerprint")) return *kept;
  auto certificates = read_certificates(*kept);
  const std::string wanted = normal_fingerprint(context.value("fingerprint"));
  const bool same = certificates && certificates->size() == 1 &&
                    normal_fingerprint(certificates->front().fingerprint) == wanted;
  return same ? Result<std::string>(*kept) : introduce(context, portal);
}

}  // namespace nightlatch::cli
