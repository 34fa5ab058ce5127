// What one decision costs, in a small office and in a large one: 10 resources under 10 policies, and 10 000
// under 1 000. The last lines give the ratios; the design asks for at most 2.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "policy/decide.h"

namespace {

using namespace nightlatch;  // NOLINT: one file, one program

const WallTime kNow = from_ms(1'795'000'000'000);
constexpr std::size_t kQueries = 16384;

struct Question {
  Subject subject;
  Destination destination;
};

// An office as offices are: most resources are one port of one server, some a subnet, some a range of ports,
// a few on IPv6. Each resource is named by one policy in the mean, which also names nine others of a large
// office; one policy in eight has hours, one in four asks for a second factor. There is a user for each three
// policies, in two groups each.
class Sample {
 public:
  Sample(std::uint32_t resources, std::uint32_t policies) : random_(resources) {
    OfficeData o;
    const std::uint32_t users = policies / 3 + 3, groups = policies / 5 + 2;
    for (std::uint32_t i = 1; i <= users; ++i) {
      o.users.push_back({UserId(i),
                         "user" + std::to_string(i),
                         true,
                         {GroupId(1 + below(groups)), GroupId(1 + below(groups))}});
    }
    for (std::uint32_t i = 0; i < resources; ++i) o.resources.push_back(resource(i));
    std::vector<std::uint32_t> order(resources);
    std::iota(order.begin(), order.end(), 1U);
    std::shuffle(order.begin(), order.end(), random_);
    const std::uint32_t named = resources / policies;
    for (std::uint32_t i = 0; i < policies; ++i) {
      Policy p;
      p.id = PolicyId(i + 1);
      p.name = "policy" + std::to_string(i);
      p.groups = {GroupId(1 + below(groups)), GroupId(1 + below(groups))};
      p.users = {UserId(1 + below(users))};
      p.anyone = i % 4 == 0;
      for (std::uint32_t k = 0; k < named; ++k) p.resources.push_back(ResourceId(order[i * named + k]));
      if (i % 8 == 1)
        p.terms.hours = Hours{{{420, 1140}, {1860, 2580}, {3300, 4020}, {4740, 5460}, {6180, 6900}}};
      if (i % 4 == 2) p.terms.mfa = Seconds(3600);
      o.policies.push_back(p);
    }
    for (std::size_t i = 0; i < kQueries; ++i) {
      Question q;
      q.subject.device = &laptop_;
      q.subject.binding = Binding::mac;
      q.subject.presence =
          Presence{UserId(1 + below(users)), kNow - Seconds(below(40'000)), kNow - Seconds(below(5000)), 1};
      const Target& t = o.resources[below(resources)].targets[0];
      q.destination = {t.prefix.address, t.ports.first, t.protocol};
      hits.push_back(q);
      q.destination.address = IpAddress::v4(0xac100000U | below(1 << 20));  // 172.16.0.0/12: in no resource
      misses.push_back(q);
      if (below(4) == 0) q.subject.presence.reset();
      if (below(2) == 0) q.destination = hits.back().destination;
      mixed.push_back(q);
    }
    office = std::make_unique<Office>(std::move(o));
  }

  std::unique_ptr<Office> office;
  std::vector<Question> hits, misses, mixed;

 private:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  Resource resource(std::uint32_t i) {
    constexpr std::array<std::uint16_t, 8> ports{443, 22, 5432, 3306, 8080, 80, 445, 3389};
    Resource r{ResourceId(i + 1), "resource" + std::to_string(i), {}};
    Target t;
    const std::uint32_t host = 0x0a000000U | (i * 7919U & 0xffffffU);
    const std::uint16_t port = ports[i % 8];
    t.ports = {port, port};
    const std::uint32_t kind = i * 7 % 20;
    if (kind < 13) {
      t.prefix = {IpAddress::v4(host), 32};
    } else if (kind < 16) {
      t.prefix = Prefix{IpAddress::v4(host), 24}.normalized();
    } else if (kind < 18) {
      t.prefix = {IpAddress::v4(host), 32};
      t.ports = {8000, 8010};
    } else {
      std::array<std::uint8_t, 16> b{0x20, 0x01, 0x0d, 0xb8};
      b[14] = static_cast<std::uint8_t>(i >> 8);
      b[15] = static_cast<std::uint8_t>(i);
      t.prefix = {IpAddress::v6(b), 128};
    }
    r.targets.push_back(t);
    if (i % 3 == 0) {
      t.protocol = Protocol::udp;
      r.targets.push_back(t);
    }
    return r;
  }

  std::mt19937 random_;
  Device laptop_{DeviceId(1), "laptop", {}, {}, DeviceState::active, false, UserId(1)};
};

const Sample& sample(std::uint32_t resources, std::uint32_t policies) {
  static std::map<std::uint32_t, std::unique_ptr<Sample>> made;
  auto& s = made[resources];
  if (!s) s = std::make_unique<Sample>(resources, policies);
  return *s;
}

void ask(benchmark::State& state, const std::vector<Question> Sample::* questions) {
  const Sample& s =
      sample(static_cast<std::uint32_t>(state.range(0)), static_cast<std::uint32_t>(state.range(1)));
  std::size_t i = 0;
  std::size_t allowed = 0;
  for (auto _ : state) {
    const Question& q = (s.*questions)[i++ % kQueries];
    const Verdict v = decide(*s.office, q.subject, q.destination, kNow);
    allowed += v.kind == VerdictKind::allow ? 1 : 0;
  }
  state.counters["allowed"] =
      benchmark::Counter(static_cast<double>(allowed), benchmark::Counter::kAvgIterations);
}

void hits(benchmark::State& state) { ask(state, &Sample::hits); }
void misses(benchmark::State& state) { ask(state, &Sample::misses); }
void mixed(benchmark::State& state) { ask(state, &Sample::mixed); }

void build(benchmark::State& state) {
  const Sample& s =
      sample(static_cast<std::uint32_t>(state.range(0)), static_cast<std::uint32_t>(state.range(1)));
  for (auto _ : state) {
    const Office office(s.office->data());
    benchmark::DoNotOptimize(office.data().version);
  }
}

BENCHMARK(hits)->Args({10, 10})->Args({10'000, 1'000});
BENCHMARK(misses)->Args({10, 10})->Args({10'000, 1'000});
BENCHMARK(mixed)->Args({10, 10})->Args({10'000, 1'000});
BENCHMARK(build)->Args({10, 10})->Args({10'000, 1'000})->Unit(benchmark::kMicrosecond);

// Prints as usual, and afterwards the ratio of each pair of offices: of the medians where there are
// repetitions.
class RatioReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration && run.aggregate_name != "median") continue;
      times_[run.run_name.function_name][run.run_name.args] = run.GetAdjustedCPUTime();
    }
    ConsoleReporter::ReportRuns(runs);
  }

  void Finalize() override {
    for (auto& [name, times] : times_) {
      if (name == "build" || times.size() != 2) continue;
      std::printf("ratio %s: %.2f (large office against small)\n", name.c_str(),
                  times["10000/1000"] / times["10/10"]);
    }
  }

 private:
  std::map<std::string, std::map<std::string, double>> times_;
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  RatioReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}
