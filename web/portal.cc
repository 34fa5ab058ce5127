#include "web/portal.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "auth/office_ca.h"
#include "auth/password.h"
#include "base/log.h"
#include "net/http_server.h"
#include "net/lifeline.h"
#include "net/loop.h"
#include "net/neighbour.h"
#include "net/privileges.h"
#include "net/stream.h"
#include "net/tls_context.h"
#include "store/office_store.h"
#include "web/client_certificates.h"
#include "web/office_reader.h"
#include "web/portal_config.h"
#include "web/site.h"
#include "web/store_writer.h"

namespace nightlatch {

namespace {
constexpr Millis kDrain{5000};
constexpr Millis kLookAround{10'000};  // at the certificate's files and the settings

int complain(const Error& error) {
  log_error("{}", error.message);
  if (!error.hint.empty()) log_info("{}", error.hint);
  return error.kind == ErrorKind::invalid ? 5 : 1;
}

std::string read_text(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return {};
  std::string text(65536, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

// Room for every connection that HttpServer may keep; it copes with less.
void raise_descriptor_limit() {
  constexpr rlim_t wanted = 4096;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

// Everything that needs root is done while this is made; run() is for afterwards.
class Portal {
 public:
  Portal(PortalOptions options, PortalConfig config)
      : options_(std::move(options)), config_(std::move(config)) {}

  Status bind() {
    auto tls = TlsContext::load(config_.certificate, config_.key);
    if (!tls) return tls.error();
    tls_ = std::move(*tls);
    for (const auto& [endpoints, sockets] :
         {std::pair(&config_.http, &http_), std::pair(&config_.https, &https_)}) {
      for (const Endpoint& at : *endpoints) {
        auto fd = listen_tcp(at);
        if (!fd) return fd.error();
        sockets->push_back(std::move(*fd));
      }
    }
    auto certificates = ClientCertificates::open(options_.store_path, config_);
    if (!certificates) return certificates.error();
    client_certificates_ = std::move(*certificates);
    return Done{};
  }

  int run() {
    (void)decoy_hash();  // made now, so that the first unknown name takes no longer than any other
    auto reader = OfficeReader::open(options_.store_path);
    if (!reader) return complain(reader.error());
    if (const auto office = (*reader)->office(); !office) return complain(office.error());
    auto neighbours = Neighbours::open(config_.lan);
    if (!neighbours) return complain(neighbours.error());
    if (const Status again = tls_->reload(); !again) {
      // Served now, as root had read it; but a renewed one could not be taken up.
      log_warning("{}: the certificate is in use, but user {} cannot read it again when it is renewed",
                  again.error().message, options_.user);
    }

    Loop loop;
    AuditWriter audit(options_.store_path);
    StoreWriter writer(loop, options_.store_path);
    SiteOptions site_options;
    site_options.url = config_.url;
    site_options.ca_pem = ca_pem();
    site_options.mac_of = [&](const IpAddress& address) { return neighbours->mac_of(address); };
    Site site(loop, std::move(site_options), **reader, writer, audit);
    HttpServer server(loop, HttpServerLimits{});
    server.count_by([&](const IpAddress& address) { return site.source_of(address); });

    const HttpHandler https = [&](HttpRequest request, const HttpResponder& responder) {
      site.https(std::move(request), responder);
    };
    const HttpHandler http = [&](const HttpRequest& request, const HttpResponder& responder) {
      site.http(request, responder);
    };
    for (Fd& fd : std::exchange(https_, {})) server.serve(std::move(fd), tls_, https);
    for (Fd& fd : std::exchange(http_, {})) server.serve(std::move(fd), nullptr, http);
    const auto certificates = std::move(client_certificates_);  // its timer goes before the loop
    if (certificates) certificates->serve(loop, server, site, writer, audit);

    Lifeline lifeline(loop, [&] { loop.stop(); });
    Timer too_long(loop, [&] { loop.stop(); });
    const auto stop = [&] {
      too_long.once(kDrain);
      server.drain([&] { loop.stop(); });
    };
    const SignalWatch terminated(loop, SIGTERM, stop);
    const SignalWatch interrupted(loop, SIGINT, stop);
    const SignalWatch hung_up(loop, SIGHUP, [&] { reload(site); });
    seen_ = stamps();
    const bool lasted = office_certificate_lasts(options_.store_path, wall_now());
    Timer watch(loop, [&] {
      if (stamps() != seen_) reload(site);
      if (settings_changed((*reader)->db()) ||
          (config_.office_ca && lasted && !office_certificate_lasts(options_.store_path, wall_now()))) {
        log_info("the portal's settings have changed, or its certificate is due: starting afresh");
        watch.cancel();
        stop();
      }
    });
    watch.every(kLookAround);

    log_info("the sign-in page is at {}/", config_.url);
    lifeline.ready();
    loop.run();
    return 0;
  }

 private:
  using Stamp = std::pair<std::int64_t, std::int64_t>;
  [[nodiscard]] std::vector<Stamp> stamps()
      const {  // of the certificate's files: they are replaced when renewed
    std::vector<Stamp> out;
    for (const std::string& path : {config_.certificate, config_.key}) {
      struct stat s{};
      if (::stat(path.c_str(), &s) == 0) out.emplace_back(s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    }
    return out;
  }

  // Listening on port 443 and making certificates take root, which this process has given up: it ends, and
  // the supervisor starts another. Settings that cannot be used leave this one serving as it is.
  [[nodiscard]] bool settings_changed(Database& db) const {
    const auto now = load_portal_config(db);
    return now && *now != config_;
  }

  [[nodiscard]] std::string ca_pem() const {
    return config_.office_ca ? read_text(tls_paths(options_.store_path).ca) : std::string();
  }

  void reload(Site& site) {
    seen_ = stamps();
    if (const Status loaded = tls_->reload(); !loaded) {
      log_error("{}; the certificate that was read before stays in use", loaded.error().message);
      return;
    }
    site.set_ca_pem(ca_pem());
    log_info("certificate read again from {}", config_.certificate);
  }

  PortalOptions options_;
  PortalConfig config_;
  std::shared_ptr<TlsContext> tls_;
  std::vector<Fd> http_, https_;
  std::unique_ptr<ClientCertificates> client_certificates_;
  std::vector<Stamp> seen_;
};
}  // namespace

int run_portal(const PortalOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT: a client that has left is no reason to end
  raise_descriptor_limit();
  std::optional<PortalConfig> config;
  {
    // Opened for writing, so that an older store is brought up to date; closed before the user changes.
    auto db = open_store(options.store_path, Database::Access::write);
    if (!db) return complain(db.error());
    auto loaded = load_portal_config(*db);
    if (!loaded) return complain(loaded.error());
    config = std::move(*loaded);
  }
  if (config->office_ca) {
    // Without the right to the CA's key (started by another user than `init`) the certificate that is there
    // will do.
    if (const Status made = ensure_office_ca(options.store_path, config->host, wall_now()); !made) {
      if (!TlsContext::load(config->certificate, config->key)) return complain(made.error());
      log_warning("the portal's certificate could not be checked for renewal: {}", made.error().message);
    }
  }
  Portal portal(options, std::move(*config));
  if (const Status bound = portal.bind(); !bound) return complain(bound.error());
  if (const Status dropped = drop_privileges(options.user, {}); !dropped) return complain(dropped.error());
  return portal.run();
}

}  // namespace nightlatch
