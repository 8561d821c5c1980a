/* Channels with the three events that any Socket.IO client can emit. */
"use strict";

const { ask, connected, main, seen } = require("./client_common");

/* Everything that was sent to a socket before now has arrived when this returns: order holds per connection. */
const barrier = (...sockets) => Promise.all(sockets.map((socket) => ask(socket, "echo", "barrier")));

function listen(socket) {
    const heard = [];
    socket.on("message", (message) => heard.push(message));
    return heard;
}

main(async (mode) => {
    const room = `room-${mode}`;
    const [one, two, three] = await Promise.all([connected(), connected(), connected()]);
    const heard = [one, two, three].map(listen);
    const result = { ids: [one.id, two.id, three.id] };

    result.subscribe = await ask(one, "__subscribe__", room);
    result.subscribeAgain = await ask(one, "__subscribe__", room);
    result.subscribeOther = await ask(two, "__subscribe__", room);
    result.vetoed = await ask(one, "__subscribe__", "forbidden");
    result.othersId = await ask(one, "__subscribe__", two.id);
    result.byServer = await ask(three, "join by server", `lounge-${mode}`);

    result.told = await ask(one, "__message__", room, { text: "für alle" });
    result.toldBinary = await ask(two, "__message__", room, Buffer.from([1, 2, 3]));
    result.notSubscribed = await ask(three, "__message__", room, "let me in");
    await ask(three, "tell room", room, "from outside");
    await barrier(one, two, three);

    result.unsubscribe = await ask(two, "__unsubscribe__", room);
    result.unsubscribeAgain = await ask(two, "__unsubscribe__", room);
    result.toldOne = await ask(one, "__message__", room, "who is left?");
    one.emit("__message__", room, "without an ack");
    one.send("to no channel");
    await barrier(one);
    await barrier(one, two, three);

    result.heard = heard;
    result.seen = await Promise.all([one, two].map((socket) => seen(socket.id)));
    [one, two, three].forEach((socket) => socket.disconnect());
    return result;
});
