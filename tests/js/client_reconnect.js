/* Live through a restart of the server: prints a line when connected, ends when the client has come back by itself. */
"use strict";

const { ask, main, next, open, print, settled } = require("./client_common");

main(async () => {
    const socket = open("/", { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    const greeted = next(socket, "hello");
    socket.connect();
    await greeted;
    await settled(socket);
    const result = { id: socket.id, echo: await ask(socket, "echo", "before") };
    const gone = next(socket, "disconnect");
    print({ connected: true });

    [result.reason] = await gone;
    result.active = socket.active;
    socket.emit("item", "said while away"); // kept by the client until it is back
    await next(socket, "hello", "the client comes back");
    result.newId = socket.id;
    result.settled = await settled(socket);
    result.items = await ask(socket, "items");
    result.echoAfter = await ask(socket, "echo", "after");
    socket.disconnect();
    return result;
});
