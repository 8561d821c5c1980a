/* Class-based namespaces and namespaces by a regular expression; and questions of the server to many clients at once. */
"use strict";

const { ask, main, next, open, until } = require("./client_common");

const url = process.argv[2];
const BLOB = Buffer.from([0, 4, 30, 127, 128, 255]);

async function join(namespace, options = {}) {
    const socket = open(namespace, options);
    const connected = next(socket, "connect", `joins ${namespace}`);
    socket.connect();
    await connected;
    return socket;
}

const post = async (path, body) => (await fetch(new URL(path, url), { method: "POST", body: JSON.stringify(body) })).json();
const left = async () => (await fetch(new URL("/left", url))).json();

async function classes() {
    const refused = open("/chat", { auth: { banned: true } });
    const why = next(refused, "connect_error");
    refused.connect();
    const result = { refused: [(await why)[0].message, (await why)[0].data] };
    const [one, two] = [await join("/chat"), await join("/chat", { query: { trusted: "yes" } })];
    const errors = [];
    one.on("error", (...args) => errors.push(args));
    const announced = next(two, "announcement");
    result.nicknames = [await ask(two, "nickname", "two"), await ask(one, "nickname", "one")];
    result.announced = await announced;
    one.emit("user message", "too early", BLOB);
    await ask(one, "login");
    const heard = [next(one, "told"), next(two, "told"), next(two, "told others")];
    result.message = [await ask(one, "user message", "grüezi", BLOB), await ask(one, "user-message", "again", BLOB)];
    result.heard = await Promise.all(heard);
    result.errors = errors;
    const back = next(one, "message");
    result.send = [await ask(one, "message", [1]), await back];
    result.other = await ask(one, "any thing", 1, { two: 2 });
    await next(one, "tick");
    one.disconnect();
    two.disconnect();
    result.left = await until(async () => (await left())[1] === 0, "no job is left");
    return result;
}

async function tenants() {
    const [one, other, third] = [await join("/tenant-1"), await join("/tenant-1"), await join("/tenant-2")];
    const second = one.io.socket("/tenant-2");
    const joined = next(second, "connect", "the second namespace of a connection");
    second.connect();
    await joined;
    const said = next(other, "said");
    const result = { who: await ask(one, "who"), said: await ask(one, "say", "hello"), heard: await said };
    result.ids = [one.id, other.id];
    result.tenants = [await ask(second, "tenants"), await ask(other, "tenants")];
    const unknown = open("/tenants");
    const why = next(unknown, "connect_error");
    unknown.connect();
    result.unknown = (await why)[0].message;
    [one, other, third, second, unknown].forEach((socket) => socket.disconnect());
    result.left = await until(async () => (await left())[0].every((name) => !name.startsWith("/tenant-")), "homes are gone");
    return result;
}

/* One answers with bytes, one with nothing, one leaves instead of answering, and one never answers. */
async function questions(place, mode) {
    const channel = `${place}-${mode}`;
    const sockets = [await join("/"), await join("/"), await join("/"), await join("/")];
    await Promise.all(sockets.map((socket) => ask(socket, "__subscribe__", channel)));
    const [binary, empty, leaving, silent] = sockets;
    const ids = sockets.map((socket) => socket.id);
    const asked = sockets.map((socket) => next(socket, "question"));
    binary.on("question", (value, blob, answer) => answer({ value, blob, mine: BLOB }));
    empty.on("question", (value, blob, answer) => answer());
    leaving.on("question", () => leaving.disconnect());
    const first = await post("/ask", { place, channel, timeout: 0.7, value: 1 });
    await Promise.all(asked);
    silent.disconnect();
    const second = await post("/ask", { place, channel, timeout: 10, value: [2] });
    sockets.forEach((socket) => socket.disconnect());
    const gone = await until(async () => !(await left())[0].includes("/"), "the server knows that all have left");
    return { ids, first, second, left: gone };
}

main(async (mode) => {
    const result = { classes: await classes(), tenants: await tenants(), questions: {} };
    for (const place of ["view", "greenlet", "thread"]) {
        result.questions[place] = await questions(place, mode);
    }
    return result;
});
