/* The page's one socket, and the line at the top that says how it is. */

import { byId, show } from "./dom.js";

/* Connect, subscribe to `channel` at every connect, and hand over what arrives.
 * `handlers` maps the actions of messages to functions; `onReady(accepted)` is told whether we were let in. */
export function connect(channel, handlers, onReady) {
    const socket = window.io();
    if (typeof socket.connected !== "boolean") {
        display("lost", "The Socket.IO client is missing");
        return null;
    }
    socket.on("connect", () => {
        showTransport(socket);
        socket.subscribe(channel, onReady);
    });
    socket.on("message", (message) => {
        if (message && Object.hasOwn(handlers, message.action)) handlers[message.action](message);
    });
    // "upgrade" belongs to one engine, and each connection has a new one.
    socket.io.on("open", () => socket.io.engine.on("upgrade", () => showTransport(socket)));
    socket.io.on("reconnect_attempt", () => display("connecting", "Reconnecting…"));
    socket.on("disconnect", () => display("lost", "Connection lost"));
    socket.on("connect_error", () => display("lost", "No connection, trying again…"));
    // Say goodbye, so that nobody has to wait to see us leave; a page that comes back from the cache says hello again.
    window.addEventListener("pagehide", () => socket.disconnect());
    window.addEventListener("pageshow", (event) => event.persisted && socket.connect());
    return socket;
}

/* Show a system message, which can reach every page. */
export function showSystemMessage({ message }) {
    show(byId("notice"), message);
}

function showTransport(socket) {
    if (socket.connected) display("connected", "Connected", socket.io.engine.transport.name);
}

function display(state, text, transport = "") {
    const line = byId("connection");
    if (line.dataset.state === state && line.dataset.transport === transport && line.innerText === text) return;
    line.dataset.state = state;
    line.dataset.transport = transport;
    line.querySelector("span").textContent = transport ? `${text} · ${transport}` : text;
}
