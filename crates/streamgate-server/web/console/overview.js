// The overview: what the node does now, and what it did in the past hour.

import { h, write } from "../shared/ui.js";
import { Chart } from "./chart.js";
import { count, milliseconds, rate } from "./format.js";
import { head, keyed, state, table, time, userLink, whyLink } from "./parts.js";
import { repeat } from "./repeat.js";
import { texts } from "./texts.js";

const T = texts.overview;
const SPANS_S = /** @type {const} */ ([60, 300, 3600]);
/** Rates of the tiles are those of so many seconds: one of a single second cannot be read. */
const TILE_S = 10;

/** @typedef {import("./series.js").Column} Column */

/** @type {{ title: string, unit: string, none: string, format: (v: number | null | undefined) => string,
 *     lines: (import("./chart.js").Line & { column: Column })[] }[]} */
const CHARTS = [
    {
        title: T.traffic,
        none: T.noValues,
        unit: T.perSecond,
        format: rate,
        lines: [
            { column: "starts", name: T.starts, color: "--accent", isFilled: true },
            { column: "refusals", name: T.refusals, color: "--bad" },
        ],
    },
    {
        title: T.audience,
        none: T.sharedHint,
        unit: T.audienceUnit,
        format: count,
        lines: [
            { column: "live_sessions", name: T.sessions, color: "--accent", isFilled: true },
            { column: "watching_users", name: T.users, color: "--muted", dash: [5, 3] },
        ],
    },
    {
        title: T.endings,
        none: T.noValues,
        unit: T.perSecond,
        format: rate,
        lines: [
            { column: "stopped", name: texts.reasons.stopped, color: "--accent" },
            { column: "expired", name: texts.reasons.expired, color: "--warn" },
            { column: "terminated", name: texts.reasons.terminated, color: "--good", dash: [5, 3] },
            { column: "evicted", name: texts.reasons.evicted, color: "--muted", dash: [2, 3] },
            { column: "revoked", name: texts.reasons.revoked, color: "--bad", dash: [8, 3] },
        ],
    },
    {
        title: T.latency,
        none: T.noCalls,
        unit: T.latencyUnit,
        format: milliseconds,
        lines: [
            { column: "p50_ms", name: T.p50, color: "--accent" },
            { column: "p99_ms", name: T.p99line, color: "--warn" },
        ],
    },
];

/**
 * @param {import("./main.js").App} app
 * @param {import("./main.js").Route} route
 * @param {AbortSignal} signal
 */
export function overview({ history }, route, signal) {
    const asked = Number(route.query.get("span"));
    let span = SPANS_S.find((seconds) => seconds == asked) ?? 300;
    const charts = CHARTS.map((options) => new Chart(options));
    for (const chart of charts) {
        chart.onCursor = (at) => charts.forEach((other) => other.setCursor(at));
    }
    const tiles = makeTiles(history);
    const top = makeTop(history);

    function show() {
        const hasHour = span == 3600;
        const series = hasHour ? history.hour : history.seconds;
        const length = (span * 1000) / series.stepMs;
        const oldest = series.newest - (length - 1) * series.stepMs;
        charts.forEach((chart, i) => {
            const columns = CHARTS[i].lines.map(({ column }) => series.values(column, length));
            chart.show({ oldest, stepMs: series.stepMs, columns });
        });
        tiles.show();
        top.show();
    }

    const choose = (/** @type {number} */ seconds) => {
        span = SPANS_S.find((one) => one == seconds) ?? span;
        window.history.replaceState(null, "", `#/?span=${span}`);
        charts.forEach((chart) => chart.setCursor(null));
        show();
    };
    const element = h(
        "div",
        { class: "view overview" },
        head(T.title, T.scope, spans(span, choose)),
        tiles.element,
        h(
            "div",
            { class: "charts" },
            charts.map((chart) => chart.element),
        ),
        top.element,
    );
    if (history.seconds.newest) show();
    const theme = new MutationObserver(() => history.seconds.newest && show());
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    signal.addEventListener("abort", () => theme.disconnect());
    const task = async () => {
        await history.refresh(signal);
        show();
    };
    return {
        title: T.title,
        element,
        run: (/** @type {any} */ fail) => repeat(() => history.pauseMs, signal, task, fail),
    };
}

