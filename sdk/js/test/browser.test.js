// The SDK in a real browser: tabs that are hidden, frozen, reloaded, closed, killed; strict pages.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test, { after, describe } from "node:test";
import { Browser } from "./support/browser.js";
import { servePages } from "./support/pages.js";
import { CUT, Proxy } from "./support/proxy.js";
import { QUICK, Server } from "./support/server.js";
import { until } from "./support/wait.js";

/** Starts a session as soon as it is loaded, with the options in its address. */
const PLAYER = `
    import * as streamgate from "/sdk/index.js";
    window.streamgate = streamgate;
    const options = JSON.parse(decodeURIComponent(location.search.slice(1)));
    window.playing = streamgate.start({ ...options, onEnded: (ended) => (window.ended = ended) });
    window.playing.then((session) => (window.session = session), () => {});
`;
const PAGE = `<!doctype html><title>player</title><link rel="icon" href="data:,">
    <script type="module" src="/player.js"></script><video muted></video>`;

const KEY = "sgk_test";
const sha256 = createHash("sha256").update(KEY).digest("hex");
const KEYS = { STREAMGATE_KEYS: `[{ name = "test", scope = "player", sha256 = "${sha256}" }]` };
const HEARTBEAT = /POST .*\/heartbeat/;

const server = await Server.start({ after });
const slow = await Server.start({ after }, [...QUICK, "policy.lease_s=90"]);
const browser = await Browser.launch({ after });
const roots = { sdk: new URL("../dist/", import.meta.url), "/player.js": PLAYER, "/": PAGE };
const site = await servePages({ after }, roots);

/** A tab with a session of a new user. */
async function watch(t, api = server, options = {}) {
    const user = api.newUser();
    const proxy = await Proxy.start(t, () => api.url);
    const worker = "/sdk/worker.js";
    const all = { url: proxy.url, user, worker, hold: false, ...options };
    const page = await browser.open(`${site}/?${encodeURIComponent(JSON.stringify(all))}`);
    t.after(() => page.close().catch(() => {}));
    await page.run("playing.then(() => 1)");
    const watching = () => api.watching(user);
    return { page, proxy, user, watching };
}

/** Puts another tab in front. */
async function hide(t, page) {
    const other = await browser.open(`${site}/elsewhere`);
    t.after(() => other.close());
    await other.show();
    await until(() => page.run("document.visibilityState == 'hidden'"));
}

