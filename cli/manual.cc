#include "cli/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "cli/table.h"

namespace nightlatch::cli {

namespace {

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// Text for mdoc: a backslash is an escape, a dot or quote at the start of a line is a request, a hyphen is a
// dash.
std::string roff(std::string_view text) {
  std::string out;
  if (!text.empty() && (text.front() == '.' || text.front() == '\'')) out += "\\&";
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

// An argument of a macro: quoted, so that a word like "No" in it is not taken for another macro.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : roff(text)) out += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return out + "\"";
}

// Each sentence on a line of its own, as mdoc wants it.
std::string sentences(std::string_view text) {
  std::string out;
  std::size_t from = 0;
  while (from < text.size()) {
    std::size_t end = from;
    while (end < text.size() && !(text[end] == '.' && (end + 1 == text.size() || text[end + 1] == ' ')))
      ++end;
    out += roff(text.substr(from, end + 1 - from)) + "\n";
    from = end + 1;
    while (from < text.size() && text[from] == ' ') ++from;
  }
  return out;
}

std::string paragraphs(const std::string& text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) out += ".Pp\n" + sentences(line);
  }
  return out;
}

std::string call(const Command& c) {
  std::string out;
  for (const Argument& a : c.arguments) {
    const std::string shown = "Ar " + quoted(a.name) + (a.repeats ? " ..." : "");
    out += (a.required ? "." : ".Op ") + shown + "\n";
  }
  for (const Option& o : c.options) {
    out += ".Op Fl " + roff("-" + o.name);
    out += o.value.empty() ? "" : " Ar " + quoted(o.value);
    out += o.kind == Option::Kind::list ? " ...\n" : "\n";
  }
  if (c.json) out += ".Op Fl \\-json\n";
  return out;
}

std::string option_items(const std::vector<Option>& options) {
  std::string out;
  for (const Option& o : options) {
    const std::string letter = o.letter == 0 ? "" : fmt::format("Fl {} , ", o.letter);
    out += ".It " + letter + "Fl " + roff("-" + o.name) + (o.value.empty() ? "" : " Ar " + quoted(o.value)) +
           "\n";
    out += sentences(capital(o.help) + ".");
  }
  return out;
}

std::string examples(const std::vector<Example>& list) {
  std::string out = ".Bd -literal -offset indent\n";
  for (const Example& e : list) {
    if (!e.says.empty()) out += roff("# " + e.says) + "\n";
    out += roff("nightlatch " + e.line) + "\n";
  }
  return out + ".Ed\n";
}

std::string man_command(const Command& c) {
  std::string out = ".It Ic " + quoted(c.words()) + "\n";
  if (!c.arguments.empty() || !c.options.empty() || c.json) out += call(c) + ".Pp\n";
  out += sentences(capital(c.summary) + ".");
  out += paragraphs(c.details);
  std::string items;
  for (const Argument& a : c.arguments)
    items += ".It Ar " + quoted(a.name) + "\n" + sentences(capital(a.help) + ".");
  items += option_items(c.options);
  if (!items.empty()) out += ".Bl -tag -width Ds\n" + items + ".El\n";
  return out + examples(c.examples);
}

}  // namespace

