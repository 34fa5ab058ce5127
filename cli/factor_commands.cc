// user factor: what users prove a second factor with, as an administrator sees and gives it; and key rotate.
#include <fmt/format.h>

#include <ostream>

#include "auth/otp.h"
#include "auth/second_factor.h"
#include "auth/secret_box.h"
#include "base/qr_code.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/table.h"
#include "store/access.h"
#include "store/factors.h"
#include "store/passkeys.h"
#include "store/people.h"

namespace nightlatch::cli {

namespace {
constexpr std::string_view kPasskey = "passkey:";

// Programs get all of it; people the name, and when it was last of use.
Record::Value value_of(const std::vector<PasskeyRow>& passkeys, bool json) {
  std::vector<Record> records;
  std::vector<std::string> lines;
  for (const PasskeyRow& row : passkeys) {
    Record record;
    record.add("name", row.passkey.name)
        .add_time("created", row.created)
        .add_time("last_used", row.last_used.value_or(kNever))
        .add("synced", Record::Value(row.passkey.backup_eligible))
        .add("user_verified", Record::Value(row.passkey.user_verified))
        .add("made_for", row.passkey.rp_id);
    records.push_back(std::move(record));
    lines.push_back(fmt::format("{} ({})", row.passkey.name,
                                row.last_used ? "last used " + format_rfc3339(*row.last_used) : "not used"));
  }
  return json ? Record::Value(std::move(records)) : Record::Value(std::move(lines));
}

Record record_of(const std::string& user, const Factors& factors, const std::vector<PasskeyRow>& passkeys,
                 bool json) {
  Record record;
  record.add("user", user)
      .add("otp", Record::Value(factors.otp_since.has_value()))
      .add_time("otp_since", factors.otp_since.value_or(kNever))
      .add("recovery_codes", factors.recovery_codes);
  record.add("passkeys", value_of(passkeys, json));
  return record;
}

// What the authenticator app calls the office.
std::string issuer(Database& db) {
  auto url = get_setting(db, "portal.url");
  return url && url->starts_with("https://") ? url->substr(8) : std::string("nightlatch");
}

Result<int> add_otp(Context& context, Database& db, const UserRow& user) {
  std::string secret = make_otp_secret();
  NL_TRY(keep_otp_secret(db, user.id, secret, 0, wall_now()));
  std::string uri = otp_uri(secret, issuer(db), user.name);
  wipe(secret);
  if (context.json()) {
    Record record;
    record.add("user", user.name).add("otp_uri", uri);
    print_record(context, record);
  } else {
    context.io.out << uri << '\n';
    if (auto code = qr_text(uri, context.io.colour)) context.io.out << *code;
  }
  wipe(uri);
  NL_TRY(context.audit(context.words()));
  context.say("gave {} an authenticator; scan the code with an app, it is not shown again", user.name);
  return 0;
}

Result<int> add_codes(Context& context, Database& db, const UserRow& user) {
  std::vector<std::string> codes = make_recovery_codes();
  NL_TRY(keep_recovery_codes(db, user.id, codes, wall_now()));
  if (context.json()) {
    Record record;
    record.add("user", user.name).add("recovery_codes", Record::Value(codes));
    print_record(context, record);
  } else {
    for (const std::string& code : codes) context.io.out << code << '\n';
  }
  for (std::string& code : codes) wipe(code);
  NL_TRY(context.audit(context.words()));
  context.say("gave {} these recovery codes, each good once; they are not shown again", user.name);
  return 0;
}

Result<int> take_away(Context& context, Database& db, const UserRow& user, const std::string& what) {
  bool any = false;
  std::int64_t sessions = 0;
  auto tx = Transaction::begin(db);
  if (!tx) return tx.error();
  for (const auto& [word, kind] : {std::pair{"otp", FactorKind::otp}, {"recovery", FactorKind::recovery}}) {
    if (what != word && what != "all") continue;
    auto removed = remove_factor(db, user.id, kind);
    if (!removed) return removed.error();
    any = any || *removed;
  }
  if (what == "all" || what.starts_with(kPasskey)) {
    const std::string name = what == "all" ? "" : what.substr(kPasskey.size());
    auto removed = remove_passkeys(db, user.id, what == "all" ? std::nullopt : std::optional(name));
    if (!removed) return removed.error();
    any = any || removed->passkeys > 0;
    sessions = removed->sessions;
  }
  if (!any) {
    return Error::not_found(fmt::format("{} has no such factor", user.name),
                            fmt::format("see: nightlatch user factor {}", user.name));
  }
  NL_TRY(tx->commit());
  NL_TRY(context.audit(context.words()));
  context.say("took it away from {}, and forgot where it was shown", user.name);
  if (sessions > 0) context.say("ended {} sessions that had begun with a passkey", sessions);
  return 0;
}

Result<int> run_factor(Context& context) {
  const int asked = int{context.given("add")} + int{context.given("remove")};
  if (asked > 1)
    return Error::usage("--add: together with --remove it makes no sense", "say one or the other");
  auto db = asked == 0 ? context.open_read() : context.open_write();
  if (!db) return db.error();
  auto user = find_user(*db, context.argument(0));
  if (!user) return user.error();
  if (context.given("remove")) return take_away(context, *db, *user, context.value("remove"));
  if (context.given("add")) {
    return context.value("add") == "otp" ? add_otp(context, *db, *user) : add_codes(context, *db, *user);
  }
  auto factors = find_factors(*db, user->id);
  if (!factors) return factors.error();
  auto passkeys = list_passkeys(*db, user->id);
  if (!passkeys) return passkeys.error();
  print_record(context, record_of(user->name, *factors, *passkeys, context.json()));
  return 0;
}

Result<int> run_rotate(Context& context) {
  auto db = context.open_write();
  if (!db) return db.error();
  auto sealed = rotate_key(*db);
  if (!sealed) return sealed.error();
  NL_TRY(context.audit(context.words()));
  const std::string path = key_path(context.store());
  context.say("{} secrets are sealed with a new key; keep a copy of {} elsewhere", *sealed, path);
  context.say("{}.old opens backups from before: remove it when you have none", path);
  return 0;
}

}  // namespace

std::vector<Command> factor_commands() {
  return {
      {.noun = "user",
       .verb = "factor",
       .summary = "show a user's second factors, give one or take one away",
       .details =
           "Policies with --mfa ask for a second factor on top of the sign-in. Users set one up on the "
           "portal's page /me/factors, unless the setting factors.enrol says admin. With --add otp the "
           "secret of an authenticator app is made and printed this once, as text and as a code to be "
           "scanned; with --add recovery, ten codes that are good once each. A new one replaces the old.\n\n"
           "When a telephone is lost: --remove otp. What a second factor had opened is closed at once. "
           "Passkeys are made by their users, on the same page, and have names: --remove \"passkey:blue "
           "key\" "
           "takes that one away, and ends the user's sessions that began with a passkey.",
       .arguments = {{.name = "NAME", .help = "the user's name", .words = Words::user}},
       .options = {{.name = "add",
                    .kind = Option::Kind::text,
                    .value = "KIND",
                    .help = "give one, and print its secret this once",
                    .words = Words::choices,
                    .choices = {"otp", "recovery"}},
                   {.name = "remove",
                    .kind = Option::Kind::text,
                    .value = "KIND",
                    .help = "take one away: otp, recovery, passkey:NAME or all",
                    .words = Words::choices,
                    .choices = {"otp", "recovery", "passkey:", "all"}}},
       .examples = {{"user factor alice"},
                    {"user factor alice --add otp", "prints a code for her telephone"},
                    {"user factor alice --remove \"passkey:blue key\""},
                    {"user factor alice --remove all"}},
       .json = true,
       .run = run_factor},
      {.noun = "key",
       .verb = "rotate",
       .summary = "seal the store's secrets with a new key",
       .details =
           "Secrets that must be read back, such as those of authenticators, are in the store under a key "
           "that is in a file beside it: office.db.key. A backup of the store is of little use to a thief "
           "without that file, and of little use to you: keep a copy of it, elsewhere. This makes a new key, "
           "seals everything anew and leaves the old key in office.db.key.old.",
       .examples = {{"key rotate"}},
       .run = run_rotate},
  };
}

}  // namespace nightlatch::cli