describe("browser", { concurrency: true }, () => {
    test("under a strict policy the worker's own file ticks, and nothing is complained about", async (t) => {
        const { page, proxy } = await watch(t);
        await until(() => proxy.seen(HEARTBEAT).length > 1);
        assert.deepEqual(page.complaints, []);
        const hosts = [new URL(site).host, new URL(proxy.url).host];
        assert.deepEqual([...page.hosts].sort(), hosts.sort());
    });

    test("a policy that forbids the worker leaves the timers of the page", async (t) => {
        const { page, proxy } = await watch(t, server, { worker: undefined });
        await until(() => proxy.seen(HEARTBEAT).length > 1);
        assert.match(page.complaints.join(), /Content Security Policy.*worker-src/s);
    });

    test("a killed tab frees its slot one lease later", async (t) => {
        const { page, watching } = await watch(t);
        const [{ expires_at }] = await watching();
        page.crash();
        const crashedAt = Date.now();
        assert.equal((await watching()).length, 1);
        await until(async () => (await watching()).length == 0);
        const freedAt = Date.now();
        assert.ok(freedAt >= Date.parse(expires_at), "not before the lease was over");
        assert.ok(freedAt - crashedAt < 6000, `${freedAt - crashedAt} ms`);
    });

    test("a frozen tab loses its lease, and is back at once when it thaws", async (t) => {
        const { page, watching } = await watch(t);
        await hide(t, page);
        await page.send("Page.setWebLifecycleState", { state: "frozen" });
        await until(async () => (await watching()).length == 0);
        await page.send("Page.setWebLifecycleState", { state: "active" });
        const thawedAt = Date.now();
        await until(async () => (await watching()).length == 1);
        assert.ok(Date.now() - thawedAt < 1000, `${Date.now() - thawedAt} ms`);
        assert.equal(await page.run("session.state"), "live");
    });

    test("back online the lease is renewed at once", async (t) => {
        const { page, proxy } = await watch(t, slow);
        const offline = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
        await page.send("Network.emulateNetworkConditions", { ...offline, offline: true });
        await new Promise((done) => setTimeout(done, 2500));
        const before = proxy.seen(HEARTBEAT).length;
        await page.send("Network.emulateNetworkConditions", { ...offline, offline: false });
        const onlineAt = Date.now();
        await until(() => proxy.seen(HEARTBEAT).length > before);
        assert.ok(Date.now() - onlineAt < 900, `${Date.now() - onlineAt} ms`);
    });

    test("a reload keeps the slot, even if the page could not say goodbye", async (t) => {
        const { page, proxy, watching } = await watch(t, slow);
        const [{ session_id: before }] = await watching();
        // The page's goodbye is lost: the limit of one would refuse another session.
        proxy.answer = ({ path }) => (/\/stop$/.test(path) ? CUT : undefined);
        await page.reload();
        await page.run("playing.then(() => 1)");
        const [{ session_id }, ...others] = await watching();
        assert.notEqual(session_id, before);
        assert.deepEqual(others, []);
        assert.equal(await page.run("session.id"), session_id);
    });

    test("the fail mode that the server announced is known when it cannot be asked", async (t) => {
        const settings = [...QUICK, "engine.fail_mode=open"];
        const lenient = await Server.start(t, settings);
        const { page, proxy, watching } = await watch(t, lenient, { startTimeoutMs: 100 });
        proxy.answer = () => CUT;
        await page.reload();
        await page.run("playing.then(() => 1)");
        assert.equal(await page.run("session.state"), "degraded");
        proxy.answer = () => undefined;
        await until(() => page.run("session.state == 'live'"));
        assert.equal((await watching()).length, 1);
    });

    test("a duplicated tab does not share the slot", async (t) => {
        const { page } = await watch(t, slow);
        // The browser copies the storage of the tab: nothing in it may name the session.
        assert.equal(await page.run("JSON.stringify(sessionStorage)"), "{}");
    });

    test("a closed page frees its slot by a beacon", async (t) => {
        const { page, proxy, watching } = await watch(t, slow);
        await page.close();
        await until(async () => (await watching()).length == 0);
        const [{ headers }] = proxy.seen(/POST .*\/stop/);
        assert.equal(headers.authorization, undefined);
    });

    test("a page in the back/forward cache has no slot, and takes one when it is back", async (t) => {
        const { page, watching } = await watch(t, slow);
        const [{ session_id: before }] = await watching();
        await page.run("window.isCached = true");
        await page.go(`${site}/elsewhere`);
        await until(async () => (await watching()).length == 0);
        const { entries, currentIndex } = await page.send("Page.getNavigationHistory");
        const { id } = entries[currentIndex - 1];
        await page.send("Page.navigateToHistoryEntry", { entryId: id });
        const [{ session_id }] = await until(async () => {
            const sessions = await watching();
            return sessions.length && sessions;
        });
        assert.notEqual(session_id, before);
        assert.equal(await page.run("window.isCached"), true, "it came from the cache");
        assert.equal(await page.run("session.id"), session_id);
    });

    test("a hidden tab keeps its slot", async (t) => {
        const { page, proxy, watching } = await watch(t);
        await hide(t, page);
        const before = proxy.seen(HEARTBEAT).length;
        // Longer than its lease.
        await new Promise((done) => setTimeout(done, 6000));
        assert.ok(proxy.seen(HEARTBEAT).length - before >= 3);
        assert.equal((await watching()).length, 1);
        const hidden = proxy.seen(HEARTBEAT).length;
        await page.show();
        await until(() => proxy.seen(HEARTBEAT).length > hidden);
    });

    test("a closed page with a key frees its slot by a request that outlives it", async (t) => {
        const settings = [...QUICK, "policy.lease_s=90"];
        const locked = await Server.start(t, settings, KEYS);
        const { page, proxy } = await watch(t, locked, { token: KEY });
        await page.close();
        const [{ headers }] = await until(() => {
            const stops = proxy.seen(/POST .*\/stop/);
            return stops.length && stops;
        });
        assert.equal(headers.authorization, `Bearer ${KEY}`);
        const own = { authorization: `Bearer ${KEY}` };
        await until(async () => {
            const list = await fetch(`${locked.url}/v1/users/user-1/sessions`, { headers: own });
            return (await list.json()).active == 0;
        });
    });
});
