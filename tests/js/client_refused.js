/* What a client is told of a refused handshake: node client_refused.js URL TRANSPORT PACKAGE. Prints one line of JSON. */
"use strict";

const { print } = require("./client_common");

const [url, transport, name] = process.argv.slice(2);
const socket = require(name)(`${url}/?wish=refuse`, { transports: [transport], reconnection: false, forceNew: true });

socket.on("connect_error", (error) => {
    const answer = error.context && error.context.responseText; // gone when this function returns
    print({
        message: error.message,
        ...(typeof error.description === "number" && { status: error.description }),
        ...(answer && { body: JSON.parse(answer).message }),
    });
    process.exit(0);
});
