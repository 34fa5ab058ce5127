#include "proxy/judge.h"

#include <charconv>
#include <ctime>

#include "base/log.h"
#include "base/text.h"
#include "store/access.h"
#include "store/office_store.h"
#include "store/proofs.h"
#include "store/sessions.h"

namespace nightlatch {

namespace {

// Somebody may lock even readers out for a moment (recovery after a crash): flows that run are not cut for
// that.
constexpr Millis kPatience{1000};

Seconds local_offset(WallTime now) {
  const std::time_t t = std::chrono::floor<Seconds>(now).time_since_epoch().count();
  std::tm tm{};
  localtime_r(&t, &tm);
  return Seconds(tm.tm_gmtoff);
}

Ruling unreadable() {
  Ruling r;
  r.readable = false;
  return r;
}

}  // namespace

Result<std::unique_ptr<Judge>> Judge::open(const std::string& store_path) {
  // No waiting for locks: in WAL mode a reader needs none, and where it would the answer is a refusal.
  auto db = open_store(store_path, Database::Access::read, Millis(0));
  if (!db) return db.error();
  std::unique_ptr<Judge> judge(new Judge(std::move(*db)));
  NL_TRY(judge->load());
  auto version = judge->db_.data_version();
  if (!version) return version.error();
  judge->data_version_ = *version;
  return judge;
}

Status Judge::watch_neighbours() {
  lan_names_.clear();
  for (const std::string_view part : split(lan_, ',')) {
    if (!trim(part).empty()) lan_names_.emplace_back(trim(part));
  }
  auto opened = Neighbours::open(lan_names_);
  if (!opened) return opened.error();
  neighbours_.emplace(std::move(*opened));
  ++neighbours_generation_;
  return Done{};
}

Status Judge::load() {
  auto data = load_office(db_);
  if (!data) return data.error();
  auto portal = get_setting(db_, "portal.url");
  auto source = get_setting(db_, "source");
  auto limit = get_setting(db_, "flows.max");
  auto lan = get_setting(db_, "lan");
  auto socks = get_setting(db_, "socks.listen");
  auto http = get_setting(db_, "http.listen");
  auto dns = get_setting(db_, "dns");
  for (const auto* r : {&portal, &source, &limit, &lan, &socks, &http, &dns}) {
    if (!*r) return r->error();
  }
  portal_url_ = std::move(*portal);
  client_source_ = *source == "client";
  overhear_dns_ = *dns == "observe";
  socks_listen_ = std::move(*socks);
  http_listen_ = std::move(*http);
  std::from_chars(limit->data(), limit->data() + limit->size(), max_flows_);
  if (!neighbours_ || *lan != lan_) {
    lan_ = std::move(*lan);
    NL_TRY(watch_neighbours());
  }
  utc_offset_ = data->utc_offset;
  office_ = std::make_unique<Office>(std::move(*data));
  return Done{};
}

bool Judge::refresh(WallTime now) {
  auto version = db_.data_version();
  const bool same = version && data_version_ && *version == *data_version_ && office_ != nullptr;
  if (same && local_offset(now) == utc_offset_) {
    read_at_ = BootClock::now();
    locked_ = false;
    return false;
  }
  presence_.clear();
  proofs_.clear();
  clock_.reset();
  Status loaded = Done{};
  if (!version) {
    loaded = version.error();
  } else {
    auto office = office_version(db_);
    if (!office) {
      loaded = office.error();
    } else if (office_ == nullptr || *office != office_->data().version || local_offset(now) != utc_offset_) {
      loaded = load();
    }
  }
  if (!loaded && loaded.error().kind == ErrorKind::busy && BootClock::now() - read_at_ < kPatience) {
    locked_ = true;
    return false;
  }
  if (!loaded) {
    if (!std::exchange(complained_, true)) {
      log_error("the store cannot be read, so nothing protected passes: {}", loaded.error().message);
    }
    office_.reset();
    data_version_.reset();
    return true;
  }
  if (std::exchange(complained_, false)) log_info("the store can be read again");
  data_version_ = *version;
  read_at_ = BootClock::now();
  locked_ = false;
  return true;
}

Source Judge::identify(const IpAddress& address) {
  Source s{address, neighbours_->mac_of(address), DeviceId::none};
  if (office_ != nullptr) {
    if (const Device* d = office_->identify(address, s.mac)) s.device = d->id;
  }
  return s;
}

Status Judge::read_clock() {
  if (clock_) return Done{};
  auto clock = store_clock(db_);
  if (!clock) return clock.error();
  clock_ = *clock;
  return Done{};
}

Result<Subject> Judge::subject_of(const Source& source, WallTime now) {
  Subject subject;
  subject.device = office_->device(source.device);
  subject.binding = source.binding();
  NL_TRY(read_clock());
  subject.clock_set_back = set_back(*clock_, now);
  if (subject.device == nullptr) {
    // It may have been enrolled since the flow was accepted.
    subject.device = office_->identify(source.address, source.mac);
  }
  UserId user = UserId::none;
  if (source.credential) {
    subject.credential = SentCredential{office_->token(source.credential->token), source.credential->at};
    if (subject.credential->token != nullptr) user = subject.credential->token->user;
    // A machine's is a proof like any other: of one generation of the clock.
    if (user == UserId::none && source.credential->generation != clock_->generation)
      subject.clock_set_back = true;
  }
  if (subject.device != nullptr) {
    auto presence = presence_of(subject.device->id, user);
    if (!presence) return presence.error();
    subject.presence = *presence;
    auto proofs = proofs_of(subject.device->id, source);
    if (!proofs) return proofs.error();
    subject.proofs = *proofs;
  }
  return subject;
}

// With a user, that user's presence there; without, that of whoever the device says is there.
Result<std::optional<Presence>> Judge::presence_of(DeviceId device, UserId user) {
  const std::pair key(device, user);
  if (const auto known = presence_.find(key); known != presence_.end()) return known->second;
  auto presence = user == UserId::none ? presence_on(db_, device) : presence_on(db_, device, user);
  if (presence) presence_.emplace(key, *presence);
  return presence;
}

Result<std::span<const Proof>> Judge::proofs_of(DeviceId device, const Source& source) {
  if (!office_->has_machines()) return std::span<const Proof>();
  const std::pair key(device, source.text());
  auto known = proofs_.find(key);
  if (known == proofs_.end()) {
    auto proofs = nightlatch::proofs_of(db_, device, key.second);
    if (!proofs) return proofs.error();
    known = proofs_.emplace(key, std::move(*proofs)).first;
  }
  return std::span<const Proof>(known->second);
}

std::optional<CheckedCredential> Judge::check_credential(std::string_view name, std::string_view secret,
                                                         WallTime now) {
  if (office_ == nullptr || locked_ || !read_clock()) return std::nullopt;
  CheckedCredential checked = nightlatch::check_credential(*office_, name, secret, now);
  checked.generation = clock_->generation;
  return checked;
}

Ruling Judge::judge(const Source& source, const Destination& destination, WallTime now) {
  if (office_ == nullptr || locked_) return unreadable();
  auto subject = subject_of(source, now);
  if (!subject) {
    log_error("the store cannot be read: {}", subject.error().message);
    return unreadable();
  }
  const Verdict v = decide(*office_, *subject, destination, now);
  Ruling r;
  r.kind = v.kind;
  r.reason = v.reason;
  r.until = v.until;
  // Loopback and the like cannot have come by the rules: somebody connected to the listener itself.
  r.direct = destination.address.is_loopback() || destination.address.is_multicast();
  r.observed = office_->data().mode == Mode::observe && v.kind != VerdictKind::allow;
  if (v.resource != nullptr) {
    r.resource = v.resource->id;
    r.resource_name = v.resource->name;
  }
  if (v.policy != nullptr) {
    r.policy_name = v.policy->name;
    r.on_expiry = v.on_expiry;
    r.idle = v.idle;
  }
  if (subject->device != nullptr) r.device_name = subject->device->name;
  if (subject->credential) {  // whoever else may be present: this one speaks for its own user, or for nobody
    if (subject->credential->token != nullptr) r.user = subject->credential->token->user;
  } else if (subject->presence && !v.by_machine()) {
    r.user = subject->presence->user;
  }
  name_machine(r, *subject, v);
  if (const User* u = office_->user(r.user)) r.user_name = u->name;
  return r;
}

void Judge::name_machine(Ruling& r, const Subject& subject, const Verdict& v) const {
  r.by_machine = v.by_machine();
  const Token* sent = subject.credential ? subject.credential->token : nullptr;
  const bool machine_sent = sent != nullptr && sent->user == UserId::none;
  const Token* token = machine_sent ? sent : office_->token(v.token);
  const Certificate* certificate = office_->certificate(v.certificate);
  if (token != nullptr) r.machine = "token " + token->name;
  if (certificate != nullptr) r.machine = "certificate " + certificate->name;
  if (!machine_sent || v.reason == Reason::credential_elsewhere) return;
  // Where the place identifies nobody, the token does.
  if (subject.device != nullptr && !subject.device->shared) return;
  if (const Device* device = office_->device(sent->device)) r.device_name = device->name;
}

}  // namespace nightlatch
