// Which failures pass, and how long is waited before the next try.

import assert from "node:assert/strict";
import test from "node:test";
import { backoff, isFinal } from "../dist/retry.js";

test("backoff doubles up to the interval of heartbeats, and has full jitter", (t) => {
    const most = t.mock.method(Math, "random", () => 1);
    assert.deepEqual([0, 1, 2, 3, 9].map((tries) => backoff(tries, 5000)), [1000, 2000, 4000, 5000, 5000]);
    // What a server names as the delay of its event streams.
    assert.deepEqual([0, 1].map((tries) => backoff(tries, 5000, 3000)), [3000, 5000]);
    most.mock.mockImplementation(() => 0);
    assert.equal(backoff(9, 5000), 0);
});

test("what the caller did wrong is not tried again", () => {
    for (const status of [400, 401, 403, 404, 409, 410, 413]) assert.ok(isFinal({ status }), status);
    // No answer, a time limit, a rate, and whatever is wrong with the server.
    for (const status of [0, 200, 408, 429, 500, 502, 503]) assert.ok(!isFinal({ status }), status);
});
