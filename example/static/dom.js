/* The few things that every page does to its document. Text goes in as text, never as HTML. */

export const byId = (id) => document.getElementById(id);

/* Make an element: its tag, its class, and what it holds, strings or elements. */
export function make(tag, className, ...content) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content);
    return element;
}

/* Show a text in an element that is hidden while it has none. */
export function show(element, text) {
    element.textContent = text;
    element.hidden = !text;
}

export const countOf = (number) => (number === 0 ? "nobody" : number === 1 ? "1 person" : `${number} people`);
