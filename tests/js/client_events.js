/* Messages of every kind of value, acks in both directions, bytes in both directions. */
"use strict";

const { ask, collect, connected, main, next, seen } = require("./client_common");

const VALUES = [
    "hello",
    "",
    "Grüße, 世界, 💬, \u0000\u001e\u2028",
    "cut \ud83d",
    "__subscribe__",
    "2probe",
    0,
    -1.5,
    9007199254740991,
    true,
    false,
    null,
    [],
    [1, [2, [3]]],
    {},
    { a: { b: null }, "ключ": ["x"] },
    "x".repeat(200000),
];
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, number) => number));
const LARGE = Buffer.alloc(300000, "0123456789abcdef");

async function messages(socket) {
    const echoes = collect(socket, "message", VALUES.length);
    VALUES.forEach((value) => socket.send(value));
    const received = await echoes;
    socket.removeAllListeners("message");
    // JSON cannot say what differs between two strings of 200,000 characters, so the comparison is made here.
    const expected = VALUES.map((value) => (value === "cut \ud83d" ? "cut \ufffd" : value));
    const wrong = expected.flatMap((value, at) => (JSON.stringify(value) === JSON.stringify(received[at]) ? [] : [at]));
    const nothing = next(socket, "message");
    socket.send();
    return { count: received.length, wrong, withoutArgument: await nothing };
}

async function acks(socket) {
    const result = {
        message: await ask(socket, "message", "hi"),
        several: await ask(socket, "echo", 1, "2", { 3: [true] }),
        none: await ask(socket, "quiet"),
        tuple: await ask(socket, "two", "a", "b"),
    };
    // Events of a socket are handled in order: what has no ack when the last echo has its own will never have one.
    const unanswered = ["two", "broken", "nobody handles this"];
    const answers = [];
    unanswered.forEach((event) => socket.emit(event, "one argument", () => answers.push(event)));
    result.after = await ask(socket, "echo", "after");
    result.unexpectedAnswers = answers;
    return result;
}

async function questions(socket) {
    socket.on("question", (...args) => args.pop()({ heard: args }));
    const later = next(socket, "answered");
    socket.emit("ask me later", 4, [5], ALL_BYTES);
    return {
        call: await ask(socket, "ask me", 1, { two: "drei" }, null),
        callBinary: await ask(socket, "ask me", ALL_BYTES, { deep: [ALL_BYTES] }),
        callback: await later,
        together: await Promise.all([1, 2, 3].map((number) => ask(socket, "ask me", number))),
    };
}

async function binary(socket) {
    const pushed = next(socket, "blobs");
    const result = { ack: await ask(socket, "blob", ALL_BYTES), pushed: await pushed };
    const mixed = next(socket, "echoed");
    result.mixedAck = await ask(socket, "echo", "text", Uint8Array.from([1, 2, 3]), { list: [Buffer.alloc(0), Uint8Array.from([255]).buffer] });
    result.mixedPushed = await mixed;
    const large = (await ask(socket, "blob", LARGE))[0];
    result.large = { size: large.size, same: LARGE.equals(Buffer.from(large.back)) };
    const message = next(socket, "message");
    socket.send(ALL_BYTES);
    result.message = await message;
    return result;
}

main(async () => {
    const socket = await connected();
    const result = {
        transport: socket.io.engine.transport.name,
        messages: await messages(socket),
        acks: await acks(socket),
        questions: await questions(socket),
        binary: await binary(socket),
    };
    result.connected = socket.connected;
    result.seen = await seen(socket.id);
    socket.disconnect();
    return result;
});
