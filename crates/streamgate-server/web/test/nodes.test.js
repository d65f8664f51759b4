// The demo over two nodes with one Redis: devices at different nodes are one account.

import assert from "node:assert/strict";
import test, { after } from "node:test";
import { startRedis } from "./redis.js";
import { Browser, Server, click, open, shows, until } from "./support.js";

const PLAYING = /^Playing\. This device holds a screen\.$/;

const browser = await Browser.launch({ after });
const redis = await startRedis({ after });
const [one, two] = await Promise.all([1, 2].map(() => Server.start({ after }, [`store.url=${redis}`])));

test("three devices at two nodes play, the fourth is refused, and stops one at the other node", async (t) => {
    await one.call("PUT", "/v1/users/ann", { limit: 3 });
    const watch = (node, device) => open(t, browser, `${node.url}/demo/#user=ann&device=${device}`);
    const tv = await watch(one, "tv");
    await shows(tv, ".status", PLAYING);
    await shows(await watch(two, "phone"), ".status", PLAYING);
    await shows(await watch(one, "laptop"), ".status", PLAYING);
    const tablet = await watch(two, "tablet");
    assert.equal(await shows(tablet, ".panel h2", /./), "You are watching on Living room TV, Phone and Laptop");
    await tv.run("document.querySelector('video').addEventListener('pause', () => (window.pausedAt = Date.now()))");
    const chosenAt = Date.now();
    await click(tablet, '[data-stops="Living room TV"]');
    await shows(tablet, ".status", PLAYING);
    await shows(tv, ".panel h2", /^Tablet is playing now$/);
    // A heartbeat would tell after up to 30 s.
    const tookMs = (await tv.run("pausedAt")) - chosenAt;
    assert.ok(tookMs < 5000, `paused after ${tookMs} ms`);
    for (const node of [one, two]) {
        await until(async () => (await node.watching("ann")).length == 3);
        const names = (await node.watching("ann")).map(({ device_name }) => device_name);
        assert.deepEqual(names, ["Phone", "Laptop", "Tablet"]);
    }
});

test("a node is stopped, and its device plays on when it is back", async (t) => {
    await one.call("PUT", "/v1/users/ben", { limit: 1 });
    const tv = await open(t, browser, `${one.url}/demo/#user=ben&device=tv`);
    await shows(tv, ".status", PLAYING);
    const [{ session_id }] = await two.watching("ben");
    await one.stop("SIGKILL");
    await shows(tv, ".status", /^The server does not answer/);
    // The other node still counts it.
    const phone = await open(t, browser, `${two.url}/demo/#user=ben&device=phone`);
    await shows(phone, ".panel h2", /^You are watching on Living room TV$/);
    await one.start();
    await shows(tv, ".status", PLAYING);
    assert.equal((await two.watching("ben"))[0].session_id, session_id);
});
