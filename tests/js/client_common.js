/* What the client_*.js programs share: how they are called, how they connect, wait and report.
 *
 * Every one of them is called as `node client_….js URL MODE` (MODE: polling, websocket or upgrade), uses the official
 * socket.io-client, and prints one line of JSON. Bytes are printed as {"bytes": "<hex>"}.
 */
"use strict";

const { io } = require("socket.io-client");

const WAIT = 10000; // milliseconds until something that must happen is a failure
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

const [url, mode] = process.argv.slice(2);

/* A socket on a connection of its own, not connected yet. */
function open(namespace = "/", options = {}) {
    const address = new URL(namespace, url).href;
    return io(address, { transports: TRANSPORTS[mode], forceNew: true, reconnection: false, autoConnect: false, ...options });
}

/* The next time that an event is emitted: a promise of its arguments. */
function next(emitter, event, what = event) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not within ${WAIT} ms: ${what}`)), WAIT);
        emitter.once(event, (...args) => {
            clearTimeout(timer);
            resolve(args);
        });
    });
}

/* The first `count` values that an event brings. */
function collect(emitter, event, count) {
    const values = [];
    return new Promise((resolve, reject) => {
        const late = () => reject(new Error(`${event}: ${values.length} of ${count} within ${WAIT} ms`));
        const timer = setTimeout(late, WAIT);
        emitter.on(event, (value) => {
            values.push(value);
            if (values.length === count) {
                clearTimeout(timer);
                resolve(values);
            }
        });
    });
}

/* Emit and wait for the ack: a promise of all its arguments. */
function ask(socket, event, ...args) {
    return new Promise((resolve, reject) => {
        socket.timeout(WAIT).emit(event, ...args, (error, ...answer) => (error ? reject(new Error(`no ack: ${event}`)) : resolve(answer)));
    });
}

/* Wait until the connection uses the last transport of the mode. */
async function settled(socket) {
    const engine = socket.io.engine;
    if (mode === "upgrade" && engine.transport.name !== "websocket") {
        await next(engine, "upgrade");
    }
    return engine.transport.name;
}

/* Connect and wait until the handshake, the server's greeting and the upgrade are done. */
async function connected(namespace = "/", options = {}, greeting = "hello") {
    const socket = open(namespace, options);
    const greeted = next(socket, greeting);
    socket.connect();
    await greeted;
    await settled(socket);
    return socket;
}

/* A promise that resolves when a condition holds; asked again and again, since the server reports by HTTP only. */
async function until(condition, what) {
    const deadline = Date.now() + WAIT;
    for (;;) {
        const value = await condition();
        if (value) {
            return value;
        }
        if (Date.now() > deadline) {
            throw new Error(`not within ${WAIT} ms: ${what}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

async function fetchJSON(path, options) {
    const response = await fetch(new URL(path, url), options);
    return response.json();
}

/* What the server saw of a socket: a list of [what, ...details]. */
const seen = (id) => fetchJSON(`/seen?id=${encodeURIComponent(id)}`);

/* Have the server send out of band. */
const outOfBand = (wanted) => fetchJSON("/oob", { method: "POST", body: JSON.stringify(wanted) });

/* Bytes in any of their JavaScript forms as {"bytes": hex}, everything else as it is. */
function plain(value) {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
        const bytes = ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : Buffer.from(value);
        return { bytes: bytes.toString("hex") };
    }
    if (Array.isArray(value)) {
        return value.map(plain);
    }
    if (value !== null && typeof value === "object") {
        return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
    }
    return value === undefined ? { undefined: true } : value;
}

function print(value) {
    process.stdout.write(JSON.stringify(plain(value)) + "\n");
}

/* Run a program and print what it returns; any failure is printed to stderr and ends with status 1. */
function main(program) {
    program(mode).then(
        (result) => {
            print(result);
            process.exit(0);
        },
        (error) => {
            console.error(error);
            process.exit(1);
        },
    );
}

module.exports = { ask, collect, connected, main, next, open, outOfBand, print, seen, settled, until };
