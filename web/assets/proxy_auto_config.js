// Above are the resources' TCP targets, each line with its first and last port. What lies in one of them goes
// to the gate's proxies, and everything else to where it would have gone without this file. ECMAScript 3:
// the oldest programs that read such files know no more.

// The 16-bit words of an address as it is written in a URL: two for IPv4, eight for IPv6. null: it is a name.
function nightlatchWords(text) {
  if (/^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/.test(text)) {
    var bytes = text.split(".");
    for (var k = 0; k < 4; k++) {
      // 010 is eight to some and ten to others: let the resolver say what it takes the name for.
      if (bytes[k] > 255 || /^0./.test(bytes[k])) return null;
    }
    return [bytes[0] * 256 + Number(bytes[1]), bytes[2] * 256 + Number(bytes[3])];
  }
  if (text.indexOf(":") < 0) return null;
  var last = text.substring(text.lastIndexOf(":") + 1);
  if (last.indexOf(".") >= 0) {
    var low = nightlatchWords(last);
    if (!low) return null;
    text = text.substring(0, text.lastIndexOf(":") + 1) + low[0].toString(16) + ":" + low[1].toString(16);
  }
  var halves = text.split("::");
  var head = halves[0] === "" ? [] : halves[0].split(":");
  var tail = halves.length < 2 || halves[1] === "" ? [] : halves[1].split(":");
  var left_out = 8 - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 2 ? left_out < 1 : left_out !== 0)) return null;
  while (left_out-- > 0) head.push("0");
  var words = head.concat(tail);
  for (var i = 0; i < 8; i++) {
    if (!/^[0-9a-f]{1,4}$/i.test(words[i])) return null;
    words[i] = parseInt(words[i], 16);
  }
  // ::ffff:10.0.0.1 is 10.0.0.1.
  return /^0,0,0,0,0,65535,/.test(words.join(",")) ? words.slice(6) : words;
}

function nightlatchContains(prefix, bits, address) {
  if (prefix.length !== address.length) return false;
  for (var i = 0; bits > 0; i++, bits -= 16) {
    var beyond = bits < 16 ? 16 - bits : 0;
    if (prefix[i] >> beyond !== address[i] >> beyond) return false;
  }
  return true;
}

function nightlatchProtected(address, port) {
  for (var i = 0; i < nightlatchPrefixes.length; i++) {
    var line = nightlatchPrefixes[i];
    if (line[2] <= port && port <= line[3] && nightlatchContains(line[0], line[1], address)) return true;
  }
  return false;
}

function nightlatchNamed(host, port) {
  for (var i = 0; i < nightlatchHosts.length; i++) {
    var line = nightlatchHosts[i], name = line[0];
    if (port < line[1] || line[2] < port) continue;
    // ".corp.example" is every host below corp.example.
    if (name.charAt(0) !== "." ? host === name
                               : host.length > name.length && host.slice(-name.length) === name) return true;
  }
  return false;
}

function nightlatchLoopback(address) {
  return address.length === 2 ? address[0] >> 8 === 127 : address.join(",") === "0,0,0,0,0,0,0,1";
}

// 0, which is in no line, when the URL has no port and its scheme none that we know.
function nightlatchPort(url) {
  var parts = /^([a-z][a-z0-9+.\-]*):\/\/([^\/?#\\]*)/i.exec(url);
  if (!parts) return 0;
  var port = /:([0-9]{1,5})$/.exec(parts[2]);
  if (port) return Number(port[1]);
  var scheme = parts[1].toLowerCase();
  if (scheme === "http" || scheme === "ws") return 80;
  return scheme === "https" || scheme === "wss" ? 443 : 0;
}

// The addresses behind a name, as this program finds them. It may take a while, and so comes last.
function nightlatchResolve(host) {
  var found = (typeof dnsResolveEx === "function" && dnsResolveEx(host)) || dnsResolve(host);
  return found ? String(found).split(";") : [];
}

// Whether an address behind a name could lie in a resource at all: without Microsoft's function there are none of IPv6.
function nightlatchWorthResolving(port) {
  for (var i = 0; i < nightlatchPrefixes.length; i++) {
    var line = nightlatchPrefixes[i];
    if (line[0].length === 8 && typeof dnsResolveEx !== "function") continue;
    if (line[2] <= port && port <= line[3]) return true;
  }
  return false;
}

function FindProxyForURL(url, host) {
  host = String(host).toLowerCase().replace(/^\[|\]$/g, "").replace(/\.$/, "");
  var port = nightlatchPort(String(url)), address = nightlatchWords(host);
  if (host === nightlatchPortal) return "DIRECT";
  if (host === "localhost" || /\.localhost$/.test(host) || (address && nightlatchLoopback(address))) return "DIRECT";
  if (address) return nightlatchProtected(address, port) ? nightlatchProxies : "DIRECT";
  if (nightlatchNamed(host, port)) return nightlatchProxies;
  if (!nightlatchWorthResolving(port)) return "DIRECT";
  var found = nightlatchResolve(host);
  for (var i = 0; i < found.length; i++) {
    address = nightlatchWords(found[i]);
    if (address && !nightlatchLoopback(address) && nightlatchProtected(address, port)) return nightlatchProxies;
  }
  return "DIRECT";
}

for (var nightlatchLine = 0; nightlatchLine < nightlatchPrefixes.length; nightlatchLine++) {
  nightlatchPrefixes[nightlatchLine][0] = nightlatchWords(nightlatchPrefixes[nightlatchLine][0]);
}
