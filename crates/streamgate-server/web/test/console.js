// What the tests of the console share.

import { createHash } from "node:crypto";
import { click, open, shows, until } from "./support.js";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** A key of each scope, for a server with `KEYS`. */
export const KEY = { admin: "sgk_admin", service: "sgk_service", player: "sgk_player" };
const entries = Object.entries(KEY).map(
    ([scope, key]) => `{ name = "${scope}", scope = "${scope}", sha256 = "${sha256(key)}" }`,
);
export const KEYS = { STREAMGATE_KEYS: `[${entries.join(", ")}]` };

/** Markup in all places where a stranger chooses the text. */
export const MARKUP = `<img src=x onerror="window.isHacked=1"><b>"'&`;

/** Opens a view of the console in a tab. */
export const visit = (t, browser, server, hash = "") => open(t, browser, `${server.url}/console/${hash}`);

/** Goes to a view in an open tab. */
export const go = (page, hash) => page.run(`location.hash = ${JSON.stringify(hash)}`);

/** Starts a session of a user on a device. */
export function start(server, user, device, facts = {}) {
    const path = `/v1/users/${encodeURIComponent(user)}/sessions/${encodeURIComponent(device)}`;
    return server.call("PUT", path, { device_name: device, ...facts });
}

/** Takes every slot of a user with a limit of 2, and has a third start refused. */
export async function refuse(server, user, facts = {}) {
    await server.call("PUT", `/v1/users/${encodeURIComponent(user)}`, { limit: 2 });
    await start(server, user, "Living room TV", { device_class: "tv", content_id: "harbour", ...facts });
    await start(server, user, "Phone", { device_class: "phone", content_id: "news", ...facts });
    return start(server, user, "Tablet", { device_class: "tablet", content_id: "night-train", ...facts });
}

/**
 * How long something takes at best, in milliseconds: of several times, because a machine that is busy
 * with other tests makes some of them late. `once` gets the number of the time.
 */
export async function atBest(times, once) {
    let best = Infinity;
    for (let number = 1; number <= times; number++) {
        const startedAt = Date.now();
        await once(number);
        best = Math.min(best, Date.now() - startedAt);
    }
    return best;
}

/** Clicks the button or link that says this; in the dialog, if one is open. */
export async function choose(page, text) {
    const mark = `button-${++marks}`;
    await until(() =>
        page.run(`(() => {
            const root = document.querySelector("dialog[open]") ?? document;
            const all = [...root.querySelectorAll("button, a, summary")];
            const found = all.find((one) => one.checkVisibility() && !one.disabled &&
                (one.getAttribute("aria-label") ?? one.textContent).trim() == ${JSON.stringify(text)});
            found?.setAttribute("data-test", "${mark}");
            return found != null;
        })()`),
    );
    await click(page, `[data-test="${mark}"]`);
}

let marks = 0;

/** Types into a field, in place of what it has. */
export async function type(page, selector, text) {
    await until(() => page.run(`document.querySelector(${JSON.stringify(selector)}) != null`));
    await page.run(`(() => {
        const field = document.querySelector(${JSON.stringify(selector)});
        field.focus();
        field.select?.();
    })()`);
    await page.send("Input.insertText", { text });
}

/** Signs in. */
export async function signIn(page, credential) {
    await shows(page, "h1", /^Sign in$/);
    await type(page, "#credential", credential);
    await choose(page, "Sign in");
}

/** The paths of the API that the page has asked for, without their queries. */
export const asked = (page) =>
    page.run(`performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname)
        .filter((path) => path.startsWith("/v1/"))`);

/** The text of all elements that match. */
export const texts = (page, selector) =>
    page.run(
        `[...document.querySelectorAll(${JSON.stringify(selector)})].map(({ textContent }) => textContent)`,
    );
