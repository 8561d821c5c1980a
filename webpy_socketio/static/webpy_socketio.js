/* What a page of webpy_socketio adds to the official Socket.IO client, whose global `io` must be loaded before.
 *
 * Every socket gains subscribe(channel, ack?), unsubscribe(channel, ack?) and send(data, channel?, ack?), and is
 * subscribed again after a reconnect. `new io.Socket(host, options)`, the way of Socket.IO 0.6, works again.
 * Options stand in the data- attributes of this file's <script> element: data-path, data-transports.
 * There is no eval and no inline style or script here: it runs under Content-Security-Policy "default-src 'self'".
 */
(function () {
    "use strict";

    const script = document.currentScript;
    const pageOptions = readPageOptions(script ? script.dataset : {});

    if (typeof window.io !== "function") {
        window.io = inertClient();
        whenBodyExists(showMissingClient);
        return;
    }
    const lookup = window.io;
    const Manager = lookup.Manager;
    const OfficialSocket = lookup.Socket;
    if (OfficialSocket.prototype.subscribe) {
        return; // the page includes this file twice
    }

    // ---------------------------------------------------------------- channels

    // Socket -> Map of channel -> its newest request {acks, answer, restored}. `answer` holds the arguments of the
    // server's ack once it came; `restored` says that we asked by ourselves and the page has not asked yet.
    const subscriptions = new WeakMap();

    function channelsOf(socket) {
        let channels = subscriptions.get(socket);
        if (!channels) {
            channels = new Map();
            subscriptions.set(socket, channels);
            // "open" comes before the server lets the socket in, so before what was buffered is sent.
            socket.io.on("open", () => restore(socket));
        }
        return channels;
    }

    function request(socket, channel, acks, restored) {
        const channels = channelsOf(socket);
        const entry = { acks: acks, answer: null, restored: restored };
        channels.set(channel, entry);
        socket.emit("__subscribe__", channel, function () {
            entry.answer = Array.from(arguments);
            // The last argument is the server's word: with an ackTimeout the client puts an error before it.
            const refused = entry.answer[entry.answer.length - 1] === false;
            if (refused && channels.get(channel) === entry) {
                channels.delete(channel);
                if (restored) {
                    console.warn("webpy_socketio: not let into the channel " + channel + " again");
                }
            }
            entry.acks.splice(0).forEach((ack) => ack.apply(socket, entry.answer));
        });
    }

    /* Ask again for all channels of a socket that lost its connection. The requests go to the head of what waits to be
     * sent, so that a message buffered meanwhile finds its channel subscribed. Doing it twice does no harm. */
    function restore(socket) {
        const channels = subscriptions.get(socket);
        if (!channels || socket.connected) {
            return;
        }
        const buffer = socket.sendBuffer;
        const isBuffered = (channel) => buffer.some(({ data }) => data[0] === "__subscribe__" && data[1] === channel);
        const first = buffer.length;
        Array.from(channels)
            .filter(([channel]) => !isBuffered(channel))
            .forEach(([channel, entry]) => request(socket, channel, entry.acks, true));
        buffer.unshift(...buffer.splice(first));
    }

    function callSoon(socket, ack, answer) {
        Promise.resolve().then(() => ack.apply(socket, answer));
    }

    const official = { connect: OfficialSocket.prototype.connect, send: OfficialSocket.prototype.send };

    const methods = {
        /* Subscribe to a channel, now or as soon as the socket is connected; ack(true) or ack(false) tells the outcome. */
        subscribe(channel, ack) {
            const acks = ack ? [ack] : [];
            restore(this);
            const known = channelsOf(this).get(channel);
            if (!known) {
                request(this, channel, acks, false);
            } else if (!known.answer) {
                known.restored = false; // on its way: ask once, tell everybody
                known.acks.push(...acks);
            } else if (known.restored) {
                known.restored = false; // a page that subscribes in "connect": we were faster
                acks.forEach((each) => callSoon(this, each, known.answer));
            } else {
                this.emit("__subscribe__", channel, ...acks);
            }
            return this;
        },

        unsubscribe(channel, ack) {
            channelsOf(this).delete(channel);
            return this.emit("__unsubscribe__", channel, ...(ack ? [ack] : []));
        },

        /* Send a message, to a channel if its name is given; a function in the place of the channel is the ack. */
        send(data, channel, ...rest) {
            if (typeof channel === "string") {
                return this.emit("__message__", channel, data, ...rest);
            }
            const noChannel = arguments.length > 1 && (channel === undefined || channel === null);
            return noChannel ? official.send.call(this, data, ...rest) : official.send.apply(this, arguments);
        },

        connect() {
            restore(this);
            if (oldSockets.has(this) && !this.connected) {
                this.fire("connecting", [(this.io.opts.transports || TRANSPORTS)[0]]);
            }
            return official.connect.call(this);
        },

        /* The names of Socket.IO 0.6. `fire` calls the page's own listeners and sends nothing. */
        addEvent(name, listener) {
            return this.on(name, listener);
        },

        removeEvent(name, listener) {
            return this.off(name, listener);
        },

        fire(name, args) {
            const values = args === undefined ? [] : [].concat(args);
            this.listeners(name).slice().forEach((listener) => listener.apply(this, values));
            return this;
        },
    };

    // ---------------------------------------------------------------- pages of Socket.IO 0.6

    const OLD_TRANSPORTS = {
        flashsocket: "websocket",
        htmlfile: "polling",
        "xhr-multipart": "polling",
        "xhr-polling": "polling",
        "jsonp-polling": "polling",
    };
    const TRANSPORTS = ["polling", "websocket", "webtransport"];

    // Milliseconds in which a page whose socket was lost may make another in its place, though the lost one, which
    // reconnects by itself, was faster. Old pages wait between one and some ten seconds.
    const RESTART_TIMEOUT = 60000;

    const oldSockets = new WeakSet();

    // Sockets that lost their connection while the page listens for that: socket -> {address, at}.
    const lost = new Map();

    /* Stand in for io.Socket: official when it is given a Manager, else as in Socket.IO 0.6. */
    function Socket(host, options) {
        if (host instanceof Manager) {
            return Reflect.construct(OfficialSocket, arguments, new.target || OfficialSocket);
        }
        if (host !== null && typeof host === "object") {
            return oldSocket(undefined, host);
        }
        return oldSocket(host, options || {});
    }

    function oldSocket(host, options) {
        const address = addressOf(host || options.host, options);
        endLostSocket(address);
        const socket = lookup(address, { ...translated(options), forceNew: true, autoConnect: false });
        const manager = socket.io;
        oldSockets.add(socket);
        const noteLoss = () => lost.set(socket, { address: address, at: Date.now() });
        let settled = false; // connected once, or told that it failed

        manager.on("close", () => {
            if (socket.active && socket.hasListeners("disconnect")) {
                noteLoss();
            }
        });
        socket.on("connect", () => {
            settled = true;
        });
        socket.on("connect_error", (error) => {
            if (settled && socket.active) {
                return; // the client tries again, as it said in "reconnecting"
            }
            settled = true;
            if (socket.active && socket.hasListeners("connect_failed")) {
                noteLoss();
            }
            socket.fire("connect_failed", [error]);
        });
        manager.on("reconnect_attempt", (attempt) => socket.fire("reconnecting", [0, attempt]));
        manager.on("reconnect", (attempt) => socket.fire("reconnect", [manager.engine.transport.name, attempt]));
        manager.on("reconnect_failed", () => socket.fire("reconnect_failed"));
        return socket;
    }

    /* Make room for a socket to this address: pages that make one in their "disconnect" listener know nothing of a
     * client that reconnects by itself, and would end with two. One new socket ends at most one lost socket. */
    function endLostSocket(address) {
        for (const [socket, loss] of lost) {
            const isBack = socket.connected && Date.now() - loss.at > RESTART_TIMEOUT;
            if (isBack || !socket.active) {
                lost.delete(socket);
            } else if (loss.address === address) {
                lost.delete(socket);
                socket.off(); // its listeners would take the next line for another loss
                socket.disconnect();
                return;
            }
        }
    }

    function addressOf(host, options) {
        if (/^(https?|wss?):\/\//.test(host)) {
            return host;
        }
        const scheme = options.secure || location.protocol === "https:" ? "https://" : "http://";
        const name = host || location.hostname || "localhost";
        const port = /:\d+$/.test(name) ? "" : options.port || location.port;
        return scheme + name + (port ? ":" + port : "");
    }

    function translated(options) {
        const {
            host, port, secure, document, // in the address
            rememberTransport, tryTransportsOnConnectTimeout, // the official client has its own ways
            resource, transports, connectTimeout, reconnect, maxReconnectionAttempts,
            ...others
        } = options;
        const result = { ...pageOptions, ...others };
        const set = (name, value) => value !== undefined && (result[name] = value);
        const names = new Set([].concat(transports || []).map((name) => OLD_TRANSPORTS[name] || name));
        const known = TRANSPORTS.filter((name) => names.has(name));
        // A list with both was the default: then the client's own order, polling first, is the safe one.
        set("transports", known.length === 1 ? known : undefined);
        set("path", resource && "/" + resource.replace(/^\/+|\/+$/g, "") + "/");
        set("timeout", connectTimeout);
        set("reconnection", reconnect);
        set("reconnectionAttempts", maxReconnectionAttempts);
        return result;
    }

    // ---------------------------------------------------------------- installation

    Object.assign(OfficialSocket.prototype, methods);
    Socket.prototype = OfficialSocket.prototype; // so that `instanceof io.Socket` holds for every socket

    /* io() with the options of this page, for addresses on the page's own host. */
    function io(uri, options) {
        if (uri !== null && typeof uri === "object") {
            return io(undefined, uri);
        }
        return lookup(uri || undefined, isOwnHost(uri) ? { ...pageOptions, ...options } : options);
    }
    window.io = Object.assign(io, lookup, { io: io, connect: io, Socket: Socket });

    function isOwnHost(uri) {
        try {
            return !uri || new URL(uri, location.href).host === location.host;
        } catch (error) {
            return false; // the official client says what is wrong with it
        }
    }

    // ---------------------------------------------------------------- helpers (hoisted: used before a return above)

    function readPageOptions(data) {
        const options = {};
        if (data.path) {
            options.path = data.path;
        }
        if (data.transports) {
            options.transports = data.transports.split(",");
        }
        return options;
    }

    /* A client that accepts every call and does nothing, so that the rest of the page's script goes on. */
    function inertClient() {
        const unset = new Set(["active", "connected", "id", "recovered", "then"]);
        const inert = new Proxy(function () {}, {
            get: (target, name) => (typeof name === "symbol" || unset.has(name) ? undefined : inert),
            apply: () => inert,
            construct: () => inert,
        });
        return inert;
    }

    function whenBodyExists(action) {
        if (document.body) {
            action();
        } else {
            document.addEventListener("DOMContentLoaded", action);
        }
    }

    function showMissingClient() {
        const notice = document.createElement("p");
        notice.setAttribute("role", "alert");
        notice.textContent =
            "Live updates are off: the Socket.IO client could not be loaded. In a checkout of webpy_socketio run " +
            "“make client”; elsewhere run “npm install socket.io-client” and name its " +
            "dist/socket.io.min.js in the option client_file. Then reload this page.";
        Object.assign(notice.style, {
            margin: "0", padding: "0.75em 1em", font: "1rem/1.4 sans-serif", color: "#5c0000", background: "#ffe9e6",
            borderBottom: "2px solid #a40000", overflowWrap: "anywhere",
        });
        document.body.prepend(notice);
    }
})();
