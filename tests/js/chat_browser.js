/* Remote control of a headless Chromium: one JSON request per line on standard input, one answer per line on output.
 *
 *   {"open": "ann", "url": "…", "context": {…}, "init": "…", "beside": "other"}   a new page
 *   {"page": "ann", "call": "fill", "args": ["#name", "Ann"]}                     any method of Playwright's Page
 *   {"page": "ann", "wait": "a === b", "timeout": 9000}                           until an expression is true
 *   {"page": "ann", "keyboard": "press", "text": "Tab"}                           any method of its Keyboard
 *   {"page": "ann", "audit": true}                                                what the checker axe objects to
 *   {"page": "ann", "drop": true}                                                 take the whole page away at once
 *   {"problems": "ann"}                                       what its console and its security policy complained of
 * Answers are {"value": …} or {"error": "…"}. It ends with its standard input.
 */
"use strict";

const readline = require("node:readline");
const { chromium } = require("playwright-core");

const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"];

// Runs in the page before its own scripts, so that no violation is missed.
const WATCH_POLICY = `document.addEventListener("securitypolicyviolation", (event) =>
    console.error("Content-Security-Policy: " + event.violatedDirective + " " + event.blockedURI));`;

const pages = new Map();

async function open(browser, { open: name, url, context = {}, init, beside }) {
    const where = beside ? pages.get(beside).page.context() : await browser.newContext(context);
    const page = await where.newPage();
    const problems = [];
    await page.addInitScript(WATCH_POLICY);
    if (init) await page.addInitScript(init);
    page.on("console", (message) => message.type() === "error" &&
        problems.push(`${message.text()} (${message.location().url})`));
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("dialog", (dialog) => dialog.accept());
    pages.set(name, { page, problems });
    await page.goto(url);
}

/* Playwright's own waitForFunction evaluates in the page, which the page's security policy forbids. */
async function wait(page, condition, timeout) {
    const end = Date.now() + timeout;
    for (;;) {
        // While the page is on its way to another address there is nothing to evaluate in.
        const value = await page.evaluate(condition).catch(() => false);
        if (value) return;
        if (Date.now() > end) throw new Error("not in time");
        await new Promise((resolve) => setTimeout(resolve, 30));
    }
}

async function audit(page) {
    await page.evaluate(require("axe-core").source);
    const { violations } = await page.evaluate("axe.run()");
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
}

async function answer(browser, request) {
    if (request.open) return open(browser, request);
    if (request.problems) return pages.get(request.problems).problems;
    const { page } = pages.get(request.page);
    if (request.audit) return audit(page);
    if (request.wait) return wait(page, request.wait, request.timeout);
    if (request.keyboard) return page.keyboard[request.keyboard](request.text);
    if (request.drop) return page.context().close();
    const value = await page[request.call](...(request.args || []));
    return ["evaluate", "textContent", "inputValue"].includes(request.call) ? value : undefined;
}

async function main() {
    const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
    const browser = await chromium.launch({ executablePath, args: FLAGS, chromiumSandbox: false });
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const reply = await answer(browser, JSON.parse(line)).then(
            (value) => ({ value: value === undefined ? null : value }),
            (error) => ({ error: String(error) }),
        );
        process.stdout.write(JSON.stringify(reply) + "\n");
    }
    await browser.close();
}

main().catch((error) => {
    process.stderr.write(String(error) + "\n");
    process.exitCode = 1;
});
