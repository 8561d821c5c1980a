/* Numbered messages both ways through a network that fails, until all have come: URL MODE COUNT PAUSE DELAY.
 *
 * What the server has not acknowledged is put again after a reconnection; what did not come is asked for again.
 */
"use strict";

const { transports } = require("engine.io-client");
const { main, open, print, until } = require("./client_common");

const COUNT = Number(process.argv[4]);
const PAUSE = Number(process.argv[5]); // milliseconds between two messages
const UPGRADE_DELAY = Number(process.argv[6]); // milliseconds

/* A WebSocket that takes a moment to open, so that the upgrade is in mid-traffic. */
class LateWebSocket extends transports.websocket {
    doOpen() {
        setTimeout(() => super.doOpen(), UPGRADE_DELAY);
    }
}

main(async (mode) => {
    const ways = mode === "upgrade" ? { transports: [transports.polling, LateWebSocket] } : {};
    const socket = open("/", { ...ways, auth: { name: mode }, reconnection: true, reconnectionDelay: 30, reconnectionDelayMax: 100 });
    const fed = [];
    const acked = new Set();
    const ids = [];
    const reasons = [];
    let next = 0;
    const put = (number) => socket.emit("put", number, (answer) => acked.add(answer));
    socket.on("fed", (number) => fed.push(number));
    socket.on("disconnect", (reason) => reasons.push(reason));
    socket.on("connect", () => {
        ids.push(socket.id);
        socket.emit("feed", fed.length, COUNT - fed.length, PAUSE / 1000);
        for (let number = 0; number < next; number += 1) {
            if (!acked.has(number)) {
                put(number);
            }
        }
    });
    socket.connect();
    const talking = setInterval(() => {
        if (socket.connected && next < COUNT) {
            put(next);
            next += 1;
        }
    }, PAUSE);
    await until(() => acked.size === COUNT && fed.length >= COUNT, "all messages").catch((error) => {
        print({ fed, acked: acked.size, next, ids, reasons });
        throw error;
    });
    clearInterval(talking);
    const result = { fed, ids, reasons: [...reasons], transport: socket.io.engine.transport.name };
    socket.disconnect();
    return result;
});
