// Judge: reads the store at the moment a flow needs a verdict, so that a verdict is never older than the
// store. It keeps the Office (rebuilt when office_version moves) and who is present (forgotten at every
// commit by anybody). Call refresh() before judge(): one look at SQLite's data_version, in shared memory,
// tells whether all still holds. One for each worker, on its thread: no locks. When the store cannot be read
// every verdict is deny.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/credential.h"
#include "net/neighbour.h"
#include "policy/decide.h"
#include "store/database.h"
#include "store/sessions.h"

namespace nightlatch {

struct Source {  // who a flow comes from, as found when it was accepted
  IpAddress address;
  std::optional<Mac> mac;
  DeviceId device = DeviceId::none;  // none: unknown
  // Sent in the connection, as check_credential() found it; nothing: none was. Each verdict looks the token
  // up again, so that revoking it cuts what it let through.
  std::optional<CheckedCredential> credential{};
  [[nodiscard]] Binding binding() const { return mac ? Binding::mac : Binding::address; }
  [[nodiscard]] std::string text() const { return mac ? mac->text() : address.text(); }  // as holds are keyed
};

struct Ruling {  // a verdict with everything that a flow keeps of it: nothing in it points into the Office
  VerdictKind kind = VerdictKind::deny;
  bool readable = true;   // false: the store could not be read, and this is a refusal for that reason
  bool observed = false;  // observe mode: kind says what would have been asked, and the flow passes
  bool direct = false;    // the destination is not one that the rules could have sent us
  Reason reason = Reason::no_policy;
  UserId user = UserId::none;
  ResourceId resource = ResourceId::none;
  WallTime until = kNever;
  Expiry on_expiry;
  std::optional<Seconds> idle;
  // The machine was let in by its own proof, which is "token nas-1" or "certificate nas-1"; or it was that
  // which it sent. Empty: neither.
  std::string machine;
  bool by_machine = false;  // judged as a machine, and no person was
  std::string user_name, device_name, resource_name, policy_name;

  [[nodiscard]] bool passes() const {
    return readable && !direct && (kind == VerdictKind::allow || observed);
  }
};

class Judge {
 public:
  static Result<std::unique_ptr<Judge>> open(const std::string& store_path);

  // Looks whether anything was committed since the last look; true when verdicts may differ.
  bool refresh(WallTime now);
  [[nodiscard]] Source identify(const IpAddress& address);
  // For Source::credential. nothing: the store cannot be read, so that the connection is to be refused.
  [[nodiscard]] std::optional<CheckedCredential> check_credential(std::string_view name,
                                                                  std::string_view secret, WallTime now);
  [[nodiscard]] Ruling judge(const Source& source, const Destination& destination, WallTime now);

  // Whether a flow's name matters there, and whether some resource names this host; false when the store
  // cannot be read.
  [[nodiscard]] bool hears_names(std::uint16_t port, Protocol protocol) const {
    return office_ != nullptr && office_->hears_names(port, protocol);
  }
  [[nodiscard]] bool is_named(std::string_view host) const {
    return office_ != nullptr && office_->is_named(host);
  }
  [[nodiscard]] bool observing() const { return office_ != nullptr && office_->data().mode == Mode::observe; }
  // Whether the DNS answers that devices get are of use.
  [[nodiscard]] bool overhears_dns() const {
    return overhear_dns_ && office_ != nullptr && office_->names_hosts();
  }

  [[nodiscard]] const std::string& portal_url() const { return portal_url_; }
  [[nodiscard]] bool client_source() const { return client_source_; }
  [[nodiscard]] std::size_t max_flows() const { return max_flows_; }
  [[nodiscard]] const std::vector<std::string>& lan() const { return lan_names_; }  // interfaces; empty: all
  [[nodiscard]] const std::string& socks_listen() const { return socks_listen_; }
  [[nodiscard]] const std::string& http_listen() const { return http_listen_; }
  [[nodiscard]] Neighbours& neighbours() { return *neighbours_; }
  [[nodiscard]] std::uint64_t neighbours_generation() const { return neighbours_generation_; }

 private:
  explicit Judge(Database db) : db_(std::move(db)) {}
  Status load();
  Status watch_neighbours();
  Status read_clock();
  [[nodiscard]] Result<Subject> subject_of(const Source& source, WallTime now);
  [[nodiscard]] Result<std::optional<Presence>> presence_of(DeviceId device, UserId user);
  [[nodiscard]] Result<std::span<const Proof>> proofs_of(DeviceId device, const Source& source);
  void name_machine(Ruling& r, const Subject& subject, const Verdict& v) const;

  Database db_;
  std::optional<Neighbours> neighbours_;
  std::uint64_t neighbours_generation_ = 0;
  std::string lan_, socks_listen_, http_listen_;
  std::vector<std::string> lan_names_;
  std::unique_ptr<Office> office_;
  std::optional<std::int64_t> data_version_;
  Seconds utc_offset_{0};
  // Read since the last change of the store: as true as data_version says the store still is.
  std::map<std::pair<DeviceId, UserId>, std::optional<Presence>> presence_;  // UserId::none: whoever is there
  std::map<std::pair<DeviceId, std::string>, std::vector<Proof>> proofs_;  // by the place that a flow is from
  std::optional<StoreClock> clock_;
  std::string portal_url_;
  bool client_source_ = true;
  bool overhear_dns_ = true;
  std::size_t max_flows_ = 0;
  BootTime read_at_{};   // when the store was last read without trouble
  bool locked_ = false;  // it is locked for a moment: nothing new passes, what runs is left alone
  bool complained_ = false;
};

}  // namespace nightlatch
