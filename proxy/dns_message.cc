#include "proxy/dns_message.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace nightlatch {

namespace {

constexpr std::size_t kHeader = 12;          // bytes
constexpr unsigned kMostPointers = 127;      // in one name: no name has more labels to share
constexpr std::size_t kMostMessage = 65535;  // bytes: what TCP's length can say
constexpr std::uint16_t kTypeCname = 5;
constexpr std::uint16_t kClassIn = 1;

struct Header {  // RFC 1035 section 4.1.1
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  std::uint16_t questions = 0;
  std::uint16_t answers = 0;

  [[nodiscard]] bool reply() const { return (flags & 0x8000) != 0; }
  [[nodiscard]] bool standard_query() const { return (flags & 0x7800) == 0; }  // the opcode
  [[nodiscard]] bool truncated() const { return (flags & 0x0200) != 0; }
  [[nodiscard]] std::uint8_t rcode() const { return flags & 0x000f; }
};

struct Record {
  WireName owner;
  std::uint16_t type = 0;
  Seconds ttl{0};
  WireName alias;     // of a CNAME
  IpAddress address;  // of an A or AAAA
};

// Reads forward from a place; what does not fit leaves it failed, for good.
class Reader {
 public:
  Reader(std::span<const std::uint8_t> message, std::size_t at) : message_(message), at_(at) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t at() const { return at_; }

  std::uint8_t u8() {
    if (failed_ || at_ >= message_.size()) return fail(), std::uint8_t{0};
    return message_[at_++];
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  void skip(std::size_t count) {
    if (failed_ || count > message_.size() - at_) return fail();
    at_ += count;
  }

  // A name (RFC 1035 sections 3.1 and 4.1.4). Each pointer leads to before the labels that it ends, so a
  // chain of them comes to its end, and their number is bounded too. nullopt: either failed(), or well formed
  // and not a host name.
  std::optional<WireName> name() {
    std::array<char, kLongestHostName + 1> text;  // NOLINT: only the first `size` are ever read
    std::size_t size = 0;
    unsigned pointers = 0;
    bool host = true;
    std::size_t start = at_;  // of the labels that are being read
    std::optional<std::size_t> behind;
    while (!failed_) {
      const std::uint8_t length = u8();
      if (length >= 0xc0) {
        const std::size_t to = static_cast<std::size_t>(length & 0x3fU) << 8 | u8();
        if (!behind) behind = at_;
        if (to >= start || to < kHeader || ++pointers > kMostPointers) return fail(), std::nullopt;
        at_ = start = to;
        continue;
      }
      if (length == 0) break;
      if (length > kLongestLabel || size + length + 1U > text.size()) return fail(), std::nullopt;
      for (unsigned i = 0; i < length; ++i) {
        const char c = static_cast<char>(u8());
        host = host && c != '.';  // a dot within a label would read as two labels
        text[size++] = c;
      }
      text[size++] = '.';
    }
    if (failed_) return std::nullopt;
    if (behind) at_ = *behind;
    return host ? WireName::read({text.data(), size}) : std::nullopt;
  }

 private:
  void fail() { failed_ = true; }
  std::span<const std::uint8_t> message_;
  std::size_t at_;
  bool failed_ = false;
};

std::optional<Header> read_header(Reader& in) {
  Header h;
  h.id = in.u16();
  h.flags = in.u16();
  h.questions = in.u16();
  h.answers = in.u16();
  in.skip(4);  // the counts of authority and additional records
  if (in.failed() || !h.standard_query() || h.questions != 1) return std::nullopt;
  return h;
}

std::optional<DnsQuestion> read_question(Reader& in, std::uint16_t id) {
  const auto name = in.name();
  if (!name) return std::nullopt;
  const std::uint16_t type = in.u16();
  const std::uint16_t question_class = in.u16();
  if (in.failed() || question_class != kClassIn) return std::nullopt;
  return DnsQuestion{id, type, *name};
}

// The address of an A or AAAA record, when the data are as long as they must be.
std::optional<IpAddress> read_address(Reader& in, std::uint16_t type, std::uint16_t length) {
  if (type == kDnsTypeA && length == 4) return IpAddress::v4(in.u32());
  if (type != kDnsTypeAaaa || length != 16) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  for (std::uint8_t& b : bytes) b = in.u8();
  return IpAddress::v6(bytes);
}

// The next record of the answers. Those of other types and classes are passed over: then `kept` is false.
bool read_record(Reader& in, Record& record, bool& kept) {
  const auto owner = in.name();
  record.type = in.u16();
  const std::uint16_t record_class = in.u16();
  const std::uint32_t ttl = in.u32();
  const std::uint16_t length = in.u16();
  if (in.failed()) return false;
  kept = record_class == kClassIn &&
         (record.type == kDnsTypeA || record.type == kDnsTypeAaaa || record.type == kTypeCname);
  if (!kept) {
    in.skip(length);
    return !in.failed();
  }
  if (!owner) return false;
  record.owner = *owner;
  record.ttl = Seconds((ttl >> 31) == 0 ? ttl : 0);  // RFC 2181 section 8
  const std::size_t end = in.at() + length;
  if (record.type == kTypeCname) {
    const auto alias = in.name();
    if (!alias) return false;
    record.alias = *alias;
  } else {
    const auto address = read_address(in, record.type, length);
    if (!address) return false;
    record.address = *address;
  }
  return !in.failed() && in.at() == end;
}

struct Reached {
  WireName name;
  Seconds ttl;
};

// Where the question's name leads by the CNAMEs, wherever they stand; the question's name is the first.
std::vector<Reached> follow(const WireName& first, const std::vector<Record>& records) {
  std::vector<Reached> reached{{first, Seconds::max()}};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    for (const Record& r : records) {
      if (r.type != kTypeCname || !(r.owner == reached[i].name)) continue;
      const bool known =
          std::any_of(reached.begin(), reached.end(), [&](const Reached& k) { return k.name == r.alias; });
      if (!known) reached.push_back({r.alias, std::min(reached[i].ttl, r.ttl)});
    }
  }
  return reached;
}

}  // namespace

