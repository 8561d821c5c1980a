/* Clients of all generations of socket.io-client, each over polling, WebSocket and the upgrade, all at once in one channel.
 *
 * Called as `node client_generations.js URL MEMBERS`, where MEMBERS is how many there will be in the channel, those of
 * other programs included. Prints one line of JSON: {"<version> <mode>": what that client saw}.
 */
"use strict";

const { next, print, until } = require("./client_common");

const [url, members] = process.argv.slice(2);
const PACKAGES = { 1: "socket.io-client-1", 2: "socket.io-client-2", 3: "socket.io-client-3", 4: "socket.io-client" };
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const BLOB = Buffer.from([0, 4, 30, 127, 128, 255]);

const ask = (socket, event, ...args) =>
    new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ack: ${event} ${socket.nsp} ${socket.who}`)), 10000);
        socket.emit(event, ...args, (...answer) => {
            clearTimeout(timer);
            resolve(answer);
        });
    });

class Client {
    constructor(version, mode) {
        this.version = Number(version);
        this.mode = mode;
        this.name = `${version} ${mode}`;
        // On polling, 1.x encodes what is not ASCII twice: that fails with every server of 2.0 and later, Node's included.
        this.isPlain = this.version === 1 && mode !== "websocket";
        this.text = this.isPlain ? "plain" : "Grüße, 世界, 💬";
        this.seen = {};
        this.messages = [];
        this.told = [];
    }

    open(namespace, options = {}) {
        const common = { transports: TRANSPORTS[this.mode], forceNew: true, reconnection: false, ...options };
        return require(PACKAGES[this.version])(url + namespace, common);
    }

    async run() {
        const socket = (this.socket = this.open("/"));
        socket.who = this.name;
        socket.on("message", (message) => this.messages.push(message));
        socket.on("told", (...args) => this.told.push(args));
        socket.on("question", (...args) => args.pop()(...args));
        await next(socket, "connect", `${this.name} connects`);
        const engine = socket.io.engine;
        await until(() => this.mode !== "upgrade" || engine.transport.name === "websocket", `${this.name} upgrades`);
        this.seen = { id: socket.id, transport: engine.transport.name, who: (await ask(socket, "who"))[0] };
        await this.talk(socket);
        await this.joinNamespace();
        this.seen.refused = await this.refusal("/closed");
        this.seen.refusedWithData = await this.refusal("/closed?why=yes", { auth: { why: "yes" } });
        this.seen.unknown = await this.refusal("/nowhere");
    }

    async talk(socket) {
        const echoed = next(socket, "echoed", `${this.name} hears its echo`);
        this.seen.echo = await ask(socket, "echo", this.text, { deep: [BLOB, null] }, BLOB, 1.5);
        this.seen.echoed = await echoed;
        this.seen.asked = await ask(socket, "ask me", this.text, BLOB);
        this.seen.empty = await ask(socket, "echo", Buffer.alloc(0));
    }

    async joinNamespace() {
        const token = this.isPlain ? "t&=x" : "ü&=💬";
        const chat = this.open(`/chat?token=${encodeURIComponent(token)}`, { auth: { token } });
        chat.who = this.name;
        await next(chat, "connect", `${this.name} joins /chat`);
        this.seen.chat = { id: chat.id, engine: chat.io.engine.id, who: (await ask(chat, "who"))[0] };
        this.seen.chat.echo = await ask(chat, "echo", this.text, BLOB);
        chat.disconnect();
    }

    refusal(namespace, options) {
        const socket = this.open(namespace, options);
        const refused = next(socket, this.version < 3 ? "error" : "connect_error", `${this.name} is refused`);
        return refused.then(([error]) => {
            socket.disconnect();
            return this.version < 3 ? error : { message: error.message, ...(error.data && { data: error.data }) };
        });
    }

    /* What all do together: everybody tells everybody its name, with bytes. */
    async join() {
        this.seen.subscribed = await ask(this.socket, "__subscribe__", "everybody");
    }

    async tell() {
        await until(async () => (await ask(this.socket, "members"))[0] === Number(members), "all are in the channel");
        this.seen.toldOthers = await ask(this.socket, "tell the others", { from: this.name, blob: BLOB });
        this.seen.toldAll = await ask(this.socket, "tell everybody", this.name, BLOB);
    }

    async leave() {
        await until(() => this.messages.length >= members - 1 && this.told.length >= members, `${this.name} hears all`);
        this.seen.messages = this.messages;
        this.seen.told = this.told;
        const gone = next(this.socket, "disconnect", `${this.name} is thrown out`);
        this.socket.emit("throw me out");
        this.seen.reason = (await gone)[0];
    }
}

async function main() {
    const versions = Object.keys(PACKAGES);
    const clients = versions.flatMap((version) => Object.keys(TRANSPORTS).map((mode) => new Client(version, mode)));
    const all = (step) => Promise.all(clients.map((client) => client[step]()));
    await all("run");
    await all("join");
    await all("tell");
    await all("leave");
    print(Object.fromEntries(clients.map((client) => [client.name, client.seen])));
    process.exit(0);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
