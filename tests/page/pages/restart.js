// The way of the demos of Socket.IO 0.6: a new socket in "disconnect", after a while (?wait=milliseconds) or at once.
var wait = new URLSearchParams(location.search).get("wait");
var starts = 0;
var heard = [];
var socket;

var connected = function () {
    socket.subscribe("room-1");
};

var disconnected = function () {
    if (wait === null) {
        start();
    } else {
        setTimeout(start, Number(wait));
    }
};

var start = function () {
    starts += 1;
    socket = new io.Socket();
    socket.connect();
    socket.on("connect", connected);
    socket.on("disconnect", disconnected);
    socket.on("message", function (data) {
        heard.push(data);
    });
};

start();
