#include "net/resolver.h"

#include <ares.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/time.h>

#include <algorithm>

namespace nightlatch {

namespace {
constexpr int kTimeoutMs = 2000;  // of the first try; c-ares waits longer for the next
constexpr int kTries = 2;

struct FreeAnswer {
  void operator()(ares_addrinfo* a) const { ares_freeaddrinfo(a); }
};

Result<std::vector<IpAddress>> addresses(int status, const std::string& name, const ares_addrinfo* answer) {
  std::vector<IpAddress> found;
  for (const ares_addrinfo_node* n = answer == nullptr ? nullptr : answer->nodes; n != nullptr;
       n = n->ai_next) {
    const auto e = Endpoint::from_sockaddr(n->ai_addr);
    if (e && std::find(found.begin(), found.end(), e->address) == found.end()) found.push_back(e->address);
  }
  if (!found.empty()) return found;
  if (status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_SUCCESS) {
    return Error::not_found(fmt::format("{}: no such host", name));
  }
  return Error::failure(fmt::format("{}: {}", name, ares_strerror(status)));
}
}  // namespace

struct Resolver::Question {
  Resolver* resolver;
  std::uint64_t ticket;
  std::string name;
};

Resolver::Resolver(Loop& loop) : loop_(loop), timer_(loop, [this] { process(ARES_SOCKET_BAD); }) {}

Result<std::unique_ptr<Resolver>> Resolver::open(Loop& loop, const std::string& servers) {
  static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
  if (initialised != ARES_SUCCESS) return Error::failure(ares_strerror(initialised));
  std::unique_ptr<Resolver> resolver(new Resolver(loop));
  ares_options options{};
  options.timeout = kTimeoutMs;
  options.tries = kTries;
  options.sock_state_cb_data = resolver.get();
  options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<Resolver*>(self)->on_socket(fd, readable != 0, writable != 0);
  };
  const int status = ares_init_options(&resolver->channel_, &options,
                                       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS) {
    resolver->channel_ = nullptr;
    return Error::failure(fmt::format("resolver: {}", ares_strerror(status)));
  }
  if (servers.empty()) return resolver;
  if (const int set = ares_set_servers_ports_csv(resolver->channel_, servers.c_str()); set != ARES_SUCCESS) {
    return Error::failure(fmt::format("resolver: {}: {}", servers, ares_strerror(set)));
  }
  return resolver;
}

Resolver::~Resolver() {
  waiting_.clear();
  if (channel_ != nullptr) ares_destroy(channel_);  // its callbacks find nobody waiting
}

std::uint64_t Resolver::resolve(const std::string& name, Answer answer) {
  const std::uint64_t ticket = ++next_ticket_;
  if (waiting_.size() >= kMostQuestions) {
    answer(Error::busy(fmt::format("{}: too many names are being looked up", name)));
    return ticket;
  }
  waiting_.emplace(ticket, std::move(answer));
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  auto question = std::make_unique<Question>(Question{this, ticket, name});
  const auto answered = [](void* arg, int status, int, ares_addrinfo* result) {
    const std::unique_ptr<Question> asked(static_cast<Question*>(arg));
    const std::unique_ptr<ares_addrinfo, FreeAnswer> owned(result);
    auto& waiting = asked->resolver->waiting_;
    const auto it = waiting.find(asked->ticket);
    if (it == waiting.end()) return;
    const Answer tell = std::move(it->second);
    waiting.erase(it);
    tell(addresses(status, asked->name, result));
  };
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, answered, question.release());
  set_timer();
  return ticket;
}

void Resolver::cancel(std::uint64_t ticket) { waiting_.erase(ticket); }

void Resolver::on_socket(int fd, bool readable, bool writable) {
  if (!readable && !writable) {
    sockets_.erase(fd);
    return;
  }
  auto& watch = sockets_[fd];
  if (!watch) watch = std::make_unique<ReadWatch>(loop_, fd, [this, fd] { process(fd); });
  watch->want(readable, writable);
}

void Resolver::process(int fd) {
  ares_process_fd(channel_, fd, fd);
  set_timer();
}

void Resolver::set_timer() {
  timeval left{};
  if (ares_timeout(channel_, nullptr, &left) == nullptr) {
    timer_.cancel();
  } else {
    timer_.once(Millis(left.tv_sec * 1000 + left.tv_usec / 1000 + 1));
  }
}

}  // namespace nightlatch
