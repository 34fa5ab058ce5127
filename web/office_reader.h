// OfficeReader: the portal's view of the store on the loop: the configuration as it is at this moment, and a
// Database for single reads. The snapshot is made anew when the store says that the configuration changed;
// never staler. Owned by the portal; loop's thread.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "policy/office.h"
#include "store/database.h"

namespace nightlatch {

class OfficeReader {
 public:
  static Result<std::unique_ptr<OfficeReader>> open(const std::string& store_path);
  [[nodiscard]] Result<std::shared_ptr<const Office>> office();
  [[nodiscard]] Database& db() { return db_; }

 private:
  explicit OfficeReader(Database db) : db_(std::move(db)) {}
  Database db_;
  std::shared_ptr<const Office> office_;
  std::int64_t seen_ = -1;  // the store's data_version when office_ was last found current
};

}  // namespace nightlatch
