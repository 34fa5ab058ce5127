// One-time passwords: what a form sends as a code or a secret. The first 20 bytes are the secret, the rest
// the code.
#include "auth/otp.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  check(from_base32(base32(text)) == text, "base 32 comes back");
  if (const auto raw = from_base32(text)) check(raw->size() <= text.size(), "decoding makes it shorter");
  const std::string_view secret = text.substr(0, 20);
  const std::string_view typed = text.substr(secret.size());
  const WallTime now{Seconds(1'700'000'000)};
  const auto step = otp_step(secret, typed, now, 0);
  if (step) {
    const auto code = otp_code(secret, WallTime(Seconds(*step * kOtpStepSeconds)));
    check(code.ok(), "a code that is right can be made");
    check(!otp_step(secret, typed, now, *step), "and is not right again");
  }
  const auto right = otp_code(secret, now);
  if (right)
    check(otp_step(secret, *right, now, 0) == 1'700'000'000 / kOtpStepSeconds, "the right code is right");
  return 0;
}
