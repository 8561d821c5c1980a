/* An old client sends its pings and gets its pongs: `node client_generations_heartbeat.js URL MODE PACKAGE`. */
"use strict";

const { collect, main, next, settled } = require("./client_common");

const [url, mode, name] = process.argv.slice(2);
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

main(async () => {
    const socket = require(name)(url, { transports: TRANSPORTS[mode], forceNew: true, reconnection: false });
    let lost = null;
    socket.on("disconnect", (reason) => (lost = reason));
    const pongs = collect(socket, "pong", 5);
    await next(socket, "connect");
    const transport = await settled(socket);
    await pongs;
    const echo = await new Promise((resolve) => socket.emit("echo", "alive", resolve));
    return { transport, echo, lost, interval: socket.io.engine.pingInterval };
});
