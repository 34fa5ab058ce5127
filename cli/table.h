// The table of commands, put together from one file for each subject. Made once; main thread.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace nightlatch::cli {

[[nodiscard]] const std::vector<Command>& commands();
[[nodiscard]] const std::vector<Noun>& nouns();  // in the order of help; one for each first word

// Each subject's rows.
[[nodiscard]] std::vector<Command> setup_commands();     // init, backup, version
[[nodiscard]] std::vector<Command> serve_commands();     // serve
[[nodiscard]] std::vector<Command> setting_commands();   // set, get, unset
[[nodiscard]] std::vector<Command> user_commands();      // user ...
[[nodiscard]] std::vector<Command> factor_commands();    // user factor, key rotate
[[nodiscard]] std::vector<Command> device_commands();    // device ...
[[nodiscard]] std::vector<Command> resource_commands();  // resource ...
[[nodiscard]] std::vector<Command> policy_commands();    // policy ...
[[nodiscard]] std::vector<Command> token_commands();     // token ...
[[nodiscard]] std::vector<Command> provider_commands();  // provider ...
[[nodiscard]] std::vector<Command> cert_commands();      // cert ...
[[nodiscard]] std::vector<Command> session_commands();   // session ...
[[nodiscard]] std::vector<Command> login_commands();     // login
[[nodiscard]] std::vector<Command> log_commands();       // log
[[nodiscard]] std::vector<Command> explain_commands();   // explain
[[nodiscard]] std::vector<Command> status_commands();    // status
[[nodiscard]] std::vector<Command> doctor_commands();    // doctor
[[nodiscard]] std::vector<Command> rules_commands();     // rules ...
[[nodiscard]] std::vector<Command> manual_commands();    // help, man, reference, completion

}  // namespace nightlatch::cli
