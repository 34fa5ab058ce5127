// Site: what the portal answers to each request. Routes, who is asking from which device, the pages.
// Reads happen on the loop; passwords are checked in the thread pool and writes are made by StoreWriter, so
// that the loop never waits. Owned by the portal, outlives its HttpServer; loop's thread.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "auth/sign_in.h"
#include "auth/throttle.h"
#include "net/http_server.h"
#include "net/loop.h"
#include "policy/decide.h"
#include "store/audit.h"
#include "store/sessions.h"
#include "web/form_tokens.h"
#include "web/negotiate.h"
#include "web/office_reader.h"
#include "web/pages.h"
#include "web/store_writer.h"

namespace nightlatch {

struct SiteOptions {
  std::string url;     // "https://gate.office.example", without a slash at the end
  std::string ca_pem;  // the office CA's certificate; empty when the office uses another
  std::function<std::optional<Mac>(const IpAddress&)> mac_of;
  std::function<WallTime()> now = wall_now;
  ThrottleLimits throttle;
};

// One request, with what is known about who sent it.
struct Visit {
  HttpRequest request;
  HttpResponder responder;
  PageFrame frame;
  WallTime now{};
  std::shared_ptr<const Office> office;
  SignInPlace place;
  const Device* device = nullptr;    // in `office`
  std::string browser_token;         // the cookie's, or that of the sign-in which was just recorded
  std::optional<Presence> presence;  // on that device, whoever that is; on a shared one, this browser's user
  bool clock_set_back = false;
  const User* user = nullptr;  // signed in on this device with this very browser
  std::string form_cookie;     // binds this browser's forms
  std::vector<std::string> set_cookies;
  Token own{};  // on a shared device: as if `user` sent a good one, for that is how the user's flows are told

  [[nodiscard]] bool shared() const { return device != nullptr && device->shared; }
  [[nodiscard]] Subject subject() const;
};
using VisitPtr = std::shared_ptr<Visit>;

class Site {
 public:
  Site(Loop& loop, SiteOptions options, OfficeReader& reader, StoreWriter& writer, AuditWriter& audit);
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  void https(HttpRequest request, const HttpResponder& responder);
  // Redirects, and what programs fetch before they trust the office CA.
  void http(const HttpRequest& request, const HttpResponder& responder) const;
  void set_ca_pem(std::string pem) { options_.ca_pem = std::move(pem); }

 private:
  struct SignInTry;  // site_sign_in.cc
  struct Work;

  // site.cc
  void route(const VisitPtr& v);
  [[nodiscard]] Status look_up(Visit& v);
  void respond(const VisitPtr& v, HttpResponse response) const;
  void show_error(const VisitPtr& v, int status) const;
  void unavailable(const VisitPtr& v, const Error& why) const;
  [[nodiscard]] HttpResponse common(const HttpRequest& request, bool& found) const;
  [[nodiscard]] bool another_name(std::string_view host) const;
  [[nodiscard]] std::string form_token(Visit& v, std::string_view purpose) const;

  // site_pages.cc
  void get_home(const VisitPtr& v);
  void get_hold(const VisitPtr& v, std::string_view code);
  void get_me(const VisitPtr& v);
  void get_captive(const VisitPtr& v) const;
  [[nodiscard]] HttpResponse proxy_pac() const;
  // The hold while it lasts and its resource is there; own_hold() only if this very device opened it.
  [[nodiscard]] Result<std::optional<Hold>> current_hold(const Visit& v, std::string_view code);
  [[nodiscard]] Result<std::optional<Hold>> own_hold(const Visit& v, std::string_view code);
  void show_state(const VisitPtr& v, const std::optional<Hold>& hold, int status, const std::string& error,
                  const std::string& name);
  [[nodiscard]] std::optional<MessagePage> device_refusal(const Visit& v) const;

  // site_sign_in.cc
  void post_sign_in(const VisitPtr& v);
  void throttled(const std::shared_ptr<SignInTry>& t, const Throttle::Decision& decision);
  void verified(const std::shared_ptr<SignInTry>& t);
  void record(const std::shared_ptr<SignInTry>& t);
  void signed_in(const std::shared_ptr<SignInTry>& t);
  void post_renew(const VisitPtr& v);
  void post_sign_out(const VisitPtr& v);
  [[nodiscard]] std::optional<FormFields> accept_form(const VisitPtr& v, std::string_view purpose);
  void start_over(const VisitPtr& v, const std::string& hold, const std::string& error);

  Loop& loop_;
  SiteOptions options_;
  OfficeReader& reader_;
  StoreWriter& writer_;
  AuditWriter& audit_;
  Throttle throttle_;
  FormTokens tokens_;
  std::size_t checking_ = 0;               // passwords in the thread pool
  std::list<std::unique_ptr<Work>> work_;  // passwords being checked, and answers being delayed
};

}  // namespace nightlatch
