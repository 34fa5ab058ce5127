#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/crypto.h"
#include "base/text.h"

namespace nightlatch {

namespace {
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

void append(List& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return;
  (void)list.release();  // NOLINT: `longer` begins with it
  list.reset(longer);
}

FetchFault::Kind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return FetchFault::Kind::too_slow;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return FetchFault::Kind::untrusted;
    case CURLE_FILESIZE_EXCEEDED:
      return FetchFault::Kind::too_large;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
      return FetchFault::Kind::busy;
    default:
      return FetchFault::Kind::unreachable;
  }
}

struct HostPort {
  std::string host, port;
};
// Of "https://host:port/...": curl itself takes the address apart, so that both read it in one way.
std::optional<HostPort> host_and_port(const std::string& url, std::string_view scheme) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return std::nullopt;
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return std::string();
    std::string out(text);
    curl_free(text);
    return out;
  };
  HostPort out{part(CURLUPART_HOST), part(CURLUPART_PORT)};
  if (part(CURLUPART_SCHEME) != scheme || out.host.empty()) return std::nullopt;
  if (out.host.starts_with('[')) out.host = out.host.substr(1, out.host.size() - 2);
  return out;
}
}  // namespace

struct HttpClient::Request {
  HttpFetch what;
  Answer answer;
  HostPort to;
  BootTime began;
  std::uint64_t look_up = 0;
  std::unique_ptr<Timer> deadline;  // while the name is looked up; then it is curl's
  HttpReply reply;
  std::size_t head = 0;
  bool too_large = false;
  std::size_t most_body = 0, most_head = 0;
  List headers, resolve;
  std::unique_ptr<CURL, FreeEasy> easy;

  ~Request() {  // client secrets and access tokens may be among them
    wipe(what.form);
    for (std::string& header : what.headers) wipe(header);
  }
};

std::string_view to_text(FetchFault::Kind kind) {
  switch (kind) {
    case FetchFault::Kind::unreachable:
      return "unreachable";
    case FetchFault::Kind::untrusted:
      return "untrusted";
    case FetchFault::Kind::too_slow:
      return "too_slow";
    case FetchFault::Kind::too_large:
      return "too_large";
    case FetchFault::Kind::busy:
      break;
  }
  return "busy";
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

Result<std::unique_ptr<HttpClient>> HttpClient::open(Loop& loop, const FetchLimits& limits,
                                                     std::unique_ptr<Resolver> resolver) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) return Error::failure(curl_easy_strerror(initialised));
  if (!resolver) {
    auto opened = Resolver::open(loop);
    if (!opened) return opened.error();
    resolver = std::move(*opened);
  }
  std::unique_ptr<HttpClient> client(new HttpClient(loop, limits, std::move(resolver)));
  if (client->multi_ == nullptr) return Error::failure("libcurl could not be started");
  return client;
}

HttpClient::HttpClient(Loop& loop, const FetchLimits& limits, std::unique_ptr<Resolver> resolver)
    : loop_(loop),
      limits_(limits),
      resolver_(std::move(resolver)),
      multi_(curl_multi_init()),
      timer_(loop, [this] { process(CURL_SOCKET_TIMEOUT, 0); }),
      answer_(loop, [this] { give_out(); }) {
  if (multi_ == nullptr) return;
  const curl_socket_callback socket_turn = [](CURL*, curl_socket_t fd, int what, void* self, void*) {
    static_cast<HttpClient*>(self)->on_socket(fd, what);
    return 0;
  };
  const curl_multi_timer_callback on_timer = [](CURLM*, long after_ms, void* self) {
    Timer& timer = static_cast<HttpClient*>(self)->timer_;
    if (after_ms < 0) {
      timer.cancel();
    } else {
      timer.once(Millis(after_ms));
    }
    return 0;
  };
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, socket_turn);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

