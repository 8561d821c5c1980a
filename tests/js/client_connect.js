/* Connect, be refused in every way, and use a namespace. */
"use strict";

const { ask, connected, main, next, open, seen, settled } = require("./client_common");

async function plainConnect() {
    const socket = open("/", { auth: { token: "tökén" }, query: { q: "ä b" } });
    const greeted = next(socket, "hello");
    socket.connect();
    await next(socket, "connect");
    const result = { id: socket.id, first: socket.io.engine.transport.name };
    [result.hello] = await greeted;
    result.settled = await settled(socket);
    result.echo = await ask(socket, "echo", "after the handshake");
    result.seen = await seen(socket.id);
    socket.disconnect();
    return result;
}

async function refused(namespace, auth) {
    const socket = open(namespace, { auth });
    const events = [];
    socket.onAny((event) => events.push(event));
    socket.connect();
    const [error] = await next(socket, "connect_error");
    const result = { message: error.message, data: error.data ?? null, connected: socket.connected, active: socket.active, events };
    socket.disconnect();
    return result;
}

/* A namespace beside `/` on one connection; another client of it hears what is said. */
async function chat() {
    const root = await connected();
    const socket = root.io.socket("/chat").connect();
    const [welcome] = await next(socket, "welcome");
    const other = await connected("/chat", {}, "welcome");
    const heard = next(other, "message");
    const ack = await ask(socket, "say", "grüezi");
    const result = { welcome, id: socket.id, rootId: root.id, ack, heard: await heard };
    socket.disconnect();
    result.rootEcho = await ask(root, "echo", "still here");
    root.disconnect();
    other.disconnect();
    return result;
}

main(async () => ({
    connect: await plainConnect(),
    refusedByRaise: await refused("/", { refuse: "raise" }),
    refusedByFalse: await refused("/", { refuse: "false" }),
    unknownNamespace: await refused("/nowhere", {}),
    chat: await chat(),
}));
