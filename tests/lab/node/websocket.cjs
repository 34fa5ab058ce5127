// WebSocket, with the npm package `ws`. Each line on stdout is something that happened.
//   websocket.cjs server ADDRESS PORT             greets every client, and sends back what a client sends
//   websocket.cjs client HOST PORT direct|forward|connect [PROXY PORT]
// The client sends back the greeting, has a text and a large binary message echoed, says `whole`, and stays until it is
// cut off. `forward` asks the proxy in absolute form, `connect` for a tunnel.
const http = require("http");
const net = require("net");
const { WebSocket, WebSocketServer } = require("ws");

const [role, host, port, way, proxyHost, proxyPort] = process.argv.slice(2);
const say = (...words) => console.log(...words);

function server() {
  const listening = new WebSocketServer({ host, port: Number(port) }, () => say("ready"));
  listening.on("connection", (client, request) => {
    say("connection", request.socket.remoteAddress, request.url);
    client.send("a greeting");
    let greeted = false;
    client.on("message", (data, binary) => {
      if (!greeted) say("greeted back", data.toString());
      else client.send(data, { binary });
      greeted = true;
    });
    client.on("error", () => {});
    client.on("close", (code) => say("close", code));
  });
}

// Resolves to the options that make ws go this way.
async function options() {
  if (way === "forward") {
    return {
      createConnection: () => net.connect(Number(proxyPort), proxyHost),
      finishRequest: (request) => {
        request.path = `http://${host}:${port}${request.path}`;
        request.end();
      },
    };
  }
  if (way === "connect") {
    return new Promise((resolve, reject) => {
      const path = `${host}:${port}`;
      const request = http.request({ host: proxyHost, port: proxyPort, method: "CONNECT", path, agent: false });
      request.on("error", reject);
      request.on("response", (response) => reject(new Error(`Unexpected server response: ${response.statusCode}`)));
      request.on("connect", (response, socket) => {
        if (response.statusCode === 200) resolve({ createConnection: () => socket });
        else reject(new Error(`Unexpected server response: ${response.statusCode}`));
      });
      request.end();
    });
  }
  return {};
}

async function client() {
  const made = new WebSocket(`ws://${host}:${port}/echo`, await options());
  const text = "a text, ".repeat(100);
  const large = Buffer.alloc(3 << 20, "large and binary ");
  let turn = 0;
  made.on("error", (error) => {
    say("error", error.message);
    process.exitCode = 1;
  });
  made.on("close", (code) => say("close", code));
  made.on("message", (data, binary) => {
    turn += 1;
    if (turn === 1) {
      made.send(data);
      made.send(text);
      made.send(large);
    } else if (turn === 2 && (binary || data.toString() !== text)) {
      throw new Error("the text came back changed");
    } else if (turn === 3) {
      if (!binary || !data.equals(large)) throw new Error("the large message came back changed");
      say("whole");
    }
  });
}

const run = { server, client }[role];
Promise.resolve(run()).catch((error) => {
  say("error", error.message);
  process.exitCode = 1;
});
