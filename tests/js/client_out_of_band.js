/* Have the server send from a view, a greenlet and two kinds of OS thread, to one socket, a channel and everybody. */
"use strict";

const { ask, connected, main, outOfBand } = require("./client_common");

const PLACES = ["view", "greenlet", "thread", "raw thread"];
const COUNT_IN_ORDER = 30;

function listen(socket) {
    const heard = [];
    socket.on("message", (message) => heard.push(["message", message]));
    socket.on("news", (message) => heard.push(["news", message]));
    return heard;
}

async function fromPlace(place, one, channel) {
    const send = (kind, target) => outOfBand({ place, kind, target, value: { place, kind } });
    return {
        send: await send("send", one.id),
        channel: await send("broadcast_channel", channel),
        broadcast: await send("broadcast"),
        emit: await send("emit", one.id),
        emitChannel: await send("emit", channel),
        emitBinary: await send("emit binary", one.id),
        noSocket: await send("send", "nobody-has-this-id-1"),
        noChannel: await send("broadcast_channel", "an empty channel"),
        emitNobody: await send("emit", "an empty channel"),
    };
}

/* Messages of one place leave in the order in which they were sent. */
async function inOrder(place, one) {
    for (let value = 0; value < COUNT_IN_ORDER; value += 1) {
        await outOfBand({ place, kind: "send", target: one.id, value });
    }
}

main(async (mode) => {
    const channel = `news-${mode}`;
    const [one, two] = await Promise.all([connected(), connected()]);
    await ask(two, "__subscribe__", channel);
    const result = { returned: {}, heard: {}, ordered: {} };
    for (const place of PLACES) {
        const heard = [one, two].map(listen);
        result.returned[place] = await fromPlace(place, one, channel);
        await Promise.all([one, two].map((socket) => ask(socket, "echo", "barrier")));
        result.heard[place] = heard;
        [one, two].forEach((socket) => socket.removeAllListeners("message").removeAllListeners("news"));

        const ordered = listen(one);
        await inOrder(place, one);
        await ask(one, "echo", "barrier");
        result.ordered[place] = ordered.map(([, value]) => value);
        one.removeAllListeners("message").removeAllListeners("news");
    }
    [one, two].forEach((socket) => socket.disconnect());
    return result;
});
