// The reference server: Node's own socket.io or engine.io with the numbers that the official suites expect.
// node reference_node.js PORT PROTOCOL INTERVAL_MS TIMEOUT_MS REVISION    (PROTOCOL: socket.io or engine.io; REVISION: 3 or 4)
// It is copied beside the suite before it runs, so that it finds the packages installed there.
"use strict";

const { createServer } = require("http");

const [port, protocol, interval, timeout, revision] = process.argv.slice(2);
const options = {
    pingInterval: Number(interval),
    pingTimeout: Number(timeout),
    maxHttpBufferSize: 1000000,
    cors: { origin: "*" },
    allowEIO3: revision === "3", // where it is allowed, Node takes a missing EIO for 3
};

function serveSocketIO(http) {
    const { Server } = require("socket.io");
    const io = new Server(http, { ...options, connectTimeout: 1000, serveClient: false });
    io.on("connection", (socket) => {
        socket.emit("auth", socket.handshake.auth);
        socket.on("message", (...args) => socket.emit("message-back", ...args));
        socket.on("message-with-ack", (...args) => args.pop()(...args));
    });
    io.of("/custom").on("connection", (socket) => socket.emit("auth", socket.handshake.auth));
}

function serveEngineIO(http) {
    const { attach } = require("engine.io");
    attach(http, options).on("connection", (socket) => {
        socket.on("data", (data) => socket.send(data));
    });
}

const http = createServer();
(protocol === "socket.io" ? serveSocketIO : serveEngineIO)(http);
http.listen(Number(port), "127.0.0.1");
