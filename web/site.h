// Site: what the portal answers to each request. Routes, who is asking from which device, the pages.
// Reads happen on the loop; passwords are checked in the thread pool and writes are made by StoreWriter, so
// that the loop never waits. Owned by the portal, outlives its HttpServer; loop's thread.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/device_proof.h"
#include "auth/hand_off.h"
#include "auth/passkey.h"
#include "auth/revocation_list.h"
#include "auth/second_factor.h"
#include "auth/sign_in.h"
#include "auth/throttle.h"
#include "base/seldom.h"
#include "net/http_server.h"
#include "net/loop.h"
#include "policy/decide.h"
#include "store/audit.h"
#include "store/factors.h"
#include "store/sessions.h"
#include "web/factor_pages.h"
#include "web/form_tokens.h"
#include "web/login_desk.h"
#include "web/login_pages.h"
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
  // Six digits are soon guessed by many machines: an hour's attempts on one account are few, from anywhere.
  ThrottleLimits code_throttle{
      .account_failures = 50, .account_window = Seconds(3600), .account_stops = true};
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
  std::optional<Presence> shown;     // what `user` has shown in this very browser
  std::vector<Proof> proofs;         // what the device has proven from here
  bool clock_set_back = false;
  const User* user = nullptr;  // signed in on this device with this very browser
  std::string form_cookie;     // binds this browser's forms
  std::vector<std::string> set_cookies;
  Token own{};  // on a shared device: as if `user` sent a good one, for that is how the user's flows are told

  [[nodiscard]] bool shared() const { return device != nullptr && device->shared; }
  [[nodiscard]] Subject subject() const;
  [[nodiscard]] SignedInAt signed_in_at() const;  // of `user`
};
using VisitPtr = std::shared_ptr<Visit>;

// What a person signs in for: a hold of this device, or a login that another device waits for, by its code;
// or neither. Carried in the forms' hidden fields of these names; checked where it is used.
struct Onward {
  std::string hold{};
  std::string login{};
  static Onward of(const FormFields& form);
};

struct Provider;  // store/providers.h, store/identities.h, web/pending_logins.h, web/provider_client.h, auth/
struct ArrivedPerson;
struct PendingLogin;
struct ProviderFault;
struct ProviderMetadata;
struct LogoutClaims;

class Site {
 public:
  Site(Loop& loop, SiteOptions options, OfficeReader& reader, StoreWriter& writer, AuditWriter& audit);
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  void https(HttpRequest request, const HttpResponder& responder);
  // Redirects, and what programs fetch before they trust the office CA.
  void http(const HttpRequest& request, const HttpResponder& responder) const;
  // Where clients show certificates: these are our own device CA's, or a given one's.
  void mtls(HttpRequest request, const HttpResponder& responder);
  void take_certificates(CertificateTrust trust) { trust_ = std::move(trust); }
  void refused_certificate(const Endpoint& peer, std::string_view reason);
  // What limits count by: the device's MAC, or off-link its address or network.
  [[nodiscard]] std::string source_of(const IpAddress& address) const;
  void set_ca_pem(std::string pem) { options_.ca_pem = std::move(pem); }

 private:
  struct SignInTry;  // site_sign_in.cc
  struct Work;
  struct Admission;  // site_work.h
  struct Oidc;       // site_oidc.h
  struct OidcReturn;
  using OidcReturnPtr = std::shared_ptr<OidcReturn>;

