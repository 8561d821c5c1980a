/* Many emits in a row over polling: node client_row.js URL PACKAGE COUNT. Prints what came back, and how many POSTs. */
"use strict";

const http = require("node:http");
const { next, print } = require("./client_common");

const [url, name, count] = process.argv.slice(2);

let posts = 0;
const request = http.request;
http.request = (options, ...rest) => {
    posts += (options.method || "GET").toUpperCase() === "POST";
    return request(options, ...rest);
};

const socket = require(name)(url, { transports: ["polling"], reconnection: false, forceNew: true });
const echoed = [];

async function main() {
    await next(socket, "connect");
    const done = new Promise((resolve) => socket.on("echo", (number) => echoed.push(number) === Number(count) && resolve()));
    for (let number = 0; number < count; number += 1) {
        socket.emit("echo", number);
    }
    await done;
    print({ echoed, posts, transport: socket.io.engine.transport.name });
    process.exit(0);
}

main();