std::optional<DnsQuestion> dns_id_and_question(std::span<const std::uint8_t> message) {
  if (message.size() > kMostMessage) return std::nullopt;
  Reader in(message, 0);
  const auto header = read_header(in);
  if (!header || header->reply() || header->answers != 0) return std::nullopt;
  return read_question(in, header->id);
}

std::optional<DnsAnswer> read_dns_answer(std::span<const std::uint8_t> message) {
  if (message.size() > kMostMessage) return std::nullopt;
  Reader in(message, 0);
  const auto header = read_header(in);
  if (!header || !header->reply()) return std::nullopt;
  const auto question = read_question(in, header->id);
  if (!question) return std::nullopt;

  std::vector<Record> records;
  std::size_t aliases = 0;
  for (unsigned i = 0; i < header->answers; ++i) {
    Record record;
    bool kept = false;
    if (!read_record(in, record, kept)) return std::nullopt;
    if (!kept) continue;
    aliases += record.type == kTypeCname ? 1 : 0;
    records.push_back(record);
    if (aliases > DnsAnswer::kMostAliases || records.size() - aliases > DnsAnswer::kMostAddresses)
      return std::nullopt;
  }

  DnsAnswer answer{*question, header->rcode(), header->truncated(), {}, {}};
  const std::vector<Reached> reached = follow(question->name, records);
  for (std::size_t i = 0; i < reached.size(); ++i) {
    if (i > 0) answer.aliases.push_back(reached[i].name);
    for (const Record& r : records) {
      if (r.type == kTypeCname || !(r.owner == reached[i].name)) continue;
      answer.addresses.push_back({r.address, std::min(reached[i].ttl, r.ttl)});
    }
  }
  return answer;
}

}  // namespace nightlatch
