/* The list of rooms: how many people are in each, and rooms made by others, as it happens. */

import { connect, showSystemMessage } from "./connection.js";
import { byId, countOf, make } from "./dom.js";

const list = byId("rooms");

function update({ id, slug, name, count }) {
    const link = list.querySelector(`[data-room="${Number(id)}"]`) || add(id, slug, name);
    const number = link.querySelector(".count");
    number.textContent = countOf(count);
    number.classList.toggle("empty", count === 0);
}

function add(id, slug, name) {
    const link = make("a", "", make("span", "room-name", name), " ", make("span", "count"));
    link.href = `/room/${encodeURIComponent(slug)}`;
    link.dataset.room = id;
    list.append(make("li", "", link));
    return link;
}

connect("lobby", {
    rooms: ({ rooms }) => rooms.forEach(update),
    room: ({ room }) => update(room),
    system: showSystemMessage,
}, () => {});
