#include "cli/table.h"

namespace nightlatch::cli {

const std::vector<Noun>& nouns() {
  static const std::vector<Noun> all{
      {"init", "create the store and the office's certificate"},
      {"serve", "run the gate and the portal"},
      {"rules", "the kernel's rules that lead protected traffic to the gate"},
      {"set", "change a setting"},
      {"get", "show settings and where their values come from"},
      {"unset", "give a setting its default back"},
      {"user", "people: who may sign in, and their groups"},
      {"device", "machines on the office network"},
      {"resource", "what is protected: named sets of destinations"},
      {"policy", "who may reach which resource, and on which terms"},
      {"token", "application passwords of people, and service tokens of machines"},
      {"cert", "client certificates, by which machines prove themselves"},
      {"provider", "OpenID providers: sign in with what people have already"},
      {"session", "who is signed in where, until when, and why"},
      {"login", "sign in on this machine, from its terminal"},
      {"log", "what happened: the audit log"},
      {"explain", "say what would happen to a flow, and why"},
      {"status", "how the running gate is"},
      {"doctor", "check the installation and say what to do"},
      {"backup", "copy the store while it is in use"},
      {"key", "the key that seals secrets in the store"},
      {"version", "print the version"},
      {"help", "show help for a command"},
      {"completion", "completion for the shell"},
      {"man", "print the manual page"},
      {"reference", "print the reference of all commands as Markdown"},
  };
  return all;
}

const std::vector<Command>& commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> table;
    const auto append = [&](std::vector<Command> rows) {
      for (Command& c : rows) table.push_back(std::move(c));
    };
    append(setup_commands());
    append(serve_commands());
    append(rules_commands());
    append(setting_commands());
    append(user_commands());
    append(factor_commands());
    append(device_commands());
    append(resource_commands());
    append(policy_commands());
    append(token_commands());
    append(provider_commands());
    append(cert_commands());
    append(session_commands());
    append(login_commands());
    append(log_commands());
    append(explain_commands());
    append(status_commands());
    append(doctor_commands());
    append(manual_commands());
    return table;
  }();
  return all;
}

}  // namespace nightlatch::cli
