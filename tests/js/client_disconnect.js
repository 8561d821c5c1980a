/* End a connection in every way; tell what both sides say about it. */
"use strict";

const { ask, connected, main, next, open, seen, until } = require("./client_common");

const ends = {
    byClient: (socket) => socket.disconnect(),
    byServer: (socket) => socket.emit("throw me out"),
    byEngine: (socket) => socket.io.engine.close(),
    // The TCP connection is gone without a goodbye. (A polling client has none of its own that could go.)
    byNetwork: (socket) => socket.io.engine.transport.ws.terminate(),
};

async function end(way) {
    const socket = await connected();
    const { id } = socket;
    await ask(socket, "__subscribe__", "some channel");
    const over = next(socket, "disconnect");
    ends[way](socket);
    const [reason] = await over;
    const story = () => seen(id);
    await until(async () => (await story()).some(([what]) => what === "finish"), `the server finishes with ${way}`);
    return { reason, connected: socket.connected, active: socket.active, seen: await story() };
}

/* Leaving a namespace leaves the others of the connection alone, and one can come back. */
async function namespaceOnly() {
    const root = await connected();
    const chat = root.io.socket("/chat").connect();
    await next(chat, "welcome");
    const { id } = chat;
    chat.disconnect();
    await until(async () => (await seen(id)).some(([what]) => what === "finish"), "the server finishes with /chat");
    chat.connect();
    await next(chat, "welcome");
    const result = { newId: chat.id !== id, seen: await seen(id), rootEcho: await ask(root, "echo", "still here"), say: await ask(chat, "say", "back") };
    root.io.engine.close();
    return result;
}

/* The same socket object, connected again by hand. */
async function again() {
    const socket = open();
    const ids = [];
    for (let round = 0; round < 3; round += 1) {
        const greeted = next(socket, "hello");
        socket.connect();
        await greeted;
        ids.push(socket.id);
        await ask(socket, "echo", round);
        socket.disconnect();
    }
    return { different: new Set(ids).size };
}

main(async (mode) => {
    const result = {};
    for (const way of Object.keys(ends)) {
        if (mode !== "polling" || way !== "byNetwork") {
            result[way] = await end(way);
        }
    }
    result.namespaceOnly = await namespaceOnly();
    result.again = await again();
    return result;
});
