/* Many messages each way, before, while and after a connection upgrades: nothing is lost, doubled or overtaken. */
"use strict";

const { transports } = require("engine.io-client");
const { ask, main, next, open, settled } = require("./client_common");

const COUNT = 200; // messages each way at least
const STEP = 10;
const EMITS_IN_A_ROW = 40;
const UPGRADE_DELAY = 30; // milliseconds

/* A WebSocket that takes a moment to open, as on any network but loopback, so that the upgrade is in mid-traffic. */
class LateWebSocket extends transports.websocket {
    doOpen() {
        setTimeout(() => super.doOpen(), UPGRADE_DELAY);
    }
}

/* Send and have sent, STEP by STEP, until at least COUNT went each way and the upgrade is over. */
async function talk(socket, settling) {
    let over = false;
    settling.then(() => (over = true));
    const acks = [];
    let number = 0;
    while (number < COUNT || !over) {
        acks.push(ask(socket, "flood", number, STEP));
        for (const end = number + STEP; number < end; number += 1) {
            socket.emit("item", number);
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
    }
    acks.push(ask(socket, "flood", number, COUNT)); // at once, more than any client takes in one payload
    await Promise.all(acks);
    return { items: number, drops: number + COUNT };
}

main(async (mode) => {
    const socket = open("/", mode === "upgrade" ? { transports: [transports.polling, LateWebSocket] } : {});
    const drops = [];
    socket.on("drop", (number) => drops.push(number));
    socket.connect();
    await next(socket, "connect");
    const result = { first: socket.io.engine.transport.name };
    const settling = settled(socket);
    result.sent = await talk(socket, settling);
    result.settled = await settling;
    [result.items] = await ask(socket, "items");
    result.drops = drops;
    const row = Array.from({ length: EMITS_IN_A_ROW }, (_, number) => ask(socket, "echo", number));
    result.row = (await Promise.all(row)).map(([number]) => number);
    socket.disconnect();
    return result;
});
