// set, get, unset: settings, with where their values come from.
#include <fmt/format.h>

#include <ostream>

#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/table.h"
#include "store/access.h"

namespace nightlatch::cli {

namespace {

Record record_of(const SettingRow& row) {
  Record record;
  record.add("key", row.key)
      .add("value", Record::Value(row.value))
      .add("origin", row.is_default ? "default" : "set")
      .add("summary", row.summary);
  return record;
}

// `set KEY VALUE`, and `set KEY=VALUE` as a person may well write it.
Result<int> run_set(Context& context) {
  std::string key = context.argument(0);
  std::string value = context.argument(1);
  if (context.count() == 1) {
    const auto equals = key.find('=');
    if (equals == std::string::npos) {
      return Error::usage(
          fmt::format("set: the value for '{}' is missing", printable(key)),
          fmt::format("usage: nightlatch set KEY VALUE; to empty it: nightlatch unset {}", printable(key)));
    }
    value = key.substr(equals + 1);
    key.resize(equals);
  }
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  if (const Status done = set_setting(*db, key, value); !done) {
    return Error{done.error().kind, printable(done.error().message), done.error().hint};
  }
  NL_TRY(context.audit(context.words()));
  context.say("{} = {}", key, value);
  return 0;
}

Result<int> run_get(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<std::vector<SettingRow>> settings = list_settings(*db);
  if (!settings) return settings.error();
  if (context.count() == 0) {
    std::vector<Record> rows;
    for (const SettingRow& s : *settings) rows.push_back(record_of(s));
    print_rows(context, rows,
               {{"KEY", "key"}, {"VALUE", "value"}, {"ORIGIN", "origin"}, {"ABOUT", "summary"}}, "");
    return 0;
  }
  const std::string& key = context.argument(0);
  Result<std::string> value = get_setting(*db, key);
  if (!value) return value.error();
  for (const SettingRow& s : *settings) {
    if (s.key != key || !context.json()) continue;
    print_record(context, record_of(s));
    return 0;
  }
  context.io.out << printable(*value) << '\n';
  return 0;
}

Result<int> run_unset(Context& context) {
  const std::string& key = context.argument(0);
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(unset_setting(*db, key));
  Result<std::string> value = get_setting(*db, key);
  if (!value) return value.error();
  NL_TRY(context.audit(context.words()));
  context.say("{} = {} (default)", key, *value);
  return 0;
}

}  // namespace

std::vector<Command> setting_commands() {
  const std::string details =
      "'nightlatch get' lists every setting with its value, where the value comes from, and "
      "what it is for. The running gate takes a change within a second.";
  return {
      {.noun = "set",
       .summary = "change a setting",
       .details = details,
       .arguments = {{.name = "KEY", .help = "the setting's name", .words = Words::setting},
                     {.name = "VALUE", .help = "its new value; KEY=VALUE works too", .required = false}},
       .examples = {{"set session.max 12h", "no session lasts longer, whatever its policy says"},
                    {"set mode observe", "let everything through and log what would have been asked"}},
       .run = run_set},
      {.noun = "get",
       .summary = "show all settings, or one setting's value",
       .arguments =
           {{.name = "KEY", .help = "the setting's name", .required = false, .words = Words::setting}},
       .examples = {{"get"}, {"get mode"}},
       .json = true,
       .run = run_get},
      {.noun = "unset",
       .summary = "give a setting its default back",
       .arguments = {{.name = "KEY", .help = "the setting's name", .words = Words::setting}},
       .examples = {{"unset session.max"}},
       .run = run_unset},
  };
}

}  // namespace nightlatch::cli
