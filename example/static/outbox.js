/* Messages of ours from the key press to the server's word: pending, delivered, or not delivered with a way to retry. */

import { make } from "./dom.js";
import { addMessage, confirmMessage } from "./log.js";

const PATIENCE = 10000; // milliseconds without an answer after which a message counts as not delivered

/* `transmit(message, acknowledge)` sends if it can, and returns at once; `nameOf()` is who we are. */
export function createOutbox(transmit, nameOf) {
    const waiting = new Set();

    function add(text) {
        const element = addMessage({ name: nameOf(), message: text, time: Date.now() }, true);
        attempt({ text, element, nonce: randomHex(), timer: 0, attempts: 0 });
    }

    function attempt(item) {
        waiting.add(item);
        mark(item, "pending");
        clearTimeout(item.timer);
        item.timer = setTimeout(fail, PATIENCE, item);
        send(item);
    }

    function send(item) {
        const current = ++item.attempts;
        // The nonce lets the server see that it has this message already, where only its answer was lost.
        transmit({ action: "message", message: item.text, nonce: item.nonce }, (answer) => {
            if (answer && answer.ok) succeed(item, answer); // even late, or twice
            else if (current === item.attempts && waiting.has(item)) fail(item, answer && answer.error);
        });
    }

    function succeed(item, answer) {
        settle(item);
        item.element = confirmMessage(item.element, answer);
        mark(item, "delivered");
    }

    function fail(item, reason) {
        settle(item);
        mark(item, "failed");
        const retry = make("button", "quiet", "Retry");
        retry.type = "button";
        retry.addEventListener("click", () => attempt(item));
        const note = make("p", "failure", `${reason || "Not delivered."} `, retry);
        note.setAttribute("role", "alert");
        item.element.append(note);
        item.element.scrollIntoView({ block: "nearest" });
    }

    function settle(item) {
        clearTimeout(item.timer);
        waiting.delete(item);
    }

    /* `resend` is called when we are in the room (again); `isEmpty` tells whether anything still waits. */
    return { add, resend: () => waiting.forEach(send), isEmpty: () => waiting.size === 0 };
}

const TICKS = { pending: ["◌", "Sending"], delivered: ["✓", "Delivered"], failed: ["!", "Not delivered"] };

function mark({ element }, state) {
    element.dataset.state = state;
    element.querySelector(".tick")?.remove();
    element.querySelector(".failure")?.remove();
    const [sign, meaning] = TICKS[state];
    const tick = make("span", "tick", sign);
    tick.title = meaning;
    tick.setAttribute("role", "img");
    tick.setAttribute("aria-label", meaning);
    element.querySelector(".foot").append(tick);
}

function randomHex() {
    // Not crypto.randomUUID: over plain http it exists on localhost only.
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
