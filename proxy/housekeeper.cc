#include "proxy/housekeeper.h"

#include "base/log.h"
#include "store/access.h"
#include "store/audit.h"
#include "store/office_store.h"
#include "store/sessions.h"

namespace nightlatch {

namespace {

constexpr Millis kRound{30'000};
constexpr unsigned kRoundsToPrune = 120;  // an hour

Status keep_house(const std::string& path, TokenUses& uses, bool prune) {
  auto store = open_store(path, Database::Access::write);
  if (!store) return store.error();
  NL_TRY(advance_clock(*store, wall_now()));
  const std::vector<TokenUse> used = uses.take();
  if (const Status noted = note_token_uses(*store, used); !noted) {
    uses.put_back(used);
    return noted;
  }
  if (!prune) return Done{};
  auto text = get_setting(*store, "audit.keep");
  if (!text) return text.error();
  auto keep = parse_duration(*text, "audit.keep");
  if (!keep) return keep.error();
  auto audit = open_audit(path, Database::Access::write);
  if (!audit) return audit.error();
  auto pruned = prune_audit(*audit, wall_now(), *keep);
  if (!pruned) return pruned.error();
  return Done{};
}

}  // namespace

Housekeeper::Housekeeper(Loop& loop, std::string store_path, TokenUses& uses)
    : loop_(loop), path_(std::move(store_path)), uses_(uses), timer_(loop, [this] { round(); }) {
  round();
  timer_.every(kRound);
}

void Housekeeper::round() {
  if (busy_) return;
  busy_ = true;
  const bool prune = rounds_++ % kRoundsToPrune == 0;
  ticket_ = run_in_pool(
      loop_,
      [path = path_, uses = &uses_, prune] {
        if (const Status kept = keep_house(path, *uses, prune); !kept)
          log_warning("housekeeping: {}", kept.error().message);
      },
      [this] { busy_ = false; });
}

}  // namespace nightlatch
