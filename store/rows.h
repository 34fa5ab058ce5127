// What the files of store/ share: looking rows up by name, with errors that propose the nearest one.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "store/database.h"

namespace nightlatch {

// Calls row(statement) for each row of a prepared query.
template <typename Row>
[[nodiscard]] Status each_row(Result<Statement>&& query, Row&& row) {
  if (!query) return query.error();
  while (true) {
    auto more = query->step();
    if (!more) return more.error();
    if (!*more) return Done{};
    NL_TRY(row(*query));
  }
}

[[nodiscard]] Result<std::vector<std::string>> names_in(Database& db, std::string_view table);
// The id of the row of `table` ("user", "user_group", "device", "resource", "policy") with this name, in any
// case.
[[nodiscard]] Result<std::int64_t> id_of(Database& db, std::string_view table, std::string_view name);
// conflict when there is a row of that name.
[[nodiscard]] Status check_free(Database& db, std::string_view table, std::string_view name);

}  // namespace nightlatch
