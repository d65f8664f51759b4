// The console over two nodes with one Redis: each shows what happens at the other.

import assert from "node:assert/strict";
import test, { after } from "node:test";
import { atBest, choose, refuse, start, texts, visit } from "./console.js";
import { startRedis } from "./redis.js";
import { Browser, Server, assertFit, shows, until } from "./support.js";

const browser = await Browser.launch({ after });
const redis = await startRedis({ after });
const [one, two] = await Promise.all([1, 2].map(() => Server.start({ after }, [`store.url=${redis}`])));

test("the feed of one node tells what happens at the other within two seconds", async (t) => {
    const page = await visit(t, browser, one, "#/events");
    await shows(page, ".feed-line", /Live.*Of all nodes\./);
    const rows = () => texts(page, "tbody tr");
    const isTold = async (user) => (await rows()).some((row) => row.includes(`Refused${user}2 of 2`));
    // Node two publishes for the tenant once it has heard that somebody listens at node one.
    let tries = 0;
    await until(async () => {
        await refuse(two, `early-${++tries}`);
        return (await rows()).length > 0;
    });
    const tookMs = await atBest(3, async (number) => {
        await refuse(two, `ann-${number}`);
        await until(() => isTold(`ann-${number}`));
    });
    assert.ok(tookMs < 2000, `shown after ${tookMs} ms`);
});

test("a session of the other node is seen and stopped", async (t) => {
    await start(two, "ben", "TV");
    const page = await visit(t, browser, one, "#/users/ben");
    await choose(page, "Stop TV");
    await choose(page, "Stop session");
    await until(async () => (await two.watching("ben")).length == 0);
    await shows(page, ".state h2", /^Nobody is watching\.$/);
    await start(two, "ben", "Phone");
    await shows(page, ".session strong", /^Phone$/);
});

test("each node shows the other, and that it fell silent or went away", async (t) => {
    const page = await visit(t, browser, one, "#/node");
    await until(
        async () =>
            (await texts(page, "tbody:first-of-type tr .badge")).filter((one) => one == "Alive").length ==
            2,
    );
    await shows(page, ".view", /All nodes of the shared store/);
    await shows(page, ".facts", /redis Usable/);
    await assertFit(page, "two nodes");
    await two.stop("SIGKILL");
    const alive = async () => (await texts(page, ".badge.good")).filter((one) => one == "Alive").length;
    await until(async () => (await alive()) == 1, 60);
});
