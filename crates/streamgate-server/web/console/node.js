// The node that answers: version, store, settings that differ, and the other nodes.

import { duration, fill, h } from "../shared/ui.js";
import { head, loading, state, table, time } from "./parts.js";
import { repeat } from "./repeat.js";
import { texts } from "./texts.js";

const T = texts.node;
const POLL_MS = 5000;
/** Nodes are heard of every 10 seconds; one that was not for so long is told as silent. */
const SILENT_MS = 30_000;

/**
 * @param {import("./main.js").App} app
 * @param {import("./main.js").Route} _route
 * @param {AbortSignal} signal
 */
export function node({ connection, isOpen }, _route, signal) {
    const body = h("div", { class: "stack" }, loading());
    const facts = h("dl", { class: "facts" });
    const [nodes, settings] = [h("div", { class: "part" }), h("div")];
    const part = (/** @type {string} */ title, /** @type {HTMLElement} */ content) =>
        h("section", { class: "part" }, h("h2", {}, title), content);

    async function load() {
        const answer = await connection.get("v1/node", signal);
        const now = Date.parse(answer.started_at) + answer.uptime_s * 1000;
        fill(facts, factsOf(answer, now, isOpen));
        fill(nodes, nodesOf(answer, now));
        fill(settings, settingsOf(answer.settings));
        if (!facts.isConnected) fill(body, facts, part(T.nodes, nodes), part(T.settings, settings));
    }

    const element = h("div", { class: "view" }, head(T.title), body);
    const run = (/** @type {(error: Error) => void} */ fail) => repeat(() => POLL_MS, signal, load, fail);
    return { title: T.title, element, run };
}

function factsOf(/** @type {any} */ answer, /** @type {number} */ now, /** @type {boolean} */ isOpen) {
    const { version, uptime_s, started_at, store } = answer;
    const fact = (/** @type {string} */ name, /** @type {import("./parts.js").Child[]} */ ...value) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
    const since = h("span", { class: "muted" }, ` ${T.started} `, time(started_at, now));
    const isUsable = store.state == "ok";
    const usable = h(
        "span",
        { class: `badge ${isUsable ? "good" : "bad"}` },
        isUsable ? T.usable : T.unusable,
    );
    const detail = store.detail && h("p", { class: "muted small" }, store.detail);
    return [
        fact(T.version, h("span", { class: "num" }, version)),
        fact(T.uptime, h("span", { class: "num" }, duration(uptime_s * 1000)), since),
        fact(T.store, `${store.kind} `, usable, detail),
        fact(T.access, isOpen ? T.open : T.keyed),
    ];
}

function nodesOf(/** @type {any} */ { nodes, scope, store }, /** @type {number} */ now) {
    const isAlone = store.kind == "embedded" || store.kind == "memory";
    const nodesHint = isAlone ? T.nodesAlone : scope == "all" ? T.nodesAll : T.nodesOne;
    const rows = nodes.map((/** @type {any} */ one) => {
        const silent = now - Date.parse(one.last_seen_at);
        const isAlive = one.this || silent < SILENT_MS;
        const health = isAlive ? T.alive : T.silent(duration(silent));
        return h(
            "tr",
            {},
            h(
                "td",
                {},
                h("span", { class: "mono id" }, one.node),
                one.this && h("span", { class: "badge this" }, T.this),
            ),
            h("td", {}, h("span", { class: `badge ${isAlive ? "good" : "warn"}` }, health)),
            h("td", {}, one.version),
            h("td", {}, time(one.started_at, now)),
            h("td", {}, time(one.last_seen_at, now)),
        );
    });
    const columns = [T.node, T.health, T.version, T.startedAt, T.seen];
    const hint = h("p", { class: "muted small" }, nodesHint);
    return [hint, table(T.nodes, columns, h("tbody", {}, rows))];
}

function settingsOf(/** @type {any[] | null} */ settings) {
    if (!settings) return state(T.settingsHidden);
    if (!settings.length) return state(T.settingsNone);
    const text = (/** @type {unknown} */ value) =>
        value == null || value === ""
            ? h("span", { class: "muted" }, T.unset)
            : h("code", {}, plain(value));
    const rows = settings.map(({ name, value, default: usual }) =>
        h("tr", {}, h("td", {}, h("code", {}, name)), h("td", {}, text(value)), h("td", {}, text(usual))),
    );
    return table(T.settings, [T.name, T.value, T.default], h("tbody", {}, rows));
}

const plain = (/** @type {unknown} */ value) => (typeof value == "string" ? value : JSON.stringify(value));
