#include "web/device_list.h"

#include <fmt/format.h>

#include <iterator>

#include "web/page_frame.h"

namespace nightlatch {

namespace {
// "This device, signed in 5 min ago"
std::string about(const OwnDevice& d) {
  std::string text = d.here ? "This device" : "";
  const auto add = [&](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  if (d.state == "pending") add("waits for an administrator's approval");
  if (d.state == "revoked") add("revoked by an administrator");
  add(d.last_ago.empty() ? "never signed in" : "last signed in " + d.last_ago);
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}
}  // namespace

Value::List json_list(const std::vector<OwnDevice>& devices) {
  Value::List list;
  for (const OwnDevice& d : devices) {
    Value::Object o{{"id", d.id}, {"device", d.name}, {"state", d.state}, {"here", d.here}};
    add_unless_empty(o, "last_sign_in", d.last_sign_in);
    add_unless_empty(o, "remove_token", d.remove_token);
    list.emplace_back(std::move(o));
  }
  return list;
}

Value::List html_list(const std::vector<OwnDevice>& devices) {
  Value::List list;
  for (const OwnDevice& d : devices) {
    list.emplace_back(Value::Object{{"id", d.id},
                                    {"name", d.name},
                                    {"about", about(d)},
                                    {"removable", !d.remove_token.empty()},
                                    {"remove_token", d.remove_token}});
  }
  return list;
}

std::string text_list(const std::vector<OwnDevice>& devices) {
  std::string text = devices.empty() ? "" : "Your devices:\n";
  for (const OwnDevice& d : devices)
    fmt::format_to(std::back_inserter(text), "  {:<20} {}\n", d.name, about(d));
  return text;
}

}  // namespace nightlatch
