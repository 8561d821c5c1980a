/* A reader that stalls while much is sent to it, and reads on later: what it got, and what became of it.
 *
 * Its third argument is how many values are sent.
 */
"use strict";

const { ask, main, next, open } = require("./client_common");

const count = Number(process.argv[4]);

main(async () => {
    const reader = open();
    const other = open();
    const items = [];
    reader.on("item", (key, number) => items.push([key, number]));
    for (const socket of [reader, other]) {
        socket.connect();
        await next(socket, "connect");
    }
    const ended = new Promise((resolve) => reader.once("disconnect", resolve));
    const raw = reader.io.engine.transport.ws._socket;
    raw.pause();
    const [taken] = await ask(other, "flood", reader.id, count);
    const [echo] = await ask(other, "message", "still served"); // nobody else notices
    raw.resume();
    // Sent first, answered last: behind all that waits.
    const reason = await Promise.race([ended, ask(reader, "message", "last").then(() => null)]);
    const result = { taken, echo, reason, items };
    reader.disconnect();
    other.disconnect();
    return result;
});
