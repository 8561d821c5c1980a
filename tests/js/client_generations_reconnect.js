/* An old client lives through a restart of the server: `node client_generations_reconnect.js URL MODE PACKAGE`. Prints a
 * line when connected, ends when the client has come back by itself.
 */
"use strict";

const { main, next, print, settled } = require("./client_common");

const [url, mode, name] = process.argv.slice(2);
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

const ask = (socket, event, ...args) => new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer)));

main(async () => {
    const options = { transports: TRANSPORTS[mode], forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
    const socket = require(name)(url, options);
    await next(socket, "connect");
    await settled(socket);
    const result = { id: socket.id, echo: await ask(socket, "echo", "before", Buffer.from([1, 255])) };
    const gone = next(socket, "disconnect");
    print({ connected: true });

    [result.reason] = await gone;
    const answered = ask(socket, "echo", "said while away"); // kept by the client until it is back
    await next(socket, "connect", "the client comes back");
    result.newId = socket.id;
    result.away = await answered;
    result.settled = await settled(socket);
    result.who = (await ask(socket, "who"))[0];
    socket.disconnect();
    return result;
});
