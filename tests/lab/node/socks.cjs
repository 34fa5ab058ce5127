// A client of the npm package `socks`: socks.cjs PROXY PORT HOST PORT tcp|udp talks to an echo server through it.
const dgram = require("dgram");
const { SocksClient } = require("socks");

const [proxyHost, proxyPort, host, port, kind] = process.argv.slice(2);
const proxy = { host: proxyHost, port: Number(proxyPort), type: 5 };

function fail(message) {
  console.error(message);
  process.exit(1);
}

async function tcp() {
  const { socket } = await SocksClient.createConnection({
    proxy, command: "connect", destination: { host, port: Number(port) }, timeout: 10000,
  });
  const sent = Buffer.alloc(1 << 20, "0123456789abcdef!");
  const got = [];
  socket.on("error", (error) => fail(error.message));
  socket.on("data", (data) => got.push(data));
  socket.on("end", () => {
    const all = Buffer.concat(got);
    if (!all.equals(sent)) fail(`${all.length} bytes came back, and not those that were sent`);
    console.log(`${all.length} bytes came back`);
  });
  socket.end(sent);
  socket.resume();
}

async function udp() {
  const client = new SocksClient({ proxy, command: "associate", destination: { host: "0.0.0.0", port: 0 } });
  const socket = dgram.createSocket("udp4");
  let count = 0;
  client.on("error", (error) => fail(error.message));
  client.on("established", ({ socket: control, remoteHost }) => {
    const send = () => {
      const frame = { remoteHost: { host, port: Number(port) }, data: Buffer.from(`datagram ${count}`) };
      socket.send(SocksClient.createUDPFrame(frame), remoteHost.port, remoteHost.host);
    };
    const silence = setTimeout(() => fail("no answer"), 1000);
    control.on("close", () => fail("the association ended"));
    socket.on("message", (message) => {
      const { data } = SocksClient.parseUDPFrame(message);
      if (data.toString() !== `datagram ${count}`) fail(`an answer to something else: ${data}`);
      silence.refresh();
      if (++count < 20) return send();
      console.log(`${count} datagrams came back`);
      process.exit(0);
    });
    send();
  });
  client.connect();
}

(kind === "udp" ? udp() : tcp()).catch((error) => fail(error.message));
