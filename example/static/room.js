/* One room: choose a name, talk, leave. What the messages mean is written in chat/events.py. */

import { connect } from "./connection.js";
import { byId, make, show } from "./dom.js";
import { addLine, addMessage, hueOf, initialOf, lastId, scrollToEnd } from "./log.js";
import { createOutbox } from "./outbox.js";
import { theyStopped, theyType, weSent, weType } from "./typing.js";

const channel = byId("room").dataset.channel;
const [join, talk, composer] = ["join", "talk", "composer"].map(byId);
const [nameField, messageField] = ["name", "message"].map(byId);
const notice = (text) => show(byId("notice"), text);

// Our name and the secret that proves it is ours outlive a reload, but not the tab.
const storageKey = `seat in ${channel}`;
let seat = JSON.parse(sessionStorage.getItem(storageKey) || "null");
let isSeated = false; // known to the server as `seat`, on the connection that we have now
let wasSeated = false; // ... or on an earlier one

const outbox = createOutbox(
    (message, acknowledge) => isSeated && socket.send(message, channel, acknowledge),
    () => seat.name,
);

// ---------------------------------------------------------------- what the server says

const handlers = {
    "in-use"({ name }) {
        forget();
        askForName(`“${name}” is taken in this room. Please choose another name.`, name);
    },

    started({ name, secret, users, messages }) {
        seat = { name, secret };
        sessionStorage.setItem(storageKey, JSON.stringify(seat));
        isSeated = true;
        notice("");
        showPeople(users);
        enterTalk();
        messages.forEach((message) => addMessage(message, message.name === name));
        scrollToEnd();
        outbox.resend();
    },

    join({ name, users }) {
        if (!isSeated) return;
        showPeople(users);
        addLine(name === seat.name ? "You joined" : `${name} joined`);
    },

    leave({ name, users }) {
        if (!isSeated) return;
        showPeople(users);
        theyStopped(name);
        addLine(`${name} left`);
    },

    message(message) {
        if (!isSeated) return; // what we miss comes with "started"
        theyStopped(message.name);
        addMessage(message, message.name === seat.name);
    },

    typing: ({ name }) => isSeated && name !== seat.name && theyType(name),
    system: ({ message }) => (wasSeated ? addLine(message, "system") : notice(message)),
    error: ({ message }) => notice(message),
};

const socket = connect(channel, handlers, (accepted) => {
    if (accepted) return seat ? start(seat) : askForName();
    join.hidden = talk.hidden = true;
    if (byId("notice").hidden) notice("The server does not let you into this room.");
});
socket?.on("disconnect", () => (isSeated = false));

// ---------------------------------------------------------------- joining and leaving

function start(wanted) {
    const request = { action: "start", name: wanted.name, secret: wanted.secret, after: lastId() };
    socket.send(request, channel, (answer) => {
        if (answer && answer.ok) return;
        const error = (answer && answer.error) || "The server does not let you in.";
        if (wasSeated) notice(error);
        else askForName(error, wanted.name);
    });
}

function askForName(error = "", name = "") {
    talk.hidden = true;
    join.hidden = false;
    byId("join-error").textContent = error;
    nameField.toggleAttribute("aria-invalid", Boolean(error));
    if (name) nameField.value = name;
    nameField.focus();
    nameField.select();
}

function enterTalk() {
    if (!talk.hidden) return;
    join.hidden = true;
    talk.hidden = false;
    wasSeated = true;
    messageField.focus();
}

function forget() {
    seat = null;
    isSeated = wasSeated = false;
    sessionStorage.removeItem(storageKey);
}

join.addEventListener("submit", (event) => {
    event.preventDefault();
    if (socket.connected) start({ name: nameField.value });
    else byId("join-error").textContent = "There is no connection to the server. Please try again in a moment.";
});

byId("leave").addEventListener("click", (event) => {
    sessionStorage.removeItem(storageKey);
    if (!socket || !isSeated) return; // an ordinary link
    event.preventDefault();
    const go = () => location.assign(event.target.closest("a").href);
    socket.unsubscribe(channel, go);
    setTimeout(go, 1000);
});

// ---------------------------------------------------------------- talking

function showPeople(names) {
    byId("people-count").textContent = `(${names.length})`;
    byId("people").replaceChildren(...names.map((name) => {
        const avatar = make("span", `avatar hue-${hueOf(name)}`, initialOf(name));
        avatar.setAttribute("aria-hidden", "true");
        return make("li", "", avatar, make("span", "person", name === seat.name ? `${name} (you)` : name));
    }));
}

composer.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = messageField.value.trim();
    if (!text) return;
    outbox.add(text);
    messageField.value = "";
    messageField.focus();
    fitComposer();
    weSent();
});

messageField.addEventListener("keydown", (event) => {
    // While an input method composes a word, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    composer.requestSubmit();
});

messageField.addEventListener("input", () => {
    fitComposer();
    if (isSeated && messageField.value) weType(() => socket.send({ action: "typing" }, channel));
});

function fitComposer() {
    messageField.rows = Math.min(5, messageField.value.split("\n").length);
}

window.addEventListener("beforeunload", (event) => {
    if (!outbox.isEmpty()) event.preventDefault(); // the browser asks whether to leave all the same
});
