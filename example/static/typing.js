/* Who is writing: told to the others now and then while we type, and shown until it is old. */

import { byId } from "./dom.js";

const TELL_INTERVAL = 2000; // milliseconds between two hints of ours
const SHOWN = 4000; // milliseconds for which a hint of somebody else's is shown

const line = byId("typing");
const timers = new Map();
let told = -Infinity;

/* Call at every key press; `tell` is called seldom enough. */
export function weType(tell) {
    if (performance.now() - told < TELL_INTERVAL) return;
    told = performance.now();
    tell();
}

/* The message that we were typing has been sent: the next key press is worth a hint. */
export function weSent() {
    told = -Infinity;
}

export function theyType(name) {
    clearTimeout(timers.get(name));
    timers.set(name, setTimeout(theyStopped, SHOWN, name));
    display();
}

export function theyStopped(name) {
    clearTimeout(timers.get(name));
    if (timers.delete(name)) display();
}

function display() {
    const names = Array.from(timers.keys());
    const who = names.length > 2 ? "Several people" : names.join(" and ");
    line.textContent = names.length ? `${who} ${names.length === 1 ? "is" : "are"} typing…` : "";
}