std::string man_page(const std::vector<Command>& table) {
  std::string out =
      ".\\\" Made by: nightlatch man. The source is the table of commands in cli/.\n"
      ".Dd $Mdocdate$\n.Dt NIGHTLATCH 8\n.Os\n.Sh NAME\n.Nm nightlatch\n"
      ".Nd let flows through while their user's sign\\-in is fresh enough\n"
      ".Sh SYNOPSIS\n.Nm\n.Op Fl \\-store Ar FILE\n.Ar COMMAND\n.Op Ar ARGUMENT ...\n"
      ".Sh DESCRIPTION\n.Nm\nstands between an office's devices and its protected resources.\n"
      "Every flow to a resource is let through only while its user's last sign\\-in is fresh enough for that "
      "resource.\nWhen it is not, the flow is held and the user is shown where to sign in again.\n.Pp\n"
      "Options may stand anywhere, as\n.Fl \\-name Ar VALUE\nor\n.Fl \\-name Ns = Ns Ar VALUE .\n"
      "Data goes to standard output, messages to standard error.\nTimes are UTC, as RFC 3339 writes them.\n"
      ".Bl -tag -width Ds\n";
  out += option_items(global_options());
  out += ".It Fl \\-json\nPrint JSON, on every command that reads.\n.El\n.Sh COMMANDS\n.Bl -tag -width Ds\n";
  for (const Command& c : table) out += man_command(c);
  out +=
      ".El\n.Sh ENVIRONMENT\n.Bl -tag -width NIGHTLATCH_STORE\n"
      ".It Ev NIGHTLATCH_STORE\nThe store, when\n.Fl \\-store\nis not given.\n"
      ".It Ev NO_COLOR\nWhen set, nothing is coloured.\n.El\n"
      ".Sh FILES\n.Bl -tag -width Ds\n.It Pa /var/lib/nightlatch/office.db\nThe store.\n"
      ".It Pa /var/lib/nightlatch/office.audit.db\nThe audit log.\n"
      ".It Pa /var/lib/nightlatch/tls/ca.pem\nThe office's certificate authority, for devices to "
      "trust.\n.El\n"
      ".Sh EXIT STATUS\n.Bl -tag -width Ds\n";
  for (const ExitStatus& s : exit_statuses())
    out += fmt::format(".It {}\n{}", s.status, sentences(capital(s.meaning) + "."));
  return out + ".El\n.Sh SEE ALSO\n.Xr systemd.service 5 ,\n.Xr ip-rule 8 ,\n.Xr iptables 8\n";
}

namespace {

std::string markdown(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

std::string table_row(const std::string& left, const std::string& right) {
  return fmt::format("| `{}` | {} |\n", left, markdown(right));
}

std::string markdown_command(const Command& c) {
  std::string out = fmt::format("### {}\n\n{}.\n\n```sh\n", c.words(), markdown(capital(c.summary)));
  for (const Example& e : c.examples) {
    if (!e.says.empty()) out += "# " + e.says + "\n";
    out += "nightlatch " + e.line + "\n";
  }
  out += "```\n\n";
  if (!c.details.empty()) out += markdown(c.details) + "\n\n";
  out += fmt::format("Usage: `nightlatch {}`\n\n", synopsis(c));
  if (c.arguments.empty() && c.options.empty()) return out;
  out += "| | |\n|---|---|\n";
  for (const Argument& a : c.arguments)
    out += table_row(a.name, a.help + (a.required ? "" : " (may be left out)"));
  for (const Option& o : c.options) {
    out += table_row("--" + o.name + (o.value.empty() ? "" : " " + o.value),
                     o.help + (o.kind == Option::Kind::list ? " (may be repeated)" : ""));
  }
  return out + "\n";
}

}  // namespace

std::string reference(const std::vector<Command>& table) {
  std::string out =
      "# The command line\n\n<!-- Made by: nightlatch reference > docs/cli.md. The source is the table of "
      "commands in "
      "cli/. -->\n\n"
      "`nightlatch [--store FILE] COMMAND [ARGUMENT...]`. Options may stand anywhere, as `--name VALUE` or "
      "`--name=VALUE`.\nData goes to stdout, messages to stderr; times are UTC, as RFC 3339 writes them.\n\n"
      "| | |\n|---|---|\n";
  for (const Option& o : global_options()) {
    out += table_row("--" + o.name + (o.value.empty() ? "" : " " + o.value), o.help);
  }
  out += table_row("--json", "print JSON, on every command that reads");
  out += "\n## Exit status\n\n| | |\n|---|---|\n";
  for (const ExitStatus& s : exit_statuses()) out += table_row(std::to_string(s.status), s.meaning);
  out += "\n";
  for (const Noun& n : nouns()) {
    out += fmt::format("## {}\n\n{}.\n\n", n.name, capital(n.summary));
    for (const Command& c : table) {
      if (c.noun == n.name) out += markdown_command(c);
    }
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace nightlatch::cli
