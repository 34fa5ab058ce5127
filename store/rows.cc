#include "store/rows.h"

namespace nightlatch {

namespace {
std::string_view word(std::string_view table) { return table == "user_group" ? "group" : table; }
}  // namespace

Result<std::vector<std::string>> names_in(Database& db, std::string_view table) {
  std::vector<std::string> names;
  NL_TRY(each_row(db.prepare(fmt::format("SELECT name FROM {} ORDER BY name", table)),
                  [&](Statement& s) -> Status {
                    names.push_back(s.text(0));
                    return Done{};
                  }));
  return names;
}

Result<std::int64_t> id_of(Database& db, std::string_view table, std::string_view name) {
  auto id = db.integer(fmt::format("SELECT id FROM {} WHERE name = ?", table), {std::string(name)});
  if (!id) return id.error();
  if (*id) return **id;
  auto names = names_in(db, table);
  if (!names) return names.error();
  const std::string meant = nearest(lower(name), *names);
  std::string hint;
  if (!meant.empty()) {
    hint = fmt::format("did you mean '{}'?", meant);
  } else if (table == "user_group") {
    hint = "a group comes into being with its first member: nightlatch user join USER GROUP";
  } else {
    hint = fmt::format("see: nightlatch {} list", table);
  }
  return Error::not_found(fmt::format("there is no {} '{}'", word(table), printable(name)), hint);
}

Status check_free(Database& db, std::string_view table, std::string_view name) {
  auto id = db.integer(fmt::format("SELECT id FROM {} WHERE name = ?", table), {std::string(name)});
  if (!id) return id.error();
  if (*id) {
    return Error::conflict(fmt::format("there is already a {} '{}'", word(table), printable(name)),
                           fmt::format("choose another name, or see: nightlatch {} list", word(table)));
  }
  return Done{};
}

}  // namespace nightlatch
