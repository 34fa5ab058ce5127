// What devices have proven of themselves, by a service token or a client certificate, as far as it counts:
// one row for each of these, with the last time and the place that it was shown from. It is read as presence
// is (store/sessions.h), and void like it once the clock was set back. Every function runs on the Database's
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "store/database.h"

namespace nightlatch {

// What the device has proven from this place; the MAC as text, or the address of one that is off-link. Of a
// shared device nothing, for whoever comes from there would have proven it. One indexed read: the gate asks
// for every flow.
[[nodiscard]] Result<std::vector<Proof>> proofs_of(Database& db, DeviceId device, std::string_view source);

struct ProofRow {
  DeviceId device{};
  Proof proof;
  std::string by;  // the token's or the certificate's name
  std::string source;
};
[[nodiscard]] Result<std::vector<ProofRow>> list_proofs(Database& db);

// In a transaction of the caller's, which has moved the clock (store/sessions.h) to get the generation.
[[nodiscard]] Status record_proof(Database& db, DeviceId device, const Proof& proof, std::string_view source,
                                  std::int64_t generation);
[[nodiscard]] Status forget_proof(Database& db, const Proof& proof);

}  // namespace nightlatch
