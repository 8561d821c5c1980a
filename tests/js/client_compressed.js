/* The official client against a server that compresses: what was agreed on, and echoes of all sizes. */
"use strict";

const { ask, main, next, open, settled } = require("./client_common");

const TEXTS = ["", "short", "größer 😀 ".repeat(20), "größer 😀 ".repeat(5000), Array.from({ length: 4000 }, Math.random).join()];

main(async () => {
    const socket = open();
    socket.connect();
    await next(socket, "connect");
    await settled(socket);
    const bytes = Buffer.alloc(50000, "0123456789abcdef");
    const result = { extensions: socket.io.engine.transport.ws.extensions, same: [] };
    for (const text of [...TEXTS, ...TEXTS]) {
        const [echo] = await ask(socket, "echo", text);
        result.same.push(echo === text);
    }
    const [echo] = await ask(socket, "echo", bytes);
    result.same.push(Buffer.compare(Buffer.from(echo), bytes) === 0);
    socket.disconnect();
    return result;
});
