// NameTable against a naive reading of the same targets, and the order in which it names resources.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "policy/name_table.h"
#include "policy/parse.h"
#include "policy/prefix_table.h"

namespace nightlatch {
namespace {

Target target(std::string_view text) {
  auto t = parse_target(text, "test", HostTargets::written);
  EXPECT_TRUE(t.ok()) << text;
  return *t;
}

Resource resource(const std::vector<std::string>& targets) {
  Resource r{ResourceId(1), "r", {}};
  for (const std::string& t : targets) r.targets.push_back(target(t));
  return r;
}

// Resource indexes, in the order in which they were named.
using Found = std::vector<std::uint32_t>;

Found all(const NameTable& table, std::string_view name, std::uint16_t port, Protocol p = Protocol::tcp) {
  Found found;
  table.each(name, port, p, [&](std::uint32_t r) { found.push_back(r); });
  return found;
}

TEST(NameTable, TheNameComesFirstAndThenTheLongestDomain) {
  const NameTable table({resource({"*.lan:443"}), resource({"wiki.corp.lan:443"}),
                         resource({"*.corp.lan:443"}), resource({"*.wiki.corp.lan:443"}),
                         resource({"corp.lan:443"})});
  EXPECT_EQ(all(table, "wiki.corp.lan", 443), (Found{1, 2, 0}));
  EXPECT_EQ(all(table, "a.corp.lan", 443), (Found{2, 0}));
  EXPECT_EQ(all(table, "a.b.wiki.corp.lan", 443), (Found{3, 2, 0}));
  EXPECT_EQ(all(table, "corp.lan", 443), (Found{4, 0}));
  EXPECT_EQ(all(table, "lan", 443), Found{}) << "a wildcard wants one label more";
  EXPECT_EQ(all(table, "xlan", 443), Found{});
  EXPECT_EQ(all(table, "wiki.corp.lan.example", 443), Found{});
  EXPECT_EQ(all(table, "", 443), Found{});
  EXPECT_EQ(all(table, std::string(400, 'a') + ".lan", 443), Found{});
}

TEST(NameTable, PortAndProtocolMustFitToo) {
  const NameTable table(
      {resource({"wiki.lan:80", "wiki.lan:8000-8010", "wiki.lan:53/udp"}), resource({"*.lan:*"})});
  EXPECT_EQ(all(table, "wiki.lan", 80), (Found{0, 1}));
  EXPECT_EQ(all(table, "wiki.lan", 8005), (Found{0, 1}));
  EXPECT_EQ(all(table, "wiki.lan", 8011), (Found{1}));
  EXPECT_EQ(all(table, "wiki.lan", 53, Protocol::udp), (Found{0}));
  EXPECT_EQ(all(table, "wiki.lan", 80, Protocol::udp), Found{});
}

TEST(NameTable, ResourcesWithOnePatternAreAllFound) {
  const NameTable table({resource({"wiki.lan:443"}), resource({"a.lan:443"}), resource({"wiki.lan:443"})});
  EXPECT_EQ(all(table, "wiki.lan", 443), (Found{0, 2}));
}

TEST(NameTable, EmptyAndAddressesOnly) {
  EXPECT_EQ(all(NameTable(), "wiki.lan", 443), Found{});
  EXPECT_EQ(all(NameTable({resource({"10.0.0.1:443"})}), "wiki.lan", 443), Found{});
}

TEST(NameTable, APrefixTableHoldsNoNames) {
  const PrefixTable table({resource({"wiki.lan:443", "*.lan:*"})}, {});
  int found = 0;
  for (const char* text : {"10.0.0.1", "::", "::1", "2001:db8::1"}) {
    table.each(*IpAddress::parse(text), 443, Protocol::tcp, [&](std::uint32_t) { ++found; });
  }
  EXPECT_EQ(found, 0);
}

TEST(NameTable, TheDeepestNameThereCanBe) {
  std::string name = "a";
  std::vector<Resource> resources;
  for (int labels = 1; labels < 127; ++labels) {
    resources.push_back(resource({"*." + name + ":443"}));
    name = "a." + name;
  }
  resources.push_back(resource({name + ":443"}));
  ASSERT_EQ(name.size(), 253U);
  const Found found = all(NameTable(resources), name, 443);
  ASSERT_EQ(found.size(), 127U);
  EXPECT_TRUE(std::is_sorted(found.rbegin(), found.rend())) << "the most specific first";
}

// Few labels, so that names and patterns meet often.
class Random {
 public:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(engine_() % n); }
  std::string name() {
    std::string n;
    for (std::uint32_t k = 1 + below(4); k > 0; --k) {
      n += std::string(n.empty() ? "" : ".") + std::string(kLabels[below(5)]);
    }
    return n;
  }
  Target target() {
    const std::string host = (below(2) == 0 ? "*." : "") + name();
    const auto first = static_cast<std::uint16_t>(1 + below(6));
    const auto last = static_cast<std::uint16_t>(first + (below(2) == 0 ? 0 : below(4)));
    return Target{{}, {first, last}, protocol(), *HostPattern::from_stored(host, "test")};
  }
  Protocol protocol() { return below(2) == 0 ? Protocol::tcp : Protocol::udp; }

 private:
  static constexpr std::string_view kLabels[] = {"a", "b", "ab", "corp", "x-1"};
  std::mt19937_64 engine_{20261123};
};

// The naive reading: every target of every resource, by HostPattern::matches; the most specific level first.
std::vector<Found> levels(const std::vector<Resource>& resources, const std::string& name, std::uint16_t port,
                          Protocol protocol) {
  std::vector<Found> by_size(400);
  for (std::uint32_t i = 0; i < resources.size(); ++i) {
    for (const Target& t : resources[i].targets) {
      if (t.protocol != protocol || !t.ports.contains(port) || !t.host->matches(name)) continue;
      by_size[t.host->wildcard() ? t.host->text().size() : 399].push_back(i);
    }
  }
  std::reverse(by_size.begin(), by_size.end());
  by_size.erase(std::remove(by_size.begin(), by_size.end(), Found{}), by_size.end());
  return by_size;
}

TEST(NameTable, AgreesWithTheNaiveReading) {
  Random random;
  int hits = 0;
  for (int office = 0; office < 300; ++office) {
    std::vector<Resource> resources(random.below(40));
    for (Resource& r : resources) {
      for (std::uint32_t k = 1 + random.below(12); k > 0; --k) r.targets.push_back(random.target());
    }
    const NameTable table(resources);
    for (int i = 0; i < 200; ++i) {
      const std::string name = random.name();
      const auto port = static_cast<std::uint16_t>(1 + random.below(10));
      const Protocol protocol = random.protocol();
      Found found = all(table, name, port, protocol);
      const auto wanted = levels(resources, name, port, protocol);
      auto at = found.begin();
      for (const Found& level : wanted) {  // in order of levels, within one in any
        ASSERT_LE(level.size(), static_cast<std::size_t>(found.end() - at)) << name;
        std::sort(at, at + static_cast<std::ptrdiff_t>(level.size()));
        ASSERT_TRUE(std::equal(level.begin(), level.end(), at)) << name << ':' << port;
        at += static_cast<std::ptrdiff_t>(level.size());
        ++hits;
      }
      ASSERT_EQ(at, found.end()) << name << ':' << port;
    }
  }
  EXPECT_GT(hits, 10'000);
}

}  // namespace
}  // namespace nightlatch