HttpClient::~HttpClient() {
  resolver_.reset();
  for (const auto& [id, request] : requests_) {
    if (request->easy) curl_multi_remove_handle(multi_, request->easy.get());
  }
  requests_.clear();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

void HttpClient::fetch(HttpFetch what, Answer answer) {
  const std::uint64_t id = ++next_;
  const bool room = requests_.size() < limits_.at_once;
  auto request = std::make_unique<Request>();
  request->what = std::move(what);
  request->answer = std::move(answer);
  request->began = BootClock::now();
  const auto to = host_and_port(request->what.url, request->what.plain ? "http" : "https");
  requests_.emplace(id, std::move(request));
  if (!room) return finish(id, FetchFault{FetchFault::Kind::busy, "too many requests at once"});
  if (!to) return finish(id, FetchFault{FetchFault::Kind::unreachable, "this is no address of that kind"});
  Request& r = *requests_.at(id);
  r.to = *to;
  if (const auto address = IpAddress::parse(to->host)) return start(id, {*address});
  const std::uint64_t look_up =
      resolver_->resolve(to->host, [this, id](const Result<std::vector<IpAddress>>& found) {
        if (!requests_.contains(id)) return;
        if (found) return start(id, *found);
        finish(id, FetchFault{FetchFault::Kind::unreachable, found.error().message});
      });
  const auto still = requests_.find(id);
  if (still == requests_.end() || still->second->easy) return;  // the name was at hand
  still->second->look_up = look_up;
  still->second->deadline = std::make_unique<Timer>(loop_, [this, id] {
    resolver_->cancel(requests_.at(id)->look_up);
    finish(id, FetchFault{FetchFault::Kind::too_slow, "its name could not be looked up in time"});
  });
  still->second->deadline->once(limits_.total);
}

Status HttpClient::prepare(Request& r, const std::vector<IpAddress>& addresses) {
  r.easy.reset(curl_easy_init());
  CURL* easy = r.easy.get();
  if (easy == nullptr) return Error::failure("libcurl has no memory");
  const Millis spent = BootClock::now() - r.began;
  const auto left = static_cast<long>(std::max<Millis::rep>((limits_.total - spent).count(), 1));
  std::string where;
  for (const IpAddress& a : addresses) {
    if (!where.empty()) where += ',';
    where += a.is_v4() ? a.text() : "[" + a.text() + "]";
  }
  if (!IpAddress::parse(r.to.host)) append(r.resolve, fmt::format("{}:{}:{}", r.to.host, r.to.port, where));
  for (const std::string& header : r.what.headers) append(r.headers, header);
  append(r.headers, "Expect:");
  r.most_body = limits_.body;
  r.most_head = limits_.head;

  CURLcode bad = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    const CURLcode code = curl_easy_setopt(easy, option, value);
    if (bad == CURLE_OK) bad = code;
  };
  set(CURLOPT_URL, r.what.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, r.what.plain ? "http" : "https");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, left);
  set(CURLOPT_CONNECTTIMEOUT_MS, std::min(left, static_cast<long>(limits_.connect.count())));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits_.body));
  set(CURLOPT_USERAGENT, "nightlatch");
  set(CURLOPT_HTTPHEADER, r.headers.get());
  if (r.resolve) set(CURLOPT_RESOLVE, r.resolve.get());
  if (!r.what.form.empty()) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.what.form.size()));
    set(CURLOPT_POSTFIELDS, r.what.form.data());
  }
  if (!r.what.ca_pem.empty()) {
    curl_blob blob{r.what.ca_pem.data(), r.what.ca_pem.size(), CURL_BLOB_NOCOPY};
    set(CURLOPT_CAINFO_BLOB, &blob);
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  const curl_write_callback on_body = [](char* data, std::size_t one, std::size_t n, void* self) {
    auto& request = *static_cast<Request*>(self);
    if (request.reply.body.size() + one * n > request.most_body) {
      request.too_large = true;
      return std::size_t{0};
    }
    request.reply.body.append(data, one * n);
    return one * n;
  };
  const curl_write_callback on_head = [](char* data, std::size_t one, std::size_t n, void* self) {
    auto& request = *static_cast<Request*>(self);
    request.head += one * n;
    const std::string_view line(data, one * n);
    const auto colon = line.find(':');
    if (line.starts_with("HTTP/")) {
      request.reply.headers.clear();  // another head: of what came before (100 Continue), nothing counts
    } else if (colon != std::string_view::npos) {
      request.reply.headers.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
    }
    if (request.head <= request.most_head) return one * n;
    request.too_large = true;
    return std::size_t{0};
  };
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, &r);
  set(CURLOPT_HEADERFUNCTION, on_head);
  set(CURLOPT_HEADERDATA, &r);
  if (bad != CURLE_OK) return Error::failure(curl_easy_strerror(bad));
  return Done{};
}

void HttpClient::start(std::uint64_t id, const std::vector<IpAddress>& addresses) {
  Request& r = *requests_.at(id);
  r.deadline.reset();
  if (const Status prepared = prepare(r, addresses); !prepared) {
    return finish(id, FetchFault{FetchFault::Kind::busy, prepared.error().message});
  }
  curl_easy_setopt(r.easy.get(), CURLOPT_PRIVATE, &r);
  if (const CURLMcode added = curl_multi_add_handle(multi_, r.easy.get()); added != CURLM_OK) {
    finish(id, FetchFault{FetchFault::Kind::busy, curl_multi_strerror(added)});
  }
}

void HttpClient::on_socket(int fd, int what) {
  if (what == CURL_POLL_REMOVE) {
    sockets_.erase(fd);
    return;
  }
  auto& watch = sockets_[fd];
  // Ready for what, curl finds out itself.
  if (!watch) watch = std::make_unique<ReadWatch>(loop_, fd, [this, fd] { process(fd, 0); });
  watch->want((what & CURL_POLL_IN) != 0, (what & CURL_POLL_OUT) != 0);
}

void HttpClient::process(int fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  collect();
}

void HttpClient::collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const auto done = std::find_if(requests_.begin(), requests_.end(), [&](const auto& one) {
      return one.second->easy.get() == message->easy_handle;
    });
    if (done == requests_.end()) continue;
    Request& r = *done->second;
    curl_multi_remove_handle(multi_, r.easy.get());
    if (r.too_large) {
      finish(done->first,
             FetchFault{FetchFault::Kind::too_large, "the answer is larger than anything expected"});
      continue;
    }
    if (code != CURLE_OK) {
      finish(done->first, FetchFault{kind_of(code), curl_easy_strerror(code)});
      continue;
    }
    long status = 0;
    const char* type = nullptr;
    curl_easy_getinfo(r.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(r.easy.get(), CURLINFO_CONTENT_TYPE, &type);
    r.reply.status = static_cast<int>(status);
    const std::string whole = lower(type == nullptr ? "" : type);
    r.reply.type = trim(std::string_view(whole).substr(0, whole.find(';')));
    finish(done->first, std::move(r.reply));
  }
}

void HttpClient::finish(std::uint64_t id, std::variant<HttpReply, FetchFault> result) {
  const auto it = requests_.find(id);
  finished_.emplace_back(std::move(it->second->answer), std::move(result));
  requests_.erase(it);
  answer_.wake();
}

void HttpClient::give_out() {
  auto ready = std::exchange(finished_, {});
  for (auto& [answer, result] : ready) answer(std::move(result));
}

}  // namespace nightlatch
