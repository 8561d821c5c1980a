/* The log of a room: messages in the order of their ids, and the lines between them. */

import { byId, make } from "./dom.js";

const LIMIT = 500; // elements kept on the page
const SAME_SPEAKER_INTERVAL = 5 * 60 * 1000; // after this pause, a speaker's name is shown again
const HUES = 8;

const log = byId("log");
const newer = byId("newer");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

newer.addEventListener("click", scrollToEnd);
log.addEventListener("scroll", () => isAtEnd() && (newer.hidden = true));
// A window that becomes smaller, or a keyboard that slides in, must not hide what was just read.
let wasAtEnd = true;
log.addEventListener("scroll", () => (wasAtEnd = isAtEnd()));
new ResizeObserver(() => wasAtEnd && scrollToEnd()).observe(log);

/* Add a message; `id` is null as long as the server has not given it one. Returns its element, or null if we have it. */
export function addMessage({ id = null, name, message, time }, isMine) {
    if (id !== null && log.querySelector(`[data-id="${Number(id)}"]`)) return null;
    const stamp = make("time");
    const element = make("article", isMine ? "message mine" : "message",
        make("p", "speaker", make("span", `avatar hue-${hueOf(name)}`, initialOf(name)), make("b", "", name)),
        make("p", "text", message),
        make("p", "foot", stamp));
    element.querySelector(".avatar").setAttribute("aria-hidden", "true");
    element.dataset.name = name;
    setTime(element, time);
    if (id !== null) element.dataset.id = id;
    place(element, isMine);
    return element;
}

/* Give a message of ours what the server made of it. */
export function confirmMessage(element, { id, message, time }) {
    const known = log.querySelector(`[data-id="${Number(id)}"]`);
    if (known && known !== element) {
        element.remove(); // it came with the missed messages before its acknowledgement did
        return known;
    }
    element.querySelector(".text").textContent = message;
    element.dataset.id = id;
    setTime(element, time);
    if (sorted(element) !== nextMessage(element)) place(element, true);
    return element;
}

/* Add a line such as "Ann joined"; `kind` is its class. */
export function addLine(text, kind = "") {
    const element = make("p", `line-note ${kind}`.trim(), text);
    element.dataset.time = Date.now();
    place(element, false);
}

/* Return the greatest id of all messages here, or 0. */
export function lastId() {
    return Math.max(0, ...Array.from(log.querySelectorAll("[data-id]"), (element) => Number(element.dataset.id)));
}

export function scrollToEnd() {
    log.scrollTop = log.scrollHeight;
    newer.hidden = true;
}

function place(element, follow) {
    const stick = follow || isAtEnd();
    const before = sorted(element);
    log.insertBefore(element, before);
    [element, before].forEach((each) => each && group(each));
    while (log.children.length > LIMIT) log.firstElementChild.remove();
    if (stick) scrollToEnd();
    else newer.hidden = false;
}

/* Return the element before which this one belongs: the first of those at the end with a greater id. */
function sorted(element) {
    const order = (each) => Number(each.dataset.id ?? Infinity);
    let before = null;
    for (let each = log.lastElementChild; each; each = each.previousElementSibling) {
        if (each === element || !each.classList.contains("message")) continue;
        if (order(each) <= order(element)) break;
        before = each;
    }
    return before;
}

function nextMessage(element) {
    do element = element.nextElementSibling; while (element && !element.classList.contains("message"));
    return element;
}

/* Leave out the name where the same person goes on, and say the day where a new one begins. */
function group(element) {
    const previous = element.previousElementSibling;
    const time = Number(element.dataset.time);
    const goesOn = previous?.dataset.name !== undefined && previous.dataset.name === element.dataset.name
        && time - Number(previous.dataset.time) < SAME_SPEAKER_INTERVAL;
    element.classList.toggle("goes-on", goesOn);
    const day = calendar.format(time);
    const isNewDay = previous ? calendar.format(Number(previous.dataset.time)) !== day : day !== calendar.format(Date.now());
    if (isNewDay) element.dataset.day = day;
    else delete element.dataset.day;
}

function setTime(element, time) {
    const date = new Date(time);
    element.dataset.time = time;
    Object.assign(element.querySelector("time"), { dateTime: date.toISOString(), textContent: clock.format(date) });
}

function isAtEnd() {
    return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

export function hueOf(name) {
    let sum = 0;
    for (const character of name.toLowerCase()) sum = (sum * 31 + character.codePointAt(0)) % 9973;
    return sum % HUES;
}

export function initialOf(name) {
    return String.fromCodePoint(name.codePointAt(0)).toUpperCase();
}