/** The choice of the time that the charts show. */
function spans(/** @type {number} */ chosen, /** @type {(seconds: number) => void} */ choose) {
    const options = SPANS_S.map((seconds) => {
        const radio = { type: "radio", name: "span", value: seconds, checked: seconds == chosen };
        const input = h("input", { ...radio, onchange: () => choose(seconds) });
        return h("label", {}, input, h("span", {}, T.spans[seconds]));
    });
    return h("fieldset", { class: "segments" }, h("legend", { class: "visually-hidden" }, T.span), options);
}

/** The large numbers. @param {import("./series.js").History} history */
function makeTiles(history) {
    const level = (/** @type {Column} */ column) => () => {
        const value = history.seconds.values(column, 1)[0];
        return { text: count(value), hint: value == null && history.seconds.newest ? T.shared : T.now };
    };
    const mean = (/** @type {Column} */ column) => () => {
        const values = known(history.seconds.values(column, TILE_S));
        const sum = values.reduce((total, value) => total + value, 0);
        const hint = `${T.perSecond}, ${T.ofTen}`;
        return { text: rate(values.length ? sum / values.length : null), hint };
    };
    const highest = () => {
        const values = known(history.seconds.values("p99_ms", TILE_S));
        const text = milliseconds(values.length ? Math.max(...values) : null);
        return { text, hint: `${T.ms}, ${T.ofTen}` };
    };
    const tiles = [
        { name: T.live, value: level("live_sessions") },
        { name: T.watching, value: level("watching_users") },
        { name: T.starts, value: mean("starts") },
        { name: T.refusals, value: mean("refusals"), kind: "bad" },
        { name: T.p99, value: highest },
    ].map(({ name, value, kind = "" }) => {
        const [number, hint] = [h("dd", { class: "tile-value" }), h("dd", { class: "tile-hint" })];
        const element = h("div", { class: `tile ${kind}` }, h("dt", {}, name), number, hint);
        return { element, number, hint, value };
    });
    const show = () => {
        for (const { number, hint, value } of tiles) {
            const now = value();
            write(number, now.text);
            write(hint, now.hint);
        }
    };
    show();
    return {
        element: h(
            "dl",
            { class: "tiles" },
            tiles.map((tile) => tile.element),
        ),
        show,
    };
}

/** @param {import("./series.js").Values} values */
const known = (values) => values.filter((value) => value != null);

/** The most refused users. @param {import("./series.js").History} history */
function makeTop(history) {
    const body = h("tbody");
    const rows = table(T.top, [T.user, T.last, T.refused], body, 1);
    const none = state(T.topNone);
    const show = () => {
        const now = history.connection.now();
        keyed(
            body,
            history.topRefused,
            ({ user_id }) => user_id,
            () => topRow(now),
        );
        rows.hidden = !history.topRefused.length;
        none.hidden = !rows.hidden;
    };
    show();
    const hint = h("p", { class: "muted small" }, T.topHint);
    return { element: h("section", { class: "part" }, h("h2", {}, T.top), hint, rows, none), show };
}

/** A row of the most refused users. @param {number} now */
function topRow(now) {
    const [name, last, times] = [h("td"), h("td"), h("td", { class: "num" })];
    const update = (/** @type {any} */ { user_id, refusals, last_at }) => {
        if (!name.hasChildNodes())
            name.append(h("span", { class: "with-link" }, userLink(user_id), whyLink(user_id)));
        last.replaceChildren(time(last_at, now));
        write(times, count(refusals));
    };
    return { element: h("tr", {}, name, last, times), update };
}
