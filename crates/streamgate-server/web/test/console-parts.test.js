// Parts of the console without a page: the series of the charts, the server's clock, numbers.

import assert from "node:assert/strict";
import test from "node:test";
import { Connection } from "../console/connection.js";
import { count, milliseconds, rate, sentence } from "../console/format.js";
import { COLUMNS, History, Series } from "../console/series.js";
import { viewerOf } from "../console/session.js";

const T0 = Date.parse("2026-11-29T12:00:00.000Z");
const REASONS = ["stopped", "expired", "evicted", "terminated", "revoked"];

/** An answer whose columns all have these values, the first one `from` seconds after `T0`. */
function answer(from, values, step_s = 1) {
    const plain = COLUMNS.filter((name) => !REASONS.includes(name)).map((name) => [name, values]);
    return {
        now: new Date(T0 + (from + values.length - 1) * 1000 * step_s + 200).toISOString(),
        from: new Date(T0 + from * 1000).toISOString(),
        step_s,
        ...Object.fromEntries(plain),
        ended: Object.fromEntries(REASONS.map((name) => [name, values])),
        top_refused: [],
    };
}

test("a series takes new values behind its own, and forgets the oldest", () => {
    const series = new Series(1000, 5);
    series.take(answer(0, [1, 2, 3]));
    assert.deepEqual(series.values("starts"), [null, null, 1, 2, 3]);
    series.take(answer(3, [4]));
    series.take(answer(4, []));
    assert.deepEqual(series.values("revoked"), [null, 1, 2, 3, 4]);
    series.take(answer(2, [3, 4, 5, 6]));
    assert.deepEqual(series.values("p99_ms"), [2, 3, 4, 5, 6]);
    assert.equal(series.newest, T0 + 5000);
    assert.equal(series.oldest, T0 + 1000);
    assert.deepEqual(series.values("starts", 2), [5, 6]);
});

test("a gap stays a gap; what a restarted node has forgotten stays", () => {
    const series = new Series(1000, 6);
    series.take(answer(0, [1, 2]));
    series.take(answer(4, [5]));
    assert.deepEqual(series.values("starts"), [null, 1, 2, null, null, 5]);
    series.take(answer(0, [null, null, null, null, null, 6]));
    assert.deepEqual(series.values("starts"), [1, 2, null, null, 5, 6]);
});

test("values of long ago take the place of all, and longer answers are cut", () => {
    const series = new Series(1000, 3);
    series.take(answer(0, [1, 2, 3]));
    series.take(answer(9000, [7, 8, 9, 10]));
    assert.deepEqual(series.values("starts"), [8, 9, 10]);
});

test("the first request is for the hour and the seconds, later ones for what is new", async () => {
    const asked = [];
    const answers = [
        answer(-3590, Array(360).fill(1), 10),
        answer(-599, Array(600).fill(2)),
        answer(1, [3]),
    ];
    const connection = { get: async (path) => (asked.push(path), answers[asked.length - 1]) };
    const history = new History(/** @type {any} */ (connection));
    const { signal } = new AbortController();
    await history.refresh(signal);
    await history.refresh(signal);
    assert.deepEqual(asked, [
        "v1/stats?window_s=3600",
        "v1/stats?window_s=600",
        "v1/stats?window_s=600&after=2026-11-29T12:00:00.000Z",
    ]);
    assert.deepEqual(history.seconds.values("starts", 2), [2, 3]);
    // The answer came 200 ms behind its value: the next one is asked for a little earlier.
    assert.equal(history.pauseMs, 950);
});

test("after the node's clock was set back the series begin anew", async () => {
    const answers = [
        answer(-3590, Array(360).fill(1), 10),
        answer(-599, Array(600).fill(2)),
        answer(-7200, [3]),
    ];
    const asked = [];
    const connection = { get: async (path) => (asked.push(path), answers.shift()) };
    const history = new History(/** @type {any} */ (connection));
    const { signal } = new AbortController();
    for (let times = 0; times < 2; times++) await history.refresh(signal);
    assert.equal(history.seconds.newest, 0);
    answers.push(answer(-7200, [3, 4]));
    await history.refresh(signal);
    assert.equal(asked.at(-1), "v1/stats?window_s=600");
    assert.deepEqual(history.seconds.values("starts", 3), [null, 3, 4]);
});

test("the clock is the browser's, unless the server's contradicts it", async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: T0 });
    const ahead = async (seconds) => {
        const date = new Date(Math.floor((Date.now() + seconds * 1000) / 1000) * 1000).toUTCString();
        t.mock.method(globalThis, "fetch", async () => new Response("", { headers: { date } }));
        const connection = new Connection(null);
        await connection.stream("v1/events", "", new AbortController().signal);
        return connection.now() - Date.now();
    };
    assert.equal(await ahead(0), 0);
    assert.equal(await ahead(0.9), 0);
    assert.equal(await ahead(60), 60_000);
    assert.equal(await ahead(-60), -59_000);
});

test("numbers are short, and say what they can", () => {
    assert.deepEqual([0, 999, 12_345, 12_345_678, null].map(count), ["0", "999", "12,345", "12.3M", "–"]);
    assert.deepEqual([0, 0.1, 9.96, 12.4, 1234, undefined].map(rate), [
        "0",
        "0.1",
        "10.0",
        "12",
        "1,234",
        "–",
    ]);
    assert.deepEqual([0.214, 12.34, 123.4, null].map(milliseconds), ["0.21", "12.3", "123", "–"]);
    assert.deepEqual(
        ["", "not here", "It is. "].map((text) => sentence(text.trim())),
        ["", "Not here.", "It is."],
    );
});

test("a viewer's token names its user; a key, and what is neither, does not", () => {
    const token = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;
    assert.equal(viewerOf(token({ sub: "jürgen ø" })), "jürgen ø");
    for (const other of ["sgk_abc-def_0", "a.b.c", token({ sub: 7 }), token({}), "", "sgk.a"]) {
        assert.equal(viewerOf(other), null, other);
    }
});
