// A user's own devices on /me: seeing them, and removing one, which ends its sessions and live flows.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "policy/parse.h"
#include "store/people.h"
#include "web/site_work.h"

namespace nightlatch {

namespace {
constexpr std::size_t kMostDevices = 50;

std::string purpose_of(std::int64_t device) { return fmt::format("device-remove {}", device); }

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
}  // namespace

Status Site::add_devices(const VisitPtr& v, MePage& page) {
  auto devices = devices_of(reader_.db(), v->user->id);
  if (!devices) return devices.error();
  for (const OwnDeviceRow& row : *devices) {
    if (page.devices.size() == kMostDevices) break;
    OwnDevice d;
    d.id = static_cast<std::int64_t>(row.id);
    d.name = row.name;
    d.state = to_text(row.state);
    d.here = v->device != nullptr && row.id == v->device->id;
    if (row.last_sign_in) {
      d.last_sign_in = format_rfc3339(*row.last_sign_in);
      const Millis age = std::max(v->now - *row.last_sign_in, Millis(0));
      d.last_ago = age < Seconds(1) ? "just now" : format_age(age) + " ago";
    }
    // What an administrator has revoked or marked, only an administrator takes off the list: it could enrol
    // again, as if nothing had been said of it.
    if (row.state != DeviceState::revoked && !row.marked) d.remove_token = form_token(*v, purpose_of(d.id));
    page.devices.push_back(std::move(d));
  }
  return Done{};
}

void Site::post_device_remove(const VisitPtr& v) {
  const auto sent = FormFields::parse(v->request.body);
  const std::string id(sent ? sent->get("device") : std::string_view());
  const std::int64_t device = is_number(id) ? std::stoll(id) : 0;
  if (!accept_form(v, purpose_of(device))) return;
  if (v->user == nullptr) return show_state(v, std::nullopt, 403, "", "");
  const bool here = v->device != nullptr && static_cast<std::int64_t>(v->device->id) == device;
  const auto name = std::make_shared<std::optional<std::string>>();
  change(
      v,
      [name, device, &audit = audit_, user = v->user->id, user_name = v->user->name,
       source = v->place.address.text()](Database& db, WallTime now) -> Status {
        auto removed = remove_own_device(db, DeviceId(device), user);
        if (!removed) return removed.error();
        *name = *removed;
        if (!*removed) return Done{};
        AuditEvent e;
        e.at = now;
        e.event = "device.removed";
        e.user = user_name;
        e.device = **removed;
        e.source = source;
        e.detail = "by its owner";
        audit.write(std::move(e));
        audit.flush();  // it is gone whether or not this could be written
        return Done{};
      },
      [this, v, name, here] { device_removed(v, *name, here); });
}

void Site::device_removed(const VisitPtr& v, const std::optional<std::string>& name, bool here) {
  MessagePage page;
  page.tone = MessagePage::Tone::good;
  page.links = {{"/me", "Your sessions and devices"}};
  if (!name) {
    page.status = 404;
    page.tone = MessagePage::Tone::bad;
    page.heading = "There is no such device of yours";
    page.paragraphs = {"It may have been removed already. Nothing was changed."};
    return respond(v, show(v->frame, page));
  }
  page.heading = *name + " is removed";
  page.paragraphs = {"Its sessions, and its connections to protected resources, have ended."};
  page.facts = {{"device", *name}, {"removed", true}};
  if (here) {
    v->set_cookies.push_back(
        fmt::format("{}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", kBrowserCookie));
    page.paragraphs.emplace_back("It is the one that you sit at, so you are signed out.");
    page.links = {{"/", "Sign in again"}};
    page.facts.emplace_back("signed_in", false);
  }
  respond(v, show(v->frame, page));
}

}  // namespace nightlatch
