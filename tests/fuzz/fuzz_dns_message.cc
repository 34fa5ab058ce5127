// dns_id_and_question() and read_dns_answer(): any bytes give nothing, or names and addresses that hold
// together.
#include <algorithm>
#include <vector>

#include "proxy/dns_message.h"
#include "tests/fuzz/fuzz.h"

using namespace nightlatch;  // NOLINT: one file, one program
using fuzz::check;

namespace {

using Bytes = std::span<const std::uint8_t>;

void check_name(const WireName& name) {
  check(!name.text().empty() && WireName::read(name.text()) == name, "a name is canonical");
}

bool same(const DnsAnswer& a, const DnsAnswer& b) {
  const auto equal = [](const DnsAddress& x, const DnsAddress& y) {
    return x.address == y.address && x.ttl == y.ttl;
  };
  return a.question == b.question && a.rcode == b.rcode && a.truncated == b.truncated &&
         a.aliases == b.aliases &&
         std::equal(a.addresses.begin(), a.addresses.end(), b.addresses.begin(), b.addresses.end(), equal);
}

void check_answer(const DnsAnswer& answer, Bytes message) {
  check_name(answer.question.name);
  check(answer.rcode < 16, "a response code has four bits");
  check(answer.aliases.size() <= DnsAnswer::kMostAliases, "aliases are bounded");
  check(answer.addresses.size() <= DnsAnswer::kMostAddresses, "addresses are bounded");
  check(answer.addresses.size() * 15 + answer.aliases.size() * 12 <= message.size(),
        "each came from bytes of its own");
  for (std::size_t i = 0; i < answer.aliases.size(); ++i) {
    check_name(answer.aliases[i]);
    check(!(answer.aliases[i] == answer.question.name), "an alias is another name");
    check(std::find(answer.aliases.begin(), answer.aliases.begin() + static_cast<std::ptrdiff_t>(i),
                    answer.aliases[i]) == answer.aliases.begin() + static_cast<std::ptrdiff_t>(i),
          "and comes once");
  }
  for (const DnsAddress& a : answer.addresses) {
    check(a.ttl >= Seconds(0) && a.ttl <= Seconds(0x7fffffff), "a time to live has 31 bits");
    // An IPv4 address stands in the message as its 4 bytes, or within its mapped form.
    const auto& b = a.address.bytes();
    check(std::search(message.begin(), message.end(), b.begin() + (a.address.is_v4() ? 12 : 0), b.end()) !=
              message.end(),
          "no address is made up");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes message(data, size);
  const auto question = dns_id_and_question(message);
  const auto answer = read_dns_answer(message);
  check(!question || !answer, "a query is no answer");
  if (question) check_name(question->name);
  if (!answer) return 0;
  check_answer(*answer, message);

  // The same header as a query: its question is the answer's.
  std::vector<std::uint8_t> query(message.begin(), message.end());
  query[2] &= 0x7f;
  query[6] = query[7] = 0;
  const auto asked = dns_id_and_question(query);
  check(asked && *asked == answer->question, "an answer repeats its question");
  // What follows the answers changes nothing.
  std::vector<std::uint8_t> longer(message.begin(), message.end());
  if (longer.size() + 3 <= 65535) {
    longer.insert(longer.end(), {0xc0, 0x0c, 0xff});
    const auto again = read_dns_answer(longer);
    check(again && same(*again, *answer), "what follows the answers is not read");
  }
  return 0;
}