  // site.cc
  void route(const VisitPtr& v);
  [[nodiscard]] Status look_up(Visit& v);
  void respond(const VisitPtr& v, HttpResponse response) const;
  void show_error(const VisitPtr& v, int status) const;
  void unavailable(const VisitPtr& v, const Error& why) const;
  // A row about what anybody can have us refuse, as often as they like.
  void audit_refusal(const Visit& v, AuditEvent e);
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
                  const std::string& name, const std::string& login = {});
  [[nodiscard]] std::string told_by_provider(const Visit& v);
  [[nodiscard]] std::optional<MessagePage> device_refusal(const Visit& v) const;

  // site_sign_in.cc
  void post_sign_in(const VisitPtr& v);
  void throttled(const VisitPtr& v, const Onward& onward, const Throttle::Decision& decision);
  void verified(const std::shared_ptr<SignInTry>& t);
  void refused(const std::shared_ptr<SignInTry>& t, std::string_view reason);
  void post_renew(const VisitPtr& v);
  void post_sign_out(const VisitPtr& v);
  [[nodiscard]] std::string provider_of_sign_in(const Visit& v);  // empty: it was made here
  [[nodiscard]] std::optional<FormFields> accept_form(const VisitPtr& v, std::string_view purpose);
  void start_over(const VisitPtr& v, const Onward& onward, const std::string& error);
  [[nodiscard]] bool from_elsewhere(const HttpRequest& request) const;

  // site_step_up.cc
  struct Ask {  // why a code is asked for
    int status = 200;
    std::string error{}, resource{}, why{}, reason{};
  };
  void get_step_up(const VisitPtr& v);
  void post_step_up(const VisitPtr& v);
  void ask_for_code(const VisitPtr& v, const Onward& onward, const Ask& ask);
  void no_factor_here(const VisitPtr& v, const Ask& ask, bool elsewhere) const;
  [[nodiscard]] Admission by_code(const VisitPtr& v, const Onward& onward, const std::string& code);
  static void tell_of_code(AuditWriter& audit, CodeResult result, const std::string& user,
                           const std::string& device, const IpAddress& address, WallTime now);
  void show_again(const VisitPtr& v, const Onward& onward, const std::string& error);

  // site_factors.cc
  void get_factors(const VisitPtr& v);
  void post_otp(const VisitPtr& v);
  void post_otp_confirm(const VisitPtr& v);
  void post_recovery(const VisitPtr& v);
  void post_factor_remove(const VisitPtr& v);
  [[nodiscard]] Result<FactorsPage> factors_page(const VisitPtr& v);
  [[nodiscard]] bool may_change_factors(const VisitPtr& v);
  void change_factors(const VisitPtr& v, StoreWriter::Job job, std::function<void()> then);
  void show_otp_setup(const VisitPtr& v, const std::string& secret, const std::string& error);
  void keep_new_otp(const VisitPtr& v, const std::string& secret, std::int64_t step);
  void show_codes(const VisitPtr& v, const std::string& heading, const std::vector<std::string>& codes);

  // site_devices.cc
  [[nodiscard]] Status add_devices(const VisitPtr& v, MePage& page);
  void post_device_remove(const VisitPtr& v);
  void device_removed(const VisitPtr& v, const std::optional<std::string>& name, bool here);

  // site_enrol.cc
  void post_enrol(const VisitPtr& v);
  void prove(const VisitPtr& v, const ShownProof& shown);
  void enrol_throttled(const VisitPtr& v, const Throttle::Decision& decision);
  void tell_of_throttled_proof(const SignInPlace& place, const Throttle::Decision& decision, WallTime now);
  [[nodiscard]] bool from_another_site(const Visit& v) const;
  // site_passkeys.cc: the portal's name, in which passkeys are made; none when it is an address
  struct PasskeyShown;
  [[nodiscard]] std::optional<std::string> passkey_name() const;
  [[nodiscard]] Ceremony ceremony(const std::string& challenge, bool user_verification) const;
  void offer_passkey(Visit& v, PasskeyForm form, const std::string& purpose) const;
  void offer_passkey_sign_in(const VisitPtr& v, const Onward& onward);
  [[nodiscard]] Result<bool> offer_passkey_step_up(const VisitPtr& v, const Onward& onward,
                                                   const Factors& factors);
  void post_passkey_sign_in(const VisitPtr& v);
  void post_passkey_step_up(const VisitPtr& v);
  [[nodiscard]] std::optional<Ceremony> redeem_challenge(const VisitPtr& v, const FormFields& form,
                                                         const std::string& purpose, bool user_verification,
                                                         std::string& error);
  void judge_passkey(const VisitPtr& v, const FormFields& form, std::optional<UserId> user,
                     bool user_verification, void (Site::*then)(const VisitPtr&, const Admission&));
  [[nodiscard]] Admission by_passkey(const VisitPtr& v, const std::shared_ptr<PasskeyShown>& shown);

  // site_new_passkey.cc: and the making of a new one
  void post_passkey(const VisitPtr& v);
  void post_passkey_confirm(const VisitPtr& v);
  void show_passkey_setup(const VisitPtr& v, const std::string& handle, int status, const std::string& error);
  void keep_new_passkey(const VisitPtr& v, const NewCredential& made, const std::string& name,
                        const std::string& handle);

  // site_admit.cc
  // Has a change made on the writer's thread, and goes on on the loop once it is durable.
  void change(const VisitPtr& v, StoreWriter::Job job, std::function<void()> then);
  void lead_to(const VisitPtr& v, const std::string& path) const;  // 303 See Other
  // After the delay that the throttle asks for; at once when there is none.
  void later(Millis delay, std::function<void()> then);
  // Has what is proven recorded, as a sign-in or as a second factor on top of one, and answers.
  void admit(const VisitPtr& v, const Admission& admission);
  void step_up(const VisitPtr& v, const Admission& admission);
  using Record = std::function<Status(Database&, const ProvenUser&, WallTime now)>;
  void prove_and(const VisitPtr& v, const Admission& admission, const Record& record,
                 const std::function<void()>& then);
  void admitted(const VisitPtr& v, const Onward& onward, bool present);
  void go_on(const VisitPtr& v, const Onward& onward);

  // site_oidc.cc
  enum class OfferFor : std::uint8_t { sign_in, anew, step_up };
  [[nodiscard]] ProviderOffers offers(Visit& v, const Onward& onward, OfferFor what = OfferFor::sign_in);
  void route_oidc(const VisitPtr& v);
  void oidc_start(const VisitPtr& v, const Provider& provider);
  void send_to_provider(const VisitPtr& v, const Provider& provider, const ProviderMetadata& at,
                        PendingLogin login);
  [[nodiscard]] std::string redirect_uri(const Provider& provider) const;
  void oidc_callback(const VisitPtr& v, const Provider& provider);
  void oidc_wait(const VisitPtr& v, const Provider& provider);
  void oidc_exchange(const OidcReturnPtr& r, const std::string& code);
  void oidc_no_good(const OidcReturnPtr& r, const ProviderFault& fault);
  void oidc_verify(const OidcReturnPtr& r, const std::string& id_token);
  void oidc_profile(const OidcReturnPtr& r);
  void oidc_arrive(const OidcReturnPtr& r);
  void oidc_tell(const OidcReturnPtr& r, const ArrivedPerson& person);
  void oidc_stranger(const OidcReturnPtr& r, const ArrivedPerson& person);
  void oidc_too_old(const OidcReturnPtr& r, WallTime now);
  void oidc_audit(const VisitPtr& v, const Provider& provider, const ProviderFault& fault,
                  const std::string& user = {});
  void oidc_refuse(const VisitPtr& v, const Provider& provider, const Onward& onward,
                   const ProviderFault& fault);
  // site_oidc_refusals.cc: oidc_stranger(), oidc_too_old(), oidc_audit(), oidc_refuse(), oidc_wait(),
  // learn_hosts()
  // site_oidc_logout.cc
  void oidc_sign_out(const VisitPtr& v, const Provider& provider);
  void oidc_logout(const VisitPtr& v, const Provider& provider);
  void log_out(const VisitPtr& v, const Provider& provider, const LogoutClaims& claims);
  void refuse_logout(const VisitPtr& v, const Provider& provider, const ProviderFault& fault);
  void learn_hosts(const Provider& provider, const ProviderMetadata& at);
  // site_login.cc: the machine that asks
  struct LoginEnd {
    std::string error, message;  // error: RFC 8628's word, or empty when somebody is signed in
    Value::Object facts;
  };
  void get_login(const VisitPtr& v);
  void post_login(const VisitPtr& v);
  void post_login_start(const VisitPtr& v, const FormFields& fields);
  void post_login_poll(const VisitPtr& v, const Login& login, const std::string& device_sha256);
  void post_login_cancel(const VisitPtr& v, const Login& login);
  [[nodiscard]] std::optional<NewLogin> wanted_login(const VisitPtr& v, const FormFields& fields);
  void start_login(const VisitPtr& v, NewLogin login,
                   std::function<void(const Login&, const std::string& device_code)> started);
  [[nodiscard]] LoginEnd login_end(const Visit& v, const Login& login);
  [[nodiscard]] static LoginNames names_of(const Visit& v, const Login& login);
  void tell_watchers();
  void sweep_logins();

  // site_login_confirm.cc: the browser that answers
  void get_login_code(const VisitPtr& v, std::string_view code);
  void post_login_code(const VisitPtr& v, std::string_view code);
  [[nodiscard]] bool embedded_elsewhere(const HttpRequest& request) const;
  [[nodiscard]] std::optional<Login> answerable(const VisitPtr& v, std::string_view typed);
  void too_many_codes(const VisitPtr& v, const Throttle::Decision& decision);
  void show_login(const VisitPtr& v, const Login& login, int status, const std::string& error);
  void answered(const VisitPtr& v, const std::string& code, const Approval& approval, bool confirmed);
  [[nodiscard]] Verdict verdict_there(const Visit& v, const Login& login);
  [[nodiscard]] ConfirmPage confirm_page(Visit& v, const Login& login, const LoginNames& names, int status,
                                         const std::string& error) const;
  [[nodiscard]] static std::string confirm_purpose(const Visit& v, const Login& login);

  Loop& loop_;
  SiteOptions options_;
  OfficeReader& reader_;
  StoreWriter& writer_;
  AuditWriter& audit_;
  Seldom refusals_{20, Millis(60'000)};         // audit rows of one reason and source
  mutable Seldom warnings_{5, Millis(60'000)};  // of one text
  Throttle throttle_;
  Throttle code_throttle_;     // of codes: whoever is asked for one has proven something already
  Throttle passkey_throttle_;  // anybody may send one, and none can be guessed: it never stops a code
  FormTokens tokens_;
  FormTokens challenges_;  // of passkeys: their lives are shorter
  std::unique_ptr<Oidc> oidc_;
  LoginDesk desk_;
  struct Watcher {  // a terminal whose answer ends when its login does
    std::string code;
    VisitPtr v;
  };
  std::list<Watcher> watchers_;
  Timer watch_, sweep_;
  bool sweeping_ = false;
  CertificateTrust trust_;
  std::size_t checking_ = 0;               // passwords in the thread pool
  std::list<std::unique_ptr<Work>> work_;  // passwords being checked, and answers being delayed
};

}  // namespace nightlatch
