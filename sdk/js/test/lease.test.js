// A lease: heartbeats on the server's schedule, outages, sleeps, and how a session ends.

import assert from "node:assert/strict";
import test, { after, describe } from "node:test";
import { start } from "../dist/index.js";
import { CUT, Proxy } from "./support/proxy.js";
import { QUICK, Server } from "./support/server.js";
import { signal, until } from "./support/wait.js";

const HEARTBEAT = /POST .*\/heartbeat/;

const shared = await Server.start({ after });

describe("lease", { concurrency: true }, () => {
    /** A session without an event stream; on a server of its own if the test restarts that. */
    const setup = async (t, options = {}, server = shared) => {
        const user = server.newUser();
        let session;
        t.after(() => session.stop());
        const proxy = await Proxy.start(t, () => server.url);
        const told = signal();
        const own = { url: proxy.url, user, hold: false, onEnded: told.resolve };
        session = await start({ ...own, ...options });
        return { server, proxy, user, session, told };
    };

    test("heartbeats come at the server's interval, and keep the slot", async (t) => {
        const { server, proxy, session, user } = await setup(t);
        const beats = await until(() => proxy.seen(HEARTBEAT).length > 5 && proxy.seen(HEARTBEAT));
        const took = beats.at(-1).at - beats[0].at;
        const each = took / (beats.length - 1);
        assert.ok(each > 900 && each < 2100, `${each} ms between heartbeats`);
        assert.equal((await server.watching(user))[0].session_id, session.id);
    });

    test("a session that another viewer ended is over at the next heartbeat", async (t) => {
        const { server, told, user } = await setup(t);
        const [{ session_id }] = await server.watching(user);
        const taker = { device_name: "Phone", terminate: [session_id] };
        await server.call("PUT", `/v1/users/${user}/sessions/phone`, taker);
        const { reason, by } = await told;
        assert.deepEqual([reason, by.sessionId, by.deviceName], ["terminated", "phone", "Phone"]);
    });

    test("an operator ends it: nobody took the slot", async (t) => {
        const { server, told, user } = await setup(t);
        await server.call("DELETE", `/v1/users/${user}`);
        const { reason, by } = await told;
        assert.deepEqual([reason, by], ["revoked", undefined]);
    });

    test("after stop() nothing is sent, and onEnded is not called", async (t) => {
        const { server, proxy, session, told, user } = await setup(t);
        await session.stop();
        await session.stop();
        assert.deepEqual(await server.watching(user), []);
        const { length } = proxy.calls;
        const silence = new Promise((done) => setTimeout(done, 2500, "silence"));
        assert.equal(await Promise.race([told, silence]), "silence");
        assert.equal(proxy.calls.length, length);
    });

    test("a stop without an answer is sent again", async (t) => {
        const { server, proxy, session, user } = await setup(t);
        let cuts = 0;
        proxy.answer = ({ method }) => (method == "DELETE" && cuts++ < 2 ? CUT : undefined);
        await session.stop();
        assert.deepEqual(await server.watching(user), []);
    });

    test("the server is restarted: playback goes on", async (t) => {
        const { server, session, told, user } = await setup(t, {}, await Server.start(t));
        await server.stop();
        await server.start();
        const restarted = Date.now();
        await until(async () => {
            const [shown] = await server.watching(user);
            return shown && Date.parse(shown.last_seen_at) > restarted;
        });
        assert.equal((await server.watching(user))[0].session_id, session.id);
        assert.equal(session.state, "live");
        assert.equal(await Promise.race([told, "still playing"]), "still playing");
    });

    test("a server that lost its data is asked again, under a new id", async (t) => {
        const { server, session, user } = await setup(t, {}, await Server.start(t));
        const { id } = session;
        await server.forget();
        await server.start();
        const [shown] = await until(async () => {
            const sessions = await server.watching(user);
            return sessions.length && sessions;
        });
        assert.equal(shown.session_id, session.id);
        assert.notEqual(session.id, id);
    });

    test("retries of a heartbeat wait as the server says", async (t) => {
        const { proxy } = await setup(t, { failMode: "open" });
        proxy.answer = ({ path }) =>
            /heartbeat/.test(path) && { status: 503, headers: { "retry-after": "2" }, body: {} };
        const beats = await until(() => proxy.seen(HEARTBEAT).length > 2 && proxy.seen(HEARTBEAT));
        for (const [i, { at }] of beats.slice(1).entries()) {
            assert.ok(at - beats[i].at >= 1990, `${at - beats[i].at} ms`);
        }
    });

    test("fail mode closed: a lease without an answer ends the session", async (t) => {
        const { proxy, session, told } = await setup(t);
        proxy.answer = () => CUT;
        const renewedAt = proxy.calls.at(-1).at;
        const { reason } = await told;
        assert.equal(reason, "unreachable");
        // Five seconds, from when the last renewal was sent: a little before the proxy had it.
        assert.ok(Date.now() - renewedAt > 4000, "not before the lease was over");
        assert.equal(session.state, "ended");
    });

    test("fail mode open: a viewer goes on through an outage, and gets the slot back", async (t) => {
        const { server, proxy, session, user } = await setup(t, { failMode: "open" });
        proxy.answer = () => CUT;
        await until(async () => (await server.watching(user)).length == 0);
        proxy.answer = () => undefined;
        await until(async () => (await server.watching(user)).length == 1);
        assert.equal(session.state, "live");
    });

    test("a slot that was taken during an outage is lost as expired", async (t) => {
        const { server, proxy, told, user } = await setup(t, { failMode: "open" });
        proxy.answer = () => CUT;
        await until(async () => (await server.watching(user)).length == 0);
        await server.call("PUT", `/v1/users/${user}/sessions/phone`);
        proxy.answer = () => undefined;
        assert.equal((await told).reason, "expired");
    });
});

test("a sleep is noticed, and the lease renewed at once", async (t) => {
    let session;
    t.after(() => session.stop());
    const server = await Server.start(t, [...QUICK, "policy.lease_s=90", "policy.heartbeat_interval_s=30"]);
    const proxy = await Proxy.start(t, () => server.url);
    session = await start({ url: proxy.url, user: "ann", hold: false });
    assert.equal(proxy.seen(HEARTBEAT).length, 0);
    // The clock as it is after ten seconds of sleep: too early for the next heartbeat.
    const { now } = Date;
    t.mock.method(Date, "now", () => now() + 10_000);
    await until(() => proxy.seen(HEARTBEAT).length == 1, 3);
    // And after it was set back.
    Date.now.mock.mockImplementation(() => now() - 3_600_000);
    await until(() => proxy.seen(HEARTBEAT).length == 2, 3);
});
