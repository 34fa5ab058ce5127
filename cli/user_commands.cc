// user: people and their groups.
#include <fmt/format.h>

#include "auth/password.h"
#include "base/crypto.h"
#include "base/text.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/secret.h"
#include "cli/table.h"
#include "cli/ways_in.h"
#include "store/people.h"

namespace nightlatch::cli {

namespace {

Record record_of(const UserRow& user) {
  Record record;
  record.add("name", user.name)
      .add("state", user.enabled ? "enabled" : "disabled")
      .add("enabled", Record::Value(user.enabled))
      .add("groups", Record::Value(user.groups))
      .add("has_password", Record::Value(user.has_password))
      .add_time("created", user.created);
  return record;
}

Result<std::string> password_hash(Context& context, const std::string& who) {
  Result<std::string> password = read_password(context, context.value("password-file"), who);
  if (!password) return password.error();
  Result<std::string> hash = hash_password(*password);
  wipe(*password);
  if (!hash) return Error{hash.error().kind, "password: " + hash.error().message, hash.error().hint};
  return hash;
}

Status check_absent(Database& db, const std::string& name) {
  if (!find_user(db, name)) return Done{};
  return Error::conflict(fmt::format("NAME: there is already a user '{}'", name),
                         fmt::format("see: nightlatch user show {}", name));
}

Result<int> run_add(Context& context) {
  const std::string& name = context.argument(0);
  NL_TRY(check_name(name, "NAME"));
  for (const std::string& group : context.list("group")) NL_TRY(check_name(group, "--group"));
  const bool without = context.given("no-password");
  if (without && context.given("password-file")) {
    return Error::usage("--no-password: together with --password-file it makes no sense",
                        "say one or the other");
  }
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(check_absent(*db, name));  // before a password is asked for
  std::optional<std::string> hash;
  if (!without) {
    Result<std::string> made = password_hash(context, name);
    if (!made) return made.error();
    hash = *made;
  }
  Result<UserId> added = add_user(*db, name, hash, context.list("group"));
  if (!added) return added.error();
  NL_TRY(context.audit(context.words()));
  context.say("added user {}", name);
  return 0;
}

Result<int> run_list(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<std::vector<UserRow>> users = list_users(*db);
  if (!users) return users.error();
  std::vector<Record> rows;
  for (const UserRow& u : *users) rows.push_back(record_of(u));
  print_rows(context, rows,
             {{"NAME", "name"},
              {"STATE", "state"},
              {"GROUPS", "groups"},
              {"PASSWORD", "has_password"},
              {"CREATED", "created"}},
             "there are no users; add one: nightlatch user add NAME");
  return 0;
}

Result<int> run_show(Context& context) {
  Result<Database> db = context.open_read();
  if (!db) return db.error();
  Result<UserRow> user = find_user(*db, context.argument(0));
  if (!user) return user.error();
  print_record(context, record_of(*user));
  return 0;
}

Result<int> run_passwd(Context& context) {
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  Result<UserRow> user = find_user(*db, context.argument(0));
  if (!user) return user.error();
  Result<std::string> hash = password_hash(context, user->name);
  if (!hash) return hash.error();
  NL_TRY(set_password(*db, user->name, *hash));
  NL_TRY(context.audit(context.words()));
  context.say("changed the password of {}", user->name);
  auto left = ways_left(*db, *user, false);
  if (!left) return left.error();
  if (!left->empty()) context.say("{}", *left);
  return 0;
}

// The shape of the short ones: open, do, audit, say.
Result<int> change(Context& context, const std::function<Status(Database&)>& make, const std::string& said) {
  Result<Database> db = context.open_write();
  if (!db) return db.error();
  NL_TRY(make(*db));
  NL_TRY(context.audit(context.words()));
  context.say("{}", said);
  return 0;
}

Result<int> run_enable(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return set_user_enabled(db, name, true); }, name + " may sign in again");
}

Result<int> run_disable(Context& context) {
  const std::string& name = context.argument(0);
  return change(
      context, [&](Database& db) { return set_user_enabled(db, name, false); },
      name + " may not sign in, and every session has ended");
}

Result<int> run_remove(Context& context) {
  const std::string& name = context.argument(0);
  return change(context, [&](Database& db) { return remove_user(db, name); }, "removed user " + name);
}

Result<int> run_join(Context& context) {
  const std::string& name = context.argument(0);
  const std::string& group = context.argument(1);
  return change(context, [&](Database& db) { return join_group(db, name, group); }, name + " is in " + group);
}

Result<int> run_leave(Context& context) {
  const std::string& name = context.argument(0);
  const std::string& group = context.argument(1);
  return change(
      context, [&](Database& db) { return leave_group(db, name, group); }, name + " is not in " + group);
}

const Argument kUser{.name = "NAME", .help = "the user's name", .words = Words::user};
const Argument kGroup{.name = "GROUP", .help = "the group's name", .words = Words::group};
const Option kPasswordFile{
    .name = "password-file",
    .kind = Option::Kind::text,
    .value = "FILE",
    .help = "read the password from FILE, or from stdin when it is -; else it is asked for",
    .words = Words::file};

}  // namespace

std::vector<Command> user_commands() {
  return {
      {.noun = "user",
       .verb = "add",
       .summary = "add a user, with a password unless told otherwise",
       .details = "A password is never taken from the command line, where others could see it. Groups come "
                  "into being "
                  "with their first member.",
       .arguments = {{.name = "NAME", .help = "the new user's name"}},
       .options = {kPasswordFile,
                   {.name = "no-password", .help = "no local password: the user cannot sign in with one"},
                   {.name = "group",
                    .kind = Option::Kind::list,
                    .value = "GROUP",
                    .help = "put the user into this group",
                    .words = Words::group}},
       .examples = {{"user add alice --password-file -", "the password comes from stdin"},
                    {"user add bob --group finance --group staff", "asks for the password on the terminal"}},
       .run = run_add},
      {.noun = "user",
       .verb = "list",
       .summary = "list the users",
       .examples = {{"user list"}, {"user list --json"}},
       .json = true,
       .run = run_list},
      {.noun = "user",
       .verb = "show",
       .summary = "show one user",
       .arguments = {kUser},
       .examples = {{"user show alice"}},
       .json = true,
       .run = run_show},
      {.noun = "user",
       .verb = "passwd",
       .summary = "change a user's password",
       .arguments = {kUser},
       .options = {kPasswordFile},
       .examples = {{"user passwd alice", "asks for it on the terminal"},
                    {"user passwd alice --password-file -"}},
       .run = run_passwd},
      {.noun = "user",
       .verb = "enable",
       .summary = "let a disabled user sign in again",
       .arguments = {kUser},
       .examples = {{"user enable alice"}},
       .run = run_enable},
      {.noun = "user",
       .verb = "disable",
       .summary = "end a user's sessions and live flows at once, and let the user sign in no more",
       .arguments = {kUser},
       .examples = {{"user disable alice"}},
       .run = run_disable},
      {.noun = "user",
       .verb = "remove",
       .summary = "remove a user whom no policy names",
       .arguments = {kUser},
       .examples = {{"user remove alice"}},
       .run = run_remove},
      {.noun = "user",
       .verb = "join",
       .summary = "put a user into a group",
       .arguments = {kUser, kGroup},
       .examples = {{"user join alice finance"}},
       .run = run_join},
      {.noun = "user",
       .verb = "leave",
       .summary = "take a user out of a group; live flows that this let in end at once",
       .arguments = {kUser, kGroup},
       .examples = {{"user leave alice finance"}},
       .run = run_leave},
  };
}

}  // namespace nightlatch::cli
