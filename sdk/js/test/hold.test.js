// Event streams: a session that holds one sends no heartbeats, and hears at once how it ended.
//
// The proxy plays the server's part, as the API describes event streams, so that it can break them.

import assert from "node:assert/strict";
import test, { after, describe } from "node:test";
import { start } from "../dist/index.js";
import { CUT, Proxy, event } from "./support/proxy.js";
import { Server } from "./support/server.js";
import { signal, until } from "./support/wait.js";

const HEARTBEAT = /POST .*\/heartbeat/;
const EVENTS = /GET .*\/events\?hold=true/;

const shared = await Server.start({ after });

/** What the server says of a session that goes on. */
const alive = { heartbeat_interval_s: 1, limit: 1, active: 1 };

describe("hold", { concurrency: true }, () => {
    /** A session whose event streams the test writes: `streams` are those that were opened. */
    const setup = async (t, options = {}, opens = () => true) => {
        const user = shared.newUser();
        let session;
        t.after(() => session.stop());
        const proxy = await Proxy.start(t, () => shared.url);
        const [streams, told] = [[], signal()];
        proxy.answer = (call, response) => {
            if (!EVENTS.test(`${call.method} ${call.path}`)) return undefined;
            if (!opens(call)) return { status: 404, body: { code: "not_found" } };
            streams.push(response);
            setImmediate(() => response.write(`retry: 100\n${event("session", alive)}`));
            return { headers: { "content-type": "text/event-stream" } };
        };
        session = await start({ url: proxy.url, user, onEnded: told.resolve, ...options });
        return { proxy, user, session, streams, told };
    };
    /** Renews the lease over the stream, as the server does, and for real. */
    const renew = async ({ proxy, user, session, streams }) => {
        await shared.call("POST", `/v1/users/${user}/sessions/${session.id}/heartbeat`);
        streams.at(-1).write(event("renewed", { session_id: session.id, ...alive }));
        return proxy;
    };

    test("no heartbeat is sent while the stream is open", async (t) => {
        const held = await setup(t);
        await until(() => held.streams.length);
        const before = held.proxy.seen(HEARTBEAT).length;
        for (let i = 0; i < 4; i++) {
            await renew(held);
            await new Promise((done) => setTimeout(done, 1000));
        }
        assert.equal(held.proxy.seen(HEARTBEAT).length, before);
        assert.equal(held.streams.length, 1);
        assert.equal(held.session.state, "live");
    });

    test("an ending is told within a second", async (t) => {
        const { session, streams, told } = await setup(t);
        await until(() => streams.length);
        const endedAt = Date.now();
        const ended = { reason: "terminated", ended_at: new Date().toISOString(), taken_by: "tv" };
        // In two pieces, as networks do.
        const text = event("ended", ended);
        streams[0].write(text.slice(0, 20));
        setImmediate(() => streams[0].end(text.slice(20)));
        const { reason, by } = await told;
        assert.ok(Date.now() - endedAt < 1000, `${Date.now() - endedAt} ms`);
        assert.deepEqual([reason, by], ["terminated", { sessionId: "tv" }]);
        assert.equal(session.state, "ended");
    });

    test("a stream that breaks is opened again, and heartbeats are sent until it is", async (t) => {
        let isBroken = false;
        const { proxy, streams, told } = await setup(t);
        await until(() => streams.length);
        const { answer } = proxy;
        proxy.answer = (call, response) => {
            const isStream = EVENTS.test(`${call.method} ${call.path}`);
            return isBroken && isStream ? CUT : answer(call, response);
        };
        isBroken = true;
        proxy.cut();
        await until(() => proxy.seen(HEARTBEAT).length > 1);
        isBroken = false;
        await until(() => streams.length == 2);
        streams[1].end(event("ended", { reason: "revoked" }));
        assert.equal((await told).reason, "revoked");
    });

    test("a server that stops says bye, and the player comes back", async (t) => {
        const { streams } = await setup(t);
        await until(() => streams.length);
        streams[0].end(`retry: 200\n${event("bye", {})}`);
        await until(() => streams.length == 2);
    });

    test("a server without event streams gets heartbeats", async (t) => {
        const { proxy } = await setup(t, {}, () => false);
        await until(() => proxy.seen(HEARTBEAT).length > 2);
        assert.equal(proxy.seen(EVENTS).length, 1);
    });

    test("a stream that is open, and renews nothing, is no heartbeat", async (t) => {
        const { proxy, streams } = await setup(t);
        await until(() => streams.length);
        // Before the lease of 5 s is over.
        await until(() => proxy.seen(HEARTBEAT).length);
        assert.equal((await shared.watching((await proxy).calls[0].path.split("/")[3])).length, 1);
    });

    test("hold: false opens no stream", async (t) => {
        const { proxy } = await setup(t, { hold: false });
        await until(() => proxy.seen(HEARTBEAT).length > 1);
        assert.equal(proxy.seen(EVENTS).length, 0);
    });

    test("the next episode: the ending of the session before is not told", async (t) => {
        const { session, streams, told } = await setup(t);
        await until(() => streams.length);
        const next = session.next({ content: { id: "e2" } });
        streams[0].end(event("ended", { reason: "terminated", taken_by: "x" }));
        const second = await next;
        const silence = new Promise((done) => setTimeout(done, 1500, "silence"));
        assert.equal(await Promise.race([told, silence]), "silence");
        assert.equal(second.state, "live");
        await second.stop();
    });
});

