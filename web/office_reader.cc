#include "web/office_reader.h"

#include "store/office_store.h"

namespace nightlatch {

Result<std::unique_ptr<OfficeReader>> OfficeReader::open(const std::string& store_path) {
  // On the loop: a reader needs no lock, and where it would the answer is "try again".
  auto db = open_store(store_path, Database::Access::read, Millis(0));
  if (!db) return db.error();
  return std::unique_ptr<OfficeReader>(
      new OfficeReader(std::move(*db)));  // NOLINT: the constructor is private
}

Result<std::shared_ptr<const Office>> OfficeReader::office() {
  // Read before the snapshot: what changes in between shows at the next request.
  auto seen = db_.data_version();
  if (!seen) return seen.error();
  if (office_ && *seen == seen_) return office_;
  auto version = office_version(db_);
  if (!version) return version.error();
  if (!office_ || office_->data().version != *version) {
    auto data = load_office(db_);
    if (!data) return data.error();
    office_ = std::make_shared<const Office>(std::move(*data));
  }
  seen_ = *seen;
  return office_;
}

}  // namespace nightlatch
