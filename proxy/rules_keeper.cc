#include "proxy/rules_keeper.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "store/office_store.h"

namespace nightlatch {

namespace {
constexpr Millis kStoreEvery{200};   // a new resource is guarded within a second
constexpr Millis kRulesEvery{1000};  // vanished rules come back within two
}  // namespace

RulesKeeper::~RulesKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status RulesKeeper::install() {
  auto db = open_store(path_, Database::Access::read);
  if (!db) return db.error();
  db_.emplace(std::move(*db));
  auto version = office_version(*db_);
  if (!version) return version.error();
  std::vector<std::string> closed;
  auto input = load_rules_input(*db_, &closed);
  if (!input) return input.error();
  warn_of(std::move(closed));
  NL_TRY(install_for(*input));
  version_ = *version;
  return Done{};
}

Status RulesKeeper::install_for(const RulesInput& input) {
  // Another mark or routing table than before: the old ones would stay behind.
  if (!print_.empty() && input.mark != input_.mark) NL_TRY(run_steps(remove_steps(input_)));
  NL_TRY(run_steps(install_steps(input)));
  auto print = rules_fingerprint(input);
  if (!print) return print.error();
  input_ = input;
  print_ = std::move(*print);
  standing_ = true;
  return Done{};
}

void RulesKeeper::start() {
  thread_ = std::thread([this] { loop(); });
}

// Nobody could sign in by way of such a provider, and only whoever tries would notice.
void RulesKeeper::warn_of(std::vector<std::string> closed) {
  for (const std::string& why : closed) {
    if (std::find(closed_.begin(), closed_.end(), why) == closed_.end())
      log_warning("an OpenID provider: {}; 'nightlatch doctor' says what to do", why);
  }
  closed_ = std::move(closed);
}

void RulesKeeper::note(const char* event, const std::string& detail) {
  AuditEvent e;
  e.at = wall_now();
  e.event = event;
  e.detail = detail;
  audit_.write(std::move(e));
}

void RulesKeeper::loop() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait_for(lock, kStoreEvery, [&] { return stop_; });
    if (stop_) return;
    lock.unlock();
    look();
    lock.lock();
  }
}

void RulesKeeper::look() {
  auto version = office_version(*db_);
  if (version && *version != version_) {
    std::vector<std::string> closed;
    auto input = load_rules_input(*db_, &closed);
    if (!input) return;  // the workers say so, and pass nothing
    version_ = *version;
    warn_of(std::move(closed));
    if (*input != input_) {
      if (const Status done = install_for(*input); !done) {
        log_error("rules: {}", done.error().message);
        standing_ = false;
        version_ = -1;  // try again
        return;
      }
      note("rules.changed", "the rules follow the resources");
    }
  }
  since_checked_ += kStoreEvery;
  if (since_checked_ < kRulesEvery) return;
  since_checked_ = Millis(0);
  auto print = rules_fingerprint(input_);
  if (!print || *print == print_) return;
  standing_ = false;
  log_warning("the rules were changed or removed by somebody else; restoring them");
  // What was right before is still what is right: rules that are taken away while this goes on show next
  // time.
  const std::string right = print_;
  const RulesInput input = input_;
  const Status done = install_for(input);
  print_ = right;
  if (!done) {
    log_error("rules: {}", done.error().message);
    return;
  }
  note("rules.restored", "rules of ours had vanished or were no longer first");
}

}  // namespace nightlatch
