// The feed of events in the console: live, filtered, paused, resumed, bounded.

import assert from "node:assert/strict";
import test, { after, describe } from "node:test";
import { atBest, choose, go, refuse, start, texts, type, visit } from "./console.js";
import { Browser, Server, click, hide, shows, until } from "./support.js";

const browser = await Browser.launch({ after });

/** An open feed on a server of its own, so that nobody else is told of. */
async function feed(t, settings = []) {
    const server = await Server.start(t, settings);
    const page = await visit(t, browser, server, "#/events");
    await shows(page, ".feed-line .badge", /^Live$/);
    return { server, page };
}

const kinds = (page) => texts(page, "tbody td:nth-child(2)");
const users = (page) => texts(page, "tbody td:nth-child(3)");

describe("events in the console", { concurrency: true }, () => {
    test("starts, refusals, endings and changes appear within two seconds, newest first", async (t) => {
        const { server, page } = await feed(t);
        const tookMs = await atBest(3, async (number) => {
            await refuse(server, `ann-${number}`);
            await until(async () => (await kinds(page)).length == 4 * number);
        });
        assert.ok(tookMs < 2000, `shown after ${tookMs} ms`);
        assert.deepEqual((await kinds(page)).slice(0, 4), ["Refused", "Started", "Started", "Changed"]);
        await server.call("DELETE", "/v1/users/ann-1/sessions/Phone");
        await shows(page, "tbody tr", /Ended.*ann-1.*Stopped/);
        await choose(page, "Why was ann-1 refused?");
        await shows(page, ".story", /Tablet asked to play night-train/);
    });

    test("filters by kind, user and reason; the address keeps them", async (t) => {
        const { server, page } = await feed(t);
        await refuse(server, "ann");
        await start(server, "ben", "tv");
        await server.call("DELETE", "/v1/users/ben");
        await until(async () => (await kinds(page)).length >= 6);
        await type(page, "#filter-user", "ben");
        await until(async () => new Set(await users(page)).size == 1);
        assert.deepEqual([...new Set(await users(page))], ["ben"]);
        await page.run(`(() => {
            const field = document.querySelector("#filter-reason");
            field.value = "revoked";
            field.dispatchEvent(new Event("change"));
        })()`);
        await until(async () => (await kinds(page)).join() == "Ended");
        await type(page, "#filter-user", "nobody");
        await shows(page, ".state h2", /^No event matches the filter\.$/);
        assert.match(await page.run("location.hash"), /user=nobody&reason=revoked/);
        await page.reload();
        await until(() => page.run("document.querySelector('#filter-user')?.value == 'nobody'"));
    });

    test("a kind can be left out", async (t) => {
        const { server, page } = await feed(t);
        await refuse(server, "ann");
        await until(async () => (await kinds(page)).length == 4);
        await click(page, ".checks input[value=started]");
        await until(async () => (await kinds(page)).join() == "Refused,Changed");
    });

    test("a paused feed stands still, counts what is new, and goes on", async (t) => {
        const { server, page } = await feed(t);
        await start(server, "ann", "tv");
        await until(async () => (await kinds(page)).length == 1);
        await choose(page, "Pause");
        await start(server, "ann", "phone");
        await start(server, "ann", "laptop");
        await shows(page, ".feed-line p", /^2 new events since$/);
        assert.equal((await kinds(page)).length, 1);
        await choose(page, "Resume");
        await until(async () => (await kinds(page)).length == 3);
    });

    test("a hidden tab misses nothing: it resumes behind the last event", async (t) => {
        const { server, page } = await feed(t);
        await start(server, "ann", "tv");
        await until(async () => (await kinds(page)).length == 1);
        await hide(page);
        await start(server, "ann", "phone");
        await new Promise((done) => setTimeout(done, 500));
        assert.equal((await kinds(page)).length, 1);
        await page.setWindow("normal");
        await until(async () => (await kinds(page)).length == 2);
        assert.deepEqual(await kinds(page), ["Started", "Started"]);
    });

    test("what a restarted server has forgotten is a gap", async (t) => {
        const { server, page } = await feed(t);
        await start(server, "ann", "tv");
        await until(async () => (await kinds(page)).length == 1);
        await server.stop("SIGKILL");
        await shows(page, ".feed-line .badge", /^Disconnected$/);
        await server.start();
        await shows(page, "tbody tr", /Events are missing here; how many is not known\./);
        await start(server, "ben", "tv");
        await shows(page, "tbody tr", /Started.*ben/);
    });

    test("the page keeps a bounded number of events", async (t) => {
        const { server, page } = await feed(t, ["policy.default_limit=1000"]);
        const starts = Array.from({ length: 300 }, (_, i) => start(server, `user-${i}`, "tv"));
        await Promise.all(starts);
        await shows(page, ".feed-line p", /^200 events shown/);
        assert.equal((await kinds(page)).length, 200);
        await choose(page, "Clear");
        await shows(page, ".state h2", /^Nothing has happened yet\.$/);
        await go(page, "#/node");
        await shows(page, "h1", /^Node$/);
    });
});