describe("event streams of the server", { concurrency: true }, () => {
    const setup = async (t, server = shared) => {
        const user = server.newUser();
        let session;
        t.after(() => session.stop());
        const proxy = await Proxy.start(t, () => server.url);
        const told = signal();
        const onEnded = (ended) => told.resolve({ ...ended, at: Date.now() });
        session = await start({ url: proxy.url, user, onEnded });
        await until(() => proxy.seen(EVENTS).length);
        return { proxy, user, session, told };
    };

    test("a held session outlives its lease without a heartbeat", async (t) => {
        const { proxy, user, session } = await setup(t);
        // One and a half leases.
        await new Promise((done) => setTimeout(done, 7500));
        assert.equal((await shared.watching(user))[0].session_id, session.id);
        assert.deepEqual(proxy.seen(HEARTBEAT), []);
        assert.equal(proxy.seen(EVENTS).length, 1);
    });

    test("a session that another device took is over within a second, and says which", async (t) => {
        const { user, session, told } = await setup(t);
        const taker = { device_name: "Phone", terminate: [session.id] };
        const takenAt = Date.now();
        await shared.call("PUT", `/v1/users/${user}/sessions/phone`, taker);
        const { reason, by, at } = await told;
        assert.deepEqual([reason, by.deviceName], ["terminated", "Phone"]);
        assert.ok(at - takenAt < 1000, `${at - takenAt} ms`);
    });

    test("a server that is restarted says bye, and holds the session again", async (t) => {
        const server = await Server.start(t);
        const { proxy, user, session } = await setup(t, server);
        await server.stop();
        await server.start();
        await until(() => proxy.seen(EVENTS).length > 1);
        assert.equal(session.state, "live");
        assert.equal((await server.watching(user))[0].session_id, session.id);
    });
});

test("a stream that went silent is given up, and the lease renewed at once", async (t) => {
    const user = shared.newUser();
    let session;
    t.after(() => session.stop());
    const proxy = await Proxy.start(t, () => shared.url);
    proxy.answer = ({ method, path }, response) => {
        if (!EVENTS.test(`${method} ${path}`)) return undefined;
        setImmediate(() => response.write(event("session", alive)));
        return { headers: { "content-type": "text/event-stream" } };
    };
    session = await start({ url: proxy.url, user });
    await until(() => proxy.seen(EVENTS).length == 1);
    const before = proxy.seen(HEARTBEAT).length;
    const { now } = Date;
    // The wall clock after a sleep of a minute.
    t.mock.method(Date, "now", () => now() + 60_000);
    await until(() => proxy.seen(EVENTS).length == 2);
    assert.ok(proxy.seen(HEARTBEAT).length > before);
});
